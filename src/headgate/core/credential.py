"""One of a provider's keys: whether it may be used, and for which of its models."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from headgate.core.target import Provider

State = Literal["active", "cooling", "exhausted", "invalid", "disabled"]
Out = Literal["exhausted", "invalid"]

COOLING = 2.0
"""Seconds, where a provider that has had enough does not say for how long; doubled while it has."""
MOST_COOLING = 60.0
RECHECK = 300.0
"""Seconds after which a key that was refused is tried again: it may have been paid for meanwhile."""
PLENTY = 2_000_000
"""Tokens: more than any request has."""
MODELS = 1000
"""That are remembered of one key."""


class Watcher(Protocol):
    """Who wants to hear of a key; its methods return at once."""

    def moved(self) -> None:
        """It is out, or taken again."""

    def cooled(self, model: str) -> None:
        """It is not used for a model for a while."""


class Credential:
    """How a key fares. What is limited is a key's use of a model; what is refused is the key."""

    __slots__ = (
        "_cooling", "_left", "clear", "digest", "doubted", "name", "out", "provider", "trusting", "until", "watcher",
        "why",
    )  # fmt: skip

    def __init__(self, provider: str, name: str, digest: str = "", doubted: asyncio.Event | None = None) -> None:
        """`doubted` is set where the provider does not take the key: there may be another by now."""
        self.provider = provider
        self.name = name
        self.digest = digest
        self.doubted = doubted or asyncio.Event()
        self.trusting = False
        """It is used whatever the provider says of it."""
        self.out: Out | Literal["disabled"] | None = None
        """Why it is not used at all."""
        self.until = 0.0
        """When one that is out is tried again."""
        self.why = ""
        self._cooling: dict[str, tuple[float, float]] = {}
        """By model: until when, and how long that was."""
        self._left: dict[str, tuple[float, float]] = {}
        """By model: tokens that may still be used, and until when that holds."""
        self.watcher: Watcher | None = None
        self.clear = True
        """Nothing is known against it: the case of nearly every request, hence told without looking at a clock."""

    def state(self, now: float) -> State:
        """That of the key as a whole: cooling where it is for any of its models."""
        if self.out == "disabled" or (self.out is not None and now < self.until):
            return self.out
        cooling = self._cooling.copy().values()  # metrics ask in a thread, while requests go on
        return "cooling" if any(until > now for until, _ in cooling) else "active"

    def ready(self, model: str, now: float, tokens: float = 0.0) -> bool:
        """Whether a request of about so many tokens may be sent with it."""
        if self.out is not None and (self.out == "disabled" or now < self.until):
            return False
        if self._cooling and self._cooling.get(model, (0.0, 0.0))[0] > now:
            return False
        if self._left:
            left, until = self._left.get(model, (tokens, 0.0))
            return until <= now or left >= tokens
        return True

    def told_of(self, model: str, now: float, tokens: float = 0.0) -> str:
        """Why it may not be used for a model, in plain words."""
        if self.out == "disabled":
            return "disabled"
        if self.out is not None and now < self.until:
            return f"{self.out}: {self.why}"
        until, _ = self._cooling.get(model, (0.0, 0.0))
        if until > now:
            return f"cooling for {until - now:.1f} s"
        return "active" if self.ready(model, now, tokens) else f"{self._left[model][0]:g} tokens left"

    def rests(self, now: float) -> dict[str, float]:
        """The models it is cooling for, and for how many seconds yet."""
        return {model: until - now for model, (until, _) in self._cooling.items() if until > now}

    def configure(self, *, enabled: bool, trusting: bool) -> None:
        """As the configuration has it."""
        self.trusting = trusting
        if trusting:
            self.out = None
            self._cooling.clear()
            self._left.clear()
        if not enabled:
            self.out = "disabled"
        elif self.out == "disabled":
            self.out = None
        self._settle()

    def rest(self, model: str) -> tuple[float, float]:
        """Until when it cools for a model, and how long that is."""
        return self._cooling.get(model, (0.0, 0.0))

    def refused(self, now: float, out: Out, why: str) -> None:
        """The provider does not take the key, or has not been paid."""
        if out == "invalid":
            self.doubted.set()
        if not self.trusting:
            self.out, self.why, self.until = out, why, now + RECHECK
            self._settle()
            self._tell()

    def limited(self, model: str, now: float, seconds: float | None) -> None:
        """The provider has had enough requests for this model for a while (`seconds`, where it says)."""
        if seconds is None:
            until, before = self._cooling.get(model, (0.0, COOLING / 2))
            if until > now:  # of a request that was under way when it began to cool
                return
            seconds = min(before * 2, MOST_COOLING)
        self._cool(model, now + seconds, seconds)

    def denied(self, model: str, now: float) -> None:
        """The provider takes the key, but not for this model."""
        self._cool(model, now + RECHECK, RECHECK)

    def told(self, model: str, now: float, tokens: float, seconds: float) -> None:
        """What the provider says is left of its limit, until it is full again; plenty needs no remembering."""
        if tokens < PLENTY:
            self._remember(self._left, model, (tokens, now + seconds))
        elif self._left.pop(model, None) is not None:
            self._settle()

    def taken(self, model: str, now: float, begun: float) -> None:
        """A request with it, sent at `begun`, was answered. One from before it was refused tells nothing of that."""
        if self.out in ("exhausted", "invalid") and begun > self.until - RECHECK:
            self.out, self.why, self.until = None, "", 0.0
            self._tell()
        if self._cooling and self._cooling.get(model, (now + 1.0, 0.0))[0] <= now:
            del self._cooling[model]
        if self._left and self._left.get(model, (0.0, now + 1.0))[1] <= now:
            del self._left[model]
        if not self.clear:
            self._settle()

    def adopt(self, out: Out | None, why: str, until: float) -> None:
        """Another process has found that it is out, or taken again."""
        if out == "invalid":
            self.doubted.set()
        if not self.trusting and self.out != "disabled":
            self.out, self.why, self.until = out, why, until
            self._settle()

    def adopt_rest(self, model: str, until: float, seconds: float) -> None:
        """Another process has been told to leave it alone for a model."""
        self._remember(self._cooling, model, (until, seconds))

    def _tell(self) -> None:
        if self.watcher is not None:
            self.watcher.moved()

    def _cool(self, model: str, until: float, seconds: float) -> None:
        self._remember(self._cooling, model, (until, seconds))
        if self.watcher is not None and not self.trusting:
            self.watcher.cooled(model)

    def _remember(self, known: dict[str, tuple[float, float]], model: str, value: tuple[float, float]) -> None:
        if self.trusting:
            return
        if len(known) >= MODELS and model not in known:
            known.clear()
        known[model] = value
        self.clear = False

    def _settle(self) -> None:
        self.clear = self.out is None and not self._cooling and not self._left


@dataclass(slots=True, frozen=True, eq=False)
class Arm:
    """A provider with one of its keys, chosen as often as it weighs."""

    provider: Provider
    credential: Credential
    weight: float = 1.0
