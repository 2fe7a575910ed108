"""What is told of a reply by its events, and what is kept of its text to count it by where nobody says its use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from headgate.core.dialect import Account
from headgate.core.events import (
    Audio,
    Event,
    Failed,
    Image,
    Refusal,
    Result,
    Start,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)

KEPT = 16 << 10
"""Bytes of a stream, or letters of each kind of text, that are kept to count by: the rest is taken to be like them."""


class Sample:
    """The beginning of a text that comes in pieces, and how long it is."""

    __slots__ = ("_texts", "kept", "size")

    def __init__(self) -> None:
        self.size = self.kept = 0
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        self.size += len(text)
        if self.kept < KEPT:
            kept = text[: KEPT - self.kept]
            self._texts.append(kept)
            self.kept += len(kept)

    @property
    def text(self) -> str:
        return "".join(self._texts)


EMPTY = Sample()
"""Before there is any text; nothing is added to it."""


class Tally(Account):
    """What a record needs to know of a reply, read from its events (the attributes of a Relay)."""

    __slots__ = ("said", "thought")

    def __init__(self) -> None:
        super().__init__()
        self.said = EMPTY
        """The text of it, the arguments of calls with it."""
        self.thought = EMPTY

    def hear(self, events: Sequence[Event]) -> None:
        if self.said is EMPTY:
            self.said, self.thought = Sample(), Sample()
        for event in events:
            if isinstance(event, Text | Refusal):
                self.started = True
                self.said.add(event.text)
            elif isinstance(event, Thinking):
                self.started = True
                self.thought.add(event.text)
            elif isinstance(event, ToolInput):
                self.said.add(event.json)
            elif isinstance(event, ToolCall):
                self.started = True
                self.said.add(event.name)
            elif isinstance(event, Image | Audio | Result):
                self.started = True
            elif isinstance(event, Start):
                self.id = event.id
            elif isinstance(event, Used):
                self.usage = event.usage
            elif isinstance(event, Stop):
                self.complete = event.reason != "cut"
                self.finish = self.finish or event.vendor or event.reason
            elif isinstance(event, Failed):
                self.failed = event.error


class Made(NamedTuple):
    """What there is of an answer: of its text, and of its thoughts, the beginning, and how many times as much it is."""

    said: str
    thought: str
    said_times: float = 1.0
    thought_times: float = 1.0


def made_of(first: Tally, later: Tally, times: float) -> Made:
    """Of what came first, and the sample of what came `later`, which was so many times as much."""
    return Made(
        first.said.text + later.said.text,
        first.thought.text + later.thought.text,
        _share(first.said, later.said, times),
        _share(first.thought, later.thought, times),
    )


def _share(first: Sample, later: Sample, times: float) -> float:
    kept = first.kept + later.kept
    return (first.size + later.size * times) / kept if kept else 1.0
