"""Calls of tools on a reply's last step: each looked at whole, with what the request says of its tool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from headgate.core.dialect import Reader
from headgate.core.errors import GatewayError, GuardUnavailable, InvalidRequest
from headgate.core.events import Event, ToolCall, ToolInput
from headgate.core.exchange import Exchange
from headgate.core.guard import Passage, Quoting
from headgate.core.reply import Reply
from headgate.stages.guard.changing import edited
from headgate.stages.guard.correcting import CALLS
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.replies import Gate

OFFERING = frozenset({"tools", "toolConfig", "functions"})


class Call:
    """One call, as far as it has been heard."""

    __slots__ = ("arguments", "begun", "key")

    def __init__(self, begun: ToolCall) -> None:
        self.begun = begun
        self.key = (begun.choice, begun.block)
        self.arguments = ""


class Begun:
    """A stream up to its first call, and from there on. A frame that says nothing may be the end of what stands before
    the call, which is told anew where the call is: it waits for the next one that says something."""

    __slots__ = ("events", "failed", "given", "held", "reader", "waiting")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.given: list[Event] = []
        self.waiting: list[bytes] = []
        self.held: list[bytes] = []
        self.events: list[Event] = []
        """Of what is held."""
        self.failed: GatewayError | None = None
        """Why it cannot be read."""

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """What may go."""
        going: list[bytes] = []
        for frame in frames:
            self.waiting.append(frame)
            try:
                heard = self.reader.feed(frame) if self.failed is None else []
            except GatewayError as error:
                self.failed = error
                heard = []
            if self.failed is not None:  # all goes on as it comes, where the policy lets it
                going += self.held + self.waiting
                self.held = []
            elif self.held or any(isinstance(event, ToolCall | ToolInput) for event in heard):
                self.held += self.waiting
                self.events += heard
            elif heard:
                going += self.waiting
                self.given += heard
            else:
                continue
            self.waiting = []
        return b"".join(going)


class CallGate(Gate):
    """Implements core.guard.Gatekeeper, for guards that see calls whole. What stands before the first call of a stream
    goes on as it comes, the rest once it is there; only where something is changed is it written anew."""

    def __init__(self, judge: Judge, policies: Sequence[Policy]) -> None:
        super().__init__(judge, policies)
        self.failed = judge.failed
        self._tools_known = partial(tools_known, judge, policies)

    async def whole(self, body: bytes, reply: Reply) -> bytes:
        return await super().whole(body, reply) if self.judge.exchange.dialect.operation == "chat" else body

    async def error(self, error: Quoting) -> None:
        """There is no call in it."""

    async def _looked(self, body: bytes, kind: bytes) -> bytes:
        reader = self.judge.exchange.dialect.reader(False)
        try:
            events = [*reader.feed(body), *reader.end()]
        except GatewayError as error:
            self._unread(error)
            return body
        changed = await self._changed(events)
        return body if changed is None else self._written(changed, stream=False)

    def through(self, frames: AsyncIterator[bytes], reply: Reply) -> AsyncIterator[bytes]:
        return super().through(frames, reply) if self.judge.exchange.dialect.operation == "chat" else frames

    async def _windowed(self, frames: AsyncIterator[bytes], reply: Reply, kind: bytes) -> AsyncIterator[bytes]:
        stream = Begun(self.judge.exchange.dialect.reader(True))
        cut = cutter(kind)
        async for data in frames:
            read = stream.failed is None
            going = stream.feed([frame.raw for frame in cut(data)])
            if reply.account.complete:
                going += stream.feed([frame.raw for frame in cut.rest()])
            if read and stream.failed is not None:
                self._unread(stream.failed)
            if reply.account.complete:
                going += await self._rest(stream)
            if going or reply.account.complete:
                yield going
        if not reply.account.complete:  # the provider has said itself what is wrong
            yield await self._rest(stream)

    async def _rest(self, stream: Begun) -> bytes:
        held = b"".join((*stream.held, *stream.waiting))
        changed = await self._changed(stream.events) if stream.held else None
        return held if changed is None else self._written(changed, stream=True, given=stream.given)

    def _unread(self, error: GatewayError) -> None:
        """Raises GuardUnavailable where a policy does not let through what cannot be looked at."""
        self.failed(self.policies, error.code)

    async def _changed(self, events: list[Event]) -> list[Event] | None:
        """The same with the arguments as policies want them; None where nothing is changed. Raises Blocked,
        GuardUnavailable."""
        calls = _calls(events)
        if not calls:
            return None
        if not self._tools_known():
            return None
        places = [place for place, call in enumerate(calls) if not call.begun.custom]  # those hold no JSON
        said = [
            Passage(call.arguments or "{}", "reply", "assistant", "tool_argument", call.begun.name, _path(place))
            for place, call in enumerate(calls)
            if not call.begun.custom
        ]
        edits = await self.judge.look(self.policies, said)
        if not edits:
            return None
        return _restated(
            events, {calls[places[index]].key: edited(said[index].text, each) for index, each in edits.items()}
        )

    def _written(self, events: list[Event], *, stream: bool, given: Sequence[Event] = ()) -> bytes:
        exchange = self.judge.exchange
        writer = exchange.dialect.writer(stream, exchange.fields, [])
        if given:
            writer.feed(list(given))
        return writer.feed(events) + writer.end()


def tools_known(judge: Judge, policies: Sequence[Policy]) -> bool:
    """Whether these can go by what the request says of its tools. Where that is wrong, which is the client's fault and
    not the guard's, and a policy does not let through what cannot be looked at, raises InvalidRequest."""
    if not policies:
        return False
    try:
        judge.asked.tools = _tools(judge.exchange)
    except InvalidRequest as error:
        try:
            judge.failed(policies, error.code)
        except GuardUnavailable:
            raise error from None
        return False
    except GatewayError as error:
        judge.failed(policies, error.code)
        return False
    return True


def offers(exchange: Exchange) -> bool:
    """Whether a request in any API of chats speaks of tools."""
    return exchange.dialect.operation == "chat" and not OFFERING.isdisjoint(exchange.fields)


def _path(place: int) -> tuple[Any, ...]:
    return (CALLS, place, "arguments")


def _calls(events: Sequence[Event]) -> list[Call]:
    """In the order in which they begin."""
    calls: dict[tuple[int, int], Call] = {}
    for event in events:
        if isinstance(event, ToolCall):
            call = Call(event)
            calls[call.key] = call
        elif isinstance(event, ToolInput) and (event.choice, event.block) in calls:
            calls[event.choice, event.block].arguments += event.json
    return list(calls.values())


def _tools(exchange: Exchange) -> Mapping[str, Mapping[str, Any] | None]:
    """Raises GatewayError where the request is for its provider alone to understand."""
    tools = exchange.request.tools
    found: dict[str, Mapping[str, Any] | None] = {
        tool.name: tool.schema if tool.builtin is None else None for tool in tools
    }
    if any(tool.builtin is not None for tool in tools):  # there may be calls of other names than theirs
        found[""] = None
    return found


def _restated(events: Sequence[Event], texts: Mapping[tuple[int, int], str]) -> list[Event]:
    """With these arguments, each where the call begins."""
    made: list[Event] = []
    for event in events:
        key = (event.choice, event.block)
        if not (isinstance(event, ToolInput) and key in texts):
            made.append(event)
        if isinstance(event, ToolCall) and key in texts:
            made.append(ToolInput(json=texts[key], choice=event.choice, block=event.block))
    return made
