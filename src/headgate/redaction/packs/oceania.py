"""Australia, New Zealand: taxes, health."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import varied, weigh


def tfn(number: bytes) -> bool:
    """Digits times 1, 4, 3, 7, 5, 8, 6, 9, 10, by 11 (ATO)."""
    return varied(number) and weigh(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def medicare(number: bytes) -> bool:
    """Begins with 2 to 6; digits times 1, 3, 7, 9, by 10, tell the ninth (METeOR 270101)."""
    return number[:1] in b"23456" and weigh(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == number[8] - 48


def abn(number: bytes) -> bool:
    """One less before, times 10, 1, 3, 5 ... 19, by 89 (ABR)."""
    return varied(number) and (weigh(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def ird(number: bytes) -> bool:
    """Digits times 3, 2, 7, 6, 5, 4, 3, 2, by 11, then by 7, 4, 3, 2, 5, 2, 7, 6 (Inland Revenue)."""
    whole = number.rjust(9, b"0")
    for weights in ((3, 2, 7, 6, 5, 4, 3, 2), (7, 4, 3, 2, 5, 2, 7, 6)):
        rest = -weigh(whole, weights) % 11
        if rest < 10:
            return 10_000_000 < int(whole) < 150_000_000 and rest == whole[8] - 48
    return False


SHAPES = (
    Shape("au_tfn", "999 999 999|999999999|999-999-999", tfn, 0.25, words("tfn|tax file")),
    Shape("au_medicare", "9999 99999 9|9999999999|9999 99999 9 9|9999-99999-9", medicare, 0.45, words("medicare")),
    Shape("au_abn", "99 999 999 999|99999999999", abn, 0.5, words("abn|australian business")),
    Shape("nz_ird", "99-999-999|999-999-999|99999999|999999999", ird, 0.2, words("ird|inland revenue")),
)  # fmt: skip
GROUPS = {"tax_id": ("au_tfn", "au_abn", "nz_ird"), "health": ("au_medicare",)}
