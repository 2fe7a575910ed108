"""Amounts of money: whole nanodollars inside, exact decimals of US dollars where people and records say them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, localcontext
from typing import NamedTuple

NANO = 10**9
"""In a dollar."""
MOST = 2**56
"""Nanodollars that anything may cost: 72 million dollars."""


def dollars(nano: int | None) -> str | None:
    """An amount as an exact decimal without zeros at its end."""
    if nano is None:
        return None
    whole, rest = divmod(abs(nano), NANO)
    return f"{'-' * (nano < 0)}{whole}.{rest:09d}".rstrip("0").rstrip(".")


def in_nano(text: str | None) -> int | None:
    """What `dollars` has written; None where it is no amount."""
    if text is None:
        return None
    try:
        found = int(Decimal(text).scaleb(9).to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return found if abs(found) <= MOST else None


class Currency(NamedTuple):
    """What amounts are told in beside US dollars: how many of it a dollar is."""

    code: str
    rate: Decimal

    def told(self, nano: int) -> str:
        """An amount of nanodollars in it, exact."""
        with localcontext(prec=60):
            found = f"{(Decimal(nano).scaleb(-9) * self.rate):f}"
        return found.rstrip("0").rstrip(".") if "." in found else found
