"""Secrets at rest: opened only with the key, where they belong, and unchanged."""

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.store.sealing import FILE, PREFIX, VARIABLE, OwnKey, Seal, Unsealable, is_sealed, keys

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
    (first,), (second,) = keys(tmp_path, {}), keys(tmp_path, {})
    assert first.id == second.id
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_keys_of_the_environment(tmp_path):
    random = base64.b64encode(b"k" * 32).decode()
    first, second = keys(tmp_path, {VARIABLE: f"{random} a-passphrase-of-more-than-thirty-two-characters"})
    assert first.id == OwnKey(b"k" * 32).id != second.id
    assert not (tmp_path / FILE).exists()
    with pytest.raises(Unsealable, match="too short"):
        keys(tmp_path, {VARIABLE: "password"})
