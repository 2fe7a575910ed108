"""Which language a text is in: by its script, and where several share one, by their small words and letters.

It is for sentences; of a few words it may well say nothing.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

LOOKED_AT = 2000
"""Characters of a text: its beginning tells."""
LEAST = 0.9
"""What small words and letters must come to together."""

SCRIPTS = [
    ("ja", re.compile("[\u3040-\u30ff]")),  # kana: Chinese has none, Japanese hardly a sentence without
    ("ko", re.compile("[\uac00-\ud7af\u1100-\u11ff]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
]
SCRIPT_WEIGHT = {"ja": 4.0, "zh": 2.5, "ko": 2.0}
"""A sign of these says more than a letter: a text is Chinese also where it holds English names."""
LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
RUN = re.compile("[!-~]+")
SIGN = re.compile(r"[/_=(){}<>\\@]")
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")

FILE = Path(__file__).with_name("small_words.txt")
"""A line for each language: its small words, and letters that it has and few others of its script."""
SHARED = {"ru": ("ru", "uk", "bg"), "ar": ("ar", "fa", "ur")}
"""Languages of a script that is not Latin."""
LETTER = 0.7
"""What a letter counts for; a word that one language alone has counts 1."""
MOST_LETTERS = 5


class Profiles(NamedTuple):
    words: Mapping[str, list[tuple[str, float]]]
    """Of each word the languages that it speaks for, and how much."""
    letters: Mapping[str, str]
    latin: tuple[str, ...]


@functools.cache
def profiles() -> Profiles:
    """Read when the first text is looked at."""
    shared: dict[str, list[str]] = {}
    letters: dict[str, str] = {}
    for line in FILE.read_text("utf-8").splitlines():
        language, words, letters[language] = line.split("\t")
        for word in words.split():
            shared.setdefault(word, []).append(language)
    others = {language for group in SHARED.values() for language in group}
    weights = {word: [(each, 1 / len(languages)) for each in languages] for word, languages in shared.items()}
    return Profiles(weights, letters, tuple(language for language in letters if language not in others))


def language(text: str) -> str:
    """ISO 639-1, such as `en`; "" where it cannot be told."""
    text = RUN.sub(_said, text[:LOOKED_AT])
    signs = {name: len(pattern.findall(text)) for name, pattern in SCRIPTS} if not text.isascii() else {}
    if signs.get("ja"):
        signs["ja"] += signs["zh"]
    weighed = {name: count * SCRIPT_WEIGHT.get(name, 1.0) for name, count in signs.items()}
    script = max(weighed, key=weighed.__getitem__, default="")
    if script and weighed[script] > len(LATIN.findall(text)):
        return script if script not in SHARED else _closest(text, SHARED[script]) or script
    return _closest(text, profiles().latin)


def _said(run: re.Match[str]) -> str:
    """A blank instead of addresses, and of what is code."""
    signs = run[0]
    return " " if SIGN.search(signs) or "." in signs[1:-1] else signs


def _closest(text: str, among: tuple[str, ...]) -> str:
    text = text.lower()
    words, letters, _ = profiles()
    score: defaultdict[str, float] = defaultdict(float)
    for word in WORD.findall(text):
        for language, weight in words.get(word, ()):
            score[language] += weight
    if not text.isascii():
        for language in among:
            score[language] += LETTER * sum(min(text.count(letter), MOST_LETTERS) for letter in letters[language])
    found = [(score[language], language) for language in among if score[language] >= LEAST]
    return max(found)[1] if found else ""
