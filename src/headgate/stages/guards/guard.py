"""The contract of a guard: it looks at passages of text and says what it finds in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import pydantic

from headgate.core.guard import Action, Asked, Finding, Passage, Side
from headgate.injection.characters import UNSEEN

__all__ = ["Action", "Asked", "Finding", "Guard", "GuardSettings", "Passage", "Side"]

Findings = Iterable[Finding]
MEMORY = 64 << 20
"""Bytes that an automaton may take."""


class GuardSettings(pydantic.BaseModel, extra="forbid"):
    """What a guard can be told: its fields are described in the reference."""


class Guard(ABC):
    """A guard of your own is a class like this, named in the configuration by its dotted path.

    One is made for each policy, and asked by all requests that the policy is about; it must be quick, or wait
    (`async def look`). What it keeps of a request stands in `asked.notes`.
    """

    Settings: ClassVar[type[GuardSettings]] = GuardSettings
    needs: ClassVar[Mapping[str, str]] = {}
    """Packages that not every installation has: the module, and the extra of headgate that brings it."""
    sides: ClassVar[frozenset[Side]] = frozenset({"request", "reply"})
    compares: ClassVar[bool] = False
    """It looks in replies for what it has seen in all of the request, so that it has to be shown both."""
    """What it can be asked about."""
    usual: ClassVar[Action] = "block"
    """What follows a finding, where the policy does not say it."""
    changes: ClassVar[bool] = False
    """Whether its findings may ask for a change themselves."""
    outside: ClassVar[bool] = False
    """Whether it asks others, by `asked.help`."""
    reveals: ClassVar[bool] = False
    """Whether a request says something else to other guards, and to models, once it has been changed: they look at it
    then."""
    calls: ClassVar[bool] = False
    """Whether it sees, of replies, calls of tools only, and each whole: a passage is all arguments of one, as JSON."""
    added: ClassVar[frozenset[str]] = frozenset()
    """Categories that are no findings, but what the guard adds to a request: a policy's `*` is not about them."""
    retries: int = 0
    """How often the model is asked again where findings in its answer have `advice`."""
    hold: int | None = 0
    """How many characters a finding may be long: so many of a stream are held back, until it is clear that they are not
    the beginning of one. None: it must see a reply whole, of which nothing is given before its end."""

    def __init__(self, settings: Any) -> None:  # noqa: B027 - many have nothing to keep
        """`settings` is one of `Settings`. Raises ValueError where they make no sense, which stops the start."""

    @abstractmethod
    def look(self, passages: Sequence[Passage], asked: Asked) -> Findings | Awaitable[Findings]:
        """What is in any of them: all that is to be looked at together, so that one call may do for all.

        Of a stream it is asked again and again, about what has come lately and has not been given yet, and as much
        before it as `hold` says.
        """

    def clear(self, text: str) -> int:
        """Up to where in the text of a stream nothing can become part of a finding any more by what follows it."""
        return len(text) - (self.hold or 0)


def seen(text: str) -> tuple[str, Sequence[int] | None]:
    """The text without characters that nobody sees, and the places of those that are left, and of the end; None where
    there are none."""
    if text.isascii() or UNSEEN.search(text) is None:
        return text, None
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for match in UNSEEN.finditer(text):
        parts.append(text[at : match.start()])
        places += range(at, match.start())
        at = match.end()
    places += range(at, len(text) + 1)
    return "".join((*parts, text[at:])), places


def within(places: Sequence[int] | None, start: int, end: int) -> tuple[int, int]:
    """Where in a text stands what is from `start` to `end` of what is seen of it."""
    return (start, end) if places is None else (places[start], places[end - 1] + 1)


def compiled(expression: str, *, case: bool = True, longest: bool = False, memory: int = MEMORY) -> Any:
    """An expression whose search takes time in proportion to the text, whatever that is (RE2). Raises ValueError.

    `memory`: bytes that it may take.
    """
    import re2

    options = re2.Options()
    options.case_sensitive, options.longest_match, options.max_mem = case, longest, memory
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        said = error.args[0]
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None
