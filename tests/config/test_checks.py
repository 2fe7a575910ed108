"""What only the whole configuration shows; single broken files are in test_load.py."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Everything that is said of a file: (path, message; hint)."""
    monkeypatch.chdir(tmp_path)

    def read(text):
        (tmp_path / "headgate.yaml").write_text(text)
        try:
            load(tmp_path / "headgate.yaml", {})
        except ConfigError as error:
            return [(problem.path, f"{problem.message}; {problem.hint}") for problem in error.problems]
        return []

    return read


def test_the_admin_keys_name_is_taken(told):
    ((path, words),) = told("keys: [{name: admin, key: client-key-of-good-length}]")
    assert path == "keys[0].name"
    assert "is the admin key's" in words


def test_a_key_may_be_given_all_of_a_provider(told):
    text = "providers: {simulator: }\nkeys: [{name: a, key: client-key-of-good-length, models: ['%s']}]"
    assert told(text % "simulator/*") == []
    ((path, words),) = told(text % "simulatr/*")
    assert path == "keys[0].models[0]"
    assert "did you mean `simulator`?" in words


def test_a_dialect_of_ones_own(told, tmp_path):
    assert "is not the path of a module" in told("dialects: [mine]")[0][1]
    assert "there is no module `nowhere_at`" in told("dialects: [nowhere_at.all]")[0][1]
    (tmp_path / "own_dialects").mkdir()
    (tmp_path / "own_dialects" / "half.py").write_text("name = 'half'\npaths = ['/v1/half']\n")
    ((path, words),) = told("dialects: [own_dialects.half]")
    assert path == "dialects[0]"
    assert "`own_dialects.half` is not a dialect; it has no content_type, foreign" in words
    assert told("dialects: [headgate.dialects.openai_chat]") == []
    assert told("dialects: [3]") == [("dialects[0]", "expected text, found the number 3; ")]


def test_a_ca_file_is_there(told, tmp_path):
    ((path, words),) = told("upstream: {ca_file: none.pem}")
    assert path == "upstream.ca_file"
    assert "cannot be read: No such file" in words
    (tmp_path / "ca.pem").write_text("")
    assert told("upstream: {ca_file: ca.pem}") == []


def test_the_servers_port_is_not_the_admin_listeners(told):
    assert told("server: {port: 4001, admin: {}}")[0][0] == "server.admin.port"
    assert told("server: {port: 0, admin: {port: 0}}") == []
    assert told("server: {port: 4001, host: '::1', admin: {}}") == []


@pytest.mark.parametrize("name", ["v1", "v1beta", "v2", "api", "model", "livez", "metrics", "console"])
def test_a_provider_does_not_stand_in_the_gateways_way(name, told):
    ((path, words),) = told(f"providers: {{{name}: {{kind: simulator}}}}")
    assert path == f"providers.{name}"
    assert f"`/{name}/…` is a path of the gateway's own" in words
    assert told(f"providers: {{my{name}: {{kind: simulator}}}}") == []
