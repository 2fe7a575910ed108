"""What was done is proven from outside: checkpoints are made while it serves, told elsewhere; tampering shows."""

import json
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, KEY, running
from headgate.cli import cli
from upstreams import ScriptedUpstream
from waiting import wait_for

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{chat: simulator/x}}
keys: [{{name: test, key: {KEY}}}]
records: {{store: true}}
audit: {{checkpoint_seconds: 1, checkpoint_file: checkpoints.jsonl, checkpoint_url: '{{HOOK}}/checkpoints'}}
"""
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


def command(gateway, *arguments):
    """Exit code and standard output."""
    done = CliRunner().invoke(cli, [*arguments, "--config", str(gateway.config)], standalone_mode=False)
    return done.return_value or 0, done.stdout


def kept(gateway):
    path = gateway.folder / "checkpoints.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def proven(tmp_path_factory):
    """A gateway that has served, been administered, and been stopped; and what the address was told."""
    folder = tmp_path_factory.mktemp("proof")
    with ScriptedUpstream(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}") as hook:
        with running(folder, CONFIG.replace("{HOOK}", hook.url)) as gateway:
            auth = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
            made = gateway.request("POST", "/admin/api/teams", b'{"name": "red"}', auth)
            assert made[0] == 201
            for _ in range(3):
                assert gateway.post(QUESTION)[0] == 200
            wait_for(lambda: {each["chain"] for each in kept(gateway)} == {"audit", "records"})
            wait_for(lambda: len(hook.requests) == len(kept(gateway)))
        yield gateway, [json.loads(request.body) for request in hook.requests]


def test_what_was_written_is_whole_and_signed(proven):
    gateway, heard = proven
    code, out = command(
        gateway, "audit", "verify", "--json", "--checkpoints", str(gateway.folder / "checkpoints.jsonl")
    )
    audit, records = json.loads(out)
    assert (code, audit["whole"], records["whole"], records["records"]) == (0, True, True, 3)
    assert 1 == audit["signed"]["number"] <= audit["head"]["number"], "what is exported is audited after the gateway"
    assert records["signed"]["chain"] == "records"
    assert kept(gateway) == heard
    public = command(gateway, "audit", "key")[1].strip()
    assert command(gateway, "audit", "verify", "--key", public)[0] == 0


def test_what_was_sent_to_a_provider_is_exported_with_its_proof(proven, tmp_path):
    gateway, _ = proven
    out = tmp_path / "evidence.jsonl"
    what = ("--provider", "simulator", "--key", "test", "--since", "1h", "--export", str(out))
    assert command(gateway, "records", *what, "--proof")[0] == 0
    lines = out.read_text().splitlines()
    assert json.loads(lines[0])["asked"]["target"] == "simulator"
    assert out.stat().st_mode & 0o777 == 0o600
    public = command(gateway, "audit", "key")[1].strip()
    code, told = command(gateway, "audit", "verify", str(out), "--key", public, "--json")
    checked = json.loads(told)
    assert (code, checked["records"], checked["signed"], checked["own_keys"]) == (0, 3, 3, False)
    out.write_text("\n".join([lines[0], lines[1].replace("chat", "chut"), *lines[2:]]))
    code, told = command(gateway, "audit", "verify", str(out))
    assert (code, "changed  req_" in told) == (1, True)
    assert command(gateway, "records", *what)[0] == 0
    assert len([json.loads(line)["id"] for line in out.read_text().splitlines()]) == 3
    with closing(sqlite3.connect(gateway.data / "headgate.db")) as database:
        said = database.execute("SELECT action, kind, after FROM audit ORDER BY revision, number").fetchall()
    assert [each[:2] for each in said] == [("create", "teams"), ("export", "records"), ("export", "records")]


def test_what_is_changed_afterwards_is_named(proven, tmp_path):
    gateway, _ = proven
    with closing(sqlite3.connect(gateway.data / "records.db")) as database:
        ((id,),) = database.execute("SELECT id FROM requests WHERE number = 2")
        database.execute("DROP TRIGGER lines_not_changed")
        database.execute("UPDATE lines SET line = replace(line, 'chat', 'chut') WHERE number = 2")
        database.commit()
        code, out = command(gateway, "audit", "verify")
        database.execute("UPDATE lines SET line = replace(line, 'chut', 'chat') WHERE number = 2")
        database.commit()
    assert code == 1
    assert f"changed  {id}: it is not what it was" in out
    assert command(gateway, "audit", "verify", "--since", "latest")[0] == 0
