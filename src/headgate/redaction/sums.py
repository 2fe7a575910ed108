"""Sums that prove numbers: each is given a number in digits or capitals alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul

DOUBLED = bytes(48) + bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)) + bytes(198)
"""Of a digit, the sum of the digits of its double."""
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DIHEDRAL = tuple(
    tuple((a + b) % 5 if b < 5 else 5 + (a + b) % 5 for b in range(10))
    if a < 5
    else tuple(5 + (a - b) % 5 if b < 5 else (a - b) % 5 for b in range(10))
    for a in range(10)
)
"""Of the symmetries of a pentagon, which comes of two."""
SHUFFLED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def weigh(number: bytes, weights: Sequence[int]) -> int:
    """The sum of digits times weights, as many as there are of the fewer."""
    return sum(map(mul, (digit - 48 for digit in number), weights))


def luhn(number: bytes) -> bool:
    """Luhn: of every second digit from the right the digits of its double; all together end in 0 (ISO/IEC 7812-1)."""
    return (sum(number[-1::-2]) - 48 * len(number[-1::-2]) + sum(number[-2::-2].translate(DOUBLED))) % 10 == 0


def verhoeff(number: bytes) -> bool:
    """Verhoeff: digits as symmetries of a pentagon, each shuffled by its place; all together come to none."""
    done = 0
    for place, digit in enumerate(reversed(number)):
        done = DIHEDRAL[done][SHUFFLED[place % 8][digit - 48]]
    return done == 0


def mod_11_10(number: bytes) -> bool:
    """ISO 7064, MOD 11,10."""
    product = 10
    for digit in number[:-1]:
        product = (((product + digit - 48) % 10 or 10) * 2) % 11
    return (11 - product) % 10 == number[-1] - 48


def mod_97(letters: bytes) -> bool:
    """ISO 7064, MOD 97-10: letters are 10 to 35, and the rest of all by 97 is 1."""
    return int("".join(str(int(chr(each), 36)) for each in letters)) % 97 == 1


def date(year: int, month: int, day: int) -> bool:
    """Whether a year of four digits, or of two, has that day."""
    if not 1 <= month <= 12 or not 1 <= day <= DAYS[month - 1]:
        return False
    return month != 2 or day < 29 or year % 4 == 0


def day_first(number: bytes) -> bool:
    """Begins with a date as DDMMYY."""
    return date(int(number[4:6]), int(number[2:4]), int(number[:2]))


def year_first(number: bytes) -> bool:
    """Begins with a date as YYMMDD."""
    return date(int(number[:2]), int(number[2:4]), int(number[4:6]))


def varied(number: bytes) -> bool:
    """Whether it has more than one digit: a row of equal ones passes most sums and is nobody's."""
    return len(set(number)) > 1


def both(*proofs: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """One proof of several."""

    def proof(number: bytes) -> bool:
        return all(each(number) for each in proofs)

    return proof
