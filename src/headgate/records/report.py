"""What a period came to: its figures beside those of the period before, who used most, months, and a forecast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import mean, pstdev
from typing import Any, NamedTuple

from headgate.core.money import dollars
from headgate.records.asking import following
from headgate.records.reading import Records
from headgate.records.search import Scope
from headgate.records.sums import SUMS, percentile
from headgate.records.usage import Counts, Question, Span, Sums, usage

TOP = ("team", "application", "user", "key", "model", "provider")
FEATURES = ("tag", "tag:feature")
MOST = 10
MONTHS, DAYS = 12, 28
"""Of which months are told, and from which days a forecast is made."""
FEWEST = 3
"""Days that a forecast needs."""
RANGE = 1.28
"""Standard deviations on both sides: in four of five cases what comes is within."""
METHOD = (
    "what was spent until yesterday, and for each day that is left the mean of the same weekday in the last four weeks "
    "(of all days, where there was none); the range is that in which four of five outcomes lie if days go on to differ "
    "from their means as they did"
)


class Asked(NamedTuple):
    """Whose requests a report is of, and whose days count."""

    records: Records
    scope: Scope | None = None
    zone: tzinfo = UTC

    async def sums(self, by: Sequence[str], span: Span, order: str = "cost") -> list[tuple[tuple[str, ...], Sums]]:
        return (await usage(self.records, Question(by, span, {}, self.scope, self.zone, order))).items


def value(sums: Sequence[int], name: str) -> int:
    return sums[SUMS.index(name)]


def added(several: Iterable[Sequence[int]]) -> Sums:
    return [sum(column) for column in zip(*several, strict=True)] or [0] * len(SUMS)


def available(by_status: Mapping[str, Sequence[int]]) -> float | None:
    """Which part of what was asked was answered whole, but for what the caller did wrong or broke off himself: what
    ended with a status from 400 on that is not 429, or with 429 by a limit of the gateway's."""
    answered = failed = 0
    for status, sums in by_status.items():
        answered += value(sums, "answered")
        if status == "429" or not status.startswith("4"):
            failed += value(sums, "errors_provider")
        if not status.startswith("4"):
            failed += value(sums, "errors_gateway")
    return answered / (answered + failed) if answered + failed else None


def figures(by_status: Mapping[str, Sequence[int]], counts: Counts | None = None) -> dict[str, Any]:
    """Those of a period: amounts as exact US dollars, shares from 0 to 1, seconds."""
    sums = added(by_status.values())
    tokens = {name: value(sums, name) for name in ("input", "cache_read", "cache_write", "output", "reasoning")}
    answered, prompt = value(sums, "answered"), tokens["input"] + tokens["cache_read"] + tokens["cache_write"]
    some = {bucket: both[0] for bucket, both in (counts or {}).items()}
    return {
        "requests": value(sums, "requests"),
        "errors_gateway": value(sums, "errors_gateway"),
        "errors_provider": value(sums, "errors_provider"),
        **tokens,
        **{name: dollars(value(sums, name)) for name in ("cost", "saved", "saved_routing", "wasted")},
        "unpriced": value(sums, "unpriced"),
        "retries": value(sums, "retries"),
        "availability": available(by_status),
        "cached_share": tokens["cache_read"] / prompt if prompt else None,
        "seconds": round(value(sums, "duration") / answered / 1e6, 3) if answered else None,
        "seconds_p95": percentile(some, 95),
    }


async def summary(asked: Asked, span: Span) -> dict[str, Any]:
    """A period, the one of the same length before, its days, and who used most in it."""
    length = span[1] - span[0]
    found: dict[str, Any] = {"since": moment(span[0]), "until": moment(span[1]), "zone": str(asked.zone)}
    for name, of in (("now", span), ("before", (span[0] - length, span[0]))):
        counts = (await usage(asked.records, Question((), of, {}, asked.scope, asked.zone))).counts.get((), {})
        found[name] = figures({names[0]: sums for names, sums in await asked.sums(("status",), of)}, counts)
    found["days"] = [{"day": names[0], **_short(sums)} for names, sums in await asked.sums(("day",), span)]
    found["top"] = {}
    for name in (*TOP, *FEATURES):
        items = await asked.sums((name,), span)
        known = [{"name": names[0] or None, **_short(sums)} for names, sums in items if names[0] or name in TOP]
        if any(each["name"] for each in known):
            found["top"][name] = known[:MOST]
    return found


def _short(sums: Sums) -> dict[str, Any]:
    answered = value(sums, "answered")
    return {
        "requests": value(sums, "requests"),
        "errors": value(sums, "errors_gateway") + value(sums, "errors_provider"),
        "tokens": sum(value(sums, name) for name in ("input", "cache_read", "cache_write", "output", "reasoning")),
        "cost": dollars(value(sums, "cost")),
        "saved": dollars(value(sums, "saved") + value(sums, "saved_routing")),
        "seconds": round(value(sums, "duration") / answered / 1e6, 3) if answered else None,
    }


async def months(asked: Asked, now: datetime, count: int = MONTHS) -> list[dict[str, Any]]:
    """Figures of each month in which there was anything, up to the current one: what was saved, how much was answered,
    how fast."""
    first = now.astimezone(asked.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last = following(first)
    for _ in range(count - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    span = (int(first.timestamp()), int(last.timestamp()))
    found: dict[str, dict[str, Sums]] = {}
    for (month, status), sums in await asked.sums(("month", "status"), span):
        found.setdefault(month, {})[status] = sums
    counts = (await usage(asked.records, Question(("month",), span, {}, asked.scope, asked.zone))).counts
    return [
        {"month": month, "whole": month != f"{now.astimezone(asked.zone):%Y-%m}", **figures(each, counts.get((month,)))}
        for month, each in sorted(found.items())
    ]


async def forecast(asked: Asked, now: datetime) -> dict[str, Any]:
    """What the current month will have cost, and how that is reckoned; `cost` is None where too little is known."""
    today = now.astimezone(asked.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today.replace(day=1)
    since = min(first, today - timedelta(days=DAYS))
    spent = {names[0]: value(sums, "cost") for names, sums in await asked.sums(("day",), _span(since, now))}
    known = _days(since, today, spent)
    month = f"{today:%Y-%m}"
    so_far = sum(cost for day, cost in spent.items() if day.startswith(month))
    found: dict[str, Any] = {"month": month, "spent": dollars(so_far), "method": METHOD, "days": len(known)}
    if len(known) < FEWEST:
        why = f"a forecast needs {FEWEST} whole days with requests; there are {len(known)}"
        return {**found, "cost": None, "low": None, "high": None, "why": why, "expected": []}
    means, spread = seasonal(known)
    left = _each(today, following(first))
    expected = [(f"{day:%Y-%m-%d}", means[day.weekday()]) for day in left]
    already = spent.get(f"{today:%Y-%m-%d}", 0)
    total = so_far - already + max(already, expected[0][1]) + sum(cost for _, cost in expected[1:])
    wide = RANGE * spread * len(left) ** 0.5
    return {
        **found, "cost": dollars(round(total)), "low": dollars(round(max(total - wide, so_far))),
        "high": dollars(round(total + wide)), "why": None,
        "expected": [{"day": day, "cost": dollars(round(cost))} for day, cost in expected],
    }  # fmt: skip


def seasonal(known: Sequence[tuple[datetime, int]]) -> tuple[list[float], float]:
    """The mean of each weekday (of all days, where there was none), and how far days are from them."""
    overall = mean(cost for _, cost in known)
    by_weekday: list[list[int]] = [[cost for day, cost in known if day.weekday() == weekday] for weekday in range(7)]
    means = [mean(costs) if costs else overall for costs in by_weekday]
    return means, pstdev([cost - means[day.weekday()] for day, cost in known] if len(known) > 7 else [
        cost for _, cost in known
    ])  # fmt: skip


def _days(since: datetime, today: datetime, spent: Mapping[str, int]) -> list[tuple[datetime, int]]:
    """The last whole days since there were any requests."""
    all_of = [(day, spent.get(f"{day:%Y-%m-%d}")) for day in _each(max(since, today - timedelta(days=DAYS)), today)]
    begun = next((place for place, (_, cost) in enumerate(all_of) if cost is not None), len(all_of))
    return [(day, cost or 0) for day, cost in all_of[begun:]]


def _each(first: datetime, behind: datetime) -> list[datetime]:
    """Days by the calendar."""
    return [first + timedelta(days=number) for number in range((behind.date() - first.date()).days)]


def _span(first: datetime, last: datetime) -> Span:
    return int(first.timestamp()), int(-(-last.timestamp() // 3600)) * 3600


def moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%MZ")
