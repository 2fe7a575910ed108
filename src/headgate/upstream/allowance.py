"""What a provider's reply headers say is left of its limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

LEFT = frozenset(
    {
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-remaining-tokens",
        b"anthropic-ratelimit-requests-remaining",
        b"anthropic-ratelimit-input-tokens-remaining",
        b"anthropic-ratelimit-tokens-remaining",
    }
)
NAME = itemgetter(0)
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
UNTOLD = 60.0
"""Seconds until a limit is full again, where the provider does not say."""


class Left(NamedTuple):
    """Requests and tokens that are left, and in how many seconds all are again; None: it does not say."""

    requests: int | None
    tokens: int | None
    requests_reset: float = UNTOLD
    tokens_reset: float = UNTOLD


def left(headers: Sequence[tuple[bytes, bytes]], time: float) -> Left | None:
    """None where the headers say nothing of it. `time`: Unix seconds.

    https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers (Groq, Azure and others have the same),
    https://docs.claude.com/en/api/rate-limits#response-headers
    """
    if LEFT.isdisjoint(map(NAME, headers)):
        return None
    told = dict(headers)
    requests = _number(told, b"x-ratelimit-remaining-requests", b"anthropic-ratelimit-requests-remaining")
    tokens = _number(
        told,
        b"x-ratelimit-remaining-tokens",
        b"anthropic-ratelimit-input-tokens-remaining",
        b"anthropic-ratelimit-tokens-remaining",
    )
    if requests is None and tokens is None:
        return None
    return Left(
        requests,
        tokens,
        _reset(told, time, b"x-ratelimit-reset-requests", b"anthropic-ratelimit-requests-reset"),
        _reset(
            told,
            time,
            b"x-ratelimit-reset-tokens",
            b"anthropic-ratelimit-input-tokens-reset",
            b"anthropic-ratelimit-tokens-reset",
        ),
    )


def _number(told: dict[bytes, bytes], *names: bytes) -> int | None:
    for name in names:
        value = told.get(name, b"")
        if value.isdigit():
            return int(value[:18])
    return None


def _reset(told: dict[bytes, bytes], time: float, *names: bytes) -> float:
    """Seconds, of `6m0s`, of `0.5` or of a moment (RFC 3339); at most an hour."""
    for name in names:
        text = told.get(name, b"").decode("latin-1")
        parts = SPAN.findall(text)
        if parts:
            return min(sum(float(number) * SECONDS[unit] for number, unit in parts), 3600.0)
        try:
            return min(max(float(text), 0.0), 3600.0)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment.timestamp() - time, 0.0), 3600.0)
    return UNTOLD
