"""Ollama's embeddings: https://docs.ollama.com/api/embed; the older form of them stands beside it in `embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.fields import optional, others, string, wrong
from headgate.dialects.ollama_chat.errors import inside, read_error, write_error
from headgate.dialects.ollama_chat.words import EMBED
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, takes, wanted

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
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]
name = EMBED
operation: Operation = "embeddings"
paths = ["/api/embed"]
upstream_path = "/api/embed"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Ollama"
_FIELDS = frozenset({"model", "input", "truncate", "dimensions", "stream"})
_WHAT = "a list of embeddings"


class _Reply(msgspec.Struct, gc=False):
    embeddings: msgspec.Raw = msgspec.Raw()
    model: Any = None
    prompt_eval_count: Any = None
    error: Any = None


_reply = msgspec.json.Decoder(_Reply)
_floats = msgspec.json.Decoder(list[list[float]])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_decode = msgspec.json.Decoder().decode
_KNOWN = frozenset({"embeddings", "model", "prompt_eval_count"})


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    given = fields.get("input")
    if not isinstance(given, str) and (not isinstance(given, list) or not given):
        raise wrong("input", "a string, or a list of strings that is not empty", given)
    inputs: list[Input] = [given] if isinstance(given, str) else []
    if isinstance(given, list):
        inputs += (string(text, f"input[{index}]") for index, text in enumerate(given))
    cut = optional(fields, "truncate", bool)
    return EmbeddingsRequest(
        dialect=name,
        model=fields["model"],
        inputs=inputs,
        single=isinstance(given, str),
        dimensions=optional(fields, "dimensions", int),
        truncate=None if cut is None else "end" if cut else "none",
        native=others(fields, _FIELDS),
        names={"inputs": "input"},
    )


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    texts = vectors.texts(request, API)
    fields = whole.set_fields(
        {"model": request.model, "input": texts[0] if request.single else texts},
        truncate=None if request.truncate is None else request.truncate != "none",
        dimensions=request.dimensions,
    )
    if request.dialect == name:
        return whole.encode({**fields, **request.native})
    vectors.only(request, ("float",), API)
    if request.truncate == "start":
        lost.append(Loss(request.called("truncate"), f"{API} cuts the end off an input that is too long"))
    vectors.leave(request, ("purpose", "title", "user"), API, lost)
    vectors.leave_native(request, lost)
    return whole.encode(fields)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    reply = whole.decoded(_reply, body, _WHAT)
    if reply.error:
        raise inside(_decode(body), body)
    if whole.first_byte(reply.embeddings) != b"[":
        raise whole.nonsense(body, _WHAT, "no `embeddings`")
    usage = None
    if reply.prompt_eval_count is not None:
        usage = Usage(
            input=whole.count(reply.prompt_eval_count), reported={"prompt_eval_count": reply.prompt_eval_count}
        )
    said = whole.Said(usage=usage, model=whole.text(reply.model))
    if deep:
        said.value = Embeddings(vectors={"float": [*whole.decoded(_floats, reply.embeddings, _WHAT)]})
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: _decode(value) for key, value in members.items() if key not in _KNOWN}
    return said


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    fields = {"model": said.model or whole.text(request.get("model")), "embeddings": vectors.plain(said.value)}
    return whole.set_fields(fields, prompt_eval_count=said.usage.prompt if said.usage else None)
