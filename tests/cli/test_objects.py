"""Objects of a running gateway from the command line: made, changed, applied from a file; every failure one line."""

import json
import os
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import forks
from gateways import ADMIN_KEY, KEY, running
from headgate.cli import cli
from headgate.config.stored import KINDS

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s}}
teams: {{filed: }}
keys: [{{name: test, key: {KEY}}}]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("objects"), CONFIG) as made:
        yield made


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


def run(gateway, *words, code=0, key=ADMIN_KEY, apart=False, **environ):
    """A command in this process, as it takes a second to start one; `apart`: in one of its own."""
    words = [*words, "--config", str(gateway.config)]
    env = {"HEADGATE_ADMIN_KEY": key, **environ}
    if apart:
        made = forks.run(words, environ={**gateway.environ, **env}, folder=gateway.folder)
        done = Done(made.returncode, made.stdout, made.stderr)
    else:
        found = CliRunner().invoke(cli, words, env=env)
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        done = Done(found.exit_code, found.stdout, found.stderr)
    assert done.code == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def test_a_key_from_its_making_to_its_end(gateway):
    run(gateway, "team", "create", "research", "models=[small]", "limits=[{requests: 9, every: month}]")
    made = run(gateway, "key", "create", "ann", "team=research", "models=['*']", "expires=2031-01-31")
    secret = made.stdout.strip()
    ask = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
    assert gateway.post(ask, key=secret)[0] == 200
    listed = run(gateway, "key", "list", "team=research").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["NAME", "ann"]
    assert secret not in listed
    assert (
        json.loads(run(gateway, "key", "list", "team=research", "--json").stdout)[0]["body"]["expires"] == "2031-01-31"
    )
    rotated = run(gateway, "key", "rotate", "ann", "--overlap", "0").stdout.strip()
    assert [gateway.post(ask, key=each)[0] for each in (secret, rotated)] == [401, 200]
    run(gateway, "key", "set", "ann", "expires=", "tags=[x]")
    shown = run(gateway, "key", "show", "ann").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in shown[:3]] == [["name", "ann"], ["origin", "store"], ["version", "3"]]
    assert [line.split() for line in shown if line.startswith(("models", "tags"))] == [
        ["models", "1.", "*"],
        ["tags", "1.", "x"],
    ]
    body = json.loads(run(gateway, "key", "show", "ann", "--json").stdout)["body"]
    assert ("expires" in body, body["tags"]) == (False, ["x"])
    run(gateway, "key", "revoke", "ann")
    assert gateway.post(ask, key=rotated)[0] == 401
    run(gateway, "key", "delete", "ann")
    levels = run(gateway, "levels")
    assert ["team", "research", "requests", "a", "month", "2", "0"] in [
        line.split()[:7] for line in levels.stdout.splitlines()
    ]
    assert levels.stderr == "as counted by this process\n"
    assert json.loads(run(gateway, "levels", "--json").stdout)["source"] == "this process"
    changed = run(gateway, "changes", "kind=keys", "name=ann", "limit=3")
    head, *lines = (line.split() for line in changed.stdout.splitlines())
    assert head[0] == "TIME"
    assert [line[2:] for line in lines] == [
        ["admin", "delete", "keys/ann", "127.0.0.1"],
        ["admin", "replace", "keys/ann", "enabled,", "previous", "127.0.0.1"],
        ["admin", "replace", "keys/ann", "expires,", "tags", "127.0.0.1"],
    ]
    assert changed.stderr.startswith("there are more: before=")
    found = json.loads(run(gateway, "changes", "kind=keys", "name=ann", "limit=1", "--json").stdout)
    assert found["items"][0]["action"] == "delete"


def test_a_budget_is_a_limit_of_money(gateway):
    run(gateway, "budget", "create", "all of it", "money=100", "every=month", "warn_at=0.8")
    run(gateway, "limit", "create", "few", "requests=100000", "every=day")
    names = [each["name"] for each in json.loads(run(gateway, "budget", "list", "--json").stdout)]
    assert names == ["all of it"]
    run(gateway, "budget", "delete", "all of it")


def test_a_file_is_compared_and_applied(gateway, tmp_path):
    file = tmp_path / "state.yaml"
    file.write_text("teams: {applied: {models: [small], description: '${WHO}'}}\nrules: []\n")
    assert run(gateway, "diff", str(file), code=1, apart=True, WHO="us").stdout.splitlines()[0] == "+ teams/applied"
    assert "+ teams/applied" in run(gateway, "apply", str(file), "--dry-run", WHO="us").stdout
    made = run(gateway, "apply", str(file), "--yes", WHO="us")
    assert made.stdout == "+ teams/applied\n    description: us\n    models: small\n"
    assert made.stderr == "1 object changed: 1 made\n"
    assert run(gateway, "apply", str(file), "--yes", WHO="us").stderr == "0 objects changed\n"
    told = run(gateway, "diff", str(file), WHO="x" * 200).stdout
    assert f"    description: us → {'x' * 100}… (100 more characters)\n" in told
    assert json.loads(run(gateway, "team", "show", "applied", "--json").stdout)["body"]["description"] == "us"
    told = run(gateway, "apply", str(file), "--yes", code=2).stderr
    assert "WHO is not set" in told
    assert "say --yes" in run(gateway, "apply", str(file), "--prune", code=2, WHO="us").stderr
    assert run(gateway, "diff", str(tmp_path / "nowhere.yaml"), code=2, WHO="us").stderr
    file.write_text("limits: [{name: a, requests: 1, every: day}, {name: a, requests: 9, every: day}]\n")
    assert "limits: 'a' stands there twice" in run(gateway, "apply", str(file), "--yes", code=1).stderr
    file.write_text("teams: {bad: {models: [nothing]}}\n")
    told = run(gateway, "apply", str(file), "--yes", code=1).stderr
    assert "teams.bad.models[0]" in told


PLANTED = "sk-planted-0123456789abcdef"


def test_a_store_is_exported_and_applied_to_another_gateway_and_restored(gateway, tmp_path):
    file, older = tmp_path / "state.yaml", tmp_path / "older.yaml"
    run(gateway, "provider", "create", "extra", "kind=simulator", f"api_key={PLANTED}")
    run(gateway, "model", "create", "other", "targets=[extra/x]")
    for name in ("zzz", "aaa"):
        run(gateway, "rule", "create", name, "use=other", "when='model == \"x\"'")
    secret = run(gateway, "key", "create", "moved", "models=[other]", "tags=['costs $$5 or ${HOME}']").stdout.strip()
    done = run(gateway, "export")
    assert "set there: PROVIDERS_EXTRA_API_KEY (a secret sealed in the store" in done.stderr
    assert done.stdout.startswith("# set PROVIDERS_EXTRA_API_KEY\n")
    assert PLANTED not in done.stdout + done.stderr
    assert done.stdout == run(gateway, "export", "--offline").stdout
    older.write_text(done.stdout)
    assert run(gateway, "diff", str(older)).stdout == ""
    with running(tmp_path / "second", CONFIG) as second:
        assert "give the secret" in run(second, "apply", str(older), "--yes", code=1).stderr
        assert run(second, "export").stdout.count("\n") == len(KINDS)  # nothing was done: every section is empty
        run(second, "apply", str(older), "--yes", PROVIDERS_EXTRA_API_KEY=PLANTED)
        assert run(second, "export").stdout == done.stdout
        ask = {"model": "other", "messages": [{"role": "user", "content": "x"}]}
        assert second.post(ask, key=secret)[0] == 200
    run(gateway, "rule", "delete", "zzz")
    run(gateway, "model", "set", "other", "targets=[{model: extra/x, set: {user: me}}]")
    assert '~ models/other\n    targets: {"model": "extra/x", "set": {"user": "me"}} → extra/x\n' in (
        run(gateway, "diff", str(older)).stdout
    )
    run(gateway, "model", "set", "other", "targets=[extra/y]")
    run(gateway, "team", "create", "later")
    run(gateway, "provider", "set", "extra", "traits=[eu]")
    told = run(gateway, "diff", str(older))
    assert "~ models/other\n    targets: extra/y → extra/x\n" in told.stdout
    assert "+ rules/zzz\n" in told.stdout
    assert "- teams/later\n" in told.stdout
    assert "~ providers/extra\n    traits: eu → (not there)\n" in told.stdout
    assert json.loads(run(gateway, "diff", str(older), "--json").stdout)["counts"]["delete"] == 1
    run(gateway, "apply", str(older), "--prune", "--yes")
    assert run(gateway, "export").stdout == done.stdout
    file.write_text(run(gateway, "export", "--all").stdout)
    assert "filed:" in file.read_text()
    assert run(gateway, "diff", str(file)).stdout == ""
    assert "leave --url out" in run(gateway, "export", "--offline", "--url", gateway.url, code=2).stderr
    assert PLANTED not in gateway.output()


@pytest.mark.parametrize(
    ("words", "key", "code", "told"),
    [
        (["team", "show", "nobody"], ADMIN_KEY, 1, "there is no 'nobody' among teams"),
        (["team", "set", "filed", "models=[small]"], ADMIN_KEY, 1, "stands in headgate.yaml; change it there"),
        (["key", "create", "x", "team=nobody"], ADMIN_KEY, 1, "there is no team of this name"),
        (["team", "create", "x", "models"], ADMIN_KEY, 2, "'models' is not NAME=VALUE"),
        (["organization", "list"], ADMIN_KEY, 2, "there is no command 'organization': did you mean `headgate org`?"),
        (["budgets"], ADMIN_KEY, 2, "did you mean `headgate budget`?"),
        (["chek"], ADMIN_KEY, 2, "did you mean `headgate check`?"),
        (["xyzzy"], ADMIN_KEY, 2, "there is no command 'xyzzy': `headgate --help` lists all"),
        (["team", "list", "galaxy=x"], ADMIN_KEY, 1, "`galaxy` is nothing to filter teams by"),
        (["team", "list"], "hg-some-other-key-0123456789", 1, "the key is not one of this gateway's"),
        (["team", "list"], None, 1, "put it into HEADGATE_ADMIN_KEY"),
        (["team", "list", "--url", "http://127.0.0.1:1"], ADMIN_KEY, 1, "no gateway answers at http://127.0.0.1:1"),
    ],
)
def test_what_fails_is_told_in_one_line(gateway, words, key, code, told):
    said = run(gateway, *words, code=code, key=key).stderr
    assert told in said
    assert len([line for line in said.splitlines() if line.startswith("Error")]) == 1
    assert os.environ.get("HOME", "/nowhere") not in said
