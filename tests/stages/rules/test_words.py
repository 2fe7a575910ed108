"""Whole words, in any script."""

import pytest

from headgate.stages.rules.words import mentioned


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [
        ("Please review this CONTRACT.", ("contract", "nda"), True),
        ("He is a contractor", ("contract",), False),
        ("He is a contractor", ("contract*",), True),
        ("sub-contract", ("contract",), True),
        ("subcontract", ("contract",), False),
        ("the terms\n  of service say", ("terms of service",), True),
        ("in terms of the service", ("terms of service",), False),
        ("c++ and c#", ("c++",), True),
        ("a.b", ("a?b",), False),
        ("这份合同需要审查", ("合同",), True),
        ("この契約書を確認して", ("契約",), True),
        ("계약서를 검토해", ("계약",), True),
        ("Überweisung prüfen", ("überweisung",), True),
        ("anything", (), False),
        ("anything", ("", " ", "*"), False),
    ],
)
def test_mentioned(text, words, there):
    assert mentioned(text, words) is there
