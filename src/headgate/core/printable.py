"""Untrusted text made safe to show: one line, no control character a terminal or a log reader would act upon."""

from __future__ import annotations

import re

# C0 and DEL, C1, line and paragraph separators, what turns the reading direction round (CVE-2021-42574), what is
# invisible, and lone surrogates, which no encoding can write.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_UNSAFE_BUT_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f", 1))
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, limit: int | None = None, lines: bool = False) -> str:
    """`text` with every unsafe character spelt out (`\\n`, `\\x1b`, `\\u202e`).

    Above `limit` characters the rest is cut and its length told. `lines` lets line feeds and tabs stand.
    """
    more = 0
    if limit is not None and len(text) > limit:
        more = len(text) - limit
        text = text[:limit]
    if not (text.isascii() and text.isprintable()):
        text = (_UNSAFE_BUT_LINES if lines else _UNSAFE).sub(_spell, text)
    return f"{text}… ({more} more characters)" if more else text


def json_safe(text: str) -> str:
    """JSON text with every unsafe character outside ASCII as a JSON escape: the same value, safe on a terminal."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escape, text)


def _spell(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
