"""The United States: social security, taxes, banks, physicians, Medicare."""

from headgate.redaction import checks
from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import luhn, varied, weigh

SSN = words("ssn|social security|social sec|ss no|taxpayer|sozialversicherung us")
TAX = words("itin|individual taxpayer|tax|tin|atin|ptin")


def ssn(number: bytes) -> bool:
    """Numbers that are given out: https://www.ssa.gov/employer/randomization.html"""
    area = number[:3]
    return area not in (b"000", b"666") and area < b"900" and number[3:5] != b"00" and number[5:] != b"0000"


def itin(number: bytes) -> bool:
    """Begins with 9; the fourth and fifth are 50-65, 70-88, 90-92 or 94-99 (https://www.irs.gov/pub/irs-pdf/p1915.pdf)."""
    group = int(number[3:5])
    return number[:1] == b"9" and (50 <= group <= 65 or 70 <= group <= 88 or (90 <= group <= 99 and group != 93))


def ein(number: bytes) -> bool:
    """The prefix is of an office: https://www.irs.gov/businesses/small-businesses-self-employed/how-eins-are-assigned-and-valid-ein-prefixes"""
    prefix = int(number[:2])
    return prefix not in (0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97)


def routing(number: bytes) -> bool:
    """ABA: digits times 3, 7, 1 end in 0; a district of the Federal Reserve before (https://www.aba.com/routing-number)."""
    prefix = int(number[:2])
    known = prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80
    return known and varied(number) and weigh(number, (3, 7, 1) * 3) % 10 == 0


def npi(number: bytes) -> bool:
    """Begins with 1 or 2; Luhn with 80840 before (45 CFR 162.406; CMS, "Requirements for NPI check digit")."""
    return number[:1] in b"12" and luhn(b"80840" + number)


def dea(number: bytes) -> bool:
    """Odd places, and even ones twice, end in the last digit (21 CFR 1301; DEA Diversion Control)."""
    digits = number[2:]
    return number[:1] in b"ABCDEFGHJKLMPRSTUX" and weigh(digits, (1, 2, 1, 2, 1, 2)) % 10 == digits[6] - 48


def mbi(number: bytes) -> bool:
    """Medicare: no S, L, O, I, B, Z among its letters, no 0 before (https://www.cms.gov/medicare/new-medicare-card)."""
    return number[:1] != b"0" and not set(number) & set(b"SLOIBZ")


PATTERNS = (
    Pattern("ssn", r"(?i)\b(?:ssn|social[ -]security)[a-z #.]{0,12}[\"']?[:=# ]{0,4}[\"']?(\d{9})\b", checks.nine, 0.95),
)  # fmt: skip
SHAPES = (
    Shape("ssn", "999-99-9999|999 99 9999", ssn, 0.75, SSN, checksum=False),
    Shape("us_itin", "999-99-9999|999 99 9999", itin, 0.8, TAX, checksum=False),
    Shape("us_itin", "999999999", itin, 0.1, words("itin|individual taxpayer"), checksum=False),
    Shape("us_ein", "99-9999999", ein, 0.4, words("ein|employer identification|federal tax|tax|tin|fein|irs"), checksum=False),
    Shape("us_routing", "999999999|9999-9999-9", routing, 0.2, words("routing|aba|rtn|wire|transit")),
    Shape("us_npi", "9999999999", npi, 0.3, words("npi|national provider|provider|physician|prescriber")),
    Shape("us_dea", "AA9999999", dea, 0.8, words("dea|prescriber|controlled substance")),
    Shape("us_mbi", "9AX9AX9AA99|9AX9-AX9-AA99", mbi, 0.8, words("medicare|mbi|beneficiary|member"), checksum=False),
)  # fmt: skip
GROUPS = {
    "national_id": ("ssn",),
    "tax_id": ("us_itin", "us_ein"),
    "bank": ("us_routing",),
    "health": ("us_npi", "us_dea", "us_mbi"),
}
