"""Who is asked: a provider with a model of its, and where a request to it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headgate.core.cause import Cause
from headgate.core.chat import CacheMark
from headgate.core.credential import Arm
from headgate.core.standing import Standing

if TYPE_CHECKING:
    from headgate.core.dialect import Dialect
    from headgate.core.exchange import Exchange
    from headgate.core.named import Named
    from headgate.core.ports import Upstream
    from headgate.core.reply import Reply


Streaming = Literal["both", "never", "always"]
"""Whether a host can answer in one piece and as a stream, only in one piece, or only as a stream."""


@dataclass(slots=True, frozen=True)
class Timeouts:
    """Seconds. `first_byte` runs from the request's last byte to the reply's head; `idle` between two reads."""

    connect: float = 5.0
    first_byte: float = 300.0
    idle: float = 120.0
    total: float = 900.0


@dataclass(slots=True, frozen=True)
class Origin:
    """A host to connect to."""

    scheme: str
    host: str
    port: int


@dataclass(slots=True, frozen=True)
class Endpoint:
    """Where a request goes and with which headers; made once per provider and dialect, not per request.

    `head` is the request's start and fixed headers, ready to send, without `content-length` and the closing
    empty line: b"POST /v1/chat/completions HTTP/1.1\\r\\nhost: ...\\r\\nauthorization: ...\\r\\n".
    """

    origin: Origin
    head: bytes
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(slots=True, frozen=True)
class Shape:
    """What requests to a target get otherwise than their clients said; fields are those of the provider's dialect."""

    set: Mapping[str, Any] = field(default_factory=dict)
    """Always. A mapping is merged into the one that stands there."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Where the client said nothing."""
    drop: Sequence[str] = ()
    """Left out; `generationConfig.seed` is a field inside another."""
    system: str | None = None
    """Put before the conversation."""
    effort: str | None = None
    """Of reasoning, where the client asked for none."""

    def changes(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields to set (a value) or take out (None) in a body that has `fields`."""
        found: dict[str, Any] = {}
        for path in self.drop:
            name, dot, inner = path.partition(".")
            here = found.get(name, fields.get(name))
            if not dot and name in fields:
                found[name] = None
            elif dot and here is not None:
                found[name] = without(here, inner)
        for name, value in self.defaults.items():
            here = found.get(name, fields.get(name))
            found[name] = value if here is None else merged(value, here)
        for name, value in self.set.items():
            here = found.get(name, fields.get(name))
            found[name] = value if here is None else merged(here, value)
        return {name: value for name, value in found.items() if value is not None or name in fields}

    def over(self, below: Shape | None) -> Shape:
        """This one with what it leaves open taken from `below`."""
        if below is None:
            return self
        return Shape(
            merged(below.set, self.set),
            merged(below.defaults, self.defaults),
            (*below.drop, *self.drop),
            self.system if self.system is not None else below.system,
            self.effort or below.effort,
        )


def merged(low: Any, high: Any) -> Any:
    """Two values, the second of which counts where both say something; mappings are merged key by key."""
    if not (isinstance(low, Mapping) and isinstance(high, Mapping)):
        return high
    return {**low, **{key: merged(low[key], value) if key in low else value for key, value in high.items()}}


def without(value: Any, path: str) -> Any:
    """A mapping less what stands at a dotted path; anything else as it is."""
    name, dot, inner = path.partition(".")
    if not isinstance(value, Mapping) or name not in value:
        return value
    kept = {key: item for key, item in value.items() if key != name}
    return {**kept, name: without(value[name], inner)} if dot else kept


class Provider(Protocol):
    """What stages know of a provider; `headgate.providers.provider.Provider` is the class to inherit."""

    @property
    def name(self) -> str:
        """The provider's name in the configuration."""

    @property
    def arms(self) -> Sequence[Arm]:
        """The provider with each of its keys."""

    def target(self, model: str, shape: Shape | None = None) -> Target:
        """A model of this provider, by the name clients know it by; `shape` is the target's own."""

    @property
    def inline_links(self) -> bool:
        """The host cannot fetch what a URL names: the gateway does, where it may."""

    @property
    def asks_for_usage(self) -> bool:
        """Streams are asked for token counts where the client did not ask."""

    @property
    def adjusts(self) -> bool:
        """`adjust` does something for this host."""

    def further(self, fields: Mapping[str, Any]) -> Sequence[Named]:
        """The models a request names besides `model`, as this host calls them, and where. Raises InvalidRequest."""

    @property
    def traits(self) -> frozenset[str]:
        """What is so of all its targets, in lower case: `eu`, `no-training`."""

    @property
    def internal(self) -> bool:
        """It is one's own: what is kept from others it may be told."""

    def known_as(self, model: str) -> Sequence[str]:
        """The names by which clients ask for what this host calls so."""

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """The client's own dialect if this host speaks it, else the host's best for the same operation.

        Raises Unsupported where it serves no such operation.
        """

    def streams(self, dialect: Dialect, model: str) -> Streaming:
        """What the gateway has to bridge: a stream asked for where there is none, or the other way round."""

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """The fields to set (a value) or take out (None) in a request body for this host; {} changes nothing."""

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        """Ask `exchange.target` with `exchange.outgoing`. Raises ProviderError."""


@dataclass(slots=True, frozen=True)
class Terms:
    """What an operator says of a target, for policies and filters to go by."""

    weight: float = 1.0
    """Its share among the targets of its alias."""
    quality: float | None = None
    """How good its answers are, on any scale, more being better."""
    prices: Sequence[Mapping[str, str]] = ()
    """Of its model, as the catalogue has them (`catalog.entry`); empty where they are not known."""
    slow_after: float = inf
    """Seconds to the first piece of an answer, above which it is too slow."""
    requests_per_minute: float = inf
    tokens_per_minute: float = inf
    concurrency: int | None = None
    """Requests at a time; None: any number."""
    queue: int = 100
    """Requests that wait at most where it serves as many as it may at a time."""
    queue_seconds: float = 30.0
    traits: frozenset[str] = frozenset()
    """What is so of it beside what is so of its provider."""


@dataclass(slots=True, frozen=True)
class Manner:
    """How the targets of an alias are asked. Seconds."""

    first_token: float = inf
    """That a target has for the first piece of a stream, before the next one is asked."""
    whole_answer: float = inf
    """That it has for an answer that is not streamed."""
    deadline: float = inf
    """That all attempts have together."""
    instead: Mapping[Cause, Sequence[Target]] = field(default_factory=dict)
    """Who is asked next where a target failed for this cause."""
    hedge: float | None = None
    """After how many seconds a second target is asked as well; 0.0: after what 95 of 100 answers of the first took."""
    resume: bool = False
    """A stream that breaks off is continued by another target."""
    marks: CacheMark | None = None
    """Prompts are marked like this for providers that keep none without a mark."""


PLAIN = Manner()


PLAIN_TERMS = Terms()


@dataclass(slots=True, frozen=True, eq=False)
class Target:
    """One model at one provider."""

    provider: Provider
    model: str
    shape: Shape | None = None
    terms: Terms = PLAIN_TERMS
    standing: Standing = field(default_factory=lambda: Standing(""))
    """Shared by all targets of this name and these settings."""

    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.provider.name}/{self.model}")

    @property
    def traits(self) -> frozenset[str]:
        """What is so of it, as the configuration says."""
        return self.provider.traits | self.terms.traits
