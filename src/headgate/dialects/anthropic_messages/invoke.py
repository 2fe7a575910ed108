"""Anthropic's Messages API as Amazon Bedrock's InvokeModel carries it: the same words in another envelope.

The model and the wish for a stream stand in the URL, `anthropic_version` and `anthropic_beta` in the body; a stream's
events come as base64 in Amazon's event stream. A request is one of `anthropic_messages`, so nothing is lost between the
two. https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.errors import InvalidRequest, ProviderNonsense
from headgate.core.events import Event
from headgate.core.marking import EVERYWHERE, Markable
from headgate.core.request import Operation
from headgate.dialects import bedrock_errors
from headgate.dialects.anthropic_messages import requests
from headgate.dialects.anthropic_messages.crossing import Crossing
from headgate.dialects.anthropic_messages.errors import write_error as write_event_error
from headgate.dialects.anthropic_messages.reading import StreamReader, WholeReader
from headgate.dialects.anthropic_messages.relaying import StreamRelay, WholeRelay
from headgate.dialects.anthropic_messages.words import DIALECT
from headgate.dialects.anthropic_messages.writing import StreamWriter, WholeWriter
from headgate.dialects.dialect import members, patch, segment
from headgate.dialects.event_stream import EVENT_STREAM, EventStream, Message, write_event
from headgate.dialects.framing import JSON, frames, read_frame
from headgate.dialects.signatures import holds_foreign

name = "anthropic_invoke"
operation: Operation = "chat"
paths = ["/model/{model}/invoke", "/model/{model}/invoke-with-response-stream"]
upstream_path = "/model/{model}/invoke"
in_url = True
takes: Literal["json"] = "json"
stream_types = (EVENT_STREAM,)
request_headers = frozenset(
    f"x-amzn-bedrock-{name}".encode()
    for name in (
        "trace",
        "guardrailidentifier",
        "guardrailversion",
        "performanceconfig-latency",
        "service-tier",
        "request-metadata",
        "projectidentifier",
    )
) | {b"x-amzn-trace-id"}
reply_headers = frozenset(
    {
        b"x-amzn-requestid",
        b"x-amzn-errortype",
        b"retry-after",
        b"x-amzn-bedrock-performanceconfig-latency",
        b"x-amzn-bedrock-service-tier",
        b"x-amzn-bedrock-invocation-latency",
        b"x-amzn-bedrock-input-token-count",
        b"x-amzn-bedrock-output-token-count",
        b"x-amzn-bedrock-cache-read-input-token-count",
        b"x-amzn-bedrock-cache-write-input-token-count",
    }
)

VERSION = "bedrock-2023-05-31"
"""The one `anthropic_version` there is."""
BETA = b"anthropic-beta"
_ENVELOPE = frozenset({"model", "stream", "anthropic_version"})
_encode = msgspec.json.Encoder().encode

read_error = bedrock_errors.read_error
write_error = bedrock_errors.write_error


class _Chunk(msgspec.Struct):
    """The payload of a message: base64 of one event's JSON (and padding, `p`)."""

    event: bytes = msgspec.field(name="bytes")


class _Count(msgspec.Struct):
    tokens: int = msgspec.field(name="inputTokens")


class _Typed(msgspec.Struct):
    type: str


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_Beta = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]+\Z")]
_decode_betas = msgspec.json.Decoder(list[_Beta]).decode
_decode_count = msgspec.json.Decoder(_Count).decode
_decode_type = msgspec.json.Decoder(_Typed).decode


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return EVENT_STREAM if stream else JSON


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": template.endswith("-stream")}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"/model/{segment(model)}/invoke{'-with-response-stream' if stream else ''}"


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded body and what the URL says → a request of `anthropic_messages`. Raises InvalidRequest."""
    if not isinstance(fields.get("anthropic_version"), str):
        raise InvalidRequest(
            "InvokeModel takes the body of Anthropic's Messages API here, with `anthropic_version`; "
            "for other models use Converse",
            param="anthropic_version",
        )
    return requests.read_request({key: value for key, value in fields.items() if key != "anthropic_version"})


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request in this envelope; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    fields = requests.write_own(request, said) if request.dialect == DIALECT else Crossing(request, said).fields()
    lost += fold(said)
    body = {key: value for key, value in fields.items() if key not in _ENVELOPE}
    return _encode({"anthropic_version": VERSION, **body})


def foreign(body: bytes) -> bool:
    return holds_foreign(body)


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return _Reader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return _Writer(lost) if stream else WholeWriter(lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return _Relay() if stream else WholeRelay()


def outside(body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """A request without its `anthropic_beta`, and the headers with it: there Anthropic's own API has its betas."""
    there = members(body)
    if "anthropic_beta" not in there:
        return body, headers
    said = [beta.strip() for name, value in headers if name == BETA for beta in value.split(b",")]
    try:
        said += [beta.encode() for beta in _decode_betas(there["anthropic_beta"])]
    except msgspec.ValidationError:
        raise InvalidRequest("`anthropic_beta` must be an array of names", param="anthropic_beta") from None
    kept = [header for header in headers if header[0] != BETA]
    if said:
        kept.append((BETA, b",".join(dict.fromkeys(said))))
    return patch(body, {"anthropic_beta": None}, there), kept


class Unpacker:
    """Messages of Amazon's event stream, split anywhere → the events they carry, as Anthropic's own API sends them."""

    types: tuple[bytes, ...] = stream_types

    def __init__(self) -> None:
        self._stream = EventStream()

    def feed(self, data: bytes) -> bytes:
        """The events these bytes complete, as server-sent events. Raises ProviderNonsense."""
        return b"".join(map(unpacked, self._stream.feed(data)))


class CountUnpacker:
    """CountTokens' answer → that of Anthropic's own API."""

    types: tuple[bytes, ...] = ()

    def feed(self, data: bytes) -> bytes:
        """The whole reply. Raises ProviderNonsense."""
        try:
            return _encode({"input_tokens": _decode_count(data).tokens})
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProviderNonsense("the provider's reply is not a count of tokens") from None


def counted(body: bytes) -> bytes:
    """The body of InvokeModel as CountTokens takes it."""
    return _encode({"input": {"invokeModel": {"body": base64.b64encode(body).decode()}}})


def unpacked(message: Message) -> bytes:
    """One message as a server-sent event: an exception is an `error`. Raises ProviderNonsense."""
    if message.kind != "event":
        return write_event_error(bedrock_errors.failed(message), "", streaming=True)
    if message.event != "chunk":
        return b""
    try:
        event = _decode_chunk(message.payload).event
        kind = _decode_type(event).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProviderNonsense("the provider sent an event that is not what the Messages API promises") from None
    # white space between the members of an object is all that a line break in it can be
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event.replace(b"\n", b"").replace(b"\r", b""))


def packed(data: bytes) -> bytes:
    """Whole server-sent events of Anthropic's API as messages of Amazon's event stream."""
    messages = []
    for frame in frames(data):
        event = read_frame(frame)
        if event is not None:
            messages.append(write_event("chunk", _encode({"bytes": base64.b64encode(event[1]).decode()})))
    return b"".join(messages)


class _Reader:
    def __init__(self) -> None:
        self._unpack = Unpacker()
        self._inner = StreamReader()

    def feed(self, data: bytes) -> list[Event]:
        return self._inner.feed(self._unpack.feed(data))

    def end(self) -> list[Event]:
        return self._inner.end()


class _Writer:
    def __init__(self, lost: list[Loss]) -> None:
        self._inner = StreamWriter(lost)

    def feed(self, events: Sequence[Event]) -> bytes:
        return packed(self._inner.feed(events))

    def end(self) -> bytes:
        return packed(self._inner.end())


class _Relay(StreamRelay):
    """The messages pass as they came; what the record needs is read from the events they carry."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        super().__init__()
        self._messages = EventStream()

    def feed(self, data: bytes) -> bytes:
        passed = []
        if not (self.complete or self.failed):
            for message in self._messages.feed(data):
                passed.append(message.raw)
                super().feed(unpacked(message))
                if self.complete or self.failed:
                    break
        return b"".join(passed)

    def end(self) -> bytes:
        return super().end() if self._begun else b""


def markable(model: str) -> Markable:
    """As in the Messages API."""
    return EVERYWHERE
