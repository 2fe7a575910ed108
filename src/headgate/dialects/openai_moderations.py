"""OpenAI's moderations API: https://platform.openai.com/docs/api-reference/moderations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.moderation import Moderation, ModerationRequest, Verdict
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.fields import object_, others, string, wrong
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.vectors import source
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, takes, wanted

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "model_default",
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

name = "openai_moderations"
operation: Operation = "moderation"
paths = ["/v1/moderations"]
upstream_path = "/moderations"
request_headers: frozenset[bytes] = frozenset()
model_default = "omni-moderation-latest"
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

_FIELDS = frozenset({"model", "input", "stream"})
_WHAT = "a list of verdicts"


class _Result(msgspec.Struct, gc=False):
    categories: dict[str, bool | None]
    flagged: bool | None = None
    category_scores: dict[str, float | None] | None = None


class _Reply(msgspec.Struct, gc=False):
    results: list[_Result]
    id: Any = None
    model: Any = None


_reply = msgspec.json.Decoder(_Reply)
_members = msgspec.json.Decoder(dict[str, Any])


def read_request(fields: Mapping[str, Any]) -> ModerationRequest:
    given = fields.get("input")
    model = fields.get("model") or model_default
    request = ModerationRequest(dialect=name, model=model, inputs=[], native=others(fields, _FIELDS))
    if isinstance(given, str):
        request.single = True
        request.inputs = [[chat.Text(text=given)]]
    elif not isinstance(given, list) or not given:
        raise wrong("input", "a string, or a list of strings or of parts that is not empty", given)
    elif isinstance(given[0], dict):
        request.mixed = True
        request.inputs = [[_part(piece, f"input[{index}]") for index, piece in enumerate(given)]]
    else:
        request.inputs = [[chat.Text(text=string(text, f"input[{index}]"))] for index, text in enumerate(given)]
    return request


def _part(value: Any, path: str) -> chat.Part:
    """The part as it came stays beside what it means."""
    fields = object_(value, path)
    image = fields.get("image_url")
    if fields.get("type") == "text":
        return chat.Text(text=string(fields.get("text"), f"{path}.text"), native=fields)
    if isinstance(image, dict):
        return chat.Image(source=source(string(image.get("url"), f"{path}.image_url.url")), native=fields)
    raise wrong(path, "a text or an image_url", value)


def write_request(request: ModerationRequest, lost: list[Loss]) -> bytes:
    said: Any
    if request.mixed:
        said = [part.native for part in request.inputs[0]]
    else:
        texts = [part.text for parts in request.inputs for part in parts if isinstance(part, chat.Text)]
        said = texts[0] if request.single else texts
    return whole.encode({"model": request.model, "input": said, **request.native})


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    """Some hosts (Mistral) do not sum up whether an input is flagged."""
    reply = whole.decoded(_reply, body, _WHAT)
    said = whole.Said(id=whole.text(reply.id), model=whole.text(reply.model))
    if deep:
        fields = whole.decoded(_members, body, _WHAT)
        pairs = zip(reply.results, fields["results"], strict=True)
        said.value = Moderation(verdicts=[_verdict(result, raw) for result, raw in pairs])
        said.native = {key: value for key, value in fields.items() if key not in ("results", "id", "model")}
    return said


def _verdict(result: _Result, raw: dict[str, Any]) -> Verdict:
    flagged = any(result.categories.values()) if result.flagged is None else result.flagged
    known = ("categories", "flagged", "category_scores")
    native = {key: value for key, value in raw.items() if key not in known}
    return Verdict(flagged=flagged, categories=result.categories, scores=result.category_scores or {}, native=native)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    value: Moderation = said.value
    return {
        "id": said.id,
        "model": said.model or whole.text(request.get("model")),
        "results": [
            {"flagged": one.flagged, "categories": one.categories, "category_scores": one.scores, **one.native}
            for one in value.verdicts
        ],
    }
