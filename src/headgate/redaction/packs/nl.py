"""The Netherlands: the citizen's service number."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import varied, weigh


def bsn(number: bytes) -> bool:
    """Digits times 9 to 2 and -1 come to a multiple of 11 (Rijksdienst voor Identiteitsgegevens, elfproef)."""
    return varied(number) and weigh(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


SHAPES = (
    Shape(
        "nl_bsn",
        "999999999|9999.99.999|9999 99 999|999 999 999",
        bsn,
        0.25,
        words("bsn|burgerservicenummer|sofinummer|sofi"),
    ),
)
GROUPS = {"national_id": ("nl_bsn",)}
