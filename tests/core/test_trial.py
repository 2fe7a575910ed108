"""A canary grows step by step, or goes back, on a clock of its own."""

import random

import pytest

from headgate.core.trial import Course, Trial, Trials

COURSE = Course((1, 5, 25, 100), every=600, least=20, error_margin=0.05, max_slowdown=1.5, about="x")


class Simulation:
    """Ten requests a second, of which the canary gets its share; `own` and `others` give seconds, or None for one that
    fails, at a moment."""

    def __init__(self, own, others, course=COURSE):
        self.trial = Trial("chat", "b/new", course, 0.0)
        self.own, self.others = own, others
        self.luck = random.Random(1)
        self.news = []

    def run(self, until):
        now = 0.0
        while now < until:
            now += 0.1
            drawn = self.luck.random() * 100 < self.trial.percent
            took = (self.own if drawn else self.others)(now, self.luck)
            said = self.trial.hear(now, took, own=drawn)
            if said:
                self.news.append((round(now), said))
        return self


def steady(seconds, failing=0.0):
    return lambda now, luck: None if luck.random() < failing else seconds * luck.lognormvariate(0, 0.5)


def test_it_grows_step_by_step_to_all_of_the_requests():
    seen = Simulation(steady(0.5), steady(0.5)).run(4000)
    assert seen.trial.state == "grown"
    assert seen.trial.percent == 100
    assert [said for _, said in seen.news] == [
        "chat: the canary b/new gets 5 % of the requests from now on",
        "chat: the canary b/new gets 25 % of the requests from now on",
        "chat: the canary b/new gets 100 % of the requests from now on",
        "chat: the canary b/new has done well, and keeps 100 % of the requests",
    ]
    moments = [moment for moment, _ in seen.news]
    assert all(later - earlier >= 600 for earlier, later in zip([0, *moments], moments, strict=False))


def test_it_goes_back_when_it_fails_more_than_the_others():
    seen = Simulation(steady(0.5, failing=0.3), steady(0.5, failing=0.02)).run(2000)
    assert (seen.trial.state, seen.trial.percent) == ("back", 0)
    ((_, said),) = seen.news
    assert said.startswith("chat: the canary b/new gets no requests any more: ")
    assert "% of its 20 requests failed, and" in said, "as soon as it has had enough of them"


def test_it_goes_back_in_the_middle_of_a_step_and_also_from_the_last_one():
    def turning(now, luck):
        return steady(0.5, failing=0.5 if now > 1900 else 0)(now, luck)

    seen = Simulation(turning, steady(0.5)).run(1930)
    assert seen.news[-2][1].endswith("gets 100 % of the requests from now on")
    assert seen.trial.state == "back"


def test_what_fails_at_the_others_too_is_not_held_against_it():
    assert Simulation(steady(0.5, failing=0.22), steady(0.5, failing=0.2)).run(4000).trial.state != "back"


def test_it_goes_back_when_it_is_slower_than_the_others():
    seen = Simulation(steady(1.2), steady(0.5)).run(2000)
    assert seen.trial.state == "back"
    assert "it took " in seen.news[0][1]


def test_a_few_long_answers_do_not_make_it_slow():
    def own(now, luck):
        return 60.0 if luck.random() < 0.02 else steady(0.5)(now, luck)

    assert Simulation(own, steady(0.5)).run(4000).trial.state == "grown"


def test_without_enough_requests_nothing_happens():
    trial = Trial("chat", "b/new", COURSE, 0.0)
    assert not any(trial.hear(now, None, own=True) for now in range(10_000, 10_019))
    assert (trial.state, trial.percent) == ("growing", 1)
    assert trial.hear(10_019.0, None, own=True)


def test_a_course_that_ends_below_all_of_them_stays_there():
    course = Course((1, 10), 600, 20, 0.05, 1.5, "x")
    seen = Simulation(steady(0.5), steady(0.5), course).run(4000)
    assert (seen.trial.state, seen.trial.percent) == ("grown", 10)


@pytest.mark.parametrize("state", ["grown", "back"])
def test_what_is_over_is_over(state):
    trial = Trial("chat", "b/new", COURSE, 0.0)
    trial.state = state
    assert not any(trial.hear(float(now), None, own=True) for now in range(1000))


def test_a_trial_goes_on_as_long_as_nothing_else_is_said_of_it():
    trials = Trials()
    first = trials.of("chat", "b/new", COURSE, 0.0)
    assert trials.of("chat", "b/new", COURSE, 9.0) is first
    other = trials.of("chat", "b/new", Course((1,), 600, 20, 0.05, 1.5, "y"), 9.0)
    assert other is not first
    assert (other.since, trials.all()) == (9.0, [other])
    trials.keep([])
    assert trials.all() == []
