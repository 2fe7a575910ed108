"""What may be told of something that is not to be told whole: some of its letters, or what many have in common."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import floor

SHOWN = 4
"""Characters that are left of one that is masked, of twice as many at least."""
OLD = 90
"""Ages from here on are one (45 CFR 164.514(b)(2)(i)(C))."""
YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
NUMBER = re.compile(r"\d+")
DECIMAL = re.compile(r"-?\d+\.\d+")
WORDS = re.compile(r"\d+|[^\W\d_]+")
MONTHS: Mapping[str, int] = {
    word: number
    for number, words in enumerate((
        "jan gen ene", "feb fév fev", "mar mär mrz maa mrt", "apr avr abr", "may mai mag mei", "jun juin giu",
        "jul juil lug", "aug aoû aou ago", "sep set", "oct okt ott out", "nov", "dec déc dez dic",
    ), 1)
    for word in words.split()
} | {"mard": 0, "mart": 0, "maan": 0}  # fmt: skip
"""As they begin in English, German, French, Spanish, Italian, Dutch and Portuguese; and days that begin like them."""
LONGEST = 40
"""Characters of a number of a place."""
WHOLE = re.compile(r"\d{1,3}(?:[ ,.']\d{3})+\Z|\d{1,7}\Z")


def masked(category: str, text: str) -> str:
    """`j***@e******.com`, `A*** L****`; of all else stars, but for the last four."""
    if category == "email" and "@" in text:
        name, _, host = text.rpartition("@")
        domain, dot, end = host.rpartition(".")
        return f"{_first(name)}@{_first(domain)}{dot}{end}"
    if category == "person":
        return " ".join(map(_first, text.split(" ")))
    shown = min(SHOWN, len(text) // 2 if len(text) > 2 else 0)
    return _stars(text[: len(text) - shown]) + text[len(text) - shown :]


def _first(text: str) -> str:
    return text[:1] + _stars(text[1:]) if len(text) > 1 else "*"


def _stars(text: str) -> str:
    return "".join("*" if letter.isalnum() else letter for letter in text)


def generalised(category: str, text: str) -> str:
    """`1985` of a date, `30-39` of an age, a network, a place to 10 km, a number's range; else `[CATEGORY]`."""
    return next(iter(levels(category, text)), f"[{category.upper()}]")


def levels(category: str, text: str) -> Sequence[str]:
    """All that may be told of it, the most first; each is true of all of which the one before it is."""
    return COARSE.get(category, _range)(text)


def meant(category: str, text: str) -> str:
    """What it is, however it is written: where that is not sure, two are rather taken for the same."""
    if category in ("date", "birth_date"):  # day and month in any order, without the time of the day
        return ",".join(map(str, sorted([each for word in WORDS.findall(text.lower()) if (each := _part(word))][:3])))
    if category == "coordinates":
        return DECIMAL.sub(lambda match: f"{float(match[0]):.2f}", "".join(text.split()))
    if category == "ip":
        return str(_address(text.partition("%")[0]))
    said = (str(int(each)) if each.isdecimal() else each for each in text if each.isalnum())
    return "".join(said).upper().lstrip("0")


def _part(word: str) -> int:
    """Of a date: a number, or that of a month; 0 of another word."""
    return int(word[:9]) if word.isdecimal() else MONTHS.get(word[:4], MONTHS.get(word[:3], 0))


def _year(text: str) -> Sequence[str]:
    found = YEAR.findall(text)
    if len(found) != 1:
        return ()
    return found[0], _from(int(found[0]), 10)


def _age(text: str) -> Sequence[str]:
    found = NUMBER.findall(text)
    if len(found) != 1 or len(found[0]) > 3:
        return ()
    age = int(found[0])
    said = (f"{OLD} or more",) if age >= OLD else (_from(age, 10), _from(age, 30))
    return [NUMBER.sub(each, text) for each in said]


def _from(number: int, size: int) -> str:
    """The range of that size in which it is."""
    least = number // size * size
    return f"{least}-{least + size - 1}"


def _network(text: str) -> Sequence[str]:
    address = _address(text)
    if address is None:
        return ()
    sizes = (24, 16, 8) if address.version == 4 else (48, 32, 16)
    return [str(ipaddress.ip_network((address, size), strict=False)) for size in sizes]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _place(text: str) -> Sequence[str]:
    """A tenth of a degree is 11 km."""
    found = DECIMAL.findall(text)
    if len(found) != 2 or max(map(len, found)) > LONGEST:
        return ()
    return [DECIMAL.sub(partial(_rounded, size), text) for size in (0.1, 1, 10)]


def _rounded(size: float, match: re.Match[str]) -> str:
    number = float(match[0])
    return f"{floor(number * 10) / 10:.1f}" if size < 1 else str(floor(number / size) * int(size))


def _country(text: str) -> Sequence[str]:
    return (f"[IBAN {text[:2].upper()}]",) if text[:2].isalpha() else ()


def _range(text: str) -> Sequence[str]:
    """Of a number, those that begin with the same digit and are as long; and all that are as long."""
    if not WHOLE.match(text):
        return ()
    number = int("".join(NUMBER.findall(text)))
    size = 10 ** (len(str(number)) - 1)
    return (_from(number, size), f"{size}-{size * 10 - 1}") if size > 1 else ("0-9",)


COARSE: Mapping[str, Callable[[str], Sequence[str]]] = {
    "birth_date": _year,
    "date": _year,
    "age": _age,
    "ip": _network,
    "coordinates": _place,
    "iban": _country,
}
"""By category; all else is a number, or not told at all."""
