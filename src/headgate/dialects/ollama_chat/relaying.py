"""Passes replies of Ollama on byte for byte and reads what the record needs; a part of `ollama_chat`.

Stream format: https://docs.ollama.com/api/streaming, JSON lines of which the last one says `"done":true`.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

import msgspec

from headgate.core import dialect
from headgate.core.errors import ProviderNonsense
from headgate.dialects.framing import LineCutter, may_be_error
from headgate.dialects.ollama_chat.errors import inside
from headgate.dialects.ollama_chat.words import read_usage

_NEWS = re.compile(rb'"done"\s*:\s*true|"error"')
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Account(dialect.Account):
    """What is known of the reply so far."""

    __slots__ = ()

    def hear(self, line: bytes) -> None:
        """Take one line, or a whole reply. Raises ProviderNonsense for anything else."""
        value = decode(line)
        if value.get("error"):
            self.failed = inside(value, line)
            return
        message = value.get("message")
        if not isinstance(message, dict) and "response" not in value:
            raise nonsense(line)
        said = message if isinstance(message, dict) else value
        self.started = self.started or any(
            said.get(key) for key in ("content", "thinking", "tool_calls", "response", "image")
        )
        if value.get("done") is True:
            reason = value.get("done_reason")
            self.finish = reason if isinstance(reason, str) else "stop"
            usage = read_usage(value)
            self.usage = usage if usage.reported else None
            self.complete = True


def decode(line: bytes) -> dict[str, Any]:
    """One line, or a whole reply, as an object. Raises ProviderNonsense."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise nonsense(line) from None


def nonsense(data: bytes) -> ProviderNonsense:
    """The error for bytes that are no reply of this API, with their beginning."""
    text = data.strip()
    if not text:
        return ProviderNonsense("the provider's reply is empty")
    start = text[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"the provider's reply is not what Ollama's API promises; it begins with {start!r}")


class StreamRelay(Account):
    """Lines before the last one, the great mass, are not decoded once the answer has begun."""

    __slots__ = ("_begun", "_cutter")

    def __init__(self) -> None:
        super().__init__()
        self._cutter = LineCutter()
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        whole = self._cutter.feed(data)
        if not whole:
            check_start(bytes(self._cutter.held), self._begun)
            return b""
        if self.started and not _NEWS.search(whole):
            return whole
        passed = 0
        for line in whole.splitlines(keepends=True):
            passed += len(line)
            if line.strip():
                self._look(line.strip())
            if self.complete or self.failed:
                break
        return whole[:passed]

    def end(self) -> bytes:
        """The last line may lack its end."""
        if self.complete or self.failed:
            return b""
        rest = bytes(self._cutter.held)
        if is_line(rest, self._begun):
            self.hear(rest.strip())
        return rest if self.complete or self.failed else b""

    def _look(self, line: bytes) -> None:
        self.hear(line)
        self._begun = True


class WholeRelay(Account):
    """Fed in one piece."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for anything but a reply, ProviderRefused for an error that came as a 200."""
        self.hear(data)
        if self.failed is not None:
            raise self.failed
        self.started = True
        return data

    def end(self) -> bytes:
        if not self.complete:
            refuse_unfinished()
        return b""


def is_line(rest: bytes, begun: bool) -> bool:
    """Whether what is left at the end is a line that lacks nothing but its own end.

    Raises ProviderNonsense where no line came before it (`begun`) and it is none.
    """
    rest = rest.strip()
    if not begun:
        decode(rest)
        return True
    try:
        return rest.endswith(b"}") and bool(decode(rest))
    except ProviderNonsense:
        return False


def refuse_unfinished() -> NoReturn:
    raise ProviderNonsense("the provider's reply lacks its end")


def check_start(held: bytes, begun: bool) -> None:
    """Raises as soon as what came instead of the first line is known to be none: HTML or text."""
    if not begun and held.strip() and not may_be_error(held, len(held)):
        raise nonsense(held)
