"""The soak: hundreds of thousands of mixed requests with flat memory, outages of the shared state, then the long forms
of the reliability tests.

    python bench/soak.py [--requests 300000] [--no-outages] [--no-tests]

The mix: half streams, 8 KiB prompts, 5 % errors of the provider, 5 % clients that go away in mid-reply. Fails when a
request gets a wrong outcome, when memory grows by more than 1 MiB per 100,000 requests after the first 100,000, or when
file descriptors or threads grow. Writes what it saw to the head of bench/SOAK.md.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import load
import outages
from frames import HEAD, openai
from servers import REPLY, ROOT, Running, free_port, gateway

CLIENTS = 32
ERROR = b'{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}'


class Provider(asyncio.Protocol):
    """Answers by what the prompt asks for: `fail`, a stream, or a whole reply."""

    first, middle, _, last = openai(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self.buffer = body[length:]
        write = self.transport.write  # type: ignore[attr-defined]
        if b"please fail" in body:
            write(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
                  b"content-length: %d\r\n\r\n%s" % (len(ERROR), ERROR))  # fmt: skip
        elif b'"stream":true' in body:
            write(HEAD + self.first + self.middle * 20 + self.last)
        else:
            reply = REPLY.encode()
            write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(reply), reply)
            )


async def call(
    port: int, kind: str, body: bytes, reader_writer: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
) -> str:
    """One request; "" when its outcome is the right one, else what went wrong."""
    if not reader_writer:
        reader_writer.append(await asyncio.open_connection("127.0.0.1", port))
    reader, writer = reader_writer[0]
    writer.write(load.head_of(port, len(body)) + body)
    if kind == "gone":
        writer.close()
        reader_writer.clear()
        return ""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head.lower():
        text = await reader.readuntil(b"0\r\n\r\n")
        right = status == 200 and text.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    else:
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        text = await reader.readexactly(length)
        right = status == (400 if kind == "fail" else 200)
    return "" if right else f"{kind}: {status} {text[-200:]!r}"


def bodies() -> dict[str, bytes]:
    return {
        "whole": load.body_of("chat", 8192),
        "stream": load.body_of("chat", 8192, stream=True),
        "fail": load.body_of("chat", 8192).replace(b"What is the capital", b"please fail"),
        "gone": load.body_of("chat", 8192, stream=True),
    }


async def drive(server: Running, requests: int) -> tuple[list[tuple[int, float]], list[str]]:
    """[(requests done, RSS in MB)], and what went wrong."""
    done, wrong, samples, made = 0, [], [], bodies()

    async def client(seed: int) -> None:
        nonlocal done
        dice = random.Random(seed)
        connection: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        while done < requests:
            done += 1
            kind = dice.choices(["whole", "stream", "fail", "gone"], [45, 45, 5, 5])[0]
            problem = await asyncio.wait_for(call(server.port, kind, made[kind], connection), 30)
            if problem:
                wrong.append(problem)
                connection.clear()
            if done % 5000 == 0:
                samples.append((done, server.rss()))

    await asyncio.gather(*(client(seed) for seed in range(CLIENTS)))
    return samples, wrong


def slope(samples: list[tuple[int, float]]) -> float:
    """MB per 100,000 requests by least squares."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples) or 1
    return 100_000 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread


def counts(server: Running) -> tuple[int, int]:
    """(file descriptors, threads)."""
    process = Path(f"/proc/{server.process.pid}")
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))


async def soak(folder: Path, requests: int) -> list[str]:
    """The report's lines; stops the program when a goal is missed."""
    port = free_port()
    loop = asyncio.get_running_loop()
    provider = await loop.create_server(Provider, "127.0.0.1", port, backlog=1024)
    with gateway(folder / "gateway", port) as server:
        await drive(server, min(2000, requests))
        before = counts(server)
        began = time.perf_counter()
        samples, wrong = await drive(server, requests)
        seconds = time.perf_counter() - began
        await asyncio.sleep(2)
        after = counts(server)
        records = sum(
            segment.read_bytes().count(b"\n") for segment in (folder / "gateway/data/journal").glob("*.jsonl")
        )
        rss = server.rss()
    provider.close()
    settled = [sample for sample in samples if sample[0] > min(100_000, requests // 3)]
    grows = slope(settled)
    lines = [
        f"- {requests:,} requests in {seconds:,.0f} s ({requests / seconds:,.0f} a second)",
        f"- wrong outcomes: {len(wrong)}",
        f"- memory: {settled[0][1]:.0f} MB after {settled[0][0]:,}, {rss:.0f} MB at the end",
        f"- growth: {grows:+.2f} MB per 100,000 requests",
        f"- file descriptors {before[0]} → {after[0]}, threads {before[1]} → {after[1]}",
        f"- records on disk: {records:,} (of at least {requests:,} and the warm-up)",
    ]
    print("\n".join(lines))
    if wrong or grows > 1.0 or after[0] > before[0] + CLIENTS or after[1] > before[1] + 8 or records < requests:
        sys.exit("the soak failed:\n" + "\n".join(wrong[:20]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--no-outages", action="store_true", help="leave out ten minutes of outages of a Redis")
    parser.add_argument("--no-tests", action="store_true", help="leave out the long forms of the tests")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = asyncio.run(soak(Path(folder), options.requests))
    if not options.no_outages:
        with tempfile.TemporaryDirectory() as folder:
            lines += outages.report(asyncio.run(outages.cycles(Path(folder), 10, 60.0)))
    if not options.no_tests:
        environ = {**os.environ, "HEADGATE_SOAK": "1"}
        code = subprocess.run([sys.executable, "-m", "pytest", "tests"], cwd=ROOT, env=environ, check=False).returncode
        if code:
            sys.exit(code)
        lines.append("- the long forms of the tests (HEADGATE_SOAK=1) passed")
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    page = ROOT / "bench" / "SOAK.md"
    _, _, others = page.read_text().partition("\n\nOutages ")  # of runs of their own, with their tables
    said = f"# Soak\n\nWritten by `make soak`, {today}.\n\n" + "\n".join(lines)
    page.write_text(said + (f"\n\nOutages {others}" if others else "\n"))


if __name__ == "__main__":
    main()
