"""Compares HTTP servers under a minimal ASGI application: the figures of docs/decisions/0002-server.md.

python bench/server_choice.py [seconds] [rounds]: needs `wrk` and `taskset`; the server gets one core, the load another.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BODY = b'{"model":"chat","messages":[{"role":"user","content":"' + b"x" * 300 + b'"}]}'
REPLY = b'{"id":"a","choices":[{"message":{"role":"assistant","content":"' + b"y" * 720 + b'"}}]}'
FRAME = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(REPLY)),
    (b"x-request-id", b"0" * 26),
]
SSE = [(b"content-type", b"text/event-stream"), (b"x-request-id", b"0" * 26)]
SERVERS = ("uvicorn", "granian", "headgate", "headgate-direct")
TAKES_NOTHING = 60.0


async def app(scope, receive, send):  # noqa: ANN001, ANN201
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/wait":
        await told_of_disconnect(receive)
        return
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    if path == "/flood":
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        while True:
            await send({"type": "http.response.body", "body": b"z" * 65536, "more_body": True})
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": SSE})
        for _ in range(100):
            await send({"type": "http.response.body", "body": FRAME, "more_body": True})
        await send({"type": "http.response.body"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": REPLY})


async def told_of_disconnect(receive) -> None:  # noqa: ANN001
    """Says on stderr in which way the application learns that its client is gone."""
    try:
        await receive()
        message = await receive()
        print(f"TOLD {time.time()} message {message['type']}", file=sys.stderr, flush=True)
    except asyncio.CancelledError:
        print(f"TOLD {time.time()} cancelled", file=sys.stderr, flush=True)
        raise


async def direct(scope, receive, send) -> None:  # noqa: ANN001
    """The same by the server's own calls instead of ASGI messages."""
    cycle = scope["extensions"]["headgate"]
    await cycle.read()
    if scope["path"] == "/stream":
        cycle.start(200, SSE)
        for _ in range(100):
            cycle.write(FRAME)
            if cycle.protocol.write_paused:
                await cycle.drain()
        cycle.end()
        return
    cycle.start(200, HEADERS)
    cycle.end(REPLY)


def serve(name: str, port: int) -> None:
    if name == "uvicorn":
        import uvicorn

        uvicorn.run(
            app,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="error",
        )
        return
    import uvloop

    from headgate.server.connections import Connections

    async def main() -> None:
        connections = Connections(direct if name == "headgate-direct" else app)
        server = await asyncio.get_running_loop().create_server(connections.protocol, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    uvloop.run(main())


def start(name: str, port: int, log: Path) -> subprocess.Popen:
    here = Path(__file__)
    command = [sys.executable, str(here), "serve", name, str(port)]
    if name == "granian":
        command = [
            str(Path(sys.executable).with_name("granian")),
            "--interface",
            "asgi",
            "--port",
            str(port),
            "--loop",
            "uvloop",
        ]
        command += ["--no-ws", "--log-level", "error", "--backlog", "4096", f"{here.stem}:app"]
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command], stderr=out, stdout=out, cwd=here.parent, start_new_session=True
        )
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    raise SystemExit(f"{name} did not start: {log.read_text()}")


def stop(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wrk(port: int, path: str, seconds: int, script: Path, connections: int = 32) -> tuple[float, float]:
    """(requests/s, p99 in ms)."""
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    rate = next(float(line.split()[1]) for line in out.splitlines() if line.startswith("Requests/sec"))
    text = next(line.split()[1] for line in out.splitlines() if line.strip().startswith("99%"))
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    for suffix in ("us", "ms", "s"):
        if text.endswith(suffix):
            return rate, float(text.removesuffix(suffix)) * unit[suffix]
    raise SystemExit(f"wrk said {text!r}")


def memory(process: subprocess.Popen) -> float:
    """MiB of all processes of the group, shared pages counted once."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) != process.pid:
                    continue
                lines = (entry / "status").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
            except (OSError, StopIteration):
                continue
    return total / 1024


def cut_after(port: int, first: bytes, then: bytes | None, patience: float) -> str:
    """How long the server bears a client that sends `first`, then `then` every second, and nothing else."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(1.0)
        sock.sendall(first)
        begun = time.monotonic()
        while time.monotonic() - begun < patience:
            try:
                got = sock.recv(4096)
            except TimeoutError:
                try:
                    if then:
                        sock.sendall(then)
                except OSError:
                    return f"cut after {time.monotonic() - begun:.0f} s"
                continue
            except OSError:
                return f"reset after {time.monotonic() - begun:.0f} s"
            return f"{got[9:12].decode() or 'closed'} after {time.monotonic() - begun:.0f} s"
    return f"not cut in {patience:.0f} s"


def never_reads(port: int, process: subprocess.Popen, patience: float) -> str:
    """A client that asks for an endless answer and takes none of it."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < patience:
            time.sleep(1)
            try:
                # a full socket stays silent; a reset one says so
                sock.send(b"\r\n")
            except OSError:
                return f"reset after {time.monotonic() - begun:.0f} s"
    return f"not cut in {patience:.0f} s, {memory(process):.0f} MiB"


def disconnect(port: int, log: Path) -> str:
    before = log.read_text().count("TOLD")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.3)
    gone = time.time()
    for _ in range(100):
        told = [line for line in log.read_text().splitlines() if line.startswith("TOLD")]
        if len(told) > before:
            _, when, *how = told[-1].split()
            return f"{' '.join(how)}, {(float(when) - gone) * 1000:.1f} ms"
        time.sleep(0.02)
    return "not within 2 s"


def idle_connections(port: int, process: subprocess.Popen, count: int) -> float:
    before = memory(process)
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for sock in sockets:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for sock in sockets:
        sock.recv(4096)
    after = memory(process)
    for sock in sockets:
        sock.close()
    return after - before


def main(seconds: int, rounds: int) -> None:
    if not shutil.which("wrk"):
        raise SystemExit("needs wrk (https://github.com/wg/wrk)")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        script.write_text(
            f"wrk.method='POST'\nwrk.body=[[{BODY.decode()}]]\nwrk.headers['content-type']='application/json'\n"
        )
        logs = {name: Path(folder) / f"{name}.log" for name in SERVERS}
        running = {name: start(name, 9810 + number, logs[name]) for number, name in enumerate(SERVERS)}
        ports = {name: 9810 + number for number, name in enumerate(SERVERS)}
        try:
            for name in SERVERS:
                print(f"{name}: idle {memory(running[name]):.1f} MiB", flush=True)
            speed(ports, seconds, rounds, script)
            for name in ("uvicorn", "granian", "headgate"):
                behaviour(name, ports[name], running[name], logs[name])
        finally:
            for process in running.values():
                stop(process)


def speed(ports: dict[str, int], seconds: int, rounds: int, script: Path) -> None:
    for path in ("/", "/stream"):
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in SERVERS}
        for _ in range(rounds):
            for name in SERVERS:
                found[name].append(wrk(ports[name], path, seconds, script))
        base = statistics.median(rate for rate, _ in found["uvicorn"])
        for name, runs in found.items():
            rate = statistics.median(rate for rate, _ in runs)
            p99 = statistics.median(p99 for _, p99 in runs)
            print(f"{path} {name}: {rate:.0f} requests/s, {rate / base:.2f} of uvicorn, p99 {p99:.2f} ms", flush=True)


def behaviour(name: str, port: int, process: subprocess.Popen, log: Path) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    print(f"{name}: 1,000 idle connections {idle_connections(port, process, 1000):+.1f} MiB")
    print(f"{name}: disconnect: {disconnect(port, log)}")
    print(f"{name}: slow head: {cut_after(port, b'GET / HTTP/1.1' + bytes((13, 10)), b'x: y' + bytes((13, 10)), 40)}")
    print(f"{name}: slow body: {cut_after(port, head, b'x', 40)}")
    print(f"{name}: reads nothing: {never_reads(port, process, TAKES_NOTHING)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        words = [int(word) for word in sys.argv[1:]]
        main(*words, *(4, 3)[len(words) :])
