"""Passes replies of OpenAI's Chat Completions API on as they came; a part of the dialect `openai_chat`.

The gateway asks every stream for its usage. Where the client did not, what that added is taken out again: the chunk
that has only the usage, and `"usage":null` in all others
(https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options). That is found by its bytes as
long as there are no more of them than frames: one in a frame is taken for the chunk's own, also where a host that
says none of the chunk says it of something inside a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.dialect import Account
from headgate.core.errors import InvalidRequest, ProviderNonsense
from headgate.dialects.dialect import decode as decode_strictly
from headgate.dialects.dialect import patch
from headgate.dialects.framing import LONGEST_ERROR, Cutter, is_event_stream, passed, read_frame
from headgate.dialects.openai_chat.reading import Chunk, check_start, nonsense, read_chunk, read_whole
from headgate.dialects.openai_errors import decode, inside
from headgate.dialects.openai_usage import read_usage

_DONE = b"data: [DONE]\n\n"


class WholeRelay(Account):
    """A reply in one piece."""

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for what is no reply, ProviderRefused for an error with status 200."""
        if self.complete:
            return b""
        reply = read_whole(data)
        assert reply.choices
        if isinstance(reply.usage, dict):
            self.usage = read_usage(reply.usage, reply.service_tier)
        if isinstance(reply.id, str):
            self.id = reply.id
        self.finish = reply.choices[0].finish_reason
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        return b""


def choices_of(request: Mapping[str, Any]) -> int:
    """How many choices a request asks for; 1 where it says nothing that makes sense."""
    asked = request.get("n")
    return int(asked) if isinstance(asked, int | float) and asked > 1 else 1


class StreamRelay(Account):
    """A stream. Its chunks are decoded only until the answer begins, and where their bytes say there is news."""

    __slots__ = (
        "_begun",
        "_cutter",
        "_finished",
        "_going_on",
        "_many",
        "_null",
        "_seen",
        "_strip",
        "_wanted",
        "_watch",
    )

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        options = request.get("stream_options")
        self._strip = not (isinstance(options, Mapping) and options.get("include_usage") is True)
        self._wanted = choices_of(request)
        self._many = self._wanted > 1
        self._watch = True
        self._begun = False
        self._style(b"")
        self._cutter = Cutter()
        self._seen: set[int] = set()
        self._finished: set[int] = set()

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        if self._cutter.held or not data.endswith(b"\n\n"):
            data = self._cutter.feed(data)
            if not data:
                if not (self._begun or is_event_stream(self._cutter.head)):
                    check_start(self._cutter.rest, LONGEST_ERROR)
                return data
        find, count = data.find, data.count  # `in` takes twice as long, and this runs for every frame
        usage = count(b'"usage"')
        if (
            self._watch
            or find(b"[DONE]") >= 0
            or find(b'"error"') >= 0
            or count(b'"finish_reason"') != count(self._going_on)
            or (usage and (usage != count(self._null) or (self._strip and usage > count(b"\n\n"))))
        ):
            return self._look(data)
        if usage and self._strip:
            return data.replace(self._null, b"")
        return data

    def _style(self, space: bytes) -> None:
        """How this host says that there is no news, by whether it writes a space after colons and commas.

        Whatever is spelt otherwise is read, so a host that mixes both styles costs time and nothing else.
        """
        self._going_on = b'"finish_reason":%bnull' % space
        self._null = b',%b"usage":%bnull' % (space, space)

    def end(self) -> bytes:
        """Raises ProviderNonsense or ProviderRefused when what came was no stream at all."""
        if self.complete:
            return b""
        rest = self._cutter.rest.strip()
        if not self._begun and rest:
            check_start(rest)
            if rest[:1] == b"{":
                raise nonsense(rest, "a stream was asked for")
        finished = self._seen == self._finished and len(self._finished) >= self._wanted
        if self._seen and (finished or rest in (b"data: [DONE]", b"data:[DONE]")):
            self.complete = True
            return _DONE
        return b""

    def _look(self, data: bytes) -> bytes:
        """Read each of these frames; give those that go on."""
        return passed(data, self._inspect, self)

    def _inspect(self, frame: bytes) -> bytes:
        event = read_frame(frame)
        if event is None:
            if not (self._begun or is_event_stream(frame)):
                raise nonsense(frame, "not an event stream")
            return frame
        payload = event[1]
        if payload[:6] == b"[DONE]":
            if not self._seen and self.failed is None:
                raise nonsense(payload, "no choices")
            self.complete = True
            return frame
        try:
            chunk = read_chunk(payload)
        except ProviderNonsense:
            if not self._begun:
                raise
            return frame  # unknown to us, perhaps not to the client
        if not self._begun and chunk.choices is None and not (chunk.error or chunk.usage):
            raise nonsense(payload, "no choices")
        if not self._begun:
            self._begun = True
            self._style(b" " if payload.find(b'"choices": ') >= 0 else b"")
        self._hear(chunk, payload)
        if self._strip:
            if self.usage is not None and not chunk.choices and isinstance(chunk.usage, dict) and not chunk.error:
                return b""
            return self._without_null(frame, payload)
        return frame

    def _without_null(self, frame: bytes, payload: bytes) -> bytes:
        """The frame without the `"usage":null` that stands beside its choices, wherever that is."""
        named = frame.count(b'"usage"')
        if named == 0:
            return frame
        if named == 1 and frame.find(self._null) >= 0:
            return frame.replace(self._null, b"")
        try:
            fields = decode_strictly(payload)
        except InvalidRequest:
            return frame
        if fields.get("usage", 0) is not None:
            return frame
        return frame.replace(payload, patch(payload, {"usage": None}, fields))

    def _hear(self, chunk: Chunk, payload: bytes) -> None:
        if self.id is None and isinstance(chunk.id, str) and chunk.id:
            self.id = chunk.id
        for choice in chunk.choices or ():
            self._seen.add(choice.index)
            delta = choice.delta
            if not self.started and delta is not None:
                self.started = bool(
                    delta.content
                    or delta.tool_calls
                    or delta.reasoning_content
                    or delta.reasoning
                    or delta.refusal
                    or delta.function_call
                    or delta.audio
                )
                self._watch = self._many or not self.started
            if choice.finish_reason:
                self._finished.add(choice.index)
                if choice.index == 0:
                    self.finish = choice.finish_reason
        usage = chunk.usage or (chunk.x_groq.get("usage") if isinstance(chunk.x_groq, dict) else None)
        if usage and isinstance(usage, dict):
            self.usage = read_usage(usage, chunk.service_tier)
        if chunk.error:
            self.failed = inside(decode(payload), payload)
