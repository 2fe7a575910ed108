"""Leave out the targets that are broken, slow or at the end of a limit, as long as others are left."""

from __future__ import annotations

import time
from collections.abc import Sequence

from headgate.core.credential import Credential
from headgate.core.exchange import Exchange
from headgate.core.plan import none_left
from headgate.core.standing import Standing
from headgate.core.target import Target
from headgate.stages.stage import Clock

Watched = tuple[Sequence[Standing], Sequence[Credential]]
"""The standings of targets, and the first key of each of their providers."""
REMEMBERED = 4000
"""Tuples of targets, each of which is held: clients may name any model."""


class Health:
    """A target whose breaker opened because of failures in a row is left out in any case: who asks only for such is
    told at once when to come back. All others are merely preferred to those that are worse off: one target always
    remains."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._watched: dict[int, tuple[Sequence[Target], Watched]] = {}

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        held = self._watched.get(id(targets))
        standings, keys = held[1] if held is not None and held[0] is targets else self._watch(targets)
        for standing in standings:
            if standing.breaker.until or standing.limited:
                return self._best(exchange, targets, self.clock())
        for key in keys:
            if not key.clear:
                now = self.clock()
                if not all(_usable(target, exchange, now) for target in targets if target.provider.arms):
                    return self._best(exchange, targets, now)
                break
        return targets

    def _watch(self, targets: Sequence[Target]) -> Watched:
        """What there is to look at for each request; kept for tuples, as those of a name are always the same."""
        keys = [target.provider.arms[0].credential for target in targets if target.provider.arms]
        watched = [target.standing for target in targets], list(dict.fromkeys(keys))
        if isinstance(targets, tuple):
            if len(self._watched) >= REMEMBERED:
                self._watched.clear()
            self._watched[id(targets)] = targets, watched
        return watched

    def _best(self, exchange: Exchange, targets: Sequence[Target], now: float) -> Sequence[Target]:
        well: list[Target] = []
        poor: list[tuple[Target, str]] = []
        broken: list[tuple[Target, str]] = []
        for target in targets:
            breaker = target.standing.breaker
            why = _why(target, exchange, now)
            if why is None:
                well.append(target)
            elif breaker.until and breaker.firm and not breaker.allows(now, wanted=not exchange.dry):
                broken.append((target, why))
            else:
                poor.append((target, why))
        if len(well) == len(targets):
            return targets
        out = [*broken, *poor] if well else broken
        exchange.decision.out += ((target, "health", why) for target, why in out)
        if not well and not poor:
            raise none_left(dict(broken), now)
        return well or [target for target, _ in poor]


def _usable(target: Target, exchange: Exchange, now: float) -> bool:
    """Whether one of the provider's keys may be used."""
    tokens = exchange.tokens
    return any(arm.credential.ready(target.model, now, tokens) for arm in target.provider.arms)


def _why(target: Target, exchange: Exchange, now: float) -> str | None:
    """Why others are to be preferred; None: it is well."""
    standing, terms = target.standing, target.terms
    breaker, tokens = standing.breaker, exchange.tokens
    if not breaker.allows(now, wanted=not exchange.dry):
        rest = "a probe is under way" if breaker.probing else "another process sends the probe"
        if now < breaker.until:
            rest = f"asked again in {breaker.until - now:.1f} s"
        return f"its circuit is open: {breaker.why}; {rest}"
    if standing.requests is not None and standing.requests.sum(now) + 1 > terms.requests_per_minute:
        return f"has had its {terms.requests_per_minute:g} requests of this minute"
    if standing.tokens is not None and standing.tokens.sum(now) + tokens > terms.tokens_per_minute:
        return f"has had its {terms.tokens_per_minute:g} tokens of this minute"
    arms = target.provider.arms
    if arms and not _usable(target, exchange, now):
        states = ", ".join(
            f"{arm.credential.name}: {arm.credential.told_of(target.model, now, tokens)}" for arm in arms[:10]
        )
        return f"no key may be used ({states})"
    return None
