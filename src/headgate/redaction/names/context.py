"""Ages, dates, titles and what people are by nation, faith or sex: told by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from headgate.redaction.names.found import Found
from headgate.redaction.names.groups import GROUPS

NEAR = 40
"""Characters before something in which words that say what it is are looked for."""
NUMBER = re.compile(r"(?<![\w.,/:$€£#%+-])\d{1,4}(?![\w%])(?![.,:]\d)")
AGE_AFTER = re.compile(
    r"[ -]{0,2}(?:years?|yrs?|y/?o\b|años|anos|ans|anni|Jahren?|jaar|meses|months?|mois|mesi|Monate|weeks?|semanas)"
    r"(?P<old>[ -]{1,2}(?:old|of age|de edad|de idade|d'âge|alt|oud))?",
    re.IGNORECASE,
)
AGE_BEFORE = re.compile(
    r"(?:\b(?:aged?|edad|idade|âge|età|leeftijd|alter|age of|(?:he|she|i|they) (?:is|was|am|are|were)|i'm|"
    r"turn(?:s|ed|ing)?|is now))\s{0,2}[:=]?\s{0,2}\Z",
    re.IGNORECASE,
)
ALONE = re.compile(r"\s*(?:[.,;!?)\n]|\Z|(?:and|but|when|now|in|as|or|this|next)\b)")
"""What follows an age that has no unit."""
AGE_LANGUAGES = re.compile(r"\s?(?:años|anos|ans|anni)\b", re.IGNORECASE)
"""After a number these tell an age by themselves, where somebody is spoken of who has it."""
WHOSE = re.compile(
    r"(?:\b(?:de|con|tiene|edad|niñ[oa]|var[oó]n|mujer|hombre|paciente|los|a|ha|tem|com|idade|avec|di)\b|Edad:)\W{0,3}\Z",
    re.IGNORECASE,
)
MONTHS = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|mar(?:ch|s)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?|märz|mai|juni|juli|février|avril|juin|juillet|août|septembre|octobre|"
    r"novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|"
    r"febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|novembre|dicembre|januari|februari|maart|mei|augustus|janeiro|"
    r"fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro)"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
DATE = re.compile(
    rf"(?<![\w.,/-])(?:\d{{4}}-\d{{1,2}}-\d{{1,2}}(?:[T ]\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,9}})?)?Z?)?"
    rf"|{DAY}(?P<by>[/.-]){DAY}(?P=by)(?:\d{{4}}|\d{{2}})"
    rf"|{DAY}(?:st|nd|rd|th|\.|º)?(?: of| de| del)? {MONTHS}\b\.?(?:,? (?:de |del )?(?:19|20)\d{{2}})?)(?![\w/-])",
    re.IGNORECASE,
)
MONTH_FIRST = re.compile(
    rf"\b{MONTHS}\b\.?(?:(?: (?:\d{{1,2}})(?:st|nd|rd|th)?,?)? (?:de |del )?(?:19|20)\d{{2}}"
    r"| \d{1,2}(?:st|nd|rd|th)?\b(?![:.]\d| \w))",
    re.IGNORECASE,
)
BORN = re.compile(
    r"\b(?:born|birth(?:day|date)?|d\.?o\.?b|nacid[oa]|nacimiento|naiss?ance|née?|geboren|geburtsdatum|geburtstag|geboortedatum|"
    r"nascita|nat[oa]|nascimento|nascid[oa])\b[^.\n]{0,24}\Z",
    re.IGNORECASE,
)
TITLE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Sir|Dame|Rev|Hon|Sra|Sr|Srta|Dra|Mme|Mlle|Herr|Frau|Doña|Sig|Sig\.ra|Dott|Mevr|"
    r"Dhr)\b\.?(?= +[^\W\d_a-z])"
)
SEX = re.compile(
    r"\b(?:sex|gender|sexo|sexe|geschlecht|sesso|geslacht)\s{0,2}[:=]\s{0,2}(?P<field>[mfhvw]\b|male|female|hombre|mujer|var[oó]n|masculino|"
    r"femenino|feminino|homme|femme|männlich|weiblich|divers|uomo|donna|man|vrouw)"
    r"|\b(?P<who>var[oó]n|mujer|hombre|niñ[oa]|female|male)(?=(?:,| de| of|,? \d))"
    r"|\b(?:paciente|patient|old)\s(?P<patient>var[oó]n|mujer|masculino|femenin[oa]|hombre|male|female)\b",
    re.IGNORECASE,
)
LETTERS = re.compile(r"\b[^\W\d_a-z][^\W\d_]{3,}(?:-[^\W\d_]+)?\b")


def find(text: str, kinds: Collection[str]) -> Iterator[Found]:
    """All of it, also what overlaps."""
    if "age" in kinds:
        yield from _ages(text)
    if "date" in kinds or "date_of_birth" in kinds:
        yield from _dates(text, kinds)
    if "title" in kinds:
        yield from (Found(*match.span(), "title", 0.9) for match in TITLE.finditer(text))
    if "sex" in kinds:
        yield from (Found(*match.span(match.lastgroup or 0), "sex", 0.8) for match in SEX.finditer(text))
    if "nationality" in kinds:
        yield from (
            Found(*match.span(), "nationality", 0.7) for match in LETTERS.finditer(text) if match[0].lower() in GROUPS
        )


def _ages(text: str) -> Iterator[Found]:
    for match in NUMBER.finditer(text):
        start, end = match.span()
        if end - start > 3 or int(match[0]) > 120:
            continue
        before = text[max(start - NEAR, 0) : start]
        after = AGE_AFTER.match(text, end)
        if after is not None and after["old"]:
            yield Found(start, end, "age", 0.95)
        elif after is not None and AGE_LANGUAGES.match(text, end) and WHOSE.search(before):
            yield Found(start, after.end(), "age", 0.85)
        elif AGE_BEFORE.search(before) and ALONE.match(text, end):
            yield Found(start, end, "age", 0.75)


def _dates(text: str, kinds: Collection[str]) -> Iterator[Found]:
    for pattern in (DATE, MONTH_FIRST):
        for match in pattern.finditer(text):
            start, end = match.span()
            born = BORN.search(text, max(start - NEAR, 0), start) is not None
            if born and "date_of_birth" in kinds:
                yield Found(start, end, "date_of_birth", 0.9)
            elif "date" in kinds:
                yield Found(start, end, "date", 0.8)
