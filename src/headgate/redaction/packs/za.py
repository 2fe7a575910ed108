"""South Africa: persons."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import luhn, year_first


def south_african(number: bytes) -> bool:
    """Birthday, a citizenship of 0 to 2, and Luhn (Department of Home Affairs)."""
    return year_first(number) and number[10:11] in b"012" and luhn(number)


SHAPES = (
    Shape(
        "za_id", "9999999999999|999999 9999 999", south_african, 0.55, words("id number|rsa id|south african|identity")
    ),
)
GROUPS = {"national_id": ("za_id",)}
