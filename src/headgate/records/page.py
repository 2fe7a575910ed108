"""The report of a period as one page of HTML: no script, nothing from elsewhere, good to read, print and send on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from headgate.catalog.catalogue import Catalogue
from headgate.core.money import Currency, in_nano
from headgate.core.printable import printable
from headgate.records import report, waste
from headgate.records.charts import Bar, bars, length
from headgate.records.report import Asked
from headgate.records.usage import Span

STYLE = Path(__file__).with_name("page.css")
NAMES = {
    "team": "Teams", "application": "Applications", "user": "Users", "key": "Keys", "model": "Models",
    "provider": "Providers", "tag": "Tags", "tag:feature": "Features",
}  # fmt: skip
KINDS = {
    "repeated": "asked again", "oversized": "large model, small task", "uncached": "not cached",
    "failing": "failing key", "retried": "paid and not taken",
}  # fmt: skip
ABOUT = (
    "Amounts are exact sums of what each request cost by the prices at its time; what has no known price is counted as "
    "unpriced and not in them. Availability is the part of what was asked that was answered whole, but for what callers"
    " did wrong or broke off, and what their limits refused. Saved by caches is what providers' prompt caches, and "
    "answers given again, spared, saved by routing what the first target of each alias would have cost more."
)
Data = Mapping[str, Any]


async def gathered(asked: Asked, span: Span, now: datetime, catalogue: Catalogue | None) -> dict[str, Any]:
    """All that the page shows. Raises StoreAway, OSError, Moved."""
    return {
        "summary": await report.summary(asked, span),
        "months": await report.months(asked, now),
        "forecast": await report.forecast(asked, now),
        "waste": await waste.findings(asked, span, catalogue),
        "made": f"{now.astimezone(UTC):%Y-%m-%dT%H:%MZ}",
    }


def page(data: Data, currency: Currency | None = None) -> str:
    return "".join(_Page(data, currency).parts())


def _name(text: Any) -> str:
    return escape(printable(str(text))) if text else '<span class="soft">none</span>'


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{share * 100:.{digits}f} %"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _large(count: int) -> str:
    for size, mark in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {mark}"
    return f"{count:,}"


class _Page:
    def __init__(self, data: Data, currency: Currency | None) -> None:
        self.data = data
        self.currency = currency
        self.sign = f"{currency.code} " if currency is not None else "$"

    def amount(self, text: str | None) -> float:
        """In what amounts are shown in."""
        nano = in_nano(text) or 0
        return float(self.currency.told(nano)) if self.currency is not None else nano / 1e9

    def money(self, text: str | None) -> str:
        if text is None:
            return "-"
        value = self.amount(text)
        digits = 2 if abs(value) >= 0.01 or not value else 6
        return f"{'-' if value < 0 else ''}{self.sign}{abs(value):,.{digits}f}"

    def parts(self) -> Iterator[str]:
        summary = self.data["summary"]
        title = f"What was used, {summary['since'][:10]} to {summary['until'][:10]}"
        style = STYLE.read_text("utf-8")
        yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<style>{style}</style></head><body><header><h1>{escape(title)}</h1>"
        rate = f" · 1 USD = {self.currency.rate:f} {self.currency.code}" if self.currency is not None else ""
        said = f"Time zone {summary['zone']} · made {self.data['made']}{rate}"
        yield f'<div class="soft">{escape(said)}</div></header>'
        yield from self.tiles(summary["now"], summary["before"])
        yield from self.days(summary["days"])
        yield from self.lists(summary["top"])
        yield from self.findings(self.data["waste"])
        yield from self.months(self.data["months"])
        yield f"<footer><p>{ABOUT}</p><p>The forecast is {escape(self.data['forecast']['method'])}.</p></footer>"
        yield "</body></html>\n"

    def tiles(self, now: Data, before: Data) -> Iterator[str]:
        providers, gateway = now["errors_provider"], now["errors_gateway"]
        asked, answered = now["input"] + now["cache_read"] + now["cache_write"], now["output"] + now["reasoning"]
        cached = f"{_percent(now['cached_share'])} of the prompt read there"
        tiles = [
            (self.money(now["cost"]), "spent", _change(self.amount(now["cost"]), self.amount(before["cost"]))),
            (f"{now['requests']:,}", "requests", _change(now["requests"], before["requests"])),
            (_percent(now["availability"], 2), "available", f"before: {_percent(before['availability'], 2)}"),
            (_seconds(now["seconds"]), "mean answer", f"95 of 100 within {_seconds(now['seconds_p95'])}"),
            (self.money(now["saved"]), "saved by caches", cached),
            (self.money(now["saved_routing"]), "saved by routing", f"before: {self.money(before['saved_routing'])}"),
            (f"{providers + gateway:,}", "errors", f"{providers:,} by providers, {gateway:,} by the gateway"),
            (_large(asked), "tokens asked", f"{_large(answered)} answered"),
        ]  # fmt: skip
        yield '<div class="tiles">'
        for value, name, more in tiles:
            yield f'<div class="tile"><span>{name}</span><b>{value}</b><span>{more}</span></div>'
        yield "</div>"
        if now["unpriced"]:
            yield f'<p class="about">{now["unpriced"]:,} requests used something whose price is not known.</p>'

    def days(self, days: Sequence[Data]) -> Iterator[str]:
        forecast = self.data["forecast"]
        spent = [Bar(each["day"][5:], self.amount(each["cost"]), self.told(each)) for each in days]
        known = {each["day"] for each in days}
        if days and days[-1]["day"][:7] == forecast["month"]:
            for each in forecast["expected"]:
                if each["day"] not in known:
                    told = f"{each['day']}: about {self.money(each['cost'])}"
                    spent.append(Bar(each["day"][5:], self.amount(each["cost"]), told, "will"))
        yield "<h2>Spent by day</h2>"
        if forecast["cost"] is not None and len(spent) > len(days):
            low, middle, high = (self.money(forecast[name]) for name in ("low", "cost", "high"))
            yield '<p class="about"><span class="key"></span>spent<span class="key will"></span>forecast: '
            yield f"{forecast['month']} will have cost about <b>{middle}</b>, in 4 of 5 cases {low} to {high}.</p>"
        yield bars(spent, "Spent by day", self.sign if self.sign == "$" else "")
        yield "<h2>Requests by day</h2>"
        yield bars([Bar(each["day"][5:], each["requests"], self.told(each)) for each in days], "Requests by day")

    def told(self, day: Data) -> str:
        return f"{day['day']}: {self.money(day['cost'])}, {day['requests']:,} requests, {day['errors']:,} errors"

    def lists(self, top: Mapping[str, Sequence[Data]]) -> Iterator[str]:
        yield '<h2>Who and what</h2><div class="lists">'
        for name, items in top.items():
            most = max(self.amount(each["cost"]) for each in items) or 1
            yield f'<div class="list"><h3>{NAMES[name]}</h3><table><tr><th></th><th>requests</th><th>spent</th></tr>'
            for each in items:
                yield f"<tr><td>{_name(each['name'])}{length(self.amount(each['cost']) / most)}</td>"
                yield f"<td>{each['requests']:,}</td><td>{self.money(each['cost'])}</td></tr>"
            yield "</table></div>"
        yield "</div>"

    def findings(self, found: Sequence[Data]) -> Iterator[str]:
        yield "<h2>Where money goes that need not</h2>"
        worth = [each for each in found if Decimal(each["per_month"]) > 0 or each["kind"] == "failing"]
        if not worth:
            yield '<p class="about">Nothing was found.</p>'
            return
        yield '<table><tr><th>what</th><th class="text">what could be done</th><th>in 30 days</th></tr>'
        for each in worth:
            said = [KINDS[each["kind"]], each.get("team"), each.get("model"), each.get("example")]
            kind = " · ".join(_name(part) for part in said if part)
            yield f'<tr><td>{_name(each["what"])}<div class="kind">{kind}</div></td>'
            yield f'<td class="text">{_name(each["advice"])}</td><td>{self.money(each["per_month"])}</td></tr>'
        yield "</table>"

    def months(self, months: Sequence[Data]) -> Iterator[str]:
        yield "<h2>Month by month</h2><table><tr><th></th><th>spent</th><th>saved by caches</th><th>by routing</th>"
        yield "<th>requests</th><th>available</th><th>mean answer</th></tr>"
        for each in months:
            so_far = "" if each["whole"] else ' <span class="soft">so far</span>'
            cells = [
                self.money(each["cost"]), self.money(each["saved"]), self.money(each["saved_routing"]),
                f"{each['requests']:,}", _percent(each["availability"], 2), _seconds(each["seconds"]),
            ]  # fmt: skip
            yield f"<tr><td>{each['month']}{so_far}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        yield "</table>"


def _change(now: float, before: float) -> str:
    if not before:
        return "nothing before"
    share = (now - before) / before * 100
    way = "▲" if share > 0 else "▼"
    return "as before" if abs(share) < 0.5 else f"{way} {abs(share):,.0f} % against the period before"
