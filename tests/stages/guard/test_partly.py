"""What is told of something of which not all is told."""

import pytest

from headgate.stages.guard.partly import generalised, levels, masked, meant

MASKED = {
    ("email", "joe.public@mail.example.com"): "j**.******@m***.*******.com",
    ("person", "Ada Lovelace"): "A** L*******",
    ("card", "4111 1111 1111 1111"): "**** **** **** 1111",
    ("customer", "C-123"): "*-*23",
    ("pin", "12"): "**",
}
COARSE = {
    ("birth_date", "3 May 1985"): "1985",
    ("date", "03/05/85"): "[DATE]",
    ("age", "34 years old"): "30-39 years old",
    ("age", "93"): "90 or more",
    ("ip", "203.0.113.77"): "203.0.113.0/24",
    ("ip", "2001:db8:1:2::1"): "2001:db8:1::/48",
    ("coordinates", "52.52437, -13.41053"): "52.5, -13.5",
    ("iban", "DE89 3704 0044 0532 0130 00"): "[IBAN DE]",
    ("salary", "52,500"): "50000-59999",
    ("salary", "7"): "0-9",
    ("customer", "C-123456"): "[CUSTOMER]",
    ("ssn", "078-05-1120"): "[SSN]",
}


@pytest.mark.parametrize(("way", "cases"), [(masked, MASKED), (generalised, COARSE)], ids=["masked", "generalised"])
def test_what_is_left(way, cases):
    assert {case: way(*case) for case in cases} == cases


LEVELS = {
    ("birth_date", "3 May 1985"): ["1985", "1980-1989"],
    ("age", "34"): ["30-39", "30-59"],
    ("age", "93"): ["90 or more"],
    ("ip", "203.0.113.77"): ["203.0.113.0/24", "203.0.0.0/16", "203.0.0.0/8"],
    ("ip", "2001:db8:1:2::1"): ["2001:db8:1::/48", "2001:db8::/32", "2001::/16"],
    ("coordinates", "52.52437, -13.41053"): ["52.5, -13.5", "52, -14", "50, -20"],
    ("salary", "52,500"): ["50000-59999", "10000-99999"],
    ("ssn", "078-05-1120"): [],
    ("coordinates", f"{'9' * 400}.5, 1.5"): [],
    ("date", "2² May 1985"): ["1985", "1980-1989"],
}
SAME = [
    ("birth_date", "1985-03-02", "02.03.1985", "3/2/1985", "2 March 1985", "March 2, 1985", "2. März 1985",
     "samedi 2 mars 1985", "1985-03-02T10:15"),
    ("birth_date", "7 May 1985", "mardi 7 mai 1985", "martes 7 mayo 1985"),
    ("ip", "2001:db8::1", "2001:0db8:0:0::1", "[2001:DB8::1]"),
    ("salary", "52500", "52,500", "052500", "٥٢٥٠٠"),
    ("ip", "fe80::1", "fe80::1%eth0", "fe80::1%2"),
    ("iban", "DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
    ("coordinates", "52.5243, 13.4105", "52.52,13.41"),
]  # fmt: skip


def test_less_and_less_is_left():
    assert {case: [*levels(*case)] for case in LEVELS} == LEVELS
    assert {case: generalised(*case) for case in LEVELS} == {
        (category, text): (said or [f"[{category.upper()}]"])[0] for (category, text), said in LEVELS.items()
    }


def test_one_value_is_one_however_it_is_written():
    assert [len({meant(category, each) for each in texts}) for category, *texts in SAME] == [1] * len(SAME)
    assert meant("birth_date", "7² May 1985")
    assert meant("birth_date", "7 May 1985") != meant("birth_date", "8 May 1985")
