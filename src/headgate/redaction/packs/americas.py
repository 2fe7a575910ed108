"""Canada, Mexico, Brazil, Argentina, Chile: persons, taxes, health."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import date, luhn, varied, weigh


def sin(number: bytes) -> bool:
    """Luhn, and no 0 or 8 before (Service Canada)."""
    return number[:1] not in b"08" and varied(number) and luhn(number)


def curp(number: bytes) -> bool:
    """Letters as 10 to 36 with Ñ, times 18 to 2, by 10 (SEGOB, instructivo CURP)."""
    order = b"0123456789ABCDEFGHIJKLMN\xd1OPQRSTUVWXYZ"
    total = sum(order.index(each) * (18 - at) for at, each in enumerate(number[:17]))
    return (
        (10 - total % 10) % 10 == number[17] - 48
        and number[10:11] in b"HMX"
        and date(2000, int(number[6:8]), int(number[8:10]))
    )


def rfc(number: bytes) -> bool:
    """The date of birth, or of foundation, in it (SAT)."""
    day = number[-9:-3]
    return date(int(day[:2]), int(day[2:4]), int(day[4:6]))


def cpf(number: bytes) -> bool:
    """Two check digits: times 10 to 2, 11 to 2, by 11 (Receita Federal)."""
    first = weigh(number[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weigh(number[:10], range(11, 1, -1)) * 10 % 11 % 10
    return varied(number) and (first, second) == (number[9] - 48, number[10] - 48)


def cnpj(number: bytes) -> bool:
    """Two check digits: times 5 to 2 and 9 to 2, by 11 (Receita Federal)."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weigh(number[:12], weights[1:]) * 10 % 11 % 10
    second = weigh(number[:13], weights) * 10 % 11 % 10
    return varied(number) and (first, second) == (number[12] - 48, number[13] - 48)


def cuit(number: bytes) -> bool:
    """Digits times 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, by 11 (AFIP)."""
    return (
        number[:2] in (b"20", b"23", b"24", b"25", b"26", b"27", b"30", b"33", b"34")
        and (11 - weigh(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11 == number[10] - 48
    )


def rut(number: bytes) -> bool:
    """From the right times 2 to 7, by 11; 10 is K (Registro Civil)."""
    body = number[:-1][::-1]
    rest = 11 - weigh(body, (2, 3, 4, 5, 6, 7, 2, 3)) % 11
    return body.isdigit() and varied(body) and b"0123456789K0"[rest] == number[-1]


SHAPES = (
    Shape("ca_sin", "999 999 999|999-999-999", sin, 0.55, words("sin|social insurance|nas|assurance sociale|service canada")),
    Shape("ca_sin", "999999999", sin, 0.2, words("sin|social insurance|assurance sociale")),
    Shape("ca_health", "9999-999-999-AA|9999 999 999 AA", None, 0.8, words("ohip|health card"), checksum=False),
    Shape("mx_curp", "AAAA999999AAAAAAX9", curp, 0.95, words("curp")),
    Shape("mx_rfc", "AAAA999999XXX|AAA999999XXX", rfc, 0.4, words("rfc|contribuyente|sat"), checksum=False),
    Shape("br_cpf", "999.999.999-99", cpf, 0.9, words("cpf|cadastro de pessoas|contribuinte")),
    Shape("br_cpf", "99999999999|999999999-99", cpf, 0.45, words("cpf|cadastro de pessoas|contribuinte")),
    Shape("br_cnpj", "99.999.999/9999-99|99999999999999", cnpj, 0.8, words("cnpj|empresa")),
    Shape("ar_cuit", "99-99999999-9|99999999999", cuit, 0.5, words("cuit|cuil")),
    Shape("cl_rut", "99.999.999-X|9.999.999-X|99999999-X", rut, 0.6, words("rut|run|rol único|cédula")),
)  # fmt: skip
GROUPS = {
    "national_id": ("ca_sin", "mx_curp", "br_cpf", "ar_cuit", "cl_rut"),
    "tax_id": ("mx_rfc", "br_cnpj"),
    "health": ("ca_health",),
}
