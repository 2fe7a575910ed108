"""Belgium, Ireland, Czechia, Slovakia, Romania, Bulgaria, Croatia, Hungary, Greece, Estonia, Lithuania, Slovenia: persons."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import date, day_first, luhn, mod_11_10, varied, weigh, year_first


def be_register(number: bytes) -> bool:
    """97 less the rest of nine digits by 97; with a 2 before for who was born since 2000 (Rijksregister)."""
    body, check = number[:9], int(number[9:])
    born = date(int(body[:2]), int(body[2:4]) % 20, int(body[4:6]))
    return born and check in (97 - int(body) % 97, 97 - int(b"2" + body) % 97)


def ppsn(number: bytes) -> bool:
    """Digits times 8 to 2, a second letter times 9, by 23 tell the letter (Department of Social Protection)."""
    second = number[8] - 64 if len(number) == 9 and number[8] != 87 else 0
    return b"WABCDEFGHIJKLMNOPQRSTUV"[(weigh(number[:7], range(8, 1, -1)) + 9 * second) % 23] == number[7]


def birth_number(number: bytes) -> bool:
    """Birthday, with 50 on the month of women, and a multiple of 11 (Act 133/2000)."""
    return (
        date(int(number[:2]), int(number[2:4]) % 50 % 20, int(number[4:6]))
        and int(number[:9]) % 11 % 10 == number[9] - 48
    )


def cnp(number: bytes) -> bool:
    """Birthday; digits times 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9, by 11, 10 is 1 (OUG 97/2005)."""
    rest = weigh(number, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return number[:1] in b"123456789" and year_first(number[1:]) and number[12] - 48 == (1 if rest == 10 else rest)


def egn(number: bytes) -> bool:
    """Birthday with the century in the month; digits times 2, 4, 8, 5, 10, 9, 7, 3, 6, by 11 (GRAO)."""
    born = date(int(number[:2]), int(number[2:4]) % 20, int(number[4:6]))
    return born and weigh(number, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == number[9] - 48


def oib(number: bytes) -> bool:
    """ISO 7064, MOD 11,10 (Zakon o osobnom identifikacijskom broju)."""
    return varied(number) and mod_11_10(number)


def hungarian_tax(number: bytes) -> bool:
    """Begins with 8; digits times 1 to 9, by 11 (1996. évi XX. törvény)."""
    return number[:1] == b"8" and weigh(number, range(1, 10)) % 11 == number[9] - 48


def amka(number: bytes) -> bool:
    """Begins with a birthday, and Luhn (ΗΔΙΚΑ)."""
    return day_first(number) and luhn(number)


def afm(number: bytes) -> bool:
    """Digits times 256 to 2, by 11, by 10 (ΑΑΔΕ)."""
    return varied(number) and weigh(number, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10 == number[8] - 48


def baltic(number: bytes) -> bool:
    """Sex and century, birthday, two rounds of weights by 11 (EVS 585; Lietuvos asmens kodas)."""
    rest = weigh(number, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weigh(number, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return number[:1] in b"123456" and year_first(number[1:]) and rest == number[10] - 48


def emso(number: bytes) -> bool:
    """Birthday; digits times 7 to 2, twice, by 11 (Zakon o centralnem registru prebivalstva)."""
    rest = 11 - weigh(number, (7, 6, 5, 4, 3, 2) * 2) % 11
    return date(int(b"1" + number[4:7]), int(number[2:4]), int(number[:2])) and number[12] - 48 == (
        0 if rest > 9 else rest
    )


SHAPES = (
    Shape("be_register", "99.99.99-999.99|99999999999", be_register, 0.85, words("rijksregister|registre national|rrn|nn|niss|insz")),
    Shape("ie_ppsn", "9999999A|9999999AA", ppsn, 0.5, words("ppsn|pps|personal public service")),
    Shape("cz_birth_number", "999999/9999|9999999999", birth_number, 0.45, words("rodné číslo|rodne cislo|rč|r č")),
    Shape("ro_cnp", "9999999999999", cnp, 0.6, words("cnp|cod numeric")),
    Shape("bg_egn", "9999999999", egn, 0.3, words("egn|егн")),
    Shape("hr_oib", "99999999999", oib, 0.3, words("oib|osobni identifikacijski")),
    Shape("hu_tax", "9999999999", hungarian_tax, 0.3, words("adóazonosító|adóazonosító jel|adóazon")),
    Shape("gr_amka", "99999999999", amka, 0.4, words("amka|αμκα")),
    Shape("gr_afm", "999999999", afm, 0.2, words("afm|αφμ|ααδε")),
    Shape("ee_lt_person", "99999999999", baltic, 0.5, words("isikukood|asmens kodas")),
    Shape("si_emso", "9999999999999", emso, 0.6, words("emšo|emso|jmbg|matični broj")),
)  # fmt: skip
GROUPS = {
    "national_id": ("be_register", "ie_ppsn", "cz_birth_number", "ro_cnp", "bg_egn", "hr_oib", "gr_amka", "ee_lt_person", "si_emso"),
    "tax_id": ("hu_tax", "gr_afm"),
}  # fmt: skip
