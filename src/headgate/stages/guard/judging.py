"""Ask the guards of some policies about some passages, and draw what follows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from headgate.core.errors import (
    Blocked,
    GatewayError,
    GuardUnavailable,
    NoCredentials,
    ProviderError,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.guard import CHANGES, HIDES, Action, Asked, Finding, Passage, Verdict
from headgate.core.ports import SessionFull, VaultAway
from headgate.core.unforeseen import unforeseen
from headgate.core.vault import Session, Vault
from headgate.stages.guard.changing import Edit, Hashes, replacement, see, shared
from headgate.stages.guard.hiding import Span, beside, far, first_number, hide, hide_in_session, literal, standing
from headgate.stages.guard.outside import Help, Outside
from headgate.stages.guard.passages import written
from headgate.stages.guard.policy import Policy

log = logging.getLogger("headgate.stages")

MOST = 100
"""Verdicts that stand in one record."""
QUOTED = 4
"""Characters of what was found that do not stand in the words of who found it."""
FAILED = "guard_failed"
"""The category of what could not be looked at."""
FULL = "session_full"
"""The same of what is hidden for one request only, as its session has no room for it."""
AWAY = "its session is not to be had"
"""What a client is told: where sessions are, and what is wrong there, is nothing for it."""
Drawn = tuple[Policy, int, Finding]
"""Whose finding, in which passage."""


class Refused(Blocked):
    """Blocked, by a policy that has something to say instead of an error."""

    answer: str | None = None


class Bound:
    """Of a part of a text that goes on: what is drawn of it now."""

    __slots__ = ("clear", "since")

    def __init__(self, since: int, clear: int) -> None:
        self.since = since
        """What ends before this has been drawn."""
        self.clear = clear
        """What ends behind this may still grow; less of it is clear then, and that is drawn later."""


class Looking(Protocol):
    """What looks at a reply, and says what is to be changed in it."""

    exchange: Exchange
    changed: dict[str, None]
    quoting: bool
    """In an answer that is JSON, what stands instead is to be written so, too."""

    async def look(
        self, policies: Sequence[Policy], passages: Sequence[Passage], bounds: Sequence[Bound] | None = None
    ) -> dict[int, list[Edit]]:
        """As Judge.look."""


class Judge:
    """One request's, on its way there and back."""

    quoting = False
    __slots__ = (
        "_hidden", "_standing", "asked", "barred", "changed", "exchange", "fresh", "hashes", "route", "routed_for",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, hashes: Hashes, outside: Outside | None = None) -> None:
        self.exchange = exchange
        self.hashes = hashes
        target = exchange.target
        self.asked = Asked(
            exchange.id,
            exchange.caller,
            exchange.model,
            exchange.dialect.operation,
            target.name if target is not None else None,
            exchange.stream,
        )
        if outside is not None:
            self.asked.help = Help(outside, exchange)
        self.changed: dict[str, None] = {}
        """Names of policies that changed something, in order."""
        self.fresh = False
        """Nothing has been hidden in it yet: what looks like a surrogate of its session is the client's own word."""
        self._hidden: dict[int, list[Span]] = {}
        self._standing: dict[int, list[Span]] = {}
        """Of passages, where surrogates stand in them already."""
        self.route: Policy | None = None
        """The one that has another model asked."""
        self.routed_for = ""
        """The category that it does so for."""
        self.barred: Collection[Action] = ()
        """What cannot follow any more; it is blocked then."""

    async def look(
        self, policies: Sequence[Policy], passages: Sequence[Passage], bounds: Sequence[Bound] | None = None
    ) -> dict[int, list[Edit]]:
        """What is to be changed, by passage. `bounds`: of each passage, where it is a part of a text that goes on.

        Raises Blocked, GuardUnavailable.
        """
        began = time.perf_counter()
        found: list[Drawn] = []
        try:
            for policy in policies:
                places = _meant(policy, passages)
                if places:
                    subject = passages if len(places) == len(passages) else [passages[place] for place in places]
                    said = await self._found(policy, subject)
                    found += [(policy, places[each.passage], each) for each in said if each.score >= policy.least]
        finally:
            record = self.exchange.record
            record.guarded = round((record.guarded or 0.0) + time.perf_counter() - began, 6)
        vault = self.exchange.vault
        session = vault.session if vault is not None else None
        if not found and session is None:
            return {}
        if bounds is not None:
            found = within(found, bounds)
        edits: dict[int, list[Edit]] = {}
        self._standing = {}
        for policy, place, each in found:  # all of them, before anything is said of any
            if policy.crowd is not None and policy.enforced and policy.action(each) == "generalise":
                see(policy.crowd, self.exchange.caller, each.category, passages[place].text[each.start : each.end])
        for policy, place, each in found:
            self._draw(policy, each, passages[place], place, edits)
        if vault is not None and session is not None:
            await self._hide_in_session(vault, session, policies, passages, edits)
        elif self._hidden:
            self._hide(passages, edits)
        return edits

    async def _hide_in_session(
        self,
        vault: Vault,
        session: Session,
        policies: Sequence[Policy],
        passages: Sequence[Passage],
        edits: dict[int, list[Edit]],
    ) -> None:
        """Also what was hidden in it before, and what the client says that only looks as if it had been."""
        hiding = [policy for policy in policies if policy.hides]
        if not hiding or not passages or passages[0].side == "reply":
            return
        fresh, self.fresh = self.fresh, False
        if fresh:
            for place, passage in enumerate(passages):
                self._hidden.setdefault(place, []).extend(literal(vault, passage.text))
        hidden, self._hidden, before = self._hidden, {}, len(edits)
        try:
            await hide_in_session(session, vault, passages, hidden, edits, fresh=fresh)
        except VaultAway as away:
            if isinstance(away, SessionFull):
                self._tell(hiding[0], Finding(0, 0, 0, FULL, 0.0, str(away)), "flag", None)
            else:
                self.failed(hiding, AWAY, str(away))
            vault.part(far())
            hide(vault, passages, hidden, edits, fresh=fresh)
        if len(edits) > before:
            self.changed.setdefault(hiding[0].name)

    def failed(self, policies: Sequence[Policy], why: str, more: str = "") -> None:
        """Tell it of all. `more` stands in the record. Raises GuardUnavailable where one of them is needed."""
        for policy in sorted(policies, key=lambda policy: policy.closed):
            self._failed(policy, why, more)

    def _hide(self, passages: Sequence[Passage], edits: dict[int, list[Edit]]) -> None:
        vault = self.exchange.vault
        if vault is None:
            vault = self.exchange.vault = Vault(first_number(self.exchange))
        hide(vault, passages, self._hidden, edits)
        self._hidden = {}

    async def _found(self, policy: Policy, passages: Sequence[Passage]) -> Iterable[Finding]:
        """What the guard says. Of one that fails: nothing, where it is not needed; else raises GuardUnavailable."""
        try:
            if sum([len(each.text) for each in passages]) > policy.largest:
                return self._failed(policy, f"it is longer than the {policy.largest} characters that are looked at")
            said: Any = policy.guard.look(passages, self._asked_by(policy))
            if not hasattr(said, "__await__"):
                return said if isinstance(said, list) else list(said)
            async with asyncio.timeout(policy.timeout):
                return list(await said)
        except TimeoutError:
            return self._failed(policy, f"it took longer than {policy.timeout:g} s")
        except GuardUnavailable as error:
            return self._failed(policy, error.message)
        except GatewayError as error:
            return self._failed(policy, error.code, _words(error))
        except Exception as error:  # noqa: BLE001  # somebody else's code, whose failure must not let anything through
            log.warning("the guard of the policy %s fails: %s", policy.name, unforeseen(error))
            return self._failed(policy, type(error).__name__)

    def _asked_by(self, policy: Policy) -> Asked:
        """Who asks others knows how long that may take."""
        help = self.asked.help
        if help is None or not policy.guard.outside:
            return self.asked
        until = asyncio.get_running_loop().time() + policy.timeout
        return msgspec.structs.replace(self.asked, help=help.within(until))

    def _failed(self, policy: Policy, why: str, more: str = "") -> list[Finding]:
        """`more` stands in the record, for who can mend it."""
        action: Action = "block" if policy.closed and policy.enforced else "flag"
        self._tell(policy, Finding(0, 0, 0, FAILED, 0.0, more or why), action, None)
        if action == "block":
            said = f"the guard of the policy {policy.name!r} could not look at it: {why}; try again later"
            raise GuardUnavailable(said, retry_after=1)
        return []

    def _draw(self, policy: Policy, found: Finding, passage: Passage, place: int, edits: dict[int, list[Edit]]) -> None:
        action = policy.action(found)
        if action == "pass":
            return
        if action in self.barred or (action == "route" and policy.use is None):  # a guard may say so by itself
            action = "block"
        if action in HIDES and passage.side == "reply":  # there is nobody to hide it from
            action = "flag"
        elif action in HIDES and policy.by_target and not policy.hides:  # nobody would put it back
            action = "redact"
        self._tell(policy, found, action, passage)
        if not policy.enforced:
            return
        if action == "block":
            raise refused(policy, found)
        if action == "route":
            if self.route is None:
                self.route, self.routed_for = policy, found.category
        elif action in HIDES:
            self._hidden.setdefault(place, []).append(
                Span(found.start, found.end, found.category, action == "surrogate")
            )
            self.changed[policy.name] = None
        elif action in CHANGES and self._own(found, passage, place):
            text = passage.text[found.start : found.end]
            if action == "generalise" and policy.crowd is not None:
                instead = shared(policy.crowd, self.exchange.caller, found.category, text)
            else:
                instead = replacement(action, found, text, self.hashes.of(self.exchange.caller))
            edits.setdefault(place, []).append((found.start, found.end, instead))
            self.changed[policy.name] = None

    def _own(self, found: Finding, passage: Passage, place: int) -> bool:
        """Whether it is more than what stands for something that is put back."""
        if passage.side == "reply" or found.start == found.end:
            return True
        if place not in self._standing:
            self._standing[place] = [] if self.fresh else standing(self.exchange.vault, passage.text)
        return bool(beside(Span(found.start, found.end, ""), self._standing[place]))

    def _tell(self, policy: Policy, found: Finding, action: Action, passage: Passage | None) -> None:
        told = self.exchange.record.guards
        if len(told) >= MOST:
            return
        verdict = Verdict(
            policy=policy.name,
            guard=policy.kind,
            category=found.category,
            action=action,
            mode="enforce" if policy.enforced else "monitor",
            score=round(found.score, 4),
            reason=found.reason[:200],
        )
        if passage is not None:
            verdict.side, verdict.part, verdict.path = passage.side, passage.part, written(passage.path)
            verdict.start, verdict.end = found.start, found.end
            text = passage.text[found.start : found.end]
            verdict.hash = self.hashes.of(self.exchange.caller)(text)
            if len(text) >= QUOTED:
                verdict.reason = verdict.reason.replace(text, "…")
        told.append(verdict)


class Elsewhere(Unsupported):
    """A target may not be asked this; another one may."""

    code = Blocked.code


def _words(error: GatewayError) -> str:
    """Why whoever was to be asked was not, or did not answer; never what a provider says, which may quote the text."""
    if isinstance(error, ProviderError) and not isinstance(error, NoCredentials):
        return f"{error.code} ({error.status})"
    return f"{error.code}: {error.message}"


def elsewhere(error: Refused) -> Elsewhere:
    """For an attempt at one target."""
    made = Elsewhere(error.message)
    made.status = error.status
    return made


def within(found: list[Drawn], bounds: Sequence[Bound]) -> list[Drawn]:
    """What is drawn now, of parts of texts that go on."""
    for _, place, each in sorted(found, key=lambda drawn: -drawn[2].end):
        bound = bounds[place]
        if each.end > bound.clear:
            bound.clear = max(min(bound.clear, each.start), bound.since)
    return [each for each in found if bounds[each[1]].since < each[2].end <= bounds[each[1]].clear]


def _meant(policy: Policy, passages: Sequence[Passage]) -> Sequence[int]:
    """The passages that it is about."""
    parts, roles = policy.parts, policy.roles
    if parts is None and roles is None:
        return range(len(passages))
    return [
        place
        for place, each in enumerate(passages)
        if (parts is None or each.part in parts) and (roles is None or each.role in roles)
    ]


def refused(policy: Policy, found: Finding) -> Refused:
    """What the client is told: the policy and the category, never what was found."""
    error = Refused(f"the policy {policy.name!r} blocks this: {found.category}")
    error.status, error.answer = policy.status, policy.refusal
    return error
