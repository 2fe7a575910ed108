"""France: social security, taxes, companies, identity cards."""

from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import luhn, varied


def nir(number: bytes) -> bool:
    """97 less the rest of 13 digits by 97; Corsica's 2A is 19, 2B is 18 (INSEE; decree 82-103)."""
    body = number[:13].replace(b"2A", b"19").replace(b"2B", b"18")
    month = int(number[3:5])
    known = number[:1] in b"123478" and (1 <= month <= 12 or month >= 20)
    return known and body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def spi(number: bytes) -> bool:
    """The first ten digits by 511 leave the last three (DGFiP, numéro fiscal de référence)."""
    return number[:1] in b"0123" and varied(number) and int(number[:10]) % 511 == int(number[10:])


def siret(number: bytes) -> bool:
    """Luhn, of the company and of the whole (INSEE)."""
    return varied(number) and luhn(number[:9]) and luhn(number)


NIR = words("nir|sécurité sociale|securite sociale|numéro de sécu|numero de secu|insee|nss|assuré|carte vitale")
PAPER = words("passeport|passport|carte d identité|carte nationale|cni|titre de séjour")
SHAPES = (
    Shape("fr_nir", "9 99 99 99 999 999 99|9 99 99 9A 999 999 99|999999999999999|999999A99999999|9999999999999 99|9-99-99-99-999-999-99", nir, 0.85, NIR),
    Shape("fr_spi", "9999999999999|99 99 999 999 999", spi, 0.4, words("spi|numéro fiscal|numero fiscal|impôt|impots|fiscal")),
    Shape("fr_siret", "999 999 999 99999|99999999999999", siret, 0.4, words("siret|établissement")),
    Shape("fr_siren", "999 999 999|999999999", luhn, 0.1, words("siren|rcs|société")),
)  # fmt: skip
PATTERNS = (
    Pattern("fr_passport", r"\b\d{2}[A-Z]{2}\d{5}\b", None, 0.2, PAPER),
    Pattern("fr_id_card", r"\b\d{12}\b", None, 0.05, words("carte d identité|carte nationale|cni|identité")),
)
GROUPS = {
    "national_id": ("fr_nir", "fr_id_card"),
    "tax_id": ("fr_spi", "fr_siret", "fr_siren"),
    "papers": ("fr_passport",),
}
