"""Operations whose reply is one JSON value: reader, writer and relay, made from two functions of a dialect.

Such a dialect also takes from here what is the same for all of them: `content_type`, `foreign`, `in_url`,
`stream_types`, `takes`, `wanted`.

`Read` takes a reply's bytes to a `Said`. With `deep` false it only has to make sure that they are a reply of this API
and find its usage and id: that is done for every reply which is passed on as it is. `Write` takes a `Said` to the
fields of a reply; the client's request tells it in which form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.core.events import Event, Failed, Native, Result, Start, Stop, Used
from headgate.core.usage import Usage
from headgate.dialects.framing import JSON

T = TypeVar("T")

ANOTHER = "a field of the provider's own API"
"""Why what only the provider's dialect knows of a reply is lost."""

in_url = False
takes: Literal["json"] = "json"
stream_types: tuple[bytes, ...] = ()

encode = msgspec.json.Encoder().encode


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return JSON


def foreign(body: bytes) -> bool:
    """Never: no reply goes back into a request."""
    return False


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: what is counted is in every reply."""
    return {}


class Said(msgspec.Struct, kw_only=True):
    """What a reply says. `value` is the operation's own type; `native` what only the dialect knows, by field."""

    value: Any = None
    usage: Usage | None = None
    id: str = ""
    model: str = ""
    created: int = 0
    native: dict[str, Any] = {}


class Read(Protocol):
    """Raises ProviderNonsense, or ProviderRefused for an error with status 200."""

    def __call__(self, body: bytes, deep: bool) -> Said: ...


class Write(Protocol):
    """Adds to `lost` what the reply cannot carry. `Said.native` is that of the dialect itself, and not its business."""

    def __call__(self, said: Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]: ...


class Reader:
    """A reply in one piece, split anywhere, as events."""

    __slots__ = ("_name", "_pieces", "_read")

    def __init__(self, name: str, read: Read) -> None:
        self._name = name
        self._read = read
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        self._pieces.append(data)
        return []

    def end(self) -> list[Event]:
        return events(self._name, self._read(b"".join(self._pieces), True))


def events(name: str, said: Said) -> list[Event]:
    """A reply as events, in the order every reply has."""
    found: list[Event] = [Start(id=said.id, model=said.model, created=said.created)]
    found += (Native(dialect=name, name=key, value=value) for key, value in said.native.items())
    found.append(Result(value=said.value))
    if said.usage is not None:
        found.append(Used(usage=said.usage))
    found.append(Stop(reason="stop"))
    return found


class Writer:
    """Events as a reply in one piece."""

    __slots__ = ("_complete", "_lost", "_name", "_request", "_said", "_write")

    def __init__(self, name: str, write: Write, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._name = name
        self._write = write
        self._request = request
        self._lost = lost
        self._said = Said()
        self._complete = False

    def feed(self, events: Sequence[Event]) -> bytes:
        said = self._said
        for event in events:
            match event:
                case Start():
                    said.id, said.model, said.created = event.id, event.model, event.created
                case Native() if event.dialect == self._name:
                    said.native = {**said.native, event.name: event.value}
                case Native():
                    self._lost.append(Loss(f"reply.{event.name}", ANOTHER))
                case Result():
                    said.value = event.value
                case Used():
                    said.usage = event.usage
                case Stop():
                    self._complete = event.reason != "cut"
                case Failed():
                    raise event.error
        return b""

    def end(self) -> bytes:
        """Raises ProviderNonsense where there was no answer."""
        if not self._complete or self._said.value is None:
            raise ProviderNonsense("the provider's reply holds no answer")
        fields = self._write(self._said, self._request, self._lost)
        return encode({**fields, **self._said.native})


class Relay(Account):
    """The reply's bytes as they are, once they are known to be one."""

    __slots__ = ("_read",)

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        said = self._read(data, False)
        self.usage, self.id = said.usage, said.id or None
        self.started = self.complete = True
        self.finish = "stop"
        return data

    def end(self) -> bytes:
        return b""


def decoded(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, what: str) -> T:
    """The reply, or a part of it. Raises ProviderNonsense: `what` says what it should have been."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise nonsense(bytes(memoryview(body)[:80]), what, str(error)) from None


def nonsense(body: bytes, what: str, why: str) -> ProviderNonsense:
    """The error for bytes that are not the reply that was asked for."""
    start = body[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"The provider's reply is not {what} ({why}); it begins with {start!r}.")


def set_fields(fields: dict[str, Any], **values: Any) -> dict[str, Any]:
    """`fields` with those of `values` that are there."""
    fields.update((key, value) for key, value in values.items() if value is not None)
    return fields


def first_byte(raw: msgspec.Raw) -> bytes:
    """Tells what kind of value stands there; b"" for none."""
    return bytes(memoryview(raw)[:1])


def count(value: Any) -> int:
    """A number as a vendor gives it; 0 for what is none."""
    return int(value) if type(value) in (int, float) and 0 < value < float("inf") else 0


def text(value: Any) -> str:
    """A text as a vendor gives it; "" for what is none."""
    return value if type(value) is str else ""
