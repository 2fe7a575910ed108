"""Replicate's predictions, of models that make pictures: https://replicate.com/docs/reference/http#predictions.create.

A prediction is ordered, and asked after until it is there: that is for the provider to do, here are the words. What a
model takes is its own affair; these are the fields that most have. Providers alone speak it.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import InvalidRequest, ProviderRefused
from headgate.core.images import Images, ImagesRequest
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import pictures, whole
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.pictures import Order
from headgate.dialects.unreached import read_request, relay, writer
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, wanted

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

name = "replicate"
operation: Operation = "images"
paths: tuple[str, ...] = ()
upstream_path = "/v1/models/{owner}/{name}/predictions"
takes: Literal["json"] = "json"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Replicate's API"
PREDICTIONS = "/v1/predictions"
SUCCEEDED = "succeeded"
OVER = (SUCCEEDED, "failed", "canceled", "aborted")
"""How a prediction may end: https://replicate.com/docs/topics/predictions/lifecycle."""
RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "4:3", "3:4")
"""Those that most of the models there have: https://replicate.com/collections/text-to-image."""
_MODEL = re.compile(r"(deployments/)?([\w.-]*\w[\w.-]*)/([\w.-]*\w[\w.-]*)(?::(\w+))?")
_VERSION = re.compile(r"[0-9a-f]{64}")
_FILTERED = re.compile(r"nsfw|flagged|sensitive|moderat|safety", re.IGNORECASE)
"""In what a model says of a failure that its filter made."""


def write_request(request: ImagesRequest, lost: list[Loss]) -> Order:
    """Raises Unsupported, and InvalidRequest for a name that is none of a model."""
    instead = "ask once for each, or leave `n` out and say it in the model's own word (`num_outputs`)"
    pictures.one(request, API, instead)
    pictures.begun_with(request, 0, "Replicate's models differ in how they take pictures: give their own field in an "
                        "image generation (`input_image`, with an address or a data: URL)")  # fmt: skip
    path, version = place(request.model)
    native = pictures.leave(request, ("quality", "background", "user"), API, lost)
    fields: dict[str, Any] = {"prompt": request.prompt}
    if native.keys().isdisjoint(("aspect_ratio", "width", "height")):
        fields |= _size(request, version is not None, lost)
    shape = "jpg" if request.format == "jpeg" else request.format  # as the models there call it
    wished = {**whole.set_fields(fields, output_format=shape), **native}
    order = {"input": wished} if version is None else {"version": version, "input": wished}
    return Order(order, path, request.as_link is False)


def _size(request: ImagesRequest, open_model: bool, lost: list[Loss]) -> dict[str, Any]:
    """Models that Replicate itself keeps take a ratio of sides, those of its users mostly pixels."""
    if not open_model:
        return whole.set_fields({}, aspect_ratio=pictures.ratio(request, API, lost, RATIOS))
    size = pictures.sides(request)
    return {} if size is None else {"width": size[0], "height": size[1]}


def place(model: str) -> tuple[str, str | None]:
    """Where a model is asked, and the version to name there: `owner/name`, `owner/name:version`, a version alone, or
    `deployments/owner/name`. Raises InvalidRequest."""
    if _VERSION.fullmatch(model):
        return PREDICTIONS, model
    found = _MODEL.fullmatch(model)
    if found is None:
        raise InvalidRequest("`model` must be owner/name, or owner/name:version", param="model")
    deployed, owner, called, version = found.groups()
    if version is not None:
        return PREDICTIONS, version
    return f"/v1/{deployed or 'models/'}{quote(owner)}/{quote(called)}/predictions", None


class _Reply(msgspec.Struct, gc=False):
    status: str
    id: str = ""
    output: Any = None
    error: Any = None
    metrics: Any = None


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    """Of a prediction that is over; raises ProviderRefused for one that did not succeed."""
    reply = whole.decoded(_reply, body, pictures.WHAT)
    if reply.status != SUCCEEDED:
        raise _failed(reply, body)
    addresses = reply.output if isinstance(reply.output, list) else [reply.output]
    if not addresses or not all(isinstance(each, str) for each in addresses):
        raise whole.nonsense(body, pictures.WHAT, "its output is no address of a picture")
    found = [pictures.picture(each, body) for each in addresses]
    measured = reply.metrics if isinstance(reply.metrics, dict) else {}
    usage = Usage(units={"images": float(len(found))}, reported=measured)
    return whole.Said(value=Images(pictures=found), usage=usage, id=reply.id)


def _failed(reply: _Reply, body: bytes) -> ProviderRefused:
    why = reply.error if isinstance(reply.error, str) and reply.error else f"the prediction is {reply.status[:200]}"
    if reply.status == "failed" and _FILTERED.search(why):
        return pictures.moderated(why, body, reply.status)
    return ProviderRefused(why, status=502, body=body, kind=reply.status[:200])
