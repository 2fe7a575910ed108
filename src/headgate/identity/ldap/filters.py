"""Search filters, read from the configuration: what somebody typed becomes a value in them, never a part.

https://www.rfc-editor.org/rfc/rfc4515; the bytes: https://www.rfc-editor.org/rfc/rfc4511#section-4.5.1.7
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from headgate.identity.ldap.ber import SEQUENCE, element, text, truth

DEEPEST = 16
_AND, _OR, _NOT, _EQUAL, _SUBSTRINGS, _AT_LEAST, _AT_MOST, _PRESENT, _ABOUT, _EXTENDED = (
    0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0x87, 0xA8, 0xA9,
)  # fmt: skip
_LISTS = {"&": _AND, "|": _OR}
_COMPARED = {"~": _ABOUT, ">": _AT_LEAST, "<": _AT_MOST}
_ITEM = re.compile(
    r"(?P<kind>[A-Za-z0-9.;-]*)(?P<dn>:dn)?(?::(?P<rule>[A-Za-z0-9.-]+))?(?P<how>:=|[~<>]?=)(?P<value>[^()]*)"
)
_PLACE = re.compile(r"\{([a-z]+)\}")
_ESCAPE = re.compile(rb"\\(..)?", re.DOTALL)


class Item(NamedTuple):
    """One comparison. `pieces` are the value, split where it has `*`."""

    tag: int
    kind: str
    pieces: tuple[str, ...]
    rule: str = ""
    of_dn: bool = False

    def bytes(self, given: Mapping[str, str]) -> bytes:
        kind = text(self.kind)
        match self.tag:
            case 0x87:
                return text(self.kind, _PRESENT)
            case 0xA4:
                last = len(self.pieces) - 1
                tags = (0x80 if each == 0 else 0x82 if each == last else 0x81 for each in range(last + 1))
                parts = [
                    text(_filled(piece, given), tag) for tag, piece in zip(tags, self.pieces, strict=True) if piece
                ]
                return element(_SUBSTRINGS, kind, element(SEQUENCE, *parts))
            case 0xA9:
                parts = [text(self.rule, 0x81)] if self.rule else []
                parts += [text(self.kind, 0x82)] if self.kind else []
                return element(_EXTENDED, *parts, text(_filled(self.pieces[0], given), 0x83), truth(self.of_dn, 0x84))
            case _:
                return element(self.tag, kind, text(_filled(self.pieces[0], given)))


class Join(NamedTuple):
    """All of them, any of them, or not the one."""

    tag: int
    filters: tuple[Filter, ...]

    def bytes(self, given: Mapping[str, str]) -> bytes:
        return element(self.tag, *(each.bytes(given) for each in self.filters))


Filter = Item | Join


def parse(source: str, places: frozenset[str] = frozenset()) -> Filter:
    """`places`: the names that may stand in it as `{name}`. Raises ValueError with what is wrong."""
    source = source.strip()
    found, end = _filter(source, 0, 0)
    if end != len(source):
        raise ValueError(f"the filter goes on after its end: {source[end : end + 40]!a}")
    if unknown := set(_PLACE.findall(source)) - places:
        may = ", ".join(f"{{{name}}}" for name in sorted(places))
        raise ValueError(
            f"the filter holds {{{sorted(unknown)[0]}}}; there {'is' if len(places) == 1 else 'are'} {may}"
        )
    return found


def _filter(source: str, place: int, depth: int) -> tuple[Filter, int]:
    if depth > DEEPEST:
        raise ValueError("the filter is nested too deeply")
    if source[place : place + 1] != "(":
        raise ValueError(f"a filter begins with ( where there is {source[place : place + 20]!a}")
    sign = source[place + 1 : place + 2]
    if sign in ("&", "|", "!"):
        inner, place = [], place + 2
        while source[place : place + 1] == "(":
            found, place = _filter(source, place, depth + 1)
            inner.append(found)
        if not inner or (sign == "!" and len(inner) > 1):
            raise ValueError(f"after {sign} there {'is one filter' if sign == '!' else 'are filters'}, in parentheses")
        result: Filter = Join(_LISTS.get(sign, _NOT), tuple(inner))
    else:
        item = _ITEM.match(source, place + 1)
        if item is None:
            raise ValueError(f"there is no comparison at {source[place : place + 40]!a}")
        result, place = _item(item), item.end()
    if source[place : place + 1] != ")":
        raise ValueError(f"a parenthesis is not closed at {source[place : place + 20]!a}")
    return result, place + 1


def _item(found: re.Match[str]) -> Item:
    kind, how, value = found["kind"], found["how"], found["value"]
    rule, of_dn = found["rule"] or "", found["dn"] is not None
    if how == ":=":
        if not kind and not rule:
            raise ValueError("before := there is an attribute or a rule")
        return Item(_EXTENDED, kind, (value,), rule, of_dn)
    if not kind or rule or of_dn:
        raise ValueError(f"before {how} there is an attribute")
    if how != "=":
        return Item(_COMPARED[how[0]], kind, (value,))
    if value == "*":
        return Item(_PRESENT, kind, ())
    pieces = tuple(value.split("*"))
    if "" in pieces[1:-1]:
        raise ValueError("there are two * without anything between them")
    return Item(_SUBSTRINGS if len(pieces) > 1 else _EQUAL, kind, pieces)


def _filled(piece: str, given: Mapping[str, str]) -> bytes:
    """The configuration's own escapes (`\\2a`) count in what it wrote; what is put in is taken as it is."""
    parts = _PLACE.split(piece)
    return b"".join(
        given[part].encode() if number % 2 else _ESCAPE.sub(_unescaped, part.encode())
        for number, part in enumerate(parts)
    )


def _unescaped(found: re.Match[bytes]) -> bytes:
    try:
        return bytes.fromhex((found[1] or b"").decode("ascii")) or b"\\"
    except ValueError:
        return found[0]
