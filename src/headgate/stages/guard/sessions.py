"""What stands for what over the requests that belong together: found by whoever asks and what the session is called.

Who asks is part of what a session is kept under, so nobody finds another's by naming it. Where a provider keeps the
conversation, each of its answers is a name of the session that it was given in.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from headgate.core.caller import Caller
from headgate.core.exchange import Exchange
from headgate.core.kept_vault import Known, piece, whose
from headgate.core.ports import SessionFull, VaultAway, Vaults
from headgate.core.tenant import tenant
from headgate.core.together import Together, session
from headgate.core.vault import Taken, Vault, Wanted
from headgate.stages.guard.hiding import first_number

T = TypeVar("T")
CONVERSATION = "conversation"
"""A way to tell a session: by the conversation that a provider keeps."""
ANSWER = "answer"
"""The same by one of its answers. Such a name leads to a session, and none is kept under it."""
ALWAYS = frozenset({"user", "key"})
"""Ways by which all belongs together that somebody ever asks: what is hidden in one text is a word like others in the
next."""
LASTING = "openai_responses"
"""The dialect in which a conversation is kept, and an answer gone on with."""
NAME = 24
LOST = "what it has hidden in this session was taken out meanwhile"
_encode = msgspec.json.Encoder().encode
log = logging.getLogger("headgate.stages")


class Sessions:
    """One configuration's."""

    def __init__(self, store: Vaults, ways: Sequence[str], *, most: int, patience: float) -> None:
        """`ways`: by which a session is told, those of `Together` and CONVERSATION; `most` values are kept of each;
        `patience`: seconds that a request waits for the store, each time."""
        self.store = store
        self.most = most
        self.patience = patience
        self._conversations = CONVERSATION in ways
        self._ways = [(each, _way(each)) for each in ways if each != CONVERSATION]

    async def vault(self, exchange: Exchange) -> Vault:
        """Of the session that a request is of; its own where it is of none. Raises VaultAway."""
        first = first_number(exchange)
        # what is sent unread may be kept, and told to other sessions
        session = self._session(exchange) if exchange.passing is None else None
        return await session.vault(first) if session is not None else Vault(first)

    def _session(self, exchange: Exchange) -> Session | None:
        """What goes on with something that the provider keeps is of the session that this was said in."""
        fields, lasting = exchange.fields, exchange.dialect.name == LASTING
        named, before = _kept(fields) if lasting else ("", "")
        if named or before:
            return self._going_on(exchange, named, before) if self._conversations else None
        lasting = lasting and fields.get("store") is not False
        for way, called in self._ways:
            said = called(exchange)
            if said:
                found = Session(self, exchange, name(exchange.caller, exchange.end_user, way, said))
                found.one, found.links, found.telling = way not in ALWAYS, lasting, lasting
                return found
        return self._going_on(exchange, "", "") if lasting and self._conversations else None

    def _going_on(self, exchange: Exchange, named: str, before: str) -> Session:
        """With a conversation, an answer, or nothing yet."""
        found = Session(self, exchange, secrets.token_bytes(NAME))
        if named:
            found.name = found.of(CONVERSATION, named)
        elif before:
            found.before = found.of(ANSWER, before)
        found.links = True
        return found


def _kept(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The conversation and the answer that a request goes on with."""
    named: Any = fields.get("conversation")
    named = named.get("id") if isinstance(named, dict) else named
    before = fields.get("previous_response_id")
    return named if isinstance(named, str) else "", before if isinstance(before, str) else ""


def _way(way: str) -> Callable[[Exchange], str]:
    """What gives a session's name, "" where a request has none."""
    if way == "session":  # a key of prompt caches is mostly one for all that an application asks
        return session
    if way == "user":
        return attrgetter("end_user")
    together = Together([way])
    return lambda exchange: together.of(exchange)[1]


def name(caller: Caller | None, end_user: str, way: str, said: str) -> bytes:
    """What a session is kept under."""
    of = tenant(caller, "key" if way == "key" else "end_user", end_user)
    return blake2b(_encode(("session", way, said)), key=of, digest_size=NAME).digest()


class Session:
    """Implements core.vault.Session: as one request sees it."""

    def __init__(self, sessions: Sessions, exchange: Exchange, name: bytes) -> None:
        self.name = name
        self.sessions = sessions
        self.caller, self.end_user = exchange.caller, exchange.end_user
        self.whose = whose(exchange.caller, exchange.end_user, time.time())
        self.one = True
        """It is one conversation."""
        self.links = False
        """Its answers can be gone on with."""
        self.telling = False
        """Also those before anything has been hidden in it: else they would begin a session of their own."""
        self.before = b""
        """Another name, by which it is found where that is known."""
        self._mark = b""
        """Of the last piece that is known here."""

    async def vault(self, first: int) -> Vault:
        """All that was hidden in it before; `first`: number of one that is not there yet. Raises VaultAway."""
        vault = Vault(first, self)
        await self._within(self._find(vault))
        if self.one:
            vault.past = vault.numbers.copy()
        return vault

    async def assign(self, vault: Vault, wanted: Sequence[Wanted], taken: Taken) -> None:
        if not all(each.value in vault.numbers for each in wanted):
            await self._within(self._assign(vault, wanted, taken))

    async def answered(self, id: str) -> None:
        if not self.links:
            return
        link = piece((), 1, self.whose, self.name, one=self.one)
        try:
            await self._within(self.sessions.store.add(self.of(ANSWER, id), b"", link))
        except VaultAway as away:
            log.debug("what is hidden will not come back where an answer is gone on with: %s", away)

    def of(self, way: str, id: str) -> bytes:
        """The name of a conversation, or an answer: whoever gives one for the other finds nothing."""
        return name(self.caller, self.end_user, way, id)

    async def _assign(self, vault: Vault, wanted: Sequence[Wanted], taken: Taken) -> None:
        """Some other request may be first, again and again: then its values are known here, too."""
        while True:
            new: list[Known] = []
            for category, value, make in wanted:
                if value not in vault.numbers:
                    new.append(Known(value, vault.surrogate(category, value, taken, make=make), category))
            vault.forget(new)  # until it is certain
            if not new:
                return
            if len(vault.numbers) + len(new) > self.sessions.most:
                raise SessionFull(f"the session has more than {self.sessions.most} values")
            added = piece(new, vault.first, self.whose)
            if await self.sessions.store.add(self.name, self._mark, added):
                vault.learn(new)
                self._mark = added.mark
                return
            await self._read(vault)

    async def _find(self, vault: Vault) -> None:
        found = await self.sessions.store.read(self.before) if self.before else ()
        if found:
            self.name, self.one = found[0].link, found[0].one
        await self._read(vault)

    async def _read(self, vault: Vault) -> None:
        """What others have added since."""
        pieces = await self.sessions.store.read(self.name)
        marks = [each.mark for each in pieces]
        if self._mark and self._mark not in marks:
            raise VaultAway(LOST)
        for each in pieces[marks.index(self._mark) + 1 if self._mark else 0 :]:
            vault.first, self._mark = each.first, each.mark
            vault.learn(each.known)

    async def _within(self, work: Awaitable[T]) -> T:
        """Raises VaultAway."""
        try:
            async with asyncio.timeout(self.sessions.patience):
                return await work
        except TimeoutError:
            self.sessions.store.late(f"no answer within {self.sessions.patience:g} s")
            raise VaultAway(f"sessions could not be asked within {self.sessions.patience:g} s") from None
