"""The command line from outside: what it prints, and its exit codes."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

import forks
from headgate import __version__
from headgate.cli import cli
from headgate.cli.times import moment
from headgate.config.load import load
from headgate.config.secrets import hash_key

SECRET = "sk-canary-0123456789abcdef"


def headgate(*arguments, cwd, **environ):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return forks.run(arguments, environ={**kept, "OLLAMA_HOST": "127.0.0.1:1", **environ}, folder=cwd)


def test_version_is_quick_to_say(tmp_path):
    done = headgate("version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"headgate {__version__}\n", "")
    assert headgate("--version", cwd=tmp_path).stdout == done.stdout
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


@pytest.mark.parametrize("arguments", [["check"], ["check", "--json"], ["serve"]])
def test_no_command_tells_a_variables_value(tmp_path, arguments):
    (tmp_path / "headgate.yaml").write_text(
        "models: {a: '${REALKEY}', b: {policy: '${REALKEY}', targets: ['${REALKEY}']}}\n"
        "providers: {x: {kind: '${REALKEY}'}, openai: sk-INLINE-SECRET-2}\nkeys: [hg-inline]\n"
    )
    done = headgate(*arguments, cwd=tmp_path, REALKEY=SECRET)
    assert done.returncode == 2
    assert "${REALKEY}" in done.stdout + done.stderr
    for secret in (SECRET, SECRET[:20], "INLINE-SECRET", "hg-inline"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["check"], ["check", "--json"]])
def test_check_looks_at_this_machine_too(tmp_path, arguments):
    (tmp_path / "taken").write_text("")
    (tmp_path / "headgate.yaml").write_text("providers: {simulator: }\ndata_dir: taken\nserver: {host: 300.1.1.1}\n")
    done = headgate(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "a file is in its way" in done.stdout + done.stderr
    assert "not an IP address to listen on" in done.stdout + done.stderr


def test_an_export_passes_the_check_elsewhere(tmp_path):
    (tmp_path / "headgate.yaml").write_text(
        f"providers: {{openai: {{api_key: {SECRET}}}}}\nmodels: {{chat: openai/m}}\n"
    )
    done = headgate("config", "export", cwd=tmp_path)
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    assert "set there: PROVIDERS_OPENAI_API_KEY (a secret that stands in the configuration itself)" in done.stderr
    (tmp_path / "headgate.yaml").write_text(done.stdout)
    assert headgate("check", cwd=tmp_path).returncode == 2
    assert headgate("check", cwd=tmp_path, PROVIDERS_OPENAI_API_KEY=SECRET).returncode == 0
    (tmp_path / "headgate.yaml").write_text("")
    assert headgate("config", "export", "--json", cwd=tmp_path).stdout == "{}\n"


def test_check_of_an_empty_file_warns(tmp_path):
    (tmp_path / "headgate.yaml").write_text("")
    done = headgate("check", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: there are no `providers`: every request will be refused; add one")
    assert "in order, but with 1 warning (0 providers" in done.stdout


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
    [
        ["serv"],
        ["serve", "--prot", "1"],
        ["records", "--since", "soon"],
        ["records", "--until", "soon"],
        ["records", "--status", "42"],
        ["records", "--status", "600"],
        ["records", "--status", "6xx"],
        ["records", "--ending", "completed"],
        ["records", "--origin", "client"],
        ["key", "admin"],
        ["completion", "x"],
    ],
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


def test_a_new_admin_key_that_would_not_be_in_force_is_refused(tmp_path):
    done = headgate("key", "admin", "--new", "--data-dir", "d", cwd=tmp_path, HEADGATE_ADMIN_KEY="x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "HEADGATE_ADMIN_KEY is set" in done.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["demo", "a$b c", "12", "null", 'ein "Name": ä', "${X}"])
def test_a_new_keys_entry_can_be_put_into_the_file(tmp_path, name):
    done = headgate("key", "new", "--name", name, cwd=tmp_path)
    made, _, entry = done.stdout.splitlines()
    (tmp_path / "headgate.yaml").write_text(f"keys:\n{entry}\n")
    (key,) = load(tmp_path / "headgate.yaml", {}).config.keys
    assert key.name == name
    assert key.digest == hash_key(made.removeprefix("key:").strip())


def test_a_new_key_for_programs(tmp_path):
    made = json.loads(headgate("key", "new", "--json", "--name", "demo", cwd=tmp_path).stdout)
    assert made == {"key": made["key"], "key_hash": f"sha256:{hash_key(made['key'])}", "name": "demo"}
    assert json.loads(headgate("key", "new", "--json", cwd=tmp_path).stdout).keys() == {"key", "key_hash"}


@pytest.mark.parametrize("name", ["", " a", "admin", "x" * 101, "a\nb"])
def test_a_name_no_key_may_have(tmp_path, name):
    done = headgate("key", "new", "--name", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")


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


def test_records_are_asked_for_with_every_filter(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("headgate.journal.show.show", lambda folder, **wanted: asked.append((folder, wanted)))
    given = {
        "id": "i", "key": "k", "model": "m", "target": "s/x", "status": "5xx", "ending": "cut", "error": "rate_limited",
        "origin": "provider", "client": "::1", "since": "2026-01-01T12:00", "until": "2026-01-02T12:00Z", "limit": "3",
        "organisation": "o", "team": "t", "application": "a", "user": "u", "end_user": "e", "tag": "x",
        "min_cost": "$0.05", "min_seconds": "1.5", "trace": "f" * 32, "data_class": "c", "text": "w",
    }  # fmt: skip
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = CliRunner().invoke(cli, ["records", "--data-dir", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    ((folder, wanted),) = asked
    times = {"since": datetime(2026, 1, 1, 12), "until": datetime(2026, 1, 2, 12, tzinfo=UTC)}
    numbers = {"limit": 3, "min_cost": 50_000_000, "min_seconds": 1.5}
    assert folder == tmp_path
    assert wanted.pop("source").where == f"{tmp_path} and its database"
    assert wanted == {**given, **times, **numbers, "follow": False, "as_json": False}
    done = CliRunner().invoke(cli, ["records", "--data-dir", str(tmp_path), "--min-cost", "much"])
    assert (done.exit_code, "no amount of US dollars" in done.output) == (2, True)


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
    return forks.run(arguments, code=CRASH, environ=dict(os.environ), folder=".")


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


def test_models_are_listed_counted_and_shown(tmp_path):
    counted = headgate("models", "list", "--count", cwd=tmp_path)
    assert int(counted.stdout) > 1000
    assert headgate("models", "--count", cwd=tmp_path).stdout == counted.stdout
    done = headgate(
        "models", "-p", "openai", "--tools", "--modality", "image", "--price", "$0.2", "--json", cwd=tmp_path
    )
    models = json.loads(done.stdout)
    assert "openai/gpt-4o-mini" in [model["model"] for model in models]
    assert all("image" in model["takes"] and "tools" in model["can"] for model in models)
    shown = headgate("models", "show", "openai/gpt-4o", cwd=tmp_path).stdout
    assert "$2.5 per million tokens" in shown
    assert "genai-prices" in shown
    assert headgate("models", "show", "openai/nothing-like-it", cwd=tmp_path).returncode == 1
    assert headgate("models", "--price", "cheap", cwd=tmp_path).returncode == 2


def test_providers_are_listed(tmp_path):
    listed = headgate("providers", "list", cwd=tmp_path)
    assert listed.returncode == 0
    assert headgate("providers", cwd=tmp_path).stdout == listed.stdout
    [deepseek] = json.loads(headgate("providers", "-s", "deepseek", "--json", cwd=tmp_path).stdout)
    assert (deepseek["kind"], deepseek["key"], deepseek["address"]) == (
        "deepseek",
        "DEEPSEEK_API_KEY",
        "https://api.deepseek.com",
    )
    (tmp_path / "headgate.yaml").write_text("providers: {mine: {kind: cohere, api_key: co-secret-0123456789}}\n")
    done = headgate("providers", "--configured", "--operation", "rerank", "--json", cwd=tmp_path)
    assert [(one["name"], one["kind"], one["key"]) for one in json.loads(done.stdout)] == [("mine", "cohere", "given")]
    assert "secret" not in done.stdout + done.stderr


def test_models_as_the_configuration_sees_them(tmp_path):
    (tmp_path / "newer.json").write_text('{"openai":{"gpt-4o":{"context":7}}}')
    (tmp_path / "headgate.yaml").write_text(
        f"providers: {{work: {{kind: openai, api_key: {SECRET}}}}}\n"
        "catalogue: {refresh: {file: newer.json}, models: {work/mine: {base_model: gpt-4o-mini, prices: {input: 9}}}}\n"
    )
    models = json.loads(headgate("models", "--configured", "--json", cwd=tmp_path).stdout)
    assert {model["provider"] for model in models} == {"work"}
    (mine,) = [model for model in models if model["id"] == "mine"]
    assert (mine["rates"], mine["sources"]["input"]) == ({"input": "9"}, "configuration")
    assert next(model for model in models if model["id"] == "gpt-4o")["context"] == 7
    (tmp_path / "newer.json").write_text("broken")
    done = headgate("models", "--configured", cwd=tmp_path)
    assert done.returncode == 1
    assert "the refreshed catalogue cannot be used" in done.stderr
