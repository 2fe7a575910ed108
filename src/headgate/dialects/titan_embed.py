"""Amazon's Titan embeddings, as Bedrock's InvokeModel takes them.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and, of pictures,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-mm.html

A request has one input. Several are said as one request with lists in it, which `apart` makes as many requests of, and
`together` makes one reply of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Bytes, Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Vector
from headgate.core.errors import Unsupported
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.bedrock_errors import read_error, write_error
from headgate.dialects.dialect import segment
from headgate.dialects.fields import array, optional, others, string, wrong
from headgate.dialects.whole import content_type, foreign, stream_types, takes, wanted

__all__ = [
    "apart",
    "content_type",
    "foreign",
    "in_url",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "read_url",
    "reader",
    "relay",
    "reply_headers",
    "request_headers",
    "stream_types",
    "takes",
    "together",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "write_url",
    "writer",
]
name = "titan_embed"
operation: Operation = "embeddings"
paths: list[str] = []
upstream_path = "/model/{model}/invoke"
in_url = True
request_headers: frozenset[bytes] = frozenset()
reply_headers = frozenset({b"x-amzn-requestid"})

API = "Titan's embeddings API"
_TEXT, _IMAGE = "inputText", "inputImage"
_LENGTH = "outputEmbeddingLength"
_FIELDS = frozenset({"model", "stream", _TEXT, _IMAGE, "dimensions", "embeddingTypes", "embeddingConfig"})
_WHAT = "an embedding"
_KNOWN = frozenset({"embedding", "embeddingsByType", "inputTextTokenCount"})


class _Reply(msgspec.Struct, gc=False):
    embedding: list[float] | None = None
    embeddingsByType: dict[str, list[float] | None] | None = None
    inputTextTokenCount: Any = None


_reply = msgspec.json.Decoder(_Reply)
_replies = msgspec.json.Decoder(list[_Reply])
_members = msgspec.json.Decoder(dict[str, Any])
_several = msgspec.json.Decoder(list[dict[str, Any]])


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": False}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"/model/{segment(model)}/invoke"


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    config = optional(fields, "embeddingConfig", dict) or {}
    native = others(fields, _FIELDS)
    if config.keys() - {_LENGTH}:
        native["embeddingConfig"] = {key: value for key, value in config.items() if key != _LENGTH}
    listed = isinstance(fields.get(_TEXT), list) or isinstance(fields.get(_IMAGE), list)
    texts, images = (_column(fields, key, listed) for key in (_TEXT, _IMAGE))
    if len(texts) != len(images):
        raise wrong(_IMAGE, f"a list of {len(texts)}", images)
    size = optional(config, _LENGTH, int, "embeddingConfig.")
    request = EmbeddingsRequest(
        dialect=name,
        model=fields["model"],
        inputs=[_input(*pair) for pair in zip(texts, images, strict=True)],
        single=not listed,
        dimensions=optional(fields, "dimensions", int) if size is None else size,
        native=native,
        names={"inputs": _TEXT, "encodings": "embeddingTypes"},
    )
    if size is not None:
        request.names["dimensions"] = f"embeddingConfig.{_LENGTH}"
    types = fields.get("embeddingTypes")
    if types is not None:
        listed_types = array(types, "embeddingTypes")
        request.encodings = [string(one, f"embeddingTypes[{n}]") for n, one in enumerate(listed_types)]
    return request


def _column(fields: Mapping[str, Any], key: str, listed: bool) -> list[str | None]:
    """The texts, or the pictures, of all inputs; None for those that have none."""
    value = fields.get(key)
    if not listed:
        return [optional(fields, key, str)]
    if value is None:
        other = fields[_IMAGE if key == _TEXT else _TEXT]
        return [None] * len(other)
    return [None if one is None else string(one, f"{key}[{n}]") for n, one in enumerate(array(value, key))]


def _input(text: str | None, image: str | None) -> Input:
    if image is None:
        return string(text, _TEXT)
    parts: list[chat.Part] = [chat.Image(source=Bytes(image))]
    return Mixed(parts=[chat.Text(text=text), *parts] if text is not None else parts)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    own = request.dialect == name
    fields = _inputs(request)
    if request.dimensions is not None:
        if "." in request.called("dimensions") if own else "embed-image" in request.model:
            fields["embeddingConfig"] = {_LENGTH: request.dimensions}
        else:
            fields["dimensions"] = request.dimensions
    if own:
        config = {**fields.pop("embeddingConfig", {}), **request.native.get("embeddingConfig", {})}
        fields = whole.set_fields(fields, embeddingTypes=request.encodings or None, embeddingConfig=config or None)
        return whole.encode({**request.native, **fields})
    encodings = vectors.only(request, ("float", "binary"), API)
    vectors.leave(request, ("purpose", "title", "user"), API, lost)
    if request.truncate not in (None, "none"):
        lost.append(Loss(request.called("truncate"), f"{API} never cuts an input: one that is too long is an error"))
    vectors.leave_native(request, lost)
    return whole.encode(whole.set_fields(fields, embeddingTypes=encodings if "binary" in encodings else None))


def _inputs(request: EmbeddingsRequest) -> dict[str, Any]:
    """Texts and pictures, in lists where there are several inputs."""
    pairs = [_said(request, index) for index in range(len(request.inputs))]
    fields: dict[str, Any] = {}
    for side, key in enumerate((_TEXT, _IMAGE)):
        column = [pair[side] for pair in pairs]
        if any(value is not None for value in column):
            fields[key] = column[0] if len(pairs) == 1 else column
    return fields


def _said(request: EmbeddingsRequest, index: int) -> tuple[str | None, str | None]:
    """An input's text and picture."""
    match request.inputs[index]:
        case Mixed(parts=[chat.Image(source=image)]):
            return None, _data(image, request, index)
        case Mixed(
            parts=[chat.Text(text=text), chat.Image(source=image)] | [chat.Image(source=image), chat.Text(text=text)]
        ):
            return text, _data(image, request, index)
    return vectors.text_of(request, index, API), None


def _data(source: chat.Source, request: EmbeddingsRequest, index: int) -> str:
    if isinstance(source, Bytes):
        return source.base64
    raise Unsupported(
        f"{API} takes a picture's data, not its address: send a data: URL", param=vectors.place(request, index)
    )


def apart(body: bytes) -> list[bytes]:
    """The requests that are said in one; itself where it is one."""
    fields = whole.decoded(_members, body, "a request")
    lists = {key: fields[key] for key in (_TEXT, _IMAGE) if isinstance(fields.get(key), list)}
    if not lists:
        return [body]
    rest = {key: value for key, value in fields.items() if key not in lists}
    rows = zip(*lists.values(), strict=True)
    return [
        whole.encode({**{key: value for key, value in zip(lists, row, strict=True) if value is not None}, **rest})
        for row in rows
    ]


def together(bodies: Sequence[bytes]) -> bytes:
    """The replies to all of them as one, a list."""
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    several = body.lstrip()[:1] == b"["
    replies = whole.decoded(_replies, body, _WHAT) if several else [whole.decoded(_reply, body, _WHAT)]
    if not replies:
        raise whole.nonsense(body, _WHAT, "an empty list")
    counts = [whole.count(reply.inputTextTokenCount) for reply in replies]
    told = any(reply.inputTextTokenCount is not None for reply in replies)
    said = whole.Said()
    if told:
        said.usage = Usage(input=sum(counts), reported={"inputTextTokenCount": sum(counts)})
    found: dict[str, list[Vector]] = {}
    for reply in replies:
        by_type = {key: value for key, value in (reply.embeddingsByType or {}).items() if value is not None}
        if not by_type and reply.embedding is not None:
            by_type = {"float": reply.embedding}
        if not by_type:
            raise whole.nonsense(body, _WHAT, "no `embedding`")
        for key, vector in by_type.items():
            found.setdefault(key, []).append(vector)
    if any(len(column) != len(replies) for column in found.values()):
        raise whole.nonsense(body, _WHAT, "not all are of the same types")
    if deep:
        said.value = Embeddings(vectors=found)
        members = whole.decoded(_several, body, _WHAT)[0] if several else whole.decoded(_members, body, _WHAT)
        said.native = {key: value for key, value in members.items() if key not in _KNOWN and value is not None}
    return said


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    """One vector. With `embeddingTypes` there is one of each type, that of numbers once more by itself."""
    value: Embeddings = said.value
    fields: dict[str, Any] = {}
    types = request.get("embeddingTypes")
    named = [one for one in types if isinstance(one, str)] if isinstance(types, list) else []
    if not named or "float" in named:
        fields["embedding"] = vectors.one(value)
    if named:
        fields["embeddingsByType"] = {one: vectors.vectors_in(value, one)[0] for one in named}
    return whole.set_fields(fields, inputTextTokenCount=said.usage.prompt if said.usage else None)
