"""Poland: persons, taxes, companies, identity cards."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import date, varied, weigh


def pesel(number: bytes) -> bool:
    """Birthday with the century in the month; digits times 1, 3, 7, 9 end in 0 with the last (Ustawa o ewidencji ludności)."""
    born = date(int(number[:2]), int(number[2:4]) % 20, int(number[4:6]))
    return born and (weigh(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) + number[10] - 48) % 10 == 0


def nip(number: bytes) -> bool:
    """Digits times 6, 5, 7, 2, 3, 4, 5, 6, 7 by 11 (Ministerstwo Finansów)."""
    return varied(number) and weigh(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == number[9] - 48


def regon(number: bytes) -> bool:
    """Digits times 8, 9, 2, 3, 4, 5, 6, 7 by 11, 10 is 0 (GUS)."""
    return varied(number) and weigh(number, (8, 9, 2, 3, 4, 5, 6, 7)) % 11 % 10 == number[8] - 48


def card(number: bytes) -> bool:
    """Letters as 10 to 35: times 7, 3, 1 and 7, 3, 1, 7, 3, the fourth the check digit (MSWiA, dowód osobisty)."""
    values = [int(chr(each), 36) for each in number]
    done = sum(map(int.__mul__, values[:3] + values[4:], (7, 3, 1, 7, 3, 1, 7, 3)))
    return done % 10 == values[3]


SHAPES = (
    Shape("pl_pesel", "99999999999", pesel, 0.45, words("pesel|numer ewidencyjny")),
    Shape("pl_nip", "999-999-99-99|999-99-99-999|9999999999", nip, 0.3, words("nip|podatnik|podatkowy")),
    Shape("pl_regon", "999999999", regon, 0.1, words("regon")),
    Shape("pl_id_card", "AAA999999|AAA 999999", card, 0.4, words("dowód|dowod|dowodu|dokument tożsamości")),
)  # fmt: skip
GROUPS = {"national_id": ("pl_pesel",), "tax_id": ("pl_nip", "pl_regon"), "papers": ("pl_id_card",)}
