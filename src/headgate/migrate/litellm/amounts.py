"""LiteLLM's budgets and rates as limits of ours: how much, in which time."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any, NamedTuple

WORDS = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
DURATION = re.compile(r"(\d+)(mo|[smhdw])\Z")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 30 * 86400}
WINDOWS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "month": 30 * 86400}
"""Seconds of each: LiteLLM's `30d` also begins with the month, its `7d` on Monday (duration_parser.py)."""
MONTH = WINDOWS["month"]
MOST_MONEY = Decimal(10**6)
EXACT = Decimal("0.000000001")


NEVER = "a budget that never begins anew has no counterpart: here it begins anew each month"


class Window(NamedTuple):
    """The window that stands for a duration."""

    every: str
    share: Decimal
    """Of the amount, where the duration is longer than any window: one month's."""
    otherwise: str
    """How it differs; empty where it does not."""

    @property
    def laxer(self) -> bool:
        """Whether more may be spent than LiteLLM allows."""
        return self.otherwise == NEVER


def window(duration: str | None) -> Window:
    """Never one in which more may be spent than LiteLLM allows, but for a budget that never begins anew."""
    if duration is None or not duration.strip():
        return Window("month", Decimal(1), NEVER)
    seconds = in_seconds(duration)
    if seconds is None:
        return Window("month", Decimal(1), f"`{duration[:20]}` is no duration: it begins anew each month")
    for every, length in WINDOWS.items():
        if length == seconds:
            return Window(every, Decimal(1), "")
        if length > seconds:
            return Window(every, Decimal(1), f"no window of {duration} is there: the same amount in a {every}")
    months = max(round(seconds / MONTH), 1)
    share = f"a {months}th of it" if months > 1 else "it"
    return Window("month", Decimal(1) / months, f"no window of {duration} is there: {share} in a month")


def in_seconds(duration: str) -> int | None:
    """`30s`, `30m`, `30h`, `30d`, `2w`, `1mo`; None where it is none."""
    text = duration.strip().lower()
    found = DURATION.match(WORDS.get(text, text))
    return int(found[1]) * SECONDS[found[2]] if found and int(found[1]) else None


def money(amount: Any, share: Decimal = Decimal(1)) -> Any:
    """US dollars as a limit has them, rounded down; None where it is no amount."""
    try:
        found = Decimal(str(amount)) * share
    except InvalidOperation:
        return None
    if not found.is_finite() or found < 0:
        return None
    exact = min(found, MOST_MONEY).quantize(EXACT, ROUND_DOWN).normalize()
    return int(exact) if exact == exact.to_integral_value() else float(exact)
