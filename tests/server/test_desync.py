"""Behind nginx and haproxy: no byte sequence makes more requests of one than the proxy in front has forwarded."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from gateways import rounds
from headgate.server.refusals import Limits
from server.rawhttp import everything, serving, statuses
from server.test_smuggling import AFTER, PROBES, REFUSED, probes

NGINX = """daemon off; worker_processes 1; error_log {folder}/error.log; pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream app {{ server 127.0.0.1:{port}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{front}; ignore_invalid_headers off; client_body_timeout 1s; client_header_timeout 1s;
    location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
                 proxy_request_buffering off; proxy_next_upstream off; proxy_read_timeout 2s; }}
  }}
}}
"""
HAPROXY = """global
  maxconn 500
defaults
  mode http
  timeout connect 2s
  timeout client 1s
  timeout server 2s
  option http-keep-alive
  http-reuse always
  retries 0
frontend front
  bind 127.0.0.1:{front}
  option accept-invalid-http-request
  default_backend app
backend app
  server app 127.0.0.1:{port}
"""


@contextlib.contextmanager
def proxied(name, port):
    """A real proxy in front of the server at `port`; gives its own port."""
    program = shutil.which(name) or f"/usr/sbin/{name}"
    if not Path(program).exists():
        pytest.skip(f"{name} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        front = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        config = Path(folder) / "proxy.conf"
        config.write_text((NGINX if name == "nginx" else HAPROXY).format(folder=folder, front=front, port=port))
        flags = ["-p", folder, "-c", str(config)] if name == "nginx" else ["-db", "-f", str(config)]
        log = (Path(folder) / "log").open("w")
        process = subprocess.Popen([program, *flags], stdout=log, stderr=log)
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", front), 1):
                    break
                time.sleep(0.05)
            yield front
        finally:
            process.terminate()
            process.wait(10)
            log.close()


def payloads():
    for row in probes():
        text = row["payload_latin1"].replace("@@HOST@@", "a")
        yield row["id"], text.encode("latin-1" if text.isascii() or max(text) <= "\xff" else "utf-8")
    for name, data in REFUSED.items():
        yield name, data + AFTER


@pytest.mark.skipif(not PROBES.exists(), reason="the conformance probes are not beside this checkout")
@pytest.mark.parametrize("name", ["nginx", "haproxy"])
async def test_nothing_is_smuggled_past_a_proxy(name):
    """Each payload on a connection of its own, then honest requests: what was seen is what was answered."""
    wrong = []
    async with serving(Limits(header_timeout=1, body_idle_timeout=1, keep_alive=5)) as box:
        with proxied(name, box.port) as front:
            for label, payload in list(payloads())[:: rounds(10, 1)]:
                before = len(box.seen.requests)
                reader, writer = await asyncio.open_connection("127.0.0.1", front)
                writer.write(payload)
                answer = await everything(reader, 0.15)
                writer.close()
                answered = len(statuses(answer))
                seen = len(box.seen.requests) - before
                # a request whose answer the proxy would not wait for may have been seen without being answered
                if seen > max(answered, 1):
                    wrong.append((label, seen, statuses(answer)))
            honest = await honest_answers(front)
    assert not wrong
    assert honest == ["0", "1", "2", "3", "4"]


async def honest_answers(front):
    """Bodies that five echo requests get back: a desynchronised connection would mix them up."""
    bodies = []
    for number in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", front)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d" % number)
        bodies.append((await everything(reader, 0.3)).rpartition(b"\r\n\r\n")[2].decode())
        writer.close()
    return bodies
