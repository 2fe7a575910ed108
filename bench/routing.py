"""What it takes to find out who is asked: the stage `route` alone, with 1,000 names of 20 targets each, by policy.

python bench/routing.py          # measures, and puts its section into bench/RESULTS.md
"""

from __future__ import annotations

import asyncio
import gc
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from headgate.catalog.shelf import Shelf, bundled
from headgate.config.load import load
from headgate.core import plugin
from headgate.core.exchange import Caller, Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.runtime.build import build
from headgate.runtime.gateway import Gateway, Ports

RESULTS = Path(__file__).parent / "RESULTS.md"
HEAD = "## Routing\n"
NAMES, TARGETS = 1000, 20
ROUNDS, REQUESTS = 7, 3000
WITH = {"cheapest": "{max_latency: 5, max_error_rate: 0.2, min_quality: 1}"}
QUESTION = {
    "messages": [
        {"role": "system", "content": "You answer briefly."},
        {"role": "user", "content": "Hello there " * 20},
    ],
    "max_tokens": 300,
    "user": "somebody",
}


class Nowhere:
    """Ports that nothing goes through."""

    full = False

    def append(self, record: Record) -> None: ...

    def count(self, record: Record) -> None: ...

    async def post(self, endpoint: Any, body: Any, headers: Any = ()) -> Any:
        raise AssertionError("nobody is asked")


def gateway(policy: str, folder: Path) -> Gateway:
    chats = [entry.id for entry in Shelf("openai", [bundled("openai")]).models() if "chat" in entry.ops.split()]
    targets = ", ".join(
        f"{{model: openai/{name}, quality: {number}}}" for number, name in enumerate(chats[:TARGETS], 1)
    )
    used = f"{{use: {policy}, with: {WITH.get(policy, '{}')}}}"
    first, *others = (f"model-{number}" for number in range(NAMES))
    lines = [f"  {first}: &all {{policy: {used}, targets: [{targets}]}}", *(f"  {name}: *all" for name in others)]
    path = folder / f"{policy}.yaml"
    path.write_text("providers: {openai: {api_key: none}}\nmodels:\n" + "\n".join(lines) + "\n")
    port = Nowhere()
    made = build(load(path, {}).config, Ports(port, port, port), "00" * 32)
    now = time.monotonic()
    for number, standing in enumerate(made.route.board.all()):
        for _ in range(50):
            standing.answered(now, 0.1 + 0.01 * number, False)
            standing.total.hear(0.1 + 0.01 * number, now)
    return made


def request(number: int) -> Exchange:
    fields = {"model": f"model-{number % NAMES}", **QUESTION}

    async def received() -> bytes:
        return b""

    made = Exchange("req", openai_chat, "/", [], received, 0.0, Record(id="req", time=0.0))
    made.body, made.fields, made.model = json.dumps(fields).encode(), fields, str(fields["model"])
    made.caller = Caller("bench")
    return made


async def microseconds(made: Gateway) -> float:
    """Of processor time, for one request."""
    reply = Reply(openai_chat, stream=False, body=b"")

    async def proceed(exchange: Exchange) -> Reply:
        return reply

    found = []
    for _ in range(ROUNDS):
        requests = [request(number) for number in range(REQUESTS)]
        gc.collect()
        gc.disable()
        begun = time.process_time()
        for each in requests:
            await made.route(each, proceed)
        found.append((time.process_time() - begun) / REQUESTS * 1e6)
        gc.enable()
    return min(found[1:])


def section() -> str:
    """Measured now, as a part of the page."""
    lines = [
        HEAD,
        f"The stage `route` alone, in one process: {NAMES:,} names of {TARGETS} targets each, asked for in turn; the",
        f"best of {ROUNDS - 1} rounds of {REQUESTS:,} requests. Filters and the ranking of all are in it.",
        "`python bench/routing.py` measures this part alone.",
        "",
        "| policy | processor time a request | goal |",
        "|---|---:|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for policy in plugin.names("stages.policies"):
            figure = asyncio.run(microseconds(gateway(policy, Path(folder))))
            print(f"routing, {policy:50} {figure:8.1f} µs")
            lines.append(f"| {policy} | {figure:.1f} µs | ≤ 20 µs |")
    return "\n".join(lines) + "\n"


def put(head: str, made: str) -> None:
    """A section in its place on the page, or before what the table says."""
    page = RESULTS.read_text()
    before, here, after = page.partition(head)
    rest = after[after.find("\n## ") + 1 :] if here and "\n## " in after else ""
    if not here:
        before, notes, rest = page.partition("## What the table says")
        rest = notes + rest
    RESULTS.write_text(f"{before}{made}\n{rest}" if rest else f"{before}{made}")


def main() -> None:
    put(HEAD, section())


if __name__ == "__main__":
    main()
