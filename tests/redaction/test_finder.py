"""Whatever a text is, the work is in proportion to it; and nothing that was planted survives, wherever in JSON it stands."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.redaction import finder
from headgate.redaction.finder import Finder
from headgate.redaction.kinds import chosen, groups, names
from headgate.redaction.redactor import Redactor

EVERY = {kind for kinds in groups(names()).values() for kind in kinds}
BAITS = (
    "a@", "1 ", "12 34 ", "0x", "-----BEGIN PRIVATE KEY-----", "eyJ", "eyJhbGciOiJI.", "sk-", "sk-proj-a1", "password: ", "password is ", "+1 ", "1.1.",
    "::", "a:", "ab:", "DE", "A1 ", "bc1", "9", "4111 ", "passport ", "passport number is ", "born on ", "http://a", "http://a?email=", "=", "(", "(0", "0", "a",
    " ", "é", "MRN ", "Authorization: Bearer ", "PuTTY-User-Key-File-2:", "1.1234, ", "3 May ", " -u a:", "x@x.xx/", "AAAA ", "AIza", "key=", "\n", "account ",
    "[", '\\"', "00 ", "GB29 NWBK ", "1-", "1/", "P<UTO", "T1", "VIN ", "aged ", "NHC: ", "a1b2c3d4", "secret = ", "123-45-", "4111111111111112 ", "2341 2341 2345 ",
)  # fmt: skip
"""Beginnings of everything that is looked for, to be repeated."""
PLANTED = {
    "email": "joe.public@mail.example.com", "card": "4111 1111 1111 1111", "number": "4111111111111111", "iban": "DE89 3704 0044 0532 0130 00",
    "ssn": "078-05-1120", "phone": "+49 (0)30 901820-15", "steuerId": "86095742719", "patientNhs": "943 476 5919", "dni": "54362315K", "cpf": "390.533.447-05",
    "ip": "2001:db8::6099", "mac": "00:1B:44:11:3A:B7", "key": "sk-proj-" + "a1B2c3" * 6, "wallet": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "mrn": "28528098",
    "passportNumber": "XG9382049", "date_of_birth": "1980-05-03", "password": "hunter22", "vat": "DE136695976", "aadhaar": "2341 2341 2346", "fiscalCode": "RCCMNL83S18D969H",
}  # fmt: skip
"""By the name of a field in which it stands."""


class Counting:
    """Checks that count how often they are asked, and about how much."""

    def __init__(self):
        self.calls = self.bytes = 0
        patterns, shapes = chosen(names(), EVERY)
        self.finder = Finder(
            [each._replace(check=self._pattern(each.check)) for each in patterns],
            [each._replace(check=self._shape(each.check)) for each in shapes],
        )

    def _pattern(self, check):
        def counted(data, start, end):
            self.calls += 1
            self.bytes += end - start
            return end if check is None else check(data, start, end)

        return counted

    def _shape(self, check):
        def counted(number):
            self.calls += 1
            self.bytes += len(number)
            return check is None or check(number)

        return counted

    def work(self, text):
        self.calls = self.bytes = 0
        self.finder.find(text.encode())
        return self.calls, self.bytes


@pytest.fixture(scope="module")
def counting():
    return Counting()


def test_the_work_is_in_proportion_to_the_text(counting):
    """Every expression is RE2's, whose search is linear; what is checked is so, too."""
    for bait in BAITS:
        short, long = (counting.work((bait * (size // len(bait) + 1))[:size]) for size in (2_000, 8_000))
        assert long[0] <= 4.5 * short[0] + 20, (bait, short, long)
        assert long[1] <= 4.5 * short[1] + 4_000, (bait, short, long)
        assert long[1] <= 20 * 8_000, (bait, long)


def test_every_expression_is_of_re2(counting):
    gate, expressions = counting.finder._compiled
    assert {type(each).__module__ for each in (gate, *expressions)} == {"re2"}
    assert len(expressions) == len(counting.finder.patterns) + 1


def nested():
    """Decoded JSON with places for values, in which names of fields may stand."""
    leaf = st.sampled_from(sorted(PLANTED)).map(lambda name: ("planted", name))
    return st.recursive(
        leaf | st.text(max_size=8) | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_", min_size=1, max_size=6), inner, max_size=4)
        ),
        max_leaves=12,
    )


def planted(value, as_text):
    """The same with the values in, each in a field of its name; and how many there are."""
    if isinstance(value, tuple):
        name = value[1]
        said = PLANTED[name]
        return {name: int(said) if said.isdigit() and not as_text else said}
    if isinstance(value, dict):
        return {name: planted(each, as_text) for name, each in value.items()}
    return [planted(each, as_text) for each in value] if isinstance(value, list) else value


@given(nested(), st.booleans(), st.integers(0, 3))
def test_nothing_that_was_planted_survives_in_any_nesting(value, as_text, depth):
    whole = planted(value, as_text)
    for _ in range(depth):  # JSON within a text of JSON, as arguments of tools are
        whole = {"arguments": json.dumps(whole)}
    told = json.dumps(REDACTOR.value(whole, Counter()), ensure_ascii=False)
    for said in PLANTED.values():
        assert said not in told


REDACTOR = Redactor()


@given(st.text(max_size=30), st.sampled_from(sorted(PLANTED)), st.text(max_size=30))
def test_nothing_that_was_planted_survives_in_text(before, name, after):
    said = PLANTED[name]
    assert said not in REDACTOR.text(f"{before}\n{name}: {said} {after}", Counter())


def test_what_overlaps_is_taken_out_together():
    found = Finder(*chosen(names())).find(b"postgres://app:hunter22@db.example.com/x joe@example.com")
    assert [(each.start, each.end) for each in found] == [(11, 38), (41, 56)]
    assert finder.together([finder.Found(0, 5, "a", 0.6), finder.Found(3, 9, "b", 0.9)]) == [
        finder.Found(0, 9, "b", 0.9)
    ]
