"""How many tokens a request to Gemini has: https://ai.google.dev/api/tokens; a dialect beside `gemini_generate`.

Google AI takes `contents` alone, or a whole request as `generateContentRequest`; Vertex AI the fields of a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.core.tokens import TokenCount
from headgate.dialects import whole
from headgate.dialects.gemini_generate import requests
from headgate.dialects.gemini_generate.crossing import Crossing
from headgate.dialects.gemini_generate.errors import read_error, refused, write_error
from headgate.dialects.gemini_generate.words import PLACES, REPLY_HEADERS, REQUEST_HEADERS, Fields, model_path
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

name = "gemini_count_tokens"
operation: Operation = "count_tokens"
paths = [f"{place}{{model}}:countTokens" for place in PLACES]
upstream_path = "/v1beta/models/{model}:countTokens"
in_url = True
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS

_decoder = msgspec.json.Decoder(dict[str, Any])
_WHAT = "a count of tokens"
_KNOWN = frozenset({"totalTokens", "cachedContentTokenCount"})


class CountRequest(requests.OwnRequest, kw_only=True):
    """A request to be counted; `wrapped` where it was said as `generateContentRequest`."""

    wrapped: bool = False


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": False}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"{model_path(model)}:countTokens"


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"application/json; charset=UTF-8"


def read_request(fields: Mapping[str, Any]) -> CountRequest:
    """A chat request, of either form. Raises InvalidRequest."""
    inner = fields.get("generateContentRequest", fields.get("generate_content_request"))
    said = {**inner, "model": fields.get("model")} if isinstance(inner, dict) else fields
    request = requests.read_request(said)
    found = {key: getattr(request, key) for key in request.__struct_fields__}
    return CountRequest(**{**found, "dialect": name}, wrapped=isinstance(inner, dict))


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request in the shortest form that says all that counts. Raises Unsupported."""
    said: list[Loss] = []
    if isinstance(request, CountRequest):
        fields, wrapped = requests.write_own(request, said), request.wrapped
    else:
        fields = Crossing(request, said).fields()
        wrapped = len(fields) > 1
    lost += fold(said)
    if wrapped:
        fields = {"generateContentRequest": {"model": f"models/{request.model.removeprefix('models/')}", **fields}}
    return whole.encode(fields)


def foreign(body: bytes) -> bool:
    """Whether it names its model once more, where Google wants the one of the path."""
    return body.find(b'"model":') >= 0


def _read(body: bytes, deep: bool) -> whole.Said:
    found = whole.decoded(_decoder, body, _WHAT)
    if found.get("error"):
        raise refused(found, body)
    total = found.get("totalTokens", 0)  # a count of 0 is left out
    if type(total) is not int or total < 0 or not (found.keys() & _KNOWN or not found):
        raise whole.nonsense(body, _WHAT, "no totalTokens")
    cached = found.get("cachedContentTokenCount")
    count = TokenCount(tokens=total, cached=cached if type(cached) is int else None)
    return whole.Said(value=count, native={key: item for key, item in found.items() if key not in _KNOWN})


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> Fields:
    count: TokenCount = said.value
    cached = {} if count.cached is None else {"cachedContentTokenCount": count.cached}
    return {"totalTokens": count.tokens, **cached}


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)
