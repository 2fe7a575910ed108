"""Read the client's body and the few fields every stage needs of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Container
from pathlib import Path
from typing import Any, cast

from headgate.core.cached import said
from headgate.core.dialect import UrlDialect
from headgate.core.effort import parted
from headgate.core.errors import InternalError, InvalidRequest, UnsupportedMedia
from headgate.core.exchange import Exchange
from headgate.core.form import Form
from headgate.core.ports import Incoming
from headgate.core.repeats import LARGEST, Known, Repeats
from headgate.core.reply import Reply
from headgate.core.request import PASSED
from headgate.dialects.dialect import decode, patch
from headgate.dialects.multipart import Parser, boundary_of
from headgate.stages.receive.spool import Spool
from headgate.stages.stage import Proceed

JSON = b"application/json"
LONGEST_MODEL = 2048
"""Characters; names of models are kept, by the router and in metrics."""
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


class Receive:
    """After this stage `body` or `form`, `fields`, `model` and `stream` are there; of a body that is passed on unread
    only `passing`, from which it can be read."""

    def __init__(self, folder: Path | None = None, names: Container[str] = (), repeats: Repeats | None = None) -> None:
        """`folder`: where forms are kept that are too large for memory. `names`: those that may be asked for.
        `repeats`: what need not be read again, where answers are kept."""
        self.folder = folder
        self.names = names
        self.repeats = repeats

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append(("receive", time.perf_counter()))
        takes = exchange.dialect.takes
        if takes == "raw":
            self._leave(exchange)
        elif takes == "form":
            self._settle(exchange, await self._form(exchange))
        else:
            if exchange.named.get(b"content-type") != JSON or len(exchange.named) != len(exchange.headers):
                for name, value in exchange.headers:
                    if name == b"content-type" and value != JSON:
                        _check(value)
            exchange.body = await exchange.receive()
            exchange.record.bytes_in = len(exchange.body)
            repeats = self.repeats if exchange.place is None and len(exchange.body) <= LARGEST else None
            if repeats is None or not self._again(exchange, repeats):
                self._read(exchange)
                if repeats is not None and exchange.wishes is None:
                    exchange.known = _known(exchange)
        return await proceed(exchange)

    def _again(self, exchange: Exchange, repeats: Repeats) -> bool:
        """Whether the same caller has asked this before, and it is known what it says."""
        known = repeats.find(exchange.caller, exchange.dialect, exchange.body)
        if known is None:
            return False
        exchange.known, exchange.body, exchange.fields = known, known.body, known.fields
        exchange.model, exchange.effort, exchange.stream = known.model, known.effort, known.stream
        return True

    def _read(self, exchange: Exchange) -> None:
        """A body in JSON."""
        fields = decode(exchange.body)
        if "cache" in fields:
            _take_wishes(exchange, fields)
        self._settle(exchange, fields)

    def _settle(self, exchange: Exchange, fields: dict[str, Any]) -> None:
        """With what the URL says beside. Raises InvalidRequest."""
        dialect, place = exchange.dialect, exchange.place
        if place is not None:
            fields.update(cast(UrlDialect, dialect).read_url(place.template, place.model, place.asked()))
        exchange.fields = fields
        self._name(exchange, fields)
        stream = fields.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest("`stream` must be true or false", param="stream")
        if stream and not dialect.stream_types:
            raise InvalidRequest("replies of this API are not streamed; leave `stream` out", param="stream")
        asked = getattr(dialect, "stream_default", False) if stream is None else stream
        exchange.stream = asked or dialect.operation in PASSED

    def _name(self, exchange: Exchange, fields: dict[str, Any]) -> None:
        """Take the model's name, and the effort from behind it before anything goes by the name."""
        model = fields.get("model") or getattr(exchange.dialect, "model_default", None)
        if not isinstance(model, str) or not model:
            raise InvalidRequest("`model` is missing; name one of those that GET /v1/models lists", param="model")
        if len(model) > LONGEST_MODEL:
            raise InvalidRequest(f"`model` is longer than {LONGEST_MODEL} characters; no model is", param="model")
        exchange.model = model
        if model not in self.names and exchange.dialect.operation == "chat":
            exchange.model, exchange.effort = parted(model)

    async def _form(self, exchange: Exchange) -> dict[str, Any]:
        """A multipart body, kept so that it can be sent on, and more than once."""
        content_type = next((value for name, value in exchange.headers if name == b"content-type"), b"")
        boundary = boundary_of(content_type)
        if boundary is None:
            raise UnsupportedMedia("this path takes a form with files; send it as multipart/form-data")
        assert exchange.incoming is not None
        spool = Spool(self.folder)
        exchange.ending.callback(spool.close)
        parser = Parser(boundary)
        try:
            async for piece in exchange.incoming.pieces(decoded=True):
                exchange.record.bytes_in += len(piece)
                parser.feed(piece)
                spool.write(piece)
        except OSError as error:
            raise InternalError(f"the body could not be kept: {error.strerror}") from error
        form = exchange.form = Form(spool, parser.end(), parser.close, boundary, content_type)
        fields = form.fields()
        stream = fields.get("stream")
        if isinstance(stream, str):
            fields["stream"] = _FLAGS.get(stream.lower(), stream)
        return fields

    def _leave(self, exchange: Exchange) -> None:
        """The body stays unread until the provider takes it."""
        assert exchange.place is not None
        assert exchange.incoming is not None
        exchange.model = exchange.place.model
        exchange.stream = True
        exchange.passing = Passing(exchange.incoming, exchange)


def _known(exchange: Exchange) -> Known:
    return Known(
        exchange.caller,
        exchange.dialect,
        exchange.body,
        exchange.fields,
        exchange.model,
        exchange.effort,
        exchange.stream,
    )


def _take_wishes(exchange: Exchange, fields: dict[str, Any]) -> None:
    """What a body says of answers that are kept is for no provider."""
    exchange.wishes = said(fields["cache"])
    if exchange.wishes is not None:
        exchange.body = patch(exchange.body, {"cache": None}, fields)
        del fields["cache"]


class Passing:
    """Implements core.body.Body: a client's body on its way, of which nothing is kept."""

    content_type = None
    path = None

    def __init__(self, incoming: Incoming, exchange: Exchange) -> None:
        self._incoming = incoming
        self._record = exchange.record
        self._heard = exchange.heard
        self.again = True

    @property
    def length(self) -> int | None:
        return self._incoming.length

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        self.again = False
        async for piece in self._incoming.pieces(decoded=False):
            self._record.bytes_in += len(piece)
            if self._heard is not None:
                self._heard.said(piece)
            yield piece


def _check(value: bytes) -> None:
    kind, _, rest = value.lower().partition(b";")
    kind = kind.strip()
    if kind != JSON and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise UnsupportedMedia(
            "the content type must be application/json; add the header content-type: application/json"
        )
    if b"charset" in rest and b"utf-8" not in rest and b"utf8" not in rest:
        raise UnsupportedMedia("JSON is read as UTF-8; send it so, with content-type: application/json")
