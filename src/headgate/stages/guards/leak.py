"""Replies that give away the system prompt, or a secret string that was put into it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

_ALONE = "\u0e00-\u0e7f\u2e80-\u9fff\uac00-\ud7af"
WORD = re.compile(f"[{_ALONE}]|[^\\W_{_ALONE}]+")
"""Of writings without white space each character is one."""
LETTERS = 9
"""A word has at the most, and what is between it and the next, in a text of many."""
FEWEST = 5
"""Words of a system prompt that is shorter than a run: all of it, but no less."""
CANARY = "canary"


class Note(NamedTuple):
    """What to look for in a reply."""

    runs: frozenset[int]
    """Hashes of words in a row."""
    words: int
    """So many in a row."""
    marks: Sequence[str]


class LeakSettings(GuardSettings):
    words: int = pydantic.Field(
        12,
        ge=4,
        le=100,
        description="So many consecutive words of the system prompt give it away, in whatever capitals and "
        "punctuation. What the user said, too, does not.",
    )
    marks: list[Annotated[str, pydantic.Field(min_length=6)]] = pydantic.Field(
        default_factory=list,
        description="Strings that stand in your prompts and documents and that no reply may hold, however they are "
        "spaced or written.",
    )
    canary: bool = pydantic.Field(
        False,
        description="Add such a string to each system prompt, the same to the same prompt. The request is changed by "
        "that, and its prompt cached under another name.",
    )


class Leak(Guard):
    """Compared word for word, also where the reply writes it in base64, backwards or spaced out. What is translated or
    retold is not found. Of a stream so much is held back as the words may be long."""

    Settings = LeakSettings
    compares = True
    needs = {"re2": "injection"}
    added = frozenset({CANARY})

    def __init__(self, settings: LeakSettings) -> None:
        self._words = settings.words
        self._marks = [_letters(each) for each in settings.marks]
        if not all(self._marks):
            raise ValueError("a mark needs letters or digits")
        self._canary = settings.canary
        self._name = f"leak {id(self)}"
        self.hold = max(settings.words * LETTERS * 2, *(8 * len(each) for each in settings.marks), 64)

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        if passages and passages[0].side == "request":
            return self._asked(passages, asked)
        note = asked.notes.get(self._name) or Note(frozenset(), 1, ())
        found = []
        for index, passage in enumerate(passages):
            if passage.part not in ("thinking", "system"):  # of the latter some APIs say in a reply what was asked
                leaks = self._leaks(passage.text, note)
                found += [Finding(index, start, end, "prompt_leak", 1.0, reason) for start, end, reason in leaks]
        return found

    def _asked(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        """What to look for in the reply, and the canary."""
        prompts = [(index, each.text) for index, each in enumerate(passages) if each.part == "system"]
        secret = [*(text for _, text in prompts), asked.instructions]
        counts = [len(WORD.findall(text)) for text in secret]
        count = min([self._words, *(each for each in counts if each >= FEWEST)])
        runs = {run for text in secret for run, _, _ in _runs(text, count)}
        for each in passages:
            if runs and each.part == "text" and each.role == "user":
                runs -= {run for run, _, _ in _runs(each.text, count)}
        marks, found = list(self._marks), []
        if self._canary and prompts:
            index, text = prompts[0]
            mark = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"headgate").hexdigest()
            marks.append(mark)
            end = len(text)
            found.append(
                Finding(index, end, end, CANARY, 1.0, "added to the system prompt", "replace", f"\n\n[{mark}]")
            )
        asked.notes[self._name] = Note(frozenset(runs), count, marks)
        return found

    def _leaks(self, text: str, note: Note) -> Iterator[tuple[int, int, str]]:
        from headgate.injection.reading import read

        spans = [(start, end) for run, start, end in _runs(text, note.words) if run in note.runs] if note.runs else []
        if spans:
            yield spans[0][0], spans[-1][1], f"{note.words} words of the system prompt"
            return
        if not (note.runs or note.marks or self._marks):
            return
        reading = read(text)
        for view in reading.views[text.isascii() :]:
            if note.runs and any(run in note.runs for run, _, _ in _runs(view.text, note.words)):
                yield (
                    0,
                    len(text),
                    f"words of the system prompt, written in {', '.join(sorted(view.hows)) or 'other letters'}",
                )
                return
        if any(mark in _letters(view.text) for view in reading.views for mark in note.marks or self._marks):
            yield 0, len(text), "a string that no reply may hold"


def _runs(text: str, count: int) -> Iterator[tuple[int, int, int]]:
    """Each run of so many words, as a hash, and where it is."""
    words = [(match.start(), match.end(), match[0].lower()) for match in WORD.finditer(text)]
    for at in range(len(words) - count + 1):
        part = words[at : at + count]
        yield hash(tuple(word for _, _, word in part)), part[0][0], part[-1][1]


def _letters(text: str) -> str:
    """However it is spaced and capitalised."""
    return "".join(WORD.findall(text)).lower()
