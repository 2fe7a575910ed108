"""A request for pictures made from words or from other pictures, and its answer."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.chat import Native, Source
from headgate.core.form import File
from headgate.core.request import Request


class ImagesRequest(Request, kw_only=True):
    """What is to be painted. `kind`: made anew, an edit of `images`, or variations of the one image."""

    kind: Literal["generation", "edit", "variation"] = "generation"
    prompt: str = ""
    images: list[Source | File] = []
    mask: Source | File | None = None
    n: int | None = None
    size: str | None = None
    """WIDTHxHEIGHT, or `auto`."""
    quality: str | None = None
    background: str | None = None
    format: str | None = None
    """png, jpeg, webp …"""
    as_link: bool | None = None
    """The picture is wanted as a URL (True) or as data (False)."""
    user: str | None = None


class Picture(msgspec.Struct, kw_only=True):
    """A picture: standard base64, or a URL where the provider keeps it for a while."""

    base64: str | None = None
    url: str | None = None
    revised_prompt: str | None = None
    native: Native = {}


class Images(msgspec.Struct, kw_only=True):
    """The pictures."""

    pictures: list[Picture]
