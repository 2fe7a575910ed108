"""Austria, Switzerland: insured persons, companies."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import weigh


def svnr(number: bytes) -> bool:
    """Serial, check digit, birthday: digits times 3, 7, 9, 5, 8, 4, 2, 1, 6, by 11 (section 31 ASVG)."""
    digits = number[:3] + number[4:]
    born = 1 <= int(number[4:6]) <= 31 and 1 <= int(number[6:8]) <= 15
    return born and number[:1] != b"0" and weigh(digits, (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11 == number[3] - 48


def ahv(number: bytes) -> bool:
    """Begins with 756, and the sum of EAN-13 (Zentrale Ausgleichsstelle)."""
    return number[:3] == b"756" and weigh(number, (1, 3) * 6 + (1,)) % 10 == 0


def uid(number: bytes) -> bool:
    """Digits times 5, 4, 3, 2, 7, 6, 5, 4, by 11 (Bundesamt für Statistik)."""
    return number[:3] == b"CHE" and (11 - weigh(number[3:], (5, 4, 3, 2, 7, 6, 5, 4)) % 11) % 11 == number[11] - 48


SHAPES = (
    Shape("at_svnr", "9999 999999|9999999999|9999-999999", svnr, 0.4, words("svnr|sozialversicherungsnummer|sv nummer|versicherungsnummer|sv nr")),
    Shape("ch_ahv", "999.9999.9999.99|9999999999999", ahv, 0.9, words("ahv|avs|sozialversicherungsnummer")),
    Shape("ch_uid", "AAA-999.999.999|AAA999999999", uid, 0.9, words("uid|mwst|tva|iva")),
)  # fmt: skip
GROUPS = {"national_id": ("at_svnr", "ch_ahv"), "tax_id": ("ch_uid",)}
