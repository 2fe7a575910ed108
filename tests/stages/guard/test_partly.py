"""What is told of something of which not all is told."""

import pytest

from headgate.stages.guard.partly import generalised, masked

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
