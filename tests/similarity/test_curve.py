"""What a threshold lets through is counted, and the one that is advised is right as often as it is wanted."""

import pytest

from headgate.similarity.curve import Hits, Judged, Pair, advised, curve, judged, point, refusals
from headgate.similarity.lexical import Lexical

FOUND = [
    Judged(0.95, True, None),
    Judged(0.92, True, "wording"),
    Judged(0.91, False, "number"),
    Judged(0.85, True, None),
    Judged(0.75, False, None),
    Judged(0.65, True, None),
]


def test_a_threshold_counts_what_is_near_and_what_of_it_agrees():
    at = point(FOUND, 0.7)
    assert (at.plain, at.guarded) == (Hits(3, 2, 4), Hits(2, 1, 4))
    assert (at.plain.precision, at.plain.recall) == (0.6, 0.75)
    assert Hits(0, 0, 0).precision == 1
    assert Hits(0, 0, 0).recall == 0
    assert [each.threshold for each in curve(FOUND, 0.25)] == [0.5, 0.75]


@pytest.mark.parametrize(("precision", "threshold", "right"), [(1, 0.76, 2), (0.7, 0.3, 3), (0.66, 0.3, 3)])
def test_the_least_threshold_is_advised_that_is_right_so_often(precision, threshold, right):
    best = advised(FOUND, precision)
    assert best is not None
    assert (best.threshold, best.guarded.right) == (threshold, right)


def test_none_is_advised_where_none_is_right():
    assert advised([Judged(0.9, False, None), Judged(0.9, True, "name")], 0.5) is None


def test_what_the_guards_keep_back_is_told_by_kind():
    assert refusals(FOUND, 0.9) == ({"wording": 1}, {"number": 1})


async def test_pairs_are_judged_by_the_embedder_but_for_those_whose_similarity_is_known():
    pairs = [Pair("what is two times 30", "What is 2 times 30?", True), Pair("a b", "a c", False, 0.5)]
    one, other = await judged(pairs, Lexical())
    assert one.similarity > 0.6
    assert other.similarity == 0.5
    assert (one.differs, other.differs) == (None, "wording")
