"""What the dialects of providers share that make pictures in APIs of their own: sizes, refusals, what is left out."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from math import gcd, log
from typing import Any

from headgate.core.body import Said
from headgate.core.chat import Loss
from headgate.core.errors import InvalidRequest, ProviderRefused, Unsupported
from headgate.core.form import File
from headgate.core.images import ImagesRequest, Picture
from headgate.dialects import whole
from headgate.dialects.framing import JSON

WHAT = "a picture"
_SIDES = re.compile(r"(\d{1,5})[x:](\d{1,5})")
_DATA = re.compile(r"data:[^,]{0,200};base64,")
SHARED = ("negative_prompt", "seed")
"""Fields beside OpenAI's own that mean the same everywhere."""


class Order(Said):
    """A picture that is ordered, and asked after until it is there. `as_data`: the client wants no address of it."""

    __slots__ = ("as_data",)

    def __init__(self, fields: Mapping[str, Any], path: str, as_data: bool | None) -> None:
        super().__init__(whole.encode(fields), JSON, path)
        self.as_data = as_data is True


def one(request: ImagesRequest, api: str, instead: str = "") -> None:
    """Raises Unsupported where more than one picture is wanted."""
    if request.n is not None and request.n > 1:
        advice = instead or "ask once for each"
        raise Unsupported(f"{api} makes one picture for a request: {advice}", param="n")


def begun_with(request: ImagesRequest, most: int, why: str) -> list[File]:
    """The pictures to begin with. Raises Unsupported where there are more, or a mask; `why` says what it takes."""
    if request.kind == "variation":
        raise Unsupported("this provider makes no variations of a picture; say what to make of it: /v1/images/edits")
    if request.mask is not None:
        raise Unsupported(
            "masks mean the opposite to this provider: say in the prompt what to change, or ask it on its own paths, "
            "which stand behind its name: /{provider}/…",
            param="mask",
        )
    files = [each for each in request.images if isinstance(each, File)]
    if len(files) != len(request.images) or len(files) > most:
        raise Unsupported(why, param="image")
    return files


def sides(request: ImagesRequest) -> tuple[int, int] | None:
    """Width and height; None where the model may choose. Raises InvalidRequest."""
    if request.size in (None, "auto"):
        return None
    found = _SIDES.fullmatch(request.size or "")
    if found is None or not int(found[1]) or not int(found[2]):
        raise InvalidRequest("`size` must be WIDTHxHEIGHT in pixels, or `auto`", param="size")
    return int(found[1]), int(found[2])


def ratio(request: ImagesRequest, api: str, lost: list[Loss], possible: Sequence[str] = ()) -> str | None:
    """The size as a ratio of sides: the nearest of the possible ones, or any. Pixels are lost by name."""
    size = sides(request)
    if size is None:
        return None
    width, height = size
    part = gcd(width, height)
    exact = f"{width // part}:{height // part}"
    found = exact if not possible else min(possible, key=lambda each: abs(log(_share(each) * height / width)))
    if found != request.size:
        lost.append(Loss("size", f"{api} takes a ratio of sides, here {found}; how large it becomes is the model's"))
    return found


def _share(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return int(width) / int(height)


def leave(
    request: ImagesRequest, names: Sequence[str], api: str, lost: list[Loss], known: Sequence[str] | None = None
) -> dict[str, Any]:
    """Name those of the request's fields that are set and cannot be said, and give those beside OpenAI's own that can:
    the provider's, by the names it has for them. `known` None: all of them."""
    said = (name for name in names if getattr(request, name) is not None)
    lost += (Loss({"as_link": "response_format"}.get(name, name), f"{api} has no such parameter") for name in said)
    if known is None:
        return dict(request.native)
    lost += (Loss(name, f"{api} has no such parameter") for name in request.native if name not in known)
    return {name: value for name, value in request.native.items() if name in known}


def picture(address: str, body: bytes) -> Picture:
    """Of an address, or a data: URL. Raises ProviderNonsense."""
    found = _DATA.match(address)
    if found is None:
        if not address.startswith(("https://", "http://")):
            raise whole.nonsense(body, WHAT, "no address of a picture")
        return Picture(url=address)
    data = address[found.end() :]
    try:
        b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise whole.nonsense(body, WHAT, "a picture that is not base64") from None
    return Picture(base64=data)


def moderated(why: str, body: bytes, kind: str) -> ProviderRefused:
    """The error for a picture, or a wish for one, that a filter keeps back, with the code OpenAI's clients know."""
    return ProviderRefused(why, status=400, body=body, kind=kind, vendor_code="moderation_blocked")
