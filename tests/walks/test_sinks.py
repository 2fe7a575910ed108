"""Sinks of a running gateway: each gets every record, whatever is killed, gone or slow, and no request waits for it."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catchers import HTTPCatcher, SyslogCatcher
from clickhouses import PASSWORD, clickhouse
from gateways import ADMIN_KEY, KEY, Gateway, free_port, running
from traffic import Traffic, answering
from upstreams import ScriptedUpstream

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}

MINE = """
from pathlib import Path
from headgate.records.sinks.sink import Settings, Sink

class Counted(Settings):
    place: Path

class Counting(Sink):
    Settings = Counted

    def send(self, batch):
        with self.settings.place.open("a") as file:
            file.write(f"{len(batch.items)} ")
"""
"""A sink of one's own, beside the configuration."""


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(answering(pause=0.002)) as started:
        yield started


def config(upstream, *sinks, store="false"):
    listed = "".join(f"\n  - {json.dumps(each)}" for each in sinks)
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{openai: {{api_key: sk-secret, base_url: '{upstream.url}/v1'}}}}
models: {{chat: openai/gpt-4o-mini}}
keys: [{{name: test, key: {KEY}}}]
records:
  store: {store}
  sinks:{listed}
"""


def quick(**told):
    return {"batch_seconds": 0.1, **told}


def process_of(gateway, module, *, other_than=None, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if parent == str(gateway.process.pid) and module in (process / "cmdline").read_text():
                    found = int(process.name)
                    if found != other_than:
                        return found
        time.sleep(0.02)
    raise AssertionError(f"there is no {module}:\n{gateway.output()}")


def ids_of(catcher):
    return collections.Counter(record["id"] for caught in catcher.caught for record in json.loads(caught.body))


def headgate(gateway, *arguments):
    command = [sys.executable, "-m", "headgate", *arguments, "--config", gateway.config]
    return subprocess.run(command, capture_output=True, timeout=60, env=gateway.environ, text=True, check=False)


def test_every_sink_gets_what_it_is_to_get_while_another_is_dead(tmp_path, upstream):
    dead = free_port()
    with HTTPCatcher() as http, SyslogCatcher("tcp") as syslog:
        told = config(
            upstream,
            quick(kind="http", url=http.url, headers={"authorization": "env:SINK_TOKEN"}, secret="file:secret.txt"),
            quick(kind="file", path="out/records.jsonl", without=["client"]),
            quick(kind="syslog", address=syslog.address, where={"status": "4xx"}),
            quick(kind="mine:Counting", place="counted.txt"),
            quick(kind="http", name="dead", url=f"http://127.0.0.1:{dead}"),
            store="true",
        )
        (tmp_path / "mine.py").write_text(MINE)
        (tmp_path / "secret.txt").write_text("signing-secret-of-mine\n")
        environ = {"SINK_TOKEN": "Bearer sink-token-of-mine"}
        with running(tmp_path, told, environ=environ) as gateway:
            good = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
            bad = gateway.post({"model": "none"})[1]["x-request-id"]
            for name in ("http", "file", "syslog", "Counting"):
                gateway.wait_for_metric(0, "headgate_sink_behind_bytes", sink=name)
            gateway.wait_for_metric(1, "headgate_sink_away", sink="dead")
            gateway.wait_for_metric(4, "headgate_records_drained_total")
            assert gateway.metric("headgate_sink_delivered_total", sink="http") == 4
            assert gateway.metric("headgate_sink_behind_bytes", sink="dead") > 0
            shown = headgate(gateway, "sinks", "--json")
            states = {each["name"]: each for each in json.loads(shown.stdout)}
            assert [states[name]["sent"] for name in ("http", "file", "syslog", "dead")] == [4, 4, 1, 0]
            assert states["syslog"]["left_out"] == 3
            assert "refused" in states["dead"]["away"]
            assert gateway.output().count("the sink dead takes no records, which wait in the journal") == 1
            with HTTPCatcher() as late:
                gateway.change(told.replace(f"127.0.0.1:{dead}", f"127.0.0.1:{late.port}"))
                gateway.says("the sink dead takes records again")
                gateway.wait_for_metric(0, "headgate_sink_behind_bytes", sink="dead")
                assert ids_of(late) == dict.fromkeys([*good, bad], 1)
        assert ids_of(http) == dict.fromkeys([*good, bad], 1)
        assert {caught.headers["authorization"] for caught in http.caught} == {"Bearer sink-token-of-mine"}
        assert all("webhook-signature" in caught.headers for caught in http.caught)
        lines = [json.loads(line) for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()]
        assert [line["id"] for line in lines] == [*good, bad]
        assert not any("client" in line for line in lines)
        assert sum(map(int, (tmp_path / "counted.txt").read_text().split())) == 4
        assert [bad in message.decode() for message in syslog.messages] == [True]
        for secret in ("sink-token-of-mine", "signing-secret-of-mine"):
            assert secret not in gateway.output()


def test_kill_9_in_the_middle_loses_nothing_and_what_comes_twice_is_known(tmp_path, upstream):
    """R5, for sinks: at least once, and a repeated batch has its id and its records."""
    with HTTPCatcher() as http:
        slow = collections.Counter()

        def answer(caught):
            slow["asked"] += 1
            time.sleep(0.03)
            return 503 if slow["asked"] % 5 == 0 else 200

        http.answer = answer
        gateway = Gateway(tmp_path, config(upstream, {"kind": "http", "url": http.url, "batch_seconds": 0.02}))
        gateway.start()
        with Traffic(gateway.port, clients=4) as traffic:
            traffic.wait_for(40)
            sending = process_of(gateway, "records.dispatch")
            os.kill(sending, signal.SIGKILL)
            process_of(gateway, "records.dispatch", other_than=sending)
            traffic.wait_for(80)
            gateway.kill()
        answered = [answer.id for answer in traffic.answers if answer.error is None]
        gateway.start()
        gateway.wait_for_metric(0, "headgate_sink_behind_bytes", sink="http")
        assert gateway.stop() == 0
    assert len(answered) >= 80
    came = ids_of(http)
    assert not [id for id in answered if id not in came]
    batches = {}
    for caught in http.caught:
        ids = [record["id"] for record in json.loads(caught.body)]
        assert batches.setdefault(caught.headers["idempotency-key"], ids) == ids
    assert len({id for ids in batches.values() for id in ids}) == sum(map(len, batches.values()))


def test_records_are_searched_in_clickhouse(tmp_path, upstream):
    with clickhouse(tmp_path / "engine") as url:
        told = config(upstream, quick(kind="clickhouse", url=url, password="env:CLICKHOUSE_PASSWORD"))
        told = told.replace("  store: false", "  store: false\n  search: clickhouse")
        with running(tmp_path, told, environ={"CLICKHOUSE_PASSWORD": PASSWORD}) as gateway:
            ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
            gateway.wait_for_metric(3, "headgate_sink_delivered_total", sink="clickhouse")
            os.kill(process_of(gateway, "records.dispatch"), signal.SIGSTOP)
            ids.append(gateway.post(QUESTION)[1]["x-request-id"])
            bad = gateway.post({"model": "none"})[1]["x-request-id"]
            headers = {"authorization": f"Bearer {ADMIN_KEY}"}
            page = gateway.get("/admin/api/requests?status=200&limit=9", headers)[2]
            assert [each["id"] for each in page["items"]] == ids[::-1]
            for id in (ids[0], bad):
                assert gateway.get(f"/admin/api/requests/{id}", headers)[2]["id"] == id
                assert gateway.get(f"/admin/api/decisions/{id}", headers)[0] == 200
            shown = headgate(gateway, "records", "--json", "--status", "2xx")
            assert [json.loads(line)["id"] for line in shown.stdout.splitlines()] == ids
            assert shown.stderr == ""
            os.kill(process_of(gateway, "records.dispatch"), signal.SIGCONT)
