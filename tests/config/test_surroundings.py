"""What `headgate serve` would refuse on this machine is told beforehand, with its place; nothing is made."""

import os

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What is said of a file: (line, path, message)."""
    monkeypatch.chdir(tmp_path)

    def read(text, environ=None):
        (tmp_path / "headgate.yaml").write_text(text)
        try:
            load(tmp_path / "headgate.yaml", environ or {}, here=True)
        except ConfigError as error:
            return [(problem.line, problem.path, problem.message) for problem in error.problems]
        return []

    return read


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "'::'", "'::1'", "localhost"])
def test_addresses_that_can_be_listened_on(told, host):
    assert told(f"server: {{host: {host}}}") == []


def test_hosts_that_nobody_knows(told):
    # longer than a name's part may be (RFC 1035), so no name server is asked
    name = "x" * 70
    text = f"server:\n  host: {name}\n  admin: {{host: {name}.example}}"
    assert told(text) == [
        (2, "server.host", "this host is not known here"),
        (3, "server.admin.host", "this host is not known here"),
    ]


def test_a_data_directory_with_a_file_in_its_way(told, tmp_path):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/data", "file/a/b"):
        ((line, path, message),) = told(f"\ndata_dir: {place}")
        assert (line, path) == (2, "data_dir")
        assert message == "the data directory cannot be made: a file is in its way"
    assert told("data_dir: new/data") == []
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_without_rights(told, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "cannot be written" in told("data_dir: closed")[0][2]
    assert "cannot be made" in told("data_dir: closed/data")[0][2]


def test_a_data_directory_whose_name_is_too_long(told):
    assert told(f"data_dir: {'a' * 300}")[0][1] == "data_dir"


def test_an_admin_key_that_is_refused_at_the_start(told, tmp_path):
    assert "too easy to guess" in told("", {"HEADGATE_ADMIN_KEY": "short"})[0][2]
    (tmp_path / ".headgate").mkdir()
    assert told("") == []
    (tmp_path / ".headgate" / "admin_key").write_text("damaged")
    assert "is damaged" in told("")[0][2]


def test_sessions_that_machines_could_not_share(told):
    text = "state: {url: 'redis://127.0.0.1'}\nsurrogates: {per: session, store: state}"
    [(line, path, message)] = told(text)
    assert (line, path) == (2, "surrogates.store")
    assert "the same key" in message
    assert told(text, {"HEADGATE_SECRET_KEY": "x" * 40}) == []
    assert told("surrogates: {per: session, store: sqlite}") == []
