"""The command line from outside: what it prints, and its exit codes."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from headgate import __version__
from headgate.cli import moment
from headgate.config.secrets import hash_key

SECRET = "sk-canary-0123456789abcdef"


def headgate(*arguments, cwd, **environ):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        cwd=cwd,
        env={**kept, "OLLAMA_HOST": "127.0.0.1:1", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version_is_quick_to_say(tmp_path):
    done = headgate("version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"headgate {__version__}\n", "")
    code = "import sys, headgate.cli; sys.exit('pydantic' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0, "heavy imports belong in commands"


def test_check_of_a_good_file(tmp_path):
    (tmp_path / "headgate.yaml").write_text("providers: {simulator: }\nmodels: {chat: simulator/x}\n")
    done = headgate("check", cwd=tmp_path)
    assert done.returncode == 0
    assert "in order (1 provider, 1 model, 0 keys)" in done.stdout


def test_check_of_a_bad_file(tmp_path):
    (tmp_path / "headgate.yaml").write_text(f"modles: {{}}\nproviders: {{openai: {{api_key: [{SECRET}]}}}}\n")
    done = headgate("check", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "headgate.yaml:1: modles: unknown key `modles`; did you mean `models`?",
        "headgate.yaml:2: providers.openai.api_key: expected text, found a list",
        "headgate: 2 problems in the configuration",
    ]


def test_check_for_programs(tmp_path):
    (tmp_path / "f.yaml").write_text("modles: {}\n")
    done = headgate("check", "--config", "f.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"] == [
        {
            "file": "f.yaml",
            "line": 1,
            "column": 1,
            "path": "modles",
            "message": "unknown key `modles`",
            "hint": "did you mean `models`?",
        }
    ]
    (tmp_path / "f.yaml").write_text("keys: [{name: a, key: abcdefghij}]\n")
    done = headgate("check", "--config", "f.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["ok"]
    assert answer["warnings"]
    assert answer["file"] == str(tmp_path / "f.yaml")


def test_check_without_a_file_says_what_was_found(tmp_path):
    done = headgate("check", cwd=tmp_path, OPENAI_API_KEY=SECRET)
    assert done.returncode == 0
    assert "openai: OPENAI_API_KEY is set." in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_serve_refuses_a_bad_configuration_before_anything_starts(tmp_path):
    done = headgate("serve", "--port", "70000", "--data-dir", "d", cwd=tmp_path)
    assert done.returncode == 2
    assert "command line: server.port: must be at most 65535, found the number 70000" in done.stderr
    assert not (tmp_path / "d").exists()


def test_a_missing_file(tmp_path):
    done = headgate("serve", "--config", "missing.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "missing.yaml: cannot be read: No such file" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["serv"], ["serve", "--prot", "1"], ["records", "--since", "soon"], ["key", "admin"], ["completion", "x"]],
)
def test_bad_usage(tmp_path, arguments):
    done = headgate(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_new_key_and_its_hash(tmp_path):
    done = headgate("key", "new", cwd=tmp_path)
    made = re.fullmatch(r"key:      (hg-\S{43})\nkey_hash: sha256:([0-9a-f]{64})\n", done.stdout)
    assert made
    assert hash_key(made[1]) == made[2]


def test_a_new_admin_key(tmp_path):
    (tmp_path / "headgate.yaml").write_text("data_dir: data\nproviders: {openai: {api_key: '${UNSET}'}}\n")
    done = headgate("key", "admin", "--new", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "data" / "admin_key").read_text() == f"sha256:{hash_key(done.stdout.strip())}\n"
    done = headgate("key", "admin", "--new", "--data-dir", "d2", cwd=tmp_path, HEADGATE_ADMIN_KEY="x")
    assert (tmp_path / "d2" / "admin_key").exists()
    assert "HEADGATE_ADMIN_KEY is set" in done.stderr


def test_the_configuration_describes_itself(tmp_path):
    assert json.loads(headgate("config", "schema", cwd=tmp_path).stdout)["title"] == "Headgate"
    assert headgate("config", "reference", cwd=tmp_path).stdout.startswith("# Configuration reference\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(tmp_path, shell):
    done = headgate("completion", shell, cwd=tmp_path)
    assert done.returncode == 0
    assert "_HEADGATE_COMPLETE" in done.stdout


def test_records_of_an_empty_data_directory(tmp_path):
    done = headgate("records", "--data-dir", str(tmp_path), "--json", "--since", "10m", "--limit", "3", cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_moments():
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert moment("10m", now) == now - timedelta(minutes=10)
    assert moment("2w", now) == now - timedelta(weeks=2)
    assert moment("2026-01-01T12:00:00Z", now) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="Invalid isoformat"):
        moment("yesterday", now)


def test_a_reader_that_has_had_enough(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "headgate", "config", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


CRASH = """
import sys
sys.argv = ["headgate", *sys.argv[1:]]
from headgate import cli
@cli.cli.command()
def crash():
    raise RuntimeError("sk-canary-0123456789abcdef")
@cli.cli.command()
def interrupt():
    raise KeyboardInterrupt
@cli.cli.command()
def file():
    open("/nowhere/at/all")
cli.main()
"""


def crash(*arguments):
    return subprocess.run([sys.executable, "-c", CRASH, *arguments], capture_output=True, text=True, check=False)


def test_an_internal_error_is_one_line_without_its_words():
    done = crash("crash")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "internal error (RuntimeError in" in done.stderr
    assert SECRET not in done.stderr
    done = crash("--debug", "crash")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_interrupt_and_a_file_error():
    assert crash("interrupt").returncode == 130
    done = crash("file")
    assert (done.returncode, done.stderr) == (1, "headgate: /nowhere/at/all: No such file or directory\n")
