"""Who is asked: a provider with a model of its, and where a request to it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from headgate.core.dialect import Dialect
    from headgate.core.exchange import Exchange
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


class Provider(Protocol):
    """What stages know of a provider; `headgate.providers.provider.Provider` is the class to inherit."""

    @property
    def name(self) -> str:
        """The provider's name in the configuration."""

    @property
    def asks_for_usage(self) -> bool:
        """Streams are asked for token counts where the client did not ask."""

    @property
    def adjusts(self) -> bool:
        """`adjust` does something for this host."""

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
class Target:
    """One model at one provider."""

    provider: Provider
    model: str

    @property
    def name(self) -> str:
        return f"{self.provider.name}/{self.model}"
