"""A request to classify texts and pictures that may be harmful, and its answer."""

from __future__ import annotations

import msgspec

from headgate.core.chat import Native, Part
from headgate.core.request import Request


class ModerationRequest(Request, kw_only=True):
    """What is to be classified: each of `inputs` gets a verdict. Several parts in one input are judged together."""

    inputs: list[list[Part]]
    single: bool = False
    """The one input stood by itself, as a bare string."""
    mixed: bool = False
    """The one input is a list of parts."""


class Verdict(msgspec.Struct, kw_only=True):
    """What one input is. Categories are the vendor's own (None: unknown to this model); scores are from 0 to 1."""

    flagged: bool
    categories: dict[str, bool | None]
    scores: dict[str, float | None] = {}
    native: Native = {}


class Moderation(msgspec.Struct, kw_only=True):
    """The verdicts, in the inputs' order."""

    verdicts: list[Verdict]
