"""Leave out the targets that lack what the key or the request requires (a region, a class of data, a contract), and
those that a clause forbids."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.errors import ClauseViolated, RequirementUnmet
from headgate.core.exchange import Exchange
from headgate.core.target import Target

SHOWN = 5


class Requirement:
    """It holds for everybody who would see the request: fallbacks, shadows, judges, models that tell the topic."""

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        if not exchange.bound:
            return targets
        needs = exchange.needs
        left: list[Target] = []
        why: list[str] = []
        for target in targets:
            lacking = needs.lacking(target)
            if lacking is None:
                left.append(target)
            else:
                exchange.decision.out.append((target, "requirement", lacking))
                why.append(f"{target.name} {lacking}")
        if not left:
            if needs.traits and not any(needs.traits <= target.traits for target in targets):
                raise self._unmet(exchange, needs.traits, targets)
            raise ClauseViolated(
                f"no target of {exchange.model[:100]!r} may be given this request ({'; '.join(why[:SHOWN])}); ask for "
                "another model, or have what is in the way changed"
            )
        return targets if len(left) == len(targets) else left

    def _unmet(self, exchange: Exchange, requires: frozenset[str], targets: Sequence[Target]) -> RequirementUnmet:
        caller = exchange.caller
        own = caller.requires if caller is not None else frozenset()
        who = f"the key {caller.key!r}" if caller is not None and requires <= own else "x-headgate-requires"
        has = "; ".join(f"{each.name}: {', '.join(sorted(each.traits)) or 'none'}" for each in targets[:SHOWN])
        wanted = ", ".join(sorted(requires))
        return RequirementUnmet(
            f"{who} requires {wanted}, and no target of {exchange.model[:100]!r} has all of it ({has}); "
            "ask for another model, or have `traits` added to what is so"
        )
