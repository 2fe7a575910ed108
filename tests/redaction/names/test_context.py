"""Ages, dates, titles and what people are, told by the words beside them; and not what only looks like it."""

from headgate.redaction.names.context import find
from headgate.redaction.names.found import KINDS, apart
from headgate.redaction.names.tokens import WORD
from together import together


def said(text, kinds=KINDS):
    return [(text[each.start : each.end], each.kind) for each in apart(find(text, WORD.findall(text), kinds))]


@together(
    ("text", "wanted"),
    [
        ("He just turned 50 years old", [("50", "age")]),
        ("a 35-year-old male, seen", [("35", "age"), ("male", "sex")]),
        ("Patient, aged 7.", [("7", "age")]),
        ("Edad: 43 años Sexo: H.", [("43 años", "age"), ("H", "sex")]),
        ("paciente de 62 años que", [("62 años", "age")]),
        ("Mr. Smith and Dra. Ruiz", [("Mr.", "title"), ("Dra.", "title")]),
        ("born on 9/24/1946 in", [("9/24/1946", "birth_date")]),
        ("Fecha de nacimiento: 13/09/1955.", [("13/09/1955", "birth_date")]),
        ("geboren am 3. März 1971", [("3. März 1971", "birth_date")]),
        ("since 2007-01-17 23:08:55, the", [("2007-01-17 23:08:55", "date")]),
        ("in julio de 2009 and on March 5th, 2020.", [("julio de 2009", "date"), ("March 5th, 2020", "date")]),
        ("a Norwegian film; she is Catholic", [("Norwegian", "nationality"), ("Catholic", "nationality")]),
    ],
)
def test_what_is_found(text, wanted):
    assert said(text) == wanted


@together(
    "text",
    [
        "version 1.2.3 of 10.11.2 has 35 bugs", "it took 20 years", "I am 5 feet tall", "she was 12 times faster",
        "you may 10 times", "march on; polish the table", "release 2024.1.5", "the years 1990", "hace 20 años",
        "mr robot", "id 12-13-14-15", "3/4 of 5/6",
    ],
)  # fmt: skip
def test_what_only_looks_like_it(text):
    assert said(text) == []


def test_only_the_kinds_that_are_asked_for():
    text = "Mr. Roe, born 1/2/1980, aged 44."
    assert said(text, {"age"}) == [("44", "age")]
    assert said(text, {"date"}) == [("1/2/1980", "date")]
    assert said(text, {"date", "birth_date"}) == [("1/2/1980", "birth_date")]
