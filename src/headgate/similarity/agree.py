"""What two questions do not agree about, however alike they are: who answers both alike answers one of them wrong."""

from __future__ import annotations

import re
from collections import Counter

WORDS = re.compile(r"\w+(?:['\u2019]\w+)?|[^\w\s]")


def differ(a: str, b: str) -> str | None:
    """What keeps these two from having one answer (`number`, `name`, `negation`, …); None: nothing that is known of.

    It takes time in proportion to their length, whatever they are.
    """
    mine, theirs = Counter(WORDS.findall(a)), Counter(WORDS.findall(b))
    for word in (mine - theirs) | (theirs - mine):
        if any(map(str.isdigit, word)):
            return "number"
        if word.lower() in ("not", "no", "never", "without") or word.lower().endswith(("n't", "n\u2019t")):
            return "negation"
        if any(map(str.isupper, word[1:])):
            return "name"
    return None
