"""What must not go in, out, or abroad: policies, each of a guard and of what follows what it finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr

from headgate.config.limits import Names
from headgate.config.section import Section
from headgate.core.guard import EVERY, HIDES, Action, Part
from headgate.core.standing import Board
from headgate.providers.settings import Seconds
from headgate.stages.guard.policy import At, Dimension, Policy
from headgate.stages.guards.guard import Guard, GuardSettings


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _by_category(value: Any) -> Any:
    return {EVERY: value} if isinstance(value, str) else value


class GuardPolicy(Section):
    """What is looked for, where, in whose requests, and what follows. Policies only add to each other: none of them
    takes back what another one does, whoever it is for."""

    use: str = Field(min_length=1, description="A built-in [guard](stages.md#guards), or the dotted path of a class.")
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Its settings; see [guards](stages.md#guards)."
    )
    at: Annotated[list[At], BeforeValidator(_listed)] = Field(
        default_factory=list,
        description="`before` the model is asked, `after` it has answered. Left out: both, as far as the guard can.",
    )
    then: Annotated[dict[str, Action], BeforeValidator(_by_category)] = Field(
        default_factory=dict,
        description="What follows a finding, by its category (`*`: any other), or one word for all: `block` it; "
        "`redact` (`[EMAIL]`), `mask` (`****1111`), `generalise` (`1985`) or `hash` it, or `replace` it by what the "
        "guard says; show providers `<EMAIL_1>` (`tokenise`) or another address (`surrogate`) and put it back in the "
        "reply; ask the model `model` instead (`route`); tell it only (`flag`); `pass` it. Left out: what is usual for "
        "the guard.",
    )
    mode: Literal["enforce", "monitor"] = Field(
        "enforce", description="`monitor`: what it finds stands in records, and nothing else follows."
    )
    match: dict[Dimension, Names] = Field(
        default_factory=dict,
        alias="for",
        description="Whose requests it is about: `{team: research}`, `{model: [large, huge], tag: nightly}`, "
        "`{trait: us}` (where they go); all of it has to fit. Left out: all requests.",
    )
    external_only: bool = Field(
        False,
        description="Only what goes to providers that are not `internal`: an internal one is given it as it was said.",
    )
    parts: list[Part] | None = Field(
        None, min_length=1, description="In which texts it looks, by what they are. Left out: all."
    )
    roles: list[Literal["system", "user", "assistant", "tool"]] | None = Field(
        None, min_length=1, description="In which texts it looks, by who says them. Left out: all."
    )
    min_score: float = Field(0.0, ge=0, le=1, description="Findings of which the guard is less sure do not count.")
    on_error: Literal["closed", "open"] = Field(
        "closed",
        description="What becomes of what cannot be looked at, as the guard fails, takes too long or it is too large: "
        "it is refused (503), or goes on and the record says so.",
    )
    timeout: Seconds = Field(5.0, description="Seconds that a guard may take that waits for others.")
    max_chars: int = Field(4_000_000, ge=1, description="Characters of one request or reply that are looked at.")
    parallel: bool = Field(
        False,
        description="Ask the model while it is looked at. Nothing of the answer is given before that is done; what is "
        "to be changed, or asked of another model, is blocked then.",
    )
    status: Literal[400, 403, 422, 451] = Field(400, description="The HTTP status of what is blocked.")
    refusal: str | None = Field(
        None,
        min_length=1,
        description="What is answered to a chat that is blocked, as if the model said it, in place of an error.",
    )
    model: str | None = Field(
        None, min_length=1, description="The name of `models` that is asked where `then` is `route`."
    )

    k: int | None = Field(
        None,
        ge=2,
        le=1000,
        description="What `generalise` leaves is said of at least so many different values that this process has seen "
        "of the tenant within `k_window`, or nothing of it is left: `[CATEGORY]`. Left out: however few there are.",
    )
    k_window: float = Field(86_400.0, ge=60, le=31_536_000, description="Seconds for which a value counts for `k`.")

    _type: type[Guard] = PrivateAttr(Guard)  # type: ignore[type-abstract]
    _read: Any = PrivateAttr(None)
    _guard: Guard | None = PrivateAttr(None)

    @property
    def type(self) -> type[Guard]:
        """The guard's class, once the configuration has been read."""
        return self._type

    @property
    def read(self) -> GuardSettings | None:
        """The guard's settings, once the configuration has been read."""
        return self._read if isinstance(self._read, GuardSettings) else None

    @property
    def asks(self) -> str | None:
        """The model that its guard asks, once the configuration has been read."""
        return getattr(self._read, "model", None) if self._type.outside else None

    @property
    def pays(self) -> str | None:
        """The key whose its guard's questions are, once the configuration has been read."""
        return getattr(self._read, "key", None) if self._type.outside else None

    @property
    def topics(self) -> Sequence[str]:
        """Those of `matching.topics` that its guard goes by, once the configuration has been read."""
        return getattr(self._read, "topics", ()) if self._type.outside else ()

    @property
    def guard(self) -> Guard:
        """Made on first use. Raises ValueError where its settings make no sense, or what its class raises."""
        if self._guard is None:
            self._guard = self._type(self._read)
        return self._guard

    @property
    def sides(self) -> frozenset[At]:
        """Where it looks."""
        if self.at:
            return frozenset(self.at)
        can = frozenset[At]("before" if side == "request" else "after" for side in self.type.sides)
        return can - {"after"} if self.hides and "before" in can else can

    @property
    def hides(self) -> bool:
        """All that it finds is hidden, which is about what is asked only."""
        return EVERY in self.then and HIDES.issuperset(self.then.values())

    def made(self, name: str, board: Board | None = None) -> Policy:
        """As it is kept to; the `board` knows what it has seen. Raises what its guard raises where it cannot be
        made."""
        k = self.k
        return Policy(
            crowd=(board or Board()).crowd(name, k, self.k_window) if k is not None else None,
            name=name,
            guard=self.guard,
            kind=self.use,
            at=self.sides,
            actions=self.then,
            enforced=self.mode == "enforce",
            closed=self.on_error == "closed",
            timeout=self.timeout,
            parallel=self.parallel,
            external=self.external_only,
            match={
                dimension: frozenset(map(str.lower, names) if dimension == "data_class" else names)
                for dimension, names in self.match.items()
            },
            parts=self.parts,
            roles=self.roles,
            least=self.min_score,
            largest=self.max_chars,
            status=self.status,
            refusal=self.refusal,
            use=self.model,
        )


def missing(kind: type[Guard]) -> Iterator[str]:
    """The extras of headgate that bring what a guard needs and this installation has not."""
    yield from dict.fromkeys(extra for module, extra in kind.needs.items() if find_spec(module) is None)
