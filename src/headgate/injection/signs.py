"""Which ways of hiding a text shows any sign of: one pass of one automaton, so that ordinary text costs no more."""

from __future__ import annotations

from functools import cache
from typing import Any

from headgate.injection.decoding import WRITINGS
from headgate.injection.disguises import PIECES, TURNED, ZIGZAG

SIGNS = (
    *((each.how, each.run.pattern) for each in WRITINGS),
    ("leet", r"\b[A-Za-z]*[013457][A-Za-z]\w{0,11}\b|\b[A-Za-z]{2,}[013457]\b|[A-Za-z][@$!|][A-Za-z]"),
    ("spaced", r"(?:^|\W)(?:\w(?: {1,4}|[.*_|~-] ?)){5,}\w(?:\W|$)"),
    ("case", ZIGZAG.pattern),
    ("pieces", PIECES.pattern),
    (
        "cipher",
        r"(?i)rot.?13|\brevers|\bbackwards?\b|\bcipher|\bcaesar|\batbash|rückwärts|\bumgekehrt|à l'envers|al rev[eé]s",
    ),
)
"""In the syntax of RE2."""
MEMORY = 64 << 20


@cache
def _gates() -> tuple[Any, Any]:
    import re2

    options = re2.Options()
    options.max_mem = MEMORY
    gate = re2.Set.SearchSet(options)
    for _, expression in SIGNS:
        gate.Add(expression)
    gate.Compile()
    options.case_sensitive = False
    turned = re2.Set.SearchSet(options)
    turned.Add(rf"\b(?:{'|'.join(sorted(TURNED))})\b")
    turned.Compile()
    return gate, turned


def signs(text: str) -> set[str]:
    data = text.encode("utf-8", "replace")
    gate, turned = _gates()
    found = {SIGNS[place][0] for place in gate.Match(data) or ()}
    return found | {"turned"} if turned.Match(data) else found
