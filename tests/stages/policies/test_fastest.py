"""Requests go to whoever is fastest now: a simulation of minutes, on a clock of its own."""

import heapq
import itertools
import random

import pytest

from headgate.stages.policies.fastest import Fastest, FastestSettings
from stages.policies.targets import asked, firsts, weighing


class Simulation:
    """Requests come at random, `rate` a second; `took` says how long each target takes at a moment."""

    def __init__(self, took, *, rate=20, stream=False, **settings):
        self.took, self.rate, self.stream, self.now = took, rate, stream, 0.0
        self.targets = weighing(*[1] * len(took(0.0)))
        self.policy = Fastest(FastestSettings(**settings), clock=lambda: self.now)
        self.luck = random.Random(1)
        self.went = []

    def run(self, until):
        running, number = [], itertools.count()
        while self.now < until:
            self.now += self.luck.expovariate(self.rate)
            while running and running[0][0] <= self.now:
                ended, _, standing, took = heapq.heappop(running)
                standing.answered(ended, took, self.stream)
                standing.ended(ended, took)
            first = self.policy.rank(asked(stream=self.stream), self.targets)[0]
            self.went.append((self.now, self.targets.index(first)))
            took = self.took(self.now)[self.targets.index(first)] * self.luck.uniform(0.8, 1.2)
            first.standing.begun(0.0)
            heapq.heappush(running, (self.now + took, next(number), first.standing, took))
        return self

    def share(self, target, begin, end):
        went = [who for moment, who in self.went if begin <= moment < end]
        return went.count(target) / len(went)


@pytest.mark.parametrize("stream", [True, False])
def test_within_five_seconds_of_a_change_nine_in_ten_go_to_the_faster(stream):
    """They change places; then the faster becomes slower than the other, which stays as it is."""

    def took(now):
        return (0.1, 0.6) if now < 60 else (0.6, 0.1) if now < 120 else (0.6, 1.1)

    simulation = Simulation(took, stream=stream).run(180)
    for faster, begin, end in ((0, 5, 60), (1, 65, 120), (0, 125, 180)):
        assert simulation.share(faster, begin, end) > 0.9


def test_a_target_that_got_faster_is_found_again():
    simulation = Simulation(lambda now: (0.1, 0.6) if now < 60 else (0.1, 0.02)).run(180)
    assert simulation.share(1, 120, 180) > 0.9


def test_without_exploring_only_the_first_requests_go_to_the_slower():
    simulation = Simulation(lambda now: (0.1, 0.6), explore=0).run(60)
    assert simulation.share(0, 5, 60) == 1
    assert {who for _, who in simulation.went} == {0, 1}


def test_of_many_the_slowest_is_left_alone_and_the_others_share():
    simulation = Simulation(lambda now: (0.1, 0.11, 0.12, 0.9)).run(60)
    assert simulation.share(3, 5, 60) < 0.02
    assert all(simulation.share(target, 5, 60) > 0.1 for target in range(3))
    assert Simulation(lambda now: (0.1, 0.3, 0.5, 0.9), choices=0).run(60).share(0, 5, 60) > 0.9


def test_a_target_of_which_nothing_is_known_is_tried_by_one_request_at_a_time():
    known, unknown = targets = weighing(1, 1)
    policy = Fastest(FastestSettings(explore=0), clock=lambda: 10.0)
    known.standing.total.hear(0.1, 9.0)
    assert policy.rank(asked(), targets)[0] is unknown
    unknown.standing.begun(0.0)
    assert policy.rank(asked(), targets)[0] is known
    unknown.standing.failed(10.0, "500")
    unknown.standing.ended(10.0, None)
    assert policy.rank(asked(), targets)[0] is known, "it failed, so nothing is known still"


def test_at_the_start_nobody_waits_for_the_others():
    targets = weighing(1, 1, 1)
    for each in targets:
        each.standing.begun(0.0)
    assert min(firsts(Fastest(FastestSettings()), targets, 300)) > 50


def test_the_seconds_are_told():
    one, two, unknown = targets = weighing(1, 1, 1)
    one.standing.first.hear(0.25, 9.0)
    two.standing.first.hear(2.0, 9.0)
    exchange = asked(stream=True)
    ranked = Fastest(FastestSettings(choices=0, explore=0), clock=lambda: 9.0).rank(exchange, targets)
    assert list(ranked) == [unknown, one, two]
    assert exchange.decision.scores == {one: 0.25, two: 2.0}
    exchange = asked(stream=True)
    Fastest(FastestSettings(explore=1), clock=lambda: 9.0).rank(exchange, targets)
    assert exchange.decision.said == ["one of the few that go to any target, to see how fast it is"]
