"""Germany: taxes, pensions, identity cards."""

from headgate.redaction import checks
from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import date, mod_11_10, weigh


def steuer_id(number: bytes) -> bool:
    """One digit twice or thrice among the first ten, no 0 before, and ISO 7064, MOD 11,10 (section 139b AO; BZSt)."""
    counts = sorted(number[:10].count(digit) for digit in set(number[:10]))
    return (
        number[:1] != b"0"
        and counts[-1] in (2, 3)
        and counts[-2:-1] != [3]
        and len(counts) in (8, 9)
        and mod_11_10(number)
    )


def pension(number: bytes) -> bool:
    """Area, birthday, initial, serial, check digit: digits times 2, 1, 2, 5, 7, 1 ..., their digits, by 10 (VKVV, section 2)."""
    digits = number[:8] + b"%02d" % (number[8] - 64) + number[9:11]
    total = sum(
        sum(divmod((digit - 48) * weight, 10))
        for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
    )
    return date(int(number[6:8]), int(number[4:6]), (int(number[2:4]) - 1) % 50 + 1) and total % 10 == number[11] - 48


def card(data: bytes, start: int, end: int) -> int:
    """Letters as 10 to 35, times 7, 3, 1, end in the check digit (ICAO 9303; BSI TR-03110)."""
    number = data[start:end]
    values = [int(chr(each), 36) * weight for each, weight in zip(number[:9], (7, 3, 1) * 3, strict=True)]
    return end if sum(values) % 10 == number[9] - 48 else 0


def tax_number(number: bytes) -> bool:
    """The number of the old kind, as ELSTER writes it: 13 digits with a 0 in the fifth place."""
    return number[4:5] == b"0" and weigh(number, (1,) * 13) > 0


TAX = words("steuer|idnr|steuerid|identifikationsnummer|tin|tax|finanzamt")
PAPER = words("ausweis|personalausweis|reisepass|pass|passnummer|passport|ausweisnummer|id card|seriennummer")
PATTERNS = (
    Pattern("de_id_card", r"\b[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\dD?\b", card, 0.3, PAPER, checksum=True),
    Pattern("de_id_card", r"\b[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\b", checks.mixed, 0.1, PAPER),
)  # fmt: skip
SHAPES = (
    Shape("de_steuer_id", "99999999999|99 999 999 999|999 999 999 99", steuer_id, 0.6, TAX),
    Shape("de_tax_number", "9999999999999", tax_number, 0.1, words("steuernummer|st nr|elster"), checksum=False),
    Shape("de_tax_number", "999/999/99999|99/999/99999|999/9999/9999", None, 0.6, words("steuernummer|steuer nr|st nr|finanzamt"), checksum=False),
    Shape("de_pension", "99999999A999|99 999999 A 999|99 999999 A999", pension, 0.8, words("rentenversicherung|sozialversicherung|rvnr|svnr|sv nummer|versicherungsnummer")),
)  # fmt: skip
GROUPS = {"tax_id": ("de_steuer_id", "de_tax_number"), "national_id": ("de_pension",), "papers": ("de_id_card",)}
