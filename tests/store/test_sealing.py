"""Secrets at rest: opened only with the key, where they belong, and unchanged."""

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.secrets.references import Places, References
from headgate.secrets.settings import Sources
from headgate.store.sealing import FILE, PREFIX, VARIABLE, KeyAway, Keyring, OwnKey, Seal, Unsealable, is_sealed
from keepers import VAULT_TOKEN, Keepers
from upstreams import json_reply

OLD, NEW = OwnKey(b"a" * 32), OwnKey(b"b" * 32)


@given(st.text(max_size=200), st.text(max_size=50))
def test_what_is_sealed_is_opened_where_it_belongs(secret, place):
    seal = Seal([OLD])
    sealed = seal.seal(secret, place)
    assert is_sealed(sealed)
    assert seal.open(sealed, place) == secret
    with pytest.raises(Unsealable, match="does not belong here"):
        seal.open(sealed, place + "x")
    assert seal.seal(secret, place) != sealed


def test_a_new_key_seals_and_the_old_one_still_opens():
    sealed = Seal([OLD]).seal("sk-secret", "p")
    both = Seal([NEW, OLD])
    assert both.open(sealed, "p") == "sk-secret"
    assert Seal([NEW]).open(both.seal("sk-secret", "p"), "p") == "sk-secret"
    with pytest.raises(Unsealable, match="give the secret anew") as caught:
        Seal([NEW]).open(sealed, "p")
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda s: s[:-4], lambda s: s + "AAAA", lambda s: PREFIX + "x:y", lambda s: PREFIX])
def test_what_was_changed_is_not_opened(damage):
    sealed = Seal([OLD]).seal("sk-secret", "p")
    with pytest.raises(Unsealable):
        Seal([OLD]).open(damage(sealed), "p")


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path):
    first, second = Keyring(tmp_path, {}, None).seal(), Keyring(tmp_path, {}, None).seal()
    assert second.open(first.seal("sk-secret", "p"), "p") == "sk-secret"
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_keys_of_the_environment(tmp_path):
    random, passphrase = base64.b64encode(b"k" * 32).decode(), "a-passphrase-of-more-than-thirty-two-characters"
    both = Keyring(tmp_path, {VARIABLE: f"{random} {passphrase}"}, None).seal()
    sealed = Keyring(tmp_path, {VARIABLE: passphrase}, None).seal().seal("sk-secret", "p")
    assert both.open(sealed, "p") == "sk-secret"
    assert both.current(Seal([OwnKey(b"k" * 32)]).seal("x", "p"))
    assert not both.current(sealed)
    assert not (tmp_path / FILE).exists()
    with pytest.raises(Unsealable, match="too short"):
        Keyring(tmp_path, {VARIABLE: "password"}, None).seal()


def test_a_key_that_was_put_in_front_in_the_file_seals_from_then_on(tmp_path):
    ring = Keyring(tmp_path, {}, None)
    old = ring.seal().seal("sk-secret", "p")
    path = tmp_path / FILE
    path.write_text(base64.b64encode(b"n" * 32).decode() + "\n" + path.read_text())
    assert ring.seal().open(old, "p") == "sk-secret"
    assert not ring.seal().current(old)
    path.write_text("")
    with pytest.raises(Unsealable, match="holds no key"):
        ring.seal()


@pytest.fixture
def keepers(few_authorities, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Keepers() as made:
        yield made


def test_a_service_keeps_the_key_and_is_asked_once(tmp_path, keepers, few_authorities):
    def asking():
        references = References(keepers.environ(tmp_path))
        references.begin(Places(Sources(), few_authorities))
        return references

    kept = {VARIABLE: "vault-transit:transit/headgate"}
    first = Keyring(tmp_path, kept, asking())
    sealed = {place: first.seal().seal("sk-secret", place) for place in "abc"}
    assert [what for _, what in keepers.asked] == ["/v1/transit/encrypt/headgate"]
    references = asking()
    assert {Keyring(tmp_path, kept, references).seal().open(sealed[each], each) for each in "abc"} == {"sk-secret"}
    keepers.instead = {"vault": json_reply({}, status=503)}
    again = Keyring(tmp_path, kept, references).seal()
    assert again.open(again.seal("another", "d"), "d") == "another"
    assert [what for _, what in keepers.asked[1:]] == ["/v1/transit/decrypt/headgate"]
    with pytest.raises(Unsealable, match="does not belong here"):
        again.open(sealed["a"], "b")
    with pytest.raises(KeyAway, match="vault-transit:transit/headgate, cannot be used: Vault answered 503") as away:
        Keyring(tmp_path, kept, asking()).seal().open(sealed["a"], "a")
    assert VAULT_TOKEN not in str(away.value)


def test_a_service_takes_the_place_of_a_key_of_ours(tmp_path, keepers, few_authorities):
    references = References(keepers.environ(tmp_path))
    references.begin(Places(Sources(), few_authorities))
    old = "a-passphrase-of-more-than-thirty-two-characters"
    sealed = Keyring(tmp_path, {VARIABLE: old}, None).seal().seal("sk-secret", "p")
    both = Keyring(tmp_path, {VARIABLE: f"aws-kms:alias/headgate {old}"}, references).seal()
    assert not both.current(sealed)
    anew = both.seal(both.open(sealed, "p"), "p")
    assert both.current(anew)
    assert Keyring(tmp_path, {VARIABLE: "aws-kms:alias/headgate"}, references).seal().open(anew, "p") == "sk-secret"


def test_a_key_that_is_misspelt_is_no_passphrase(tmp_path):
    with pytest.raises(Unsealable, match="`aws-kmss:` is no key's beginning"):
        Keyring(tmp_path, {VARIABLE: "aws-kmss:arn:aws:kms:eu-west-1:123456789012:key/1234"}, None).seal()
