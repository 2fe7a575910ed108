"""Where money goes that need not: what was asked more than once, large models on small tasks, failures, retries,
prompts that are not cached."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from headgate.catalog.catalogue import Catalogue
from headgate.catalog.entry import Entry
from headgate.core.fingerprint import HEAD
from headgate.core.money import NANO, dollars
from headgate.records import statements as sql
from headgate.records.report import Asked, value
from headgate.records.usage import Span

MOST = 10
SMALL_PROMPT, SMALL_ANSWER = 500, 200
"""Tokens of a small task at most."""
CHEAPER = 5
"""How many times less another model must have cost."""
FAILING, FEWEST = 0.2, 20
"""The share of errors from which on a key fails, of so many requests at least."""
PREFIX = HEAD // 4
"""Tokens of a beginning that is told by its fingerprint: about four bytes each."""
MONTH = 30 * 86_400
SPENT = "kind = 'request' AND ending = 'complete' AND cost > 0 AND time >= ? AND time < ?"
Finding = dict[str, Any]


async def findings(asked: Asked, span: Span, catalogue: Catalogue | None) -> list[Finding]:
    """The dearest first; each with what could be done, and what it would spare in a month of thirty days."""
    found = [*await _repeated(asked, span), *await _failing(asked, span), *await _retried(asked, span)]
    if catalogue is not None:
        found += [*await _oversized(asked, span, catalogue), *await _uncached(asked, span, catalogue)]
    days = MONTH / (span[1] - span[0])
    for each in found:
        nano = each.pop("nano")
        each |= {"spent": dollars(nano), "per_month": dollars(round(nano * days))}
    return sorted(found, key=lambda each: -Decimal(each["per_month"]))


async def _rows(asked: Asked, span: Span, columns: str, where: str, rest: str, *values: Any) -> list[Sequence[Any]]:
    conditions: list[tuple[str, Sequence[Any]]] = [(SPENT, list(map(float, span)))]
    if where:
        conditions.append((where, values))
    if asked.scope is not None:
        text, some = asked.scope.condition
        conditions.append((text.replace("requests.", ""), some))
    text, some = sql.together(conditions)
    return await asked.records.rows(f"SELECT {columns} FROM requests WHERE {text} {rest}", *some)  # noqa: S608


def _one(column: str) -> str:
    """Its value, where all have the same."""
    return f"CASE WHEN MIN(COALESCE({column}, '')) = MAX(COALESCE({column}, '')) THEN MIN({column}) END"


async def _repeated(asked: Asked, span: Span) -> list[Finding]:
    columns = f"MIN(id), {_one('model')}, {_one('team')}, COUNT(*), SUM(cost), SUM(cost) - MAX(cost)"
    rest = f"GROUP BY fingerprint HAVING COUNT(*) > 1 ORDER BY SUM(cost) - MAX(cost) DESC LIMIT {MOST}"
    rows = await _rows(asked, span, columns, "fingerprint IS NOT NULL", rest)
    return [
        {
            "kind": "repeated", "what": f"{int(count):,} requests were the same", "model": model, "team": team,
            "example": id, "requests": int(count), "nano": int(again),
            "advice": "a cache of answers would have served all but the first",
        }
        for id, model, team, count, _, again in rows
    ]  # fmt: skip


async def _oversized(asked: Asked, span: Span, catalogue: Catalogue) -> list[Finding]:
    columns = "target, COUNT(*), SUM(cost), SUM(input + cache_read + cache_write), SUM(output)"
    where = "input + cache_read + cache_write <= ? AND output <= ? AND reasoning = 0 AND target IS NOT NULL"
    rows = await _rows(asked, span, columns, where, "GROUP BY target", SMALL_PROMPT, SMALL_ANSWER)
    found: list[Finding] = []
    for target, count, cost, prompt, answer in rows:
        other = smaller(catalogue, target, int(prompt), int(answer))
        if other is not None and other[1] * CHEAPER <= int(cost):
            found.append({
                "kind": "oversized", "what": f"{int(count):,} small tasks were given to {target}", "model": target,
                "requests": int(count), "nano": int(cost) - other[1],
                "advice": f"{other[0]} would have taken ${other[1] / NANO:,.2f} in place of ${int(cost) / NANO:,.2f}: "
                "try it on such tasks, by a rule for short requests",
            })  # fmt: skip
    return sorted(found, key=lambda each: -each["nano"])[:MOST]


def smaller(catalogue: Catalogue, target: str, prompt: int, answer: int) -> tuple[str, int] | None:
    """The cheapest chat model of the same provider that can what this one can, and what it takes for that many tokens,
    in nanodollars."""
    provider, _, model = target.partition("/")
    shelf = catalogue.shelves.get(provider)
    own = shelf.find(model) if shelf is not None else None
    if shelf is None or own is None:
        return None
    now = datetime.now(UTC)
    needed = {*own.takes.split(), *own.can.split()} & {"image", "tools", "schema"}
    found = []
    for entry in shelf.models():
        able = "chat" in entry.ops.split() and needed <= {*entry.takes.split(), *entry.can.split()}
        rates = [entry.rate(name, now) for name in ("input", "output")] if able else []
        if able and entry.lifecycle(now.date()) == "active" and all(rates):
            cost = sum(Decimal(count) * (rate or 0) for count, rate in zip((prompt, answer), rates, strict=True))
            found.append((round(cost * 1000), f"{provider}/{entry.id}"))
    return (min(found)[1], min(found)[0]) if found else None


async def _uncached(asked: Asked, span: Span, catalogue: Catalogue) -> list[Finding]:
    columns = f"target, MIN(id), {_one('team')}, COUNT(*)"
    where = f"prefix IS NOT NULL AND cache_read = 0 AND input >= {PREFIX}"
    rest = "GROUP BY target, prefix HAVING COUNT(*) > 1 ORDER BY COUNT(*) DESC LIMIT 100"
    found: list[Finding] = []
    for target, id, team, count in await _rows(asked, span, columns, where, rest):
        provider, _, model = (target or "").partition("/")
        entry = catalogue.find(provider, model)
        nano = _spared(entry, int(count) - 1) if entry is not None else 0
        if nano > 0:
            found.append({
                "kind": "uncached", "what": f"{int(count):,} long prompts to {target} began alike and were not cached",
                "model": target, "team": team, "example": id, "requests": int(count), "nano": nano,
                "advice": "keep the provider's prompt cache warm: what stays the same first, one target for a "
                "conversation, `cache_control` where the provider wants it; reckoned for the first thousand tokens",
            })  # fmt: skip
    return sorted(found, key=lambda each: -each["nano"])[:MOST]


def _spared(entry: Entry, times: int) -> int:
    now = datetime.now(UTC)
    full, cached = entry.rate("input", now), entry.rate("cache_read", now)
    return round((full - cached) * PREFIX * times * 1000) if full is not None and cached is not None else 0


async def _failing(asked: Asked, span: Span) -> list[Finding]:
    by_key: dict[str, tuple[int, int, int]] = {}
    for (key, status), sums in await asked.sums(("key", "status"), span):
        requests, errors, cost = by_key.get(key, (0, 0, 0))
        errors += value(sums, "errors_gateway") + value(sums, "errors_provider")
        cost += value(sums, "cost") if not status.startswith("2") else 0
        by_key[key] = (requests + value(sums, "requests"), errors, cost)
    wrong = [(key, *each) for key, each in by_key.items() if each[0] >= FEWEST and each[1] >= FAILING * each[0]]
    return [
        {
            "kind": "failing", "what": f"{errors:,} of {requests:,} requests with the key {key or '(none)'} failed",
            "key": key or None, "requests": errors, "nano": cost,
            "advice": "see why: `headgate records --key NAME --since 7d`",
        }
        for key, requests, errors, cost in sorted(wrong, key=lambda each: -each[2])[:MOST]
    ]  # fmt: skip


async def _retried(asked: Asked, span: Span) -> list[Finding]:
    return [
        {
            "kind": "retried", "what": f"{value(sums, 'retries'):,} further attempts for {names[0] or 'no model'}",
            "model": names[0] or None, "requests": value(sums, "retries"), "nano": value(sums, "wasted"),
            "advice": "answers were paid for and not taken: see what is refused, judged or hedged",
        }
        for names, sums in (await asked.sums(("model",), span, "wasted"))[:MOST]
        if value(sums, "wasted") > 0
    ]  # fmt: skip
