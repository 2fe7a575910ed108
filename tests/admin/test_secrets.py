"""Secrets on their way in and out: sealed wherever they stand, kept where they are not written anew, never shown."""

import json

import pytest

from headgate.admin.problems import Problem
from headgate.admin.secrets import SHOWN, sealed, shown
from headgate.store.sealing import OwnKey, Seal, is_sealed

SEAL = Seal([OwnKey(b"k" * 32)])


@pytest.mark.parametrize(
    "body",
    [
        {"api_key": "sk-1234567890"},
        {"api_keys": [{"name": "a", "api_key": "sk-1234567890"}, {"name": "b", "api_key": "sk-1234567890"}]},
        {"headers": {"x-auth-token": "sk-1234567890"}},
        {"aws": {"secret_access_key": "sk-1234567890"}},
        {"client_secret": "sk-1234567890"},
    ],
)
def test_secrets_of_a_provider_are_sealed_and_not_shown(body):
    found = sealed("providers", "p", body, None, SEAL)
    assert "sk-1234567890" not in json.dumps(found)
    assert "sk-1234567890" not in json.dumps(shown(found))
    assert SHOWN in json.dumps(shown(found))


def test_what_is_shown_written_back_leaves_the_secret_as_it_is():
    before = sealed(
        "providers", "p", {"api_key": "sk-1234567890", "api_keys": [{"name": "a", "api_key": "x-12345"}]}, None, SEAL
    )
    after = sealed("providers", "p", {**shown(before), "traits": ["eu"]}, before, SEAL)
    assert after == {**before, "traits": ["eu"]}


def test_keys_in_a_list_are_known_by_their_names():
    keys = [{"name": "a", "api_key": "sk-aaaaaaaa"}, {"name": "b", "api_key": "sk-bbbbbbbb"}]
    before = sealed("providers", "p", {"api_keys": keys}, None, SEAL)
    turned = {"api_keys": list(reversed(shown(before)["api_keys"]))}
    after = sealed("providers", "p", turned, before, SEAL)["api_keys"]
    assert [SEAL.open(each["api_key"], "providers/p/api_keys/api_key") for each in after] == [
        "sk-bbbbbbbb",
        "sk-aaaaaaaa",
    ]


def test_what_is_no_secret_stays_as_it_is():
    body = {"kind": "openai", "api_key": "none", "base_url": "https://h/v1", "traits": ["eu"], "key_file": "sa.json"}
    assert sealed("providers", "p", body, None, SEAL) == body
    assert sealed("providers", "p", {"api_key": "env:NAME"}, None, SEAL) == {"api_key": "env:NAME"}
    limit = {"for": {"key": "shop"}, "tokens": 5}
    assert sealed("limits", "l", limit, None, SEAL) == limit


def test_targets_have_secrets_in_their_settings_alone():
    model = {"targets": [{"model": "p/x", "with": {"api_key": "sk-1234567890"}, "set": {"key": "word"}}]}
    found = sealed("models", "m", model, None, SEAL)["targets"][0]
    assert is_sealed(found["with"]["api_key"])
    assert found["set"] == {"key": "word"}


def test_hashes_of_keys_are_not_shown():
    assert shown({"key_hash": "sha256:aa", "previous": [{"key_hash": "sha256:bb", "expires": "x"}]}) == {
        "previous": [{"expires": "x"}]
    }


@pytest.mark.parametrize("query", ["key=abc", "a=b&subscription-key=abc", "code=abc", "sig=abc", "x=sk-1234567890abcd"])
def test_a_secret_in_an_address_is_refused_as_it_would_be_shown(query):
    body = {"kind": "openai_compatible", "base_url": f"https://h/v1?{query}"}
    with pytest.raises(Problem, match=r"providers\.p\.base_url: .* give it as `api_key`") as caught:
        sealed("providers", "p", body, None, SEAL)
    assert "abc" not in str(caught.value)
    target = {"model": "p/x", "with": {"base_url": f"https://h/v1?{query}"}}
    with pytest.raises(Problem):
        sealed("models", "m", {"targets": [target]}, None, SEAL)


def test_another_query_in_an_address_may_stand_there():
    body = {"base_url": "https://h/v1?api-version=2024-10-21&region=eu"}
    assert sealed("providers", "p", body, None, SEAL) == body
