"""How a cost comes about, from the parts that a record keeps: in words, and reckoned anew."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.catalog.cost import TOKENS, amount_of, nanodollars, plain_class
from headgate.core.record import Part

TIMES = "\N{MULTIPLICATION SIGN}"


def amount(parts: Sequence[Part]) -> int:
    """Nanodollars: the sum, rounded once."""
    return nanodollars(sum(amount_of(part.quantity, part.price_name, part.price) for part in parts))


def told(parts: Sequence[Part]) -> str:
    """As in "1,024 cache read x $0.075/M + 500 reasoning x $15/M (output)"."""
    return " + ".join(map(_term, parts))


def _term(part: Part) -> str:
    plain = plain_class(part.price_name)
    per = "/M" if plain in TOKENS else "/hour" if plain == "hours" else ""
    itself = part.price_name == part.what or (plain == part.price_name and plain not in TOKENS)
    by = "" if itself else f" ({part.price_name})"
    return f"{part.quantity:,} {part.what.replace('_', ' ')} {TIMES} ${part.price}{per}{by}"
