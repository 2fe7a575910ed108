"""Ages, dates, titles and what people are by nation, faith or sex: told by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from headgate.redaction.names.found import Found
from headgate.redaction.names.groups import GROUPS


def _words(said: str) -> frozenset[str]:
    return frozenset(said.split())


NEAR = 40
"""Characters before something in which words that say what it is are looked for."""
MONTH = 16
"""Of these, those that the name of a month has room in."""
DATES = frozenset(("date", "birth_date"))
NUMBERED = DATES | {"age"}
DIGITS = re.compile(r"[0-9]+")
WITHIN = frozenset("_.,/:$€£#%+-")
"""Before digits that are part of something longer."""
AGE_AFTER = re.compile(
    r"[ -]{0,2}(?P<unit>years?|yrs?|y/?o\b|años|anos|ans|anni|Jahren?|jaar|meses|months?|mois|mesi|Monate|"
    r"weeks?|semanas|"
    r"días)"
    r"(?P<old>[ -]{1,2}(?:old|of age|de edad|de idade|de vida|d'âge|alt|oud)\b)?",
    re.IGNORECASE,
)
AGE_BEFORE = re.compile(
    r"\b(?:(?P<is>aged|(?:age|edad|idade|âge|età|leeftijd|alter)(?= ?[:=]))|age|edad|idade|âge|età|leeftijd|"
    r"alter|age of|"
    r"(?:he|she|i|they) (?:is|was|am|are|were)|i'm|"
    r"turn(?:s|ed|ing)?|is now)\s{0,2}[:=]?\s{0,2}\Z",
    re.IGNORECASE,
)
ALONE = re.compile(r"\s*(?:[.,;!?)\n]|\Z|(?:and|but|when|now|in|as|or|this|next)\b)")
"""What follows an age that has no unit."""
WHOSE = re.compile(
    r"\b(?:de|con|tiene|edad|niñ[oa]|var[oó]n|mujer|hombre|paciente|los|a|ha|tem|com|idade|avec|di|y|o)\b\W{0,3}\Z",
    re.IGNORECASE,
)
"""Where somebody is spoken of who has an age; enough before years of these languages."""
LASTING = re.compile(
    r"\b(?:hace|durante|tras|desde|cada|por|en|últimos|próximos|más de|menos de|unos|depuis|pendant|après|avant|"
    r"il y a|da|dopo|"
    r"há)\W{0,3}\Z",
    re.IGNORECASE,
)
LASTED = re.compile(
    r"\s(?:antes|después|más tarde|atrás|previos|de (?:evolución|experiencia|seguimiento|duración|garantía)|plus tard|"
    r"fa\b)"
)
"""Before and behind years that are no age."""
YEARS = frozenset(("años", "anos", "ans", "anni"))
ROMANCE = YEARS | {"meses", "mois", "mesi", "semanas", "días"}
YEAR_BEFORE = re.compile(
    r"\b(?:in|since|during|until|from|year|en|año|desde|seit|im Jahr|nel|depuis|sinds|em)\s\Z", re.IGNORECASE
)
YEAR = re.compile(r"(?:19|20)\d{2}(?![\w/-]|[.,]\d)")
MONTHS = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|mar(?:ch|s)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?|märz|mai|juni|juli|février|avril|juin|juillet|août|"
    r"septembre|octobre|"
    r"novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|"
    r"diciembre|gennaio|"
    r"febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|novembre|dicembre|januari|februari|maart|mei|"
    r"augustus|janeiro|"
    r"fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro)"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
DATE = re.compile(
    r"(?:\d{4}-\d{1,2}-\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?Z?)?"
    rf"|{DAY}(?P<by>[/.-]){DAY}(?P=by)(?:\d{{4}}|\d{{2}})"
    rf"|{DAY}(?:st|nd|rd|th|\.|º)?(?: of| de| del)? {MONTHS}\b\.?(?:,? (?:de |del )?(?:19|20)\d{{2}})?)(?![\w/-])",
    re.IGNORECASE,
)
MONTH_BEFORE = re.compile(rf"\b{MONTHS}\b\.?,? (?:de |del )?\Z", re.IGNORECASE)
AFTER_MONTH = re.compile(
    r"(?:19|20)\d{2}(?!\w)|\d{1,2}(?:st|nd|rd|th)?(?:,? (?:19|20)\d{2}\b|\b(?![:.]\d| \w|%))", re.IGNORECASE
)
BORN = re.compile(
    r"\b(?:born|birth(?:day|date)?|d\.?o\.?b|nacid[oa]|nacimiento|naiss?ance|née?|geboren|geburtsdatum|"
    r"geburtstag|geboortedatum|"
    r"nascita|nat[oa]|nascimento|nascid[oa])\b[^.\n]{0,24}\Z",
    re.IGNORECASE,
)
TITLES = _words("""
Mr Mrs Ms Miss Mx Dr Prof Sir Dame Rev Hon Sra Sr Srta Dra Mme Mlle Herr Frau Doña Sig Dott Mevr Dhr
""")
TITLE = re.compile(rf"\b(?:{'|'.join(sorted(TITLES))})\b\.?(?= +[^\W\d_a-z])")
SEX_WORDS = _words("""
sex Sex gender Gender sexo Sexo sexe Sexe Geschlecht sesso Sesso geslacht varón Varón varon Varon mujer Mujer hombre
Hombre niño Niño niña Niña male Male female Female masculino femenino femenina
""")
SEX = re.compile(
    r"\b(?:sex|gender|sexo|sexe|geschlecht|sesso|geslacht)\s{0,2}[:=]\s{0,2}(?P<field>[mfhvw]\b|male|female|"
    r"hombre|mujer|var[oó]n|masculino|"
    r"femenino|feminino|homme|femme|männlich|weiblich|divers|uomo|donna|man|vrouw)"
    r"|\b(?P<who>var[oó]n|mujer|hombre|niñ[oa]|female|male)(?=(?:,| de| of|,? \d))"
    r"|\b(?:paciente|patient|old)\s(?P<patient>var[oó]n|mujer|masculino|femenin[oa]|hombre|male|female)\b",
    re.IGNORECASE,
)
NATIONS = frozenset(each.capitalize() for each in GROUPS) | frozenset(each.upper() for each in GROUPS)


def find(text: str, words: Sequence[str], kinds: Collection[str]) -> Iterator[Found]:
    """All of it, also what overlaps. `words` are those of the text."""
    if not NUMBERED.isdisjoint(kinds):
        yield from _numbers(text, kinds)
    if "title" in kinds and not TITLES.isdisjoint(words):
        yield from (Found(*match.span(), "title", 0.9) for match in TITLE.finditer(text))
    if "sex" in kinds and not SEX_WORDS.isdisjoint(words):
        yield from (Found(*match.span(match.lastgroup or 0), "sex", 0.8) for match in SEX.finditer(text))
    if "nationality" in kinds:
        for word in NATIONS.intersection(words):
            pattern = re.compile(rf"(?<!\w){word}(?!\w)")
            yield from (Found(*match.span(), "nationality", 0.7) for match in pattern.finditer(text))


def _numbers(text: str, kinds: Collection[str]) -> Iterator[Found]:
    """Dates and ages, each by its first digits, or by those behind a month's name."""
    dates = not DATES.isdisjoint(kinds)
    end = 0
    for match in DIGITS.finditer(text):
        start = match.start()
        if start < end or (start and (text[start - 1].isalnum() or text[start - 1] in WITHIN)):
            continue
        found = _date(text, start, kinds) if dates else None
        if found is None and "age" in kinds and match.end() - start <= 3:
            found = _age(text, start, match.end())
        if found is not None:
            end = found.end
            yield found


def _date(text: str, start: int, kinds: Collection[str]) -> Found | None:
    match = DATE.match(text, start)
    if match is not None:
        end = match.end()
    else:
        before = MONTH_BEFORE.search(text, max(start - MONTH, 0), start)
        after = AFTER_MONTH.match(text, start) if before is not None else None
        if before is not None and after is not None:
            start, end = before.start(), after.end()
        elif YEAR.match(text, start) and YEAR_BEFORE.search(text, max(start - MONTH, 0), start):
            return Found(start, start + 4, "date", 0.65) if "date" in kinds else None
        else:
            return None
    if "birth_date" in kinds and BORN.search(text, max(start - NEAR, 0), start):
        return Found(start, end, "birth_date", 0.9)
    return Found(start, end, "date", 0.8) if "date" in kinds else None


def _age(text: str, start: int, end: int) -> Found | None:
    if int(text[start:end]) > 120:
        return None
    before = text[max(start - NEAR, 0) : start]
    after = AGE_AFTER.match(text, end)
    unit = after["unit"].lower() if after is not None else ""
    if after is not None and after["old"] and unit not in ROMANCE:
        return Found(start, end, "age", 0.95)
    told = AGE_BEFORE.search(before)
    if (
        after is not None
        and unit in ROMANCE
        and (told or after["old"] or (unit in YEARS and _aged(text, before, after)))
    ):
        return Found(start, after.end("unit"), "age", 0.85)
    return Found(start, end, "age", 0.75) if told and (told["is"] or ALONE.match(text, end)) else None


def _aged(text: str, before: str, after: re.Match[str]) -> bool:
    """Years that somebody is old, rather than years that something lasted."""
    if LASTING.search(before) or LASTED.match(text, after.end()):
        return False
    return after["unit"].lower() == "años" or WHOSE.search(before) is not None
