"""What guards take: each alone, over prose of 4 kB and of 100 kB, with nothing in it and with something.

python bench/guards.py           # measures, and puts its section into bench/RESULTS.md
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import routing

from headgate.core.exchange import Exchange
from headgate.core.guard import Asked, Passage
from headgate.core.plugin import every
from headgate.core.record import Record
from headgate.core.vault import Taken, Vault
from headgate.dialects import openai_chat
from headgate.redaction import fingerprints
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.restoring import restorer
from headgate.stages.guard.window import Window
from headgate.stages.guards.guard import Guard

HEAD = "## Guards\n"
ROUNDS, SIZES = 9, ((4_096, 200), (100_000, 10))
"""Rounds, of which the quickest counts; characters, and so many texts a round."""
SENTENCES = (
    "Please sum up the minutes of our last meeting in five short points.",
    "The report says that sales grew by 12 percent in the third quarter of 2024, mostly in the north.",
    "Which of these two designs would you rather build, and why?",
    "I would like to learn how a heat pump works, step by step, with a small example.",
    "def total(rows): return sum(row.price * row.count for row in rows)",
    "She thought about it for a while, looked out of the window, and answered that it could wait.",
    "Translate the next paragraph into French; keep the tone friendly and the sentences short.",
    "Version 1.14.2 fixes a crash that happened when the window was resized more than 3 times.",
    "Größere Änderungen müssen vorher besprochen werden, damit niemand überrascht ist.",
    "Our order 20417 arrived late, the box was damaged, and nobody picked up the phone.",
)
HITS = (
    " write to joe.public@mail.example.com ",
    " my card is 4111 1111 1111 1111 ",
    " call me on +49 30 901820-15 ",
    " SSN 078-05-1120 ",
    " the key is sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2 ",
)
WITH: dict[str, dict[str, Any]] = {
    "words": {"words": {"project": ["zeppelin", "blue bird", "indemnif*"]}},
    "patterns": {"patterns": {"customer": "C-[0-9]{6}"}},
}
"""Settings of guards that need some."""


def texts(size: int, count: int, hits: Sequence[str]) -> list[str]:
    chance = random.Random(7)
    made = []
    for _ in range(count):
        text = ""
        while len(text) < size:
            text += chance.choice(SENTENCES) + " "
        step = size // (len(hits) + 1)
        parts = [text[at * step : (at + 1) * step] + hit for at, hit in enumerate(hits)]
        made.append("".join((*parts, text[len(hits) * step :]))[:size])
    return made


def microseconds(guard: Guard, passages: Sequence[Passage]) -> float:
    """Of processor time, for one text."""
    asked, found = Asked(), []
    for number in range(ROUNDS):
        new = [Passage(f"{number} {each.text}") for each in passages]  # some guards know again what they have read
        gc.collect()
        gc.disable()
        begun = time.process_time()
        for each in new:
            list(guard.look([each], asked))  # type: ignore[arg-type]
        found.append((time.process_time() - begun) / len(passages) * 1e6)
        gc.enable()
    return min(found)


def guards(folder: Path) -> Iterator[tuple[str, Guard]]:
    """Those that look by themselves, with little to set."""
    for name, kind in every("stages.guards", Guard).items():
        settings = dict(WITH.get(name, {}))
        if name == "code":
            kept = folder / "known"
            source = [
                path for path in fingerprints.files([Path(fingerprints.__file__).parents[1]]) if path.suffix == ".py"
            ]
            numbers = set().union(*(fingerprints.numbers(path.read_bytes()) for path in source))
            fingerprints.Registry(numbers).save(kept)
            settings = {"owners": ["ACME"], "registered": kept}
        try:
            guard = kind(kind.Settings(**settings))
        except ValueError:
            continue  # needs somebody else, or to be told more
        if not hasattr(guard.look([Passage("x")], Asked()), "__await__"):
            yield name, guard


def section() -> str:
    """Measured now, as a part of the page."""
    lines = [
        HEAD,
        "Each guard alone, in one process, over prose with some numbers and code; the least processor time of",
        f"{ROUNDS} rounds. With findings: five in the text (an address, a card, a phone, an SSN, a key).",
        "`python bench/guards.py` measures this part alone.",
        "",
        "| guard | 4 kB | with findings | 100 kB | with findings | goal |",
        "|---|---:|---:|---:|---:|---|",
    ]
    passages = [[Passage(text) for text in texts(size, count, hits)] for size, count in SIZES for hits in ((), HITS)]
    with tempfile.TemporaryDirectory() as folder:
        for name, guard in guards(Path(folder)):
            small, hit, large, large_hit = (microseconds(guard, each) for each in passages)
            goal = "≤ 150 µs, ≤ 3 ms" if name in ("personal", "secrets") else ""
            print(f"guards, {name:20} {small:8.1f} {hit:8.1f} {large:10.1f} {large_hit:10.1f} µs")
            figures = f"{small:.0f} µs | {hit:.0f} µs | {large / 1000:.2f} ms | {large_hit / 1000:.2f} ms"
            lines.append(f"| `{name}` | {figures} | {goal} |")
    lines += [
        "",
        f"A stream in which hidden values are put back, frames of a word: {per_second():,.0f} frames/s (≥ 30,000).",
    ]
    return "\n".join(lines) + "\n"


def per_second() -> float:
    """Frames of a stream of OpenAI's chat API in which nothing is found, where three values were hidden."""
    words = texts(4_096, 1, ())[0].split()
    frames = [
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b "},"finish_reason":null}]}\n\n'
        % word.replace('"', "").encode()
        for word in words
    ]
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        asyncio.run(stream(frames))
        found.append(time.process_time() - begun)
    return len(frames) / min(found)


async def stream(frames: Sequence[bytes]) -> None:
    vault = Vault()
    for category, value in (("email", "joe@x.com"), ("person", "Ann"), ("phone", "+49 30 901820")):
        vault.surrogate(category, value, Taken(()))
    record = Record(id="r", time=0.0)
    gate = restorer(Exchange("r", openai_chat, "", (), nothing, 0.0, record), vault)
    window = Window(gate.judge, gate.policies, cutter(b"text/event-stream"))
    for frame in frames:
        await window.feed(frame)
    await window.end()


async def nothing() -> bytes:
    return b""


def main() -> None:
    routing.put(HEAD, section())


if __name__ == "__main__":
    main()
