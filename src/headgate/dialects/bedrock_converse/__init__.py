"""Amazon Bedrock's Converse API: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.

The model stands in the URL; a stream is an event stream of Amazon's (`dialects/event_stream.py`). Requests are read and
written in `requests`, those of other dialects in `crossing` (which says what becomes of what they say otherwise), what
only one family of models takes in `families`; replies are passed on in `relaying`, read in `reading` and written in
`writing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.marking import Markable
from headgate.core.request import Operation
from headgate.dialects.bedrock_converse import count_tokens
from headgate.dialects.bedrock_converse.crossing import Crossing
from headgate.dialects.bedrock_converse.families import markable_of
from headgate.dialects.bedrock_converse.reading import StreamReader, WholeReader
from headgate.dialects.bedrock_converse.relaying import StreamRelay, WholeRelay
from headgate.dialects.bedrock_converse.requests import fill, merged, read_request, write_own
from headgate.dialects.bedrock_converse.words import DIALECT
from headgate.dialects.bedrock_converse.writing import StreamWriter, WholeWriter
from headgate.dialects.bedrock_errors import read_error, write_error
from headgate.dialects.dialect import segment
from headgate.dialects.event_stream import EVENT_STREAM
from headgate.dialects.framing import JSON
from headgate.dialects.signatures import holds_foreign

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "markable",
    "more",
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

name = DIALECT
more = (count_tokens,)
operation: Operation = "chat"
paths = ["/model/{model}/converse", "/model/{model}/converse-stream"]
upstream_path = "/model/{model}/converse"
in_url = True
takes: Literal["json"] = "json"
stream_types = (EVENT_STREAM,)
request_headers = frozenset({b"x-amzn-trace-id"})
reply_headers = frozenset({b"x-amzn-requestid", b"x-amzn-errortype", b"retry-after"})

_encode = msgspec.json.Encoder().encode


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return EVENT_STREAM if stream else JSON


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    return {"model": model, "stream": template.endswith("-stream")}


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    return f"/model/{segment(model)}/converse{'-stream' if stream else ''}"


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as the Converse API takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    if request.dialect != name:
        fields = Crossing(request, said).fields()
    elif request.reasoning is not None and request.reasoning.imposed:
        fields = _imposed(request, said)
    else:
        fields = write_own(request, said)
    lost += fold(said)
    return _encode(fields)


def _imposed(request: ChatRequest, lost: list[Loss]) -> dict[str, Any]:
    """A request of this dialect with an effort that is not its client's: said as the model takes it."""
    fields = write_own(msgspec.structs.replace(request, reasoning=None, top_k=None), lost)
    config, additional = Crossing(request, lost).imposed()
    before = {key: value for key, value in fields.pop("inferenceConfig", {}).items() if key not in config}
    fill(fields, "inferenceConfig", before | config)
    fill(fields, "additionalModelRequestFields", merged(fields.pop("additionalModelRequestFields", {}), additional))
    return fields


def foreign(body: bytes) -> bool:
    """Whether there is thinking in it that came from a model of another API: `writing` gave it a mark for this."""
    return holds_foreign(body)


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return StreamReader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    """`request` is not needed: nothing a client of this API can ask for changes the form of the reply."""
    return StreamWriter(lost) if stream else WholeWriter(lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay()


def markable(model: str) -> Markable:
    """Of Claude and Nova."""
    return markable_of(model)
