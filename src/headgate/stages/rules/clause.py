"""Clauses: what may not be done, in CEL, of a request or of a request and who would be given it.

A clause without an answer (a list without an entry that it asks for) forbids: what cannot be shown to be allowed is
not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from headgate.core.record import Violated
from headgate.core.target import Target
from headgate.stages.rules.expression import TOPIC, Compiler, Expression, Undecided, Values
from headgate.stages.rules.subject import ROUTED, Variable, variables


class Served:
    """What a clause may ask about a target."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)()

    def target(self) -> str:
        """Who would be given the request: `provider/model`."""
        return self._target.name

    def provider(self) -> str:
        """The provider's name in the configuration."""
        return self._target.provider.name

    def traits(self) -> list[str]:
        """What is so of it: `traits` of the provider and the target."""
        return sorted(self._target.traits)


SERVED = variables(Served)


def asked() -> dict[str, Variable]:
    """What clauses may ask, by name."""
    return {**{name: each for name, each in variables().items() if name not in TOPIC}, **SERVED}


def compiler(lists: Mapping[str, Sequence[str]]) -> Compiler:
    """`lists`: of words, by name."""
    return Compiler({name: each.kind for name, each in asked().items()}, lists)


@dataclass(slots=True, frozen=True)
class Clause:
    """It forbids what `deny` holds for."""

    name: str
    deny: Expression
    says: str
    """In words, for whom it stands in the way of."""
    law: str = ""
    """Where it comes from: `GDPR Art. 44`."""
    mode: Literal["enforce", "monitor"] = "enforce"

    @property
    def served(self) -> bool:
        """Whether it is about who would be given a request, not about the request alone."""
        return not SERVED.keys().isdisjoint(self.deny.names)

    def due(self, target: Target | None) -> bool:
        """Whether it is looked at for a target, or (None) before there is one. A class of data may be that of a name
        which a rule has chosen meanwhile."""
        return self.served is (target is not None) or (target is not None and ROUTED in self.deny.names)

    def why(self) -> str:
        """As the words of a refusal."""
        source = f" ({self.law})" if self.law else ""
        return f"clause {self.name}{source}: {self.says}"

    def violated(self, values: Values) -> bool:
        try:
            return self.deny.holds(values)
        except Undecided:
            return True


class Both:
    """Variables of a request and of a target."""

    __slots__ = ("_served", "_subject")

    def __init__(self, subject: Values, served: Values) -> None:
        self._subject = subject
        self._served = served

    def __getitem__(self, name: str) -> Any:
        return (self._served if name in SERVED else self._subject)[name]


class Case:
    """Implements core.needs.Law: what clauses forbid, of one request."""

    __slots__ = ("_clauses", "_known", "_notes", "_subject")

    def __init__(self, clauses: Sequence[Clause], subject: Values, notes: list[Violated]) -> None:
        """What is found to be violated is put into `notes`."""
        self._clauses = clauses
        self._subject = subject
        self._notes = notes
        self._known: dict[Target, str | None] = {}

    def forbids(self, target: Target) -> str | None:
        if target not in self._known:
            self._known[target] = self._looked(Both(self._subject, Served(target)), target)
        return self._known[target]

    def refused(self) -> str | None:
        """Why nobody may be given the request."""
        return self._looked(self._subject, None)

    def _note(self, clause: Clause, target: Target | None) -> None:
        note = Violated(clause.name, clause.mode, target.name if target is not None else None)
        if note not in self._notes:
            self._notes.append(note)

    def _looked(self, values: Values, target: Target | None) -> str | None:
        """By the first clause that is in force; all that are violated are noted."""
        first = None
        for clause in self._clauses:
            if not clause.due(target):
                continue
            doubt = ""
            try:
                if not clause.deny.holds(values):
                    continue
            except Undecided as undecided:
                doubt = f" (it cannot be decided: {undecided})"
            self._note(clause, target if clause.served else None)
            if clause.mode == "enforce" and first is None:
                first = clause.why() + doubt
        return first


class Written(Protocol):
    """A clause as the configuration has it."""

    name: str
    deny: str
    says: str
    law: str
    mode: Literal["enforce", "monitor"]


def compiled(clauses: Sequence[Written], lists: Mapping[str, Sequence[str]]) -> list[Clause]:
    """`lists`: of words, by name. Raises Wrong."""
    by = compiler(lists)
    return [Clause(each.name, by.compile(each.deny), each.says, each.law, each.mode) for each in clauses]


def version(clauses: Sequence[Written], lists: Mapping[str, Sequence[str]]) -> str:
    """Of all of them as they are written, with the lists of words that they name; the same where they are the same."""
    named = [(name, words) for name, words in sorted(lists.items()) if any(name in each.deny for each in clauses)]
    written = [named, [(each.name, each.deny, each.says, each.law, each.mode) for each in clauses]]
    return hashlib.blake2b(repr(written).encode(), digest_size=6).hexdigest()
