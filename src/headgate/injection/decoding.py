"""Writings that a model can read and a filter cannot: base64, hex, Morse and their like, as what they say."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Collection
from typing import NamedTuple
from urllib.parse import unquote

LONGEST = 32_768
"""Characters of a run that are decoded."""
MOST = 200
"""Runs of a text, of each way."""


class Writing(NamedTuple):
    how: str
    run: re.Pattern[str]
    decode: Callable[[str], str]
    """What a run says, or nothing where it says nothing. Raises ValueError where it is no such writing."""


def readable(text: str) -> bool:
    """Words rather than noise."""
    if len(text) < 6:
        return False
    letters = sum(map(str.isalpha, text)) + text.count(" ")
    return letters >= 0.7 * len(text) and sum(map(str.isprintable, text)) + text.count("\n") >= 0.97 * len(text)


def _base64(run: str) -> str:
    kept = re.sub(r"\s", "", run).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + "==").decode()


def _base32(run: str) -> str:
    kept = run.rstrip("=")
    return base64.b32decode(kept + "=" * (-len(kept) % 8)).decode()


def _hex(run: str) -> str:
    return bytes.fromhex(re.sub(r"0x|\\x|[^0-9a-fA-F]", "", run)).decode()


def _bits(run: str) -> str:
    digits = re.sub(r"\s", "", run)
    return bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8)).decode()


def _numbers(run: str) -> str:
    return bytes(int(each) for each in re.findall(r"\d+", run)).decode()


def _escapes(run: str) -> str:
    return re.sub(r"\\(?:u\{?|x|U000)([0-9a-fA-F]{2,5})\}?", lambda found: chr(int(found[1], 16)), run)


SIGNALS = """
.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--.. -.-.-- .----. -..-.
"""
MORSE = dict(
    zip(
        SIGNALS.split(),
        "abcdefghijklmnopqrstuvwxyz0123456789.,?!'/",
        strict=True,
    )
)


def _morse(run: str) -> str:
    words = re.split(r"\s*/\s*|\s{2,}", run.strip())
    return " ".join("".join(MORSE.get(letter, "") for letter in word.split()) for word in words)


WRITINGS = (
    Writing("bits", re.compile(r"\b(?:[01]{8}\s?){6,}"), _bits),
    Writing("hex", re.compile(r"(?:(?:0x|\\x)?[0-9a-fA-F]{2}[\s:,]?){10,}"), _hex),
    Writing("base64", re.compile(r"[A-Za-z0-9+/_-]{14,}(?:\r?\n[A-Za-z0-9+/]{14,})*={0,2}"), _base64),
    Writing("base32", re.compile(r"\b[A-Z2-7]{24,}={0,6}"), _base32),
    Writing("escapes", re.compile(r"(?:\\(?:u\{?|x|U000)[0-9a-fA-F]{2,5}\}?){3,}"), _escapes),
    Writing("percent", re.compile(r"[\w.+-]*(?:%[0-9A-Fa-f]{2}[\w.+-]*){3,}"), unquote),
    Writing("entities", re.compile(r"\w*(?:&#?\w{2,8};\w*){3,}"), html.unescape),
    Writing("numbers", re.compile(r"\b(?:\d{2,3}[\s,;]{1,2}){10,}\d{2,3}\b"), _numbers),
    Writing("morse", re.compile(r"(?:[.-]{1,6}(?:[ \t]+|[ \t]*/[ \t]*)){7,}[.-]{1,6}"), _morse),
)
"""In the order they are tried in: what one has read is not read again by the next."""


class Run(NamedTuple):
    start: int
    end: int
    how: str
    said: str


def runs(text: str, signs: Collection[str]) -> list[Run]:
    """What is written otherwise, in order; runs do not overlap. `signs`: ways of writing that the text may have."""
    found: list[Run] = []
    for how, expression, decode in WRITINGS:
        if how not in signs:
            continue
        for match in expression.finditer(text):
            start, end = match.span()
            if any(start < other.end and other.start < end for other in found):
                continue
            try:
                said = decode(text[start : min(end, start + LONGEST)])
            except (ValueError, OverflowError):
                continue
            if readable(said) and said != text[start:end]:
                found.append(Run(start, end, how, said))
            if len(found) >= MOST:
                break
    return sorted(found)


def inside_tags(run: str) -> str:
    """Characters of tags (U+E0000…) are ASCII that nobody sees."""
    return "".join(chr(ord(each) - 0xE0000) for each in run if 0xE0020 <= ord(each) < 0xE007F)


def inside_selectors(run: str) -> str:
    """256 variation selectors can stand for bytes (https://paulbutler.org/2025/smuggling-arbitrary-data-through-an-emoji/)."""
    codes = [ord(each) for each in run]
    return bytes(each - 0xFE00 if each < 0xFE10 else each - 0xE0100 + 16 for each in codes).decode("utf-8", "replace")


def inside_zeros(run: str) -> str:
    """Two characters of no width can stand for bits, whichever is the one."""
    kinds = sorted(set(run))
    if len(kinds) != 2:
        return ""
    for one in kinds:
        bits = "".join("1" if each == one else "0" for each in run)
        said = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)).decode("utf-8", "replace")
        if readable(said):
            return said
    return ""
