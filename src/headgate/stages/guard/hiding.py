"""Put surrogates in the place of what is not to be shown, wherever it stands."""

from __future__ import annotations

import re
import secrets
from bisect import bisect_right
from collections.abc import Mapping, MutableMapping, Sequence
from typing import NamedTuple

from headgate.core.exchange import Exchange
from headgate.core.guard import Passage
from headgate.core.vault import Session, Taken, Vault, Wanted
from headgate.stages.guard.changing import Edit

LEAST = 4
"""Characters from which on a value is looked for elsewhere, too."""
GROWING = frozenset((name,) for name in ("messages", "contents", "input", "prompt", "chat_history"))
"""Where a conversation goes on: what stands there is numbered last, so that numbers stay as they are."""
KEPT = ("previous_response_id", "conversation", "cachedContent", "previous_interaction_id")
"""Fields that name what the provider keeps of a conversation."""
FEW = 50
"""Values that are looked for one after the other, which takes time in proportion to their number and the text."""
WORDS = re.compile(r"[^\W_]+")
FAR, MANY = 1000, 900_000
LITERAL = "text"
"""The category of what looks like a surrogate of the session's and is the client's own word."""


class Span(NamedTuple):
    """Something in a text."""

    start: int
    end: int
    category: str
    make: bool = False
    """Something like it is to stand in its place."""


Places = Mapping[int, Sequence[Span]]
"""Spans by passage."""


def first_number(exchange: Exchange) -> int:
    """That no surrogate has of what a provider keeps, of which nothing is known here: a conversation, or files, threads
    and whatever else is sent unread."""
    kept = exchange.passing is not None or any(exchange.fields.get(name) for name in KEPT)
    return far() if kept else 1


def far() -> int:
    """A number that nothing has had, and nothing near it."""
    return 1 + FAR + secrets.randbelow(MANY)


def hide(
    vault: Vault,
    passages: Sequence[Passage],
    spans: Places,
    edits: MutableMapping[int, list[Edit]],
    *,
    fresh: bool = False,
) -> None:
    """Add the edits that hide these spans, and their texts wherever else they stand. `fresh`: nothing has been hidden
    yet, and no surrogates stand there."""
    taken = Taken([each.text for each in passages])
    known, found = _places(vault, passages, spans, fresh=fresh)
    _hide(vault, passages, taken, known, found, edits)


async def hide_in_session(
    session: Session,
    vault: Vault,
    passages: Sequence[Passage],
    spans: Places,
    edits: MutableMapping[int, list[Edit]],
    *,
    fresh: bool = False,
) -> None:
    """The same, and all that has been hidden in the session before. Raises VaultAway."""
    taken = Taken([each.text for each in passages])
    known, found = _places(vault, passages, spans, fresh=fresh)
    wanted = [
        Wanted(each.category, passages[place].text[each.start : each.end], each.make)
        for place, here in found.items()
        for each in here
    ]
    await session.assign(vault, wanted, taken)
    _hide(vault, passages, taken, known, found, edits)


def _places(
    vault: Vault, passages: Sequence[Passage], spans: Places, *, fresh: bool
) -> tuple[Sequence[Sequence[Span]], Places]:
    """Of each passage where surrogates stand already; and what is to be hidden, in the order in which it is given
    any."""
    known: list[list[Span]] = [[] if fresh else standing(vault, each.text) for each in passages]
    found: dict[int, Sequence[Span]] = {}
    for place in sorted(spans, key=lambda place: (passages[place].path[:1] in GROWING, place)):
        found[place] = [part for span in joined(spans[place]) for part in beside(span, known[place])]
    return known, found


def _hide(
    vault: Vault,
    passages: Sequence[Passage],
    taken: Taken,
    known: Sequence[Sequence[Span]],
    found: Places,
    edits: MutableMapping[int, list[Edit]],
) -> None:
    values = {value: said for value, said in vault.past.items() if taken.holds(value)} if vault.past else {}
    covered: dict[int, Sequence[Span]] = {}
    for place, here in found.items():
        covered[place] = sorted([*here, *known[place]])
        text = passages[place].text
        for start, end, category, make in here:
            value = text[start:end]
            instead = values[value] = vault.surrogate(category, value, taken, make=make)
            edits.setdefault(place, []).append((start, end, instead))
    longest = sorted((value for value in values if len(value) >= LEAST), key=len, reverse=True)
    for place, each in enumerate(passages if longest else ()):
        bare = _without(each.text, covered.get(place, known[place]))
        for value in longest:
            if value in bare:
                more = _elsewhere(bare, each.text, value)
                if more:
                    edits.setdefault(place, []).extend((start, end, values[value]) for start, end, *_ in more)
                    bare = _without(bare, more)


def _without(text: str, covered: Sequence[Span]) -> str:
    """The text with nothing but NUL in these spans, which are in order: values are not looked for there any more."""
    parts: list[str] = []
    at = 0
    for start, end, *_ in covered:
        parts += (text[at:start], "\0" * (end - start))
        at = end
    return "".join((*parts, text[at:])) if covered else text


def _elsewhere(bare: str, text: str, value: str) -> list[Span]:
    """Where a value stands as a word of its own."""
    found = []
    at = bare.find(value)
    while at >= 0:
        end = at + len(value)
        if not (text[at - 1 : at].isalnum() and value[0].isalnum()) and not (
            text[end : end + 1].isalnum() and value[-1].isalnum()
        ):
            found.append(Span(at, end, ""))
        at = bare.find(value, end)
    return found


def standing(vault: Vault | None, text: str) -> list[Span]:
    """Where surrogates stand already, from a look before this one."""
    if vault is None or not vault.numbers:
        return []
    return joined([Span(each.start, each.end, "") for each in vault.met(text)])


def literal(vault: Vault, text: str) -> list[Span]:
    """Where the client itself says something that stands for a value of the session."""
    return [Span(each.start, each.end, LITERAL) for each in vault.met(text)]


def beside(span: Span, others: Sequence[Span]) -> list[Span]:
    """What of it is in none of the others, which are in order."""
    parts: list[Span] = []
    at = span.start
    for start, end, *_ in others[bisect_right(others, at, key=lambda other: other.end) :]:
        if start >= span.end:
            break
        if start > at:
            parts.append(span._replace(start=at, end=start))
        at = end
    return [*parts, span._replace(start=at)] if at < span.end else parts


def joined(spans: Sequence[Span]) -> list[Span]:
    """In order; those that overlap are one, by the name of the longest."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        last = kept[-1] if kept else None
        if last is not None and span.start < last.end:
            longer = last if last.end - last.start >= span.end - span.start else span
            kept[-1] = longer._replace(start=last.start, end=max(last.end, span.end))
        else:
            kept.append(span)
    return kept
