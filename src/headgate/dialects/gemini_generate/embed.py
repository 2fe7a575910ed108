"""Google's embeddings, one or a batch: https://ai.google.dev/api/embeddings; a dialect beside `gemini_generate`.

Of the two methods `embedContent` takes one content and gives one vector, `batchEmbedContents` takes a list of such
requests. A provider is asked in a batch, except by a client that asks for one itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Bytes, Link, Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Purpose
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.request import Operation
from headgate.dialects import vectors, whole
from headgate.dialects.dialect import decode
from headgate.dialects.fields import array, object_, optional, others, string, wrong
from headgate.dialects.gemini_generate.errors import read_error, refused, write_error
from headgate.dialects.gemini_generate.words import (
    PLACES,
    REPLY_HEADERS,
    REQUEST_HEADERS,
    Fields,
    camel,
    model_path,
    read_usage,
    write_usage,
)
from headgate.dialects.whole import stream_types, takes, wanted

__all__ = [
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
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "write_url",
    "writer",
]
name = "gemini_embed"
operation: Operation = "embeddings"
_ONE, _BATCH = "embedContent", "batchEmbedContents"
paths = [f"{place}{{model}}:{method}" for place in PLACES for method in (_ONE, _BATCH)]
upstream_path = f"/v1beta/models/{{model}}:{_BATCH}"
in_url = True
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS

API = "Google's embeddings API"
WORDS: dict[Purpose, str] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "question": "QUESTION_ANSWERING",
    "fact": "FACT_VERIFICATION",
    "code": "CODE_RETRIEVAL_QUERY",
}
PURPOSES: dict[str, Purpose] = {word: purpose for purpose, word in WORDS.items()}
_ENTRY = frozenset({"model", "content", "taskType", "title", "outputDimensionality"})
_OWN = frozenset({"model", "method", "stream"})
_NAMES = {"dimensions": "outputDimensionality", "purpose": "taskType", "title": "title"}
_WHAT = "a list of embeddings"
_KNOWN = frozenset({"embedding", "embeddings", "usageMetadata"})


class OwnRequest(EmbeddingsRequest, kw_only=True):
    """A request of this dialect."""

    entries: list[Fields] = []
    """What each entry of a batch says of itself beside its content, where they do not all say the same."""
    rest: Fields = {}
    """What stands beside the entries of a batch, or beside the settings."""
    told: list[Loss] = []
    """What every other dialect loses."""


class _Vector(msgspec.Struct, gc=False):
    values: list[float]


class _Reply(msgspec.Struct, gc=False):
    embedding: msgspec.Raw = msgspec.Raw()
    embeddings: msgspec.Raw = msgspec.Raw()
    usageMetadata: dict[str, Any] | None = None
    error: Any = None


_reply = msgspec.json.Decoder(_Reply)
_vector = msgspec.json.Decoder(_Vector)
_vectors = msgspec.json.Decoder(list[_Vector])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_decode = msgspec.json.Decoder().decode


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": False, "method": template.rpartition(":")[2]}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"{model_path(model)}:{_ONE if fields.get('method') == _ONE else _BATCH}"


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"application/json; charset=UTF-8"


def foreign(body: bytes) -> bool:
    """Whether it names its model once more, where Google wants the one of the path."""
    return body.find(b'"model":') >= 0


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    request = OwnRequest(dialect=name, model=string(fields.get("model"), "model"), inputs=[], names={**_NAMES})
    if fields.get("method") == _ONE:
        request.single = True
        _read_one(request, camel({key: fields[key] for key in fields if key not in _OWN}))
        return request
    listed = array(fields.get("requests"), "requests")
    if not listed:
        raise wrong("requests", "a list that is not empty", listed)
    entries = [
        {key: value for key, value in camel(object_(one, f"requests[{index}]")).items() if value is not None}
        for index, one in enumerate(listed)
    ]
    for index, entry in enumerate(entries):
        _read_entry(request, entry, f"requests[{index}].")
    request.rest = others(fields, _OWN | {"requests"})
    request.names = {"inputs": "requests", **{key: f"requests[].{word}" for key, word in _NAMES.items()}}
    _tell(request, request.rest)
    if any(entry != entries[0] for entry in entries):
        request.entries = entries
        request.bound = {"requests": "their settings differ, which only Google's API takes: send them apart"}
    _read_settings(request, entries[0], "requests[0].")
    return request


def _read_one(request: OwnRequest, entry: Fields) -> None:
    """The request of `embedContent`."""
    entry = {key: value for key, value in entry.items() if value is not None}
    request.names["inputs"] = "content"
    _read_entry(request, entry, "")
    _read_settings(request, entry, "")


def _tell(request: OwnRequest, names: Iterable[str]) -> None:
    request.told += (Loss(name, "only the client's own API knows it") for name in names)


def _read_entry(request: OwnRequest, entry: Fields, path: str) -> None:
    """Takes the content, and the model that is named once more, out of an entry."""
    model = entry.pop("model", None)
    if model is not None and string(model, f"{path}model").removeprefix("models/") != request.model.removeprefix(
        "models/"
    ):
        raise InvalidRequest(f"`{path}model` must be the model of the URL: {request.model}", param=f"{path}model")
    request.inputs.append(_input(entry.pop("content", None), f"{path}content"))


def _read_settings(request: OwnRequest, entry: Fields, path: str) -> None:
    """What all inputs have in common; Vertex AI has it in an object of its own."""
    config = entry.get("embedContentConfig")
    if config is None:
        _read_common(request, entry, path)
        return
    settings, place = camel(object_(config, f"{path}embedContentConfig")), f"{path}embedContentConfig."
    _read_common(request, settings, place)
    request.native = {}
    place = place.replace("[0]", "[]")
    request.names |= {key: place + word for key, word in {**_NAMES, "truncate": "autoTruncate"}.items()}
    cut = optional(settings, "autoTruncate", bool, place)
    request.truncate = None if cut is None else "end" if cut else "none"
    request.aliased = entry
    _tell(request, (place + key for key in settings if key not in _ENTRY and key != "autoTruncate"))
    _tell(request, (key for key in entry if key != "embedContentConfig"))


def _read_common(request: OwnRequest, entry: Fields, path: str) -> None:
    kind = optional(entry, "taskType", str, path)
    request.purpose = PURPOSES.get(kind or "")
    request.title = optional(entry, "title", str, path)
    request.dimensions = optional(entry, "outputDimensionality", int, path)
    request.native = {key: value for key, value in entry.items() if key not in _ENTRY}
    if kind is not None and request.purpose is None:
        request.native["taskType"] = kind


def _input(value: Any, path: str) -> Input:
    content = object_(value, path)
    parts = array(content.get("parts"), f"{path}.parts")
    if not parts:
        raise wrong(f"{path}.parts", "a list that is not empty", parts)
    read = [_part(camel(object_(part, f"{path}.parts[{n}]")), f"{path}.parts[{n}]") for n, part in enumerate(parts)]
    match read:
        case [chat.Text(text=text)] if content.keys() == {"parts"} and parts[0].keys() == {"text"}:
            return text
    return Mixed(parts=read, native=content)


def _part(part: Fields, path: str) -> chat.Part:
    if isinstance(part.get("text"), str):
        return chat.Text(text=part["text"])
    source: chat.Source | None = None
    for key in ("inlineData", "fileData"):
        media = part.get(key)
        if isinstance(media, dict):
            media = camel(media)
            kind = optional(media, "mimeType", str, f"{path}.{key}.")
            if key == "inlineData":
                source = Bytes(string(media.get("data"), f"{path}.{key}.data"), kind)
            else:
                source = Link(string(media.get("fileUri"), f"{path}.{key}.fileUri"))
            return _medium(source, kind or "", part)
    raise wrong(path, "a text, inlineData or fileData", part or None)


def _medium(source: chat.Source, kind: str, part: Fields) -> chat.Part:
    match kind.partition("/")[0]:
        case "image":
            return chat.Image(source=source)
        case "video":
            return chat.Video(source=source)
        case "audio" if isinstance(source, Bytes):
            return chat.Audio(source=source)
    return chat.Document(source=source)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    own = isinstance(request, OwnRequest) and request.dialect == name
    settings = _own_settings(request) if own else _settings(request, lost)
    contents = [_content(request, index) for index in range(len(request.inputs))]
    if not isinstance(request, OwnRequest):
        return whole.encode({"requests": [_entry(request.model, content, settings) for content in contents]})
    if request.single:
        return whole.encode({"content": contents[0], **request.rest, **settings})
    each = request.entries or [settings] * len(contents)
    pairs = zip(contents, each, strict=True)
    return whole.encode({"requests": [_entry(request.model, *pair) for pair in pairs], **request.rest})


def _entry(model: str, content: Fields, settings: Fields) -> Fields:
    kind, slash, _ = model.partition("/")
    return {"model": model if slash and kind == "tunedModels" else f"models/{model}", "content": content, **settings}


def with_config(body: bytes) -> bytes:
    """A request as Vertex AI has it: the model in the URL alone, and all settings in an `embedContentConfig`.

    https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.publishers.models/embedContent
    """
    fields = camel(decode(body))
    entries = fields.get("requests")
    if not isinstance(entries, list):
        return whole.encode(_configured(fields))
    return whole.encode({**fields, "requests": [_configured(one) if isinstance(one, dict) else one for one in entries]})


def _configured(entry: Fields) -> Fields:
    entry = camel(entry)
    settings = {key: entry[key] for key in _NAMES.values() if entry.get(key) is not None}
    kept = {key: value for key, value in entry.items() if key not in settings and key != "model"}
    config = kept.get("embedContentConfig")
    if not settings or not isinstance(config, dict | None):
        return kept
    return {**kept, "embedContentConfig": {**settings, **(config or {})}}


def single(body: bytes) -> bytes | None:
    """The one request of a batch by itself; None where there are more."""
    entries = decode(body).get("requests")
    return whole.encode(entries[0]) if isinstance(entries, list) and len(entries) == 1 else None


def _own_settings(request: EmbeddingsRequest) -> Fields:
    if request.aliased:
        return {**request.aliased}
    return {**_said(request), **request.native}


def _said(request: EmbeddingsRequest) -> Fields:
    return whole.set_fields(
        {},
        taskType=WORDS[request.purpose] if request.purpose else None,
        title=request.title,
        outputDimensionality=request.dimensions,
    )


def _settings(request: EmbeddingsRequest, lost: list[Loss]) -> Fields:
    """A title is only of documents. Raises Unsupported."""
    vectors.only(request, ("float",), API)
    if request.truncate not in (None, "end"):
        lost.append(Loss(request.called("truncate"), f"{API} cuts the end off an input that is too long"))
    vectors.leave(request, ("user",), API, lost)
    vectors.leave_native(request, lost)
    return _said(request)


def _content(request: EmbeddingsRequest, index: int) -> Fields:
    one = request.inputs[index]
    match one:
        case str():
            return {"parts": [{"text": one}]}
        case Mixed(native=native) if request.dialect == name and native:
            return native
        case Mixed(parts=parts):
            place = vectors.place(request, index)
            return {"parts": [_piece(part, place) for part in parts]}
    raise vectors.without_tokens(request, index, API)


def _piece(part: chat.Part, place: str) -> Fields:
    match part:
        case chat.Text(text=text):
            return {"text": text}
        case chat.Image(source=Bytes(base64=data, media_type=kind)):
            return {"inlineData": {"mimeType": kind or "image/png", "data": data}}
        case chat.Image():
            raise Unsupported(f"{API} takes a picture's data, not its address: send a data: URL", param=place)
    raise Unsupported(f"{API} does not take it from this client: send text and pictures", param=place)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    reply = whole.decoded(_reply, body, _WHAT)
    if reply.error:
        raise refused(_decode(body), body)
    first, many = whole.first_byte(reply.embedding) == b"{", whole.first_byte(reply.embeddings) == b"["
    if not first and not many:
        raise whole.nonsense(body, _WHAT, "neither `embedding` nor `embeddings`")
    said = whole.Said(usage=read_usage(reply.usageMetadata) if reply.usageMetadata else None)
    if deep:
        found = (
            whole.decoded(_vectors, reply.embeddings, _WHAT)
            if many
            else [whole.decoded(_vector, reply.embedding, _WHAT)]
        )
        said.value = Embeddings(vectors={"float": [one.values for one in found]})
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: _decode(value) for key, value in members.items() if key not in _KNOWN}
    return said


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> Fields:
    if request.get("method") == _ONE:
        fields: Fields = {"embedding": {"values": vectors.one(said.value)}}
    else:
        fields = {"embeddings": [{"values": vector} for vector in vectors.plain(said.value)]}
    if said.usage is not None and said.usage.prompt:
        fields["usageMetadata"] = _usage(write_usage(said.usage))
    return fields


def _usage(found: Fields) -> Fields:
    """Without the tokens of an answer, which there is none of."""
    return {key: value for key, value in found.items() if key != "candidatesTokenCount" or value}
