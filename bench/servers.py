"""The processes a benchmark needs: nginx as upstream and as the proxy to compare with, and the gateway itself."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "hg-bench-0123456789abcdef0123456789abcdef"
UPSTREAM_KEY = "upstream-key-0123456789"
REPLY = (
    '{"id":"chatcmpl-9aXb3Yc7Lm2Kq8Rt5Wv1Zs4Dn6Fp","object":"chat.completion","created":1730000000,'
    '"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"'
    + "Paris is the capital of France. It is famous for the Eiffel Tower, the Louvre and its food. "
    * 3
    + '","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":42,'
    '"completion_tokens":66,"total_tokens":108,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,'
    '"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_1234567890"}'
)
MESSAGE = (
    '{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929",'
    '"content":[{"type":"text","text":"'
    + "Paris is the capital of France. It is famous for the Eiffel Tower, the Louvre and its food. "
    * 5
    + '"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":42,"cache_creation_input_tokens":0,'
    '"cache_read_input_tokens":0,"output_tokens":66,"service_tier":"standard"}}'
)
GATEWAY_CORE, OTHER_CORE = 0, 1


def need(program: str, package: str) -> str:
    """The path of a program, installed from Debian where it is missing and we may."""
    for place in (shutil.which(program), f"/usr/sbin/{program}"):
        if place and Path(place).exists():
            return place
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-q"], check=False, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-qy", package], check=True, stdout=subprocess.DEVNULL)
        return need(program, package)
    sys.exit(f"the benchmark needs {program}: install the Debian package {package}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def pin(core: int) -> list[str]:
    """What puts a command on one core."""
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else []


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 20.0) -> float:
    """Seconds until the address answers."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return time.perf_counter() - began
        except OSError as error:
            if getattr(error, "code", None):
                return time.perf_counter() - began
            if process.poll() is not None:
                sys.exit(f"{process.args} ended before it answered")
            time.sleep(0.005)
    sys.exit(f"{url} did not answer within {seconds} s")


class Running:
    """A process that is stopped at the end of a `with` block."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started: float = 0.0) -> None:
        self.process = process
        self.port = port
        self.started = started

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def rss(self) -> float:
        """Resident memory in MB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def cpu(self) -> float:
        """Processor seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def nginx(folder: Path, server: str, core: int) -> Running:
    """nginx with one worker on one core; `server` is the inside of its http block, PORT its port."""
    program = need("nginx", "nginx-light")
    port = free_port()
    folder.mkdir(parents=True)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; error_log {folder}/error.log; pid {folder}/pid;\n"
        "events { worker_connections 8192; }\n"
        "http { access_log off; keepalive_timeout 300; keepalive_requests 100000000; client_max_body_size 0;\n"
        f"client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;\n"
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_body_buffer_size 2m;\n"
        + server.replace("PORT", str(port))
        + "\n}\n"
    )
    process = subprocess.Popen([*pin(core), program, "-p", str(folder), "-c", str(config)], stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/", process)
    return Running(process, port)


def upstream(folder: Path) -> Running:
    """The provider: a fixed reply to everything."""
    return nginx(
        folder,
        "server { listen 127.0.0.1:PORT reuseport backlog=4096; default_type application/json;\n"
        f"location = /v1/messages {{ return 200 '{MESSAGE}'; }}\nlocation / {{ return 200 '{REPLY}'; }} }}",
        OTHER_CORE,
    )


def proxy(folder: Path, target: int) -> Running:
    """nginx doing nothing but forward."""
    return nginx(
        folder,
        f"upstream u {{ server 127.0.0.1:{target}; keepalive 2048; keepalive_requests 100000000; }}\n"
        "server { listen 127.0.0.1:PORT backlog=4096; location / { proxy_pass http://u; proxy_http_version 1.1;\n"
        'proxy_set_header Connection ""; proxy_buffering off; } }',
        GATEWAY_CORE,
    )


def gateway(
    folder: Path,
    target: int,
    extra: str = "",
    server: str = "",
    *,
    before: Sequence[str] = (),
    source: Path = ROOT / "src",
) -> Running:
    """`headgate serve` with everything on: keys, journal, metrics; `before` are words of a command that starts it."""
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "headgate.yaml"
    config.write_text(
        f"server: {{host: 127.0.0.1, port: {port}, max_connections: 20000, max_requests: 5000{server}}}\n"
        f"data_dir: {folder}/data\n"
        "providers:\n"
        f"  up: {{kind: openai_compatible, base_url: 'http://127.0.0.1:{target}/v1', api_key: {UPSTREAM_KEY}}}\n"
        f"  claude: {{kind: anthropic, base_url: 'http://127.0.0.1:{target}', api_key: {UPSTREAM_KEY}}}\n"
        "models:\n  chat: up/gpt-4o-mini\n  smart: claude/claude-sonnet-4-5\n"
        + extra.partition("\0")[0]
        + f"keys:\n  - {{name: bench, key: {KEY}}}\n"
        + extra.partition("\0")[2]
    )
    return serve(folder, port, before=before, source=source)


def serve(folder: Path, port: int, *, before: Sequence[str] = (), source: Path = ROOT / "src") -> Running:
    """Started, perhaps anew, by the configuration that stands in its folder."""
    log = (folder / "log").open("ab")
    config = folder / "headgate.yaml"
    command = [*pin(GATEWAY_CORE), *before, sys.executable, "-m", "headgate", "serve", "--config", str(config)]
    environ = {**os.environ, "PYTHONPATH": str(source), "PYTHONHASHSEED": "0"}
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environ)
    started = wait_for(f"http://127.0.0.1:{port}/livez", process, 120.0 if before else 20.0)
    return Running(process, port, started)
