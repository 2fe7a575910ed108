"""Vertex AI's predictions of its models that embed text alone; a dialect beside `gemini_generate`.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api, as Google's own SDKs ask for
all models but Gemini's. The same method serves models of other kinds, whose instances are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.fields import array, object_, optional, others, string, wrong
from headgate.dialects.gemini_generate.embed import PURPOSES, WORDS
from headgate.dialects.gemini_generate.errors import read_error, refused, write_error
from headgate.dialects.gemini_generate.words import PLACES, REPLY_HEADERS, REQUEST_HEADERS, Fields, model_path
from headgate.dialects.whole import foreign, stream_types, takes, wanted

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
name = "vertex_predict"
operation: Operation = "embeddings"
paths = [f"{place}{{model}}:predict" for place in PLACES if "publishers" in place]
upstream_path = "/v1beta1/publishers/google/models/{model}:predict"
in_url = True
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS

API = "Vertex AI's text embeddings API"
_INSTANCE = frozenset({"content", "task_type", "title"})
_PARAMETERS = frozenset({"autoTruncate", "outputDimensionality"})
_FIELDS = frozenset({"model", "stream", "instances", "parameters"})
_NAMES = {
    "inputs": "instances",
    "purpose": "instances[].task_type",
    "title": "instances[].title",
    "dimensions": "parameters.outputDimensionality",
    "truncate": "parameters.autoTruncate",
}
_WHAT = "a list of predictions"
_KNOWN = frozenset({"predictions", "metadata"})


class OwnRequest(EmbeddingsRequest, kw_only=True):
    """A request of this dialect."""

    instances: list[Fields] = []
    """What each says of itself beside its content, where they do not all say the same."""
    shared: Fields = {}
    """What they say beside it, where they do, and this dialect alone knows."""
    parameters: Fields = {}
    """What only this dialect knows of them."""
    told: list[Loss] = []
    """What every other dialect loses."""


class _Statistics(msgspec.Struct, gc=False):
    token_count: Any = 0
    truncated: Any = None


class _Vector(msgspec.Struct, gc=False):
    values: list[float]
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct, gc=False):
    embeddings: _Vector


class _Reply(msgspec.Struct, gc=False):
    predictions: list[_Prediction] | None = None
    metadata: Any = None
    error: Any = None


_reply = msgspec.json.Decoder(_Reply)
_decode = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Any])


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": False}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"{model_path(model)}:predict"


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"application/json; charset=UTF-8"


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    listed = array(fields.get("instances"), "instances")
    if not listed:
        raise wrong("instances", "a list that is not empty", listed)
    inputs, said = [], []
    for index, one in enumerate(listed):
        instance = {key: value for key, value in object_(one, f"instances[{index}]").items() if value is not None}
        inputs.append(string(instance.pop("content", None), f"instances[{index}].content"))
        said.append(instance)
    parameters = optional(fields, "parameters", dict) or {}
    kind = optional(said[0], "task_type", str, "instances[0].")
    cut = optional(parameters, "autoTruncate", bool, "parameters.")
    request = OwnRequest(
        dialect=name,
        model=string(fields.get("model"), "model"),
        inputs=[*inputs],
        purpose=PURPOSES.get(kind or ""),
        title=optional(said[0], "title", str, "instances[0]."),
        dimensions=optional(parameters, "outputDimensionality", int, "parameters."),
        truncate=None if cut is None else "end" if cut else "none",
        shared=others(said[0], _INSTANCE),
        parameters=others(parameters, _PARAMETERS),
        native=others(fields, _FIELDS),
        names={**_NAMES},
    )
    if kind is not None and request.purpose is None:
        request.shared["task_type"] = kind
    names = [f"instances[].{key}" for key in request.shared] + [f"parameters.{key}" for key in request.parameters]
    request.told = [Loss(name, "only the client's own API knows it") for name in names]
    if any(instance != said[0] for instance in said):
        request.instances = said
        request.bound = {"instances": "their settings differ, which only Google's API takes: send them apart"}
    return request


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    texts = vectors.texts(request, API)
    own = request if isinstance(request, OwnRequest) else None
    if own is None:
        vectors.only(request, ("float",), API)
        vectors.leave(request, ("user",), API, lost)
        vectors.leave_native(request, lost)
        if request.truncate == "start":
            lost.append(Loss(request.called("truncate"), f"{API} cuts the end off an input that is too long"))
    purpose = WORDS[request.purpose] if request.purpose else None
    settings = whole.set_fields({}, task_type=purpose, title=request.title) | (own.shared if own else {})
    each = (own.instances if own else None) or [settings] * len(texts)
    instances = [{"content": text, **more} for text, more in zip(texts, each, strict=True)]
    cut = None if request.truncate is None else request.truncate != "none"
    parameters = whole.set_fields({}, autoTruncate=cut, outputDimensionality=request.dimensions)
    parameters |= own.parameters if own else {}
    fields: Fields = {"instances": instances, **({"parameters": parameters} if parameters else {})}
    return whole.encode({**fields, **own.native} if own else fields)


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
    if reply.predictions is None:
        raise whole.nonsense(body, _WHAT, "no `predictions`")
    found = [one.embeddings for one in reply.predictions]
    counted = [one.statistics for one in found if one.statistics is not None]
    said = whole.Said(usage=Usage(input=sum(whole.count(one.token_count) for one in counted)))
    if isinstance(reply.metadata, dict) and said.usage is not None:
        said.usage.reported = reply.metadata
    if deep:
        said.value = Embeddings(vectors={"float": [one.values for one in found]})
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: value for key, value in members.items() if key not in _KNOWN}
        if any(one.truncated is True for one in counted):
            said.native["truncated"] = True
    return said


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> Fields:
    """How many tokens each input had is not known of several."""
    found = [{"values": vector} for vector in vectors.plain(said.value)]
    predictions: list[Fields] = [{"embeddings": one} for one in found]
    if len(predictions) == 1 and said.usage is not None and said.usage.prompt:
        predictions[0]["embeddings"]["statistics"] = {"token_count": said.usage.prompt}
    return {"predictions": predictions}
