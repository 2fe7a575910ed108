"""Keep requests within the limits on them: reserve what one may come to before it is asked, settle what it came to.

The estimate is the prompt's tokens, about, and as many of an answer as the request allows (`ASSUMED`, where it does not
say); of money, these at the prices of the dearest target that may be asked. What is held and what was used never
exceed a limit together; so what was used exceeds it by no more than the requests under way were underestimated.
Limits by provider are kept to where the target is chosen: `attempts`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from headgate.catalog.cost import bill
from headgate.core.exchange import Ending, Exchange
from headgate.core.labels import URGENCY
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Demand, Denied, Hold, Level
from headgate.core.limits.rule import Rule
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.limit.demands import demands, tenant
from headgate.stages.limit.estimate import NOTHING, Behind, Estimate, of_others, of_request
from headgate.stages.limit.telling import announce, exceeded, little_left
from headgate.stages.stage import Proceed

ONCE = frozenset({"requests", "concurrency"})
"""What counts a request, however often a model is asked for it."""
REMEMBERED = 4000
"""Names whose targets are known; clients may ask for any."""


class Limit:
    """Between `explain` and `route`, where the configuration has limits; callers bring theirs along."""

    def __init__(self, ledger: Ledger, behind: Behind) -> None:
        self.ledger = ledger
        self._behind = behind
        self._known: dict[str, Sequence[Target]] = {}

    def behind(self, model: str) -> Sequence[Target]:
        found = self._known.get(model)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[model] = self._behind(model)
        return found

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append(("limit", time.perf_counter()))
        caller = exchange.caller
        if caller is None or not caller.limits:
            return await proceed(exchange)
        lenient: set[Rule] = set()
        while True:
            rules, wanted = demands(exchange, caller.limits, Estimate(exchange, self.behind), lenient)
            if not wanted:
                return await proceed(exchange)
            outcome = await self.ledger.reserve(rules, wanted, URGENCY[exchange.priority], tenant(exchange))
            if isinstance(outcome, Hold):
                break
            lenient.add(self._denied(exchange, rules, wanted, outcome))
        exchange.ending.callback(self._settle, exchange, outcome, wanted)
        announce(exchange, outcome.levels)
        for level in outcome.warned:
            self._warn(exchange, level)
        return await proceed(exchange)

    async def more(self, exchange: Exchange, ending: Ending) -> bool:
        """Whether there is room for one more answer to a request that is under way; what that may come to is held up to
        the `ending`, where all of it is settled together."""
        caller = exchange.caller
        if caller is None or not caller.limits:
            return True
        rules, wanted = demands(exchange, caller.limits, Estimate(exchange, self.behind))
        more = [(rule, each) for rule, each in zip(rules, wanted, strict=True) if rule.meter.what not in ONCE]
        if not more:
            return True
        rules, wanted = [rule for rule, _ in more], [each for _, each in more]
        outcome = await self.ledger.reserve(rules, wanted, URGENCY[exchange.priority], tenant(exchange), patient=False)
        if not isinstance(outcome, Hold):
            return False
        ending.callback(self.ledger.settle, outcome, wanted, NOTHING, exchange.record.counted)
        return True

    def _denied(self, exchange: Exchange, rules: list[Rule], wanted: list[Demand], denied: Denied) -> Rule:
        """The limit that is not kept to from here on, as another model is asked. Raises LimitExceeded."""
        rule = rules[wanted.index(denied.demand)]
        caller = exchange.caller
        assert caller is not None
        announce(exchange, denied.levels)
        name, use = rule.meter.name, rule.use
        if use is not None and use != exchange.model and caller.may_use(use):
            self.ledger.denied[name, "downgrade"] += 1
            exchange.announced.append((b"x-headgate-downgraded", name.encode("ascii", "replace")))
            exchange.decision.said.append(f"{use} instead of {exchange.model}, as the limit {name!r} is used up")
            exchange.record.downgraded, exchange.model = name, use
            return rule
        self.ledger.denied[name, rule.then if rule.then == "queue" else "deny"] += 1
        raise exceeded(rule, denied)

    def _warn(self, exchange: Exchange, level: Level) -> None:
        little_left(self.ledger, level)
        exchange.announced.append((b"x-headgate-limit-warning", level.meter.name.encode("ascii", "replace")))

    def _settle(self, exchange: Exchange, hold: Hold, wanted: Sequence[Demand]) -> None:
        bill(exchange)
        if len(exchange.attempts) > 1:
            others = of_others(exchange)
            wanted = [each._replace(amount=each.amount + others.get(each.meter.what, 0)) for each in wanted]
        self.ledger.settle(hold, wanted, of_request(exchange), exchange.record.counted)
