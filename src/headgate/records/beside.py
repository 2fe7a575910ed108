"""What every process beside the gateway does: it begins, tells the gateway what befalls it, and ends after it.

Its settings are one line of JSON on its standard input, whose end means that the gateway is gone; what it tells is
lines of JSON on its standard output. Started and kept by server/beside.py.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

LAST = 5.0
"""Seconds that are left to bring over what is there, once the gateway is gone."""
LOOK = 0.1
"""Seconds between two looks at whether another process still does the work."""
T = TypeVar("T")


class Said(msgspec.Struct):
    """A line of standard output."""

    level: str
    message: str


def aside() -> None:
    """Signals are for the gateway, whose end is this process's; requests go before what it does."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    os.nice(10)


def begun(settings: type[T]) -> tuple[T, threading.Event]:
    """What the gateway says at first, and what is set once it is gone."""
    aside()
    told, ending = msgspec.json.decode(sys.stdin.buffer.readline(), type=settings), threading.Event()
    threading.Thread(target=_watch, args=(ending,), daemon=True).start()
    return told, ending


def _watch(ending: threading.Event) -> None:
    """Notices the gateway's end, however it came, and sees to it that this process does not outlive it for long."""
    while os.read(0, 4096):
        pass
    ending.set()
    time.sleep(LAST)
    os._exit(1)


def alone(path: Path, ending: threading.Event) -> bool:
    """Waits until no other process holds this lock of the data directory; False where the gateway is gone before."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)  # held until this process ends
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if ending.wait(LOOK):
                return False
        else:
            return True


def say(level: str, message: str) -> None:
    with suppress(OSError):  # nobody listens any more
        sys.stdout.buffer.write(msgspec.json.encode(Said(level, message)) + b"\n")
        sys.stdout.buffer.flush()
