"""An answer that is kept, as a provider would give it: at once, or as slowly as is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec

from headgate.core.cached import Entry
from headgate.core.dialect import Dialect
from headgate.core.events import Event, Refusal, Text, Thinking, ToolInput
from headgate.core.replay import Replay
from headgate.core.reply import Reply

LETTERS = 4
"""Of a token, about."""
TICK = 0.02
"""Seconds between two pieces, at least."""
Worded = Text | Refusal | Thinking


def whole(entry: Entry, dialect: Dialect) -> Reply:
    """To be begun: what there is of it is there at once."""
    if entry.stream:
        return Reply(dialect, True, b"", Replay(entry.body))
    return Reply(dialect, False, entry.body)


def paced(entry: Entry, dialect: Dialect, pace: float) -> Reply:
    """A stream, begun: so many tokens of it a second; 0: as many as its provider gave. Raises GatewayError where it
    cannot be read."""
    reader = dialect.reader(entry.stream)
    events = [*reader.feed(entry.body), *reader.end()]
    letters = sum(map(_letters, events))
    speed = pace * LETTERS if pace else letters / max(entry.took, 0.001)
    reply = Reply(dialect, True, b"", Replay(b""))
    reply.source = Paced(reply, events, speed)
    return reply


class Paced:
    """The events of an answer, so many letters a second: one timer at a time, which ends with whoever waits for it."""

    __slots__ = ("_events", "_reply", "_speed")

    def __init__(self, reply: Reply, events: list[Event], speed: float) -> None:
        self._reply = reply
        self._events = events
        self._speed = speed

    async def __call__(self) -> AsyncIterator[list[Event]]:
        clock = asyncio.get_running_loop().time
        began, given = clock(), 0
        due: list[Event] = []
        for event in pieces(self._reply.identified(self._events), max(LETTERS, int(self._speed * TICK))):
            letters = _letters(event)
            wait = began + given / self._speed - clock() if letters else 0.0
            if wait > 0:
                yield due
                due = []
                await asyncio.sleep(wait)
            given += letters
            due.append(event)
        yield due


def pieces(events: Sequence[Event], letters: int) -> Iterator[Event]:
    """The same events, of whose words none has more than so many letters; a text with probabilities stays whole."""
    for event in events:
        if isinstance(event, ToolInput) and len(event.json) > letters:
            for start in range(0, len(event.json), letters):
                yield msgspec.structs.replace(event, json=event.json[start : start + letters])
        elif isinstance(event, Worded) and len(event.text) > letters and not getattr(event, "logprobs", None):
            yield from _cut(event, letters)
        else:
            yield event


def _cut(event: Worded, letters: int) -> Iterator[Event]:
    """What is beside the words of a thought stands at its end."""
    text = event.text
    last = (len(text) - 1) // letters * letters
    for start in range(0, last, letters):
        piece = text[start : start + letters]
        if isinstance(event, Thinking):
            yield Thinking(text=piece, choice=event.choice, block=event.block, signer=event.signer)
        else:
            yield msgspec.structs.replace(event, text=piece)
    yield msgspec.structs.replace(event, text=text[last:])


def _letters(event: Event) -> int:
    if isinstance(event, ToolInput):
        return len(event.json)
    return len(event.text) if isinstance(event, Worded) else 0
