"""A real ClickHouse for tests: its engine (chDB) in a process of its own, behind what is used of its HTTP interface.

https://clickhouse.com/docs/interfaces/http; the engine itself comes without a server.
"""

import contextlib
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from catchers import HTTPCatcher

PASSWORD = "clickhouse-password-of-mine"
STATUS = {60: 404, 81: 404, 497: 403}
"""Of errors by their code; others of 1 to 100 are taken for bad requests, as most of these are."""


@contextlib.contextmanager
def clickhouse(folder):
    """Its address; what is there stays in `folder`."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class Engine:
    """One session, asked by one thread at a time."""

    def __init__(self, folder):
        from chdb.session import Session

        self.session = Session(folder)
        self.lock = threading.Lock()

    def answer(self, caught):
        told = dict(parse_qsl(urlsplit(caught.path).query, keep_blank_values=True))
        if caught.headers.get("x-clickhouse-key") != PASSWORD:
            return 403, b"Code: 516. DB::Exception: default: Authentication failed"
        text = "\n".join(filter(None, (told.get("query"), caught.body.decode())))
        parameters = {name.removeprefix("param_"): value for name, value in told.items() if name.startswith("param_")}
        if told.get("readonly") and not text.startswith("SELECT"):
            return 403, b"Code: 164. DB::Exception: Cannot execute query in readonly mode"
        with self.lock:
            try:
                return 200, self.session.query(text, "TSV", params=parameters or None).bytes()
            except RuntimeError as error:
                code = int(re.search(r"Code: (\d+)", str(error))[1])
                return STATUS.get(code, 400 if code < 100 else 500), str(error).encode()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with HTTPCatcher(Engine(sys.argv[1]).answer) as server:
        print(server.url, flush=True)
        sys.stdin.read()
