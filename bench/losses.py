"""What is lost, and what is twice, while a PostgreSQL that keeps keys and records hangs or dies, or the gateway does.

    python bench/losses.py postgres [--cycles 10] [--seconds 60]     # stopped (SIGSTOP) and killed in turns
    python bench/losses.py kill [--cycles 200] [--minutes 4]         # kill -9 of the gateway, records in SQLite

Clients ask all the while and note the id of each answer that they have whole: of each there must be one record.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import http.client
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import load
from servers import KEY, free_port, gateway, serve
from soak import Provider

from headgate.journal.read import EVERYTHING
from headgate.records.reading import source
from postgres import Server

ADMIN = "hg-bench-admin-0123456789abcdef01234567"
CLIENTS, PAUSE = 8, 0.03
"""How many ask, and the seconds each waits between two requests where the gateway is not what is killed."""
RECOVERS = 10.0
"""Seconds from when the database is back until nothing waits any more, at most."""
GROWS = 32.0
"""MB that the gateway and its processes may grow by, at most."""


@dataclass
class Seen:
    """What came of the requests."""

    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


async def ask(
    port: int, body: bytes, key: str, seen: Seen, connection: list[asyncio.StreamWriter], pause: float
) -> None:
    """One after the other on one connection, until that breaks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection[:] = [writer]
    head = load.head_of(port, len(body)).replace(KEY.encode(), key.encode())
    while True:
        began = time.perf_counter()
        writer.write(head + body)
        said = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in said:
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(int(said.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        if said[9:12] == b"200":
            seen.answered.append(said.partition(b"x-request-id: ")[2].split(b"\r\n")[0].decode())
            seen.seconds.append(time.perf_counter() - began)
        else:
            seen.failed.append(said.decode("latin-1"))
        await asyncio.sleep(pause)


async def client(port: int, number: int, keys: list[str], seen: Seen, pause: float) -> None:
    """Until cancelled; every third asks for streams."""
    body, connection = load.body_of("chat", stream=number % 3 == 0), list[asyncio.StreamWriter]()
    while True:
        try:
            await asyncio.wait_for(ask(port, body, keys[number % len(keys)], seen, connection, pause), None)
        except (OSError, EOFError) as error:
            seen.failed.append(repr(error))
            await asyncio.sleep(0.02)
        finally:
            for writer in connection:
                writer.close()


async def under_load(port: int, keys: list[str], seen: Seen, pause: float, work: Callable[[], Awaitable[None]]) -> None:
    """Does the work while clients ask."""
    asking = [asyncio.create_task(client(port, number, keys, seen, pause)) for number in range(CLIENTS)]
    try:
        await work()
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


def call(port: int, method: str, path: str, body: object = None, key: str = ADMIN) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        told = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, told)
        answer = connection.getresponse()
        return answer.status, answer.read()


def metric(port: int, name: str) -> float:
    said = call(port, "GET", "/metrics")[1].decode()
    return sum(float(line.split()[1]) for line in said.splitlines() if line.startswith(f"{name} "))


async def wait(true: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
    """Seconds until something is so."""
    began = time.perf_counter()
    while not await asyncio.to_thread(true):
        if time.perf_counter() - began > seconds:
            sys.exit(f"after {seconds:.0f} s still not so: {what}")
        await asyncio.sleep(0.05)
    return time.perf_counter() - began


def recorded(data: Path, url: str) -> collections.Counter[str]:
    """How often each id is read, as the commands read it."""
    with source(data, url, None, print) as found:
        return collections.Counter(stored.record.id for stored in found.read(EVERYTHING))


def memory(process: psutil.Process) -> float:
    """MB of a process and its children."""
    found = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            found += each.memory_info().rss
    return found / 1e6


@asynccontextmanager
async def provided() -> AsyncIterator[int]:
    """The port of a provider that answers at once."""
    port = free_port()
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    try:
        yield port
    finally:
        server.close()


@dataclass
class Outages:
    """What the outages of a database came to."""

    back: list[float] = field(default_factory=list)
    """Seconds until nothing waited."""
    waited: float = 0.0
    """Bytes of the journal, the most."""
    before: float = 0.0
    most: float = 0.0
    """MB of memory."""


async def postgres(folder: Path, number: int, seconds: float, server: Server) -> list[str]:
    seen, found = Seen(), Outages()
    extra = f"\0store: {{url: '{server.url}'}}\nrecords: {{url: '{server.url}'}}\n"
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(provided())
        ours = stack.enter_context(gateway(folder / "gateway", provider, extra))
        port, process = ours.port, psutil.Process(ours.process.pid)
        keys = {name: made_key(port, name) for name in ("known", "revoked")}
        if call(port, "POST", "/admin/api/keys/revoked/revoke")[0] != 200:
            sys.exit("the key was not revoked")

        def refused() -> bool:
            return call(port, "POST", "/v1/chat/completions", {"model": "chat"}, keys["revoked"])[0] == 401

        async def away(until: float) -> None:
            ours.process.send_signal(signal.SIGHUP)  # all is read anew, without the store
            while time.perf_counter() < until:
                if not await asyncio.to_thread(refused):
                    sys.exit("a revoked key is let in while the store is away")
                found.waited = max(found.waited, await asyncio.to_thread(metric, port, "headgate_records_behind_bytes"))
                found.most = max(found.most, memory(process))
                await asyncio.sleep(0.5)

        async def cycles() -> None:
            await asyncio.sleep(min(seconds / 2, 5))
            found.before = memory(process)
            for cycle in range(number):
                hangs = cycle % 2 == 0
                server.signal(signal.SIGSTOP if hangs else signal.SIGKILL)
                await away(time.perf_counter() + seconds / 2)
                if hangs:
                    server.signal(signal.SIGCONT)
                else:
                    await asyncio.to_thread(server.start)
                found.back.append(await wait(lambda: is_back(port), "the database is back"))
                if not refused():
                    sys.exit("a revoked key is let in once the store is back")
                await asyncio.sleep(seconds / 2)

        await under_load(port, [KEY, keys["known"]], seen, PAUSE, cycles)
        await wait(lambda: metric(port, "headgate_records_behind_bytes") == 0, "nothing waits")
    records = await asyncio.to_thread(recorded, folder / "gateway" / "data", server.url)
    return said_of_outages(seen, found, records)


def made_key(port: int, name: str) -> str:
    status, said = call(port, "POST", "/admin/api/keys", {"name": name, "models": ["chat"]})
    if status != 201:
        sys.exit(f"no key was made: {said.decode()}")
    return str(json.loads(said)["key"])


def is_back(port: int) -> bool:
    return (
        not metric(port, "headgate_records_away")
        and not metric(port, "headgate_store_away")
        and metric(port, "headgate_records_behind_bytes") < 100_000
    )


def compared(seen: Seen, found: collections.Counter[str]) -> tuple[list[str], list[str]]:
    """Answers without a record, and records that there are twice."""
    lost = [id for id in seen.answered if id not in found]
    return lost, [id for id, times in found.items() if times != 1]


def said_of_outages(seen: Seen, found: Outages, records: collections.Counter[str]) -> list[str]:
    lost, twice = compared(seen, records)
    lines = [
        f"- outages of PostgreSQL, which has keys and records: {len(found.back)}, stopped and killed in turns",
        f"- requests with keys of the file and of the store: {len(seen.answered):,}; failed: {len(seen.failed)}",
        f"- answers without a record: {len(lost)}; records that are twice: {len(twice)}",
        "- the key revoked before was refused at every look, also after the configuration was read anew",
        f"- what waited in the journal: {found.waited / 1e6:.2f} MB at most; taken over in "
        f"{max(found.back):.2f} s at most once it was back",
        f"- memory of the gateway's processes: {found.before:.0f} MB before, {found.most:.0f} MB at most",
        f"- requests: median {load.percentile(seen.seconds, 0.5) * 1000:.1f} ms, p99 "
        f"{load.percentile(seen.seconds, 0.99) * 1000:.1f} ms",
    ]
    print("\n".join(lines))
    if lost or twice or seen.failed or max(found.back) > RECOVERS or found.most > found.before + GROWS:
        sys.exit("the outages did harm:\n" + "\n".join([*seen.failed, *lost, *twice][:20]))
    return lines


async def kills(folder: Path, number: int, minutes: float) -> list[str]:
    seen, chance, began, done = Seen(), random.Random(5), time.perf_counter(), 0
    where = folder / "gateway"
    async with provided() as provider:
        ours = gateway(where, provider, "\0records: {store: true}\n")

        async def killing() -> None:
            nonlocal ours, done
            while done < number and time.perf_counter() - began < minutes * 60:
                await more(seen, 30)
                await asyncio.sleep(chance.uniform(0, 0.5))
                ours.process.kill()
                ours.process.wait()
                done += 1
                ours = await asyncio.to_thread(serve, where, ours.port)

        await under_load(ours.port, [KEY], seen, 0.0, killing)
    ours.__exit__()
    return await asyncio.to_thread(said_of_kills, where / "data", seen, done)


async def more(seen: Seen, count: int) -> None:
    """Until so many more answers have come."""
    goal = len(seen.answered) + count
    await wait(lambda: len(seen.answered) >= goal, "it answers")


def said_of_kills(data: Path, seen: Seen, done: int) -> list[str]:
    records = recorded(data, f"sqlite:///{data / 'records.db'}")
    lost, twice = compared(seen, records)
    with closing(sqlite3.connect(data / "records.db")) as database:
        rows, different = database.execute("SELECT COUNT(*), COUNT(DISTINCT id) FROM requests").fetchone()
        [summed] = database.execute("SELECT SUM(requests) FROM sums").fetchone()
    lines = [
        f"- kill -9 of the gateway: {done} times, under {CLIENTS} clients that ask as fast as they are answered",
        f"- answers that a client had whole: {len(seen.answered):,}",
        f"- answers without a record: {len(lost)}; records that are twice: {len(twice)}",
        f"- rows of the database: {rows:,}, different ones {different:,}, in the sums by the hour {summed:,}",
    ]
    print("\n".join(lines))
    if lost or twice or not rows == different == summed == len(records):
        sys.exit("something was lost, or is twice:\n" + "\n".join([*lost, *twice][:20]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("postgres", "kill"))
    parser.add_argument("--cycles", type=int, help="10 of PostgreSQL, 200 of the gateway")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each cycle of PostgreSQL")
    parser.add_argument("--minutes", type=float, default=60.0, help="of all kills, at most")
    options = parser.parse_args()
    os.environ["HEADGATE_ADMIN_KEY"] = ADMIN
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "kill":
            asyncio.run(kills(Path(folder), options.cycles or 200, options.minutes))
            return
        with Server() as server:
            asyncio.run(postgres(Path(folder), options.cycles or 10, options.seconds, server))


if __name__ == "__main__":
    main()
