"""The United Kingdom: health service, national insurance, taxes, banks, licences."""

from headgate.redaction.labels import labelled
from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import varied, weigh


def nhs(number: bytes) -> bool:
    """Digits times 10 to 2, by 11 (https://www.datadictionary.nhs.uk/attributes/nhs_number.html)."""
    rest = (11 - weigh(number, range(10, 1, -1)) % 11) % 11
    return rest == number[9] - 48 and varied(number)


def nino(number: bytes) -> bool:
    """Prefixes that are given out, a suffix A to D (https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110)."""
    prefix = number[:2]
    given = prefix not in (b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ")
    return given and not set(prefix) & set(b"DFIQUV") and prefix[1:] != b"O" and number[-1:] in b"ABCD"


def utr(number: bytes) -> bool:
    """The first digit proves the others, times 6, 7, 8, 9, 10, 5, 4, 3, 2, by 11 (HMRC, unique taxpayer reference)."""
    return b"21987654321"[weigh(number[1:], (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11] == number[0]


PATTERNS = (
    Pattern("gb_driving_licence", r"\b[A-Z]{2,5}9{0,3}\d[0156]\d[0-3]\d\d[A-Z9]{2}[A-Z0-9]{3}\b", None, 0.8),
    labelled("gb_sort_code", r"sort[ -]?codes?", r"\d{2}[- ]?\d{2}[- ]?\d{2}"),
)  # fmt: skip
SHAPES = (
    Shape("gb_nhs", "999 999 9999|999-999-9999", nhs, 0.55, words("nhs|national health|patient|hospital|gp")),
    Shape("gb_nhs", "9999999999", nhs, 0.3, words("nhs|national health")),
    Shape("gb_nino", "AA999999A|AA 99 99 99 A|AA-99-99-99-A|AA 999999 A", nino, 0.8, words("nino|national insurance|ni|ni no"), checksum=False),
    Shape("gb_utr", "9999999999|99999 99999", utr, 0.2, words("utr|unique taxpayer|self assessment|taxpayer reference")),
)  # fmt: skip
GROUPS = {
    "national_id": ("gb_nino",),
    "health": ("gb_nhs",),
    "tax_id": ("gb_utr",),
    "papers": ("gb_driving_licence",),
    "bank": ("gb_sort_code",),
}
