"""When a breaker opens, what it lets through, when it closes: by a clock of the test's own."""

import math
from types import SimpleNamespace

import pytest

from headgate.core.breaker import Breaker, Trip


@pytest.fixture
def breaker():
    return Breaker(Trip(failures=3, error_rate=0.5, slow_rate=0.5, rest=5.0, most_rest=30.0))


def broken(breaker, now=100.0):
    for _ in range(3):
        breaker.failed(now, probe=0, why="500", share=None)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row(breaker):
    breaker.failed(1, False, "500", None)
    breaker.failed(2, False, "500", None)
    assert breaker.state(2) == "closed"
    breaker.succeeded(False)
    breaker.failed(3, False, "500", None)
    breaker.failed(4, False, "500", None)
    assert breaker.state(4) == "closed"
    breaker.failed(5, False, "503", None)
    assert (breaker.state(5), breaker.firm) == ("open", True)
    assert "3 failures in a row" in breaker.why


def test_it_opens_by_a_share_of_failures_but_not_firmly(breaker):
    breaker.failed(1, False, "500", 0.49)
    assert breaker.state(1) == "closed"
    breaker.succeeded(False)
    breaker.failed(2, False, "500", 0.5)
    assert (breaker.state(2), breaker.firm) == ("open", False)


def test_it_opens_for_slowness(breaker):
    breaker.slow(1, False, "9 s", 0.2)
    assert breaker.state(1) == "closed"
    breaker.slow(2, False, "9 s", 0.8)
    assert (breaker.state(2), breaker.firm) == ("open", False)
    assert "80%" in breaker.why


def test_open_lets_nothing_through_then_one_probe(breaker):
    broken(breaker)
    assert not breaker.allows(104.9)
    assert not breaker.claim(104.9)
    assert breaker.state(105.0) == "half_open"
    assert breaker.allows(105.0)
    assert breaker.claim(105.0)
    assert not breaker.allows(105.0)
    assert not breaker.claim(105.0)


def test_a_good_probe_closes_it(breaker):
    broken(breaker)
    breaker.claim(105)
    assert breaker.succeeded(probe=1)
    assert (breaker.state(105), breaker.row, breaker.why) == ("closed", 0, "")


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_the_most(breaker):
    broken(breaker, 0.5)
    rests, now = [], 5.5
    for _ in range(5):
        probe = breaker.claim(now)
        breaker.failed(now, probe=probe, why="500", share=None)
        rests.append(breaker.until - now)
        now = breaker.until
    assert rests == [10, 20, 30, 30, 30]
    assert "still failing after 5 probes" in breaker.why


def test_a_slow_probe_is_a_bad_one(breaker):
    broken(breaker)
    breaker.claim(105)
    breaker.slow(105, probe=1, why="9 s", share=None)
    assert breaker.state(106) == "open"


def test_an_answer_to_what_was_sent_before_it_opened_does_not_close_it(breaker):
    broken(breaker)
    assert not breaker.succeeded(probe=0)
    assert breaker.state(101) == "open"


def test_a_lost_probe_makes_room(breaker):
    broken(breaker)
    breaker.release(breaker.claim(105))
    assert breaker.claim(106)


def test_a_probe_that_is_another_processes_is_wanted_but_not_sent(breaker):
    told = []
    breaker.watcher = SimpleNamespace(moved=lambda: told.append("moved"), wanted=lambda: told.append("wanted"))
    broken(breaker)
    breaker.ours = 0.0
    assert not breaker.allows(104.9)
    assert told == ["moved"]
    assert not breaker.allows(105.0)
    assert not breaker.claim(105.0)
    assert told == ["moved", "wanted"]
    breaker.ours = 106.0
    assert not breaker.claim(106.0)
    assert breaker.claim(105.5)
    breaker.succeeded(True)
    assert told == ["moved", "wanted", "moved"]
    assert breaker.ours == math.inf


def test_a_probe_that_fails_after_another_process_has_closed_it_is_a_failure_like_any(breaker):
    broken(breaker)
    assert breaker.claim(105.0)
    breaker.close()
    breaker.failed(106.0, True, "500", None)
    assert breaker.state(106.0) == "closed"


def test_what_becomes_of_an_old_probe_is_nothing_to_a_new_one(breaker):
    broken(breaker)
    old = breaker.claim(105)
    breaker.close()  # another process's probe was answered
    broken(breaker)
    new = breaker.claim(205)
    assert new
    breaker.release(old)
    assert not breaker.allows(205), "the new one is under way"
    breaker.failed(205, old, "500", None)
    assert breaker.probing
    breaker.release(new)
    assert breaker.allows(205)
