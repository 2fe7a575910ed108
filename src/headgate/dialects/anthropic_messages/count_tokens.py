"""How many tokens a request to Claude has: https://docs.claude.com/en/api/messages-count-tokens; a dialect beside
`anthropic_messages`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.core.tokens import TokenCount
from headgate.dialects import whole
from headgate.dialects.anthropic_messages import requests
from headgate.dialects.anthropic_messages.crossing import Crossing
from headgate.dialects.anthropic_messages.errors import read_error, refused, write_error
from headgate.dialects.anthropic_messages.words import REPLY_HEADERS, REQUEST_HEADERS
from headgate.dialects.signatures import holds_foreign
from headgate.dialects.whole import content_type, in_url, stream_types, takes, wanted

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

name = "anthropic_count_tokens"
operation: Operation = "count_tokens"
paths = ["/v1/messages/count_tokens"]
upstream_path = "/v1/messages/count_tokens"
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS

COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"})
"""What the API takes here of a request made of another dialect's; of the rest nothing counts."""
_decoder = msgspec.json.Decoder(dict[str, Any])
_WHAT = "a count of tokens"


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """A chat request, which needs no `max_tokens` here. Raises InvalidRequest."""
    request = requests.read_request({"max_tokens": 1, **fields})
    request.dialect = name
    request.max_tokens = None
    return request


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """Of the request what the API takes to count. Raises Unsupported."""
    said: list[Loss] = []
    if request.dialect == name:
        fields = requests.write_own(request, said)
        del fields["max_tokens"]
    else:
        written = Crossing(request, said).fields()
        fields = {key: value for key, value in written.items() if key in COUNTED}
    lost += fold(said)
    return whole.encode(fields)


def foreign(body: bytes) -> bool:
    """Whether there is thinking in it that came from a model of another API."""
    return holds_foreign(body)


def _read(body: bytes, deep: bool) -> whole.Said:
    found = whole.decoded(_decoder, body, _WHAT)
    if found.get("error"):
        raise refused(found, body)
    total = found.pop("input_tokens", None)
    if type(total) is not int or total < 0:
        raise whole.nonsense(body, _WHAT, "no input_tokens")
    return whole.Said(value=TokenCount(tokens=total), native=found)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    count: TokenCount = said.value
    if count.cached is not None:
        lost.append(Loss("reply.cached", "the Messages API does not say what is cached already"))
    return {"input_tokens": count.tokens}


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)
