"""Looks at passages with a finder: places in characters, names of fields as words that stand before, streams."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec.structs import replace

from headgate.core.guard import Finding, Passage
from headgate.core.plugin import suggestion
from headgate.redaction.finder import Finder
from headgate.redaction.kinds import chosen, groups, pack
from headgate.redaction.kinds import names as packs
from headgate.redaction.labels import CALLED, NAMED
from headgate.redaction.names.found import Finder as Names
from headgate.redaction.pattern import Evidence

HOLD = 160
"""Characters before what is looked at that may still tell what it is."""
FIELD = 64
"""Characters up to which the name of a text's field may tell what it is."""
TOKEN = 4096
"""Characters without white space that are held back: keys are as long, and tokens."""
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
"""Between the words of the name of a field."""
WORD = re.compile(r"[^\s\u2e80-\uffff]+")
"""Without white space, and of a writing that has some."""
SPACE = re.compile(r".*[\s\u2e80-\uffff]", re.DOTALL)
"""Up to the last that is no part of a word."""
NUMBER = re.compile(r"[\d(+]")
MONTH = 9
"""Letters of the longest."""
LONGEST = 16_384
"""Characters of a private key, at most."""
BLOCK = "-----BEGIN"
OPEN = re.compile(
    r"-----BEGIN[ A-Z0-9_]{0,40}-{0,5}"
    r"(?:(?:\s|\\[nr]?|[\"',|>#*]){0,16}+"
    r"(?:[A-Za-z0-9+/=]{12,}+|(?:Proc-Type|DEK-Info|Version|Comment): ?+[^\n\\]{0,80}+))*"
    r"(?:\s|\\[nr]?|[\"',|>#*]){0,16}+(?:[A-Za-z0-9+/=-]{0,40}|-----END[ A-Z0-9_]{0,40}-{0,4})"
)
"""A private key of which more may follow: its head, lines of base64, and a part of its end. Nothing in it is tried a
second time in another way, which would take forever."""
LONG = 8192
"""Characters of names that are looked for in one turn: some milliseconds."""
PHRASE, LABEL = 80, 40
"""Characters of a password of several words, and of what stands before it, at most."""
PASSWORD = re.compile(rf"(?i)(?:{NAMED}|{CALLED})[\"'\\]{{0,3}}(?: is| was| are)?[ \t:=>\\]{{1,8}}\Z")
"""What stands before its quotes."""
LAST = 4
"""Words that tell what the one before them is."""
SAID = "it reads like one, by its words and those around it"
REASONS: Mapping[Evidence, str] = {
    "checksum": "its check digits are right",
    "context": "words near it say so",
    "checksum and context": "its check digits are right, and words near it say so",
    "pattern": "it has the form of one",
}


def finder(
    of: Sequence[str], kinds: Collection[str] | None, also: Collection[str], less: Collection[str], threshold: float
) -> Finder:
    """The finder of some packs. `kinds`: only these kinds and groups; `also`: these, too; `less`: not these.

    Raises ValueError where there are no such packs and kinds.
    """
    known(of, packs(), "pack")
    grouped = groups(of)
    every = {*grouped, *(kind for each in grouped.values() for kind in each)}
    known([*(kinds or ()), *also, *less], sorted(every), "kind")
    patterns, shapes = chosen(of, kinds)
    if also:
        more = chosen(of, also)
        patterns += [each for each in more[0] if each not in patterns]
        shapes += [each for each in more[1] if each not in shapes]
    optional = {kind for name in of for kind in pack(name).optional}
    out = {*less, *(kind for each in less for kind in grouped.get(each, ()) if kind not in optional or kind in less)}
    return Finder(
        [each for each in patterns if each.kind not in out],
        [each for each in shapes if each.kind not in out],
        threshold,
    )


def known(said: Collection[str], there: Sequence[str], what: str) -> None:
    """Raises ValueError, with a suggestion, for what is not there."""
    for each in said:
        if each not in there:
            raise ValueError(f"there is no {what} `{each[:40]}`; {suggestion(each, there)}")


def looked(finder: Finder, passages: Sequence[Passage]) -> list[Finding]:
    """What is in them. What a short text is, the name of its field may tell: `{"phone": "5551234567"}`."""
    found: list[Finding] = []
    for index, passage in enumerate(passages):
        text = passage.text
        before = _field(passage) if len(text) <= FIELD else ""
        data = (before + text).encode("utf-8", "surrogatepass")
        said = finder.find(data)
        if not said:
            continue
        shift, plain, at, place = len(before), len(data) == len(before) + len(text), 0, 0
        for start, end, kind, score, proof in said:
            if plain:
                first, last = start, end
            else:
                first = place + len(data[at:start].decode("utf-8", "surrogatepass"))
                last = first + len(data[start:end].decode("utf-8", "surrogatepass"))
                at, place = end, last
            if last > shift:
                found.append(Finding(index, max(first - shift, 0), last - shift, kind, score, REASONS[proof]))
    return found


def with_names(found: Sequence[Finding], names: Names, passages: Sequence[Passage]) -> list[Finding]:
    """What was found, and names: where two overlap, both of them together, by the name of the longer one."""
    named = [each for index, passage in enumerate(passages) for each in _named(index, passage, names)]
    return _apart([*found, *named])


async def with_names_in_turns(found: Sequence[Finding], names: Names, passages: Sequence[Passage]) -> list[Finding]:
    """The same of long texts, piece by piece: others have their turn between two."""
    named: list[Finding] = []
    for index, passage in enumerate(passages):
        for start, end in _pieces(passage.text):
            named += _named(index, passage, names, start, end)
            await asyncio.sleep(0)
    return _apart([*found, *named])


def _named(index: int, passage: Passage, names: Names, start: int = 0, end: int | None = None) -> Iterator[Finding]:
    text = passage.text[start:end]
    before = _field(passage) if len(text) <= FIELD else ""
    shift = start - len(before)
    for first, last, kind, score in names.find(before + text):
        if last + shift > start:
            yield Finding(index, max(first + shift, start), last + shift, kind, score, SAID)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Whole lines, or sentences, or words, of which together there are not too many for one turn."""
    at = 0
    while len(text) - at > LONG:
        ends = (text.rfind(end, at + LONG // 2, at + LONG) + len(end) for end in ("\n", ". ", " "))
        end = next((each for each in ends if each > at + LONG // 2), at + LONG)
        yield at, end
        at = end
    yield at, len(text)


def _apart(every: list[Finding]) -> list[Finding]:
    every.sort(key=lambda each: (each.passage, each.start))
    kept = every[:1]
    for each in every[1:]:
        last = kept[-1]
        if each.passage != last.passage or each.start >= last.end:
            kept.append(each)
        else:
            longer = max(last, each, key=lambda one: one.end - one.start)
            kept[-1] = replace(longer, start=last.start, end=max(last.end, each.end))
    return kept


def clear_of_names(text: str) -> int:
    """Up to where no name or address goes on in the text of a stream: four words are held back, and before them those
    with capitals and numbers."""
    since = max(len(text) - HOLD, 0)
    words = [match.start() for match in WORD.finditer(text, since)]
    at = max(len(words) - LAST, 0)
    while at and (text[words[at - 1]].isupper() or text[words[at - 1]].isdigit()):
        at -= 1
    return words[at] if words else len(text)


def clear(text: str) -> int:
    """Up to where nothing in the text of a stream can become part of a finding any more: a word that is not over, and
    before it numbers in parts and dates, `4111 1111 11`, `3 May 19`."""
    block = text.rfind(BLOCK)
    if len(text) - LONGEST <= block >= 0 and OPEN.fullmatch(text, block):
        return block
    since = max(len(text) - HOLD, 0)
    words = [match.span() for match in WORD.finditer(text, since)]
    at = len(text)
    if words and words[-1][1] == at:
        at = words.pop()[0]
        if at == since > 0:  # a word so long that it began before
            began = SPACE.match(text, max(since - TOKEN, 0), since)
            return began.end() if began else max(since - TOKEN, 0)
    while words:
        start, end = words.pop()
        if "\n" in text[end:at]:
            break
        if not NUMBER.search(text, start, end):
            if end - start > MONTH or not words or not NUMBER.search(text, *words[-1]):
                break
            start = words.pop()[0]
        at = start
    return at


def clear_of_quotes(text: str) -> int:
    """Up to where no password of several words goes on, `"password": "correct horse ba`: to its open quotes."""
    since = max(len(text) - PHRASE, 0)
    at = max(text.rfind('"', since), text.rfind("'", since))
    opens = at > 0 and text[at - 1] in " =:\\\t" and PASSWORD.search(text, max(at - LABEL, 0), at)
    return at + 1 if opens else len(text)


def _field(passage: Passage) -> str:
    name = passage.path[-1] if passage.path else ""
    return f"{WORDS.sub(' ', name)}: " if isinstance(name, str) and 1 < len(name) <= FIELD else ""
