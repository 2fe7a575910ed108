"""What is told of the section `state`, and that its URL, which may hold a password, stays what it is: a secret."""

import sys

import pytest
import trustme

from headgate.config.export import export
from headgate.config.load import load
from headgate.config.problems import ConfigError

PASSWORD = "a-password-of-good-length"


@pytest.fixture
def read(tmp_path):
    def loaded(text, environ=None):
        (tmp_path / "headgate.yaml").write_text(text)
        return load(tmp_path / "headgate.yaml", environ or {})

    return loaded


@pytest.fixture
def told(read):
    def problem(text, environ=None):
        with pytest.raises(ConfigError) as raised:
            read(text, environ)
        [found] = raised.value.problems
        return found

    return problem


def test_left_out_nothing_is_shared_and_no_package_needed(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "hiredis", None)
    assert read("log: {level: info}").config.state.url is None
    assert read("state: {prefix: staging}").config.state.url is None


def test_a_url_is_put_together_from_variables(read):
    loaded = read('state: {url: "rediss://:${REDIS_PASSWORD}@cache:6380/2"}', {"REDIS_PASSWORD": PASSWORD})
    assert loaded.config.state.url.get_secret_value() == f"rediss://:{PASSWORD}@cache:6380/2"
    assert PASSWORD in loaded.secrets


def test_its_password_is_never_logged_or_exported(read):
    for text, environ in (
        (f"redis://:{PASSWORD}@cache", {}),
        ("env:STATE_URL", {"STATE_URL": f"redis://:{PASSWORD}@cache"}),
    ):
        loaded = read(f"state: {{url: '{text}'}}", environ)
        assert PASSWORD in loaded.secrets
        assert PASSWORD not in repr(loaded.config)
        exported = export(loaded, environ)
        assert PASSWORD not in exported.yaml()
        assert exported.variables == ["STATE_URL"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"http://:{PASSWORD}@cache", "must begin with redis://, valkey://, rediss://, valkeys://"),
        (f"redis://:{PASSWORD}@cache/keys", "not a database's number"),
        (f"redis://:{PASSWORD} @cache", "is not a URL"),
    ],
)
def test_a_url_that_is_none_is_told_without_it(told, url, message):
    found = told(f"log: {{level: info}}\nstate:\n  url: '{url}'")
    assert (found.path, found.line) == ("state.url", 3)
    assert message in found.message
    assert PASSWORD not in str(found)


def test_authorities_without_encryption_are_told(told, read, tmp_path):
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    found = told("state: {url: 'redis://cache', ca_file: ca.pem}")
    assert (found.path, found.hint) == ("state.ca_file", "begin it with rediss:// or valkeys://, or leave this out")
    assert read("state: {url: 'valkeys://cache', ca_file: ca.pem}").config.state.ca_file == tmp_path / "ca.pem"
    assert "cannot be read" in told("state: {url: 'rediss://cache', ca_file: none.pem}").message


def test_a_missing_package_is_told_with_what_brings_it(told, monkeypatch):
    monkeypatch.setitem(sys.modules, "hiredis", None)
    found = told("state: {url: 'redis://cache'}")
    assert (found.path, found.hint) == ("state", "install headgate[redis]")


def test_a_prefix_is_in_printable_ascii(told):
    assert told("state: {prefix: 'with spaces'}").path == "state.prefix"


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        (f"redis://:{PASSWORD}@cache", True),
        (f"rediss://:{PASSWORD}@cache", False),
        (f"redis://:{PASSWORD}@127.0.0.1", False),
        ("redis://cache", False),
    ],
)
def test_a_password_without_encryption_is_warned_of(read, url, warned):
    said = [warning for warning in read(f"state: {{url: '{url}'}}").warnings if "state.url" in warning]
    assert len(said) == warned
    assert PASSWORD not in "".join(said)
