"""Whole words, in any script."""

from headgate.stages.rules.words import MANY, Words, mentioned
from together import together

OTHERS = tuple(
    word for number in range(MANY) for word in (f"nr.{number}", f"第{number}号", f"no {number}", f"x{number}*")
)


@together(
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
        ("a.b", ("a.b",), True),
        ("xa.b, a.bc, and then a.b", ("a.b",), True),
        ("xa.b, a.bc", ("a.b",), False),
        ("xa.b, a.bc", ("a.b*",), True),
        ("xa.b", ("a.b*",), False),
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
    assert mentioned(text, words + OTHERS) is there


def test_different_words_are_counted_once():
    words = Words(("nda", "nda*", "NDA", "of service", "terms of serv*", "c++", "合同", "合"))
    assert words.count("NDA, nda, ndas: the terms of service for c++, c++ 合同 合同") == 7
