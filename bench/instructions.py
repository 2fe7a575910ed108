"""Instructions that the gateway executes for one request, counted by valgrind: the same on a busy machine as on an idle
one, to a thousandth, and so what shows whether a change to the hot path costs or spares anything.

python bench/instructions.py [--source src]      # prints the table; another tree's `src` to compare with

What they take in time is another matter: some 3,000 of them a microsecond where caches are warm, a third where not. The
system's part of a request, a sixth of it, is not in them.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import load
from servers import KEY, ROOT, gateway, need, upstream

HEAD = "## Instructions\n"
WARM, COUNTED = 100, 300
"""Requests before it is counted, and while."""
PRICED = "catalogue: {models: {up/gpt-4o-mini: {prices: {input: 0.15, output: 0.6}}}}\n"
ONE = "{name: one, requests: 1000000000, every: minute}"
FOUR = (
    f"{ONE}, {{name: two, money: 1000000, every: month}}, {{name: three, tokens: 1000000000000, every: day}}, "
    "{name: four, requests: 1000000000, every: second, burst: 100000000}"
)
WORDS = "words: {use: words, with: {words: {project: [zeppelin, blue bird]}}}"
CASES = {
    "OpenAI → OpenAI": ("chat", ""),
    "OpenAI → Anthropic": ("smart", ""),
    "OpenAI → OpenAI, traces, not sampled": ("chat", "\0traces: {endpoint: 'http://127.0.0.1:9', ratio: 0}\n"),
    "OpenAI → OpenAI, what is said kept in full": ("chat", "\0payloads: {keep: full}\n"),
    "OpenAI → OpenAI, one limit": ("chat", f"\0limits: [{ONE}]\n"),
    "OpenAI → OpenAI, four limits": ("chat", f"{PRICED}\0limits: [{FOUR}]\n"),
    "OpenAI → OpenAI, a policy of words": ("chat", f"\0guards: {{{WORDS}}}\n"),
    "OpenAI, an answer that is kept": ("kept", "  kept: {targets: up/gpt-4o-mini, cache: true}\n\0"),
}


def counted(folder: Path, provider: int, model: str, extra: str, source: Path) -> float:
    """Instructions a request, in the process that serves."""
    need("valgrind", "valgrind")
    found = folder / "counted"
    before = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={found}"]
    with gateway(folder / "gateway", provider, extra, before=before, source=source) as ours:
        ask(ours.port, model, WARM)
        tell(ours.process.pid, "-i", "on")
        ask(ours.port, model, WARM)
        tell(ours.process.pid, "-z")
        ask(ours.port, model, COUNTED)
        tell(ours.process.pid, "-d", "counted")
        return total(found) / COUNTED


def tell(process: int, *words: str) -> None:
    subprocess.run(["callgrind_control", *words, str(process)], check=True, capture_output=True)


def total(found: Path) -> int:
    """What the dump says, which is written a little later than it is asked for."""
    for _ in range(100):
        for each in found.parent.glob(f"{found.name}.*"):
            said = re.search(r"^(?:summary|totals): (\d+)$", each.read_text(), re.MULTILINE)
            if said is not None:
                return int(said[1])
        time.sleep(0.1)
    raise SystemExit("valgrind wrote down nothing")


def ask(port: int, model: str, times: int) -> None:
    """One after the other, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    for _ in range(times):
        connection.request("POST", "/v1/chat/completions", load.body_of(model), headers)
        reply = connection.getresponse()
        said = reply.read()
        if reply.status != 200:
            raise SystemExit(f"answered {reply.status}: {said[:300].decode()}")
    connection.close()


def figures(source: Path) -> Iterator[tuple[str, float]]:
    with scratch() as folder, upstream(folder / "upstream") as provider:
        for number, (name, (model, extra)) in enumerate(CASES.items()):
            yield name, counted(folder / str(number), provider.port, model, extra, source)


@contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def section(source: Path = ROOT / "src") -> str:
    """Counted now, as a part of the page."""
    lines = [
        HEAD,
        "What the gateway's process executes for one request, without the system's part, counted by valgrind: it does",
        "not change with what else the machine does. `python bench/instructions.py` counts this alone, `--source DIR`",
        "in another tree.",
        "",
        "| what | instructions a request | beside |",
        "|---|---:|---|",
    ]
    first = 0.0
    for name, figure in figures(source):
        first = first or figure
        beside = "" if figure == first else f"{figure / first:.2f} of the first"
        print(f"instructions, {name:46} {figure:12,.0f}  {beside}", flush=True)
        lines.append(f"| {name} | {figure:,.0f} | {beside} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="the modules of another tree")
    section(parser.parse_args(arguments).source.resolve())


if __name__ == "__main__":
    main()
