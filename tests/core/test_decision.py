"""A decision in plain words, with its candidates."""

from headgate.core.decision import Candidate, Decision
from headgate.core.target import Target


class Host:
    def __init__(self, name):
        self.name = name


ONE, TWO, BLIND = Target(Host("a"), "m"), Target(Host("b"), "m"), Target(Host("c"), "blind")


def test_nothing_is_said_of_a_request_that_was_not_routed():
    assert Decision().told(None, 0) is None


def test_a_model_that_was_asked_for_directly():
    told = Decision(ranked=(ONE,)).told(ONE, 1)
    assert (told.why, told.candidates, told.alias) == ("asked for directly", [], None)


def test_all_of_it():
    decision = Decision("smart", "night", "cheapest", (ONE, TWO), [(BLIND, "capability", "takes no image")])
    decision.scores, decision.unit = {ONE: 0.00012345678, TWO: 0.5, BLIND: 7}, "US dollars"
    decision.said.append("counted here: estimate")
    told = decision.told(TWO, 2)
    assert told.why == (
        "smart by the rule night; policy cheapest; b/m has 0.5 US dollars; b/m was asked in attempt 2; "
        "left out: c/blind (takes no image); counted here: estimate"
    )
    assert told.candidates == [
        Candidate("a/m", score=0.000123457),
        Candidate("b/m", score=0.5),
        Candidate("c/blind", out="takes no image", by="capability", score=7),
    ]
