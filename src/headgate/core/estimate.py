"""How large a request is, as far as can be seen without reading it: cheap enough to be asked of every one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LENGTH = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens", "maxTokens", "num_predict")
"""Where the dialects say how long an answer may be."""
CHOICES = ("n", "candidateCount")
"""Where they say how many answers are wanted."""
OPTIONS = ("generationConfig", "inferenceConfig", "options")
"""Fields that hold others."""
MOST_ANSWERS = 10**9
"""Tokens: a number beyond is no limit, and may be too large to reckon with."""
BYTES_PER_TOKEN = 4
PICTURE_TOKENS = 1000
"""Of a picture, about: vendors count some 250 to 1,600, by its size."""
LARGE = 8192
"""Bytes of a body in which data may be hidden that are worth a look."""
LONG = 2000
"""Bytes of a text without a space that is data, not words."""
PICTURE = re.compile(rb'"type"\s*:\s*"(?:input_)?image(?:_url)?"')


def prompt_tokens(body: bytes) -> int:
    """About how many tokens a JSON body has: a token is four bytes, and a picture a thousand tokens however many bytes
    its data are. So are sounds and files, for want of a better guess."""
    size = len(body)
    data: list[bytes] = []
    if size > LARGE:
        data = [text for text in body.split(b'"') if len(text) > LONG and b" " not in text[:LONG]]
        size -= sum(map(len, data))
    pictures = len(PICTURE.findall(body)) if b"image" in body else 0
    return size // BYTES_PER_TOKEN + PICTURE_TOKENS * max(pictures, len(data))


def answer_limit(fields: Mapping[str, Any]) -> int | None:
    """Most tokens that a request wants as its answer; None where it does not say."""
    return next((number for number in numbers(fields, LENGTH) if number > 0), None)


def answers_limit(fields: Mapping[str, Any]) -> int | None:
    """Most tokens that it wants as all its answers; None also for more than any model writes."""
    limit = answer_limit(fields)
    if limit is None:
        return None
    wanted = limit * max([1, *numbers(fields, CHOICES)])
    return wanted if wanted <= MOST_ANSWERS else None


def numbers(fields: Mapping[str, Any], names: Sequence[str]) -> list[int]:
    """What stands in these fields, or in them inside `OPTIONS`."""
    found = [fields[name] for name in names if name in fields and type(fields[name]) is int]
    for place in OPTIONS:
        if place in fields:
            held = inside(fields, place)
            found += [held[name] for name in names if type(held.get(name)) is int]
    return found


def inside(fields: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    held = fields.get(place)
    return held if isinstance(held, dict) else {}
