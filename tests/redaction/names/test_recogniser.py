"""The recogniser finds what it is asked for, from the score on that it is told."""

from headgate.redaction.names.recogniser import Recogniser


def test_a_threshold_and_kinds():
    text = "Dr. Roe, a Swede? No: Swedish, aged 44."
    assert [each.kind for each in Recogniser(["title", "age", "nationality"]).find(text)] == [
        "title",
        "nationality",
        "age",
    ]
    assert [each.kind for each in Recogniser(["title", "age", "nationality"], threshold=0.85).find(text)] == ["title"]
