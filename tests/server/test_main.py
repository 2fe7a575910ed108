"""What is said when an address cannot be listened on: the cause, and what mends that very cause."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from headgate.server.main import cannot_listen

TAKEN, RIGHTS, ADDRESS = "is another gateway running?", "CAP_NET_BIND_SERVICE", "check server.host"


def failed(number):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (failed(errno.EADDRINUSE), TAKEN),
        (failed(errno.EACCES), RIGHTS),
        (failed(errno.EADDRNOTAVAIL), ADDRESS),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), ADDRESS),
        (failed(errno.ENOBUFS), None),
    ],
)
def test_the_advice_fits_the_cause(error, advice):
    told = cannot_listen(error, "server", "host", 4000)
    assert (told.errno, told.filename) == (error.errno, "host:4000")
    assert told.strerror.startswith(f"cannot listen there ({error.strerror})")
    for other in (TAKEN, RIGHTS, ADDRESS):
        assert (other in told.strerror) == (other == advice)


def test_the_listener_for_operators_has_settings_of_its_own():
    told = cannot_listen(failed(errno.EADDRINUSE), "server.admin", "host", 4000).strerror
    assert "server.admin.port takes another" in told
    assert "--port" not in told


NEEDED_BY_SOME = {
    "asyncpg", "cryptography", "headgate.alerts.engine", "headgate.alerts.watcher", "headgate.records.tracing",
    "hiredis", "opentelemetry", "smtplib", "statistics",
}  # fmt: skip


def test_what_only_some_configurations_need_is_not_loaded_at_the_start():
    code = "import sys, headgate.server.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert NEEDED_BY_SOME.intersection(done.stdout.split()) == set()
