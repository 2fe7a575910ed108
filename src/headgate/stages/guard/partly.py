"""What may be told of something that is not to be told whole: some of its letters, or what many have in common."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from math import floor

SHOWN = 4
"""Characters that are left of one that is masked, of twice as many at least."""
OLD = 90
"""Ages from here on are one (45 CFR 164.514(b)(2)(i)(C))."""
YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
NUMBER = re.compile(r"\d+")
DECIMAL = re.compile(r"-?\d+\.\d+")
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
    said = COARSE.get(category, _range)(text)
    return said if said is not None else f"[{category.upper()}]"


def _year(text: str) -> str | None:
    found = YEAR.findall(text)
    return found[0] if len(found) == 1 else None


def _age(text: str) -> str | None:
    found = NUMBER.findall(text)
    if len(found) != 1 or len(found[0]) > 3:
        return None
    age = int(found[0])
    least = age // 10 * 10
    return NUMBER.sub(f"{OLD} or more" if age >= OLD else f"{least}-{least + 9}", text)


def _network(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _place(text: str) -> str | None:
    """A tenth of a degree is 11 km."""
    return DECIMAL.sub(_tenth, text) if len(DECIMAL.findall(text)) == 2 and NUMBER.search(text) else None


def _tenth(match: re.Match[str]) -> str:
    return f"{floor(float(match[0]) * 10) / 10:.1f}"


def _country(text: str) -> str | None:
    return f"[IBAN {text[:2].upper()}]" if text[:2].isalpha() else None


def _range(text: str) -> str | None:
    """Of a number, those that begin with the same digit and are as long."""
    if not WHOLE.match(text):
        return None
    digits = "".join(NUMBER.findall(text))
    number, size = int(digits), 10 ** (len(str(int(digits))) - 1)
    least = number // size * size
    return f"{least}-{least + size - 1}" if size > 1 else "0-9"


COARSE: Mapping[str, Callable[[str], str | None]] = {
    "birth_date": _year,
    "date": _year,
    "age": _age,
    "ip": _network,
    "coordinates": _place,
    "iban": _country,
}
"""By category; all else is a number, or not told at all."""
