"""Leave out the targets that lack what the key or the request requires: a region, a class of data, a contract."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.errors import RequirementUnmet
from headgate.core.exchange import Exchange
from headgate.core.target import Target

SHOWN = 5


class Requirement:
    """It holds for everybody who would see the request: fallbacks, shadows, judges, models that tell the topic."""

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        requires = exchange.requires
        if not requires:
            return targets
        left: list[Target] = []
        for target in targets:
            lacking = requires - target.traits
            if lacking:
                exchange.decision.out.append((target, "requirement", f"is not {', '.join(sorted(lacking))}"))
            else:
                left.append(target)
        if not left:
            raise self._unmet(exchange, requires, targets)
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
