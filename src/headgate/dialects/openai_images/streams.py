"""Streams of OpenAI's images API, passed on, read and written; a part of `openai_images`.

Format: https://platform.openai.com/docs/api-reference/images-streaming. Each picture ends in an event of its own
(`image_generation.completed`, `image_edit.completed`), after those of its unfinished states.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.core.events import Event, Failed, Native, Result, Start, Stop, Used
from headgate.core.images import Images, Picture
from headgate.core.usage import Usage
from headgate.dialects import whole
from headgate.dialects.framing import (
    LONGEST_ERROR,
    Cutter,
    EventStream,
    frames,
    is_event_stream,
    may_be_error,
    mended_end,
    read_frame,
)
from headgate.dialects.openai_errors import inside
from headgate.dialects.openai_images.replies import item, picture, read_usage, write_usage

_COMPLETED = ".completed"
_LIMIT = 64 * 1024 * 1024
"""Bytes one event may have: a picture in base64."""
_WHAT = "a stream of pictures"
LIKE = {"background": "auto", "output_format": "png", "quality": "auto", "size": "auto"}
"""What a picture's event says of it, and what it is where nothing was asked for."""
_event = msgspec.json.Decoder(dict[str, Any])


class _Head(msgspec.Struct, gc=False):
    """What a record needs of an event."""

    type: str = ""
    usage: Any = None
    error: Any = None


_head = msgspec.json.Decoder(_Head)
_decode = msgspec.json.Decoder().decode


def check_start(held: bytes) -> None:
    """Raises as soon as what came instead of a stream is known: HTML or text at once, JSON when it is whole."""
    if is_event_stream(held):
        return
    if may_be_error(held, LONGEST_ERROR) and held.rstrip()[-1:] != b"}":
        return
    value = whole.decoded(_event, held, _WHAT)
    if value.get("error"):
        raise inside(value, held)
    raise whole.nonsense(held, _WHAT, "one JSON")


class StreamRelay(Account):
    """The bytes of a stream as they are. It is at its end when as many pictures as were asked for have come, or, where
    fewer are given, with the body."""

    __slots__ = ("_begun", "_cutter", "_missing")

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        n = request.get("n")
        self._missing = n if type(n) is int and n > 0 else 1
        self._begun = False
        self._cutter = Cutter(_LIMIT)

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        data = self._cutter.feed(data)
        if not data and not self._begun:
            check_start(self._cutter.rest)
        passed = 0
        for frame in frames(data):
            passed += len(frame)
            self._hear(frame)
            if self.complete:
                return mended_end(data[:passed])
        return data

    def end(self) -> bytes:
        rest = self._cutter.rest
        if not self._begun and rest.strip():
            check_start(rest)
        self.complete = self.complete or (self.finish is not None and self.failed is None)
        return b""

    def _hear(self, frame: bytes) -> None:
        event = read_frame(frame)
        if not self._begun:
            check_start(frame)
            self._begun = event is not None
        if event is None or event[1][:6] == b"[DONE]":
            return
        head = whole.decoded(_head, event[1], _WHAT)
        if head.error:
            self.failed = inside(_decode(event[1]), event[1])
            return
        self.started = True
        if head.type.endswith(_COMPLETED):
            self.usage = summed(self.usage, read_usage(head.usage, 1))
            self.finish = "stop"
            self._missing -= 1
            self.complete = not self._missing


def summed(before: Usage | None, more: Usage) -> Usage:
    """Each picture reports its own."""
    if before is None:
        return more
    classes = ("input", "input_image", "output", "output_image")
    sums = {name: getattr(before, name) + getattr(more, name) for name in classes}
    units = {"images": before.units["images"] + more.units["images"]}
    return Usage(**sums, units=units, reported=more.reported)


class StreamReader:
    """A stream as events: unfinished pictures are native, the finished ones come together at its end."""

    __slots__ = ("_begun", "_done", "_failed", "_frames", "_name", "_pictures", "_usage")

    def __init__(self, name: str) -> None:
        self._name = name
        self._frames = EventStream(_LIMIT)
        self._pictures: list[Picture] = []
        self._usage: Usage | None = None
        self._begun = False
        self._failed = False
        self._done = False

    def feed(self, data: bytes) -> list[Event]:
        found: list[Event] = []
        for _, payload in self._frames.feed(data):
            if payload[:6] != b"[DONE]" and not self._failed:
                found += self._take(payload)
        if not self._begun and not found:
            check_start(self._frames.rest)
        return found

    def end(self) -> list[Event]:
        if self._done or self._failed:
            return []
        self._done = True
        if not self._pictures:
            return [Stop(reason="cut")]
        result = Result(value=Images(pictures=self._pictures))
        return [result, Used(usage=self._usage or Usage()), Stop(reason="stop")]

    def _take(self, payload: bytes) -> list[Event]:
        event = whole.decoded(_event, payload, _WHAT)
        found: list[Event] = []
        if event.get("error"):
            self._begun = self._failed = True
            return [Failed(error=inside(event, payload))]
        if not self._begun:
            self._begun = True
            found.append(Start(created=whole.count(event.get("created_at"))))
        kind = whole.text(event.get("type"))
        if kind.endswith(_COMPLETED):
            known = ("type", "usage", "created_at")
            self._pictures.append(picture({k: v for k, v in event.items() if k not in known}, payload))
            self._usage = summed(self._usage, read_usage(event.get("usage"), 1))
        else:
            found.append(Native(dialect=self._name, name=kind, value=event))
        return found


class StreamWriter:
    """Events as a stream. Pictures are written at the end, when what they cost is known; what they are like, of which
    every such event speaks, is told as it was asked for."""

    __slots__ = ("_asked", "_created", "_lost", "_name", "_native", "_pictures", "_prefix", "_usage")

    def __init__(self, name: str, prefix: str, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._asked = {field: request.get(field) or usual for field, usual in LIKE.items()}
        self._name = name
        self._prefix = prefix
        self._lost = lost
        self._created = 0
        self._pictures: list[Picture] = []
        self._usage: Usage | None = None
        self._native: dict[str, Any] = {}

    def feed(self, events: Sequence[Event]) -> bytes:
        frames = []
        for event in events:
            match event:
                case Start(created=created):
                    self._created = created
                case Native(name=name, value=value) if event.dialect == self._name and isinstance(value, dict):
                    frames.append(_frame(name, value))
                case Native(name=name, value=value) if event.dialect == self._name:
                    self._native[name] = value
                case Native(name=name):
                    self._lost.append(Loss(f"reply.{name}", whole.ANOTHER))
                case Result(value=Images(pictures=pictures)):
                    self._pictures = pictures
                case Used(usage=usage):
                    self._usage = usage
                case Failed(error=error):
                    raise error
                case Stop(reason=reason) if reason != "cut":
                    frames += self._finished()
        return b"".join(frames)

    def end(self) -> bytes:
        return b""

    def _finished(self) -> list[bytes]:
        """The tokens of all of them stand with the last."""
        if not self._pictures:
            raise ProviderNonsense("the provider's reply holds no picture")
        found = []
        for number, one in enumerate(self._pictures, 1):
            kind = self._prefix + _COMPLETED
            fields = {"type": kind, "created_at": self._created, **self._asked, **self._native, **item(one)}
            usage = write_usage(self._usage) if number == len(self._pictures) else None
            found.append(_frame(kind, whole.set_fields(fields, usage=usage)))
        return found


def _frame(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + whole.encode(fields) + b"\n\n"
