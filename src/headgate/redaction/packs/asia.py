"""India, Japan, Korea, China, Hong Kong, Singapore, Taiwan, Israel, Türkiye: persons, taxes, payments."""

from headgate.redaction import checks
from headgate.redaction.labels import labelled
from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import date, luhn, varied, verhoeff, weigh, year_first


def aadhaar(number: bytes) -> bool:
    """Twelve digits that begin with 2 to 9, and Verhoeff (UIDAI)."""
    return number[:1] in b"23456789" and varied(number) and verhoeff(number)


def gstin(number: bytes) -> bool:
    """State, PAN, entity, Z; letters as 10 to 35, every second twice, by 36 (GSTN)."""
    total = sum(sum(divmod(int(chr(each), 36) * (1 + at % 2), 36)) for at, each in enumerate(number[:14]))
    return (36 - total % 36) % 36 == int(chr(number[14]), 36)


def my_number(number: bytes) -> bool:
    """Digits times 6 to 2 and 7 to 2, by 11 (Ordinance 85 of 2014, section 5)."""
    rest = weigh(number, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return varied(number) and number[11] - 48 == (0 if rest < 2 else 11 - rest)


def rrn(number: bytes) -> bool:
    """Birthday, sex and century; until 2020 digits times 2 to 9 and 2 to 5, by 11 (Resident Registration Act)."""
    return year_first(number) and number[6:7] in b"12345678"


def chinese(number: bytes) -> bool:
    """Place, birthday, serial, check by ISO 7064, MOD 11-2 (GB 11643-1999)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    born = number[6:8] in (b"19", b"20") and date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return born and b"10X98765432"[weigh(number, weights) % 11] == number[17]


def hong_kong(number: bytes) -> bool:
    """Letters as 10 to 35, a space as 36, times 9 to 2, by 11 (Immigration Department)."""
    body = number[:-1].rjust(8)
    values = [36 if each == 32 else int(chr(each), 36) for each in body]
    rest = sum(map(int.__mul__, values, range(9, 1, -1))) % 11
    return b"0A987654321"[rest] == number[-1]


def nric(number: bytes) -> bool:
    """Digits times 2, 7, 6, 5, 4, 3, 2, plus 4 for T and G, by 11 (ICA)."""
    rest = (
        weigh(number[1:], (2, 7, 6, 5, 4, 3, 2)) + (4 if number[:1] in b"TG" else 3 if number[:1] == b"M" else 0)
    ) % 11
    letters = b"JZIHGFEDCBA" if number[:1] in b"ST" else b"XWUTRQPNMLK" if number[:1] in b"FG" else b"KLJNPQRTUWX"
    return number[:1] in b"STFGM" and letters[rest] == number[8]


def taiwan(number: bytes) -> bool:
    """The letter as 10 to 35, digits times 8 to 1, by 10 (Ministry of the Interior)."""
    value = b"ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    return (
        number[1:2] in b"1289"
        and (value // 10 + value % 10 * 9 + weigh(number[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0
    )


def israel(number: bytes) -> bool:
    """Nine digits and Luhn (Population and Immigration Authority)."""
    return varied(number) and luhn(number)


def tckn(number: bytes) -> bool:
    """Odd places times 7 less even ones, by 10; the first ten by 10 (NVİ)."""
    odd, even = sum(number[:9:2]) - 240, sum(number[1:8:2]) - 192
    return (
        number[:1] != b"0"
        and (odd * 7 - even) % 10 == number[9] - 48
        and (sum(number[:10]) - 480) % 10 == number[10] - 48
    )


PATTERNS = (
    Pattern("in_pan", r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b", None, 0.8, words("pan|permanent account|income tax")),
    Pattern("in_upi", r"\b[\w.-]{2,256}@(?:ok(?:axis|hdfcbank|icici|sbi)|ybl|ibl|axl|apl|paytm|pt(?:yes|sbi|axis|hdfc)|upi|sbi|icici|hdfcbank|axisbank|kotak|yesbank|jupiteraxis|waicici|wahdfcbank|fbl|airtel|freecharge|barodampay|cnrb|pnb|unionbank|idfcbank|indus)\b", None, 0.9),
    Pattern("in_ifsc", r"\b[A-Z]{4}0[A-Z0-9]{6}\b", None, 0.5, words("ifsc|neft|rtgs|imps|branch|bank")),
    Pattern("in_voter_id", r"\b[A-Z]{3}\d{7}\b", None, 0.2, words("voter|epic|election")),
    labelled("in_aadhaar", r"aadh?aa?r", r"\d{4}[ -]?\d{4}[ -]?\d{4}(?:\d{2})?", checks.number, 0.8),
    labelled("in_pan", r"pan(?: card)?", r"[A-Z]{5,12}\d{3,6}[A-Z]{0,2}", checks.mixed, 0.7),
    labelled("in_account", r"(?-i:ACC)|account numbers?|neft|ifsc(?: code)?", r"[A-Z]{3,8}\d{3,14}", checks.mixed),
)  # fmt: skip
SHAPES = (
    Shape("in_aadhaar", "9999 9999 9999|9999-9999-9999", aadhaar, 0.6, words("aadhaar|aadhar|adhaar|uidai|uid")),
    Shape("in_aadhaar", "999999999999", aadhaar, 0.3, words("aadhaar|aadhar|adhaar|uidai|uid")),
    Shape("in_gstin", "99AAAAA9999AXAX", gstin, 0.9, words("gst|gstin")),
    Shape("jp_my_number", "999999999999|9999 9999 9999|9999-9999-9999", my_number, 0.35, words("my number|mynumber|マイナンバー|個人番号|individual number")),
    Shape("kr_rrn", "999999-9999999", rrn, 0.75, words("rrn|resident registration|주민등록번호|주민번호"), checksum=False),
    Shape("cn_id", "99999999999999999X", chinese, 0.9, words("身份证|resident identity|id card|identity")),
    Shape("hk_id", "A999999(X|AA999999(X|A999999X", hong_kong, 0.5, words("hkid|hong kong id|身份證")),
    Shape("sg_nric", "A9999999A", nric, 0.75, words("nric|fin|singapore|ic")),
    Shape("tw_id", "A999999999", taiwan, 0.6, words("身分證|national id|taiwan")),
    Shape("il_id", "999999999", israel, 0.2, words("teudat zehut|תעודת זהות|israeli id|ת ז")),
    Shape("tr_tckn", "99999999999", tckn, 0.6, words("tc kimlik|tckn|kimlik no|kimlik")),
)  # fmt: skip
GROUPS = {
    "national_id": ("in_aadhaar", "in_voter_id", "jp_my_number", "kr_rrn", "cn_id", "hk_id", "sg_nric", "tw_id", "il_id", "tr_tckn"),
    "tax_id": ("in_pan", "in_gstin"),
    "bank": ("in_upi", "in_ifsc", "in_account"),
}  # fmt: skip
