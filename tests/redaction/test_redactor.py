"""Secrets and personal data are taken out of whatever they stand in, and nothing else is changed."""

import json
import random
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.redaction.finder import Finder
from headgate.redaction.kinds import chosen, names
from headgate.redaction.names.recogniser import Recogniser
from headgate.redaction.redactor import Redactor, Room, mark
from together import together

REDACTOR = Redactor()
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabc==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


def redacted(text):
    return REDACTOR.text(text, Counter())


@together(
    ("text", "wanted"),
    [
        ("mail joe.o@mail.example.co.uk!", "mail [EMAIL]!"),
        ("größe@bücher.example", "[EMAIL]"),
        ("card 4111 1111 1111 1111, please", "card [CARD], please"),
        ("3782-822463-10005", "[CARD]"),
        ("DE89 3704 0044 0532 0130 00 is mine", "[IBAN] is mine"),
        ("to gb29nwbk60161331926819.", "to [IBAN]."),
        ("ssn 078-05-1120", "ssn [SSN]"),
        ("social security number: 078051120", "social security number: [SSN]"),
        ("call +49 (0)30 901820-15 or 020 7946 0958", "call [PHONE] or [PHONE]"),
        ("(415) 555-2671 ext. 9", "[PHONE]"),
        ("from 192.168.0.12 and fe80::1ff:fe23:4567:890a", "from [IP] and [IP]"),
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [TOKEN]"),
        (f"x {JWT} y", "x [TOKEN] y"),
        (f"key:\n{PEM}\nend", "key:\n[PRIVATE_KEY]\nend"),
        (PEM.replace("\n", "\\n") + " end", "[PRIVATE_KEY] end"),
        (f"{PEM[: PEM.index('-----END') - 1]}\n\nwas cut off", "[PRIVATE_KEY]\n\nwas cut off"),
        ("what does -----BEGIN PRIVATE KEY----- mean at all?", "what does [PRIVATE_KEY] mean at all?"),
        ("OPENAI_API_KEY=sk-proj-" + "a1B2" * 12, "OPENAI_API_KEY=[API_KEY]"),
        ("sk-ant-api03-" + "a1B2_-" * 15 + "AA is it", "[API_KEY] is it"),
        ("AKIAIOSFODNN7EXAMPLQ", "[API_KEY]"),
        ("postgres://app:hunter22@db/x", "postgres://[PASSWORD]@db/x"),
        ('the password is "correct horse battery"', 'the password is "[PASSWORD]"'),
        ("my password is Tr0ub4dor&3", "my password is [SECRET]"),
        ('{"client_secret": "q1w2e3r4"}', '{"client_secret": "[SECRET]"}'),
        (r"log: {\"password\":\"hunter22\"}", r"log: {\"password\":\"[SECRET]\"}"),
        (r"{\\\"token\\\": \\\"abcdefghij0123456789\\\"}", r"{\\\"token\\\": \\\"[SECRET]\\\"}"),
    ],
)
def test_what_is_found(text, wanted):
    assert redacted(text) == wanted


@together(
    "text",
    [
        "Hello, how are you?", "4111 1111 1111 1112", "version 1.2.3.4", "v10.0.0.1", "2026-11-27 10:15:00",
        "GB29 NWBK 6016 1331 9268 20", "000-12-3456", "666-12-3456", "1234567890123", "999.1.1.1", "a@b", "std::vector",
        "api_key=<your key>", "password: ${DB_PASSWORD}", "secret: xxxxxxxx", "isbn 978-3-16-148410-0", "12:30:45",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "e3b0c44298fc1c149afbf4c8996fb924", "$1,234.56", "1.5e10", "",
    ],
)  # fmt: skip
def test_what_is_left(text):
    assert redacted(text) == text


def test_json_is_redacted_however_it_is_spelt():
    said = (
        r'{"a":"joe\u0040example.com","n":4111111111111111,"joe@example.com":true,"password":"hello","tokens":[12345678],'
        r'"arguments":"{\"to\":\"joe\\u0040example.com\",\"k\":1}","deep":[[{"x":"078-05-1120"}]]}'
    )
    counts = Counter()
    assert REDACTOR.value(json.loads(said), counts) == {
        "a": "[EMAIL]", "n": "[CARD]", "[EMAIL]": True, "password": "[SECRET]", "tokens": [12345678],
        "arguments": '{"to":"[EMAIL]","k":1}', "deep": [[{"x": "[SSN]"}]],
    }  # fmt: skip
    assert counts == {"email": 3, "card": 1, "secret": 1, "ssn": 1}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"phone": "5551234567"}, {"phone": "[PHONE]"}),
        ({"customerPhone": 5551234567}, {"customerPhone": "[PHONE]"}),
        ({"phone_number": "0170 1234567"}, {"phone_number": "[PHONE]"}),
        ({"ssn": 123456789}, {"ssn": "[SSN]"}),
        ({"social_security_number": "123456789"}, {"social_security_number": "[SSN]"}),
        ({"args": '{"phone":"5551234567"}'}, {"args": '{"phone":"[PHONE]"}'}),
        ({"password": 123456}, {"password": "[SECRET]"}),
        ({"order": "5551234567", "count": 123456}, {"order": "5551234567", "count": 123456}),
    ],
)
def test_the_name_of_a_field_tells_what_its_number_is(value, wanted):
    counts = Counter()
    assert REDACTOR.value(value, counts) == wanted
    assert counts.total() == str(wanted).count("[")


def test_what_is_cut_off_leaves_no_part_of_a_secret_and_nothing_is_looked_for_in_the_rest():
    told, counts = [], Counter()
    room = Room(30, lambda: told.append("cut"))
    value = {"a": "x" * 20, "b": "card 4111 1111 1111 1111 more", "c": "me@example.org"}
    assert REDACTOR.value(value, counts, room=room) == {"a": "x" * 20, "b": "card [CARD]"}
    assert (told, counts) == (["cut"], {"card": 1})
    assert REDACTOR.value(value, Counter(), room=Room(1000, told.clear)) == {
        "a": "x" * 20, "b": "card [CARD] more", "c": "[EMAIL]",
    }  # fmt: skip
    assert told == ["cut"]


def test_only_the_kinds_that_are_wanted():
    assert (
        Redactor(Finder(*chosen(names(), ["email"]))).text("joe@example.com 4111111111111111", Counter())
        == "[EMAIL] 4111111111111111"
    )


@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_a_secret_in_any_text_is_gone_and_the_text_around_it_is_not(before, after):
    secret = "joe.public@mail.example.com"
    told = redacted(f"{before} {secret} {after}")
    assert secret not in told
    if (
        redacted(before) == before
        and redacted(after) == after
        and redacted(f"{before} x {after}") == f"{before} x {after}"
    ):
        assert told == f"{before} [EMAIL] {after}"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_what_is_redacted_once_is_redacted_for_good(value):
    once = REDACTOR.value(value, Counter())
    assert REDACTOR.value(once, Counter()) == once


def test_a_long_text_of_a_stranger_is_looked_through_to_its_end():
    chance = random.Random(7)
    text = "".join(chance.choices(string.printable + "äöü@:=.-", k=60_000))
    assert redacted(f"{text} joe@example.com").endswith(" [EMAIL]")
    assert redacted("a@" * 20_000 + " joe@example.com").endswith(" [EMAIL]")
    assert redacted("1 " * 5_000 + "4111 1111 1111 1111 x").endswith("[CARD] x")


def test_marks():
    assert mark("api_key") == "[API_KEY]"


def test_names_are_taken_out_where_it_is_asked_to():
    redactor = Redactor(also=Recogniser(["person", "address"]))
    counts = Counter()
    said = {"é": ["Dear Mrs. Lindqvist, write to joe@example.com", {"name": "Margaret Okafor"}], "n": 3}
    assert redactor.value(said, counts) == {"é": ["Dear Mrs. [PERSON], write to [EMAIL]", {"name": "[PERSON]"}], "n": 3}
    assert counts == {"person": 2, "email": 1}
