"""How many tokens a text or a chat has, and which: vLLM's tokenizer API, here for every model; a dialect beside
`openai_chat`.

https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#tokenizer-api. The gateway's reply says more:
`model`, and where no vLLM counted `estimated` and `counted_by`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import ChatRequest, Loss, Message, Text
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.errors import InvalidRequest
from headgate.core.request import Operation
from headgate.core.tokens import BareText, TokenCount
from headgate.dialects import whole
from headgate.dialects.dialect import decode
from headgate.dialects.fields import others, string
from headgate.dialects.openai_chat import crossing, requests
from headgate.dialects.openai_errors import read_error, write_error
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

name = "openai_tokenize"
operation: Operation = "count_tokens"
paths = ["/v1/tokenize"]
upstream_path = "/tokenize"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

TEXTS = ("prompt", "input")
"""Either holds a bare text: vLLM's word for it, and that of OpenAI's embeddings."""
COUNTED = frozenset({"model", "messages", "tools"})
"""What counts of a request made of another dialect's."""
_KNOWN = frozenset({"count", "tokens", "max_model_len"})
_WHAT = "a count of tokens"
_decoder = msgspec.json.Decoder(dict[str, Any])


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """A chat request, or a BareText. Raises InvalidRequest."""
    given = [key for key in (*TEXTS, "messages") if fields.get(key) is not None]
    if len(given) != 1:
        raise InvalidRequest(
            "send one of `prompt`, `input` (a text) and `messages` (a chat)", param=given[-1] if given else "prompt"
        )
    [key] = given
    if key == "messages":
        request = requests.read_request(fields)
        request.dialect = name
        return request
    text = string(fields[key], key)
    return BareText(
        dialect=name,
        model=string(fields.get("model"), "model"),
        messages=[Message(role="user", parts=[Text(text=text)], plain=True)],
        text=text,
        told=[Loss(key, "counted as a message of the user's, with what stands around one")],
        native=others(fields, frozenset({"model", *TEXTS})),
    )


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    own = request.dialect == name
    if own and isinstance(request, BareText):
        return whole.encode({"model": request.model, "prompt": request.text, **request.native})
    said = msgspec.structs.replace(request, dialect=requests.NAME) if own else request
    fields = decode(crossing.write_request(said, lost))
    if not own:
        fields = {key: value for key, value in fields.items() if key in COUNTED}
    return whole.encode(fields)


def _read(body: bytes, deep: bool) -> whole.Said:
    found = whole.decoded(_decoder, body, _WHAT)
    total, ids, limit = (found.get(key) for key in ("count", "tokens", "max_model_len"))
    if type(total) is not int or total < 0:
        raise whole.nonsense(body, _WHAT, "no count")
    tokens = ids if isinstance(ids, list) and all(type(token) is int for token in ids) else None
    count = TokenCount(tokens=total, ids=tokens, limit=limit if type(limit) is int else None)
    return whole.Said(value=count, native={key: item for key, item in found.items() if key not in _KNOWN})


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    count: TokenCount = said.value
    if count.cached is not None:
        lost.append(Loss("reply.cached", "there is no field for what is cached already"))
    fields: dict[str, Any] = {"model": request.get("model"), "count": count.tokens}
    if count.ids is not None:
        fields["tokens"] = count.ids
    if count.limit is not None:
        fields["max_model_len"] = count.limit
    return {**fields, "estimated": count.by == "estimate", "counted_by": count.by}


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)
