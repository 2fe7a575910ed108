"""What only looks like a card, an account or an address: checksums, lengths, ranges.

Each check is given the text, where in it a pattern has matched, and says where what was found ends; 0: it is nothing,
less than 0: nor is anything else up to there.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping

from headgate.redaction import sums

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
NO_DOMAIN = re.compile(rb"\.(?:png|jpe?g|gif|svg|webp|css|js|json|xml|ya?ml|html?|txt|pdf)\Z", re.I)
VERSION = re.compile(rb"(?:\w/|\bv|version|release|build|ver\.?|firmware|[vV]\d*)\W{0,3}\Z", re.IGNORECASE)
"""What stands before four numbers that are no address."""
MOMENT = re.compile(
    rb"(?:\d{3}-\d{2}-\d{4}|\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}|"
    rb"(?:1\d|20)\d\d ?- ?(?:1\d|20)\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d)\Z"
)
"""Dates, years from and to, and numbers of other kinds, which are no phones."""
OTHERS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
BITCOIN = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
BECH = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
VIN_VALUES = dict(
    zip(
        b"0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
        (*range(10), *range(1, 9), 1, 2, 3, 4, 5, 7, 9, *range(2, 10)),
        strict=True,
    )
)
VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
AMERICAN = re.compile(rb"(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\d)")
HEXADECIMAL = re.compile(rb"::|[A-Fa-f]|\d{4}")
"""What an address has and what times and ratios have not."""
NATIONAL = re.compile(rb"\(?0[1-9]\d{0,4}\)?[ /.-]")
DECIMAL = re.compile(rb"\d[.,]\Z")
JOINED = frozenset({b"-", b".", b"_", b"/", b"#", b"$", b"@"})
FOLLOWED = frozenset({b".", b"-", b"/", b":", b",", b"%", b"="})
"""What stands between a number and the rest of it."""
NUMERAL = re.compile(rb"\d[ .,/-]\Z")
"""The end of a number of which what follows may be a part."""


def digits(text: bytes) -> bytes:
    return text.translate(None, OTHERS)


def card(data: bytes, start: int, end: int) -> int:
    """Card: 12 to 19 digits as its network has them, the last proves the others (ISO/IEC 7812, Luhn)."""
    head = data[start:end]
    if DECIMAL.match(data, max(start - 2, 0), start):
        return 0
    while len(number := digits(head)) >= 12:
        if network(number) and sums.luhn(number) and sums.varied(number):
            return start + len(head)
        head, space, _ = head.rpartition(b" ")  # what follows may be another number
        if not space:
            break
    return 0


def network(number: bytes) -> bool:
    """Whether a network gives out numbers so long that begin so: https://en.wikipedia.org/wiki/Payment_card_number"""
    long, two, four = len(number), number[:2], number[:4]
    if number[:1] == b"4":
        return long in (13, 16, 19)
    if two in (b"34", b"37") or four in (b"1800", b"2131"):
        return long == 15
    if b"51" <= two <= b"55" or b"2221" <= four <= b"2720":
        return long == 16
    if two in (b"30", b"36", b"38", b"39"):
        return 14 <= long <= 19
    if two == b"35":
        return long >= 16
    return two == b"50" or b"56" <= two <= b"69" or two in (b"81", b"82")


def nine(data: bytes, start: int, end: int) -> int:
    """Nine digits behind the words themselves."""
    number = data[start:end]
    return 0 if number[:3] in (b"000", b"666") or number[3:5] == b"00" or number[5:] == b"0000" else end


def iban(data: bytes, start: int, end: int) -> int:
    """The country's length, and the rest of all of it by 97 is 1 (ISO 13616)."""
    length = IBAN_LENGTHS.get(data[start : start + 2].decode().upper(), 0)
    kept = bytearray()
    for place in range(start, end):
        if data[place] not in b" -":
            kept.append(data[place])
        if length and len(kept) == length:
            whole = place + 1 == len(data) or not data[place + 1 : place + 2].isalnum()
            return place + 1 if whole and sums.mod_97(bytes(kept[4:] + kept[:4])) else 0
    return 0


def phone(data: bytes, start: int, end: int) -> int:
    """Phone: seven to fifteen digits (ITU-T E.164) that are no date, no sum and no part of something longer."""
    text = data[start:end]
    if MOMENT.match(text):
        return -end
    before = data[max(start - 2, 0) : start]
    if text[:1] != b"+" and (before[-1:].isalnum() or before[-1:] in JOINED or NUMERAL.match(before)):
        return -end if text[:1] != b"(" else 0
    count = len(digits(text.partition(b"x")[0]))
    if not 7 <= count <= 15 or text.count(b")") != text.count(b"("):
        return 0
    behind = data[end : end + 2]
    return 0 if behind[:1] in FOLLOWED and behind[1:].isdigit() else end


def card_alone(text: bytes) -> float:
    """Fifteen and sixteen digits are cards also behind `order`; fewer or more are not."""
    return 0.98 if len(digits(text)) in (15, 16) else 0.8


def phone_alone(text: bytes) -> float:
    """By how phones are written: with a country, as in North America, with a 0 before, or just somehow."""
    if text[:1] == b"+" or (text[:2] == b"00" and text[2:3] != b"0"):
        return 0.9
    if AMERICAN.match(text):
        return 0.7
    return 0.6 if NATIONAL.match(text) and len(digits(text)) >= 9 else 0.2


def mail(data: bytes, start: int, end: int) -> int:
    """E-mail address: a name, `@`, and a domain that is no file and no package (RFC 5322)."""
    return 0 if NO_DOMAIN.search(data, start, end) or data.startswith(b"git@", start) else end


def address(data: bytes, start: int, end: int) -> int:
    """IPv4 address of a machine: no version, no mask, not this machine itself."""
    beside = data[start - 1 : start] in (b".", b"-") or (
        data[end : end + 1] == b"." and data[end + 1 : end + 2].isdigit()
    )
    if beside or VERSION.search(data[max(start - 12, 0) : start]):
        return 0
    return 0 if data[start:end].startswith((b"127.", b"255.", b"0.")) else _address(data[start:end], end)


def long_address(data: bytes, start: int, end: int) -> int:
    """IPv6 address: neither a time nor a name in C++."""
    text = data[start:end]
    if not HEXADECIMAL.search(text):
        return 0
    if text.count(b":") < 2 or len(text) < 4 or data[start - 1 : start].isalnum() or data[end : end + 1] == b":":
        return 0
    return _address(text, end)


def _address(text: bytes, end: int) -> int:
    try:
        ipaddress.ip_address(text.decode())
    except ValueError:
        return 0
    return end


def number(data: bytes, start: int, end: int) -> int:
    """Account: six digits or more, not all the same."""
    text = digits(data[start:end])
    return end if len(text) >= 6 and sums.varied(text) else 0


def identifier(data: bytes, start: int, end: int) -> int:
    """Letters and digits as offices number people: three digits at least."""
    return end if end - start >= 5 and len(digits(data[start:end])) >= 3 else 0


def mixed(data: bytes, start: int, end: int) -> int:
    """Letters and digits both."""
    text = data[start:end]
    return 0 if text.isalpha() or not digits(text) or len(digits(text)) == len(text) else end


def hardware(data: bytes, start: int, end: int) -> int:
    """MAC address (IEEE 802): not all zeros or ones, and no part of a fingerprint."""
    if data[start - 1 : start] in (b":", b"-", b".") or (
        data[end : end + 1] in (b":", b"-") and data[end + 1 : end + 2].isalnum()
    ):
        return 0
    return end if len(set(data[start:end].translate(None, b":-."))) > 1 else 0


def base58(data: bytes, start: int, end: int) -> int:
    """Bitcoin, Litecoin, Dogecoin, Dash, Tron: Base58Check, whose last four bytes are a hash of the others
    (https://en.bitcoin.it/wiki/Base58Check_encoding)."""
    return end if _base58(data[start:end], BITCOIN) else 0


def ripple(data: bytes, start: int, end: int) -> int:
    """XRP: Base58Check with letters of its own (https://xrpl.org/docs/references/protocol/data-types/base58-encodings)."""
    return end if _base58(data[start:end], RIPPLE) else 0


def _base58(text: bytes, letters: bytes) -> bool:
    value = 0
    for letter in text:
        value = value * 58 + letters.index(letter)
    if value >> 200:
        return False
    whole = value.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(whole[:21]).digest()).digest()[:4] == whole[21:]


def bech32(data: bytes, start: int, end: int) -> int:
    """Bitcoin and Litecoin, SegWit: Bech32 and Bech32m, whose last six letters are a checksum (BIP 173, BIP 350)."""
    text = data[start:end].lower()
    prefix, _, rest = text.rpartition(b"1")
    values = [each >> 5 for each in prefix] + [0] + [each & 31 for each in prefix] + [BECH.index(each) for each in rest]
    done = 1
    for value in values:
        top, done = done >> 25, (done & 0x1FFFFFF) << 5 ^ value
        for place, part in enumerate(GENERATOR):
            done ^= part if top >> place & 1 else 0
    return end if done in (1, 0x2BC830A3) and data[start:end] in (text, text.upper()) else 0


def vehicle(data: bytes, start: int, end: int) -> int:
    """Vehicle: the ninth of 17 proves the others (49 CFR 565.15)."""
    text = data[start:end]
    total = sum(VIN_VALUES[letter] * weight for letter, weight in zip(text, VIN_WEIGHTS, strict=True))
    return end if b"0123456789X"[total % 11] == text[8] and mixed(data, start, end) else 0


def zone(data: bytes, start: int, end: int) -> int:
    """The zone of a passport that machines read: its number, the dates and all have check digits (ICAO 9303)."""
    line = data[end - 44 : end]
    values = [int(chr(each), 36) if each != 60 else 0 for each in line]
    parts = ((0, 9, 9), (13, 19, 19), (21, 27, 27))
    right = (
        sum(value * (7, 3, 1)[at % 3] for at, value in enumerate(values[one:two])) % 10 == values[sign]
        for one, two, sign in parts
    )
    return end if all(right) else 0


def place(data: bytes, start: int, end: int) -> int:
    """A place on earth: at most 90 degrees of latitude, 180 of longitude."""
    north, _, east = data[start:end].replace(b";", b",").partition(b",")
    return end if abs(float(north.strip(b" \xc2\xb0NS"))) <= 90 and abs(float(east.strip(b" \xc2\xb0EW"))) <= 180 else 0


def moment(data: bytes, start: int, end: int) -> int:
    """A date in digits: a day and a month there are."""
    first, second, third = (int(part) for part in re.split(rb"[-/.]", data[start:end].split(b" ")[0].split(b"T")[0]))
    if first > 31:
        return end if sums.date(first, second, third) else 0
    return end if sums.date(third, second, first) or sums.date(third, first, second) else 0


def written(data: bytes, start: int, end: int) -> int:
    """A date with the name of its month."""
    return end if any(each > 64 for each in data[start:end]) else 0


def age(data: bytes, start: int, end: int) -> int:
    """Years that people live."""
    return end if 0 < int(digits(data[start:end])) < 125 else 0
