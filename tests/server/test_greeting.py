"""What the start says: what was found, and a request that can be pasted as it stands."""

from __future__ import annotations

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.config.load import load
from headgate.server.greeting import command, greeting
from headgate.server.lifecycle import Listener

NOBODY = {"OLLAMA_HOST": "127.0.0.1:9", "HOME": "/nowhere"}
CONFIG = """
providers:
  simulator: {}
  local: {kind: openai_compatible, base_url: 'http://127.0.0.1:9/v1', api_key: none}
models:
  chat: simulator/sim
"""


@pytest.fixture
def listener():
    with socket.create_server(("0.0.0.0", 0)) as sock:
        yield Listener(sock)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv" / "bin" / "headgate")])
    return tmp_path


def lines(listener, path=None, *, key=None, environ=NOBODY, **overrides):
    said = greeting(load(path, environ, overrides), key, listener, environ).splitlines()
    assert len(said) <= 12
    return said


def test_it_names_the_file_and_what_is_in_it(there, listener):
    (there / "headgate.yaml").write_text(CONFIG)
    said = lines(listener)
    port = listener.sock.getsockname()[1]
    assert said[0].endswith(f" on http://127.0.0.1:{port}")
    assert said[1:4] == [
        "  configuration: headgate.yaml",
        "  providers: simulator, local; models: chat",
        "  data: .headgate",
    ]


def test_without_a_file_it_says_what_was_found(there, listener):
    said = lines(listener, environ={**NOBODY, "OPENAI_API_KEY": "sk-" + "x" * 20})
    assert said[1:3] == ["  no configuration file; found here:", "  openai: OPENAI_API_KEY is set."]
    assert not [line for line in said if "sk-x" in line]


def test_many_finds_stay_short(there, listener):
    found = replace(load(None, NOBODY), reasons=[f"finding {number}." for number in range(40)])
    said = greeting(found, "hg-new", listener, NOBODY).splitlines()
    assert len(said) <= 12
    assert all(f"finding {number}." in said[2] for number in range(40))


def test_of_many_models_the_rest_is_counted(there, listener):
    models = "".join(f"  m{number}: simulator/sim\n" for number in range(20))
    (there / "headgate.yaml").write_text(CONFIG + models)
    assert "models: chat, m0, m1, m2, m3, m4 and 15 more" in lines(listener)[2]


def test_a_new_key_is_in_the_curl_line(there, listener):
    said = lines(listener, key="hg-new")
    assert "The admin key, shown this once: hg-new" in said
    assert "-H 'authorization: Bearer hg-new'" in said[-1]


def test_the_key_of_the_environment_is_named_as_such(there, listener):
    said = lines(listener, environ={**NOBODY, "HEADGATE_ADMIN_KEY": "hg-a-very-long-admin-key"})
    assert '-H "authorization: Bearer $HEADGATE_ADMIN_KEY"' in said[-2]
    assert said[-1] == "($HEADGATE_ADMIN_KEY is the admin key)"
    assert "hg-a-very-long-admin-key" not in "\n".join(said)


def test_a_later_start_says_how_to_make_another_key(there, listener):
    assert "`.venv/bin/headgate key admin --new`" in lines(listener)[-1]
    (there / "my config.yaml").write_text(CONFIG)
    assert "headgate key admin --new --config 'my config.yaml'`" in lines(listener, there / "my config.yaml")[-1]
    elsewhere = str(there / "elsewhere")
    assert "headgate key admin --new --data-dir elsewhere`" in lines(listener, data_dir=elsewhere)[-1]


def test_the_command_is_named_the_way_it_can_be_typed(there, monkeypatch):
    folder = there / "bin"
    folder.mkdir()
    tool = folder / "headgate"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert command(str(tool), sys.executable) == ["bin/headgate"]
    assert command("x/headgate/__main__.py", str(folder / "python")) == ["bin/headgate"]
    assert command("x/headgate/__main__.py", "/opt/none/python") == ["/opt/none/python", "-m", "headgate"]
    monkeypatch.setenv("PATH", str(folder))
    assert command(str(tool), sys.executable) == ["headgate"]
    assert command(str(Path("/other/headgate")), sys.executable) == ["/other/headgate"]
