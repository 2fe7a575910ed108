"""Requests of OpenAI's images API that are forms, with pictures to begin with; a part of `openai_images`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from headgate.core.chat import Loss
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.form import File, Written
from headgate.core.images import ImagesRequest
from headgate.dialects.fields import optional, others
from headgate.dialects.whole import set_fields

Kind = Literal["edit", "variation"]

LINK = {"url": True, "b64_json": False}
WORDS = {True: "url", False: "b64_json"}
_FIELDS = frozenset(
    {
        "model", "prompt", "n", "size", "quality", "background", "output_format", "response_format", "user", "stream",
        "image", "mask",
    }
)  # fmt: skip


def read(name: str, kind: Kind, fields: Mapping[str, Any], model: str) -> ImagesRequest:
    """`model` is the one that is meant where none is named. Raises InvalidRequest."""
    prompt = optional(fields, "prompt", str)
    if kind == "edit" and prompt is None:
        raise InvalidRequest("`prompt` is missing: it must say what to make of the pictures.", param="prompt")
    form = optional(fields, "response_format", str)
    mask = fields.get("mask")
    if mask is not None and not isinstance(mask, File):
        raise InvalidRequest("`mask` must be a file: a part of the form with a filename", param="mask")
    request = ImagesRequest(
        dialect=name,
        model=fields.get("model") or model,
        kind=kind,
        stream=fields.get("stream") is True,
        prompt=prompt or "",
        images=_pictures(fields.get("image"), kind),
        mask=mask,
        n=number(fields),
        size=optional(fields, "size", str),
        quality=optional(fields, "quality", str),
        background=optional(fields, "background", str),
        format=optional(fields, "output_format", str),
        as_link=LINK.get(form or ""),
        user=optional(fields, "user", str),
        native=others(fields, _FIELDS),
    )
    if form is not None and request.as_link is None:
        request.native["response_format"] = form
    return request


def _pictures(value: Any, kind: Kind) -> list[Any]:
    pictures = value if isinstance(value, list) else [value]
    if not pictures or not all(isinstance(each, File) for each in pictures):
        raise InvalidRequest("`image` must be a file: a part of the form with a filename", param="image")
    if kind == "variation" and len(pictures) > 1:
        raise InvalidRequest("`image` must be one file", param="image")
    return pictures


def number(fields: Mapping[str, Any]) -> int | None:
    """How many pictures are asked for. Raises InvalidRequest."""
    value = fields.get("n")
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        return int(value)
    raise InvalidRequest("`n` must be an integer", param="n")


def write(name: str, kind: Kind, request: ImagesRequest, lost: list[Loss]) -> Written:
    """Raises Unsupported for a request of another kind."""
    if request.kind != kind:
        raise Unsupported(f"this is no request for an image {kind}", param="image")
    fields = set_fields(
        {"model": request.model},
        prompt=request.prompt or None,
        n=request.n,
        size=request.size,
        quality=request.quality,
        background=request.background,
        output_format=request.format,
        response_format=None if request.as_link is None else WORDS[request.as_link],
        user=request.user,
        stream=request.stream or None,
    )
    if request.dialect == name:
        fields |= request.native
    else:
        lost += (Loss(key, "only the client's own API knows it") for key in request.native)
    many = len(request.images) > 1
    files = [("image[]" if many else "image", file) for file in request.images]
    masks = [("mask", request.mask)] if request.mask is not None else []
    return Written([*fields.items(), *files, *masks])
