"""Whether a text mentions one of some words."""

from __future__ import annotations

import functools
import re

UNSPACED = "\u0e00"
"""From here on (Thai, Chinese, Japanese, Korean) words stand in a text without anything around them."""


def mentioned(text: str, words: tuple[str, ...]) -> bool:
    """Whole words, in capitals or not; `indemnif*` is every word that begins so."""
    return _pattern(words).search(text) is not None


@functools.lru_cache(maxsize=1000)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    wanted = [_fitting(word) for word in words if word.strip(" *")]
    return re.compile("|".join(wanted) if wanted else r"(?!)", re.IGNORECASE)


def _fitting(word: str) -> str:
    stem = word.strip().removesuffix("*").rstrip()
    before = r"(?<!\w)" if _spaced(stem[0]) else ""
    after = r"(?!\w)" if _spaced(stem[-1]) and not word.rstrip().endswith("*") else ""
    return before + r"\s+".join(map(re.escape, stem.split())) + after


def _spaced(sign: str) -> bool:
    return sign < UNSPACED and (sign.isalnum() or sign == "_")
