"""Load: wrk for requests a second, an open-loop client for latency at a fixed rate, raw sockets for streams."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from servers import KEY, OTHER_CORE, need, pin

PROMPT = "What is the capital of France, and what is it famous for? Answer in one short paragraph, please."


def body_of(model: str, size: int = 370, stream: bool = False) -> bytes:
    """A chat request of about `size` bytes."""
    request = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": PROMPT},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
        "stream": stream,
    }
    short = size - len(json.dumps(request, separators=(",", ":")))
    request["messages"][1]["content"] += "x" * max(0, short)  # type: ignore[index]
    return json.dumps(request, separators=(",", ":")).encode()


def head_of(port: int, length: int, path: str = "/v1/chat/completions") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def wrk(port: int, body: bytes, connections: int = 32, seconds: int = 5) -> tuple[float, float]:
    """(requests a second, p99 in ms); any reply but 200 stops the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "body").write_bytes(body)
        script = Path(folder) / "post.lua"
        script.write_text(
            f'local f = io.open("{folder}/body", "rb")\nwrk.method = "POST"\nwrk.body = f:read("*a")\nf:close()\n'
            f'wrk.headers["content-type"] = "application/json"\nwrk.headers["authorization"] = "Bearer {KEY}"\n'
        )
        out = subprocess.run(
            [*pin(OTHER_CORE), need("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout",
             "20s", "-s", str(script), f"http://127.0.0.1:{port}/v1/chat/completions"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    if "Non-2xx" in out:
        raise SystemExit(f"errors under load:\n{out}")
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    p99 = float(found[1]) * unit[found[2]] if found else 0.0
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return float(rate[1]) if rate else 0.0, p99


class _Caller(asyncio.Protocol):
    """One keep-alive connection that sends a request and notes how long the whole reply took."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self.request = request
        self.times = times
        self.busy = False
        self.began = 0.0
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def fire(self, due: float) -> None:
        self.busy, self.began, self.buffer = True, due, b""
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if (length and len(body) >= int(length[1])) or body.endswith(b"0\r\n\r\n"):
            self.times.append(time.perf_counter() - self.began)
            self.busy = False


async def at_rate(port: int, body: bytes, rate: int = 300, seconds: int = 8) -> list[float]:
    """Seconds each reply took, sent at a fixed rate whatever the server does (no coordinated omission)."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    request = head_of(port, len(body)) + body
    callers = [(await loop.create_connection(lambda: _Caller(request, times), "127.0.0.1", port))[1] for _ in range(32)]
    began = time.perf_counter() + 0.05
    for number in range(rate * seconds):
        due = began + number / rate
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        caller = next((caller for caller in callers if not caller.busy), None)
        if caller is not None:
            caller.fire(max(due, time.perf_counter()))
    await asyncio.sleep(0.5)
    for caller in callers:
        caller.transport.close()
    return times[rate // 2 :]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def read_stream(port: int, body: bytes, end: bytes, counts: list[int], path: str = "/v1/chat/completions") -> None:
    """Read one stream to its end and count its frames."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head_of(port, len(body), path) + body)
        frames, tail = 0, b""
        while True:
            data = sock.recv(262_144)
            if not data:
                raise SystemExit("a stream broke off under load")
            frames += data.count(b"\n\n")
            tail = (tail + data)[-200:]
            if end in tail:
                break
        counts.append(frames)


def streams(port: int, body: bytes, end: bytes, at_once: int) -> tuple[int, float]:
    """(frames, seconds) of so many streams side by side."""
    counts: list[int] = []
    threads = [threading.Thread(target=read_stream, args=(port, body, end, counts)) for _ in range(at_once)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - began
