"""Finds what packs describe: one automaton says which patterns occur, only these are looked for, then checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from headgate.redaction.pattern import Evidence, Pattern, Shape, expression

MEMORY = 128 << 20
"""Bytes that an automaton may take; it is made as far as texts need it."""
BEFORE, AFTER = 64, 24
"""Bytes around a candidate in which words make it surer."""
NEAR, NEAR_PROVED, BEHIND = 0.9, 0.99, 0.05
"""Scores with such a word; how much less one behind counts."""
SURE = 0.97
"""What has a part of this is not looked at again."""
DOUBT = 0.55
"""By how much less is likely what a word says to be another thing."""
OTHERWISE = re.compile(
    rb" (?:order|tracking|track|reference|referencia|ref|part|invoice|ticket|sku|isbn|issn|ean|version|commit|build|"
    rb"case|item|model|serial|hash|digest|checksum|sha\d*|md5|ts|timestamp|epoch|revision|port|pid|bytes|size|offset|count|"
    rb"total|price|eur|usd)(?: (?:no|number|nr|id|code|num))?[ :]{1,3}\Z"
)
"""What stands before a number that is none of anybody's."""
WORD = re.compile(rb"[0-9A-Za-z]*")
CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")
SEPARATORS = b" -./()+*:"
FOLD = bytes(57 if chr(byte).isdigit() else 65 if chr(byte).isalpha() and byte < 128 else byte for byte in range(256))
"""Every digit a `9`, every letter an `A`."""
PLAIN = bytes(byte if byte > 127 else ord(chr(byte).lower()) if chr(byte).isalnum() else 32 for byte in range(256))
CAPITALS = bytes(range(256)).upper()


class Found(NamedTuple):
    """Where something is, in bytes of the text's UTF-8."""

    start: int
    end: int
    kind: str
    score: float = 1.0
    """From 0 to 1, how sure it is."""
    proof: Evidence = "pattern"


class Finder:
    """Takes time in proportion to the text, whatever it is: RE2, and checks of bounded pieces."""

    def __init__(self, patterns: Sequence[Pattern], shapes: Sequence[Shape] = (), threshold: float = 0.5) -> None:
        """`threshold`: what is less sure is not found."""
        self.patterns = patterns
        self.threshold = threshold
        self._table: dict[bytes, list[Shape]] = {}
        for shape in shapes:
            for each in shape.all():
                self._table.setdefault(each.encode(), []).append(shape)

    @cached_property
    def _compiled(self) -> tuple[Any, list[Any]]:
        """The automaton, and the expressions: the last is that of the shapes."""
        import re2

        options = re2.Options()
        options.max_mem = MEMORY
        longest = re2.Options()
        longest.longest_match = True
        said = [each.expression for each in self.patterns]
        compiled = [re2.compile(each, options) for each in said]
        if self._table:
            said.append(rf"\b(?:{'|'.join(expression(each.decode()) for each in sorted(self._table))})\b")
            compiled.append(re2.compile(said[-1], longest))
        gate = re2.Set.SearchSet(options)
        gate.Add("")  # is in every text: where it is not found, the automaton has failed
        for each in said:
            gate.Add(each)
        gate.Compile()
        return gate, compiled

    def find(self, data: bytes) -> list[Found]:
        """What is in a text, in order. Where some overlap, it is all of them together, by the name of the surest."""
        gate, expressions = self._compiled
        hit = gate.Match(data)
        if hit is not None and len(hit) == 1:
            return []
        found: list[Found] = []
        for place in range(len(expressions)) if hit is None else sorted(each - 1 for each in hit if each):
            if place < len(self.patterns):
                self._matched(found, data, self.patterns[place], expressions[place])
            else:
                self._shaped(found, data, expressions[place])
        return together(found) if len(found) > 1 else found

    def _matched(self, found: list[Found], data: bytes, pattern: Pattern, expression: Any) -> None:
        check, sign, group = pattern.check, pattern.sign, expression.groups and 1
        at, known = 0, sure(found)
        while (not sign or data.find(sign, at) >= 0) and (match := expression.search(data, at)):
            start, end = match.span(group)
            if known and within(known, start, end):
                at = end
                continue
            if check is not None:
                end = check(data, start, end)
            if end <= start:
                at = -end if end < 0 else _behind(data, start)
                continue
            at = end
            alone = pattern.alone if isinstance(pattern.alone, float) else pattern.alone(data[start:end])
            proof: Evidence = "checksum" if pattern.checksum else "pattern"
            score = alone
            if pattern.words:
                score, proof = weighed(pattern, alone, *around(data, start, end))
            if score >= self.threshold:
                found.append(Found(start, end, pattern.kind, score, proof))

    def _shaped(self, found: list[Found], data: bytes, expression: Any) -> None:
        at, known = 0, sure(found)
        while match := expression.search(data, at):
            start, end = match.span()
            if known and within(known, start, end):
                at = end
                continue
            best = self._best(data, start, end) if whole(data, start, end) else None
            if best is None:
                at = _behind(data, start)
                continue
            at = end
            found.append(best)

    def _best(self, data: bytes, start: int, end: int) -> Found | None:
        """The likeliest of what has this shape and passes its check."""
        text = data[start:end]
        number = text.translate(CAPITALS, SEPARATORS)
        passed = [
            each for each in self._table.get(text.translate(FOLD), ()) if each.check is None or each.check(number)
        ]
        if not passed:
            return None
        before, after = around(data, start, end)
        _, (score, proof), shape = max(
            ((nearest(each, before), weighed(each, each.alone, before, after), each) for each in passed),
            key=lambda one: (one[1][0], one[0]),
        )
        return Found(start, end, shape.kind, score, proof) if score >= self.threshold else None


def sure(found: list[Found]) -> list[Found]:
    """What is so sure that no part of it would be surer by another name, the first one last."""
    return sorted((each for each in found if each.score >= SURE), reverse=True) if found else []


def within(known: list[Found], start: int, end: int) -> bool:
    """Whether it is a part of one of them; those before it are forgotten."""
    while known and known[-1].end <= start:
        known.pop()
    return bool(known) and known[-1].start <= start and end <= known[-1].end


def around(data: bytes, start: int, end: int) -> tuple[bytes, bytes]:
    """What stands before and behind, in small letters, with a space for whatever is none."""
    before = CAMEL.sub(b" ", data[max(start - BEFORE, 0) : start])
    return (
        b" " + before.translate(PLAIN) + b" ",
        b" " + data[end : end + AFTER].translate(PLAIN) + b" ",
    )


def weighed(rule: Pattern | Shape, alone: float, before: bytes, after: bytes) -> tuple[float, Evidence]:
    """How sure something is, and what by."""
    near = NEAR_PROVED if rule.checksum else max(NEAR, alone)
    said: Evidence = "checksum and context" if rule.checksum else "context"
    if said_in(rule.words, before):
        return near, said
    if said_in(rule.words, after):
        return max(near - BEHIND, alone), said
    return alone * DOUBT if OTHERWISE.search(before) else alone, "checksum" if rule.checksum else "pattern"


def said_in(words: tuple[bytes, ...], text: bytes) -> bool:
    """Whether one of them stands there; a loop takes a third of what `any` does."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


def nearest(rule: Shape, before: bytes) -> int:
    """How near a word of its stands before; of two that are as sure, this one is meant."""
    return max((before.rfind(word) for word in rule.words), default=-1)


def whole(data: bytes, start: int, end: int) -> bool:
    """Whether it is no part of a longer number: a decimal, a list with the same separators, a date."""
    before, behind = data[max(start - 2, 0) : start], data[end : end + 2]
    separators = set(data[start:end].translate(None, b"0123456789")) | set(b"-./,")
    if len(before) == 2 and before[1] in separators and 48 <= before[0] <= 57:
        return False
    if (
        len(behind) == 2
        and behind[0] in separators
        and (48 <= behind[1] <= 57 or (behind[0] == 45 and behind[1:].isalpha()))
    ):
        return False
    return before[-1:] not in b"#$" or not before


def _behind(data: bytes, start: int) -> int:
    """Where the word ends that begins there: nothing else begins within it."""
    word = WORD.match(data, start + 1)
    return word.end() if word else start + 1


def together(found: list[Found]) -> list[Found]:
    found.sort()
    kept = [found[0]]
    for each in found[1:]:
        last = kept[-1]
        if each.start >= last.end:
            kept.append(each)
        else:
            surest = max(each, last, key=lambda one: (one.score, one.end - one.start))
            kept[-1] = surest._replace(start=last.start, end=max(last.end, each.end))
    return kept
