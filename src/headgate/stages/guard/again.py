"""Ask the model again where an answer is not as a policy wants it, and say what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from headgate.core.chat import Message, Part, Text, ToolCall
from headgate.core.errors import GatewayError
from headgate.core.estimate import BYTES_PER_TOKEN
from headgate.core.events import Event
from headgate.core.exchange import Ending, Exchange
from headgate.core.guard import Finding, Passage
from headgate.core.kept import Classes
from headgate.core.record import FAULTY, Attempt
from headgate.core.reply import Reply
from headgate.core.usage import Usage
from headgate.stages.guard import Kept, gates, turns
from headgate.stages.guard.changing import Edit, Hashes, edited
from headgate.stages.guard.correcting import Fault, as_client, corrected, said
from headgate.stages.guard.holding import held
from headgate.stages.guard.judging import Judge
from headgate.stages.guard.outside import Outside
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.replies import gate
from headgate.stages.stage import Proceed

HEADER = b"x-headgate-asked-again"
Used = Callable[[Exchange, Reply], Awaitable[Usage | None]]
"""What an answer used that nobody is given."""
Room = Callable[[Exchange, Ending], Awaitable[bool]]
"""Whether limits have room for one more answer; what it may come to is held up to the end."""


def asks(policy: Policy) -> bool:
    """Whether it may have a model asked again."""
    return policy.guard.retries > 0 and policy.enforced and "after" in policy.at


class Again(Kept):
    """Behind all that gives answers again, which is so given the last one only, around all that sends. The answer is
    held, and looked at as its client would be given it; on its last step it is looked at like any other."""

    def __init__(
        self,
        policies: Sequence[Policy],
        classes: Classes,
        hashes: Hashes,
        outside: Outside | None,
        used: Used,
        room: Room,
    ) -> None:
        super().__init__(policies, classes, hashes, outside)
        self.used = used
        self.room = room
        self.asking = [policy for policy in policies if asks(policy)]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        asking = [policy for policy in self.asking if policy.concerns(exchange, self.classes)]
        if not asking or exchange.dialect.operation != "chat":
            return await proceed(exchange)
        exchange.begin_by(time.monotonic())  # all of them together
        return await Rounds(self, exchange, proceed, asking).last()


class Probe(Judge):
    """Finds what is wrong; nothing follows from it."""

    __slots__ = ("faults",)

    def __init__(self, exchange: Exchange, hashes: Hashes, outside: Outside | None) -> None:
        super().__init__(exchange, hashes, outside)
        self.faults: list[Fault] = []

    def _draw(self, policy: Policy, found: Finding, passage: Passage, place: int, edits: dict[int, list[Edit]]) -> None:
        if found.advice and policy.action(found) != "pass":
            self.faults.append(Fault(policy, found, passage))

    def _failed(self, policy: Policy, why: str, more: str = "") -> list[Finding]:
        return []  # it is told where the answer is given

    def tell(self) -> None:
        for policy, found, passage in self.faults:
            told = msgspec.structs.replace(found, reason=f"the model was asked again: {found.reason}")
            self._tell(policy, told, "flag", passage)


class Rounds:
    """The answers to one request, until one is as it should be, or the model has been asked often enough."""

    def __init__(self, stage: Again, exchange: Exchange, proceed: Proceed, asking: Sequence[Policy]) -> None:
        self.stage = stage
        self.exchange = exchange
        self.proceed = proceed
        self.asking = asking
        self.number = 0
        """How often it was asked again."""
        self.added: list[Message] = []
        """The turns behind the client's."""
        self.rejected: Attempt | None = None
        """The one that brought the answer which is not given, if another comes."""

    async def last(self) -> Reply:
        exchange = self.exchange
        reply, more = await self._ask(exchange.fork(exchange.targets))
        while more:
            rejected, fork = self.rejected, self._fork()
            try:
                self.number += 1
                reply, more = await self._ask(fork)
            except GatewayError as error:
                self.number -= 1
                exchange.decision.said.append(f"no other answer came ({error.code})")
                if rejected is not None:
                    rejected.usage = rejected.error = rejected.message = None
                break
        if self.number:
            reply.headers = [*reply.headers, (HEADER, b"%d" % self.number)]
        return reply

    def _fork(self) -> Exchange:
        """Whoever answered is asked first, with what the others would be asked, too."""
        exchange = self.exchange
        request = msgspec.structs.replace(exchange.request, messages=[*exchange.request.messages, *self.added])
        targets = sorted(exchange.targets, key=lambda target: target is not exchange.target)
        fork = exchange.fork(targets, request)
        texts = [part.text for message in self.added for part in message.parts if isinstance(part, Text)]
        fork.add_tokens(sum(map(len, texts)) // BYTES_PER_TOKEN)
        return fork

    async def _ask(self, fork: Exchange) -> tuple[Reply, bool]:
        """An answer, and whether another one is wanted. Raises GatewayError."""
        exchange = self.exchange
        try:
            reply = await self.proceed(fork)
            given = await self._looked(fork, reply)
        except BaseException:
            if not self.number:
                exchange.adopt(fork)
            else:  # the one before is given
                exchange.attempts += fork.attempts
                exchange.ending.take(fork.ending)
            raise
        exchange.adopt(fork)
        return given

    async def _looked(self, fork: Exchange, reply: Reply) -> tuple[Reply, bool]:
        stage, attempt = self.stage, _answering(fork)
        fork.record = self.exchange.record  # where many ask the same, another may pay by now
        probe = Probe(fork, stage.hashes, stage.outside)
        asking = [policy for policy in self.asking if policy.concerns(fork, stage.classes, fork.target)]
        try:
            given, events = await held(reply, fork, gate(gates(probe, asking)))
        except BaseException as error:
            if reply.response is not None:
                reply.response.close()
            if isinstance(error, GatewayError):
                attempt.error, attempt.message, reply.broken = error.code, error.message[:500], error.code
            fork.ending.callback(self._count, fork, reply, attempt)
            raise
        follow = await self._turns(fork, events, probe.faults) if probe.faults else None
        if follow is None:
            given.private = given.private or bool(probe.faults)  # nobody else is given what is wrong
            if given is not reply:
                fork.ending.callback(_counted, reply, given)
            return given, False
        probe.tell()
        self.added += follow
        await self._reject(fork, reply, attempt, probe.faults)
        given.private = True
        return given, True

    async def _turns(self, fork: Exchange, events: Sequence[Event], faults: Sequence[Fault]) -> list[Message] | None:
        """What the model is told; None where it is not asked again."""
        if max(fault.policy.guard.retries for fault in faults) <= self.number:
            return None
        try:
            fork.request  # noqa: B018  # some only their provider can read
            parts = said(events)
            await self._shown(fork, [part for part in parts if isinstance(part, Text | ToolCall)])
            found = corrected(parts, faults, self.number)
            if found is None:
                return None
            found = as_client(fork, found)
        except GatewayError as error:
            self.exchange.decision.said.append(f"the model was not asked again ({error.code})")
            return None
        if not await self.stage.room(fork, self.exchange.ending):
            self.exchange.decision.said.append("the model was not asked again, as a limit has no room")
            return None
        return found

    async def _shown(self, fork: Exchange, parts: Sequence[Part]) -> None:
        """What was said is looked at like what a client says, as another may be asked. Raises Blocked,
        GuardUnavailable."""
        stage = self.stage
        before = [
            policy
            for policy in stage.policies
            if "before" in policy.at and not policy.by_target and policy.concerns(fork, stage.classes)
        ]
        judge = Judge(fork, stage.hashes, stage.outside)
        judge.barred = frozenset({"route"})
        for those in turns(before) if parts else ():
            edits = await judge.look(those, [_passage(part) for part in parts])
            for place, each in edits.items():
                _say(parts[place], edited(_passage(parts[place]).text, each))

    async def _reject(self, fork: Exchange, reply: Reply, attempt: Attempt, faults: Sequence[Fault]) -> None:
        """It is paid for, and its place at the provider is free again."""
        attempt.usage = await self.stage.used(fork, reply)
        attempt.error = FAULTY
        attempt.message = ", ".join(dict.fromkeys(f"{policy.name}: {found.category}" for policy, found, _ in faults))
        self.rejected = attempt
        await fork.ending.aclose()

    async def _count(self, fork: Exchange, reply: Reply, attempt: Attempt) -> None:
        attempt.usage = await self.stage.used(fork, reply)


def _answering(exchange: Exchange) -> Attempt:
    """The attempt whose answer is given."""
    name = exchange.target.name if exchange.target is not None else ""
    found = (each for each in reversed(exchange.attempts) if each.target == name and each.error is None)
    return next(found, None) or Attempt(name)


def _counted(reply: Reply, given: Reply) -> None:
    """What has been counted of it is known to whoever settles by it."""
    reply.counted = given.counted


def _passage(part: Part) -> Passage:
    if isinstance(part, ToolCall):
        return Passage(part.arguments, "request", "assistant", "tool_argument", part.name)
    return Passage(getattr(part, "text", ""), "request", "assistant")


def _say(part: Part, text: str) -> None:
    if isinstance(part, ToolCall):
        part.arguments = text
    elif isinstance(part, Text):
        part.text = text
