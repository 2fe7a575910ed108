"""Whether anybody is ever given another's answer: two tenants ask a gateway of two workers that keeps answers.

    python bench/crosstalk.py [--nonces 1000000] [--alike 10000] [--store memory|sqlite] [--front 5] [--semantic]

First each request says something that is said once (and, now and then, once more), which the provider says again: an
answer that says something else is another's. Then both ask the same, and nearly the same: each call of the provider is
told apart by a number, and one that both tenants have heard has crossed. `--one-tenant` makes them one, so that it can
be seen that this would be noticed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from servers import free_port, serve

KEYS = ("hg-crosstalk-one-0123456789abcdef0123456789", "hg-crosstalk-two-0123456789abcdef0123456789")
CLIENTS = 8
"""Connections of each tenant."""
CONFIG = """
server: {{host: 127.0.0.1, port: {port}, workers: 2}}
data_dir: {folder}/data
providers: {{up: {{kind: openai_compatible, base_url: 'http://127.0.0.1:{provider}/v1', api_key: sk-x}}}}
models: {{kept: {{targets: up/m, cache: {cache}}}}}
cache: {{store: {store}{front}}}
organisations: {{red: {{}}, blue: {{}}}}
keys:
  - {{name: one, key: {one}, organisation: red}}
  - {{name: two, key: {two}, organisation: {other}}}
"""
ALIKE = (
    "What is the price of item {}?", "what is the price of item {}?", "What is the price of item {} ?",
    "What's the price of item {}?", "What is the price of the item {}?", "Tell me the price of item {}.",
    "What is the pric\N{CYRILLIC SMALL LETTER IE} of item {}?", "What is the price of item {}?\N{ZERO WIDTH SPACE}",
)  # fmt: skip


class Echo(asyncio.Protocol):
    """Says what it was told last, and the number of the call."""

    numbers = itertools.count()

    def __init__(self, open: set[asyncio.BaseTransport]) -> None:
        self.open = open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.open.add(transport)
        self.transport = transport
        self.buffer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        self.buffer = b""
        asked = json.loads(body)
        said = f"{next(self.numbers)}|{asked['messages'][-1]['content']}"
        kind, answer = _stream(said) if asked.get("stream") else _whole(said)
        top = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(answer)}\r\n\r\n"
        self.transport.write(top.encode() + answer)  # type: ignore[attr-defined]


def _whole(said: str) -> tuple[str, bytes]:
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return "application/json", json.dumps(whole).encode()


def _stream(said: str) -> tuple[str, bytes]:
    frames = []
    for piece, end in ((said[: len(said) // 2], None), (said[len(said) // 2 :], None), ("", "stop")):
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": end}
        frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        frames.append(f"data: {json.dumps(frame)}\n\n")
    return "text/event-stream", ("".join(frames) + "data: [DONE]\n\n").encode()


@asynccontextmanager
async def echoing(port: int) -> AsyncIterator[None]:
    """The provider."""
    open: set[asyncio.BaseTransport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Echo(open), "127.0.0.1", port, backlog=1024)
    try:
        yield
    finally:
        server.close()
        for each in list(open):
            each.close()
        await asyncio.sleep(0)


@dataclass
class Seen:
    """What came of the requests."""

    asked: int = 0
    wrong: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    """The numbers that each tenant has heard."""


class Client:
    def __init__(self, port: int, key: str) -> None:
        self.head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        self.port = port

    async def __aenter__(self) -> Client:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(self, words: str, *, stream: bool) -> tuple[str, str]:
        """What the cache had to do with it, and the answer."""
        asked = {"model": "kept", "stream": stream, "messages": [{"role": "user", "content": words}]}
        body = json.dumps(asked).encode()
        self.writer.write(f"{self.head}{len(body)}\r\n\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        if "transfer-encoding: chunked" in head:
            answer = b""
            while size := int(await self.reader.readline(), 16):
                answer += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            answer = await self.reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
        if not head.startswith("http/1.1 200"):
            raise SystemExit(f"{head}{answer!r}")
        return head.partition("x-headgate-cache: ")[2].split("\r\n")[0], _said(answer, stream=stream)


def _said(answer: bytes, *, stream: bool) -> str:
    if not stream:
        return str(json.loads(answer)["choices"][0]["message"]["content"])
    lines = [line[6:] for line in answer.split(b"\n") if line.startswith(b"data: {")]
    return "".join(json.loads(line)["choices"][0]["delta"].get("content") or "" for line in lines)


async def nonces(client: Client, tenant: int, seen: Seen, times: int, luck: random.Random) -> None:
    lately: list[str] = []
    for _ in range(times):
        if lately and luck.random() < 0.3:
            words = luck.choice(lately)
        else:
            words = f"{luck.getrandbits(128):032x}"
            lately = [*lately[-20:], words]
        how, said = await client.ask(words, stream=luck.random() < 0.5)
        seen.asked += 1
        seen.outcomes[how] += 1
        number, _, told = said.partition("|")
        seen.calls[tenant].add(number)
        if told != words:
            seen.wrong.append(f"asked {words}, given {said}")


async def alike(client: Client, tenant: int, seen: Seen, times: int, luck: random.Random) -> None:
    for _ in range(times):
        words = luck.choice(ALIKE).format(luck.randrange(max(times // 10, 1)))
        how, said = await client.ask(words, stream=luck.random() < 0.3)
        seen.asked += 1
        seen.outcomes[how] += 1
        seen.calls[tenant].add(said.partition("|")[0])


Ask = Callable[[Client, int, Seen, int, random.Random], Awaitable[None]]


async def run(port: int, ask: Ask, times: int) -> Seen:
    seen = Seen()

    async def one(number: int) -> None:
        tenant = number % 2
        async with Client(port, KEYS[tenant]) as client:
            await ask(client, tenant, seen, max(times // (2 * CLIENTS), 1), random.Random(number))

    await asyncio.gather(*(one(number) for number in range(2 * CLIENTS)))
    return seen


def told(what: str, seen: Seen, seconds: float) -> bool:
    """Whether all is well, which is said."""
    crossed = seen.calls[0] & seen.calls[1]
    outcomes = ", ".join(f"{count:,} {how}" for how, count in sorted(seen.outcomes.items()))
    print(f"{what}: {seen.asked:,} requests in {seconds:.0f} s ({outcomes})")
    print(f"  {len(seen.wrong)} answers to something else, {len(crossed)} of the calls were heard by both", flush=True)
    for each in seen.wrong[:5]:
        print(f"  {each}")
    return not seen.wrong and not crossed and seen.outcomes["hit"] > seen.asked // 20


def config(said: argparse.Namespace, folder: Path, port: int, provider: int) -> str:
    cache = f"{{per: organisation, ttl: 86400{', semantic: true' if said.semantic else ''}}}"
    return CONFIG.format(
        port=port, folder=folder, provider=provider, cache=cache, store=said.store, one=KEYS[0], two=KEYS[1],
        front=f", front: {said.front}" if said.front else "", other="red" if said.one_tenant else "blue",
    )  # fmt: skip


@asynccontextmanager
async def gateway(said: argparse.Namespace, folder: Path) -> AsyncIterator[int]:
    provider, port = free_port(), free_port()
    (folder / "headgate.yaml").write_text(config(said, folder, port, provider))
    async with echoing(provider):
        with await asyncio.to_thread(serve, folder, port):
            yield port


async def main(said: argparse.Namespace) -> int:
    well = True
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(said, Path(folder)) as port:
            steps: Sequence[tuple[str, Ask, int]] = (
                ("what is said once", nonces, said.nonces),
                ("what both say", alike, said.alike),
            )
            for what, ask, times in steps:
                began = time.perf_counter()
                seen = await run(port, ask, times)
                well = told(what, seen, time.perf_counter() - began) and well
    return 0 if well else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nonces", type=int, default=1_000_000)
    parser.add_argument("--alike", type=int, default=10_000)
    parser.add_argument("--store", choices=("memory", "sqlite"), default="memory")
    parser.add_argument("--front", type=float, default=0.0)
    parser.add_argument("--semantic", action="store_true")
    parser.add_argument("--one-tenant", action="store_true")
    sys.exit(asyncio.run(main(parser.parse_args())))
