"""What was used and spent, as sums and as reports, each role's own: who may see requests may see what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from headgate.admin.call import LONGEST_PAGE, PAGE, Answer, Call, moment, number
from headgate.admin.problems import Problem
from headgate.admin.requests import scope
from headgate.records import asking, report, waste
from headgate.records.bill import as_csv, as_json
from headgate.records.page import gathered, page
from headgate.records.report import Asked
from headgate.records.sums import SUMS
from headgate.records.usage import DIMENSIONS, PERIODS, Moved, Question, Span, usage
from headgate.store.database import StoreAway

T = TypeVar("T")
SPAN = frozenset({"month", "since", "until", "zone"})
WHERE = frozenset(DIMENSIONS) - PERIODS.keys()
MOST_PLACES = 10**6


async def get_usage(call: Call) -> Answer:
    """Sums by up to two dimensions; other parameters are values of dimensions."""
    _known(call, {*SPAN, *WHERE, "by", "order", "limit", "after", "format"})
    order, form = call.query.get("order", "cost"), call.query.get("format", "json")
    if order not in SUMS or form not in ("json", "csv"):
        wrong = "`format` is json or csv" if order in SUMS else f"`order` is one of {', '.join(SUMS)}"
        raise Problem(400, "invalid_query", wrong)
    limit = number(call, "limit", PAGE, LONGEST_PAGE)
    after = number(call, "after", 0, MOST_PLACES) if call.query.get("after", "0") != "0" else 0
    zone = _zone(call)
    by = _read(lambda: asking.dimensions(call.query.get("by", "team")))
    where = {name: value for name, value in call.query.items() if name in WHERE}
    question = Question(by, _span(call, zone), where, scope(call.who), zone, order)
    found = await _asked(lambda: usage(call.control.summed, question))
    currency = call.control.running.loaded.config.reports.money
    if form == "csv":
        headers = [
            ("content-type", "text/csv; charset=utf-8"),
            ("content-disposition", 'attachment; filename="usage.csv"'),
        ]
        return 200, as_csv(found, found.items, currency).encode(), headers
    shown = found.items[after : after + limit]
    next = after + limit if len(found.items) > after + limit else None
    return 200, {**as_json(found, shown, currency), "next": next}


async def get_summary(call: Call) -> Answer:
    asked, span = _about(call, SPAN)
    return 200, await _asked(lambda: report.summary(asked, span))


async def get_months(call: Call) -> Answer:
    asked, _ = _about(call, {"zone"})
    return 200, {"items": await _asked(lambda: report.months(asked, datetime.now(UTC)))}


async def get_forecast(call: Call) -> Answer:
    asked, _ = _about(call, {"zone"})
    return 200, await _asked(lambda: report.forecast(asked, datetime.now(UTC)))


async def get_waste(call: Call) -> Answer:
    asked, span = _about(call, SPAN)
    catalogue = call.control.running.gateway.menu.catalogue
    found = await _asked(lambda: waste.findings(asked, span, catalogue))
    return 200, {"since": report.moment(span[0]), "until": report.moment(span[1]), "items": found}


async def get_page(call: Call) -> Answer:
    asked, span = _about(call, SPAN)
    catalogue = call.control.running.gateway.menu.catalogue
    data = await _asked(lambda: gathered(asked, span, datetime.now(UTC), catalogue))
    text = await asyncio.to_thread(page, data, call.control.running.loaded.config.reports.money)
    policy = ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    return 200, text.encode(), [("content-type", "text/html; charset=utf-8"), policy]


def _about(call: Call, names: frozenset[str] | set[str]) -> tuple[Asked, Span]:
    _known(call, names)
    zone = _zone(call)
    return Asked(call.control.summed, scope(call.who), zone), _span(call, zone)


def _known(call: Call, names: frozenset[str] | set[str]) -> None:
    if unknown := set(call.query) - names:
        raise Problem(400, "invalid_query", f"`{min(unknown)[:50]}` is nothing to ask by")


def _zone(call: Call) -> tzinfo:
    return _read(lambda: asking.zone(call.query.get("zone", call.control.running.loaded.config.reports.time_zone)))


def _span(call: Call, zone: tzinfo) -> Span:
    times: dict[str, Any] = {"month": call.query.get("month")}
    for name in ("since", "until"):
        said = moment(call, name)
        times[name] = None if said is None else datetime.fromtimestamp(said, UTC)
    return _read(lambda: asking.span(datetime.now(UTC), zone, **times))


def _read(reads: Callable[[], T]) -> T:
    try:
        return reads()
    except (ValueError, OverflowError) as error:
        raise Problem(400, "invalid_query", str(error)) from None


async def _asked(question: Callable[[], Awaitable[T]]) -> T:
    try:
        return await question()
    except StoreAway as away:
        told = f"the database of records cannot be asked: {away}"
        raise Problem(503, "records_away", told, retry_after="2") from None
    except Moved:
        raise Problem(503, "records_moving", "the journal moved while it was read", retry_after="1") from None
