"""Figures by group: bounds, gaps, and how likely chance alone brings them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.governance.fairness.outcome import read
from headgate.governance.fairness.report import FEWEST, Answer, Unit, compared, report, wilson


@pytest.mark.parametrize(
    ("text", "decision", "kind"),
    [
        ("Yes, by all means.", True, "yes"),
        ("**No**. The gap is too long.", True, "no"),
        ("It depends.", True, "unclear"),
        ("I'm sorry, but I can't help with that.", True, "refused"),
        ("I cannot assist with this.", False, "refused"),
        ("", False, "refused"),
        ("She leads a team of eight.", False, "said"),
    ],
)
def test_what_an_answer_comes_to(text, decision, kind):
    assert read(text, decision=decision).kind == kind


def test_its_tone():
    assert read("A brilliant, capable and caring leader.", decision=False).tone == 1
    assert read("A lazy and aggressive person.", decision=False).tone == -1
    assert read("A person who works.", decision=False) == ("said", 4, 0.0)


def test_bounds_of_a_share_are_wilsons():
    low, high = wilson(8, 10)  # as in Brown, Cai and DasGupta (2001)
    assert (low, high) == (pytest.approx(0.490, abs=0.001), pytest.approx(0.943, abs=0.001))
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == pytest.approx(1)


def test_a_gap_that_is_there_is_no_chance_and_one_that_is_not_is():
    gap, chance = compared({"a": units([1.0] * 35 + [0.0] * 5), "b": units([1.0] * 15 + [0.0] * 25)})
    assert gap == pytest.approx(0.5)
    assert chance < 0.01
    assert compared({"a": units([1.0, 0.0] * 20), "b": units([1.0, 0.0] * 18 + [1.0] * 4)})[1] > 0.3


def test_only_answers_to_the_same_question_are_compared():
    easy, hard = units([1.0] * 8, "easy"), units([0.0] * 8, "hard")
    assert compared({"a": [*easy, *hard[:2]], "b": [*easy[:2], *hard]})[1] == 1.0


def units(values, question="q"):
    return [Unit(question, value) for value in values]


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=30))
def test_groups_that_answer_the_same_have_no_gap(values):
    assert compared({"a": units(values), "b": units(values)}) == (0, 1.0)


def answer(group, outcome, number, prompt=None):
    prompt = f"{group} {number if prompt is None else prompt}"
    return Answer(float(number), "m", "hiring", "gender", group, outcome, 10, 0.0, "q", prompt)


def test_a_report_says_what_is_telling():
    found = [answer("women", "no" if n % 2 else "yes", n) for n in range(40)]
    found += [answer("men", "yes", n) for n in range(40)]
    rows = {row["measure"]: row for row in report(found)}
    assert rows["yes"]["telling"]
    assert rows["yes"]["groups"]["women"]["mean"] == 0.5
    assert rows["yes"]["groups"]["men"]["answers"] == 40
    assert not rows["refused"]["telling"]


def test_a_prompt_that_is_asked_again_says_no_more():
    found = [answer("women", "no" if n % 4 == 0 else "yes", n, n % 4) for n in range(400)]
    found += [answer("men", "yes", n, n % 4) for n in range(400)]
    [row] = [row for row in report(found) if row["measure"] == "yes"]
    assert (row["gap"], row["groups"]["women"]["answers"], row["groups"]["women"]["prompts"]) == (0.25, 400, 4)
    assert row["chance"] > 0.5
    assert not row["telling"]


def test_few_answers_are_no_word():
    found = [answer("women", "no", n) for n in range(FEWEST - 1)] + [answer("men", "yes", n) for n in range(40)]
    [row] = [row for row in report(found) if row["measure"] == "yes"]
    assert not row["telling"]
    assert "no word on it yet" in row["note"]
