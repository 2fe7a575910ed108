"""How a new target does that is on trial: from step to step as long as it is as good as the others, else back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LUCK = 3.0
"""Standard errors by which a measure must be too large."""

State = Literal["growing", "grown", "back"]


@dataclass(slots=True, frozen=True)
class Course:
    """How a trial goes. `steps` are per cent of the requests, seconds are those of `every`."""

    steps: Sequence[float]
    every: float
    least: int
    error_margin: float
    max_slowdown: float
    about: str
    """All that is said of the trial and its target: with anything else it is another one."""


class Tally:
    """What came of the requests of one step."""

    __slots__ = ("count", "failed", "heard", "logs", "squares")

    def __init__(self) -> None:
        self.count = self.failed = self.heard = 0
        self.logs = self.squares = 0.0

    def hear(self, seconds: float | None) -> None:
        """`seconds` to the first piece of the answer; None: there was none."""
        self.count += 1
        if seconds is None:
            self.failed += 1
        else:
            self.heard += 1
            log = math.log(max(seconds, 1e-6))
            self.logs += log
            self.squares += log * log

    @property
    def rate(self) -> float:
        return self.failed / self.count if self.count else 0.0

    @property
    def usual(self) -> float:
        """Seconds: the geometric mean, on which a few very long answers weigh little."""
        return math.exp(self.logs / self.heard) if self.heard else 0.0

    def doubt(self) -> float:
        """How far from the truth the mean of the logarithms may be by chance: its standard error."""
        return math.sqrt(max(self.squares - self.logs**2 / self.heard, 0.0)) / self.heard


class Trial:
    """One canary's way through its steps; kept while the process runs, also when the configuration changes."""

    def __init__(self, name: str, target: str, course: Course, now: float) -> None:
        self.name = name
        self.target = target
        self.course = course
        self.state: State = "growing"
        self.step = 0
        self.percent = course.steps[0]
        """Of the requests."""
        self.told = self._told()
        """How it is, for the record of a request."""
        self.since = now
        self.own, self.others = Tally(), Tally()

    def hear(self, now: float, seconds: float | None, *, own: bool) -> str:
        """What came of a request, the canary's own or one of the others'. Gives what follows from it, in a sentence;
        "" for nothing, as mostly."""
        if self.state != "growing":
            return ""
        (self.own if own else self.others).hear(seconds)
        if self.own.count < self.course.least:
            return ""
        wrong = self._wrong()
        if wrong:
            self.state, self.percent = "back", 0.0
            self.told = f"the canary {self.target} gets no requests any more: {wrong}"
            return f"{self.name}: {self.told}"
        if now - self.since < self.course.every:
            return ""
        return self._on(now)

    def _wrong(self) -> str:
        """What is worse than luck explains; it is looked at again and again, so some luck is to be expected."""
        own, others, course = self.own, self.others, self.course
        allowed = min(others.rate + course.error_margin, 1.0)
        if own.rate > allowed + LUCK * math.sqrt(allowed * (1.0 - allowed) / own.count):
            return f"{own.rate:.1%} of its {own.count} requests failed, and {others.rate:.1%} of the others'"
        if own.heard and others.heard >= course.least:
            slower = math.log(own.usual / others.usual)
            if slower > math.log(course.max_slowdown) + LUCK * own.doubt():
                return f"it took {own.usual:.3g} s, and the others {others.usual:.3g} s"
        return ""

    def _on(self, now: float) -> str:
        self.step += 1
        if self.step >= len(self.course.steps):
            self.state = "grown"
            return f"{self.name}: the canary {self.target} has done well, and keeps {self.percent:g} % of the requests"
        self.percent = self.course.steps[self.step]
        self.told = self._told()
        self.since, self.own = now, Tally()
        if self.percent < 100:  # else there will be no others: it is compared with what they were before
            self.others = Tally()
        return f"{self.name}: the canary {self.target} gets {self.percent:g} % of the requests from now on"

    def _told(self) -> str:
        return f"the canary {self.target} gets {self.percent:g} % of the requests, and this is one"


class Trials:
    """Those under way, by name."""

    def __init__(self) -> None:
        self._all: dict[str, Trial] = {}

    def of(self, name: str, target: str, course: Course, now: float) -> Trial:
        found = self._all.get(name)
        if found is None or found.course.about != course.about:
            found = self._all[name] = Trial(name, target, course, now)
        return found

    def keep(self, used: Sequence[Trial]) -> None:
        """A configuration is applied: what it has no more is forgotten."""
        self._all = {name: trial for name, trial in self._all.items() if trial in used}

    def all(self) -> list[Trial]:
        return list(self._all.values())
