"""Keys are made at random, kept as hashes, and judged; references to secrets are followed without telling them."""

import hashlib

import pytest

from headgate.config import secrets
from headgate.config.secrets import (
    SecretError,
    follow,
    hash_key,
    is_reference,
    new_key,
    same,
    well_known,
    well_known_hash,
)
from together import together


def test_hashes_are_sha256():
    assert hash_key("abc") == hashlib.sha256(b"abc").hexdigest()
    assert same(hash_key("abc"), hash_key("abc"))
    assert not same(hash_key("abc"), hash_key("abd"))


def test_new_keys_differ_and_are_strong():
    made = {new_key() for _ in range(50)}
    assert len(made) == 50
    assert all(key.startswith("hg-") and len(key) > 40 and not well_known(key) for key in made)


@together(
    "key", ["123456", "password", "changeme", "sk-1234", "test", "secret", "admin", "ChangeMe", "aaaaaaaaaaaaaaaaaaaa"]
)
def test_well_known_keys(key):
    assert well_known(key)


def test_a_hash_of_a_well_known_key():
    assert well_known_hash(hash_key("changeme"))
    assert not well_known_hash(hash_key(new_key()))


def test_references(tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    assert is_reference("file:key")
    assert is_reference("env:KEY")
    assert not is_reference("sk-file:key")
    assert follow("env:KEY", {"KEY": "value"}, tmp_path) == ("value", None)
    assert follow("file:key", {}, tmp_path) == ("from-a-file", tmp_path / "key")
    assert follow(f"file:{tmp_path}/key", {}, tmp_path.parent)[0] == "from-a-file"


def test_references_that_lead_nowhere(tmp_path):
    with pytest.raises(SecretError, match="NOWHERE is not set"):
        follow("env:NOWHERE", {}, tmp_path)
    with pytest.raises(SecretError, match="cannot be read: No such file"):
        follow("file:missing", {}, tmp_path)
    with pytest.raises(SecretError, match="cannot be read: Is a directory"):
        follow("file:.", {}, tmp_path)
    (tmp_path / "large").write_bytes(b"x" * (secrets.MAX_SECRET_BYTES + 1))
    with pytest.raises(SecretError, match="larger than 64 KiB"):
        follow("file:large", {}, tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretError, match="not UTF-8"):
        follow("file:binary", {}, tmp_path)
