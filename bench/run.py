"""The benchmark: the gateway beside nginx doing nothing but forward, in one run; writes bench/RESULTS.md.

    python bench/run.py [--quick] [--out FILE]

The gateway (or nginx as proxy) has one core, load and upstream the other. Everything is switched on: keys are checked,
every request is recorded on disk, metrics are counted. Read the ratios; the machine's own speed is in the nginx rows.
What the table says is told in bench/NOTES.md, which is put below it.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import guards
import instructions
import load
import routing
import semantic
from servers import KEY, OTHER_CORE, ROOT, Running, free_port, gateway, pin, proxy, upstream

Row = tuple[str, str, str, str]


class Bench:
    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder
        self.seconds = 2 if quick else 5
        self.rounds = 1 if quick else 3
        self.frames = 20_000 if quick else 60_000
        self.rows: list[Row] = []

    def row(self, what: str, value: str, beside: str = "", goal: str = "") -> None:
        self.rows.append((what, value, beside, goal))
        print(f"{what:62} {value:>14}  {beside:38} {goal}", flush=True)

    def run(self) -> None:
        with upstream(self.folder / "upstream") as provider:
            with (
                proxy(self.folder / "proxy", provider.port) as forward,
                gateway(self.folder / "gateway", provider.port) as ours,
            ):
                self.row("start: `headgate serve` to its first answer", f"{ours.started:.2f} s", "", "≤ 1 s")
                self.row("memory when idle", f"{ours.rss():.0f} MB", "", "≤ 70 MB")
                self.throughput(forward, ours)
                self.latency(forward, ours)
                self.bodies(forward, ours)
                self.connections(forward, ours)
                self.row("memory after all that", f"{ours.rss():.0f} MB")
            self.hits(provider)
            self.many_names(provider)
            self.peer(provider)
        self.streaming()
        self.open_streams()
        self.sections = [routing.section(), guards.section(), instructions.section(), *semantic.sections()]

    def throughput(self, forward: Running, ours: Running) -> None:
        same, crossing = load.body_of("chat"), load.body_of("smart")
        bare, plain, crossed = [], [], []
        for _ in range(self.rounds):
            bare.append(load.wrk(forward.port, same, seconds=self.seconds)[0])
            plain.append(load.wrk(ours.port, same, seconds=self.seconds)[0])
            crossed.append(load.wrk(ours.port, crossing, seconds=self.seconds)[0])
        nginx, mine, cross = map(statistics.median, (bare, plain, crossed))
        self.row("nginx proxy_pass, 32 connections", f"{nginx:,.0f} req/s")
        self.row("OpenAI → OpenAI, 32 connections", f"{mine:,.0f} req/s", f"{mine / nginx:.2f} of nginx", "≥ 0.20")
        self.row("OpenAI → Anthropic, 32 connections", f"{cross:,.0f} req/s", f"{cross / nginx:.2f} of nginx", "≥ 0.12")
        self.same = mine

    def latency(self, forward: Running, ours: Running) -> None:
        body = load.body_of("chat")
        figures: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(self.rounds):
            for name, server in (("bare", forward), ("ours", ours)):
                figures[name] += asyncio.run(load.at_rate(server.port, body, seconds=self.seconds + 2))
        for share, name, goal in ((0.5, "p50", "≤ 0.4 ms"), (0.99, "p99", "≤ 3 ms")):
            bare, mine = (1000 * load.percentile(figures[which], share) for which in ("bare", "ours"))
            self.row(
                f"added over nginx at 300 req/s, {name}",
                f"{mine - bare:.2f} ms",
                f"{mine:.2f} against {bare:.2f} ms",
                goal,
            )

    def hits(self, provider: Running) -> None:
        """Answers that are kept, beside the same that are asked for, in the same gateway."""
        names = "  kept: {targets: up/gpt-4o-mini, cache: true}\n\0"
        asked, kept = load.body_of("chat"), load.body_of("kept")
        with (
            proxy(self.folder / "hits-proxy", provider.port) as forward,
            gateway(self.folder / "hits", provider.port, names) as ours,
        ):
            load.wrk(ours.port, kept, seconds=1)  # it is kept from here on
            pairs = [
                (
                    load.wrk(forward.port, asked, seconds=self.seconds)[0],
                    load.wrk(ours.port, kept, seconds=self.seconds)[0],
                )
                for _ in range(self.rounds)
            ]
            nginx, mine = (statistics.median(side) for side in zip(*pairs, strict=True))
            self.row(
                "an answer that is kept, 32 connections", f"{mine:,.0f} req/s", f"{mine / nginx:.2f} of nginx", "≥ 0.25"
            )
            bare, missed, hit = (
                1000 * load.percentile(asyncio.run(load.at_rate(port, body, seconds=self.seconds + 2)), 0.5)
                for port, body in ((forward.port, asked), (ours.port, asked), (ours.port, kept))
            )
            beyond = hit - (missed - bare)
            self.row(
                "  beyond what asking adds, at 300 req/s, p50",
                f"{beyond:.2f} ms",
                f"{hit:.2f}, asked {missed:.2f}",
                "≤ 0.3 ms",
            )

    def bodies(self, forward: Running, ours: Running) -> None:
        for size, name in ((1_000, "1 kB"), (10_000, "10 kB"), (100_000, "100 kB"), (1_000_000, "1 MB")):
            body = load.body_of("chat", size)
            bare = load.wrk(forward.port, body, seconds=2)[0]
            mine = load.wrk(ours.port, body, seconds=2)[0]
            self.row(f"request of {name}", f"{mine:,.0f} req/s", f"{mine / bare:.2f} of nginx ({bare:,.0f})")

    def connections(self, forward: Running, ours: Running) -> None:
        body = load.body_of("chat")
        for count in (1, 10, 100, 1000):
            bare = load.wrk(forward.port, body, connections=count, seconds=2)[0]
            mine = load.wrk(ours.port, body, connections=count, seconds=2)[0]
            self.row(f"{count} connections", f"{mine:,.0f} req/s", f"{mine / bare:.2f} of nginx ({bare:,.0f})")

    def many_names(self, provider: Running) -> None:
        """1,000 models and 1,000 keys against the handful of the other runs."""
        models = "".join(f"  model-{n}: up/gpt-{n}\n" for n in range(1000))
        keys = "".join(f"  - {{name: key-{n}, key: hg-{n:040d}}}\n" for n in range(1000))
        with gateway(self.folder / "many", provider.port, f"{models}\0{keys}") as ours:
            rate = statistics.median(
                load.wrk(ours.port, load.body_of("chat"), seconds=self.seconds)[0] for _ in range(self.rounds)
            )
            self.row("1,000 models and 1,000 keys", f"{rate:,.0f} req/s", f"{rate / self.same:.2f} of 2 models, 1 key")
            self.row("  start and memory with them", f"{ours.started:.2f} s", f"{ours.rss():.0f} MB")

    def peer(self, provider: Running) -> None:
        """LiteLLM's proxy, where it is installed (LITELLM names its command if it is not on the path)."""
        program = os.environ.get("LITELLM") or shutil.which("litellm")
        if program is None:
            self.row("LiteLLM's proxy", "not installed", "set LITELLM to its command to compare")
            return
        port = free_port()
        config = self.folder / "litellm.yaml"
        config.write_text(
            "model_list:\n  - model_name: chat\n    litellm_params: {model: openai/gpt-4o-mini, "
            f"api_base: 'http://127.0.0.1:{provider.port}/v1', api_key: x}}\n"
            f"general_settings: {{master_key: {KEY}}}\n"
        )
        command = [*pin(0), program, "--config", str(config), "--port", str(port), "--num_workers", "1"]
        quiet = subprocess.DEVNULL
        environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet, env=environ, cwd=self.folder)
        try:
            _listening(port, 120)
            rate = load.wrk(port, load.body_of("chat"), connections=32, seconds=self.seconds)[0]
            beside = f"we do {self.same / rate:.0f} times"
            self.row("LiteLLM's proxy, 32 connections", f"{rate:,.0f} req/s", beside, "≥ 50 times")
        finally:
            process.terminate()
            process.wait(20)

    def streaming(self) -> None:
        done = b"data: [DONE]\n\n"
        for name, model, goal in (("same dialect", "chat", 60_000), ("Anthropic → OpenAI", "smart", 30_000)):
            # at full speed ten times as many: processor time is told in hundredths of a second
            for how, streams, times, mode in (
                ("16 streams at full speed", 16, 10, ()),
                ("200 streams, every frame alone", 200, 1, ("200", "8000")),
            ):
                per_cpu, rates = [], []
                for number in range(self.rounds):
                    folder = self.folder / f"stream-{model}-{streams}-{number}"
                    with _frames(times * self.frames // streams, *mode) as source, gateway(folder, source.port) as ours:
                        before = ours.cpu()
                        body = load.body_of(model, stream=True)
                        frames, seconds = load.streams(ours.port, body, done, at_once=streams)
                        rates.append(frames / seconds)
                        per_cpu.append(frames / max(ours.cpu() - before, 0.001))
                rate = f"{statistics.median(rates):,.0f} /s passed"
                figure = f"{statistics.median(per_cpu):,.0f} /s core"
                self.row(f"stream frames, {name}, {how}", figure, rate, f"≥ {goal:,}")

    def open_streams(self) -> None:
        with _frames(1, "hold") as source, gateway(self.folder / "open", source.port) as ours:
            before = ours.rss()
            body = load.body_of("chat", stream=True)
            request = load.head_of(ours.port, len(body)) + body
            sockets = []
            for _ in range(1000):
                sock = socket.create_connection(("127.0.0.1", ours.port))
                sock.sendall(request)
                sockets.append(sock)
            for sock in sockets:
                sock.recv(65536)
            time.sleep(0.5)
            self.row(
                "1,000 open streams", f"+{ours.rss() - before:.0f} MB", f"{before:.0f} → {ours.rss():.0f} MB", "≤ 50 MB"
            )
            for sock in sockets:
                sock.close()

    def table(self) -> str:
        commit = subprocess.run(
            ["git", "log", "-1", "--format=%h of %cs"], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()
        lines = [
            "# Benchmark",
            "",
            "Written by `make bench`. The gateway, with key check, journal and metrics on, has one core of a small",
            "shared machine, upstream and load the other: read ratios, not absolute figures. A chat request of 370",
            "bytes and a reply of about 800 unless a row says otherwise.",
            "",
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, after commit {commit}, "
            f"Python {platform.python_version()}, {os.cpu_count()} cores.",
            "",
            "| what | figure | beside | goal |",
            "|---|---:|---|---|",
            *(f"| {' | '.join(row)} |" for row in self.rows),
        ]
        notes = ROOT / "bench" / "NOTES.md"
        return (
            "\n".join(lines) + "\n\n" + "\n".join(self.sections) + ("\n" + notes.read_text() if notes.exists() else "")
        )


def _frames(count: int, *mode: str) -> Running:
    port = free_port()
    script = str(Path(__file__).parent / "frames.py")
    command = [*pin(OTHER_CORE), sys.executable, script, str(port), str(count), *mode]
    process = subprocess.Popen(command)
    _listening(port, 10)
    return Running(process, port)


def _listening(port: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on port {port} after {seconds} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round; the table is printed, not written")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "RESULTS.md")
    options = parser.parse_args()
    os.sched_setaffinity(0, {OTHER_CORE} if (os.cpu_count() or 1) > 1 else {0})
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        bench = Bench(Path(folder), options.quick)
        bench.run()
        if not options.quick:
            options.out.write_text(bench.table())


if __name__ == "__main__":
    main()
