"""Sums of requests by the hour and by whose and what they are; whole numbers, so that they are exact in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headgate.records.row import Row

GROUPS = ("organisation", "team", "application", "user", "key", "model", "target", "dialect", "status")
"""What is summed apart, beside the hour; "" stands for none. Nothing of which there may be as many as requests, such
as end users and tags, so that there are much fewer sums than requests."""
SUMS = (
    "requests", "answered", "errors_gateway", "errors_provider", "input", "cache_read", "cache_write", "output",
    "reasoning", "cost", "unpriced", "saved", "saved_routing", "retries", "wasted", "duration", "first_tokens",
    "first_token",
)  # fmt: skip
"""`duration` and `first_token` are microseconds of requests that were answered whole; `cost`, what was `saved` by
providers' caches and by routing, and `wasted`, which is of answers that were not taken, are nanodollars."""
SPREAD = ("hour", "team", "model", "target", "bucket")
COUNTS = ("durations", "first_tokens")
"""Of a bucket of time: how many requests took so long, and to how many the first piece came then."""
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
            row.key or "", row.model or "", row.target or "", row.dialect or "", str(row.status),
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
        into[12] += row.saved_routing
        into[14] += row.wasted
    for group, values in found.items():
        yield (*group, *values)


def _count(into: list[int], row: Row) -> None:
    into[0] += 1
    into[13] += row.retries
    if row.origin == "gateway":
        into[2] += 1
    elif row.origin == "provider":
        into[3] += 1
    if row.ending == "complete":
        into[1] += 1
        into[15] += row.duration
        if row.first_token is not None:
            into[16] += 1
            into[17] += row.first_token


def spreads(rows: Iterable[Row]) -> Iterator[Group]:
    """The rows of the table `spreads`: SPREAD and COUNTS, of requests that were answered whole."""
    found: dict[Group, list[int]] = {}
    for row in rows:
        if row.kind == "request" and row.ending == "complete":
            whose = (int(row.time // HOUR), row.team or "", row.model or "", row.target or "")
            found.setdefault((*whose, bucket(row.duration)), [0, 0])[0] += 1
            if row.first_token is not None:
                found.setdefault((*whose, bucket(row.first_token)), [0, 0])[1] += 1
    for group, counts in found.items():
        yield (*group, *counts)


def bucket(micros: int) -> int:
    """Of a time; four for each doubling, so that times of one differ by a quarter at most."""
    units = micros >> 8
    above = units.bit_length() - 3
    return units if above < 0 else 4 * above + (units >> above)


def lowest(number: int) -> int:
    """The shortest time of a bucket, in microseconds."""
    if number < 4:
        return number << 8
    above, rest = divmod(number, 4)
    return (4 + rest) << (above - 1 + 8)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The time in seconds within which so many of a hundred were; None of nothing. It is right to an eighth: between
    the ends of a bucket it goes as if times were spread evenly."""
    left = sum(counts.values()) * share / 100
    if not left:
        return None
    for number in sorted(counts):
        if left <= counts[number]:
            first, behind = lowest(number), lowest(number + 1)
            return round((first + (behind - first) * left / counts[number]) / 1e6, 3)
        left -= counts[number]
    raise AssertionError("a share of all is behind all")
