"""Rules and what they find: of requests by their sums, of the gateway's processes by their metrics."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from headgate.alerts.alert import NOTHING, Alert, Became, Verdict, new, over, resolve, step
from headgate.alerts.hearing import SHARED, Sample
from headgate.alerts.measures import MEASURES, Measure, Sums, noise
from headgate.alerts.rule import Labels, Rule, fits
from headgate.alerts.seen import Seen
from headgate.alerts.text import summary
from headgate.alerts.windows import Group, Key, View, key_of

LEAST = 5
"""Windows that are needed to say what is usual."""
LATE = 60.0
"""Seconds after which a sample of a metric says nothing of now."""
RATE = "processor"
"""A counter of seconds, of which the share of each second counts."""
Place = tuple[str, tuple[tuple[str, str], ...]]


class Event(NamedTuple):
    became: Became
    alert: Alert


def place_of(alert: Alert) -> Place:
    return alert.rule, tuple(sorted(alert.of.items()))


def local(rule: Rule) -> bool:
    """Whether each instance looks after it by itself."""
    return rule.measure not in MEASURES and rule.measure != SHARED and (rule.by is None or "instance" in rule.by)


class Engine:
    """`instance` is the name of this one, `me` the one under which it owns alerts."""

    def __init__(self, me: str, instance: str) -> None:
        self.me = me
        self.instance = instance
        self.rules: dict[str, Rule] = {}
        self.views: dict[Key, View] = {}
        self.alerts: dict[Place, Alert] = {}
        self._series: dict[Place, tuple[Labels, deque[tuple[float, float]], bool]] = {}
        self._asked: dict[str, float] = {}
        """The measures that were asked for the last time, and when that was."""

    def configure(self, rules: Sequence[Rule]) -> None:
        """From now on by these rules; what was counted for those that stay is kept."""
        self.rules = {rule.name: rule for rule in rules}
        wanted = {key_of(rule) for rule in rules if rule.measure in MEASURES}
        self.views = {key: self.views.get(key) or View(key) for key in wanted}
        for view in self.views.values():
            view.forget_usual()

    def add(self, seen: Seen) -> None:
        for view in self.views.values():
            view.add(seen)

    def sample(self, samples: Sequence[Sample], now: float) -> None:
        """Metrics as they are now."""
        for name, labels, value, counter in samples:
            place = (name, tuple(sorted(labels.items())))
            if place not in self._series:
                begun = [(self._asked[name], 0.0)] if counter and name in self._asked and name != RATE else []
                self._series[place] = (labels, deque(begun), counter)  # of what was never counted there is no series
            known = self._series[place][1]
            known.append((now, value))
            while (len(known) > 2 and known[1][0] < now - 86_400) or (not counter and len(known) > 1):
                known.popleft()
        self._series = {place: each for place, each in self._series.items() if each[1][-1][0] > now - 3600}
        self._asked = dict.fromkeys((rule.measure for rule in self.rules.values()), now)

    def turn(self, now: float, *, leading: bool, fresh: bool) -> Iterator[Event]:
        """What has come of each alert. `leading`: also of those that one instance looks after for all; `fresh`:
        requests are known up to now."""
        for place, alert in list(self.alerts.items()):
            if alert.rule not in self.rules and (leading or alert.owner):
                del self.alerts[place]
                if alert.state == "firing":
                    yield Event(resolve(alert, now, "its rule is gone"), alert)
        for rule in self.rules.values():
            if leading or local(rule):
                yield from self._turn(rule, now, fresh=fresh)
        for view in self.views.values():
            view.tidy(now)

    def _turn(self, rule: Rule, now: float, *, fresh: bool) -> Iterator[Event]:
        found = self._found(rule, now, fresh=fresh)
        known = {place: alert for place, alert in self.alerts.items() if alert.rule == rule.name}
        for place, there in known.items():
            found.setdefault(place, (there.of, NOTHING))
        for place, (of, verdict) in found.items():
            alert = known.get(place)
            if alert is None:
                if not verdict.hit:
                    continue
                alert = self.alerts[place] = new(rule, of, now, self.me if local(rule) else "")
            became = step(alert, rule, verdict, now)
            if alert.state == "firing" and rule.measure in MEASURES:
                self.views[key_of(rule)].unusual(_group(rule, of), now)
            if alert.state == "resolved" or over(alert, verdict):
                del self.alerts[place]
            if became is not None:
                alert.summary = summary(rule, alert)
                yield Event(became, alert)

    def _found(self, rule: Rule, now: float, *, fresh: bool) -> dict[Place, tuple[Labels, Verdict]]:
        found: dict[Place, tuple[Labels, Verdict]] = {}
        if rule.measure in MEASURES:
            view = self.views[key_of(rule)]
            for group in view.groups if fresh else ():
                of = {name: value for name, value in zip(view.key.by, group, strict=True) if value}
                if of or not view.key.by:  # who has none of what is told apart is nobody
                    place = (rule.name, tuple(sorted(of.items())))
                    known = self.alerts.get(place)
                    found[place] = (of, judge(rule, view, group, now, known))
            return found
        values: dict[Place, tuple[Labels, float]] = {}
        for of, value, adds in self._metrics(rule, now):
            place = (rule.name, tuple(sorted(of.items())))
            if place in values:
                other = values[place][1]
                value = value + other if adds else max(value, other)
            values[place] = of, value
        return {place: (of, _bounded(rule, value)) for place, (of, value) in values.items()}

    def _metrics(self, rule: Rule, now: float) -> Iterator[tuple[Labels, float, bool]]:
        """Each series, and whether series add up, as those of counters do."""
        for (name, _), (labels, values, counter) in self._series.items():
            if name != rule.measure or not fits(rule.where, labels) or values[-1][0] < now - LATE:
                continue
            value = values[-1][1]
            if counter:
                value, seconds = _growth(values, now - rule.window)
                if name == RATE:
                    value /= max(seconds, 1e-9)
            whole = {**labels, "instance": self.instance} if name != SHARED else labels
            of = {key: each for key, each in whole.items() if rule.by is None or key in rule.by}
            yield of, value, counter and name != RATE


def _group(rule: Rule, of: Mapping[str, str]) -> Group:
    return tuple([of.get(name, "") for name in rule.by or ()])


def _growth(values: Sequence[tuple[float, float]], since: float) -> tuple[float, float]:
    """Of a counter that may begin anew at 0; and in how many seconds."""
    grown = seconds = 0.0
    for (before, last), (at, value) in pairwise(values):
        if at >= since:
            grown += value - last if value >= last else value
            seconds += at - before
    return grown, seconds


def _bounded(rule: Rule, value: float) -> Verdict:
    if rule.above is not None and value > rule.above:
        return Verdict(True, value, rule.above)
    if rule.below is not None and value < rule.below:
        return Verdict(True, value, rule.below)
    return Verdict(False, value, rule.above if rule.above is not None else rule.below)


def judge(rule: Rule, view: View, group: Group, now: float, known: Alert | None) -> Verdict:
    """What a rule finds of a group. What is usual was said when an alert of it began to fire, and holds until it is
    resolved; too few requests are no reason to begin, and one can be reason enough to end."""
    measure, sums = MEASURES[rule.measure], view.now(group, now)
    if rule.kind == "absence":
        there = sums.count + sums.refused
        (usual,) = view.usual(group, now, rule.name, _requests)
        enough = known is not None or usual >= rule.min_requests
        return Verdict(not there and enough, float(there), 0.0)
    value = measure.value(sums)
    if value is None:
        return NOTHING
    if known is not None and known.state == "firing" and known.limit is not None and rule.kind != "threshold":
        low = rule.below is not None and (rule.above is None or (known.value or 0.0) < known.limit)
        verdict = Verdict(value < known.limit if low else value > known.limit, value, known.limit)
    elif rule.kind == "threshold":
        verdict = _bounded(rule, value)
    else:
        verdict = _unusual(rule, view, group, now, value)
    if verdict.hit and rule.at_least is not None and value < rule.at_least:
        verdict = verdict._replace(hit=False)
    if verdict.hit and measure.over is not None and measure.over(sums) < rule.min_requests:
        return NOTHING
    return verdict


def _requests(before: Sequence[Sums]) -> tuple[float, ...]:
    return (float(sum(each.count + each.refused for each in before)),)


def _usual(measure: Measure, least: int, before: Sequence[Sums]) -> tuple[float, ...]:
    """Mean and standard deviation; nothing where too little is known."""
    values = [
        value
        for sums in before
        if (measure.over is None or measure.over(sums) >= least) and (value := measure.value(sums)) is not None
    ]
    return (statistics.fmean(values), statistics.pstdev(values)) if len(values) >= LEAST else ()


def _unusual(rule: Rule, view: View, group: Group, now: float, value: float) -> Verdict:
    measure = MEASURES[rule.measure]
    usual = view.usual(group, now, rule.name, partial(_usual, measure, rule.min_requests))
    if not usual:
        return NOTHING
    mean, deviation = usual
    if rule.kind == "change":
        bounds = [mean * factor if factor is not None else None for factor in (rule.above, rule.below)]
    else:
        spread = max(deviation, noise(measure, view.now(group, now), mean))
        bounds = [
            mean + rule.above * spread if rule.above is not None else None,
            mean - rule.below * spread if rule.below is not None else None,
        ]
    high, low = bounds
    if high is not None and value > high:
        return Verdict(True, value, high)
    if low is not None and value < low:
        return Verdict(True, value, low)
    return Verdict(False, value, high if high is not None else low)
