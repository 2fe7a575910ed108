"""Let guards look at what is asked before anybody else is told, and at what is answered before the client is given it.

What they find is drawn as the policies of the configuration say: told, changed, blocked, or asked of another model. A
reply is looked at on its last step, in the client's dialect: what is kept of answers, and shared among those who ask
the same, stays the provider's own, and each is given it as that one's policies allow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from headgate.core.errors import Blocked, ProviderNonsense, ProviderRefused
from headgate.core.exchange import Exchange
from headgate.core.guard import CHANGES, Passage
from headgate.core.ids import name_task
from headgate.core.kept import Classes
from headgate.core.ports import VaultAway
from headgate.core.reply import Reply
from headgate.core.vault import Vault
from headgate.stages.guard.calls import CallGate, offers, tools_known
from headgate.stages.guard.changing import Hashes, edited
from headgate.stages.guard.hiding import far, first_number
from headgate.stages.guard.judging import AWAY, Judge, Refused, elsewhere
from headgate.stages.guard.outside import Outside
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.replies import HEADER, Gate, gate, listed, look_at_error, saying, tell
from headgate.stages.guard.restoring import restorer
from headgate.stages.guard.sessions import Sessions
from headgate.stages.guard.subject import Looked, Whole, content_type, of_url, restate, restated, said
from headgate.stages.stage import Proceed

T = TypeVar("T")


class Kept:
    """What both stages go by."""

    def __init__(
        self,
        policies: Sequence[Policy],
        classes: Classes,
        hashes: Hashes,
        outside: Outside | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        """`sessions`: None: what is hidden is known for one request."""
        self.policies = policies
        self.classes = classes
        self.hashes = hashes
        self.outside = outside
        self.sessions = sessions


class Guard(Kept):
    """Where all that others add has been added, before anybody is told what is asked."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append(("guard", time.perf_counter()))
        policies = [policy for policy in self.policies if policy.concerns(exchange, self.classes)]
        if not policies:
            return await proceed(exchange)
        judge = Judge(exchange, self.hashes, self.outside)
        if any(policy.hides for policy in policies):
            exchange.vault = (
                Vault(first_number(exchange))
                if self.sessions is None
                else await self._vault(self.sessions, judge, policies)
            )
        before = [policy for policy in policies if "before" in policy.at and not policy.by_target]
        try:
            reply = await self._asked(judge, before, self._after(exchange, policies), proceed)
        except Refused as error:
            if error.answer is None or exchange.dialect.operation != "chat":
                raise
            return _answer(exchange, error.answer)
        except (ProviderRefused, ProviderNonsense) as error:
            for those in turns(self._after(exchange, policies)):
                await look_at_error(judge, those, error)
            raise
        self._watch(judge, reply, self._after(exchange, policies))
        if exchange.vault is not None:
            await self._restore(judge, exchange.vault, policies)
        return reply

    async def _vault(self, sessions: Sessions, judge: Judge, policies: Sequence[Policy]) -> Vault:
        """Of the request's session. Raises GuardUnavailable."""
        exchange, hiding = judge.exchange, [policy for policy in policies if policy.hides]
        try:
            vault = await sessions.vault(exchange)
        except VaultAway as away:
            judge.failed(hiding, AWAY, str(away))
            return Vault(far())  # it is hidden all the same
        if vault.session is not None:
            judge.fresh = True
            # what is changed for some targets only is not in what the cache knows a request by
            exchange.private = exchange.private or any(policy.by_target for policy in hiding)
        return vault

    async def _restore(self, judge: Judge, vault: Vault, policies: Sequence[Policy]) -> None:
        """Have put back what whoever answered was not shown."""
        exchange = judge.exchange
        aimed = [
            policy
            for policy in policies
            if policy.hides
            and policy.by_target
            and "before" in policy.at
            and policy.concerns(exchange, self.classes, exchange.target)
        ]
        if aimed and not vault.aimed and exchange.record.ending != "explained":  # another asked the same
            with _as_it_was(exchange):
                await look(judge, aimed)
            judge.changed.clear()
        back = vault.general or bool(aimed) or exchange.manner.resume
        if back or (vault.session is not None and vault.session.telling):
            exchange.restorer = restorer(exchange, vault, back=back)

    def _after(self, exchange: Exchange, policies: Sequence[Policy]) -> list[Policy]:
        """Those for what comes back from whom it comes."""
        target = exchange.target
        return [
            policy
            for policy in policies
            if "after" in policy.at and (not policy.by_target or policy.concerns(exchange, self.classes, target))
        ]

    async def _asked(
        self, judge: Judge, policies: Sequence[Policy], after: Sequence[Policy], proceed: Proceed
    ) -> Reply:
        first = [policy for policy in policies if not policy.parallel]
        if first:
            await look(judge, first)
            vault = judge.exchange.vault
            if vault is not None:
                vault.settled = any(policy.hides for policy in first)
                vault.general = bool(vault.numbers) and (vault.settled or vault.session is None)
        if judge.route is not None:
            _reroute(judge.exchange, judge.route, judge.routed_for)
        if offers(judge.exchange):
            strict = [each for each in after if each.guard.calls and each.closed and not each.by_target]
            tools_known(judge, [each for each in strict if each.enforced])  # before anybody is paid
        judge.barred = frozenset({"route"})
        beside = [policy for policy in policies if policy.parallel]
        return await (_beside(judge, beside, proceed) if beside else proceed(judge.exchange))

    def _watch(self, judge: Judge, reply: Reply, after: Sequence[Policy]) -> None:
        """Have the reply looked at, and tell what was changed."""
        exchange = judge.exchange
        if exchange.record.ending == "explained":
            return
        if after:
            exchange.gatekeeper = gate(gates(judge, after))
        tell(judge, reply)
        changing = [each.name for each in after if each.enforced and changes(each)] if exchange.stream else []
        if changing:
            reply.headers = [*reply.headers, (HEADER, b"watching=" + listed(changing))]


class Aim(Kept):
    """Between `retry` and `translate`: what is asked of one target as the policies have it that are about where it
    goes. Another target is asked for what the client said."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target, about = exchange.target, exchange.imposed.about or exchange
        policies = [policy for policy in self.policies if policy.concerns(about, self.classes, target)]
        if not policies:
            return await proceed(exchange)
        exchange.vault = about.vault
        judge = Judge(exchange, self.hashes, self.outside)
        judge.barred = frozenset({"route"})
        judge.fresh = exchange.vault is not None and exchange.vault.session is not None and not exchange.vault.settled
        await read(exchange)
        with _as_it_was(exchange):
            try:
                await look(judge, policies)
                if exchange.vault is not None:
                    exchange.vault.aimed = True
                reply = await proceed(exchange)
            except Refused as error:  # another target may be asked
                raise elsewhere(error) from None
        tell(judge, reply)
        return reply


class Aimed:
    """Which policies change what some targets are asked, as bytes: an answer to what they left is none for others."""

    def __init__(self, policies: Mapping[Policy, bytes], classes: Classes) -> None:
        """`policies`: each with a hash of all that is said of it."""
        self.policies = policies
        self.classes = classes

    def __call__(self, exchange: Exchange) -> bytes:
        return b"".join([said for policy, said in self.policies.items() if policy.concerns(exchange, self.classes)])


@contextmanager
def _as_it_was(exchange: Exchange) -> Iterator[None]:
    """What is asked is afterwards what it was before."""
    kept = exchange.body, exchange.fields, exchange.form, exchange.passing, exchange._request, exchange._tokens
    try:
        yield
    finally:
        (
            exchange.body, exchange.fields, exchange.form, exchange.passing, exchange._request, exchange._tokens
        ) = kept  # fmt: skip


async def look(judge: Judge, policies: Sequence[Policy]) -> None:
    """Have what is asked looked at, and changed. Raises Blocked, GuardUnavailable."""
    for those in turns(policies):
        await _look(judge, those)


def gates(judge: Judge, policies: Sequence[Policy]) -> list[Gate]:
    """What a reply goes through: calls are as they are to be before anybody else looks at them."""
    whole = [policy for policy in policies if policy.guard.calls]
    others = [policy for policy in policies if not policy.guard.calls]
    return [*([CallGate(judge, whole)] if whole else []), *(Gate(judge, those) for those in turns(others))]


def turns(policies: Sequence[Policy]) -> list[list[Policy]]:
    """Those whose guards find out what is meant, those that look at it here, and those that ask others: these are
    shown what is left of it, but nothing that is only added for the model."""
    ask = any(policy.guard.outside for policy in policies)
    first: list[Policy] = []
    here: list[Policy] = []
    last: list[Policy] = []
    for policy in policies:
        late = policy.guard.outside or (ask and policy.guard.added)
        (first if policy.guard.reveals else last if late else here).append(policy)
    return [those for those in (first, here, last) if those]


async def _look(judge: Judge, policies: Sequence[Policy]) -> None:
    exchange = judge.exchange
    found, whole = await _passages(exchange)
    edits = await judge.look(policies, found)
    if not edits:
        return
    texts = {place: edited(found[place].text, each) for place, each in edits.items()}
    if whole is None:
        restated(exchange, {found[place].path: text for place, text in texts.items()})
    elif max(texts) >= len(whole.passages):
        raise Blocked("what is to be changed stands in the URL; send it in the body")
    else:
        exchange.body = whole.saying(texts)
        exchange.passing = Looked(exchange.body)


async def _passages(exchange: Exchange) -> tuple[list[Passage], Whole | None]:
    """Those of what is asked; with what they stand in, where it is forwarded as it came."""
    await read(exchange)
    passing = exchange.passing
    if passing is None:
        restate(exchange)
        return said(exchange), None
    whole = Whole(passing.data if isinstance(passing, Looked) else b"", content_type(exchange.headers), "request")
    return [*whole.passages, *of_url(exchange)], whole


async def read(exchange: Exchange) -> None:
    """What would be passed on unread is read, decompressed."""
    passing, incoming = exchange.passing, exchange.incoming
    if passing is None or isinstance(passing, Looked) or passing.length == 0 or incoming is None:
        return
    data = b"".join([piece async for piece in incoming.pieces(decoded=True)])
    exchange.record.bytes_in += len(data)
    exchange.headers = [header for header in exchange.headers if header[0] != b"content-encoding"]
    exchange.body, exchange.passing = data, Looked(data)


async def _beside(judge: Judge, policies: Sequence[Policy], proceed: Proceed) -> Reply:
    """Ask while it is looked at; nothing of the answer is given before that is done, and a word of it ends the call."""
    exchange = judge.exchange
    judge.barred = CHANGES | {"route"}
    loop = asyncio.get_running_loop()
    found, _ = await _passages(exchange)
    call = loop.create_task(_named(exchange.id, proceed(exchange)))
    check = loop.create_task(_named(exchange.id, judge.look(policies, found)))
    try:
        await asyncio.wait((call, check), return_when=asyncio.FIRST_COMPLETED)
        await check
        return await call
    finally:
        running = [task for task in (call, check) if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        if not call.cancelled():
            call.exception()  # it is not missed


async def _named(id: str, work: Awaitable[T]) -> T:
    name_task(id)
    return await work


def _reroute(exchange: Exchange, policy: Policy, category: str) -> None:
    use = policy.use or exchange.model
    if use != exchange.model:
        exchange.decision.said.append(
            f"{use} instead of {exchange.model}, as the policy {policy.name!r} has it: {category}"
        )
        exchange.model = use


def changes(policy: Policy) -> bool:
    """Whether it may change anything."""
    return policy.guard.changes or not CHANGES.isdisjoint((*policy.actions.values(), policy.guard.usual))


def _answer(exchange: Exchange, text: str) -> Reply:
    reply = Reply(exchange.dialect, stream=False, body=b"")
    reply.say(saying(exchange, text))
    return reply
