"""Why a request went where it went: kept cheaply while it is decided, put in words for the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from headgate.core.target import Target


DIRECT = "asked for directly"


class Candidate(msgspec.Struct, omit_defaults=True):
    """A target that might have been asked."""

    target: str
    out: str | None = None
    """Why it was left out; None: it was not."""
    by: str | None = None
    """The filter that left it out."""
    score: float | None = None
    """What the policy went by; its unit is the decision's."""


class Decided(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A decision as the record has it."""

    why: str
    """In plain words."""
    alias: str | None = None
    """None where `provider/model` was asked for directly."""
    rule: str | None = None
    """The rule that chose the alias, the targets or the policy."""
    policy: str | None = None
    unit: str | None = None
    """What the scores are, less being better."""
    candidates: list[Candidate] = []
    """In the order they were to be tried, then those left out."""


class Decision(msgspec.Struct, eq=False):
    """What stages, filters, policies and rules say of it; nothing is put together before the record is written."""

    alias: str | None = None
    rule: str | None = None
    policy: str | None = None
    ranked: Sequence[Target] = ()
    out: list[tuple[Target, str, str]] = []
    """Target, which filter left it out, why ("takes no image")."""
    scores: Mapping[Target, float] | None = None
    unit: str = ""
    """Of the scores: "seconds", "US dollars"; less is better."""
    scale: float = 1.0
    """How many of the unit a score of 1 is."""
    among: Sequence[Target] = ()
    """Of the alias that was asked for, in the order of the configuration."""
    said: list[str] = []
    """What else is to be known, in plain words."""

    @property
    def first(self) -> Target | None:
        """Who would have been asked without policies and rules."""
        out = {target for target, _, _ in self.out}
        return next((target for target in self.among if target not in out), None)

    def told(self, chosen: Target | None, tried: int) -> Decided | None:
        """For the record; None where the request did not get as far as to be routed. `chosen` was asked last, after
        `tried` attempts."""
        if not self.out and len(self.ranked) <= 1:
            if not self.ranked:
                return None
            if self.rule is None and not self.scores and tried <= 1:  # nothing there was to decide
                why = f"alias {self.alias}" if self.alias is not None else DIRECT
                if self.said:
                    why = "; ".join([why, *self.said])
                return Decided(why=why, alias=self.alias, policy=self.policy, unit=self.unit or None)
        scores = {target: _rounded(score * self.scale) for target, score in (self.scores or {}).items()}
        candidates = [
            *(Candidate(target.name, score=scores.get(target)) for target in self.ranked),
            *(Candidate(target.name, out=why, by=by, score=scores.get(target)) for target, by, why in self.out),
        ]
        return Decided(
            why=self._why(chosen, tried),
            alias=self.alias,
            rule=self.rule,
            policy=self.policy,
            unit=self.unit or None,
            candidates=candidates if len(candidates) > 1 or self.out else [],
        )

    def _why(self, chosen: Target | None, tried: int) -> str:
        words = [f"alias {self.alias}" if self.alias is not None else DIRECT]
        if self.rule is not None:
            words = [f"{self.alias} by the rule {self.rule}"]
        if self.policy is not None and len(self.ranked) > 1:
            words.append(f"policy {self.policy}")
        if chosen is not None and self.scores and chosen in self.scores:
            words.append(f"{chosen.name} has {self.scores[chosen] * self.scale:.4g} {self.unit}")
        if chosen is not None and tried > 1:
            words.append(f"{chosen.name} was asked in attempt {tried}")
        if self.out:
            words.append("left out: " + ", ".join(f"{target.name} ({why})" for target, _, why in self.out[:20]))
        return "; ".join([*words, *self.said])


def _rounded(score: float) -> float:
    return float(f"{score:.6g}")
