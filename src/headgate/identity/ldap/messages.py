"""What is asked of a directory and what it answers: https://www.rfc-editor.org/rfc/rfc4511#section-4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from headgate.identity.ldap.ber import (
    ENUM,
    INTEGER,
    OCTETS,
    SEQUENCE,
    SET,
    BadBER,
    Element,
    element,
    number,
    text,
    truth,
)

BOUND, ENTRY, DONE, REFERENCE, EXTENDED = 0x61, 0x64, 0x65, 0x73, 0x78
SUCCESS, SIZE_EXCEEDED, REFERRAL = 0, 4, 10
STARTTLS = "1.3.6.1.4.1.1466.20037"
ENTRY_ALONE, SUBTREE = 0, 2


class Answer(NamedTuple):
    """`number`: of the question; 0: the directory speaks by itself."""

    number: int
    kind: int
    body: Element


class Result(NamedTuple):
    """How an operation ended; `said` is the directory's own word, for a log."""

    code: int
    said: str


class Entry(NamedTuple):
    """What a search found; attributes by their names in small letters."""

    dn: str
    attributes: Mapping[str, tuple[str, ...]]

    def first(self, name: str) -> str | None:
        return next(iter(self.attributes.get(name.lower(), ())), None)


class Search(NamedTuple):
    """What is looked for, where."""

    base: str
    filter: bytes
    attributes: Sequence[str]
    most: int
    seconds: int
    scope: int = SUBTREE


def message(number_: int, operation: bytes) -> bytes:
    return element(SEQUENCE, number(number_), operation)


def bind(dn: str, password: bytes) -> bytes:
    return element(0x60, number(3), text(dn), text(password, 0x80))


def unbind() -> bytes:
    return element(0x42)


def start_tls() -> bytes:
    return element(0x77, text(STARTTLS, 0x80))


def search(wanted: Search) -> bytes:
    return element(
        0x63,
        text(wanted.base),
        number(wanted.scope, ENUM),
        number(0, ENUM),  # aliases are not followed
        number(wanted.most),
        number(wanted.seconds),
        truth(False),
        wanted.filter,
        element(SEQUENCE, *(text(name) for name in wanted.attributes)),
    )


def read_answer(found: Element) -> Answer:
    """Raises BadBER."""
    parts = list(found.inner()) if found.tag == SEQUENCE else []
    if len(parts) < 2 or parts[0].tag != INTEGER:
        raise BadBER("it is no message of LDAP")
    return Answer(parts[0].number(), parts[1].tag, parts[1])


def read_result(body: Element) -> Result:
    """Raises BadBER."""
    parts = list(body.inner())
    if len(parts) < 3 or (parts[0].tag, parts[1].tag, parts[2].tag) != (ENUM, OCTETS, OCTETS):
        raise BadBER("it is no result of LDAP")
    return Result(parts[0].number(), parts[2].value[:200].decode("utf-8", "replace"))


def read_entry(body: Element) -> Entry:
    """Values that are no text are left out. Raises BadBER."""
    parts = list(body.inner())
    if len(parts) != 2 or parts[0].tag != OCTETS:
        raise BadBER("it is no entry of LDAP")
    attributes: dict[str, tuple[str, ...]] = {}
    for each in parts[1].inner():
        pair = list(each.inner())
        if len(pair) != 2 or pair[0].tag != OCTETS or pair[1].tag != SET:
            raise BadBER("it is no attribute of LDAP")
        values = (_decoded(value.value) for value in pair[1].inner())
        attributes[pair[0].value.decode("utf-8", "replace").lower()] = tuple(filter(None, values))
    dn = _decoded(parts[0].value)
    if dn is None:
        raise BadBER("the name of an entry is no text")
    return Entry(dn, attributes)


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
