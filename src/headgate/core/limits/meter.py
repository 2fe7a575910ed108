"""What a limit counts and how much of it there may be; what a request wants of it and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from headgate.core.limits.window import SECONDS, Calendar

What = Literal["requests", "tokens", "input_tokens", "output_tokens", "money", "concurrency"]


@dataclass(slots=True, frozen=True, eq=False)
class Meter:
    """At most `amount` in a window of the calendar; with a `burst`, at most that at once and `amount` steadily in as
    much time; without a window, at any time (requests that run)."""

    name: str
    what: What
    amount: int
    """Nanodollars, of money."""
    window: Calendar | None = None
    burst: int | None = None
    warn: float | None = None
    """The share of the amount from which on it is told that there is little left."""

    most: int = field(init=False)
    """What a single request can have."""
    each: float = field(init=False)
    """Seconds in which one more is allowed, where there is a burst."""
    lasting: bool = field(init=False)
    """Whether what is used is to be known after a restart."""

    def __post_init__(self) -> None:
        seconds = SECONDS[self.window.every] if self.window is not None else 0
        rate = self.burst is not None and seconds and self.amount
        object.__setattr__(self, "most", self.burst if self.burst is not None else self.amount)
        object.__setattr__(self, "each", seconds / self.amount if rate else 0.0)
        object.__setattr__(self, "lasting", self.burst is None and seconds > 60)


class Now(NamedTuple):
    """Two clocks: Unix seconds, for the calendar, and seconds that only advance, for rates."""

    wall: float
    steady: float


class Demand(NamedTuple):
    """What a request wants of a counter: its name, such as `team budget team=research`."""

    meter: Meter
    counter: str
    amount: int
    firm: bool = True
    """False: it is counted, whether or not there is room."""


class Level(NamedTuple):
    """How a counter stands."""

    meter: Meter
    left: int
    resets: float
    """Seconds until all of it is there again; inf: when those who run end."""


@dataclass(slots=True)
class Hold:
    """What a request was given, to be settled when it is over."""

    levels: Sequence[Level]
    warned: Sequence[Level] = ()
    """Those of which little is left, told once in a window."""
    held: Sequence[tuple[object, float, int]] = ()
    """The counter, which of its windows, how much; empty once it is settled."""


@dataclass(slots=True, frozen=True)
class Denied:
    """Nothing was given, as one of the counters has no room."""

    demand: Demand
    left: int
    after: float
    """Seconds until there can be; inf where it depends on those who run."""
    never: bool = False
    """It wants more than there can ever be."""
    levels: Sequence[Level] = ()
    turn: int = 0
    """There is room, for somebody else: whose turn it is, of those who wait in this process (`Waiting`)."""


class Settled(NamedTuple):
    """What was used of a counter in the window that began then."""

    counter: str
    start: float
    used: int


class Stands(NamedTuple):
    """How much is used and held of a counter, and seconds until its window ends; None: it has none."""

    counter: str
    used: int
    held: int
    resets: float | None


class Overview(NamedTuple):
    """How counters stand, and who knows it so; not `whole`: there are more."""

    source: Literal["shared", "this process"]
    counters: Sequence[Stands]
    whole: bool = True


class Waiting(NamedTuple):
    """Whose turn it may be of this process's line in front of a counter: priorities and tenants, first who asks."""

    counter: str
    whose: Sequence[tuple[int, str]]


class Counters(Protocol):
    """Where it is counted: in this process, or where several agree."""

    @property
    def era(self) -> str:
        """Another one where what is counted may have been lost meanwhile."""

    async def reserve(self, demands: Sequence[Demand], now: Now, waiting: Waiting | None = None) -> Hold | Denied:
        """All of it, or nothing; where processes have lines of their own, these take turns by who is `waiting`."""

    def leave(self, demand: Demand, now: Now) -> None:
        """Nobody stands in this process's line in front of its counter any more."""

    def listen(self, freed: Callable[[str], None]) -> None:
        """Call it with a counter of which others have given something back, when it is the turn of who waits here."""

    def short(self, demands: Sequence[Demand], now: Now) -> Denied | None:
        """Why there is no room, as far as is known here and now; None: there may be. Nothing is held."""

    def dump(self) -> Iterator[Settled]:
        """What was used in windows that are longer than a restart takes."""

    def add(self, meter: Meter, name: str, start: float, used: int, now: Now, era: str = "") -> None:
        """What was used before, as a dump of an era or a record says; of a window that is over, nothing."""

    def settle(self, hold: Hold, amounts: Sequence[int], now: Now) -> None:
        """What it came to, in the order of the demands; a second call does nothing."""

    async def standing(self, now: Now) -> Overview:
        """How those stand of which something is used or held. It is for people, and takes some seconds at most."""
