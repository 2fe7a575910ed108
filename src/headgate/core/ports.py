"""What stages and the server ask of the outside; `runtime` hands in the implementations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, NamedTuple, Protocol

from headgate.core.body import Body
from headgate.core.cached import Entry, Raised, Which
from headgate.core.kept import Head
from headgate.core.kept_vault import Piece
from headgate.core.record import Record
from headgate.core.target import Endpoint


class Response(Protocol):
    """An upstream reply whose head has arrived.

    `headers` have lower-case names. `chunk` raises ProviderTimeout, ProviderCut or ProviderNonsense. Reading is what
    lets more bytes in: who does not read holds the provider back, and no more than a bounded buffer is kept.
    """

    status: int
    headers: list[tuple[bytes, bytes]]

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of this lower-case name."""

    async def read(self, limit: int) -> bytes:
        """The whole body, decoded (gzip, br, zstd). Raises ProviderNonsense above `limit` bytes."""

    async def chunk(self) -> bytes:
        """The next piece of the body, decoded, as much as has arrived; b"" at its end."""

    def finish(self) -> None:
        """The reader has all it needs. The connection goes back to the pool once the body's end has come: what is left
        of it is read away for at most a second and 64 KiB, else the connection is closed. Does not wait."""

    def close(self) -> None:
        """Back to the pool if the body has been read to its end, else close the connection. Idempotent."""


class Incoming(Protocol):
    """A client's body, read as it comes."""

    @property
    def length(self) -> int | None:
        """Bytes as the client announced them; 0: there is no body; None: it comes in chunks."""

    def pieces(self, *, decoded: bool) -> AsyncGenerator[bytes, None]:
        """The body once, `decoded` without its content encoding; who does not read on holds the client back.

        Raises TooLarge, SlowRequest, UnsupportedMedia or InvalidRequest.
        """


class Upstream(Protocol):
    """The HTTP client behind `send`."""

    async def post(
        self, endpoint: Endpoint, body: bytes | Body | None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        """Send and wait for the reply's head. The method is the endpoint's; None: a request without a body.

        A `Body` is read as fast as the provider takes it, and what it raises is raised here. Raises
        ProviderUnreachable, ProviderTimeout, ProviderCut or ProviderNonsense. Cancelling closes the connection.
        """


class Fetched(NamedTuple):
    """What was at a URL, and its content type as the host gives it."""

    data: bytes
    media_type: str


class Fetch(Protocol):
    """Gets what clients name by URL."""

    @property
    def together(self) -> int:
        """Bytes that may be fetched for one request."""

    async def fetch(self, url: str) -> Fetched:
        """Raises InvalidRequest where it may not, or cannot, be fetched."""


class Journal(Protocol):
    """Where records go."""

    @property
    def full(self) -> bool:
        """No further record can be kept: requests are turned away rather than served unaccounted."""

    def append(self, record: Record) -> None:
        """Returns once the record is written to the file (one write). Raises Overloaded when it cannot be kept."""


class Payloads(Protocol):
    """Where what was said waits to be kept."""

    most: int
    """Bytes of each side that are held of one request."""

    def put(self, head: Head, request: bytes, sent: bytes, answer: Sequence[bytes]) -> bool:
        """Take it, in memory that outlives this process; False where there is no room. Never waits."""


class Cache(Protocol):
    """Where answers are kept to be given again. None of it ever fails: what is away has nothing."""

    async def get(self, key: bytes) -> Entry | None:
        """Within a bounded wait. It may be stale: its `until` may be over."""

    async def claim(self, key: bytes, seconds: float) -> bool:
        """Whether it is for this process to ask anew for what is kept there: one is, of those that share it."""

    async def release(self, key: bytes) -> None:
        """It was asked for anew: another may be for that, the next time."""

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        """One for each, in the same wait."""

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep it until its time is over. Never waits."""

    async def clear(self, which: Which) -> int:
        """Take these out; gives how many there were."""

    async def heard(self, which: Which) -> None:
        """Another process has taken these out of what is shared: what this one has of them by itself goes, too."""


class Vaults(Protocol):
    """Where it is kept what stands for what in sessions: pieces, to which one is added at a time. What is named ends
    some time after it was used last."""

    async def read(self, name: bytes) -> Sequence[Piece]:
        """Its pieces, in order; none where there is no such. Raises VaultAway."""

    async def add(self, name: bytes, after: bytes, piece: Piece) -> bool:
        """Whether it was: not, where the last one there does not have the mark `after` (b"": where there is one).

        Raises VaultAway."""

    def late(self, why: str) -> None:
        """Somebody has waited for it in vain."""

    async def clear(self, which: Which) -> int:
        """Take these out; gives how many there were. Raises OSError."""


class VaultAway(Exception):
    """Nothing can be kept of a session, or found; the message says why, without what is in it."""


class SessionFull(VaultAway):
    """It holds as much as it may."""


class Embedder(Protocol):
    """Makes vectors of texts: the nearer to each other, the more alike what they say."""

    name: str
    """Vectors of embedders of different names are never compared."""
    threshold: float
    """The cosine from which on two texts are taken for alike, where nobody has said another."""

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """For each text a vector of the length 1: its numbers as 32-bit floats, little-endian, as many for every text.

        Raises GatewayError.
        """


class Near(NamedTuple):
    """An answer that is kept, and how like its question is: 1 is the same."""

    key: bytes
    similarity: float


class Index(Protocol):
    """Where answers are found by what their questions are like. None of it ever fails: what is away has nothing."""

    async def nearest(self, context: bytes, vector: bytes) -> tuple[float, Sequence[Near]]:
        """How like a question has to be at least in this context, since answers there were reported to be wrong (0: as
        it is configured), and a few that are kept there, best first. Within a bounded wait."""

    def add(self, context: bytes, key: bytes, vector: bytes, until: float) -> None:
        """`vector` as an Embedder gives it; of no use any more after `until`, Unix seconds. Never waits."""

    def has(self, key: bytes) -> bool:
        """Whether it is known here that it is there. Never waits."""

    def drop(self, key: bytes) -> None:
        """The answer is not there any more. Never waits."""

    async def learn(self, raised: Raised) -> None:
        """From here on a question has to be as like as that there. Raises OSError."""

    async def raised(self) -> Sequence[Raised]:
        """The latest of each context, the latest first. Raises OSError."""

    async def forget(self) -> None:
        """It is as it is configured again, everywhere. Raises OSError."""


class Meter(Protocol):
    """What counts finished requests, for metrics."""

    def count(self, record: Record) -> None: ...


class Fact(NamedTuple):
    """What a process has found out, and others are to go by.

    Clocks of machines differ, so only durations are told: `age`, the seconds since it was found out, and `left`, those
    for which it holds.
    """

    name: str
    age: float
    left: float
    told: bytes


class Order(NamedTuple):
    """About the right to send a target's probe, which one process has at a time, for a few seconds.

    `hold`: have it, or go on having it, if nobody else does. `want`: the same, and let the holder know. `give`: to
    another process. `drop`: it is over.
    """

    verb: Literal["hold", "want", "give", "drop"]
    target: str
    to: str = ""


class Heard(NamedTuple):
    """What an exchange with the others brought."""

    facts: Sequence[Fact]
    """What has been found out since the last one; where two are about the same, the later counts."""
    holders: Sequence[str]
    """For each order: "" where the right is not ours; who wants it where somebody does; else our own id."""
    whole: bool
    """`facts` is all there is: what we have been told before and is not among it has been lost."""


class State(Protocol):
    """Where processes tell each other what they have found out."""

    me: str
    """This process's id."""

    async def exchange(self, facts: Sequence[Fact], orders: Sequence[Order]) -> Heard:
        """Tell and hear. Raises StateAway; takes a second at most."""

    def close(self) -> None: ...


class StateAway(Exception):
    """The shared state cannot be asked; the message says why, without a secret."""
