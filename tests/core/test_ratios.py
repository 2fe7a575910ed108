"""What is learned of how many tokens a model's texts have: means that are bounded, follow a model, and are kept."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.ratios import LEAST, MOST, OFTEN, REMEMBERED, SELDOM, SURE, WEIGHT, Ratio, Ratios


def test_it_is_the_mean_of_what_was_heard():
    ratio = Ratio()
    for reported in (100, 150, 200):
        ratio.hear_asked(reported, 100)
    assert (round(ratio.asked, 9), ratio.asked_count, ratio.answered) == (1.5, 3, 1.0)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 10**6)), max_size=300))
def test_it_stays_within_bounds_whatever_is_heard(heard):
    ratio = Ratio()
    for reported, estimated in heard:
        ratio.hear_answered(reported, estimated)
    assert LEAST - 1e-9 <= ratio.answered <= MOST + 1e-9
    assert ratio.answered_count <= WEIGHT


def test_it_follows_a_model_that_changes():
    ratio = Ratio()
    for _ in range(1000):
        ratio.hear_asked(100, 100)
    for _ in range(5 * WEIGHT):
        ratio.hear_asked(200, 100)
    assert ratio.asked > 1.98


def test_a_model_is_looked_at_often_until_it_is_known():
    ratios = Ratios()
    ratio = ratios.due("a/b", 100.0)
    assert ratio is ratios.of("a/b")
    assert ratios.due("a/b", 100.0 + OFTEN / 2) is None
    assert ratios.due("a/b", 100.0 + OFTEN) is ratio
    for _ in range(SURE):
        ratio.hear_asked(1, 1)
        ratio.hear_answered(1, 1)
    assert ratios.due("a/b", 200.0) is ratio
    assert ratios.due("a/b", 200.0 + SELDOM - 1) is None


def test_no_more_models_are_remembered_than_there_is_room_for():
    ratios = Ratios()
    for number in range(REMEMBERED + 10):
        ratios.due(f"a/{number}", 0.0).hear_asked(2, 1)
    assert len(ratios.dump()) == REMEMBERED
    assert ratios.of("a/0").asked == 1.0


def test_what_is_kept_is_taken_up_again_as_far_as_it_makes_sense():
    odd = Ratio(asked=float("nan"), answered=1e9, asked_count=-3)
    ratios = Ratios()
    ratios.load({"a/b": Ratio(asked=1.25, asked_count=7), "a/c": odd})
    assert ratios.dump() == {"a/b": Ratio(asked=1.25, asked_count=7)}
    assert (ratios.of("a/c").asked, ratios.of("a/c").answered) == (1.0, MOST)
