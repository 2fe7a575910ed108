"""Names of requests: short, in order of time, unique across workers and machines without asking anybody."""

from __future__ import annotations

import asyncio
import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in small letters: in ASCII order, so that sorting names sorts times."""

REQUEST = "req_"
"""How they begin."""
_PAIRS = tuple(a + b for a in ALPHABET for b in ALPHABET)
_COUNTS = 1 << 20


class Ids:
    """Makes names such as `req_01kasx9r5m000010d5v8k2mz3q7w` (26 characters after the prefix), well under 1 µs each.

    Like a ULID: 10 characters are Unix milliseconds, 4 count within the millisecond, 12 are random and the process's
    own. Names of one instance rise strictly, also when the clock steps back. One instance per process, made after any
    fork (a fork would share the random part); used from one thread.
    """

    __slots__ = ("_base", "_count", "_millis", "_own", "_prefix", "_second", "_seconds")

    def __init__(self, prefix: str = REQUEST) -> None:
        self._prefix = prefix
        self._own = "".join(secrets.choice(ALPHABET) for _ in range(12))
        self._millis = 0
        self._count = 0
        self._base = self._second = ""
        self._seconds = -1

    def __call__(self) -> str:
        millis = time.time_ns() // 1_000_000
        if millis > self._millis:
            self._turn(millis)
        count = self._count
        if count == _COUNTS:
            self._turn(self._millis + 1)
            count = 0
        self._count = count + 1
        return f"{self._base}{_PAIRS[count >> 10]}{_PAIRS[count & 1023]}{self._own}"

    def _turn(self, millis: int) -> None:
        self._millis = millis
        self._count = 0
        seconds = millis >> 10
        if seconds != self._seconds:
            self._seconds = seconds
            places = (_PAIRS[(seconds >> shift) & 1023] for shift in (30, 20, 10, 0))
            self._second = self._prefix + "".join(places)
        self._base = self._second + _PAIRS[millis & 1023]


SHORT = slice(8, 19)
"""Of a name the time within 12 days, the count within the millisecond, one character of the process."""
_CYCLE = 30
"""Bits of the milliseconds that are in the short form."""


def beginnings(short: str, since: float, until: float) -> list[str]:
    """What names begin with whose short form this is, and that were made between two moments (Unix seconds)."""
    first, last = (max(int(moment * 1000), 0) >> _CYCLE for moment in (since, until))
    return [f"req_{_PAIRS[cycle >> 10 & 1023]}{_PAIRS[cycle & 1023]}{short}" for cycle in range(first, last + 1)]


def name_task(id: str, trace: str = "") -> None:
    """The running task is about this request, and this trace if there is one: what it logs says so. In the task's name,
    as a context variable would be held by all that is begun meanwhile, connections that outlive it, too."""
    task = asyncio.current_task()
    if task is not None:
        task.set_name(f"{id} {trace}" if trace else id)


def named_task() -> tuple[str, str] | None:
    """The request that the running task is about, and its trace or ""; None where it is about none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    if task is None or not (name := task.get_name()).startswith(REQUEST):
        return None
    id, _, trace = name.partition(" ")
    return id, trace
