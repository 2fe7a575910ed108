"""Have what was said kept, as far as all want who have a say: the key, whose it is, the name, the data, the caller."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple

import msgspec

from headgate.core import kept
from headgate.core.body import Said
from headgate.core.exchange import Exchange
from headgate.core.form import PIECE, File
from headgate.core.kept import Classes, Head, Heard, strictest
from headgate.core.ports import Payloads
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

HEADER = b"x-headgate-log"
LEVELS: Mapping[bytes, kept.Keep] = {b"full": "full", b"redacted": "redacted"}
"""What a request may say; anything else is `off`."""
_encode = msgspec.json.Encoder().encode


class Say(NamedTuple):
    """What the configuration says, beside what stands with keys and whose they are."""

    usual: kept.Keep
    """Where nobody says anything."""
    names: Mapping[str, kept.Keep]
    """Of names that clients ask for."""
    classes: Mapping[str, kept.Keep]
    """Of classes of data."""
    media: bool
    """Keep pictures, sounds and files, where all is kept."""


class Keep:
    """Once it is known who asks. What was said is handed over before the client has the last byte of the answer."""

    def __init__(self, payloads: Payloads, say: Say, classes: Classes) -> None:
        self.payloads = payloads
        self.say = say
        self.classes = classes
        self._silent = say.usual == "off" and not say.names and not say.classes

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        caller = exchange.caller
        own = caller.keep if caller is not None else None
        if own == "off" or (own is None and self._silent):
            return await proceed(exchange)
        exchange.heard = Heard(self.payloads.most)
        try:
            return await proceed(exchange)
        finally:  # behind whatever is pushed meanwhile, hence before a form is gone
            exchange.ending.callback(self._keep, exchange, exchange.heard)

    def level(self, exchange: Exchange) -> kept.Keep:
        """How much is kept. What only the request says makes it less, never more."""
        caller, say = exchange.caller, self.say
        own = self.classes.own(exchange)
        decided = strictest(
            caller.keep if caller is not None else None,
            say.names.get(exchange.model),
            say.names.get(exchange.decision.alias or ""),
            say.classes.get(own) if own is not None else None,
        )
        asked = [LEVELS.get(value.strip().lower(), "off") for name, value in exchange.headers if name == HEADER]
        said_class = say.classes.get(exchange.labels.data_class) if say.classes and own is None else None
        return strictest(decided or say.usual, said_class, *asked) or "off"

    def _keep(self, exchange: Exchange, heard: Heard) -> Awaitable[None] | None:
        level = self.level(exchange)
        if level == "off":
            return None
        if exchange.form is not None:
            return self._keep_form(exchange, heard, level)
        self._put(exchange, heard, level, exchange.body or b"".join(heard.asked))
        return None

    async def _keep_form(self, exchange: Exchange, heard: Heard, level: kept.Keep) -> None:
        """Its files are read to be described, which may take a while."""
        whole = level == "full" and self.say.media
        request = await asyncio.to_thread(_told, exchange.fields, whole, self.payloads.most)
        self._put(exchange, heard, level, request)

    def _put(self, exchange: Exchange, heard: Heard, level: kept.Keep, request: bytes) -> None:
        record, caller, most = exchange.record, exchange.caller, self.payloads.most
        sent, cut = _sent(exchange), heard.cut
        if len(request) > most:
            request = request[:most]
            cut.append("request")
        if len(sent) > most:
            sent = sent[:most]
            cut.append("sent")
        spoken = exchange.spoken
        head = Head(
            exchange.id,
            record.time,
            caller.belongs.team if caller is not None else None,
            self.classes.of(exchange),
            level,
            self.say.media,
            exchange.dialect.name,
            spoken.name if spoken is not None else "",
            exchange.stream,
            tuple(cut),
        )
        taken = self.payloads.put(head, request, sent, heard.answer)
        record.payload = "dropped" if not taken else "full" if level == "full" else "redacted"


def _sent(exchange: Exchange) -> bytes:
    """What the provider was asked, where that is more than the client's own words with another model's name."""
    outgoing, target = exchange.outgoing, exchange.target
    if target is None or (
        exchange.spoken is exchange.dialect and not exchange.edited and not exchange.effort and target.shape is None
    ):
        return b""
    if isinstance(outgoing, bytes):
        return outgoing
    return outgoing.data if isinstance(outgoing, Said) else b""


def _told(fields: Mapping[str, Any], whole: bool, most: int) -> bytes:
    """A form in JSON, its files described."""
    return _encode({name: _field(value, whole, most) for name, value in fields.items()})


def _field(value: Any, whole: bool, most: int) -> Any:
    if isinstance(value, list):
        return [_field(each, whole, most) for each in value]
    if not isinstance(value, File):
        return value
    digest = hashlib.sha256()
    for start in range(0, value.length, PIECE):
        digest.update(value.part(start, start + PIECE))
    told = {"file": value.name, "type": value.media_type, "size": value.length, "sha256": digest.hexdigest()}
    if whole and value.length < most // 2:
        told["data"] = base64.b64encode(value.read()).decode()
    return told
