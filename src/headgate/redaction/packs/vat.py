"""VAT identification numbers of the European Union, with their check digits."""

from __future__ import annotations

from collections.abc import Callable

from headgate.redaction.pattern import Pattern, words
from headgate.redaction.sums import DOUBLED, luhn, mod_11_10, weigh

WORDS = words("vat|ust|ustid|ust idnr|mwst|tva|iva|btw|moms|nip|dič|dph|uid|umsatzsteuer|oib")


def austria(number: bytes) -> bool:
    body = number[1:]
    total = sum(body[:7:2]) - 48 * 4 + sum(body[1:6:2].translate(DOUBLED))
    return number[:1] == b"U" and body.isdigit() and (10 - (total + 4) % 10) % 10 == body[7] - 48


def belgium(number: bytes) -> bool:
    return number[:1] in b"01" and 97 - int(number[:8]) % 97 == int(number[8:])


def denmark(number: bytes) -> bool:
    return weigh(number, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def finland(number: bytes) -> bool:
    return (weigh(number, (7, 9, 10, 5, 8, 4, 2)) + number[7] - 48) % 11 == 0


def france(number: bytes) -> bool:
    return luhn(number[2:]) and (not number[:2].isdigit() or (12 + 3 * (int(number[2:]) % 97)) % 97 == int(number[:2]))


def greece(number: bytes) -> bool:
    return weigh(number, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == number[8] - 48


def hungary(number: bytes) -> bool:
    return weigh(number, (9, 7, 3, 1, 9, 7, 3, 1)) % 10 == 0


def ireland(number: bytes) -> bool:
    second = number[8] - 64 if len(number) == 9 and number[8] != 87 else 0
    return b"WABCDEFGHIJKLMNOPQRSTUV"[(weigh(number[:7], range(8, 1, -1)) + 9 * second) % 23] == number[7]


def luxembourg(number: bytes) -> bool:
    return int(number[:6]) % 89 == int(number[6:])


def malta(number: bytes) -> bool:
    return 37 - weigh(number[:6], (3, 4, 6, 7, 8, 9)) % 37 == int(number[6:])


def netherlands(number: bytes) -> bool:
    old = weigh(number, (9, 8, 7, 6, 5, 4, 3, 2)) % 11 == number[8] - 48
    return old or int("".join(str(int(chr(each), 36)) for each in b"NL" + number)) % 97 == 1


def poland(number: bytes) -> bool:
    return weigh(number, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11 == number[9] - 48


def portugal(number: bytes) -> bool:
    rest = weigh(number, range(9, 1, -1)) % 11
    return number[8] - 48 == (0 if rest < 2 else 11 - rest)


def slovenia(number: bytes) -> bool:
    return (11 - weigh(number, range(8, 1, -1)) % 11) % 10 == number[7] - 48


def slovakia(number: bytes) -> bool:
    return int(number) % 11 == 0


def spain(number: bytes) -> bool:
    return number[:1].isalpha() or number[-1:].isalpha()


def sweden(number: bytes) -> bool:
    return number.endswith(b"01") and luhn(number[:10])


def lithuania(number: bytes) -> bool:
    size = len(number) - 1
    rest = weigh(number[:size], [at % 9 + 1 for at in range(size)]) % 11
    if rest == 10:
        rest = weigh(number[:size], [(at + 2) % 9 + 1 for at in range(size)]) % 11 % 10
    return rest == number[size] - 48


def romania(number: bytes) -> bool:
    return weigh(number[:-1].rjust(9, b"0"), (7, 5, 3, 2, 1, 7, 5, 3, 2)) * 10 % 11 % 10 == number[-1] - 48


def anything(number: bytes) -> bool:
    return True


FORMS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "AT": (r"U\d{8}", austria), "BE": (r"[01]\d{9}", belgium), "BG": (r"\d{9,10}", anything), "CY": (r"\d{8}[A-Z]", anything),
    "CZ": (r"\d{8,10}", anything), "DE": (r"\d{9}", mod_11_10), "DK": (r"\d{8}", denmark), "EE": (r"10\d{7}", anything),
    "EL": (r"\d{9}", greece), "ES": (r"[A-Z0-9]\d{7}[A-Z0-9]", spain), "FI": (r"\d{8}", finland),
    "FR": (r"[A-HJ-NP-Z0-9]{2}\d{9}", france), "HR": (r"\d{11}", mod_11_10), "HU": (r"\d{8}", hungary),
    "IE": (r"\d{7}[A-W][A-I]?", ireland), "IT": (r"\d{11}", luhn), "LT": (r"\d{9}|\d{12}", lithuania), "LU": (r"\d{8}", luxembourg),
    "LV": (r"\d{11}", anything), "MT": (r"\d{8}", malta), "NL": (r"\d{9}B\d{2}", netherlands), "PL": (r"\d{10}", poland),
    "PT": (r"\d{9}", portugal), "RO": (r"\d{6,10}", romania), "SE": (r"\d{10}01", sweden), "SI": (r"\d{8}", slovenia),
    "SK": (r"\d{10}", slovakia),
}  # fmt: skip
"""The form behind the country and what proves it (https://ec.europa.eu/taxation_customs/vies, FAQ 11)."""
SPACED = "|".join(f"{country}[ .-]?(?:{form})" for country, (form, _) in FORMS.items())


def vat(data: bytes, start: int, end: int) -> int:
    """Each country's own sum (https://ec.europa.eu/taxation_customs/vies, FAQ 11)."""
    number = data[start + 2 : end].lstrip(b" .-")
    return end if FORMS[data[start : start + 2].decode()][1](number) else 0


PATTERNS = (Pattern("eu_vat", rf"\b(?:{SPACED})\b", vat, 0.75, WORDS, checksum=True),)
GROUPS = {"tax_id": ("eu_vat",)}
