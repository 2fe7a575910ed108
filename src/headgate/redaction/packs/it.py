"""Italy: the fiscal code, companies, identity cards."""

from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import luhn, varied

ODD = dict(zip(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip
"""What letters in odd places are worth."""


def fiscal_code(number: bytes) -> bool:
    """Odd places by a table, even ones by their value: by 26 the last letter (D.M. 23 December 1976)."""
    even = sum(each - 48 if each < 58 else each - 65 for each in number[1:15:2])
    return (sum(ODD[each] for each in number[:15:2]) + even) % 26 == number[15] - 65


def partita_iva(number: bytes) -> bool:
    """Luhn (D.P.R. 633/1972)."""
    return varied(number) and luhn(number)


SHAPES = (
    Shape("it_fiscal_code", "AAAAAA99A99A999A|AAA AAA 99A99 A999A", fiscal_code, 0.95, words("codice fiscale|cf|c f")),
    Shape("it_vat", "99999999999", partita_iva, 0.1, words("partita iva|p iva|piva|iva")),
)  # fmt: skip
PATTERNS = (
    Pattern(
        "it_id_card",
        r"\bC[A-Z]\d{5}[A-Z]{2}\b|\b[A-Z]{2} ?\d{7}\b",
        None,
        0.1,
        words("carta d identità|carta identità|cie|documento"),
    ),
)
GROUPS = {"tax_id": ("it_fiscal_code", "it_vat"), "papers": ("it_id_card",)}
