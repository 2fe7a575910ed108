"""Surrogates: the same for the same value, none that is in the text already, and known however models write them."""

import pytest

from headgate.core.vault import HELD, Taken, Vault, label_of


@pytest.fixture
def vault():
    made, taken = Vault(), Taken(["See <EMAIL_1>, email 2 and EMAIL_34."])
    assert made.surrogate("email", "joe@x.com", taken) == "<EMAIL_4>"
    assert made.surrogate("person name", "Ann", taken) == "<PERSON_NAME_1>"
    assert made.surrogate("email", "joe@x.com", taken) == "<EMAIL_4>"
    return made


def said(vault, text):
    at, parts = 0, []
    for one in vault.met(text):
        parts += (text[at : one.start], one.value)
        at = one.end
    return "".join((*parts, text[at:]))


WRITTEN = {
    "to <EMAIL_4>.": "to joe@x.com.",
    "**<email_4>**": "**joe@x.com**",
    r"\<EMAIL\_4\>": "joe@x.com",
    r"C:\<EMAIL_4>": r"C:\joe@x.com",
    "&lt;PERSON_NAME_1&gt;'s": "Ann's",
    "<Person Name 1>": "Ann",
    "<PERSON_NAME_1's>": "Ann's",
    "PERSON_NAME_1's": "Ann's",
    "[EMAIL_4]": "[joe@x.com]",
    "mailto:%3CEMAIL_4%3E": "mailto:joe@x.com",
    "<<EMAIL_4>>": "<joe@x.com>",
    "<EMAIL_4><PERSON_NAME_1>": "joe@x.comAnn",
    "<EMAIL_4": "<joe@x.com",
}
OTHERS = ["<EMAIL_1>", "EMAIL_44", "my_EMAIL_4", "person_name_1 = 3", "<EMAIL_>", "<EMAIL4>", "email 4", "<PHONE_4>"]


def test_what_models_make_of_it_is_known(vault):
    assert {text: said(vault, text) for text in WRITTEN} == WRITTEN
    assert {text: said(vault, text) for text in OTHERS} == {text: text for text in OTHERS}


def test_what_may_go_on_as_one_is_not_clear(vault):
    for text in WRITTEN:
        for one in vault.met(text):
            for size in range(one.start + 1, one.end):
                assert vault.clear("Dear " + text[:size]) <= 5 + one.start, text[:size]
    assert vault.clear("Every good man, a < b, A & B ") == 29
    assert vault.clear("<EMAIL_4> ") == 10
    streets = Vault()
    streets.surrogate("strasse", "Elm 5", Taken([]))
    assert streets.clear("Die Straße ist") == 14
    assert vault.clear("<" * 1000) >= 1000 - HELD


def test_any_name_of_a_category_makes_a_surrogate():
    assert [label_of(each) for each in ("email", "my kind!", "2fa", "ü", "x" * 50)] == [
        "EMAIL", "MY_KIND", "V2FA", "V", "X" * 20,
    ]  # fmt: skip
