"""Times as people write them on the command line: an age, a date, a span."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

SPAN = re.compile(r"(\d{1,6})([smhdw])\Z")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """`10m` ago (s, m, h, d, w), or a time as ISO 8601 writes it. Raises ValueError, OverflowError."""
    match = SPAN.match(text)
    if match:
        return now - timedelta(**{UNITS[match[2]]: int(match[1])})
    return datetime.fromisoformat(text)


def read_moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """For options that are times."""
    if value is None:
        return None
    try:
        return moment(value, datetime.now(UTC))
    except (ValueError, OverflowError) as error:
        message = f"{value!r} is neither an age (45s, 10m, 2h, 3d, 1w) nor a time (2026-01-01T12:00)"
        raise click.BadParameter(message) from error


def read_span(context: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """For options that are spans of time."""
    match = SPAN.match(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no span of time: 30m, 4h, 2d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})
