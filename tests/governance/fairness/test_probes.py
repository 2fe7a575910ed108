"""Which questions a round asks: as many of each group, no more than is allowed, other ones each time."""

from collections import Counter

import pytest

from headgate.config.fairness import DIMENSIONS, SUBJECTS, Fairness
from headgate.governance.fairness.probes import PLACE, chosen, shipped


@pytest.mark.parametrize("most", [100, 600, 5000])
def test_groups_are_asked_about_as_often(most):
    probes = list(chosen(Fairness(most_requests=most), 1))
    assert len(probes) <= most
    for subject in shipped().subjects:
        for dimension, groups in shipped().dimensions.items():
            counts = Counter(each.group for each in probes if (each.subject, each.dimension) == (subject, dimension))
            assert len(set(counts.values())) == 1
            assert set(counts) == set(groups)


def test_no_more_is_asked_than_is_allowed():
    asked = list(chosen(Fairness(most_requests=10), 1))
    counts = Counter((each.subject, each.dimension, each.group) for each in asked)
    assert set(counts.values()) == {1}
    for subject, dimension, _ in counts:
        assert {group for *place, group in counts if place == [subject, dimension]} == set(
            shipped().dimensions[dimension]
        )
    assert len(asked) <= 10
    assert {each.subject for seed in range(20) for each in chosen(Fairness(most_requests=10), seed)} == set(SUBJECTS)


def test_what_is_shipped_can_be_named():
    assert (tuple(shipped().subjects), tuple(shipped().dimensions)) == (SUBJECTS, DIMENSIONS)


def test_only_what_is_wanted_and_other_questions_each_time():
    said = Fairness(subjects=["hiring"], dimensions=["gender"], most_requests=10)
    first, second = (list(chosen(said, seed)) for seed in (1, 2))
    assert {(each.subject, each.dimension) for each in first} == {("hiring", "gender")}
    assert len(first) == 10
    assert first != second
    assert first == list(chosen(said, 1))


def test_ones_own_questions_and_groups():
    said = Fairness(
        subjects=["tea"], dimensions=["place"],
        own_subjects={"tea": {"questions": ["May {person} have tea?"], "decision": True}},
        own_dimensions={"place": {"north": ["a Northerner"], "south": ["a Southerner"]}},
    )  # fmt: skip
    assert [each.text for each in chosen(said, 1)] == ["May a Northerner have tea?", "May a Southerner have tea?"]


def test_every_question_is_about_somebody():
    for subject in shipped().subjects.values():
        assert all(question.count(PLACE) >= 1 for question in subject.questions)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"own_dimensions": {"a": {"b": ["c"]}}}, "needs two groups"),
        ({"every": 86400}, "needs a `key`"),
        ({"own_subjects": {"a": {"questions": ["nobody"]}}}, "nowhere `{person}`"),
        ({"subjects": ["hirng"]}, "no `hirng` among subjects; did you mean `hiring`"),
        ({"dimensions": ["gendre"]}, "did you mean `gender`"),
        ({"own_dimensions": {"a": {str(n): ["x"] for n in range(11)}}, "most_requests": 10}, "more groups than most_"),
    ],
)
def test_what_makes_no_sense_is_refused(said, told):
    with pytest.raises(ValueError, match=told):
        Fairness(**said)
