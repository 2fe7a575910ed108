"""Letters in the wrong order or shape: leetspeak, letters spaced out, strings in pieces, alphabets turned."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from string import ascii_lowercase, ascii_uppercase

WORDS = """
the and you are your for that with this have from not all will can what they but his out about which their would there
been one write tell now any new must was how who when should never answer say give show make please ignore previous
instructions instruction forget everything above system prompt rules secret password reveal text following pretend der
die das und ist nicht ein eine einen mit auf für sich dem den von auch werden alle ich sie wie was bitte ignoriere
vergiss anweisungen befehle schreibe les des une que pas pour dans est vous qui sur avec toutes ignorez oubliez
instructions écris los las una por para con todas ignora olvida instrucciones escribe cuál como che non per una sono
con tutte istruzioni alles het een van niet vergeet
"""
NATURAL = frozenset(WORDS.split())
"""Words that most texts have, and those that attacks have."""
LEAST = 3
"""Such words, of those within `NEAR` characters, from which on a text is taken for turned."""
NEAR = 240
LEET = str.maketrans("013457@$!|8", "oieastasilb")
MASKED = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*[013457])\w{2,12}\b|[A-Za-z]+[@$!|][A-Za-z]+")
NUMBER = re.compile(r"(?<!\w)\d{3,}(?!\w)|(?<!\w)\d+(?:[.,:/-]\d+)+(?!\w)")
SPACED = re.compile(r"(?<!\w)(?:\w(?: {1,4}|[.*_|~-] ?)){5,}\w(?!\w)")
PIECES = re.compile(r"""["']\s*(?:\+\s*|[;,\n]\s*[A-Za-z_]\w{0,20}\s*=\s*)["']""")
ZIGZAG = re.compile(r"\b\w*(?:[a-z][A-Z][a-z][A-Z]|[A-Z][a-z][A-Z][a-z])\w*")
WORD = re.compile(r"[^\W\d_]{2,}")


def _turned() -> Mapping[str, tuple[str, ...]]:
    """Natural words written in each of the other ways, with the ways' names."""
    found: dict[str, tuple[str, ...]] = {}
    for word in NATURAL:
        if not word.isascii():
            continue
        for how, turn in TURNS.items():
            turned = turn(word)
            if turned not in NATURAL and len(word) > 2:
                found[turned] = (*found.get(turned, ()), how)
    return found


def _rotate(by: int) -> Callable[[str], str]:
    low, high = ascii_lowercase, ascii_uppercase
    table = str.maketrans(low + high, low[by:] + low[:by] + high[by:] + high[:by])
    return lambda text: text.translate(table)


def _mirror(text: str) -> str:
    """Atbash: a is z, b is y."""
    return text.translate(
        str.maketrans(ascii_lowercase + ascii_uppercase, ascii_lowercase[::-1] + ascii_uppercase[::-1])
    )


TURNS: Mapping[str, Callable[[str], str]] = {
    "reversed": lambda text: text[::-1],
    "rot13": _rotate(13),
    "mirror": _mirror,
    **{f"rotated{by}": _rotate(by) for by in range(1, 26) if by != 13},
}
"""What turns a text; those that are no inverse of themselves have theirs by `_back`."""
TURNED = _turned()


def _back(how: str) -> Callable[[str], str]:
    return TURNS[f"rotated{26 - int(how[7:])}"] if how.startswith("rotated") else TURNS[how]


def undone(text: str, signs: Collection[str]) -> Iterator[tuple[str, str]]:
    """The text with each disguise that it seems to wear taken off, and what that is called.

    `signs`: of which the text has signs at all.
    """
    if "leet" in signs and len(NATURAL & {word.lower().translate(LEET) for word in MASKED.findall(text)}) >= LEAST - 1:
        yield "leet", "".join(_unmasked(text))
    if "case" in signs and len(set(ZIGZAG.findall(text))) >= LEAST - 1:
        yield "case", text.lower()
    if "spaced" in signs and (spaced := SPACED.sub(lambda run: _joined(run[0]), text)) != text:
        yield "spaced", spaced
    if "pieces" in signs:
        yield "pieces", PIECES.sub("", text)
    if "turned" in signs or "cipher" in signs:
        for how in _turns(text, 1 if "cipher" in signs else LEAST):
            yield how if how == "rot13" else how.rstrip("0123456789"), _back(how)(text)


def _unmasked(text: str) -> Iterator[str]:
    at = 0
    for number in NUMBER.finditer(text):
        yield text[at : number.start()].translate(LEET)
        yield number[0]
        at = number.end()
    yield text[at:].translate(LEET)


def _joined(run: str) -> str:
    """`i g n o r e   a l l` and `i.g.n.o.r.e a.l.l` as two words."""
    if re.search(r"[.*_|~-]", run):
        return re.sub(r"[.*_|~-](?! )", "", run)
    if "  " in run:
        return re.sub(r" {2,}", "\0", run).replace(" ", "").replace("\0", " ")
    return run.replace(" ", "")


def _turns(text: str, least: int) -> list[str]:
    """The ways in which a text may be turned, by so many words of everyday that it then has."""
    words = [(match.start(), match[0].lower()) for match in WORD.finditer(text)]
    seen: dict[str, list[tuple[int, str]]] = {}
    for place, word in words:
        for how in TURNED.get(word, ()):
            seen.setdefault(how, []).append((place, word))
    return [how for how, places in seen.items() if _close(places, least)]


def _close(places: list[tuple[int, str]], least: int) -> bool:
    for at in range(len(places) - least + 1):
        if len({word for place, word in places[at : at + 2 * least] if place - places[at][0] < NEAR}) >= least:
            return True
    return False
