"""Without a file: what the environment holds keys for, a local Ollama, else the simulator; said in sentences."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from headgate.config.discover import default_path, discover, kinds, ollama_address, ollama_models
from headgate.config.load import load
from headgate.core.plugin import names
from together import together

SECRET = "sk-canary-0123456789abcdef"


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def nowhere():
    """An environment whose Ollama does not answer, whatever runs on this machine."""
    return {"OLLAMA_HOST": f"127.0.0.1:{closed_port()}"}


@pytest.fixture
def ollama():
    """A server that answers what an Ollama does; `answer` is the body of /api/tags."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = server.answer if self.path == "/api/tags" else b"?"
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer = json.dumps({"models": [{"name": "llama3.2:latest"}, {"name": "qwen"}]}).encode()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address_of(loaded):
    """The variables that make a provider's address, where it needs some."""
    needed = {*loaded.needed(), *({"project_id"} & loaded.usual.keys())}
    return {loaded.usual[name]: "https://workspace.example" if name in ("host", "base_url") else "acme"
            for name in needed if name in loaded.usual}  # fmt: skip


def test_with_nothing_there_is_the_simulator(nowhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = load(None, nowhere)
    assert list(loaded.config.providers) == ["simulator"]
    assert loaded.path is None
    assert "simulator: no provider's key is set" in loaded.reasons[0]
    assert loaded.config.data_dir == tmp_path / ".headgate"
    assert loaded.again(nowhere).config.providers.keys() == loaded.config.providers.keys()


def test_every_provider_with_a_usual_variable_is_found_by_it(nowhere):
    variables = [(name, variable) for name, loaded in kinds().items() for variable in loaded.env_keys()]
    assert {("openai", "OPENAI_API_KEY"), ("cohere", "CO_API_KEY"), ("cohere", "COHERE_API_KEY")} <= set(variables)
    for name, variable in variables:
        found = discover({**nowhere, **address_of(kinds()[name]), variable: SECRET})
        assert list(found.document["providers"]) == [name]
        assert found.reasons[0] == f"{name}: {variable} is set."
        assert SECRET not in str(found)


def test_a_provider_without_its_address_is_not_found(nowhere):
    """A key alone does not say which account, workspace or resource it is for."""
    for loaded in kinds().values():
        if loaded.env_key and loaded.usual and loaded.needed():
            assert list(discover({**nowhere, loaded.env_key: SECRET}).document["providers"]) == ["simulator"]


def test_what_makes_the_address_is_taken_from_the_environment(nowhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"CLOUDFLARE_API_TOKEN": SECRET, "CLOUDFLARE_ACCOUNT_ID": "0123abcd"}
    assert load(None, {**nowhere, **environ}).config.providers["cloudflare"].settings.account_id == "0123abcd"


def test_keys_are_taken_and_known_as_secrets(nowhere, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = load(None, {**nowhere, "OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": ""})
    assert list(loaded.config.providers) == ["openai"]
    assert loaded.config.providers["openai"].settings.api_key.get_secret_value() == SECRET
    assert SECRET in loaded.secrets


def test_an_alias_is_made_where_a_provider_names_a_model_to_try(nowhere):
    for name, loaded in kinds().items():
        sample = getattr(loaded, "sample_model", None)
        if loaded.env_key and sample:
            found = discover({**nowhere, **address_of(loaded), loaded.env_key: SECRET})
            assert found.document["models"] == {"chat": f"{name}/{sample}"}
            assert found.sample == "chat"


def test_an_ollama_that_answers(ollama, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    address = f"127.0.0.1:{ollama.server_port}"
    loaded = load(None, {"OLLAMA_HOST": address})
    assert list(loaded.config.providers) == ["ollama"]
    assert loaded.config.providers["ollama"].settings.base_url == f"http://{address}/v1"
    assert loaded.config.models["chat"].targets[0].model == "ollama/llama3.2:latest"
    assert loaded.sample == "chat"
    assert f"ollama: one answers at {address}." in loaded.reasons


def test_an_ollama_without_models(ollama):
    ollama.answer = b'{"models": []}'
    found = discover({"OLLAMA_HOST": f"http://127.0.0.1:{ollama.server_port}"})
    assert found.sample is None
    assert any("ollama pull" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"models": 3}', b'{"models": [{}]}', b'{"models": [3]}', b"\xff"]
)
def test_something_else_on_ollamas_port(ollama, answer):
    ollama.answer = answer
    assert ollama_models(f"127.0.0.1:{ollama.server_port}") is None


def test_a_port_that_accepts_and_is_silent_does_not_hold_the_start_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert ollama_models(f"127.0.0.1:{silent.getsockname()[1]}", seconds=0.05) is None


@together(
    ("host", "address"),
    [
        ("", "127.0.0.1:11434"),
        ("box", "box:11434"),
        ("box:1", "box:1"),
        (":1234", "127.0.0.1:1234"),
        ("0.0.0.0", "127.0.0.1:11434"),
        ("[::]:5", "[::1]:5"),
        ("http://box:8/", "box:8"),
        ("https://box", None),
        ("http://u:p@box", None),
        ("box:notaport", None),
    ],
)
def test_the_forms_of_ollama_host(host, address):
    assert ollama_address(host) == address


def test_every_builtin_is_a_provider():
    assert set(kinds()) == set(names("providers"))


def test_the_file_is_looked_for_in_order(tmp_path):
    assert default_path({}, tmp_path) is None
    (tmp_path / "headgate.yml").write_text("")
    assert default_path({}, tmp_path) == tmp_path / "headgate.yml"
    (tmp_path / "headgate.yaml").write_text("")
    assert default_path({}, tmp_path) == tmp_path / "headgate.yaml"
    assert str(default_path({"HEADGATE_CONFIG": "x.yaml"}, tmp_path)) == "x.yaml"


@pytest.mark.parametrize("variable", ["CO_API_KEY", "COHERE_API_KEY"])
def test_a_key_is_taken_from_any_of_its_usual_variables(nowhere, tmp_path, variable):
    file = tmp_path / "headgate.yaml"
    file.write_text("providers: {cohere: {}}\n")
    loaded = load(file, {**nowhere, variable: SECRET})
    assert loaded.config.providers["cohere"].settings.api_key.get_secret_value() == SECRET
    both = {**nowhere, "CO_API_KEY": SECRET, "COHERE_API_KEY": "another-0123456789"}
    assert load(file, both).config.providers["cohere"].settings.api_key.get_secret_value() == SECRET
