"""The admin key is shown once and kept as a hash that only its owner can read."""

import stat

import pytest

from headgate.config import admin_key
from headgate.config.problems import ConfigError
from headgate.config.secrets import hash_key


def test_it_is_made_once(tmp_path):
    folder = tmp_path / "deep" / "data"
    key = admin_key.ensure(folder, {})
    assert key is not None
    assert key.startswith("hg-")
    assert admin_key.ensure(folder, {}) is None
    assert admin_key.read(folder, {}) == hash_key(key)
    assert key not in (folder / "admin_key").read_text()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "admin_key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["admin_key"]


def test_replacing_it(tmp_path):
    old = admin_key.ensure(tmp_path, {})
    new = admin_key.replace(tmp_path)
    assert old != new
    assert admin_key.read(tmp_path, {}) == hash_key(new)


def test_the_environment_overrides(tmp_path):
    key = "a-long-enough-admin-key"
    assert admin_key.ensure(tmp_path / "data", {"HEADGATE_ADMIN_KEY": key}) is None
    assert admin_key.read(tmp_path / "data", {"HEADGATE_ADMIN_KEY": key}) == hash_key(key)
    assert not (tmp_path / "data" / "admin_key").exists()


@pytest.mark.parametrize(
    "key",
    ["", "short", "changeme", "aaaaaaaaaaaaaaaaaaaaaaaa", "has a space in it, long", "line\nbreak-and-long-enough"],
)
def test_an_unfit_key_of_the_environment_is_refused_and_not_told(tmp_path, key):
    with pytest.raises(ConfigError) as caught:
        admin_key.ensure(tmp_path, {"HEADGATE_ADMIN_KEY": key})
    assert "HEADGATE_ADMIN_KEY" in str(caught.value)
    assert len(key) < 6 or key not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"sha256:zz", b"\xff\xff", b"the-key-itself"])
def test_a_damaged_file_is_told_with_advice(tmp_path, content):
    (tmp_path / "admin_key").write_bytes(content)
    for call in (admin_key.ensure, admin_key.read):
        with pytest.raises(ConfigError, match="damaged; make a new one: headgate key admin --new"):
            call(tmp_path, {})


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        admin_key.read(tmp_path, {})


def test_a_data_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--data-dir"):
        admin_key.ensure(tmp_path / "file" / "data", {})
