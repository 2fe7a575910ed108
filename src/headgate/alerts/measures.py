"""What is measured of requests: sums of a span of time, and what a number is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from headgate.alerts.seen import GUARD_FAILED, OF_KEYS, OF_LIMITS, Seen, Tried
from headgate.core.money import NANO, in_nano

FINE = math.log(1.05)
"""Of durations is kept how many there were within 5 % of each other."""
SHORTEST = 1e-4
Source = Literal["requests", "attempts"]
Durations = dict[int, int]


class Sums:
    """Of a span of time; of attempts, `count`, `errors` and `keys` alone."""

    __slots__ = (
        "answer",
        "blocked",
        "cached",
        "cost",
        "count",
        "durations",
        "errors",
        "first_tokens",
        "found",
        "hits",
        "keys",
        "limits",
        "looked",
        "own",
        "prompt",
        "refused",
        "unguarded",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.errors = self.own = self.refused = self.limits = self.keys = 0
        self.prompt = self.cached = self.answer = self.cost = self.hits = self.looked = 0
        self.found = self.blocked = self.unguarded = 0
        self.durations: Durations = {}
        self.first_tokens: Durations = {}

    def add(self, seen: Seen) -> None:
        """A request. Shadows and judgments cost, but are nobody's requests."""
        if seen.usage is not None:
            self.prompt += seen.usage.prompt
            self.cached += seen.usage.cache_read
            self.answer += seen.usage.completion
        self.cost += in_nano(seen.cost) or 0
        for tried in seen.attempts:
            if tried.usage is not None:
                self.prompt += tried.usage.prompt
                self.answer += tried.usage.completion
            self.cost += in_nano(tried.cost) or 0
        if seen.own or seen.ending == "explained":
            return
        for each in seen.guards:
            self.found += 1
            self.blocked += each.action == "block" and each.mode == "enforce"
            self.unguarded += each.category == GUARD_FAILED
        if seen.refused:
            self.refused += 1
            self.limits += seen.error in OF_LIMITS
            self.keys += seen.error in OF_KEYS
            return
        self.count += 1
        if seen.cached is not None and seen.cached.how not in ("bypass", "refresh"):
            self.looked += 1
            self.hits += seen.cached.how != "miss"
        if seen.failed:
            self.errors += 1
            self.own += seen.by_own_fault
        if seen.ending == "complete":
            _note(self.durations, seen.duration)
            if seen.first_token is not None:
                _note(self.first_tokens, seen.first_token)

    def tried(self, tried: Tried) -> None:
        self.count += 1
        self.errors += tried.failed
        self.keys += tried.refused_key

    def take(self, other: Sums) -> None:
        """Add another span's."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for into, of in ((self.durations, other.durations), (self.first_tokens, other.first_tokens)):
            for place, count in of.items():
                into[place] = into.get(place, 0) + count

    def kept(self) -> list[object]:
        """As it is written down; `again` reads it."""
        return [*(getattr(self, name) for name in COUNTS), self.durations, self.first_tokens]

    @classmethod
    def again(cls, kept: list[object]) -> Sums:
        made = cls()
        for name, value in zip(COUNTS, kept[:-2], strict=False):  # fewer, where an older version wrote it
            setattr(made, name, value)
        made.durations, made.first_tokens = (
            {int(place): count for place, count in each.items()} if isinstance(each, dict) else {} for each in kept[-2:]
        )
        return made


COUNTS = (
    "count", "errors", "own", "refused", "limits", "keys", "prompt", "cached", "answer", "cost", "hits", "looked",
    "found", "blocked", "unguarded",
)  # fmt: skip


def together(spans: Iterable[Sums]) -> Sums:
    found = Sums()
    for each in spans:
        found.take(each)
    return found


def _note(into: Durations, seconds: float) -> None:
    place = int(math.log(max(seconds, SHORTEST)) // FINE)
    into[place] = into.get(place, 0) + 1


def quantile(durations: Durations, share: float) -> float | None:
    """Seconds, within 3 %; None where there is nothing."""
    left = share * sum(durations.values())
    for place in sorted(durations):
        left -= durations[place]
        if left <= 0:
            return math.exp((place + 0.5) * FINE)
    return None


class Measure(NamedTuple):
    """`value` makes it of sums; `over` says of how many requests it is made, None: none are needed for it to mean
    something, and where nothing was asked it is 0."""

    about: str
    unit: Literal["share", "seconds", "dollars", "count"]
    value: Callable[[Sums], float | None]
    over: Callable[[Sums], int] | None = None
    source: Source = "requests"


def _share(of: int, whole: int) -> float | None:
    return of / whole if whole else None


def _latency(what: Literal["durations", "first_tokens"], percent: int) -> Measure:
    name = "to the end of the answer" if what == "durations" else "to the first piece of the answer"
    return Measure(
        f"Seconds from a request's arrival {name}: {percent} % are faster.",
        "seconds",
        lambda sums: quantile(getattr(sums, what), percent / 100),
        lambda sums: sum(getattr(sums, what).values()),
    )


MEASURES: dict[str, Measure] = {
    "error_rate": Measure(
        "Share of requests that failed, by whose fault but the caller's it may be.",
        "share",
        lambda sums: _share(sums.errors, sums.count),
        lambda sums: sums.count,
    ),
    "gateway_error_rate": Measure(
        "Share of requests that failed by the gateway's own fault.",
        "share",
        lambda sums: _share(sums.own, sums.count),
        lambda sums: sums.count,
    ),
    "provider_error_rate": Measure(
        "Share of the calls of providers that failed, also where another target answered in the end.",
        "share",
        lambda sums: _share(sums.errors, sums.count),
        lambda sums: sums.count,
        "attempts",
    ),
    "errors": Measure("Requests that failed.", "count", lambda sums: sums.errors),
    "provider_errors": Measure("Calls of providers that failed.", "count", lambda sums: sums.errors, None, "attempts"),
    "credential_failures": Measure(
        "Calls in which a provider did not take the key, or there was none.",
        "count",
        lambda sums: sums.keys,
        None,
        "attempts",
    ),
    "refused_keys": Measure("Requests without a key that is let in.", "count", lambda sums: sums.keys),
    "limit_refusals": Measure("Requests that a limit had no room for.", "count", lambda sums: sums.limits),
    "guard_findings": Measure("What guards have found, whatever followed.", "count", lambda sums: sums.found),
    "guard_blocks": Measure("What policies have blocked.", "count", lambda sums: sums.blocked),
    "guard_failures": Measure("Times that a guard could not look.", "count", lambda sums: sums.unguarded),
    "requests": Measure("Requests.", "count", lambda sums: sums.count + sums.refused),
    "tokens": Measure("Tokens of prompts and answers.", "count", lambda sums: sums.prompt + sums.answer),
    "input_tokens": Measure("Tokens of prompts.", "count", lambda sums: sums.prompt),
    "output_tokens": Measure("Tokens of answers.", "count", lambda sums: sums.answer),
    "spend": Measure("US dollars.", "dollars", lambda sums: sums.cost / NANO),
    "prompt_cache_ratio": Measure(
        "Share of the prompts' tokens that providers had in their caches.",
        "share",
        lambda sums: _share(sums.cached, sums.prompt),
        lambda sums: sums.count,
    ),
    "cache_hit_ratio": Measure(
        "Share of the requests for names whose answers are kept that were given one, or one under way for another.",
        "share",
        lambda sums: _share(sums.hits, sums.looked),
        lambda sums: sums.looked,
    ),
    **{f"latency_p{percent}": _latency("durations", percent) for percent in (50, 95, 99)},
    **{f"first_token_p{percent}": _latency("first_tokens", percent) for percent in (50, 95, 99)},
}


def noise(measure: Measure, sums: Sums, mean: float) -> float:
    """How much a value differs from the mean by chance alone: no smaller difference is one."""
    if measure.unit == "share":
        count = measure.over(sums) if measure.over is not None else 0
        likely = (mean * count + 1) / (count + 2)
        return math.sqrt(likely * (1 - likely) / max(count, 1))
    if measure.unit == "count":
        return max(math.sqrt(mean), 0.05 * mean, 1.0)
    return max(0.05 * abs(mean), 1e-9)
