"""The contract of a dialect: how one API speaks, bytes and the core's types in both directions, no I/O.

A dialect is a module of `headgate.dialects` (or anything importable) with these names at its top level. A package that
holds more than one (an API's token counting beside its chat) names the others in a tuple `more`. One whose requests
want a stream where they say nothing of it (Ollama's) has `stream_default = True`; one
whose requests may leave the model out (OpenAI's moderations) has `model_default`, the vendor's own choice; one whose
vendor keeps prompts only where they are marked has `markable(model)`, which says where a mark may stand
(`core.marking.Markable`); one whose streams are not of one framing has `break_off(error, request_id, request, begun)`,
what a stream that failed ends with in the one that the client asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.errors import GatewayError, ProviderRefused
from headgate.core.events import Event
from headgate.core.request import Operation, Request
from headgate.core.usage import Usage


class Reader(Protocol):
    """Bytes of a reply → events. One instance reads one reply."""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, split anywhere; give the events they complete."""

    def end(self) -> list[Event]:
        """The bytes are over. Ends in Stop("cut") when the reply had not come to its end.

        Raises ProviderNonsense when a whole reply is not what the API promises.
        """


class Writer(Protocol):
    """Events → bytes of a reply in this dialect. One instance writes one reply.

    Streamed: every call gives the frames of its events. Whole: everything is held and given by `end`.
    """

    def feed(self, events: Sequence[Event]) -> bytes: ...

    def end(self) -> bytes: ...


class Relay(Protocol):
    """The reply's own bytes, passed on in the same dialect, with only what the record needs read from them.

    `feed` takes any split and gives back whole frames only (a frame cut by the end of the reply is never passed on),
    leaving out what the gateway asked for and the client did not. The attributes fill in as the bytes pass.
    A whole reply is fed in one piece; `feed` raises ProviderNonsense when it is not a reply of this API.
    """

    usage: Usage | None
    started: bool
    """Something of the answer itself (text, thinking, a tool call) has passed: the time to first token."""
    complete: bool
    """The reply came to its end as the API promises it."""
    finish: str | None
    """The vendor's own word for why it stopped, of the first choice."""
    id: str | None
    """The vendor's id of the reply."""
    failed: GatewayError | None
    """An error event inside the stream."""

    def feed(self, data: bytes) -> bytes:
        """The whole frames these bytes complete, as they came. After the reply's end everything is dropped."""

    def end(self) -> bytes:
        """The body is over, and its HTTP framing was sound. Gives what the reply still owes its client.

        Sets `complete` where the reply had come to its end without the vendor's last marker (some leave it out).
        """


class Account:
    """What is known of a reply before anything of it has come: the attributes of a Relay."""

    __slots__ = ("complete", "failed", "finish", "id", "started", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.started = False
        self.complete = False
        self.finish: str | None = None
        self.id: str | None = None
        self.failed: GatewayError | None = None


class Dialect(Protocol):
    """How an API speaks."""

    @property
    def name(self) -> str:
        """The module's name: openai_chat."""

    @property
    def operation(self) -> Operation:
        """What is asked for; a request crosses only into dialects of the same operation."""

    @property
    def paths(self) -> Sequence[str]:
        """Where a client reaches it: ["/v1/chat/completions"].

        Those of a dialect that is `in_url` hold `{model}`, which also stands for names with slashes, and may hold other
        placeholders, each for one segment.
        """

    @property
    def upstream_path(self) -> str:
        """What is added to a provider's `base_url` (which means what the vendor's own SDK means by it); with `{model}`
        in it where the dialect is `in_url`, and then only for people to read: see UrlDialect.write_url."""

    @property
    def in_url(self) -> bool:
        """The model, and whether to stream, stand in the URL and not in the body: it is a UrlDialect."""

    @property
    def takes(self) -> Literal["json", "form", "raw"]:
        """How a body is read: decoded; as multipart, its text fields being the fields; or not at all, passed on."""

    @property
    def stream_types(self) -> tuple[bytes, ...]:
        """How the content type of a provider's stream may begin, in lower case."""

    def content_type(self, stream: bool, fields: Mapping[str, Any]) -> bytes:
        """The content type of a reply in this dialect; `fields` are the client's."""

    @property
    def request_headers(self) -> frozenset[bytes]:
        """Lower-case names of the client's headers that go on to a provider of this dialect."""

    @property
    def reply_headers(self) -> frozenset[bytes]:
        """Lower-case names of the provider's headers that go on to a client of this dialect."""

    def read_request(self, fields: Mapping[str, Any]) -> Request:
        """The decoded body, and what the URL says → the operation's own kind of request.

        Raises InvalidRequest with `param` naming the field.
        """

    def write_request(self, request: Any, lost: list[Loss]) -> bytes | Body:
        """The request in this dialect: JSON, or a body that says what it is and perhaps where it goes.

        What it cannot carry is appended to `lost`.

        Raises Unsupported, with `param` naming the field, where leaving something out would change the meaning.
        """

    def foreign(self, body: bytes) -> bool:
        """The request holds pieces this gateway made up for a reply of another dialect, which the vendor would refuse:
        write it anew instead of forwarding its bytes.

        `body` is the client's own; asked for every request that could be forwarded, so it is one search and no parsing.
        """

    def wanted(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Fields the gateway wants set in a same-dialect request so that it can keep its accounts ({} mostly)."""

    def reader(self, stream: bool) -> Reader: ...

    def writer(self, stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
        """`request` is the client's own decoded body: what it asked for shapes the reply (include_usage)."""

    def relay(self, stream: bool, request: Mapping[str, Any]) -> Relay:
        """`request` is the client's own decoded body."""

    def read_error(self, status: int, body: bytes) -> ProviderRefused:
        """A provider's error reply. Reads any body, also HTML or none; never raises."""

    def write_error(self, error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
        """The error as this API says it: a JSON body, or, when `streaming`, the frame for the middle of a stream;
        b"" where a stream of this API cannot say it, which then breaks off."""


class UrlDialect(Dialect, Protocol):
    """A dialect that names the model, and whether to stream, in the URL."""

    def read_url(self, template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
        """What a URL says, as fields: `model`, `stream` and what else the dialect needs to know of it.

        `template` is the one of `paths` that fits, `model` what stands in it, decoded. They are put among the fields of
        the body wherever those are read, and never into the body. Raises InvalidRequest.
        """

    def write_url(self, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        """What is added to a provider's `base_url`, percent-encoded, with a query where there is one.

        `fields` are the client's own where it speaks this dialect, else {}.
        """
