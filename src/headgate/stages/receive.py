"""Read the client's body and the few fields every stage needs of it."""

from __future__ import annotations

from typing import cast

from headgate.core.dialect import UrlDialect
from headgate.core.errors import InvalidRequest, UnsupportedMedia
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.dialects.dialect import decode
from headgate.stages.stage import Proceed

JSON = b"application/json"
LONGEST_MODEL = 2048
"""Characters; names of models are kept, by the router and in metrics."""


class Receive:
    """After this stage `body`, `fields`, `model` and `stream` are there."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        for name, value in exchange.headers:
            if name == b"content-type" and value != JSON:
                _check(value)
        exchange.body = await exchange.receive()
        exchange.record.bytes_in = len(exchange.body)
        fields = decode(exchange.body)
        place = exchange.place
        if place is not None:
            dialect = cast(UrlDialect, exchange.dialect)
            fields.update(dialect.read_url(place.template, place.model, place.asked()))
        exchange.fields = fields
        model = fields.get("model")
        if not isinstance(model, str) or not model:
            raise InvalidRequest("`model` is missing; name one of those that GET /v1/models lists", param="model")
        if len(model) > LONGEST_MODEL:
            raise InvalidRequest(f"`model` is longer than {LONGEST_MODEL} characters; no model is", param="model")
        exchange.model = model
        stream = fields.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest("`stream` must be true or false", param="stream")
        if stream and not exchange.dialect.stream_types:
            raise InvalidRequest("replies of this API are not streamed; leave `stream` out", param="stream")
        exchange.stream = getattr(exchange.dialect, "stream_default", False) if stream is None else stream
        return await proceed(exchange)


def _check(value: bytes) -> None:
    kind, _, rest = value.lower().partition(b";")
    kind = kind.strip()
    if kind != JSON and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise UnsupportedMedia(
            "the content type must be application/json; add the header content-type: application/json"
        )
    if b"charset" in rest and b"utf-8" not in rest and b"utf8" not in rest:
        raise UnsupportedMedia("JSON is read as UTF-8; send it so, with content-type: application/json")
