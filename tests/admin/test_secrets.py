"""Secrets on their way in and out: sealed wherever they stand, kept where they are not written anew, never shown."""

import json

import pytest

from headgate.admin.problems import Problem
from headgate.admin.secrets import address_of_target, follows, into_store, sealed, shown
from headgate.config.stored import SEALED
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
    assert SEALED in json.dumps(shown(found))


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


def test_a_secret_that_is_left_out_of_a_document_stays_and_null_takes_it_away():
    body = {"api_key": "sk-1234567890", "headers": {"x-token": "t-12345", "x-plain": "p"}, "traits": ["eu"]}
    before = sealed("providers", "p", body, None, SEAL)
    for given in ({}, {"headers": {}}, {"headers": {"x-token": SEALED}}):
        found, problem = into_store("providers", "p", given, before, SEAL, left_out_stay=True)
        assert (found["api_key"], found["headers"]) == (before["api_key"], {"x-token": before["headers"]["x-token"]})
        assert (problem, "traits" in found) == (None, False)
    assert sealed("providers", "p", {}, before, SEAL) == {}
    assert into_store("providers", "p", {"api_key": None, "headers": None}, before, SEAL, left_out_stay=True)[0] == {
        "api_key": None, "headers": None
    }  # fmt: skip


def test_a_secret_that_is_the_same_keeps_its_seal_until_there_is_another_key():
    before = sealed("providers", "p", {"api_key": "sk-1234567890"}, None, SEAL)
    assert sealed("providers", "p", {"api_key": "sk-1234567890"}, before, SEAL) == before
    assert sealed("providers", "p", {"api_key": "sk-another-0123"}, before, SEAL) != before
    both = Seal([OwnKey(b"n" * 32), OwnKey(b"k" * 32)])
    anew = sealed("providers", "p", {"api_key": "sk-1234567890"}, before, both)["api_key"]
    assert both.current(anew)
    moved = {"api_key": "sk-1234567890", "base_url": "https://elsewhere"}  # who knows it may send it anywhere
    assert sealed("providers", "p", moved, before, SEAL)["base_url"] == "https://elsewhere"


def test_where_no_secret_is_none_can_stay():
    with pytest.raises(Problem) as caught:
        sealed("providers", "p", {"api_key": SEALED, "api_keys": [SEALED]}, None, SEAL)
    assert caught.value.code == "secret_needed"
    assert [each["path"] for each in caught.value.errors] == ["providers.p.api_key", "providers.p.api_keys"]


def test_a_targets_secret_goes_to_no_other_target():
    targets = [{"model": "p/x", "with": {"api_key": f"sk-{number}-1234567"}} for number in range(2)]
    before = sealed("models", "m", {"targets": targets}, None, SEAL)
    assert sealed("models", "m", shown(before), before, SEAL) == before
    for given in ({"model": "evil/x", "with": {"api_key": SEALED}}, {"model": "evil/x"}):
        found, problem = into_store("models", "m", {"targets": [given]}, before, SEAL, left_out_stay=True)
        assert "sealed:" not in json.dumps(found)
        assert (problem is not None) == ("with" in given)


@pytest.mark.parametrize("kind", ["models", "rules"])
def test_a_targets_secret_goes_nowhere_else_by_its_own_settings(kind):
    target = {"model": "p/x", "with": {"api_key": "sk-1234567890", "base_url": "https://here/v1"}}
    before = sealed(kind, "m", {"targets": [target]}, None, SEAL)
    there = {"model": "p/x", "with": {"api_key": SEALED, "base_url": "https://evil/v1"}}
    for given in ([there], [shown(before)["targets"][0], there], [{**there, "with": {"api_key": SEALED}}]):
        with pytest.raises(Problem, match="goes only where it was given for"):
            sealed(kind, "m", {"targets": given}, before, SEAL)
    longer = {"model": "p/x", "with": {**there["with"], "base_url": "https://here/v1", "timeouts": {"idle": 9}}}
    assert (
        sealed(kind, "m", {"targets": [longer]}, before, SEAL)["targets"][0]["with"]["api_key"]
        == (before["targets"][0]["with"]["api_key"])
    )
    anew = {"model": "p/x", "with": {**there["with"], "api_key": "sk-1234567890"}}  # who knows it may send it anywhere
    assert sealed(kind, "m", {"targets": [anew]}, before, SEAL)["targets"][0]["with"]["base_url"] == "https://evil/v1"


def test_a_targets_secret_does_not_follow_its_provider():
    evil, here = {"base_url": "https://evil"}, {"base_url": "https://here"}
    model = {"targets": ["p/y", {"model": "p/x", "with": {"api_key": "sealed:v1:a:b:c"}}]}
    assert follows("p", evil, here, model, model)
    assert follows("p", {"kind": "openai"}, {}, model, model)
    assert not follows("q", evil, here, model, model)
    assert not follows("p", {**here, "traits": ["eu"]}, here, model, model)
    assert not follows("p", evil, here, model, {"targets": []})  # it is given anew
    own = {"fallbacks_on": {"refusal": [{"model": "p/x", "with": {"api_key": "sealed:v1:a:b:c", **here}}]}}
    assert not follows("p", evil, here, own, own)
    assert follows("p", {"kind": "openai"}, {}, own, own)
    assert not follows("p", evil, here, {"targets": [{"model": "p/x", "with": {"api_key": "none"}}]}, model)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"base_url": "https://evil"}, "base_url"), ({"host": "https://evil"}, "host"), ({"x": {"y": ["//e"]}}, "x"),
        ({"region": "eu-west-1", "api_version": "2024-10-21", "timeouts": {"idle": 5}, "api_key": "sk-1/2"}, None),
        ({"headers": {"x-team": "https://x"}, "client_secret": "a/b"}, None),
    ],
)  # fmt: skip
def test_what_may_be_another_address_for_a_target_is_seen(settings, found):
    assert address_of_target({"targets": [{"model": "p/x", "with": settings}]}) == found


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
