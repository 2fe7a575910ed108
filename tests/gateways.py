"""Gateways for tests: a real `headgate serve` in a process of its own, on a port of its own."""

import atexit
import contextlib
import functools
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import trustme

import forks
import headgate

KEY = "hg-test-key-0123456789abcdef"
OTHER_KEY = "hg-test-key-fedcba9876543210"
ADMIN_KEY = "hg-test-admin-0123456789abcdef"


def rounds(short, long):
    """How often a test does what it does: seldom in `make test`, often in `make soak` (HEADGATE_SOAK=1)."""
    return long if os.environ.get("HEADGATE_SOAK") == "1" else short


class Gateway:
    """A running gateway."""

    def __init__(self, folder, config, *, port=None, environ=None, arguments=(), fresh=False, trust=None):
        """`config` None: started without a file. `trust`: the ssl.SSLContext of clients, where it serves TLS.

        `fresh`: started as users do, not forked (tests/forks.py); so it is too where `environ` is for Python itself.
        """
        self.folder = Path(folder)
        self.port = port or free_port()
        self.config = self.folder / "headgate.yaml"
        self.data = self.folder / "data"
        self.log = self.folder / "log.txt"
        if config is not None:
            self.write(config)
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")},
            "HEADGATE_ADMIN_KEY": ADMIN_KEY,
            "NO_PROXY": "*",
            "SSL_CERT_FILE": few_authorities(),
            "PYTHONDONTWRITEBYTECODE": "1",  # of a plug-in written anew within the second, the old would be taken
            **(environ or {}),
        }
        paths = [self.environ.get("PYTHONPATH", ""), str(Path(headgate.__file__).parents[1])]
        self.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # the same code as the tests import
        self.arguments = list(arguments)
        self.fresh = fresh or "PYTHONPATH" in (environ or {})
        self.trust = trust
        self.process = None

    @property
    def url(self):
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self.port}"

    def write(self, config):
        """Put a configuration in place in one step, as an editor or a deployment does.

        Records stay in the journal, unless it says otherwise: most tests need no second process.
        """
        if config.startswith("{"):  # JSON
            config = config.replace("{", '{"records": {"store": false}, ', 1)
        elif not re.search("^records:", config, re.MULTILINE):
            config = f"{config.rstrip()}\nrecords: {{store: false}}\n"
        new = self.config.with_suffix(".new")
        new.write_text(config.replace("{PORT}", str(self.port)).replace("{DATA}", str(self.data)))
        new.replace(self.config)

    def change(self, config):
        """Put another configuration in place and have it read at once, which looking at the file takes a second for."""
        self.write(config)
        self.signal(signal.SIGHUP)

    def start(self, *, wait=True):
        file = ["--config", str(self.config)] if self.config.exists() else []
        arguments = ["serve", *file, *self.arguments]
        with self.log.open("ab") as log:
            if self.fresh:
                command = [sys.executable, "-m", "headgate", *arguments]
                self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environ, cwd=self.folder)
            else:
                places = {"folder": self.folder, "output": log, "errors": log}
                self.process = forks.Forked(arguments, environ=self.environ, **places)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds=20):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended at once:\n{self.log.read_text()}")
            with contextlib.suppress(OSError), self._open("/readyz"):
                return
            time.sleep(0.02)
        raise AssertionError(f"the gateway is not ready:\n{self.log.read_text()}")

    def _open(self, path):
        return urllib.request.urlopen(f"{self.url}{path}", timeout=1, context=self.trust)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=20):
        """Its exit code after SIGTERM."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()

    def records(self, count=None, seconds=20.0, **wanted):
        """The journal's lines, waiting until there are `count` that have the wanted values."""
        until = time.monotonic() + seconds
        while True:
            lines = [
                line
                for segment in sorted((self.data / "journal").glob("*.jsonl"))
                for line in segment.read_bytes().split(b"\n")[:-1]  # the last may be written just now
            ]
            mark = wanted.get("id", "").encode()  # most lines have another id and need no parsing
            found = [
                record
                for record in (json.loads(line) for line in lines if mark in line)
                if wanted.items() <= {"ending": "complete", **record}.items()
            ]
            if count is None or len(found) >= count:
                return found
            if time.monotonic() > until:
                raise AssertionError(f"{len(found)} records instead of {count} with {wanted}: {lines}")
            time.sleep(0.02)

    def newest(self):
        """The last request's record: a client may have the end of an answer a moment before the journal has it."""
        self.wait_for_metric(0, "headgate_in_flight")
        return self.records()[-1]

    def record_of(self, request_id):
        [record] = self.records(1, id=request_id)
        return record

    def output(self):
        return self.log.read_text()

    def told_by(self, *command):
        """What a command of the command line prints with this gateway's configuration."""
        done = forks.run([*command, "--config", str(self.config)], environ=self.environ, folder=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def says(self, text, times=1, seconds=20.0):
        """Waits until the log holds a text so often."""
        until = time.monotonic() + seconds
        while self.output().count(text) < times:
            assert time.monotonic() < until, f"the gateway did not say {text!r} {times} times:\n{self.output()}"
            time.sleep(0.02)

    def get(self, path, headers=None):
        """(status, headers, body) of a GET on a connection of its own."""
        return self.request("GET", path, None, headers)

    def post(self, body, path="/v1/chat/completions", key=KEY, headers=None):
        """(status, headers, body) of a request, `body` as JSON; an answer in JSON is decoded."""
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})}
        return self.request("POST", path, json.dumps(body).encode(), sent)

    def request(self, method, path, body=None, headers=None):
        address = ("127.0.0.1", self.port)
        if self.trust:
            connection = http.client.HTTPSConnection(*address, timeout=30, context=self.trust)
        else:
            connection = http.client.HTTPConnection(*address, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            data = answer.read()
            named = {name.lower(): value for name, value in answer.getheaders()}
            is_json = named.get("content-type", "").startswith("application/json")
            return answer.status, named, json.loads(data) if is_json else data

    def metrics(self):
        """The value of each series of /metrics, by its name with labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5, context=self.trust) as answer:
            lines = [line for line in answer.read().decode().split("\n") if line and line[0] != "#"]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def metric(self, name, **labels):
        """The sum of all series of this name that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(
            value
            for series, value in self.metrics().items()
            if series.partition("{")[0] == name and all(each in series for each in wanted)
        )

    def wait_for_metric(self, value, name, seconds=20.0, **labels):
        until = time.monotonic() + seconds
        while (now := self.metric(name, **labels)) != value:
            assert time.monotonic() < until, f"{name}{labels} is {now}, not {value}"
            time.sleep(0.02)

    def memory(self, what="VmRSS"):
        """Bytes of the process's resident memory now; its peak with `VmHWM` (see `forget_peak`)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{what}:\s+(\d+) kB", status)[1]) * 1024

    def forget_peak(self):
        """The peak is counted anew from here (proc(5), clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def processor_seconds(self):
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Answer:
    """What came back; `cut` when it broke off, `closing` when the server says that it closes the connection."""

    status: int
    headers: dict  # lower-case names
    body: bytes
    seconds: float
    cut: bool
    closing: bool
    raw_head: str

    def json(self):
        return json.loads(self.body)


class Wire:
    """A client's connection, in bytes."""

    def __init__(self, port, *, timeout=10.0, receive_buffer=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def answer(self, method="POST"):
        """The next answer; raises TimeoutError when it does not come, ConnectionError when none does."""
        started = time.monotonic()
        response = http.client.HTTPResponse(self.sock, method=method)
        try:
            response.begin()
            try:
                body, cut = response.read(), False
            except http.client.IncompleteRead as error:
                body, cut = error.partial, True
            except ConnectionError:
                body, cut = b"", True
            headers = {name.lower(): value for name, value in response.getheaders()}
            closing = headers.get("connection", "").lower() == "close"
            seconds = time.monotonic() - started
            return Answer(response.status, headers, body, seconds, cut, closing, str(response.headers))
        finally:
            response.close()

    def closed(self, seconds=3.0):
        """Whether the server closes within this time."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def http_request(path, body=b"", *, method="POST", key=KEY, headers=(), content_type="application/json", host="test"):
    """A request as bytes, with content-length."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    if key:
        lines.append(f"authorization: Bearer {key}")
    if content_type:
        lines.append(f"content-type: {content_type}")
    head = "\r\n".join(lines).encode() + b"\r\n"
    for name, value in headers:
        value = value if isinstance(value, bytes) else value.encode("latin-1")
        head += name.encode() + b": " + value + b"\r\n"
    return head + b"\r\n" + body


def ask(gateway, path, body=b"", *, timeout=10.0, **options):
    """One request on a connection of its own."""
    with Wire(gateway.port, timeout=timeout) as wire:
        wire.send(http_request(path, body, **options))
        return wire.answer(options.get("method", "POST"))


@functools.cache
def few_authorities():
    """A file with one authority, for clients that need none: the system's are half of a start."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "one.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def running(folder, config, **options):
    """A gateway for the length of a `with` block; it must have stopped cleanly unless the test killed it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    gateway = Gateway(folder, config, **options).start()
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            code = gateway.stop()
            assert code == 0, gateway.output()


def config_for(upstream, extra="", *, server="", timeouts=""):
    """A configuration whose every provider is one scripted upstream (a base URL without a path)."""
    wait = f", timeouts: {{{timeouts}}}" if timeouts else ""
    return (
        f"server: {{host: 127.0.0.1, port: {{PORT}}{server}}}\n"
        "data_dir: {DATA}\n"
        "providers:\n"
        f"  openai: {{api_key: sk-upstream-openai-secret, base_url: '{upstream}/v1'{wait}}}\n"
        f"  anthropic: {{api_key: sk-ant-upstream-secret, base_url: '{upstream}'{wait}}}\n"
        "  simulator: {}\n"
        "models:\n"
        "  chat: openai/gpt-4o-mini\n"
        "  claude: anthropic/claude-sonnet-4-5\n"
        "  sim: simulator/sim\n"
        "keys:\n"
        f"  - {{name: test, key: {KEY}}}\n"
        f"  - {{name: limited, key: {OTHER_KEY}, models: [sim]}}\n" + extra
    )
