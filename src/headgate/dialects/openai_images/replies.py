"""Replies of OpenAI's images API in one piece, read and written; a part of `openai_images`.

Format: https://platform.openai.com/docs/api-reference/images/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.images import Images, Picture
from headgate.core.usage import Usage
from headgate.dialects import whole

_WHAT = "a list of pictures"
_KNOWN = ("created", "data", "usage")


class _Light(msgspec.Struct, gc=False):
    """A picture that is only counted."""


class _Reply(msgspec.Struct, gc=False):
    data: list[_Light]
    usage: Any = None
    svg_usage: Any = None


class _Item(msgspec.Struct, gc=False):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


_reply = msgspec.json.Decoder(_Reply)
_members = msgspec.json.Decoder(dict[str, Any])


def read(body: bytes, deep: bool) -> whole.Said:
    """Raises ProviderNonsense."""
    reply = whole.decoded(_reply, body, _WHAT)
    said = whole.Said(usage=read_usage(reply.usage, len(reply.data), reply.svg_usage))
    if deep:
        fields = whole.decoded(_members, body, _WHAT)
        said.created = whole.count(fields.get("created"))
        said.value = Images(pictures=[picture(item, body) for item in fields["data"]])
        said.native = {key: value for key, value in fields.items() if key not in _KNOWN}
    return said


def picture(fields: dict[str, Any], body: bytes) -> Picture:
    """One of them. Raises ProviderNonsense where there is none."""
    try:
        item = msgspec.convert(fields, _Item)
    except msgspec.ValidationError as error:
        raise whole.nonsense(body, _WHAT, str(error)) from None
    if item.b64_json is None and item.url is None:
        raise whole.nonsense(body, _WHAT, "neither `b64_json` nor `url`")
    native = {key: value for key, value in fields.items() if key not in _Item.__struct_fields__}
    return Picture(base64=item.b64_json, url=item.url, revised_prompt=item.revised_prompt, native=native)


def item(one: Picture) -> dict[str, Any]:
    """One as it is written."""
    fields = {"b64_json": one.base64, "url": one.url, "revised_prompt": one.revised_prompt}
    return {**whole.set_fields({}, **fields), **one.native}


def read_usage(raw: Any, count: int, svg: Any = None) -> Usage:
    """Tokens, which only the newer models report, and the pictures themselves. The totals include the details.

    The author of an SVG is a model of text, whose tokens are not in the totals; they include its reasoning.
    """
    usage = Usage(units={"images": float(count)} if count else {})
    if isinstance(raw, dict):
        usage.reported = raw
        usage.input, usage.input_image = _split(raw, "input")
        text, usage.output_image = _split(raw, "output")
        if not isinstance(raw.get("output_tokens_details"), dict):  # the older of these models: all is picture
            text, usage.output_image = 0, text
        usage.output = text
    if isinstance(svg, dict):
        reasoning = min(whole.count(svg.get("reasoning_tokens")), whole.count(svg.get("output_tokens")))
        usage.input += whole.count(svg.get("input_tokens"))
        usage.output += whole.count(svg.get("output_tokens")) - reasoning
        usage.reasoning = reasoning
    return usage


def _split(raw: dict[str, Any], side: str) -> tuple[int, int]:
    """Tokens of text and of pictures."""
    total, details = whole.count(raw.get(f"{side}_tokens")), raw.get(f"{side}_tokens_details")
    images = min(whole.count(details.get("image_tokens")), total) if isinstance(details, dict) else 0
    return total - images, images


def write_usage(usage: Usage | None) -> dict[str, Any] | None:
    """None where no tokens are known."""
    if usage is None or not usage.prompt + usage.completion:
        return None
    text = usage.output + usage.reasoning
    return {
        "input_tokens": usage.input + usage.input_image,
        "input_tokens_details": {"image_tokens": usage.input_image, "text_tokens": usage.input},
        "output_tokens": text + usage.output_image,
        "output_tokens_details": {"image_tokens": usage.output_image, "text_tokens": text},
        "total_tokens": usage.prompt + usage.completion,
    }


def write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    value: Images = said.value
    fields = {"created": said.created, "data": [item(one) for one in value.pictures]}
    return whole.set_fields(fields, usage=write_usage(said.usage))
