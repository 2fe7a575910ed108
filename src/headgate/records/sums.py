"""Sums of requests by the hour and by whose and what they are; whole numbers, so that they are exact in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from headgate.records.row import Row

GROUPS = ("organisation", "team", "application", "user", "key", "model", "target")
"""What is summed apart, beside the hour; "" stands for none."""
SUMS = (
    "requests", "answered", "errors_gateway", "errors_provider", "input", "cache_read", "cache_write", "output",
    "reasoning", "cost", "unpriced", "saved", "duration", "first_tokens", "first_token",
)  # fmt: skip
"""`duration` and `first_token` are microseconds of requests that were answered whole; `cost` is nanodollars."""
HOUR = 3600

Group = tuple[Any, ...]


def sums(rows: Iterable[Row]) -> Iterator[Group]:
    """The rows of the table `sums` that come of these records: the hour (Unix time / 3600), GROUPS, SUMS.

    What the gateway asked by itself costs tokens and money, but is nobody's request.
    """
    found: dict[Group, list[int]] = {}
    for row in rows:
        group = (
            int(row.time // HOUR), row.organisation or "", row.team or "", row.application or "", row.user or "",
            row.key or "", row.model or "", row.target or "",
        )  # fmt: skip
        into = found.get(group)
        if into is None:
            into = found[group] = [0] * len(SUMS)
        if row.kind == "request":
            _count(into, row)
        into[4] += row.input
        into[5] += row.cache_read
        into[6] += row.cache_write
        into[7] += row.output
        into[8] += row.reasoning
        into[9] += row.cost or 0
        into[10] += row.unpriced
        into[11] += row.saved
    for group, values in found.items():
        yield (*group, *values)


def _count(into: list[int], row: Row) -> None:
    into[0] += 1
    if row.origin == "gateway":
        into[2] += 1
    elif row.origin == "provider":
        into[3] += 1
    if row.ending == "complete":
        into[1] += 1
        into[12] += row.duration
        if row.first_token is not None:
            into[13] += 1
            into[14] += row.first_token
