"""Processes: start, stop, drain, hand over, reload, die, come back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme

from headgate.server.listen import bind, inherited
from server.rawhttp import everything

SCRIPT = Path(__file__).with_name("served.py")

HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does before it starts a service that has sockets."""


class Process:
    """A started server; its log is read when it is asked for."""

    def __init__(self, folder: Path, handed: socket.socket | None = None, **settings) -> None:
        self.log = folder / f"log{time.monotonic_ns()}"
        command = [sys.executable, str(SCRIPT), json.dumps(settings)]
        pass_fds = ()
        if handed is not None:
            pass_fds = (handed.fileno(),)
            command = [sys.executable, "-c", HAND_OVER, str(handed.fileno()), *command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, pass_fds=pass_fds)
        self.ports = [int(port) for port in self.process.stdout.readline().split()]
        self.port = self.ports[0] if self.ports else 0

    @property
    def lines(self) -> list[str]:
        return self.log.read_text().splitlines()

    def tell(self, sign: int) -> None:
        self.process.send_signal(sign)

    async def ended(self, patience: float = 10.0) -> int:
        async with asyncio.timeout(patience):
            while self.process.poll() is None:
                await asyncio.sleep(0.01)
        return self.process.returncode

    async def says(self, pattern: str, times: int = 1, patience: float = 10.0) -> list[str]:
        async with asyncio.timeout(patience):
            while len(found := re.findall(pattern, self.log.read_text())) < times:
                await asyncio.sleep(0.01)
        return found


@pytest.fixture
async def started(tmp_path):
    """Starts servers and waits until each answers; kills what is left of them."""
    running = []

    async def start(handed: socket.socket | None = None, **settings) -> Process:
        if settings.get("tls"):
            authority = trustme.CA()
            authority.cert_pem.write_to_path(tmp_path / "ca.pem")
            authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
            settings["tls"] = str(tmp_path / "server.pem")
        server = Process(tmp_path, handed, **settings)
        running.append(server)
        if not settings.get("fail"):
            await ask(server.port, "/ready")
        return server

    yield start
    for server in running:
        if server.process.poll() is None:
            server.tell(signal.SIGTERM)
            server.tell(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await ended_or_kill(server)
        server.process.stdout.close()


async def ended_or_kill(server: Process) -> None:
    try:
        await server.ended(5.0)
    except TimeoutError:
        server.process.kill()
        server.process.wait()
        raise


async def ask(port: int, path: str = "/") -> str:
    """The body of an answer on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = await everything(reader)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"{path}: {answer!r}")
    return body.decode()


async def test_one_process_serves_and_stops_clean(started):
    server = await started()
    assert await ask(server.port) == str(server.process.pid)
    assert await ask(server.port, "/ready") == "ready"
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0
    assert server.lines == [
        f"serving on http://127.0.0.1:{server.port}",
        "stopping: 0 requests under way, up to 10 s; a second signal stops at once",
        f"closed in {server.process.pid}",
    ]


async def test_a_drain_fails_readiness_first_then_closes_the_listener_then_ends_streams(started):
    server = await started(delay=0.5)
    stream = asyncio.create_task(ask(server.port, "/stream"))
    await asyncio.sleep(0.1)
    server.tell(signal.SIGTERM)
    await asyncio.sleep(0.1)
    assert await ask(server.port, "/ready") == "draining"
    late = asyncio.create_task(ask(server.port, "/stream"))
    assert (await stream).endswith("[DONE]\n\n\r\n0\r\n\r\n")
    assert (await late).endswith("[DONE]\n\n\r\n0\r\n\r\n")
    assert await server.ended() == 0
    with pytest.raises(ConnectionRefusedError):
        await ask(server.port)


async def test_a_drain_has_an_end(started):
    server = await started(timeout=0.3)
    stream = asyncio.create_task(ask(server.port, "/endless"))
    await asyncio.sleep(0.1)
    server.tell(signal.SIGTERM)
    assert await server.ended() == 1
    assert "stopping: 1 request under way, up to 0.3 s; a second signal stops at once" in server.lines
    assert "1 request still running: cancelled" in server.lines
    assert "[DONE]" not in await stream


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_second_signal_stops_at_once(started, workers):
    server = await started(workers=workers, timeout=60)
    stream = asyncio.create_task(ask(server.port, "/endless"))
    await asyncio.sleep(0.1)
    server.tell(signal.SIGTERM)
    await asyncio.sleep(0.1)
    assert server.process.poll() is None
    server.tell(signal.SIGINT)
    assert await server.ended(3) == 1
    await stream


async def test_an_idle_connection_does_not_hold_up_the_drain(started):
    server = await started()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    server.tell(signal.SIGTERM)
    assert await server.ended(3) == 0
    writer.close()


async def test_hangup_reloads_and_a_bad_configuration_is_refused(started, tmp_path):
    watched = tmp_path / "config"
    watched.write_text("good")
    server = await started(watch=[str(watched)])
    server.tell(signal.SIGHUP)
    await server.says("reloaded")
    watched.write_text("bad")
    await server.says("not reloaded, the old one stays in force: config is bad")
    server.tell(signal.SIGHUP)
    await server.says("config is bad", 2)
    watched.write_text("good again")
    await server.says("reloaded in", 2)
    assert await ask(server.port) == str(server.process.pid)


async def test_many_workers_start_reload_and_stop(started):
    server = await started(workers=2)
    pids = await server.says(r"is process (\d+)", 2)
    seen = set()
    async with asyncio.timeout(5):
        while len(seen) < 2:
            seen |= set(await asyncio.gather(*(ask(server.port) for _ in range(20))))
    assert seen == set(pids)
    server.tell(signal.SIGHUP)
    assert set(await server.says(r"reloaded in (\d+)", 2)) == set(pids)
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0
    assert len(await server.says("closed in", 2)) == 2


async def test_a_dead_worker_is_replaced(started):
    server = await started(workers=2)
    first = await server.says(r"is process (\d+)", 2)
    with pytest.raises(ConnectionError):
        await ask(server.port, "/die")
    pids = await server.says(r"is process (\d+)", 3)
    await server.says(r"ended with code 9: replaced in 0\.1 s")
    victim = next(pid for pid in first if f"process {pid}) ended" not in server.log.read_text())
    os.kill(int(victim), signal.SIGKILL)
    await server.says(rf"process {victim}\) was killed by SIGKILL: replaced in")
    pids = await server.says(r"is process (\d+)", 4)
    async with asyncio.timeout(5):
        while await ask(server.port) not in pids[2:]:
            await asyncio.sleep(0.01)
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0


async def test_a_worker_that_cannot_start_ends_the_parent(started):
    server = await started(workers=2, fail=True)
    assert await server.ended(5) == 3
    await server.says(r"worker 0 \(process \d+\) ended with code 3 before it served: stopping")


async def test_workers_do_not_outlive_their_parent(started):
    server = await started(workers=2)
    pids = await server.says(r"is process (\d+)", 2)
    server.process.kill()
    await server.ended()
    await server.says("closed in", 2)
    async with asyncio.timeout(5):
        while any(alive(int(pid)) for pid in pids):
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Running, and no zombie that nobody has buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_every_worker_may_have_a_socket_of_its_own(started):
    server = await started(workers=2, reuse_port=True)
    async with asyncio.timeout(5):
        seen = set()
        while len(seen) < 2:
            seen |= set(await asyncio.gather(*(ask(server.port, "/worker") for _ in range(20))))
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0


class Load:
    """Clients that ask without pause: over kept connections, over new ones, for streams."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers = 0
        self.failures: list[str] = []
        self.over = False

    async def fresh(self, path: str) -> None:
        while not self.over:
            try:
                body = await ask(self.port, path)
            except OSError as error:
                self.failures.append(f"{path}: {error!r}")
                continue
            if path == "/stream" and not body.endswith("[DONE]\n\n\r\n0\r\n\r\n"):
                self.failures.append(f"cut: {body[-40:]!r}")
            self.answers += 1
            await asyncio.sleep(0.01)

    async def kept(self) -> None:
        """Uses a connection until an answer says that it is closed."""
        while not self.over:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                head = b""
                while b"connection: close" not in head and not self.over:
                    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
                    self.answers += 1
                    await asyncio.sleep(0.01)
            except (OSError, EOFError) as error:
                self.failures.append(f"kept: {error!r}")
            finally:
                writer.close()


@pytest.mark.parametrize("workers", [1, 2])
async def test_restarts_by_handing_the_socket_over_fail_no_request(started, workers):
    (sock,) = bind("127.0.0.1", 0)
    settings = {"workers": workers, "delay": 0.1}
    server = await started(sock, **settings)
    load = Load(sock.getsockname()[1])
    clients = [load.kept(), load.kept(), load.fresh("/"), load.fresh("/stream"), load.fresh("/stream")]
    tasks = [asyncio.create_task(client) for client in clients]
    for _ in range(3):
        successor = Process(server.log.parent, sock, **settings)
        await successor.says("serving on")
        await asyncio.sleep(0.1)  # so that it gets requests while the other is there
        server.tell(signal.SIGTERM)
        assert await server.ended() == 0
        server.process.stdout.close()
        server = successor
    load.over = True
    await asyncio.gather(*tasks)
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0
    server.process.stdout.close()
    sock.close()
    assert load.failures == []
    assert load.answers > 100


def test_sockets_meant_for_another_process_are_left_alone():
    environ = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    assert inherited(environ) == []
    assert environ == {}


def test_a_count_of_sockets_that_is_none():
    with pytest.raises(ValueError, match="LISTEN_FDS is 'many'"):
        inherited({"LISTEN_FDS": "many"})


def test_a_name_with_several_addresses_gets_one_port_for_all():
    sockets = bind("localhost", 0)
    ports = {sock.getsockname()[1] for sock in sockets}
    for sock in sockets:
        sock.close()
    assert len(ports) == 1


def test_a_taken_port_is_an_error_and_leaves_nothing_open():
    (sock,) = bind("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", sock.getsockname()[1])
    sock.close()


async def test_tls_and_a_second_face(started):
    server = await started(tls=True)
    context = ssl.create_default_context(cafile=str(server.log.parent / "ca.pem"))
    reader, writer = await asyncio.open_connection("localhost", server.ports[1], ssl=context)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (await everything(reader)).endswith(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    writer.close()
    assert await ask(server.ports[2]) == "another face"
    server.tell(signal.SIGTERM)
    assert await server.ended() == 0
