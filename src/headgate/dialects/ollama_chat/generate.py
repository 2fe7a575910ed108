"""Ollama's generate, which goes on from one prompt: https://docs.ollama.com/api/generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, Message, Part, Text, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.errors import Unsupported
from headgate.core.request import Operation
from headgate.dialects.fields import optional, others, string
from headgate.dialects.framing import JSON
from headgate.dialects.ollama_chat.crossing import Crossing
from headgate.dialects.ollama_chat.errors import read_error, write_error
from headgate.dialects.ollama_chat.reading import Reader as ReplyReader
from headgate.dialects.ollama_chat.relaying import StreamRelay, WholeRelay
from headgate.dialects.ollama_chat.requests import (
    SHARED,
    Fields,
    OwnRequest,
    read_images,
    read_shared,
    write_images,
    write_shared,
)
from headgate.dialects.ollama_chat.words import GENERATE, LINES
from headgate.dialects.ollama_chat.writing import StreamWriter, WholeWriter

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "reader",
    "relay",
    "reply_headers",
    "request_headers",
    "stream_default",
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]

ONE_QUESTION = "Ollama's generate answers one question; use its chat for a conversation"
name = GENERATE
operation: Operation = "chat"
paths = ["/api/generate"]
upstream_path = "/api/generate"
in_url = False
takes: Literal["json"] = "json"
stream_default = True
stream_types = (LINES, JSON)
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

_OWN = SHARED | {"prompt", "system", "images"}
_BOUND = {
    "raw": "only Ollama takes a prompt as it is; send a conversation to another API of it",
    "template": "only Ollama takes a template of the prompt; leave it out",
    "context": "only Ollama goes on from its own `context`; send the conversation instead",
    "suffix": "only Ollama fills in before a `suffix`; leave it out",
    **dict.fromkeys(("width", "height", "steps"), "only Ollama makes images by this path; leave it out"),
}
_encode = msgspec.json.Encoder().encode


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded body → the request: a system message, and a question with its images. Raises InvalidRequest."""
    system = optional(fields, "system", str)
    prompt = optional(fields, "prompt", str)
    parts: list[Part] = read_images(fields)
    if prompt:
        parts.append(Text(text=prompt))
    messages = [] if system is None else [Message(role="system", parts=[Text(text=system)], plain=True)]
    if parts or prompt is not None:
        messages.append(Message(role="user", parts=parts, plain=prompt is not None))
    request = OwnRequest(
        dialect=GENERATE,
        model=string(fields.get("model"), "model"),
        messages=messages,
        native=others(fields, _OWN),
    )
    request.bound = {key: why for key, why in _BOUND.items() if request.native.get(key)}
    read_shared(request, fields)
    return request


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as Ollama takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    if request.dialect == name:
        return _encode(_write_own(request))
    said: list[Loss] = []
    body = _encode(_write_other(request, said))
    lost += fold(said)
    return body


def _write_own(request: ChatRequest) -> Fields:
    fields: Fields = {"model": request.model}
    for message in request.messages:
        if message.role == "assistant":  # a stage has put it there
            raise Unsupported(ONE_QUESTION, param="messages")
        text = "".join(part.text for part in message.parts if isinstance(part, Text))
        images = write_images(message.parts)
        if text or message.plain:
            fields["system" if message.role == "system" else "prompt"] = text
        if images:
            fields["images"] = images
    fields.update(write_shared(request))
    fields.update((key, value) for key, value in request.native.items() if key != "options")
    return fields


def _write_other(request: ChatRequest, lost: list[Loss]) -> Fields:
    """A request of another dialect: one question, perhaps with a system prompt, and no tools."""
    fields = Crossing(request, lost).fields()
    if "tools" in fields:
        raise Unsupported("Ollama's generate calls no tools; use its chat", param="tools")
    entries: list[Fields] = fields.pop("messages")
    system = [entry["content"] for entry in entries if entry["role"] == "system"]
    rest = [entry for entry in entries if entry["role"] != "system"]
    if any(entry["role"] != "user" for entry in rest):
        raise Unsupported(ONE_QUESTION, param="messages")
    if system:
        fields["system"] = "\n\n".join(system)
    fields["prompt"] = "\n\n".join(entry["content"] for entry in rest)
    images = [image for entry in rest for image in entry.get("images", ())]
    return {**fields, "images": images} if images else fields


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return LINES if stream else JSON


def foreign(body: bytes) -> bool:
    """Never: what a reply of another dialect is said as here can be sent back as it is."""
    return False


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return ReplyReader(stream, name)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(name, lost) if stream else WholeWriter(name, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay()
