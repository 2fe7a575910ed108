"""Say the request in the target's dialect: as the client's own bytes where that is possible, anew where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from headgate.core.body import Body, Said
from headgate.core.chat import ChatRequest, Loss, Reasoning, instructed
from headgate.core.dialect import Dialect
from headgate.core.errors import too_deep
from headgate.core.exchange import Exchange
from headgate.core.form import File, Form, Written
from headgate.core.form import said as written
from headgate.core.marking import LEAST, Markable, marked
from headgate.core.reply import Reply
from headgate.core.target import Shape, Target
from headgate.dialects.dialect import crossed, decode, patch
from headgate.dialects.framing import JSON
from headgate.stages.stage import Proceed

OWN = (b'"cache_control"', b'"cachePoint"')
"""How clients mark what is to be kept of a prompt."""


class Translate:
    """Sets `spoken`, `outgoing` and `lost`, and waits until the reply has begun."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target = exchange.target
        assert target is not None
        provider, stream = target.provider, exchange.stream
        spoken = exchange.spoken = provider.dialect_for(exchange.dialect, target.model)
        how = provider.streams(spoken, target.model)
        exchange.streamed = stream if how == "both" or spoken.operation != "chat" else how == "always"
        exchange.streamed = exchange.streamed and bool(spoken.stream_types)
        exchange.lost = []
        if exchange.dialect.takes == "raw":
            exchange.outgoing = exchange.passing
            return await proceed(exchange)
        alike = spoken is exchange.dialect and exchange.streamed is stream
        shaped = (target.shape is not None or exchange.effort is not None) and _reshaped(exchange, target)
        markable = _markable(exchange, target, spoken) if exchange.manner.marks is not None else None
        patched = alike and not exchange.edited and not (shaped or markable) and not spoken.foreign(exchange.body)
        try:
            outgoing = self._patched(exchange, target) if patched else self._written(exchange, target, spoken, markable)
        except RecursionError:
            raise too_deep() from None
        exchange.outgoing = outgoing
        reply = await proceed(exchange)
        reply.id, reply.model, reply.time = exchange.id, target.model, int(exchange.record.time)
        await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
        return reply

    def _patched(self, exchange: Exchange, target: Target) -> bytes | Form:
        changes = self._changes(exchange.fields, target, exchange.dialect)
        if exchange.model != target.model and not exchange.dialect.in_url:
            changes.setdefault("model", target.model)
        if exchange.form is not None:
            return exchange.form.patched(changes)
        return patch(exchange.body, changes, exchange.fields) if changes else exchange.body

    def _written(self, exchange: Exchange, target: Target, spoken: Dialect, markable: Markable | None) -> bytes | Body:
        request = msgspec.structs.replace(exchange.request, model=target.model, stream=exchange.streamed)
        if isinstance(request, ChatRequest):
            _reshape(request, exchange.effort, target.shape)
            ceiling = exchange.ceilings.get(target) if exchange.ceilings else None
            if ceiling is not None:
                request.max_tokens = ceiling.tokens
                exchange.lost.append(Loss(ceiling.field, f"said as {ceiling.tokens}: {target.name} writes no more"))
            if markable is not None and exchange.manner.marks is not None:
                request = marked(request, markable, exchange.manner.marks)
        exchange.reckoned = request.reckoned()
        outgoing = crossed(spoken, request, exchange.lost)
        if exchange.streamed or target.provider.adjusts or target.shape is not None:
            return self._shaped(outgoing, target, spoken)
        return outgoing

    def _shaped(self, said: bytes | Body, target: Target, spoken: Dialect) -> bytes | Body:
        """With what the host wants otherwise, in JSON, in a form, or, of a file alone, in the query."""
        if isinstance(said, bytes):
            fields = decode(said)
            return patch(said, self._changes(fields, target, spoken), fields)
        if isinstance(said, Said) and said.content_type == JSON:
            fields = decode(said.data)
            return said.saying(patch(said.data, self._changes(fields, target, spoken), fields))
        if isinstance(said, Written):
            return said.patched(self._changes(said.fields(), target, spoken))
        if isinstance(said, File) and said.path is not None:
            place, _, query = said.path.partition("?")
            fields = _queried(query)
            return said.at(f"{place}?{_query({**fields, **self._changes(fields, target, spoken)})}")
        return said

    def _changes(self, fields: dict[str, Any], target: Target, spoken: Dialect) -> dict[str, Any]:
        """What the host wants otherwise than it was said, and what the gateway asks for itself."""
        provider = target.provider
        changes = {**provider.adjust(fields, spoken, target.model)} if provider.adjusts else {}
        if provider.asks_for_usage:
            changes.update(spoken.wanted(fields))
        if target.shape is not None:
            changes.update(target.shape.changes({**fields, **changes}))
        return changes


def _queried(query: str) -> dict[str, Any]:
    """What a query says by name; lists of what stands more than once."""
    listed: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        listed.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in listed.items()}


def _query(fields: Mapping[str, Any]) -> str:
    """Without those that are taken out (None)."""
    pairs = ((name, value if isinstance(value, list) else [value]) for name, value in fields.items())
    return urlencode([(name, written(each)) for name, values in pairs for each in values if each is not None])


def _reshaped(exchange: Exchange, target: Target) -> bool:
    """Whether the request is to be written anew for what the gateway says otherwise than the client."""
    shape = target.shape
    return exchange.dialect.operation == "chat" and bool(
        exchange.effort or (shape is not None and (shape.system or shape.effort))
    )


def _markable(exchange: Exchange, target: Target, spoken: Dialect) -> Markable | None:
    """Where a long prompt is to be marked; None: nowhere, as its vendor knows no marks, or the client sets its own."""
    may = getattr(spoken, "markable", None)
    if may is None or exchange.tokens < LEAST or any(word in exchange.body for word in OWN):
        return None
    found: Markable = may(target.model)
    return found if found.places else None


def _reshape(request: ChatRequest, effort: str | None, shape: Shape | None) -> None:
    """Put the system prompt and the effort of the target or the model's name into a request that is ours to change."""
    if shape is not None and shape.system:
        request.messages = instructed(request.messages, shape.system)
    if effort is None and request.reasoning is None and shape is not None:
        effort = shape.effort
    if effort is not None:
        display = request.reasoning.display if request.reasoning is not None else None
        request.reasoning = Reasoning(effort=effort, display=display, imposed=True)
