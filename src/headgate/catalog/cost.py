"""What a request has cost, by what it used and its target's prices at the time: exact, rounded once, to nanodollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import ClassVar, NamedTuple

import msgspec

from headgate.catalog.entry import in_force
from headgate.core.exchange import Exchange
from headgate.core.money import dollars
from headgate.core.record import Attempt, Part
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.core.usage import TOKEN_CLASSES, Usage

SCALE = 24
"""Decimal places of dollars that are reckoned with; prices have fewer."""
IN_NANO: int = 10 ** (SCALE - 9)
CACHED = ("cache_read", "cache_write", "cache_write_1h")
TOKENS: Mapping[str, Sequence[str]] = {
    "input": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write": ("cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write", "input"),
    "input_audio": ("input_audio", "input"),
    "input_image": ("input_image", "input"),
    "input_video": ("input_video", "input"),
    "output": ("output",),
    "reasoning": ("reasoning", "output"),
    "output_audio": ("output_audio", "output"),
    "output_image": ("output_image", "output"),
}
"""Of each class of `Usage`, the classes of prices by which it is paid: the first that the model has."""
TOOLS: Mapping[str, str | None] = {
    "web_search_requests": "web_searches",
    "google_search": "web_searches",
    "file_search_calls": "file_searches",
    "search_units": "searches",
    "web_fetch_requests": None,
    "num_server_side_tools_used": None,
}
"""Of tools that a provider runs, by its own name for the count: the class of prices by which a call is paid; None: it
costs only the tokens it makes (https://platform.claude.com/docs/en/about-claude/pricing#web-fetch-tool), or counts what
is counted by kind beside it."""
UNITS = {"seconds": "hours", "images": "input_images"}
"""Of what is counted otherwise than in tokens, other classes of prices by which it is paid."""
INSTEAD = frozenset({"images", "seconds", "characters"})
"""What is counted beside tokens that are paid for the same."""
TIERS: Mapping[str, Sequence[str]] = {
    "flex": ("flex",),
    "ON_DEMAND_FLEX": ("flex",),
    "priority": ("priority", "fast"),
    "ON_DEMAND_PRIORITY": ("priority", "fast"),
    "fast": ("fast", "priority"),
    "batch": ("batch",),
}
"""Of service tiers, as providers and clients call them, the prices: the first of which a model has some. OpenAI calls
`fast` what it reports as `priority` (https://platform.openai.com/docs/guides/priority-processing). Others are served at
the plain prices."""
PREPAID = frozenset({"PROVISIONED_THROUGHPUT", "reserved", "provisioned", "scale"})
"""Tiers that are paid by the capacity that is kept, not by what is used of it."""
REMEMBERED = 4096

assert set(TOKENS) == set(TOKEN_CLASSES)
assert Usage.__struct_fields__[: len(TOKEN_CLASSES)] == TOKEN_CLASSES
_counts = msgspec.structs.astuple


class Rate(NamedTuple):
    """What one unit costs, in whole units of 10^-24 dollars, and as the prices say it: `name`, and dollars (of a class
    of tokens, for a million of them)."""

    each: int
    name: str
    said: str
    less: int = 0
    """By how much a token of a cached class is cheaper than a new one of text; dearer, where it is below 0."""


class Bill(msgspec.Struct, frozen=True, gc=False):
    """`nano` dollars, rounded half to even; None where something was used whose price is not known, or nothing has a
    price: `why` says which. What is known of it stands in `parts` then too."""

    nano: int | None
    parts: list[Part]
    why: str | None
    cached: int
    """Nanodollars by which it is cheaper than without the provider's cache; less than 0 where writing costs more."""


class Tariff:
    """A model's rates at a moment."""

    __slots__ = ("_longer", "_prepaid", "_rates")

    def __init__(self, prices: Mapping[str, str], tier: str | None) -> None:
        """`tier` as a client or a provider calls it."""
        self._prepaid = tier if tier in PREPAID else None
        own = {name: (rate, name) for name, rate in prices.items() if "." not in name}
        for kind in TIERS.get(tier or "", ()):
            held = {name: rate for name, rate in prices.items() if name.startswith(f"{kind}.")}
            own |= {name[len(kind) + 1 :]: (rate, name) for name, rate in held.items()}
            if held:
                break
        steps = sorted({int(name.partition(">")[2]) for name in own if ">" in name}, reverse=True)
        self._rates = _rates(own, 0)
        self._longer = [(step, _rates(own, step)) for step in steps]

    def bill(self, usage: Usage) -> Bill:
        """What it comes to, with the arithmetic."""
        if self._prepaid is not None:
            return Bill(None, [], f"it was served by capacity that is paid for otherwise ({self._prepaid})", 0)
        rates, prompt = self._rates, usage.prompt
        for above, longer in self._longer:
            if prompt > above:
                rates = longer
                break
        total, cached, parts = 0, 0, []
        missing: list[str] = []
        for name, count in zip(TOKEN_CLASSES, _counts(usage), strict=False):
            if count:
                rate = rates.get(name)
                if rate is not None:
                    total += count * rate.each
                    cached += count * rate.less
                    parts.append(Part(name, count, rate.name, rate.said))
                elif not usage.units:
                    missing.append(name)
        if usage.units or usage.server_tools:
            total += self._units(usage, rates, parts, missing)
        once = rates.get("requests")
        if once is not None:
            total += once.each
            parts.append(Part("requests", 1, once.name, once.said))
        if missing or not (parts or self._free(usage)):
            return Bill(None, parts, _lacking(missing or list(usage.units)), 0)
        return Bill(nanodollars(total), parts, None, nanodollars(cached) if cached else 0)

    def _units(self, usage: Usage, rates: Mapping[str, Rate], parts: list[Part], missing: list[str]) -> int:
        """Of what is not counted in tokens; where tokens are paid, the same is not paid by the piece once more."""
        total, paid = 0, bool(parts)
        for unit, amount in usage.units.items():
            rate = rates.get(unit)
            if rate is not None and not (paid and unit in INSTEAD):
                total += amount_of(amount, rate.name, rate.said)
                parts.append(Part(unit, int(amount) if amount == int(amount) else amount, rate.name, rate.said))
        for tool, count in usage.server_tools.items():
            paid_by = TOOLS.get(tool, tool)
            rate = rates.get(paid_by) if paid_by is not None else None
            if rate is not None:
                total += count * rate.each
                parts.append(Part(tool, count, rate.name, rate.said))
            elif paid_by is not None and count:
                missing.append(tool)
        return total

    def cost(self, usage: Usage) -> int | None:
        """Nanodollars; None where that is not known."""
        return self.bill(usage).nano

    def reckon(self, asked: int, answered: int) -> int | None:
        """What a request and an answer of so many tokens of text would cost; None where they have no price."""
        rates = self._rates
        for above, longer in self._longer:
            if asked > above:
                rates = longer
                break
        new, said, once = rates.get("input"), rates.get("output"), rates.get("requests")
        if new is None or (said is None and answered):
            return None
        total = asked * new.each + (answered * said.each if said is not None else 0)
        return nanodollars(total + (once.each if once is not None else 0))

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return bool(self._rates)

    def _free(self, usage: Usage) -> bool:
        """Whether nothing was used of a model whose prices are known."""
        return bool(self._rates) and not usage.units and usage.prompt + usage.completion == 0


def _lacking(names: Sequence[str]) -> str:
    return f"no price is known for {', '.join(names)}" if names else "no price is known"


def nanodollars(total: int) -> int:
    """Of units of 10^-24 dollars, half to even."""
    whole, rest = divmod(total, IN_NANO)
    return whole + (2 * rest > IN_NANO or (2 * rest == IN_NANO and whole % 2 == 1))


def amount_of(quantity: int | float, name: str, price: str) -> int:
    """A quantity at a price, in units of 10^-24 dollars, half to even: the price is for a million where the class is
    one of tokens, for an hour of what is counted in seconds, else for one."""
    whole = Decimal(str(quantity)) * Decimal(price)
    plain = plain_class(name)
    if plain in TOKENS:
        return round(whole.scaleb(SCALE - 6))
    return round(whole.scaleb(SCALE) / 3600) if plain == "hours" else round(whole.scaleb(SCALE))


def plain_class(name: str) -> str:
    """A class of prices without its tier and the length of prompt from which it holds."""
    return name.rpartition(".")[2].partition(">")[0]


def _rates(own: Mapping[str, tuple[str, str]], above: int) -> dict[str, Rate]:
    """Those of requests whose prompt is longer than `above`."""
    known: dict[str, tuple[int, str, str]] = {}
    for name, (price, whole) in own.items():
        plain, _, step = name.partition(">")
        at = int(step or 0)
        if at <= above and at >= known.get(plain, (0, "", ""))[0]:
            known[plain] = at, price, whole
    found = {}
    for counted, names in TOKENS.items():
        said = next((known[name] for name in names if name in known), None)
        if said is not None:
            found[counted] = _rate(*said[1:])
    for name, (_, price, whole) in known.items():
        if name not in TOKENS and "@" not in name:
            found[name] = _rate(price, whole)
    new = found.get("input")
    if new is not None:
        found |= {name: found[name]._replace(less=new.each - found[name].each) for name in CACHED}
    for unit, instead in UNITS.items():
        if instead in found:
            found.setdefault(unit, found[instead])
    return found


def _rate(price: str, name: str) -> Rate:
    return Rate(amount_of(1, name, price), name, price)


class Tariffs:
    """Of targets, as they are looked up; by the minute, as some prices are others at night."""

    _known: ClassVar[dict[tuple[int, int, str | None], tuple[object, Tariff]]] = {}

    @classmethod
    def of(cls, target: Target, time: float, tier: object = None) -> Tariff | None:
        """By its prices at a time (Unix seconds) and for a tier; None where they are not known."""
        prices = target.terms.prices
        if not prices:
            return None
        kind = tier if isinstance(tier, str) and (tier in TIERS or tier in PREPAID) else None
        place = id(prices), int(time / 60), kind
        held = cls._known.get(place)
        if held is None or held[0] is not prices:
            if len(cls._known) >= REMEMBERED:
                cls._known.clear()
            moment = datetime.fromtimestamp(place[1] * 60, UTC)
            held = cls._known[place] = prices, Tariff(in_force(prices, moment), kind)
        return held[1]


def tariff(exchange: Exchange, target: Target, usage: Usage | None = None) -> Tariff | None:
    """By the tier that the provider says it was, else the one that is asked for, as any of the dialects says it."""
    if not target.terms.prices:
        return None
    tier: object = usage.tier if usage is not None else None
    if not tier or tier == "auto":
        fields = exchange.fields
        tier = fields.get("service_tier") or fields.get("serviceTier")
        tier = tier.get("type") if isinstance(tier, dict) else tier or fields.get("speed")
    return Tariffs.of(target, exchange.record.time, tier)


def bill(exchange: Exchange) -> None:
    """Put into the record what was used and what it cost, with the answers that nobody was given; once it is over."""
    record = exchange.record
    if exchange.billed:
        return
    exchange.billed = True
    reply, target = exchange.reply, exchange.target
    if record.spared:
        _bill_spared(exchange)
        return
    record.usage = usage = given(reply) or exchange.reckoned
    record.estimated = reply is not None and reply.counted is not None
    amounts: list[int | None] = []
    """Of those that have prices."""
    if target is not None and usage is not None:
        found = _of(exchange, target, usage)
        record.cost, record.cost_parts, record.unpriced = dollars(found.nano), found.parts, found.why
        kept = record.cached.usage if record.cached is not None else None
        unasked = found.cached + ((_worth(exchange, target, kept) or 0) if kept is not None else 0)
        if unasked:
            record.saved = {"cache": dollars(unasked) or ""}
        spared = _by_routing(exchange, target, usage, found.nano) if found.nano is not None else None
        if spared:
            record.saved["routing"] = dollars(spared) or ""
        if target.terms.prices:
            amounts.append(found.nano)
    elif target is not None and reply is not None:
        record.unpriced = f"{target.name} did not say what was used"
        if target.terms.prices:
            amounts.append(None)
    elif record.ending == "cancelled" and exchange.attempts:
        record.unpriced = "the client went away before the answer had begun"
    for attempt in exchange.attempts:
        if attempt.usage is not None:
            _bill_attempt(exchange, attempt, amounts)
    exchange.charged = None if None in amounts else sum(filter(None, amounts))


def _bill_spared(exchange: Exchange) -> None:
    """Of an answer that was paid for by another request."""
    record, reply, target = exchange.record, exchange.reply, exchange.target
    usage, cached = given(reply) or exchange.reckoned, record.cached
    if cached is not None:
        # of what was kept it is known, if only some of it was, before the rest was asked for
        cached.usage = usage = cached.usage.plus(usage) if cached.usage is not None and usage is not None else usage
    record.cost, exchange.charged = "0", 0
    spared = _worth(exchange, target, usage)
    if spared:
        record.saved = {"cache": dollars(spared) or ""}


def _worth(exchange: Exchange, target: Target | None, usage: Usage | None) -> int | None:
    """What that would cost, nanodollars."""
    prices = tariff(exchange, target, usage) if target is not None and usage is not None else None
    return prices.cost(usage) if prices is not None and usage is not None else None


def _by_routing(exchange: Exchange, target: Target, usage: Usage, nano: int | None) -> int | None:
    """By how many nanodollars the same use would be dearer at the first target; below 0: cheaper."""
    among = exchange.decision.among
    if nano is None or not among or among[0] is target:
        return None
    first = exchange.decision.first
    prices = tariff(exchange, first) if first is not None and first is not target else None
    there = prices.cost(usage) if prices is not None else None
    return there - nano if there is not None else None


def given(reply: Reply | None) -> Usage | None:
    """What the answer used; of one that several targets wrote, what the last of them did."""
    if reply is None:
        return None
    return reply.counted or (reply.latest if reply.parted else reply.account.usage)


def _bill_attempt(exchange: Exchange, attempt: Attempt, amounts: list[int | None]) -> None:
    """Of an answer that nobody was given, or a part of the one that was."""
    asked = chain(exchange.decision.ranked, exchange.targets, *exchange.manner.instead.values())
    target = next((each for each in asked if each.name == attempt.target), None)
    if target is None or attempt.usage is None:
        return
    found = _of(exchange, target, attempt.usage)
    attempt.cost, attempt.cost_parts = dollars(found.nano), found.parts
    if target.terms.prices:
        amounts.append(found.nano)


def _of(exchange: Exchange, target: Target, usage: Usage) -> Bill:
    prices = tariff(exchange, target, usage)
    return prices.bill(usage) if prices is not None else Bill(None, [], f"no prices are known of {target.name}", 0)
