"""How many tokens a model's texts have compared with what is estimated by their length: learned from what providers
report, to count by where one reports nothing."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

LEAST, MOST = 0.25, 4.0
"""A model's texts may be that many times as many tokens as the estimate."""
WEIGHT = 100
"""Observations after which each new one counts a hundredth, so that a mean follows a model that changes."""
SURE = 20
"""Observations after which a model is looked at more seldom."""
OFTEN, SELDOM = 1.0, 30.0
"""Seconds between two looks at a model."""
REMEMBERED = 2000


class Ratio(msgspec.Struct):
    """The means of one model, of prompts and of answers."""

    asked: float = 1.0
    asked_count: int = 0
    answered: float = 1.0
    answered_count: int = 0
    next: float = 0.0
    """When it is looked at again."""

    def hear_asked(self, reported: int, estimated: int) -> None:
        self.asked_count = min(self.asked_count + 1, WEIGHT)
        self.asked += (_bounded(reported / estimated) - self.asked) / self.asked_count

    def hear_answered(self, reported: int, estimated: int) -> None:
        self.answered_count = min(self.answered_count + 1, WEIGHT)
        self.answered += (_bounded(reported / estimated) - self.answered) / self.answered_count


class Ratios:
    """Of the targets of a process, by their names; those learned of first are forgotten where there are too many."""

    def __init__(self) -> None:
        self._known: dict[str, Ratio] = {}
        self.changed = False

    def due(self, target: str, now: float) -> Ratio | None:
        """The one to be told something, if it is time to look at this model again; seconds of a clock that advances."""
        found = self._known.get(target)
        if found is None:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            found = self._known[target] = Ratio()
        if now < found.next:
            return None
        found.next = now + (OFTEN if min(found.asked_count, found.answered_count) < SURE else SELDOM)
        self.changed = True
        return found

    def of(self, target: str) -> Ratio:
        """What is known of a model; 1.0 where nothing is."""
        return self._known.get(target) or Ratio()

    def dump(self) -> dict[str, Ratio]:
        """Those of which something has been learned."""
        self.changed = False
        return {target: each for target, each in self._known.items() if each.asked_count or each.answered_count}

    def load(self, known: Mapping[str, Ratio]) -> None:
        """What an earlier process learned."""
        for target, each in list(known.items())[-REMEMBERED:]:
            asked, answered = (min(max(count, 0), WEIGHT) for count in (each.asked_count, each.answered_count))
            self._known[target] = Ratio(_bounded(each.asked), asked, _bounded(each.answered), answered)


def _bounded(ratio: float) -> float:
    return min(max(ratio, LEAST), MOST) if ratio == ratio else 1.0  # not a number
