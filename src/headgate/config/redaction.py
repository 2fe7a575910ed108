"""Keeps secrets out of what is said of a configuration: values that were put in, and text that looks like a key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from headgate.config.problems import Problem

HIDDEN = "…"
KNOWN = 6
"""Characters a value needs to be searched for in messages: shorter ones would hit parts of ordinary words."""
SHOWN = 48
"""Characters of a name shown in a message; what is longer is no name."""

PREFIXED = re.compile(r"(?<![A-Za-z0-9])(?:(?:sk|hg|pk|rk|xai)-|(?:sk|pk|rk|gsk|ghp)_|AIza)[\w.+/=~-]{4,}", re.ASCII)
"""How keys begin: https://platform.openai.com, https://console.anthropic.com, https://console.groq.com, our own."""
LONG = re.compile(r"[\w+=~-]{16,}", re.ASCII)
UNBROKEN = re.compile(r"[A-Za-z0-9]{32,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
SWITCH = re.compile(r"(?=[a-z][A-Z]|[A-Za-z][0-9]|[0-9][A-Za-z])")


def masked(text: str) -> str:
    """`text` with `…` for whatever in it looks like a key."""
    return LONG.sub(_unless_random, PREFIXED.sub(HIDDEN, text))


def shown(text: str) -> str:
    """A name as it may stand in a message: printable, without what looks like a key, not at all where it is long."""
    if len(text) > SHOWN:
        return HIDDEN
    return masked(text if text.isprintable() else ascii(text)[1:-1])


def _unless_random(match: re.Match[str]) -> str:
    """Words and dates keep to letters or digits for a while; random text changes between them all the time."""
    text = match.group()
    switches = len(SWITCH.findall(text))
    return HIDDEN if UNBROKEN.search(text) or switches >= max(4, len(text) / 5) else text


class Redaction:
    """The last net under every message: knows the values that were put in, and what is written in their place."""

    def __init__(self, public: Iterable[str] = ()) -> None:
        self.public = frozenset(public)
        """Words of our own, which a message needs and which tell nothing."""
        self.known: dict[str, str] = {}

    def know(self, value: str, written: str = HIDDEN) -> None:
        """From now on `written` stands where `value`, or a line of it, would."""
        for text in (value, *value.splitlines()):
            if len(text) >= KNOWN and text not in self.public:
                self.known.setdefault(text, written)
                self.known.setdefault(ascii(text)[1:-1], written)

    def clean(self, text: str) -> str:
        """`text` without any known value, and without what looks like a key."""
        for value in sorted(self.known, key=len, reverse=True):
            text = text.replace(value, self.known[value])
        return masked(text)

    def problems(self, found: Iterable[Problem]) -> list[Problem]:
        """The same problems, fit to be shown."""
        return [
            replace(one, path=self.clean(one.path), message=self.clean(one.message), hint=self.clean(one.hint))
            for one in found
        ]
