"""Values that look like others of their kind and are nobody's: ranges set aside for examples, right check digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

FIRST = (
    "Alexis", "Casey", "Dominique", "Frankie", "Jamie", "Kerry", "Lindsay", "Marion", "Noa", "Quinn", "Riley", "Sasha",
    "Skyler", "Tracy", "Andrea", "Ariel", "Avery", "Camille", "Charlie", "Jessie", "Jules", "Leslie", "Nikita",
    "Rowan", "Shannon",
)  # fmt: skip
LAST = (
    "Abernathy", "Bellamy", "Calloway", "Dunmore", "Ellingham", "Farnsworth", "Gresham", "Hathersage", "Ingleby",
    "Jessop", "Kirkbride", "Loxley", "Merriden", "Norwood", "Oakeshott", "Quarrington", "Rothwell", "Selwyn",
    "Thackeray", "Underhay", "Vickery", "Whitcombe", "Yardley", "Brockhurst", "Coverdale",
)  # fmt: skip
"""For any gender, and no words of everyday texts."""
MOST = len(FIRST)
"""Values of a kind that are made up for one request."""
LENGTH = 33
"""Characters that one has at most."""
NORTH_AMERICAN = re.compile(r"1?[2-9]\d\d[2-9]\d{6}")
TITLES = re.compile(r"(?:(?:Mrs?|Ms|Mx|Dr|Prof|Herrn?|Frau|Mme|Sr|Sra)\b\.? )+")


def made_up(kind: str, value: str, number: int) -> str | None:
    """The `number`th of its kind (from 0), written as the value is; None where there is none."""
    make = KINDS.get(kind)
    made = make(value, number) if make is not None and number < MOST else None
    return made if made is not None and len(made) <= LENGTH else None


def parts(kind: str, made: str, value: str) -> dict[str, str]:
    """What a part of it stands for, by which a person may be called."""
    if kind != "person":
        return {}
    ours, theirs = made.split(), TITLES.sub("", value).split()
    if len(ours) != 2 or len(theirs) < 2:
        return {}
    return {ours[0]: theirs[0], ours[1]: theirs[-1]}


def _person(value: str, number: int) -> str:
    title = TITLES.match(value)
    named = value[title.end() :] if title else value
    return (title[0] if title else "") + (f"{FIRST[number]} {LAST[number]}" if " " in named else LAST[number])


def _email(value: str, number: int) -> str:
    return f"{FIRST[number]}.{LAST[-1 - number]}@example.com".lower()


def _phone(value: str, number: int) -> str | None:
    """Of the North American plan, which keeps 555-0100 to 555-0199 of each area for fiction; others are somebody's."""
    digits = re.sub(r"\D", "", value)
    ours = NORTH_AMERICAN.fullmatch(digits) and value.find("+") == value.find("+1")
    return _written(value, digits[:-7] + f"55501{number:02}") if ours else None


def _card(value: str, number: int) -> str | None:
    digits = re.sub(r"\D", "", value)
    if len(digits) < 12:
        return None
    body = digits[0] + str(number).zfill(len(digits) - 2)
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body))]
    total = sum(each - 9 if each > 9 else each for each in doubled)
    return _written(value, body + str(-total % 10))


def _iban(value: str, number: int) -> str | None:
    said = re.sub(r"[^A-Za-z0-9]", "", value).upper()
    if not said[:2].isalpha() or len(said) < 15:
        return None
    letters = "".join("X" if letter.isalpha() else "0" for letter in said[4:])
    ending = str(number).zfill(2)
    body = letters[:-2] + ending
    rest = int("".join(str(int(letter, 36)) for letter in f"{body}{said[:2]}00")) % 97
    return _written(value, f"{said[:2]}{98 - rest:02}{body}")


def _address(value: str, number: int) -> str:
    """RFC 5737 and 3849."""
    return f"2001:db8::{100 + number}" if ":" in value else f"192.0.2.{100 + number}"


def _written(value: str, letters: str) -> str:
    """With the separators of the value."""
    given = iter(letters)
    return "".join(next(given, "") if letter.isalnum() else letter for letter in value)


KINDS: Mapping[str, Callable[[str, int], str | None]] = {
    "person": _person,
    "email": _email,
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "ip": _address,
}
