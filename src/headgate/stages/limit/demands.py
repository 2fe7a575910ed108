"""Which limits concern a request, or one attempt at a target, and what it wants of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from headgate.core.exchange import Exchange
from headgate.core.limits.meter import Demand
from headgate.core.limits.rule import BETWEEN, NOBODY, Prepared, Rule
from headgate.core.target import Target
from headgate.stages.limit.estimate import Estimate


def demands(
    exchange: Exchange,
    limits: Sequence[Prepared],
    estimate: Estimate,
    lenient: Collection[Rule] = (),
    target: Target | None = None,
) -> tuple[list[Rule], list[Demand]]:
    """Of `limits` those that count it, and what it wants of them; `lenient`: those that are not kept to; `target`: who
    is asked, of an attempt. Raises PriceUnknown."""
    rules, wanted = [], []
    for rule, match, counter, per in limits:
        if match and not all(_names(exchange, dimension, target) & names for dimension, names in match):
            continue
        amount = estimate.of(rule)
        if amount is None:
            continue
        if per:
            counter = BETWEEN.join((counter, *(f"{name}={_name(exchange, name, target)}" for name in per)))
        rules.append(rule)
        wanted.append(Demand(rule.meter, counter, amount, rule.then != "warn" and rule not in lenient))
    return rules, wanted


def tenant(exchange: Exchange) -> str:
    """Who takes turns in a line: the organisation, else the team, else the key."""
    caller = exchange.caller
    if caller is None:
        return NOBODY
    return caller.belongs.organisation or caller.belongs.team or caller.key


def _names(exchange: Exchange, dimension: str, target: Target | None) -> set[str]:
    return set(exchange.tags) if dimension == "tag" else {_name(exchange, dimension, target)}


def _name(exchange: Exchange, dimension: str, target: Target | None) -> str:
    match dimension:
        case "model":
            return exchange.model
        case "end_user":
            return exchange.end_user or NOBODY
        case "operation":
            return exchange.dialect.operation
        case "tag":
            return next(iter(exchange.tags), NOBODY)
        case "provider" if target is not None:
            return target.provider.name
    raise AssertionError(dimension)
