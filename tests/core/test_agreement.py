"""Processes agree about targets and keys: whose clocks differ, who are cut off, who start later, by simulated time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.agreement import HELD, KEPT, Agreement
from headgate.core.breaker import NEVER, Trip
from headgate.core.ports import Fact, Heard
from headgate.core.standing import Board

TRIP = Trip(failures=3, error_rate=2.0, rest=5.0, most_rest=60.0)
TARGET = "p/m"


class Meeting:
    """What state/script.py does, in Python, by a clock of the test's: where the processes of a test meet."""

    def __init__(self):
        self.now = 1000.0
        self.version = 0
        self.facts = {}
        self.probes = {}

    def exchange(self, me, seen, facts, orders):
        whole = seen == 0 or seen > self.version
        seen = 0 if whole else seen
        again = set()
        for fact in facts:
            _, at, _, told = self.facts.get(fact.name, (0, 0, 0, b""))
            if told == fact.told:
                continue
            if self.now - fact.age < at <= self.now:
                again.add(fact.name)
                continue
            self.version += 1
            self.facts[fact.name] = (self.version, self.now - fact.age, self.now + fact.left, fact.told)
        holders = [self.settle(me, order) for order in orders]
        found = [
            Fact(name, self.now - at, max(0.0, until - self.now), told)
            for name, (version, at, until, told) in self.facts.items()
            if (version > seen or name in again) and until + KEPT >= self.now
        ]
        return self.version, Heard(found, holders, whole)

    def settle(self, me, order):
        until, holder, other = self.probes.get(order.target, (0, "", ""))
        holder = holder if until > self.now else ""
        if order.verb == "drop":
            if holder == me:
                del self.probes[order.target]
        elif order.verb == "give":
            if holder == me:
                self.probes[order.target] = (self.now + HELD, order.to, "")
        elif holder in ("", me):
            self.probes[order.target] = (self.now + HELD, me, "")
            return (other if holder else "") or me
        elif order.verb == "want":
            self.probes[order.target] = (until, holder, me)
        return ""


class Process:
    """One with a board of its own, whose clock is another than the meeting's."""

    def __init__(self, meeting, me, skew=0.0, targets=(TARGET,)):
        self.meeting, self.me, self.skew = meeting, me, skew
        self.seen = 0
        self.cut = False
        self.probing = set()
        self.board = Board()
        self.agreement = Agreement(self.board, me, lambda: self.now)
        self.board.configure(TRIP, (), ())
        for target in targets:
            self.board.standing(target)

    @property
    def now(self):
        return self.meeting.now + self.skew

    def breaker(self, target=TARGET):
        return self.board.standing(target).breaker

    def meet(self):
        facts, orders = self.agreement.outgoing()
        if self.cut:
            self.agreement.away()
            self.seen = 0
            return
        self.seen, heard = self.meeting.exchange(self.me, self.seen, facts, orders)
        self.agreement.heard(heard)

    def fails(self, times=TRIP.failures, target=TARGET):
        for _ in range(times):
            self.board.standing(target).failed(self.now, "503")
        return self

    def state(self, target=TARGET):
        return self.breaker(target).state(self.now)

    def left(self, target=TARGET):
        """Seconds until the circuit has rested."""
        return round(max(0.0, self.breaker(target).until - self.now), 6)

    def ask(self, target=TARGET):
        """A request comes; whether it is the probe."""
        breaker = self.breaker(target)
        if breaker.allows(self.now) and breaker.claim(self.now):
            self.probing.add(target)
            return True
        return False

    def answer(self, well, target=TARGET):
        """The probe's outcome."""
        self.probing.discard(target)
        standing = self.board.standing(target)
        probe = standing.breaker.claims
        if well:
            standing.answered(self.now, 0.1, False, probe=probe)
        else:
            standing.failed(self.now, "500", probe=probe)

    def key(self, digest="d" * 64, name="main", **settings):
        settings = {"enabled": True, "trusting": False, **settings}
        return self.board.credential("p", name, digest, **settings)


@pytest.fixture
def meeting():
    return Meeting()


@pytest.fixture
def two(meeting):
    return Process(meeting, "a"), Process(meeting, "b", skew=10_000.0)


def meet(*processes, times=3):
    for _ in range(times):
        for process in processes:
            process.meet()


def passing(seconds, *processes):
    """Time in which they meet four times a second."""
    for _ in range(int(seconds * 4)):
        processes[0].meeting.now += 0.25
        meet(*processes, times=1)


def test_what_is_broken_for_one_is_broken_for_all_by_every_clock(two):
    one, other = two
    one.meeting.now += 1
    meet(*two)
    one.fails()
    meet(*two)
    assert (other.state(), other.breaker().firm, other.breaker().why) == ("open", True, one.breaker().why)
    assert other.breaker().until - other.now == pytest.approx(5.0)
    assert other.breaker().opened == 0  # the one that opened it counts it


def test_who_starts_later_learns_it_also_of_targets_it_meets_later(two, meeting):
    one, _ = two
    meet(*two)
    one.fails()
    meet(*two)
    meeting.now += 2
    third = Process(meeting, "c", skew=-500.0, targets=())
    third.meet()
    assert third.state() == "open"
    assert third.breaker().until - third.now == pytest.approx(3.0)
    assert not third.breaker().ours


def test_one_sends_the_probe_and_its_answer_counts_for_all(two):
    one, other = two
    one.fails()
    passing(5.5, *two)
    assert not other.ask()
    assert one.ask()
    assert not one.ask()
    meet(*two)
    assert not other.ask()
    one.answer(well=True)
    meet(*two)
    assert (one.state(), other.state()) == ("closed", "closed")
    other.fails()
    passing(5.5, *two)
    assert (one.ask(), other.ask()) == (False, True)


def test_a_probe_that_fails_lengthens_the_rest_of_all(two):
    one, other = two
    one.fails()
    passing(5.5, *two)
    assert one.ask()
    one.answer(well=False)
    meet(*two)
    assert other.breaker().probes == 1
    assert other.breaker().until - other.now == pytest.approx(10.0)
    assert "after 1 probe" in other.breaker().why


def test_who_has_a_request_gets_the_probe_of_one_that_has_none(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    meeting.now += 6
    meet(*two)
    assert not other.ask()
    meet(other, one, other)
    assert other.breaker().allows(other.now)
    assert not one.ask()
    assert other.ask()
    meet(*two)
    assert not one.ask()
    meet(one, other, one)
    assert not one.ask()  # it is under way


@pytest.mark.parametrize("gap", [0.25, 0.75, 3.0, 20.0])
def test_requests_that_come_to_each_in_turn_do_not_take_the_probe_from_each_other(meeting, gap):
    processes = [Process(meeting, name, skew) for name, skew in (("a", 0.0), ("b", 5000.0), ("c", -900.0))]
    processes[0].fails()
    passing(5.25, *processes)
    asked = 0
    while not processes[(asked + 1) % 3].ask():
        asked += 1
        passing(gap, *processes)
        assert asked < 30


def test_the_probe_of_a_process_that_died_is_sent_by_another(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    for _ in range(25):  # `one` is never heard of again
        meeting.now += 0.25
        other.meet()
    assert other.state() == "half_open"
    assert other.ask()


def test_a_probe_is_not_sent_on_an_old_right(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    meeting.now += 5.1 + HELD  # it was stopped for so long
    assert not one.ask()
    assert not other.ask()
    other.meet()
    assert other.ask()
    one.meet()
    assert not one.ask()


def test_the_cut_off_goes_by_its_own_and_agrees_again_afterwards(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    other.cut = True
    meeting.now += 5.1
    other.meet()
    assert other.ask()
    other.answer(well=True)
    other.meet()
    assert (one.state(), other.state()) == ("half_open", "closed")
    other.cut = False
    meet(*two)
    assert one.state() == "closed"


def test_what_changes_during_an_exchange_is_not_undone_by_its_answer(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    facts, orders = other.agreement.outgoing()
    meeting.now += 5.1
    one.meet()
    assert one.ask()
    one.answer(well=True)
    one.meet()
    _, heard = meeting.exchange(other.me, other.seen, facts, orders)
    other.breaker().close()
    other.fails()  # before the answer that it was closed is here
    other.agreement.heard(heard)
    assert other.state() == "open"
    meet(*two)
    assert (one.state(), other.state()) == ("open", "open")


def test_what_was_found_out_last_counts_whoever_comes_back_first(two, meeting):
    one, other = two
    meet(*two)
    one.cut = other.cut = True
    one.fails()
    meeting.now += 2
    other.fails()
    meeting.now += 5.5
    meet(*two)
    assert one.ask()
    one.answer(well=True)
    one.cut = other.cut = False
    meet(one, other)  # what `one` tells is later, though it comes first
    assert other.state() == "closed"
    other.fails()
    meet(other, one)
    assert one.state() == "open"


def test_nothing_is_lost_with_the_meeting_place(two, meeting):
    one, _ = two
    one.fails()
    one.key().refused(one.now, "invalid", "p/m answered 401")
    meet(*two)
    meeting.version, meeting.facts, meeting.probes = 0, {}, {}
    meet(*two)
    third = Process(meeting, "c")
    third.key()
    third.meet()
    assert third.state() == "open"
    assert third.key().state(third.now) == "invalid"


def test_what_is_over_is_not_brought_back_and_is_forgotten_later(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    one.cut = True
    one.meet()
    passing(5.5, other)
    assert other.ask()
    other.answer(well=True)
    other.meet()
    one.cut = False
    meet(*two)
    assert (one.state(), other.state()) == ("closed", "closed")
    meeting.now += 2 * KEPT
    meet(*two)
    assert one.agreement._known == other.agreement._known == {}


def test_a_wish_ends_with_the_circuit_s_next_rest(two, meeting):
    one, other = two
    one.fails()
    passing(5.25, *two)
    assert one.ask()
    assert not other.ask()
    other.meet()
    one.answer(well=False)
    passing(11, *two)
    assert not other.breaker().claim(other.now)
    assert one.ask()  # nobody else has asked since


def test_a_probe_that_nobody_wants_for_long_is_anybody_s(two, meeting):
    one, other = two
    one.fails()
    passing(5, *two)
    meeting.now += 1.2 * KEPT
    meet(*two)
    assert (one.state(), other.state()) == ("half_open", "half_open")
    assert other.ask()
    other.answer(well=True)
    meet(*two)
    assert one.state() == "closed"


def test_breakers_that_are_off_stay_off(two):
    one, other = two
    other.board.configure(NEVER, (), ())
    one.fails()
    meet(*two)
    assert other.state() == "closed"


def test_a_key_that_is_refused_is_out_for_all_and_back_for_all(two):
    one, other = two
    ours, theirs = one.key(), other.key(name="called otherwise")
    another = other.key("e" * 64, "another")
    ours.refused(one.now, "exhausted", "p/m answered 402")
    meet(*two)
    assert (theirs.state(other.now), theirs.why) == ("exhausted", "p/m answered 402")
    assert theirs.until - other.now == pytest.approx(300)
    assert another.state(other.now) == "active"
    theirs.taken("m", other.now + 2, other.now + 1)
    meet(*two)
    assert ours.state(one.now) == "active"


def test_a_key_that_is_to_be_left_alone_for_a_model_is(two, meeting):
    one, other = two
    ours, theirs = one.key(), other.key()
    ours.limited("a model: with spaces", one.now, 7)
    meet(*two)
    assert theirs.rests(other.now) == {"a model: with spaces": pytest.approx(7)}
    meeting.now += 7.1
    theirs.limited("a model: with spaces", other.now, None)
    meet(*two)
    assert ours.rests(one.now) == {"a model: with spaces": pytest.approx(14)}  # doubled, as if it were its own


def test_a_key_learns_what_was_known_before_it_came(two):
    one, other = two
    one.key().refused(one.now, "invalid", "p/m answered 401")
    one.key().limited("m", one.now, 9)
    meet(*two)
    late = other.key()
    assert late.state(other.now) == "invalid"
    assert set(late.rests(other.now)) == {"m"}


def test_keys_that_are_disabled_or_trusted_go_by_the_configuration(two):
    one, other = two
    one.key().refused(one.now, "invalid", "no")
    one.key("e" * 64, "trusted").refused(one.now, "invalid", "no")
    disabled, trusted = other.key(enabled=False), other.key("e" * 64, "trusted", trusting=True)
    meet(*two)
    assert disabled.state(other.now) == "disabled"
    assert trusted.state(other.now) == "active"
    meet(*two)
    assert one.key().state(one.now) == "invalid"


def test_what_nobody_understands_is_left_alone(two, meeting):
    one, _ = two
    for number, (name, told) in enumerate(
        [(f"circuit {TARGET}", b"{"), ("circuit ", b"{}"), ("new", b"{}"), ("", b"")]
    ):
        meeting.version += 1
        meeting.facts[name] = (meeting.version, meeting.now - number, meeting.now, told)
    one.key()
    meeting.version += 1
    meeting.facts[f"key p {'d' * 16}"] = (meeting.version, 1.0, meeting.now + 9, b'{"id": "x", "out": "lost"}')
    meet(*two)
    assert one.state() == "closed"
    assert one.key().state(one.now) == "active"


def test_many_facts_are_told_in_several_goes(meeting):
    targets = [f"p/{number}" for number in range(1200)]
    one, other = Process(meeting, "a", targets=targets), Process(meeting, "b", targets=targets)
    for target in targets:
        one.fails(target=target)
    one.meet()
    assert one.agreement.changed.is_set()
    passing(1, one, other)
    assert {one.breaker(target).ours > one.now for target in targets} == {True}
    assert {other.breaker(target).ours for target in targets} == {0.0}
    assert {other.state(target) for target in targets} == {"open"}
    passing(TRIP.rest + HELD, one, other)
    assert {one.breaker(target).ours > one.now for target in targets} == {True}  # each has had its turn


def test_alone_every_probe_is_ours(two, meeting):
    one, other = two
    one.fails()
    meet(*two)
    assert other.breaker().ours == 0.0
    other.cut = True
    other.meet()
    assert other.breaker().ours == math.inf
    met_alone = other.board.standing("q/m")
    assert met_alone.breaker.ours == math.inf


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "ask", "well", "badly", "cut", "mend", "meet", "meet", "meet", "pass", "lose"]),
        st.integers(0, 2),
        st.floats(0.01, 4),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_they_agree_in_the_end_and_send_one_probe_at_a_time(steps):
    meeting = Meeting()
    processes = [Process(meeting, name, skew) for name, skew in (("a", 0.0), ("b", 5000.0), ("c", -900.0))]
    meet(*processes)
    cut_at = -math.inf
    for what, who, seconds in steps:
        process = processes[who]
        if what == "fail":
            process.fails()
        elif what == "ask":
            process.ask()
        elif what in ("well", "badly") and process.probing:
            process.answer(well=what == "well")
        elif what in ("cut", "mend"):
            process.cut = what == "cut"
            process.meet()
        elif what == "meet":
            process.meet()
        elif what == "lose":
            meeting.version, meeting.facts, meeting.probes = 0, {}, {}
            cut_at = meeting.now
        else:
            meeting.now += seconds
        if any(one.cut for one in processes):
            cut_at = meeting.now
        if cut_at == -math.inf:
            assert sum(one.breaker().probing for one in processes) <= 1
    for process in processes:
        process.cut = False
    meet(*processes, times=4)
    assert len({(one.state(), one.breaker().why, one.left()) for one in processes}) == 1
