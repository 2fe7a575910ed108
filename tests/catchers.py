"""Servers that catch what is sent to sinks, and keep it."""

import contextlib
import gzip
import socket
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Caught:
    """A request; `body` is unpacked."""

    method: str
    path: str
    headers: dict
    raw: bytes

    @property
    def body(self):
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw


class HTTPCatcher:
    """Answers by `answer(caught)`: a status, or a status and a body."""

    def __init__(self, answer=lambda caught: 200):
        self.caught = []
        self.answer = answer
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                headers = {name.lower(): value for name, value in self.headers.items()}
                raw = self.rfile.read(int(headers.get("content-length", 0)))
                caught = Caught(self.command, self.path, headers, raw)
                said = catcher.answer(caught)
                catcher.caught.append(caught)
                status, body = said if isinstance(said, tuple) else (said, b"")
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_GET = do_POST

            def log_message(self, *_):
                """Nothing is to be read of it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class SyslogCatcher:
    """Over "udp", "tcp" or, with a context, "tls"; `messages` are what came, without the framing."""

    def __init__(self, scheme, context=None):
        self.scheme, self.context = scheme, context
        self.messages = []
        self.connections = []
        self.sock = socket.socket(type=socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = f"{scheme}://127.0.0.1:{self.sock.getsockname()[1]}"

    def __enter__(self):
        if self.scheme != "udp":
            self.sock.listen()
        threading.Thread(target=self._datagrams if self.scheme == "udp" else self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for each in (self.sock, *self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def drop(self):
        """Close the connections, as a server that is started anew does."""
        for each in self.connections:
            each.close()
        self.connections.clear()

    def _datagrams(self):
        with contextlib.suppress(OSError):
            while message := self.sock.recv(1 << 16):
                self.messages.append(message)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.sock.accept()[0]
                if self.context is not None:
                    with contextlib.suppress(ssl.SSLError):
                        connection = self.context.wrap_socket(connection, server_side=True)
                self.connections.append(connection)
                threading.Thread(target=self._stream, args=(connection,), daemon=True).start()

    def _stream(self, connection):
        with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as file:
            while length := self._length(file):
                self.messages.append(file.read(length))

    @staticmethod
    def _length(file):
        digits = b""
        while (sign := file.read(1)) not in (b" ", b""):
            digits += sign
        return int(digits) if digits else 0
