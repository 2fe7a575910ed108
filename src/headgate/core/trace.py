"""The trace that a request is part of (https://www.w3.org/TR/trace-context/): read, begun, told on, kept."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from random import getrandbits
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from headgate.core.exchange import Exchange

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
    """A request's part in a trace, as its record has it. `id` and span ids are hexadecimal."""

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


@dataclass(slots=True, frozen=True)
class Sampling:
    """Of which requests spans are made."""

    ratio: float = 0.0
    follow: bool = True
    """A client's own decision counts instead of `ratio`, once it is known who it is."""
    failed: bool = True
    """Of those that fail or break off, anyhow."""
    slower_than: float = inf
    """Seconds: of those that take so long, anyhow."""


class Tracing:
    """The trace of a request under way. It has a name only when somebody is told of it: most are heard of by nobody."""

    __slots__ = ("_id", "_low", "_span", "marks", "said", "sampled", "sampling")

    def __init__(self, sampling: Sampling, below: int, headers: Headers) -> None:
        """Of traces that begin here, those are sampled whose id's lower half is less than `below`: the share goes by
        the id, so that all who are asked for it choose the same ones."""
        self.sampling = sampling
        self.marks: list[tuple[str, float]] = []
        """When stages began (`time.perf_counter()`) that say so, in their order; `authenticate` is the first."""
        self.said: Said | None = None
        self._id = self._span = ""
        for name, _ in headers:
            if name == PARENT:
                self.said = said(headers)
                break
        if self.said is None:
            self._low = getrandbits(64)
            self.sampled = self._low < below
        else:
            self._id = self.said.id
            self.sampled = self.said.sampled if sampling.follow else int(self._id[16:], 16) < below

    @property
    def id(self) -> str:
        if not self._id:
            self._id = f"{getrandbits(64) or 1:016x}{self._low:016x}"
        return self._id

    @property
    def span(self) -> str:
        self._span = self._span or new_span()
        return self._span

    def kept(self, exchange: Exchange) -> bool:
        """Whether spans are made of it, as far as is known now."""
        if self.sampled and (self.said is None or exchange.caller is not None):  # strangers decide nothing
            return True
        sampling = self.sampling
        if sampling.failed and exchange.record.ending in ("failed", "cut"):
            return True
        return sampling.slower_than != inf and time.perf_counter() - exchange.clock >= sampling.slower_than

    def told(self, span: str) -> list[tuple[bytes, bytes]]:
        """The headers by which whoever is asked makes its spans part of the trace, below `span`."""
        flags = "01" if self.sampled else "00"
        headers = [(PARENT, f"00-{self.id}-{span}-{flags}".encode())]
        if self.said is not None and self.said.state is not None:
            headers.append((STATE, self.said.state.encode()))
        return headers

    def over(self) -> Trace:
        """For the record."""
        known = self.said
        if known is None:
            return Trace(self.id, self.span, sampled=self.sampled)
        return Trace(self.id, self.span, known.parent, known.state, self.sampled)


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
