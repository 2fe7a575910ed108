"""Stability AI's pictures: https://platform.stability.ai/docs/api-reference#tag/Generate.

A form goes in, also for words alone; JSON with the picture in base64 comes back. Providers alone speak it.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import ProviderRefused, Unsupported
from headgate.core.form import Written
from headgate.core.images import Images, ImagesRequest, Picture
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import openai_errors, pictures, whole
from headgate.dialects.openai_errors import write_error
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

name = "stability"
operation: Operation = "images"
paths: tuple[str, ...] = ()
upstream_path = "/v2beta/stable-image/generate/sd3"
takes: Literal["form"] = "form"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset({b"x-request-id"})

API = "Stability AI's API"
_ROOT = "/v2beta/stable-image"
GENERATE = {"core": f"{_ROOT}/generate/core", "ultra": f"{_ROOT}/generate/ultra"}
"""Services of one model each."""
EDIT = {
    **dict.fromkeys(("inpaint", "outpaint", "search-and-replace", "search-and-recolor"), "edit"),
    **dict.fromkeys(("sketch", "structure", "style"), "control"),
    "conservative": "upscale",
}
"""Services that make one picture of another and of words: https://platform.stability.ai/docs/api-reference#tag/Edit."""
RATIOS = ("1:1", "16:9", "9:16", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21")
_NATIVE = (
    *pictures.SHARED, "aspect_ratio", "cfg_scale", "control_strength", "creativity", "down", "fidelity", "grow_mask",
    "left", "right", "search_prompt", "select_prompt", "strength", "style_preset", "up",
)  # fmt: skip
_SERVICE = re.compile(r"(?:stable-image-)?(core|ultra)")
_DIFFUSION = re.compile(r"sd\d")


def write_request(request: ImagesRequest, lost: list[Loss]) -> Body:
    """Raises Unsupported."""
    pictures.one(request, API)
    files = pictures.begun_with(request, 1, f"{API} begins with one picture")
    if request.as_link:
        raise Unsupported(f"{API} gives a picture's data and no address: ask for `b64_json`", param="response_format")
    path = place(request.model)
    fields = pictures.leave(request, ("quality", "background", "user"), API, lost, _NATIVE)
    if request.model in EDIT:
        if not files:
            raise Unsupported(f"{request.model} makes a picture of another one: /v1/images/edits", param="model")
    else:
        fields = {**_begun(request, path, fields), **fields}
    if path == upstream_path:
        fields["model"] = "sd3.5-large" if request.model == "sd3" else request.model  # what `sd3` stands for
    if not files or request.model == "style":
        fields = whole.set_fields({}, aspect_ratio=pictures.ratio(request, API, lost, RATIOS)) | fields
    elif pictures.sides(request) is not None:
        lost.append(Loss("size", f"{API} makes it as large as the picture it begins with"))
    fields = whole.set_fields({"prompt": request.prompt}, output_format=request.format) | fields
    return Written([*fields.items(), *(("image", file) for file in files)], path)


def place(model: str) -> str:
    """Where a model is asked. Raises Unsupported for a service that takes no words."""
    if model in EDIT:
        return f"{_ROOT}/{EDIT[model]}/{model}"
    service = _SERVICE.fullmatch(model)
    if service is not None:
        return GENERATE[service[1]]
    if _DIFFUSION.match(model):
        return upstream_path
    raise Unsupported(f"{API} has no model of this name that makes pictures of words", param="model")


def _begun(request: ImagesRequest, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What says that there is a picture to begin with. Raises Unsupported."""
    if not request.images:
        return {}
    if path == GENERATE["core"]:
        raise Unsupported(f"{request.model} makes pictures of words alone; ask another model", param="image")
    if "strength" not in fields:
        raise Unsupported(
            f"{API} must be told how much of the picture to change: add `strength`, from 0 (nothing) to 1 (all)",
            param="strength",
        )
    return {"mode": "image-to-image"} if path == upstream_path else {}


class _Reply(msgspec.Struct, gc=False):
    image: str
    finish_reason: str = "SUCCESS"
    seed: Any = None


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    """Raises ProviderRefused for a picture that the filter has blurred."""
    reply = whole.decoded(_reply, body, pictures.WHAT)
    if reply.finish_reason == "CONTENT_FILTERED":
        raise pictures.moderated("Stability AI's filter keeps the picture back", b"", reply.finish_reason)
    if reply.finish_reason != "SUCCESS":
        raise whole.nonsense(body, pictures.WHAT, f"its finish_reason is {reply.finish_reason[:40]!a}")
    return whole.Said(
        value=Images(pictures=[Picture(base64=reply.image)]),
        usage=Usage(units={"images": 1.0}),
        native={"seed": reply.seed} if reply.seed is not None else {},
    )


class _Refusal(msgspec.Struct, gc=False):
    """https://platform.stability.ai/docs/api-reference#tag/Generate, under a response of 400."""

    name: str
    errors: list[str]


_refusal = msgspec.json.Decoder(_Refusal)


def read_error(status: int, body: bytes) -> ProviderRefused:
    """`{"id", "name", "errors": […]}`, or whatever else came."""
    try:
        found = _refusal.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return openai_errors.read_error(status, body)
    why = "; ".join(found.errors) or found.name
    if found.name == "content_moderation":
        return pictures.moderated(why, body, found.name)
    return ProviderRefused(why, status=status, body=body, kind=found.name)
