"""Sums of the last while and of the time before it, by whom rules tell apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from headgate.alerts.measures import MEASURES, Source, Sums, together
from headgate.alerts.rule import Rule
from headgate.alerts.seen import Seen, Tried, value_of

STEPS = 10
"""Parts of a window: so finely it moves on."""
MOST = 1000
"""Groups of a view; what more there are is counted under OTHER."""
OTHER = "(others)"
Group = tuple[str, ...]
Usual = Callable[[Sequence[Sums]], tuple[float, ...]]


class Key(NamedTuple):
    """What a view is of; rules that agree in it share one."""

    source: Source
    by: tuple[str, ...]
    where: tuple[tuple[str, frozenset[str]], ...]
    window: float
    baseline: float
    """0: no time before the window is looked at."""


def key_of(rule: Rule) -> Key:
    where = tuple(sorted((name, frozenset(values)) for name, values in rule.where.items()))
    baseline = 0.0 if rule.kind == "threshold" else rule.baseline
    return Key(MEASURES[rule.measure].source, tuple(rule.by or ()), where, rule.window, baseline)


class Spans:
    """Of one group: `fine` parts of the window by their number, and `whole` windows, each where there was something."""

    __slots__ = ("fine", "known", "left_out", "whole")

    def __init__(self) -> None:
        self.fine: dict[int, Sums] = {}
        self.whole: dict[int, Sums] = {}
        self.left_out: set[int] = set()
        """Windows in which there was an alert: they are not what is usual."""
        self.known: dict[str, tuple[int, tuple[float, ...]]] = {}
        """What was worked out of the whole windows, by what it is, and the last window that it is of."""


class View:
    def __init__(self, key: Key) -> None:
        self.key = key
        self.step = key.window / STEPS
        self.groups: dict[Group, Spans] = {}
        self.since: float | None = None
        """The time of the first request."""
        self._tidied = 0

    def add(self, seen: Seen) -> None:
        if self.key.source == "requests":
            if self._wanted(seen, None):
                for sums in self._places(seen, None):
                    sums.add(seen)
            return
        for tried in seen.attempts if seen.ending != "explained" else ():
            if self._wanted(seen, tried):
                for sums in self._places(seen, tried):
                    sums.tried(tried)

    def _wanted(self, seen: Seen, tried: Tried | None) -> bool:
        for name, values in self.key.where:
            if name == "tag":
                if values.isdisjoint(seen.tagged):
                    return False
            elif value_of(seen, name, tried) not in values:
                return False
        return True

    def _places(self, seen: Seen, tried: Tried | None) -> Iterator[Sums]:
        at = seen.at
        self.since = at if self.since is None else min(at, self.since)
        group = tuple([value_of(seen, name, tried) for name in self.key.by])
        spans = self.groups.get(group)
        if spans is None:
            if len(self.groups) >= MOST:
                group = (OTHER,) * len(group)
            spans = self.groups.setdefault(group, Spans())
        yield spans.fine.setdefault(int(at // self.step), Sums())
        if self.key.baseline:
            yield spans.whole.setdefault(int(at // self.key.window), Sums())

    def now(self, group: Group, now: float) -> Sums:
        """Of the window that ends now."""
        last = int(now // self.step)
        spans = self.groups[group]
        return together(sums for place, sums in spans.fine.items() if last - STEPS < place <= last)

    def before(self, group: Group, now: float) -> list[Sums]:
        """Of each whole window before this one, as far as it is looked back; nothing of the time before the first
        request, and of what was not usual."""
        window, spans = self.key.window, self.groups[group]
        if self.since is None:
            return []
        first = int(max(now - self.key.baseline, self.since) // window) + 1
        last = int((now - window) // window)
        wanted = (place for place in range(first, last) if place not in spans.left_out)
        return [spans.whole.get(place) or Sums() for place in wanted]

    def usual(
        self, group: Group, now: float, what: str, found: Callable[[list[Sums]], tuple[float, ...]]
    ) -> tuple[float, ...]:
        """What `found` makes of the windows before: worked out once in each, as that takes a while for many groups."""
        last, spans = int((now - self.key.window) // self.key.window), self.groups[group]
        known = spans.known.get(what)
        if known is None or known[0] != last:
            known = spans.known[what] = (last, found(self.before(group, now)))
        return known[1]

    def forget_usual(self) -> None:
        """Rules of the same names may be others now."""
        for spans in self.groups.values():
            spans.known.clear()

    def unusual(self, group: Group, now: float) -> None:
        """What is now is not to count as usual later."""
        if self.key.baseline and group in self.groups:
            place = int(now // self.key.window)
            self.groups[group].left_out |= {place, place - 1}

    def tidy(self, now: float) -> None:
        """Forget what is too long ago, and groups of which nothing is left."""
        if int(now // self.step) == self._tidied:
            return
        self._tidied = int(now // self.step)
        fine, whole = now // self.step - 2 * STEPS, (now - self.key.baseline) // self.key.window - 1
        for group, spans in list(self.groups.items()):
            spans.fine = {place: sums for place, sums in spans.fine.items() if place > fine}
            spans.whole = {place: sums for place, sums in spans.whole.items() if place > whole}
            spans.left_out = {place for place in spans.left_out if place > whole}
            if not spans.fine and not spans.whole:
                del self.groups[group]
