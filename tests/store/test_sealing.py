"""Secrets at rest: opened only with the key, where they belong, and unchanged."""

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.store.sealing import FILE, PREFIX, VARIABLE, Keyring, OwnKey, Seal, Unsealable, is_sealed

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
    first, second = Keyring(tmp_path, {}).seal(), Keyring(tmp_path, {}).seal()
    assert second.open(first.seal("sk-secret", "p"), "p") == "sk-secret"
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_keys_of_the_environment(tmp_path):
    random, passphrase = base64.b64encode(b"k" * 32).decode(), "a-passphrase-of-more-than-thirty-two-characters"
    both = Keyring(tmp_path, {VARIABLE: f"{random} {passphrase}"}).seal()
    sealed = Keyring(tmp_path, {VARIABLE: passphrase}).seal().seal("sk-secret", "p")
    assert both.open(sealed, "p") == "sk-secret"
    assert both.current(Seal([OwnKey(b"k" * 32)]).seal("x", "p"))
    assert not both.current(sealed)
    assert not (tmp_path / FILE).exists()
    with pytest.raises(Unsealable, match="too short"):
        Keyring(tmp_path, {VARIABLE: "password"}).seal()


def test_a_key_that_was_put_in_front_in_the_file_seals_from_then_on(tmp_path):
    ring = Keyring(tmp_path, {})
    old = ring.seal().seal("sk-secret", "p")
    path = tmp_path / FILE
    path.write_text(base64.b64encode(b"n" * 32).decode() + "\n" + path.read_text())
    assert ring.seal().open(old, "p") == "sk-secret"
    assert not ring.seal().current(old)
    path.write_text("")
    with pytest.raises(Unsealable, match="holds no key"):
        ring.seal()
