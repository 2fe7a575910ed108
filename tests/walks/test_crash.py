"""A gateway that dies, or whose disk or descriptors run out, leaves no answered request without its one record."""

import collections
import contextlib
import json
import os
import random
import resource
import shutil
import socket
import subprocess
import time

import pytest

from gateways import KEY, Gateway, config_for, http_request, rounds, running
from traffic import Traffic, answering
from upstreams import ScriptedUpstream

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def upstream():
    with ScriptedUpstream(answering(pause=0.002)) as started:
        yield started


def printed(gateway):
    """What `headgate records --json` prints."""
    return [json.loads(line) for line in gateway.told_by("records", "--json").splitlines()]


class TestKill:
    def test_every_complete_answer_has_one_record(self, tmp_path, upstream):
        """R5: kill -9 at random moments under load, on one data directory."""
        chance = random.Random(5)
        gateway = Gateway(tmp_path, config_for(upstream.url))
        answered = []
        for _ in range(rounds(6, 200)):
            gateway.start()
            with Traffic(gateway.port, clients=6) as traffic:
                traffic.wait_for(15)
                time.sleep(chance.uniform(0, 0.3))
                gateway.kill()
            answered += [answer.id for answer in traffic.answers if answer.error is None]
        gateway.start()
        assert gateway.stop() == 0
        recorded = collections.Counter(record["id"] for record in printed(gateway))
        assert len(answered) == len(set(answered))
        assert len(answered) >= 15 * rounds(6, 200)
        assert not [id for id in answered if recorded[id] != 1]
        assert set(recorded.values()) == {1}
        assert sorted(recorded) == sorted(record["id"] for record in gateway.records())

    def test_with_workers_too(self, tmp_path, upstream):
        gateway = Gateway(tmp_path, config_for(upstream.url, server=", workers: 2")).start()
        with Traffic(gateway.port, clients=6) as traffic:
            traffic.wait_for(30)
            gateway.kill()  # the parent: its workers notice, drain and end
        answered = [answer.id for answer in traffic.answers if answer.error is None]
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", gateway.port), timeout=1):
                time.sleep(0.05)
                continue
            break
        else:
            raise AssertionError("the workers of a dead parent serve on")
        gateway.start()
        assert gateway.stop() == 0
        recorded = collections.Counter(record["id"] for record in printed(gateway))
        assert not [id for id in answered if recorded[id] != 1]

    def test_a_torn_last_line_is_mended_and_told(self, tmp_path, upstream):
        gateway = Gateway(tmp_path, config_for(upstream.url)).start()
        ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
        gateway.kill()
        [segment] = (gateway.data / "journal").glob("*.jsonl")
        whole = segment.read_bytes()
        torn = whole.splitlines()[0].replace(ids[0].encode(), b"req_torn")[:100]
        segment.write_bytes(whole + torn)
        assert [record["id"] for record in printed(gateway)] == ids
        gateway.start()
        assert segment.read_bytes() == whole
        assert f"{segment.name}: a torn last line of {len(torn)} bytes (of req_torn" in gateway.output()
        ids.append(gateway.post(QUESTION)[1]["x-request-id"])
        assert gateway.stop() == 0
        assert [record["id"] for record in printed(gateway)] == ids

    def test_a_stream_that_is_killed_is_not_complete_for_its_client(self, tmp_path):
        with ScriptedUpstream(answering(pause=0.3)) as slow:
            gateway = Gateway(tmp_path, config_for(slow.url)).start()
            with Traffic(gateway.port, clients=1) as traffic:
                time.sleep(0.5)
                gateway.kill()
            assert traffic.failures
            assert {answer.error is None for answer in traffic.answers} == {False}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of half a MiB, where this user may mount one."""
    folder = tmp_path / "data"
    folder.mkdir()
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class TestDisk:
    def test_a_full_disk_refuses_in_time_and_recovers(self, tmp_path, small_disk, upstream):
        """R20: records wait in memory; when that is used up requests are refused, none goes unaccounted."""
        config = config_for(upstream.url, "journal: {buffer_bytes: 65536}\n")
        with running(tmp_path, config) as gateway:
            assert gateway.post(QUESTION)[0] == 200
            hog = small_disk / "hog"
            with hog.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"x" * 512):
                    pass
            answered, refused = ask_until_refused(gateway)
            assert answered
            assert len(answered) > 20, "nothing was kept in memory"
            status, headers, body = refused
            assert (status, headers["x-headgate-error-code"]) == (503, "gateway_overloaded")
            assert int(headers["retry-after"]) >= 1
            assert "records" in body["error"]["message"]
            assert gateway.get("/readyz")[0] == 503
            assert gateway.get("/livez")[0] == 200
            assert gateway.metric("headgate_journal_backlog_records") > 20
            assert "free disk space" in gateway.output()
            asked = len(upstream.requests)
            assert gateway.post(QUESTION)[0] == 503
            assert len(upstream.requests) == asked, "a request that cannot be recorded was sent on"

            hog.unlink()
            until = time.monotonic() + 20
            while gateway.get("/readyz")[0] != 200:
                assert time.monotonic() < until, "it does not recover"
                time.sleep(0.05)
            answered.append(gateway.post(QUESTION)[1]["x-request-id"])
            gateway.says("records are written again")
        recorded = collections.Counter(record["id"] for record in printed(gateway))
        assert not [id for id in answered if recorded[id] != 1]
        assert set(recorded.values()) == {1}

    def test_a_stream_under_way_when_memory_is_used_up_says_so(self, tmp_path, small_disk, upstream):
        """Whoever was not refused in time is accounted for from the last quarter of the memory, or told of it."""
        upstream.script = answering(wait=1.0, pause=0.05)
        config = config_for(upstream.url, "journal: {buffer_bytes: 65536}\n")
        with running(tmp_path, config) as gateway:
            with (small_disk / "hog").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(b"x" * 512):
                    pass
            with Traffic(gateway.port, clients=rounds(220, 400)) as traffic:
                traffic.wait_for(rounds(220, 400))
                (small_disk / "hog").unlink()
            assert gateway.get("/livez")[0] == 200
        complete = [answer.id for answer in traffic.answers if answer.error is None]
        recorded = collections.Counter(record["id"] for record in gateway.records())
        assert not [id for id in complete if recorded[id] != 1]
        assert traffic.failures, "the memory was not used up"
        told = [answer for answer in traffic.failures if "gateway_overloaded" not in answer.error]
        assert not told[:3]

    def test_a_journal_that_is_deleted_is_begun_anew(self, tmp_path, upstream):
        with running(tmp_path, config_for(upstream.url)) as gateway:
            assert gateway.post(QUESTION)[0] == 200
            shutil.rmtree(gateway.data / "journal")
            gateway.says("was deleted while records were written to it")
            ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(10)]
        assert [record["id"] for record in printed(gateway)] == ids

    def test_a_disk_that_takes_no_more_of_a_file(self, tmp_path, upstream):
        """Any other error than a full disk (here EFBIG, as a quota or a failing disk gives EDQUOT or EIO)."""
        with running(tmp_path, config_for(upstream.url)) as gateway:
            ids = [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(3)]
            resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (3000, 3000))
            ids += [gateway.post(QUESTION)[1]["x-request-id"] for _ in range(9)]
            gateway.says("none waits")
        recorded = collections.Counter(record["id"] for record in printed(gateway))
        assert sorted(recorded) == sorted(ids)
        assert set(recorded.values()) == {1}

    def test_a_data_dir_that_cannot_be_written_stops_the_start(self, tmp_path, small_disk, upstream):
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        gateway = Gateway(tmp_path, config_for(upstream.url)).start(wait=False)
        assert gateway.process.wait(20) in (1, 2)
        assert "Traceback" not in gateway.output()
        assert "Read-only" in gateway.output()
        assert len(gateway.output().splitlines()) <= 2


def ask_until_refused(gateway):
    answered = []
    for _ in range(2000):
        status, headers, body = gateway.post(QUESTION)
        if status != 200:
            return answered, (status, headers, body)
        answered.append(headers["x-request-id"])
    raise AssertionError("requests are served without end though records cannot be kept")


def test_running_out_of_descriptors_is_survived(tmp_path, upstream):
    """R20, EMFILE: connections above what the process may open wait or fail; what is open is served, then all is."""
    with running(tmp_path, config_for(upstream.url)) as gateway:
        assert gateway.post(QUESTION)[0] == 200
        used = len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
        limit = used + 20
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        crowd = []
        try:
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as early:
                ask_whole(early)
                crowd += [open_connection(gateway.port) for _ in range(60)]
                time.sleep(0.3)
                ask_whole(early)
                assert gateway.process.poll() is None
        finally:
            for sock in crowd:
                sock.close()
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                if gateway.post(QUESTION)[0] == 200:
                    break
            assert time.monotonic() < until, "it does not recover"
        assert gateway.get("/readyz")[0] == 200
    assert gateway.output().count("\n") < 500, "the log is flooded"


def open_connection(port):
    sock = socket.socket()
    sock.settimeout(5)
    with contextlib.suppress(OSError):
        sock.connect(("127.0.0.1", port))
    return sock


def ask_whole(sock):
    """A request on a connection that stands; its upstream connection stands too, so no descriptor is needed."""
    sock.sendall(http_request("/v1/chat/completions", json.dumps(QUESTION).encode(), key=KEY))
    got = b""
    while b"\r\n\r\n" not in got or not got.rstrip().endswith(b"}"):
        piece = sock.recv(65536)
        assert piece, got
        got += piece
    assert got.startswith(b"HTTP/1.1 200"), got
