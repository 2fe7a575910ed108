"""The trace that a request is part of (https://www.w3.org/TR/trace-context/): read, begun, told on, kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import getrandbits
from typing import NamedTuple

import msgspec

Headers = Sequence[tuple[bytes, bytes]]

PARENT, STATE = b"traceparent", b"tracestate"
LONGEST_STATE = 512
"""Characters of the vendors' own part that are carried on."""
_FORM = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE = re.compile(rb"[ -~\t]*")
_SAMPLED = 1


class Said(NamedTuple):
    """What a client's headers say."""

    id: str
    parent: str
    sampled: bool
    state: str | None


class Trace(msgspec.Struct, omit_defaults=True):
    """A request's part in a trace. `id` and span ids are hexadecimal."""

    id: str
    span: str
    """Of the request itself."""
    parent: str | None = None
    """The client's span, as its headers say it."""
    state: str | None = None
    """The vendors' own part, as it came."""
    sampled: bool = False
    """It was decided at the beginning that spans are made of it."""
    kept: bool = False
    """They are: it was sampled, or has failed, or was slow."""
    stages: list[tuple[str, float]] = []
    """What it went through, and how many seconds after its arrival that began."""
    method: str = "POST"
    route: str | None = None
    """The path's form, where it is another than the path."""
    operation: str = "chat"

    def told(self, span: str) -> list[tuple[bytes, bytes]]:
        """The headers by which whoever is asked makes its spans part of the trace, below `span`."""
        flags = "01" if self.sampled else "00"
        headers = [(PARENT, f"00-{self.id}-{span}-{flags}".encode())]
        if self.state is not None:
            headers.append((STATE, self.state.encode()))
        return headers


def said(headers: Headers) -> Said | None:
    """None where there is no `traceparent`, or one that is none: the trace begins here then."""
    found = [value for name, value in headers if name == PARENT]
    if len(found) != 1:
        return None
    match = _FORM.fullmatch(found[0])
    if match is None or (match[5] is not None and match[1] == b"00"):  # later versions may have more
        return None
    state = b",".join(value for name, value in headers if name == STATE)
    fits = state and len(state) <= LONGEST_STATE and _STATE.fullmatch(state) is not None
    return Said(
        match[2].decode(), match[3].decode(), bool(int(match[4], 16) & _SAMPLED), state.decode() if fits else None
    )


def new_span() -> str:
    return f"{getrandbits(64) or 1:016x}"


def new_trace() -> tuple[str, int]:
    """An id, and its lower half as a number: the share of traces that are sampled goes by it everywhere."""
    low = getrandbits(64) or 1
    return f"{getrandbits(64):016x}{low:016x}", low
