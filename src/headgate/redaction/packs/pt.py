"""Portugal: taxpayers, citizen cards."""

from headgate.redaction.pattern import Shape, words
from headgate.redaction.sums import varied, weigh


def nif(number: bytes) -> bool:
    """Digits times 9 to 2, by 11 (Decreto-Lei 14/2013)."""
    rest = weigh(number, range(9, 1, -1)) % 11
    return number[:1] in b"1235689" and varied(number) and number[8] - 48 == (0 if rest < 2 else 11 - rest)


def card(number: bytes) -> bool:
    """Luhn, with letters as 10 to 35 (AMA, Cartão de Cidadão)."""
    values = [int(chr(each), 36) for each in reversed(number)]
    return sum(value if at % 2 == 0 else value * 2 - 9 * (value * 2 > 9) for at, value in enumerate(values)) % 10 == 0


SHAPES = (
    Shape("pt_nif", "999999999|999 999 999", nif, 0.25, words("nif|contribuinte|número fiscal|numero fiscal")),
    Shape("pt_citizen_card", "999999999AA9|99999999 9 AA9|99999999 9AA9", card, 0.6, words("cartão de cidadão|cartao de cidadao|documento")),
)  # fmt: skip
GROUPS = {"tax_id": ("pt_nif",), "papers": ("pt_citizen_card",)}
