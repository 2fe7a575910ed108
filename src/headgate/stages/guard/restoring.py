"""Give whoever asked back, in the reply, what was hidden of the question."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.exchange import Exchange
from headgate.core.guard import Asked, Finding, Passage
from headgate.core.vault import HELD, Vault
from headgate.stages.guard.changing import Edit
from headgate.stages.guard.judging import Bound, within
from headgate.stages.guard.passages import JSON_TEXT, escaped
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.replies import Gate
from headgate.stages.guards.guard import Guard

ASKED = Asked()
IDS = frozenset({("id",), ("response", "id")})
"""Where an answer says what it is called."""


def restorer(exchange: Exchange, vault: Vault, *, back: bool = True) -> Gate:
    """What the reply goes through last. `back`: anything may have to be put back in it."""
    guard = Restore(vault if back else Vault(session=vault.session))
    kind = Restorer if vault.session is None else Linking
    return Gate(kind(exchange, guard), [Policy("", guard, "", frozenset({"after"}))])


class Restore(Guard):
    """Finds the surrogates of a vault in what comes back."""

    hold = HELD

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        return [
            Finding(place, one.start, one.end, "", action="replace", instead=one.value)
            for place, passage in enumerate(passages)
            for one in self.vault.met(passage.text)
        ]

    def clear(self, text: str) -> int:
        return self.vault.clear(text)


class Restorer:
    """Implements Looking: nothing is said of it anywhere."""

    quoting = True

    def __init__(self, exchange: Exchange, guard: Restore) -> None:
        self.exchange = exchange
        self.changed: dict[str, None] = {}
        self.guard = guard

    async def look(
        self, policies: Sequence[Policy], passages: Sequence[Passage], bounds: Sequence[Bound] | None = None
    ) -> dict[int, list[Edit]]:
        found = [(policies[0], each.passage, each) for each in self.guard.look(passages, ASKED)]
        if bounds is not None:
            found = within(found, bounds)
        edits: dict[int, list[Edit]] = {}
        for _, place, each in found:
            said = each.instead or ""
            if bounds is None and JSON_TEXT.match(passages[place].text):  # parts of texts are written by who holds them
                said = escaped(said)
            edits.setdefault(place, []).append((each.start, each.end, said))
        return edits


class Linking(Restorer):
    """The same in a session, which may be named by the answer."""

    async def look(
        self, policies: Sequence[Policy], passages: Sequence[Passage], bounds: Sequence[Bound] | None = None
    ) -> dict[int, list[Edit]]:
        session = self.guard.vault.session
        if bounds is None and session is not None:
            for each in passages:
                if each.path in IDS:
                    await session.answered(each.text)
        return await super().look(policies, passages, bounds)
