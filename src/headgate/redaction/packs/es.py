"""Spain: identity, foreigners, companies, social security, patients and physicians."""

from headgate.redaction import checks
from headgate.redaction.labels import labelled
from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import DOUBLED, varied

LETTERS = b"TRWAGMYFPDXBNJZSQVHLCKE"
ID = words("dni|nif|nie|documento|identidad|identificación|titular|pasaporte|cliente|don|doña")


def dni(number: bytes) -> bool:
    """The number by 23 tells the letter; X, Y, Z of foreigners are 0, 1, 2 (Ministerio del Interior, DNI and NIE)."""
    head = number[:1].translate(bytes.maketrans(b"XYZ", b"012")) + number[1:-1]
    return head.isdigit() and varied(head) and LETTERS[int(head) % 23] == number[-1]


def cif(number: bytes) -> bool:
    """Luhn's sum of seven digits, as a digit or as a letter (Orden EHA/451/2008)."""
    body = number[1:8]
    done = (10 - (sum(body[1::2]) - 48 * 3 + sum(body[::2].translate(DOUBLED))) % 10) % 10
    return number[0] in b"ABCDEFGHJNPQRSUVW" and number[8] in (48 + done, b"JABCDEFGHI"[done])


def nuss(number: bytes) -> bool:
    """The first ten digits by 97 leave the last two (Seguridad Social, número de afiliación)."""
    province, serial = number[:2], number[2:-2]
    whole = int(province) * 10**7 + int(serial) if serial[:1] == b"0" and len(serial) == 8 else int(province + serial)
    return varied(number) and whole % 97 == int(number[-2:])


SOCIAL = words("nass|nuss|naf|seguridad social|afiliación|afiliacion")
PATTERNS = (
    labelled("es_medical_record", r"nhc|n\.?º? ?historia(?: clínica)?|historia clínica|episodio|cipa(?:: ?nhc)?|identificador(?: del paciente)?|cip(?: sns)?", r"[A-Z]{0,4}-?\d[\d-]{3,14}[A-Z]?"),
    labelled("es_health_insurance", r"nass|nuss", r"\d{2}[ /-]?\d{6,8}[ /-]?\d{2}", checks.number),
    labelled("es_physician", r"n\.?º ?col(?:egiado)?\.?|colegiado|núm(?:ero)? de colegiado", r"\d{2}(?:[ -]?\d{2}){1,2}[ -]?\d{0,5}"),
)  # fmt: skip
SHAPES = (
    Shape("es_dni", "99999999A|99999999-A|99.999.999-A|99 999 999 A|99.999.999A", dni, 0.75, ID),
    Shape("es_nie", "A9999999A|A-9999999-A|A9999999-A", dni, 0.75, ID),
    Shape("es_cif", "A99999999|A9999999A|A-99999999", cif, 0.4, words("cif|nif|empresa|sociedad|razón social")),
    Shape("es_nuss", "999999999999|99 99999999 99|99/99999999/99|99 9999999999|99-99999999-99", nuss, 0.4, SOCIAL),
)  # fmt: skip
GROUPS = {
    "national_id": ("es_dni", "es_nie", "es_nuss"),
    "tax_id": ("es_cif",),
    "health": ("es_medical_record", "es_health_insurance", "es_physician"),
}
