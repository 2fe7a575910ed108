"""Sweden, Denmark, Finland, Norway: the numbers that people have from birth."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import date, day_first, luhn, weigh


def personnummer(number: bytes) -> bool:
    """Birthday, from which 60 more is a co-ordination number, and Luhn (Skatteverket, SKV 704)."""
    short = number[-10:]
    day = int(short[4:6])
    return date(int(short[:2]), int(short[2:4]), day - 60 if day > 60 else day) and luhn(short)


def cpr(number: bytes) -> bool:
    """Begins with a birthday; since 2007 no sum proves it (CPR-kontoret)."""
    return day_first(number)


def hetu(number: bytes) -> bool:
    """Birthday and serial by 31 tell the last (Digi- ja väestötietovirasto)."""
    return day_first(number) and b"0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:6] + number[-4:-1]) % 31] == number[-1]


def fodselsnummer(number: bytes) -> bool:
    """Birthday, and two sums by 11 (Skatteetaten)."""
    day = int(number[:2])
    born = date(int(number[4:6]), int(number[2:4]) % 40, day - 40 if day > 40 else day)
    return (
        born
        and (weigh(number, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1))) % 11 == 0
        and weigh(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


SHAPES = (
    Shape("se_personnummer", "999999-9999|99999999-9999|999999+9999", personnummer, 0.75, words("personnummer|personnr|pnr|samordningsnummer|född")),
    Shape("se_personnummer", "9999999999|999999999999", personnummer, 0.3, words("personnummer|personnr|pnr|samordningsnummer")),
    Shape("dk_cpr", "999999-9999", cpr, 0.5, words("cpr|personnummer|cpr nr|født"), checksum=False),
    Shape("dk_cpr", "9999999999", cpr, 0.1, words("cpr"), checksum=False),
    Shape("fi_hetu", "999999-999X|999999+999X|999999A999X", hetu, 0.85, words("hetu|henkilötunnus|sosiaaliturvatunnus")),
    Shape("no_fodselsnummer", "99999999999|999999 99999", fodselsnummer, 0.65, words("fødselsnummer|fodselsnummer|personnummer|fnr|født")),
)  # fmt: skip
GROUPS = {"national_id": ("se_personnummer", "dk_cpr", "fi_hetu", "no_fodselsnummer")}
