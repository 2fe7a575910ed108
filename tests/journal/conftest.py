"""Journals that are closed at the end, and records to put in them."""

import itertools
import os
from contextlib import ExitStack, contextmanager

import pytest

from headgate.core.record import Record
from headgate.journal.journal import Journal


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "journal"


@pytest.fixture
def told():
    """What journals said: (level, sentence)."""
    return []


@pytest.fixture
def opened(folder, told):
    """Opens journals in `folder`; a short beat so that tests need not wait for the background thread."""
    with ExitStack() as stack:

        def open_journal(**settings):
            settings = {"beat": 0.02, "on_trouble": lambda level, text: told.append((level, text))} | settings
            journal = Journal(folder, **settings)
            stack.callback(journal.close)
            return journal

        yield open_journal


@pytest.fixture
def record():
    """Makes records whose times rise by a second."""
    numbers = itertools.count(1)

    def make(**fields):
        number = next(numbers)
        return Record(**{"id": f"req_{number:05}", "time": 4_000_000_000.0 + number} | fields)

    return make


@contextmanager
def _full_disk(path):
    """Every write to the open file `path` of this process fails with ENOSPC, as on a full disk."""
    fd = next(
        int(entry)
        for entry in os.listdir("/proc/self/fd")
        if os.path.realpath(f"/proc/self/fd/{entry}") == str(path.resolve())
    )
    real, full = os.dup(fd), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, fd, inheritable=False)
    try:
        yield
    finally:
        os.dup2(real, fd, inheritable=False)
        os.close(real)
        os.close(full)


@pytest.fixture
def full_disk():
    if not os.path.exists("/dev/full"):
        pytest.skip("/dev/full is not there")
    return _full_disk
