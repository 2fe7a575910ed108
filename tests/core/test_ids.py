"""Names of requests: their form, their order, and that no two are alike."""

import re
import time

from headgate.core import ids
from headgate.core.ids import SHORT, Ids, beginnings


def test_a_name_is_short_and_plain():
    name = Ids()()
    assert re.fullmatch(r"req_[0-9a-hjkmnp-tv-z]{26}", name)
    assert Ids("batch_")().startswith("batch_")


def test_names_rise_strictly_and_never_repeat():
    make = Ids()
    names = [make() for _ in range(50_000)]
    assert names == sorted(names)
    assert len(set(names)) == len(names)


def test_two_workers_of_the_same_moment_do_not_meet():
    one, two = Ids(), Ids()
    assert not {one() for _ in range(2_000)} & {two() for _ in range(2_000)}


def test_a_later_worker_names_later():
    first = Ids()()
    time.sleep(0.002)
    assert Ids()() > first


def test_a_clock_that_steps_back_does_not_break_the_order(monkeypatch):
    make = Ids()
    before = [make() for _ in range(10)]
    past = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(ids.time, "time_ns", lambda: past)
    assert [*before, *(after := [make() for _ in range(10)])] == sorted([*before, *after])


def test_more_names_than_a_millisecond_has_room_for_go_on_in_the_next(monkeypatch):
    make = Ids()
    now = time.time_ns()
    monkeypatch.setattr(ids.time, "time_ns", lambda: now)
    first = make()
    make._count = (1 << 20) - 1
    last, beyond = make(), make()
    assert first < last < beyond
    assert beyond[4:14] > last[4:14]


def test_names_are_found_by_their_short_form():
    before = time.time()
    name = Ids()()
    starts = beginnings(name[SHORT], before - 40 * 86_400, time.time() + 1)
    assert 3 <= len(starts) <= 6
    assert [start for start in starts if name.startswith(start)] == [starts[-1]]
