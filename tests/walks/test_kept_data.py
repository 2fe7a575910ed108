"""Data from outside: what is old goes by itself, a hold keeps it, one person's is given out and deleted."""

import json
import stat
import time

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, KEY, running
from headgate.cli import cli
from headgate.core.record import Record
from made_records import written

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{chat: {{targets: [simulator/x], cache: {{ttl: 60}}}}}}
users: {{ann: , bob: }}
keys:
  - {{name: test, key: {KEY}, user: ann}}
records: {{store: true}}
retention: {{records_days: 30}}
"""
QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
OLD = [
    Record(id=f"req_{number:026d}", time=time.time() - number * 86_400.0, path="/", user="bob", status=200)
    for number in (40, 50, 1)
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    written(folder / "data" / "journal", OLD)
    with running(folder, CONFIG) as made:
        for _ in range(3):
            assert made.post(QUESTION)[0] == 200
        made.wait_for_metric(0, "headgate_records_behind_bytes")
        made.wait_for_metric(6, "headgate_records_drained_total")
        yield made


def command(gateway, *arguments):
    run = CliRunner(env={"HEADGATE_ADMIN_KEY": ADMIN_KEY, "NO_PROXY": "*"})
    return run.invoke(cli, [*arguments, "--config", str(gateway.config)])


def call(gateway, method, path, body=None):
    auth = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    status, _, answer = gateway.request(method, f"/admin/api{path}", json.dumps(body).encode() if body else None, auth)
    return status, json.loads(answer) if isinstance(answer, bytes) and answer else answer


def test_a_hold_keeps_what_is_old_until_it_is_released(gateway):
    assert command(gateway, "purge", "--dry-run").stdout.split() == ["2", "records", "general"]
    held = command(gateway, "hold", "create", "case-7", "reason=court", "user=bob", "until=2099-01-01")
    assert held.exit_code == 0, held.output
    assert "case-7" in command(gateway, "hold", "list").stdout
    assert call(gateway, "POST", "/purge", {"dry_run": False}) == (200, {"dry_run": False, "purged": []})
    status, refused = call(gateway, "POST", "/data/delete", {"user": "bob"})
    assert (status, refused["code"], refused["detail"]) == (
        409, "held", "nothing was deleted, as some of it is held by case-7",
    )  # fmt: skip
    assert command(gateway, "hold", "release", "case-7").exit_code == 0
    _, done = call(gateway, "POST", "/purge", {"dry_run": False})
    assert {(each["kind"], each["why"]): each["rows"] for each in done["purged"]} == {
        ("records", "general"): 2, ("journal", ""): 2,
    }  # fmt: skip
    _, audit = call(gateway, "GET", "/audit?limit=4")
    assert [(each["action"], each["kind"]) for each in audit["items"]] == [
        ("purge", "journal"), ("purge", "records"), ("delete", "holds"), ("create", "holds"),
    ]  # fmt: skip
    assert audit["items"][0]["actor"] == "admin"


def test_one_person_s_data_are_given_out_with_their_proof_and_deleted(gateway, tmp_path):
    out = tmp_path / "ann.jsonl"
    assert command(gateway, "data", "export", "--user", "ann", "--out", str(out)).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    records = [line["record"] for line in map(json.loads, out.read_text().splitlines()) if "record" in line]
    assert {json.loads(line)["user"] for line in records} == {"ann"}
    key = command(gateway, "audit", "key").stdout.strip()
    checked = CliRunner().invoke(cli, ["audit", "verify", str(out), "--key", key])
    assert (checked.exit_code, checked.stdout.partition(";")[2].split(";")[0]) == (0, " 3 records, 3 of them signed")
    done = command(gateway, "data", "delete", "--user", "ann", "--yes")
    assert "3 records and 0 payloads are deleted" in done.stderr
    assert "answers in the cache" not in done.stderr
    assert b'"ann"' not in (gateway.data / "run" / "taken-out.jsonl").read_bytes()
    assert gateway.metric("headgate_cache_entries") == 0
    assert call(gateway, "GET", "/requests?user=ann")[1]["items"] == []
    assert b"ann" not in b"".join(path.read_bytes() for path in (gateway.data / "journal").iterdir())
    _, audit = call(gateway, "GET", "/audit?kind=data")
    assert [each["action"] for each in audit["items"]] == ["erase", "export"]
    assert "ann" not in json.dumps(audit)
    assert command(gateway, "audit", "verify").exit_code == 0
    assert command(gateway, "data", "delete").exit_code == 2
