"""Finds names, addresses and other personal data that only words tell, in any text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from headgate.redaction.names import context
from headgate.redaction.names.found import KINDS, THRESHOLD, Found, apart
from headgate.redaction.names.model import KINDS as NAMED
from headgate.redaction.names.model import Model, Word
from headgate.redaction.names.tokens import WORD

PERSON = NAMED.index("person")
PLACES = frozenset(("address", "location"))
PARTING = ",;:-\n "
BETWEEN = " \t\r\n,.;-/()"
"""Stands between the parts of an address."""
SHORT = 4
"""Letters of a name that is known again by itself."""


@cache
def _model() -> Model:
    """One for all: it takes time to read, and room."""
    return Model()


class Recogniser:
    def __init__(
        self, kinds: Collection[str] = KINDS, threshold: float = THRESHOLD, model: Model | None = None
    ) -> None:
        """`kinds`: only these of `found.KINDS`. A lower threshold finds more, and more that is none."""
        self.kinds = frozenset(kinds)
        self.threshold = threshold
        self._model = None if self.kinds.isdisjoint(NAMED) else model or _model()

    def find(self, text: str) -> list[Found]:
        """What is in a text, in order, none upon another."""
        words = WORD.findall(text)
        told = [each for each in context.find(text, words, self.kinds) if each.score >= self.threshold]
        if self._model is not None:
            named = self._named(self._model, text, words)
            if "address" in self.kinds and "location" not in self.kinds:
                named = _whole(text, named)
            told += (each for each in named if each.kind in self.kinds)
        return apart(told)

    def _named(self, model: Model, text: str, words: Sequence[str]) -> list[Found]:
        labelled = model.label(words, model.lexicon.spans(words))
        _again(words, labelled, self.threshold)
        at, place = 0, -1
        found: list[Found] = []
        for now, label in sorted(labelled.items()):
            if label.score < self.threshold:
                continue
            for each in words[place + 1 : now + 1]:
                at = text.index(each, at) + len(each)
            kind, word = NAMED[label.kind], words[now]
            if found and place == now - 1 and _goes_on(found[-1].kind, kind, words[place], word):
                start, _, _, score = found.pop()
                found.append(Found(start, at, kind, max(score, label.score)))
            else:
                found.append(Found(at - len(word), at, kind, label.score))
            place = now
        return [_trimmed(text, each) for each in found]


def _trimmed(text: str, found: Found) -> Found:
    """Without what parts it from what follows."""
    value = text[found.start : found.end]
    start = found.start + len(value) - len(value.lstrip(PARTING))
    return Found(start, max(found.end - len(value) + len(value.rstrip(PARTING)), start + 1), found.kind, found.score)


def _whole(text: str, named: Sequence[Found]) -> list[Found]:
    """Towns and lands beside a street are part of the address, where they are not looked for by themselves."""
    kept: list[Found] = []
    for each in named:
        last = kept[-1] if kept else None
        if (
            last is not None
            and {last.kind, each.kind} <= PLACES
            and not text[last.end : each.start].strip(BETWEEN)
            and (last.kind, each.kind) != ("location", "location")
        ):
            kept[-1] = Found(last.start, each.end, "address", max(last.score, each.score))
        else:
            kept.append(each)
    return kept


def _again(words: Sequence[str], labelled: dict[int, Word], threshold: float) -> None:
    """Who was named in full is known again by one of the names."""
    known: dict[str, Word] = {}
    for place, label in labelled.items():
        before = labelled.get(place - 1)
        if before is not None and label.kind == before.kind == PERSON:
            known |= {words[place - 1]: before, words[place]: label}
    sure = {
        word: each
        for word, each in known.items()
        if each.score >= threshold and len(word) >= SHORT and word[0].isupper()
    }
    for place, word in enumerate(words) if sure else ():
        if word in sure and (place not in labelled or labelled[place].score < threshold):
            labelled[place] = sure[word]


def _goes_on(kind: str, now: str, word: str, following: str) -> bool:
    """A town behind its postcode is a place of its own."""
    return kind == now and (kind != "location" or word.isdigit() == following.isdigit())
