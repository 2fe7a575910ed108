"""The bytes of LDAP: tag, length, value, as https://www.rfc-editor.org/rfc/rfc4511#section-5.1 restricts BER."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BOOLEAN, INTEGER, OCTETS, ENUM, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
LONGEST = 1 << 20
"""Bytes of one message."""


class BadBER(ValueError):
    """What came is not of the form it should have."""


class Element(NamedTuple):
    """A value with its tag; elements within it are read when they are asked for."""

    tag: int
    value: bytes

    def inner(self) -> Iterator[Element]:
        place = 0
        while place < len(self.value):
            found = read(self.value, place)
            if found is None:
                raise BadBER("an element ends before it should")
            element, place = found
            yield element

    def number(self) -> int:
        if not 0 < len(self.value) <= 8:
            raise BadBER("a number has no digit, or too many")
        return int.from_bytes(self.value, "big", signed=True)


def element(tag: int, *values: bytes) -> bytes:
    value = b"".join(values)
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def number(value: int, tag: int = INTEGER) -> bytes:
    return element(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def text(value: str | bytes, tag: int = OCTETS) -> bytes:
    return element(tag, value.encode() if isinstance(value, str) else value)


def truth(value: bool, tag: int = BOOLEAN) -> bytes:
    return element(tag, b"\xff" if value else b"\0")


def read(data: bytes | bytearray, place: int = 0) -> tuple[Element, int] | None:
    """The element at a place, and the place behind it; None: it is not all there. Raises BadBER."""
    if len(data) - place < 2:
        return None
    tag, size = data[place], data[place + 1]
    start = place + 2
    if tag & 0x1F == 0x1F:
        raise BadBER("a tag is longer than LDAP's are")
    if size & 0x80:
        digits = size & 0x7F
        if not 0 < digits <= 4:
            raise BadBER("a length is indefinite, or longer than there is memory for")
        if len(data) - start < digits:
            return None
        size = int.from_bytes(data[start : start + digits], "big")
        start += digits
    if size > LONGEST:
        raise BadBER(f"an element is longer than {LONGEST} bytes")
    if len(data) - start < size:
        return None
    return Element(tag, bytes(data[start : start + size])), start + size
