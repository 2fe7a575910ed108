"""What only looks like a card, an account or an address: checksums, lengths, ranges.

Each check is given the text, where in it a pattern has matched, and says where what was found ends; 0: it is nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

Check = Callable[[bytes, int, int], int]

IBAN_LENGTHS: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
"""https://www.swift.com/resource/iban-registry-pdf"""
VERSION = re.compile(rb"(?:\bv|version|release|build|ver\.?|firmware|[vV]\d*)\W{0,3}\Z", re.IGNORECASE)
"""What stands before four numbers that are no address."""
MOMENT = re.compile(rb"\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}\Z|\d{1,2}[-./]\d{1,2}[-./]\d{4}\Z")
OTHERS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
DOUBLED = bytes(48) + bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)) + bytes(198)
"""Of a digit, the sum of the digits of its double."""
PLACEHOLDER = re.compile(
    rb"<.*>|\$\{?.*|\{.*\}|%.*%|\[.*\]|\*{3,}|\.{3,}|x{4,}|(?:your|my|some|the|example|test|dummy|changeme|redacted|null|"
    rb"none|true|false|string|required|optional|process\.env|os\.environ|env\.)[\w.\-\[\]('\"]*",
    re.IGNORECASE | re.DOTALL,
)


def digits(text: bytes) -> bytes:
    return text.translate(None, OTHERS)


def luhn(number: bytes) -> bool:
    return (sum(number[-1::-2]) - 48 * len(number[-1::-2]) + sum(number[-2::-2].translate(DOUBLED))) % 10 == 0


def card(data: bytes, start: int, end: int) -> int:
    """12 to 19 digits of a known network, the last of which proves the others (ISO/IEC 7812)."""
    head = data[start:end]
    number = digits(head)
    if number[:1] not in b"23456" and number[:4] != b"1800":
        return 0
    long = 13 if number[:1] not in b"56" else 12
    while len(number := digits(head)) >= 12:
        if long <= len(number) <= 19 and luhn(number) and len(set(number)) > 1:
            return start + len(head)
        head, space, _ = head.rpartition(b" ")  # what follows may be another number
        if not space:
            break
    return 0


def iban(data: bytes, start: int, end: int) -> int:
    """The country's length, and the rest of all of it by 97 is 1 (ISO 13616)."""
    length = IBAN_LENGTHS.get(data[start : start + 2].decode().upper(), 0)
    kept = bytearray()
    for place in range(start, end):
        if data[place] not in b" -":
            kept.append(data[place])
        if length and len(kept) == length:
            whole = place + 1 == len(data) or not data[place + 1 : place + 2].isalnum()
            number = "".join(str(int(chr(each), 36)) for each in kept[4:] + kept[:4])
            return place + 1 if whole and int(number) % 97 == 1 else 0
    return 0


def social_security(data: bytes, start: int, end: int) -> int:
    """Numbers that are given out: https://www.ssa.gov/employer/randomization.html"""
    number = digits(data[start:end])
    area, group, serial = number[:3], number[3:5], number[5:]
    given = area not in (b"000", b"666") and area < b"900" and group != b"00" and serial != b"0000"
    return end if given and len(number) == 9 else 0


def phone(data: bytes, start: int, end: int) -> int:
    text = data[start:end]
    if not 7 <= len(digits(text)) <= 15 or MOMENT.match(text):
        return 0
    before = data[max(start - 2, 0) : start]
    within = before[-1:].isalnum() or before[-1:] in (b"-", b".", b"_", b"/") or before[:1].isdigit()
    return 0 if within and text[:1] != b"+" else end


def address(data: bytes, start: int, end: int) -> int:
    """An IPv4 address rather than the number of a version."""
    beside = data[start - 1 : start] in (b".", b"-") or (
        data[end : end + 1] == b"." and data[end + 1 : end + 2].isdigit()
    )
    if beside or VERSION.search(data[max(start - 12, 0) : start]):
        return 0
    return _address(data[start:end], end)


def long_address(data: bytes, start: int, end: int) -> int:
    """An IPv6 address rather than a time or a name in C++."""
    text = data[start:end]
    if text.count(b":") < 2 or len(text) < 4 or data[start - 1 : start].isalnum() or data[end : end + 1] == b":":
        return 0
    return _address(text, end)


def _address(text: bytes, end: int) -> int:
    try:
        ipaddress.ip_address(text.decode())
    except ValueError:
        return 0
    return end


def secret(data: bytes, start: int, end: int) -> int:
    """What stands behind `password:` and is no placeholder."""
    return 0 if PLACEHOLDER.fullmatch(data[start:end]) else end


def random(data: bytes, start: int, end: int) -> int:
    """Long text without meaning: letters and digits in it."""
    text = data[start:end]
    mixed = any(48 <= each <= 57 for each in text) and any(each > 57 for each in text)
    return end if mixed and not PLACEHOLDER.fullmatch(text) and len(set(text)) > 5 else 0
