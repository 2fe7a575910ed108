"""How many tokens a request has on Bedrock; a dialect beside `bedrock_converse`.

What is counted is a request of Converse, or the body that InvokeModel would get, which is passed on unread.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
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
from headgate.dialects.bedrock_converse import requests
from headgate.dialects.bedrock_converse.crossing import Crossing
from headgate.dialects.bedrock_errors import read_error, write_error
from headgate.dialects.dialect import segment
from headgate.dialects.fields import object_, others, string, wrong
from headgate.dialects.signatures import holds_foreign
from headgate.dialects.whole import content_type, stream_types, takes, wanted

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

name = "bedrock_count_tokens"
operation: Operation = "count_tokens"
paths = ["/model/{model}/count-tokens"]
upstream_path = "/model/{model}/count-tokens"
in_url = True
request_headers = frozenset({b"x-amzn-trace-id"})
reply_headers = frozenset({b"x-amzn-requestid", b"x-amzn-errortype", b"retry-after"})

COUNTED = frozenset({"messages", "system", "toolConfig", "additionalModelRequestFields"})
"""What the API takes here of a request made of another dialect's; of the rest nothing counts."""
UNREAD = "the body of a model's own API is counted at Bedrock alone; send `input.converse`, or ask for a model there"
_decoder = msgspec.json.Decoder(dict[str, Any])
_WHAT = "a count of tokens"


class CountRequest(ChatRequest, kw_only=True):
    """A request to be counted; `body` is that of InvokeModel, which is not read."""

    body: dict[str, Any] | None = None
    beside: dict[str, Any] = {}
    """What stands beside `input`, and in it beside what is counted."""


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": False}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"/model/{segment(model)}/count-tokens"


def read_request(fields: Mapping[str, Any]) -> CountRequest:
    """What is to be counted, as a chat request. Raises InvalidRequest."""
    model, given = string(fields.get("model"), "model"), object_(fields.get("input"), "input")
    beside = {key: value for key, value in fields.items() if key not in ("model", "stream", "input")}
    if set(given) == {"invokeModel"}:
        body = object_(given["invokeModel"], "input.invokeModel")
        string(body.get("body"), "input.invokeModel.body")
        return CountRequest(
            dialect=name, model=model, messages=[], body=body, beside=beside, bound={"input.invokeModel": UNREAD}
        )
    if set(given) != {"converse"}:
        raise wrong("input", "an object with either converse or invokeModel", given)
    request = requests.read_request({**object_(given["converse"], "input.converse"), "model": model})
    found = {key: getattr(request, key) for key in request.__struct_fields__}
    return CountRequest(**{**found, "dialect": name}, beside=beside)


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """Of the request what the API takes to count. Raises Unsupported."""
    said: list[Loss] = []
    beside: Mapping[str, Any] = {}
    given: dict[str, Any]
    if not isinstance(request, CountRequest):
        written = Crossing(request, said).fields()
        given = {"converse": {key: value for key, value in written.items() if key in COUNTED}}
    elif request.body is not None:
        given, beside = {"invokeModel": request.body}, request.beside
    else:
        given, beside = {"converse": requests.write_own(request, said)}, request.beside
    lost += fold(said)
    return whole.encode({"input": given, **beside})


def foreign(body: bytes) -> bool:
    """Whether there is thinking in it that came from a model of another API."""
    return holds_foreign(body)


def _read(body: bytes, deep: bool) -> whole.Said:
    found = whole.decoded(_decoder, body, _WHAT)
    total = found.get("inputTokens")
    if type(total) is not int or total < 0:
        raise whole.nonsense(body, _WHAT, "no inputTokens")
    return whole.Said(value=TokenCount(tokens=total), native=others(found, frozenset({"inputTokens"})))


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    count: TokenCount = said.value
    if count.cached is not None:
        lost.append(Loss("reply.cached", "Bedrock does not say what is cached already"))
    return {"inputTokens": count.tokens}


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)
