"""The database of records from outside: whatever is killed, stopped or full, each answered request is there once."""

import collections
import contextlib
import json
import os
import resource
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from gateways import ADMIN_KEY, KEY, Gateway, running
from headgate.journal.read import EVERYTHING
from headgate.records.reading import source
from postgres import Server
from traffic import Traffic, answering
from upstreams import ScriptedUpstream
from valkeys import valkey

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}

KEPT = (
    "models: {chat: openai/gpt-4o-mini}",
    "models: {chat: openai/gpt-4o-mini, kept: {targets: openai/x, cache: true}}",
)


def config(upstream, records):
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{openai: {{api_key: sk-secret, base_url: '{upstream}/v1'}}}}
models: {{chat: openai/gpt-4o-mini}}
keys: [{{name: test, key: {KEY}}}]
records: {records}
"""


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(answering(pause=0.002)) as started:
        yield started


@pytest.fixture(scope="module")
def started():
    with Server() as server:
        yield server


@pytest.fixture
def server(started):
    """It goes on afterwards, whatever became of the test: one that hangs cannot be ended in time."""
    yield started
    started.signal(signal.SIGCONT)


def read(gateway, url=None, want=EVERYTHING):
    """How often each id is read as the commands do, in order; and what they warn of."""
    told = []
    with source(gateway.data, url or f"sqlite:///{gateway.data}/records.db", None, told.append) as found:
        return collections.Counter(stored.record.id for stored in found.read(want)), told


def drain_of(gateway, seconds=10, *, other_than=None):
    """The process id of its drain."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if parent == str(gateway.process.pid) and "records.drain" in (process / "cmdline").read_text():
                    found = int(process.name)
                    if found != other_than:
                        return found
        time.sleep(0.02)
    raise AssertionError(f"there is no drain:\n{gateway.output()}")


def in_database(gateway):
    """How often each id is there."""
    with contextlib.closing(sqlite3.connect(gateway.data / "records.db")) as connection:
        return collections.Counter(id for (id,) in connection.execute("SELECT id FROM requests"))


def test_kill_9_of_the_gateway_and_of_the_drain_loses_and_doubles_nothing(tmp_path, upstream):
    """R5."""
    gateway = Gateway(tmp_path, config(upstream.url, "{store: true}"))
    answered = []
    for victim in ("drain", "gateway", "both"):
        gateway.start()
        with Traffic(gateway.port, clients=4) as traffic:
            traffic.wait_for(40)
            drain = drain_of(gateway)
            if victim != "gateway":
                os.kill(drain, signal.SIGKILL)
            if victim == "drain":
                drain_of(gateway, other_than=drain)
                traffic.wait_for(80)
            gateway.kill()
        answered += [answer.id for answer in traffic.answers if answer.error is None]
    gateway.start()
    until = time.monotonic() + 20
    while not set(answered) <= set(in_database(gateway)) and time.monotonic() < until:
        time.sleep(0.05)
    assert gateway.stop() == 0
    assert "ended with code -9; another is started" in gateway.output()
    assert len(answered) >= 160
    (recorded, _), kept = read(gateway), in_database(gateway)
    assert not [id for id in answered if recorded[id] != 1]
    assert set(recorded.values()) == {1}
    assert kept == recorded


def test_what_waits_is_shown_beside_what_is_in_the_database(tmp_path, upstream):
    with running(tmp_path, config(upstream.url, "{store: true}")) as gateway:
        ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
        gateway.wait_for_metric(3, "headgate_records_drained_total")
        os.kill(drain_of(gateway), signal.SIGSTOP)
        ids += [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(2)]
        assert gateway.metric("headgate_records_behind_bytes") > 0
        assert list(in_database(gateway)) == ids[:3]
        assert list(read(gateway)[0]) == ids
        headers = {"authorization": "Bearer " + gateway.environ["HEADGATE_ADMIN_KEY"]}
        for what in ("decisions", "requests"):
            assert [gateway.get(f"/admin/api/{what}/{id}", headers)[0] for id in (ids[0], ids[-1])] == [200, 200]
        page = gateway.get("/admin/api/requests?limit=4", headers)[2]
        assert [each["id"] for each in page["items"]] == ids[:0:-1]
        assert page["behind"] == 0
        shown = gateway.told_by("records", "--json", "--limit", "4").splitlines()
        assert [json.loads(line)["id"] for line in shown] == ids[1:]
        os.kill(drain_of(gateway), signal.SIGCONT)
        gateway.wait_for_metric(0, "headgate_records_behind_bytes")


def test_a_postgresql_that_is_stopped_loses_nothing(tmp_path, upstream, server):
    with running(tmp_path, config(upstream.url, f"{{url: '{server.url}'}}")) as gateway:
        ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
        gateway.wait_for_metric(3, "headgate_records_drained_total")
        server.stop()
        ids += [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
        gateway.wait_for_metric(1, "headgate_records_away")
        assert gateway.get("/readyz")[0] == 200
        headers = {"authorization": "Bearer " + gateway.environ["HEADGATE_ADMIN_KEY"]}
        status, _, answer = gateway.get("/admin/api/requests", headers)
        assert (status, json.loads(answer)["code"]) == (503, "records_away")
        shown, told = read(gateway, server.url)
        assert shown == dict.fromkeys(ids, 1)
        assert "away, only the journal is read" in told[0]
        server.start()
        gateway.wait_for_metric(6, "headgate_records_drained_total")
        assert gateway.metric("headgate_records_away") == 0
        gateway.says("the database takes records again")
        assert read(gateway, server.url) == (dict.fromkeys(ids, 1), [])


def test_a_postgresql_with_keys_and_records_that_hangs_under_load(tmp_path, upstream, server):
    """R9: known keys are served, also after a kill of the gateway, a revoked one is not, and no record is lost.
    R222: the state, in which answers are kept, is gone at the same time.

    Killed, too: bench/losses.py.
    """
    told = config(upstream.url, f"{{url: '{server.url}'}}").replace(*KEPT) + f"store: {{url: '{server.url}'}}\n"
    with valkey() as state:
        told += f"state: {{url: '{state.url}'}}\ncache: {{store: state, front: 60}}\n"
        with running(tmp_path, told) as gateway:
            known, revoked = keys = stored_keys(gateway)
            until_kept(gateway, known)
            with Traffic(gateway.port, clients=3, rate=60, key=known) as traffic:
                traffic.wait_for(10)
                server.signal(signal.SIGSTOP)
                state.kill()
                gateway.wait_for_metric(1, "headgate_store_away")
                traffic.wait_for(30)
                assert gateway.metric("headgate_records_behind_bytes") > 10_000
                assert gateway.post(QUESTION, key=revoked)[0] == 401
                assert kept(gateway, known, "Hello") == (200, "hit")  # of the memory in front
                assert kept(gateway, known, "Are you there?") == (200, "miss")
            assert not traffic.failures
            gateway.kill()
            gateway.start()
            assert [gateway.post(QUESTION, key=key)[0] for key in keys] == [200, 401]
            assert kept(gateway, known, "Hello") == (200, "miss")
            gateway.wait_for_metric(1, "headgate_cache_away")
            server.signal(signal.SIGCONT)
            state.start()
            gateway.wait_for_metric(0, "headgate_store_away")
            gateway.wait_for_metric(0, "headgate_cache_away")
            gateway.wait_for_metric(0, "headgate_records_behind_bytes")
            assert [gateway.post(QUESTION, key=key)[0] for key in keys] == [200, 401]
            until_kept(gateway, known)
        recorded, _ = read(gateway, server.url)
    assert len(traffic.answers) >= 40
    assert {recorded[answer.id] for answer in traffic.answers} == {1}
    assert set(recorded.values()) == {1}


def stored_keys(gateway):
    """One that is let in, and one that was revoked."""
    headers = {"authorization": "Bearer " + ADMIN_KEY, "content-type": "application/json"}
    keys = []
    for name in ("known", "revoked"):
        body = json.dumps({"name": name, "models": ["*"]}).encode()
        keys.append(gateway.request("POST", "/admin/api/keys", body, headers)[2]["key"])
    assert gateway.request("POST", "/admin/api/keys/revoked/revoke", None, headers)[0] == 200
    return keys


def kept(gateway, key, words):
    body = {"model": "kept", "messages": [{"role": "user", "content": words}]}
    status, heads, _ = gateway.post(body, key=key)
    return status, heads.get("x-headgate-cache")


def until_kept(gateway, key):
    """Answers are kept where all share them, and found there."""
    until = time.monotonic() + 20
    while kept(gateway, key, "Hello") != (200, "hit"):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_full_disk_holds_the_database_up_and_loses_nothing(tmp_path, upstream):
    """R20: here the drain's files may not grow, as with a quota; the journal goes on."""
    with running(tmp_path, config(upstream.url, "{store: true}")) as gateway:
        ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(2)]
        gateway.wait_for_metric(2, "headgate_records_drained_total")
        drain = drain_of(gateway)
        resource.prlimit(drain, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        ids += [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(2)]
        gateway.says("the database takes no records, which wait in the journal")
        assert read(gateway)[0] == dict.fromkeys(ids, 1)
        resource.prlimit(drain, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        gateway.wait_for_metric(0, "headgate_records_behind_bytes")
        assert drain_of(gateway) == drain
        assert in_database(gateway) == dict.fromkeys(ids, 1)
        assert read(gateway)[0] == dict.fromkeys(ids, 1)


def test_of_several_workers_one_drains_for_all(tmp_path, upstream):
    workers = config(upstream.url, "{store: true}").replace("port: {PORT}", "port: {PORT}, workers: 2")
    with running(tmp_path, workers) as gateway:
        with Traffic(gateway.port, clients=4) as traffic:
            traffic.wait_for(40)
        answered = [answer.id for answer in traffic.answers if answer.error is None]
        gateway.wait_for_metric(0, "headgate_records_behind_bytes")
    kept = in_database(gateway)
    assert not [id for id in answered if kept[id] != 1]
