"""Who gets the target on trial, and what of a request counts for it."""

from collections import Counter

import pytest

from headgate.core.canary import Canary
from headgate.core.record import Attempt
from headgate.core.together import Together
from headgate.core.trial import Course, Trial
from stages.policies.targets import asked, target
from together import together

COURSE = Course((5, 25, 100), 600, 20, 0.05, 1.5, "x")


def canary(percent=5.0):
    new = target("new")
    made = Canary(new, Trial("chat", "new/m", COURSE, 0.0), Together(["user"]))
    made.trial.percent = percent
    return made


def users(count):
    return [asked({"user": f"user-{number}"}) for number in range(count)]


def drawn(made, exchanges):
    return {number for number, exchange in enumerate(exchanges) if made.draws(exchange)}


def test_it_gets_its_share_of_users_and_keeps_them_as_it_grows():
    few, more, all_ = (drawn(canary(percent), users(2000)) for percent in (5, 25, 100))
    assert len(few) / 2000 == pytest.approx(0.05, abs=0.02)
    assert len(more) / 2000 == pytest.approx(0.25, abs=0.03)
    assert few < more < all_ == set(range(2000))
    assert drawn(canary(5), users(2000)) == few


def test_it_gets_its_share_of_those_who_say_nothing():
    made = canary(25)
    assert Counter(made.draws(asked()) for _ in range(2000))[True] / 2000 == pytest.approx(0.25, abs=0.03)


def test_the_decision_says_so():
    exchange = asked({"user": "u"})
    assert canary(100).draws(exchange)
    assert exchange.decision.said == ["the canary new/m gets 5 % of the requests, and this is one"]


def test_one_that_is_back_gets_nothing_and_the_decision_says_why():
    made = canary(100)
    for _ in range(20):
        made.trial.hear(1.0, None, own=True)
    exchange = asked()
    assert not made.draws(exchange)
    assert exchange.decision.said == [
        "the canary new/m gets no requests any more: 100.0% of its 20 requests failed, and 0.0% of the others'"
    ]


def heard(*attempts, drawn, ending="complete", out=(), resumed=0):
    made, exchange = canary(), asked()
    exchange.attempts = list(attempts)
    exchange.record.ending, exchange.record.origin = ending, "provider"
    exchange.record.resumed = resumed
    exchange.decision.out = [(made.target, by, "why") for by in out]
    made.hear(exchange, 1.0, drawn=drawn)
    return tuple((tally.count, tally.failed) for tally in (made.trial.own, made.trial.others))


GOOD, BAD = Attempt("new/m", 0.1, 200), Attempt("new/m", 0.1, 500, "provider_error")
OTHER = Attempt("old/m", 0.1, 200)


@together(
    ("attempts", "more", "own", "others"),
    [
        ([GOOD], {"drawn": True}, (1, 0), (0, 0)),
        ([BAD, OTHER], {"drawn": True}, (1, 1), (0, 0)),
        ([GOOD], {"drawn": True, "ending": "cut"}, (1, 1), (0, 0)),
        ([GOOD, OTHER], {"drawn": True, "resumed": 1}, (1, 1), (0, 0)),  # another went on for it
        ([OTHER], {"drawn": False}, (0, 0), (1, 0)),
        ([Attempt("old/m", 0.1, None, "timeout"), OTHER], {"drawn": False}, (0, 0), (1, 1)),
        ([OTHER], {"drawn": True, "out": ["health"]}, (1, 1), (0, 0)),  # its circuit is open
        ([OTHER], {"drawn": True, "out": ["capability"]}, (0, 0), (0, 0)),
        ([Attempt("new/m", 0.1)], {"drawn": True, "ending": "cancelled"}, (0, 0), (0, 0)),
        ([], {"drawn": True}, (0, 0), (0, 0)),
    ],
)
def test_what_counts(attempts, more, own, others):
    assert heard(*attempts, **more) == (own, others)
