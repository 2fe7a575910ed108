"""One request's life: each stage fills in what it finds out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from headgate.core.body import Body
from headgate.core.caller import Caller
from headgate.core.chat import Loss
from headgate.core.decision import Decision
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError, too_deep
from headgate.core.estimate import prompt_tokens
from headgate.core.form import Form
from headgate.core.guard import Gatekeeper
from headgate.core.kept import Heard
from headgate.core.labels import HEADERS, NOTHING, SAID, Labels, Priority, read
from headgate.core.memo import Memo
from headgate.core.needs import NONE, Law, Needs
from headgate.core.ports import Incoming
from headgate.core.record import Attempt, Record
from headgate.core.repeats import Known
from headgate.core.target import PLAIN, Manner, Provider, Target
from headgate.core.trace import Tracing
from headgate.core.usage import Usage
from headgate.core.vault import Vault

if TYPE_CHECKING:
    from headgate.core.reply import Reply


class Place(NamedTuple):
    """A URL that says which model is asked: the dialect's own path that fits, what stands for the model, the query."""

    template: str
    model: str
    query: bytes
    rest: bytes = b""
    """What is forwarded of a path, as it came."""

    def asked(self) -> dict[str, str]:
        """The query's fields; of one that stands twice the first."""
        return {key: values[0] for key, values in parse_qs(self.query.decode("latin-1")).items()}


class Ceiling(NamedTuple):
    """Tokens of answer that a model gives at most, where `field` of the client's request asks for more."""

    tokens: int
    field: str


class Ending:
    """What waits for the end of an exchange, unwound last in, first out (contextlib's AsyncExitStack at a tenth of its
    cost: it stands on every request's way)."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[tuple[Callable[..., Awaitable[None] | None], tuple[Any, ...]]] = []

    def callback(self, call: Callable[..., Awaitable[None] | None], *args: Any) -> None:
        """`call(*args)` at the end; awaited if it gives something to await."""
        self._calls.append((call, args))

    def take(self, other: Ending) -> None:
        """What waits there waits here."""
        self._calls += other._calls
        other._calls = []

    async def aclose(self) -> None:
        """Run what waits; a second call does nothing. All are run also when one raises a GatewayError: the last such
        error is raised then."""
        failure: GatewayError | None = None
        while self._calls:
            call, args = self._calls.pop()
            try:
                waiting = call(*args)
                if waiting is not None:
                    await waiting
            except GatewayError as error:
                failure = error
        if failure is not None:
            raise failure


class Exchange(msgspec.Struct, eq=False):
    """What is known of one request. The comment says which stage fills a field in."""

    id: str
    dialect: Dialect
    path: str
    headers: Sequence[tuple[bytes, bytes]]
    receive: Callable[[], Awaitable[bytes]]
    """Reads the client's body (within limits, decompressed); called once, by `receive`."""
    clock: float
    """`time.perf_counter()` at arrival."""
    record: Record
    place: Place | None = None
    """The parts of the URL, where the dialect is `in_url` or forwards what it does not read."""
    incoming: Incoming | None = None
    """The client's body piece by piece, instead of `receive`; read once, by `receive` or on its way to a provider."""
    method: str = "POST"
    proxied: bool = False
    """It came by a proxy that is trusted."""
    memo: Memo | None = None
    """Of the headers as they came, where later requests may have the very same."""
    trace: Tracing | None = None  # trace, where there are traces
    caller: Caller | None = None  # authenticate
    body: bytes = b""  # receive
    form: Form | None = None  # receive: the body, where it is a form
    passing: Body | None = None  # receive: the body, where it is passed on unread
    fields: dict[str, Any] = {}  # receive: the decoded body, and what the URL says; read only
    model: str = ""  # receive: without an effort
    stream: bool = False  # receive: the client wants a stream
    wishes: Mapping[str, Any] | None = None  # receive: what the body says of answers that are kept
    known: Known | None = None  # receive: what is remembered of the body, where answers are kept
    targets: Sequence[Target] = ()  # route: in the order to try them
    decision: Decision = msgspec.field(default_factory=Decision)  # route and its filters, policies and rules
    effort: str | None = None  # receive: of reasoning, as the model's name asks for it
    ceilings: Mapping[Target, Ceiling] | None = None  # route: of targets that write less than asked for
    manner: Manner = PLAIN  # route
    imposed: Needs = NONE
    """Of a question of the gateway's own: what another request needs that it is about."""
    law: Law | None = None  # abide, where there are clauses
    dry: bool = False  # explain: nobody will be asked
    until: float = inf  # retry: when an answer must have begun, time.monotonic() seconds
    target: Target | None = None  # retry
    host: Provider | None = None  # retry: the target's provider with the key to use
    spoken: Dialect | None = None  # translate: the dialect `outgoing` is in
    outgoing: bytes | Body | None = b""  # translate
    streamed: bool = False  # translate: the provider is asked for a stream
    lost: list[Loss] = []  # translate
    reckoned: Usage | None = None  # translate: what is known of the cost without the provider
    attempts: list[Attempt] = []  # retry
    reply: Reply | None = None  # record
    nobody: GatewayError | None = None  # route: why none of the targets can be asked, where an answer may be kept
    private: bool = False
    """What was made of it is for its caller alone: no answer to it is kept, or shared."""
    refreshing: bool = False  # cache: nobody waits, as there is an answer, which is stale
    heard: Heard | None = None  # keep: what the client is given is to be told to it
    gatekeeper: Gatekeeper | None = None  # guard: what the client is given is to go through it
    vault: Vault | None = None  # guard: what is hidden from providers, where anything may be
    restorer: Gatekeeper | None = None  # guard: what puts it back, once all else has been done and kept
    announced: list[tuple[bytes, bytes]] = []
    """Headers that the client is told whatever becomes of it."""  # limit
    charged: int | None = None
    """What all answers cost of those who have prices, nanodollars; None where that is not known."""
    billed: bool = False
    """Use and cost stand in the record."""
    abandoned: bool = False
    """Of a fork: nobody waits for it any more."""
    edited: bool = False
    """A stage changed `request`: it is written anew, no bytes of `body` are forwarded."""
    ending: Ending = msgspec.field(default_factory=Ending)
    """Unwound when the reply is over, before its last byte leaves, however it ended."""
    _request: Any = None
    _labels: Labels | None = None
    _tokens: int | None = None
    named: dict[bytes, bytes] = {}
    """The headers that came by their names, the last of each, to see quickly what is not among them."""

    def __post_init__(self) -> None:
        if not self.named:
            self.named = dict(self.headers)

    @property
    def labels(self) -> Labels:
        """What the caller says beside the request; read on first use, which is after `receive`."""
        if self._labels is None:
            plain = HEADERS.isdisjoint(self.named) and SAID.isdisjoint(self.fields)
            self._labels = NOTHING if plain else read(self.headers, self.fields)
        return self._labels

    @property
    def requires(self) -> frozenset[str]:
        """What must be so of whoever is given this request: `Target.traits`."""
        said, caller, imposed = self.labels.requires, self.caller, self.imposed.traits
        own = caller.requires | imposed if caller is not None else imposed
        return own | said if said else own

    @property
    def bound(self) -> bool:
        """Whether anything must be so of whoever is given this request (`needs.any`)."""
        return self.law is not None or self.imposed.law is not None or bool(self.requires)

    @property
    def needs(self) -> Needs:
        """The same, what clauses say, and what it is."""
        return Needs(self.requires, self.law or self.imposed.law, self.imposed.about or self)

    @property
    def tags(self) -> Sequence[str]:
        """Those of its key and of whose it is, then its own."""
        said, caller = self.labels.tags, self.caller
        return tuple(dict.fromkeys((*caller.tags, *said))) if caller is not None and caller.tags else said

    @property
    def asked(self) -> str:
        """The model as it was named, with the effort."""
        return self.model if self.effort is None else f"{self.model}:{self.effort}"

    @property
    def end_user(self) -> str:
        """For whom the caller asks, as the request says it; "" where it does not."""
        return self.labels.user

    @property
    def priority(self) -> Priority:
        return self.labels.priority

    def fork(self, targets: Sequence[Target], request: Any = None) -> Exchange:
        """The same request to be sent once more, to these targets, beside or after this one; `request` is what is asked
        instead. It shares the record and the decision, and has attempts and an ending of its own."""
        other = copy(self)
        other.targets, other.attempts, other.ending, other.lost = targets, [], Ending(), []
        other.billed, other.charged = False, None
        if request is not None:
            other._request, other.edited = request, True
        return other

    def adopt(self, fork: Exchange) -> None:
        """What became of a fork is what becomes of this request: it is answered by that, or failed like it."""
        self.target, self.host, self.spoken, self.outgoing = fork.target, fork.host, fork.spoken, fork.outgoing
        self.streamed, self.lost, self.reckoned = fork.streamed, fork.lost, fork.reckoned
        self.attempts += fork.attempts
        self.ending.take(fork.ending)

    @property
    def tokens(self) -> int:
        """About how many it has."""
        if self._tokens is None:
            self._tokens = prompt_tokens(self.body)
        return self._tokens

    def add_tokens(self, more: int) -> None:
        """Of what a stage puts in."""
        self._tokens = self.tokens + more

    def begin_by(self, now: float) -> float:
        """When an answer must have begun; set by whoever asks first."""
        if self.until == inf and self.manner.deadline != inf:
            self.until = now + self.manner.deadline
        return self.until

    @property
    def spent(self) -> bool:
        """What was sent cannot be sent again."""
        return self.passing is not None and not self.passing.again

    @property
    def request(self) -> Any:
        """The typed reading, made on first use: a `core.request.Request` of the operation's kind, a ChatRequest for
        "chat"."""
        if self._request is None:
            try:
                self._request = self.dialect.read_request(self.fields)
            except RecursionError:
                raise too_deep() from None
        return self._request
