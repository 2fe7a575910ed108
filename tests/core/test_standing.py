"""What is known of how targets do: averages that believe bad news at once, outcomes of the last thirty seconds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.breaker import NEVER, Trip
from headgate.core.standing import BOUNDS, Average, Board, Standing, Window

DURATIONS = st.floats(0.0005, 2000)


class TestAverage:
    def test_bad_news_counts_at_once_and_good_news_by_and_by(self):
        average = Average(fading=10)
        average.hear(0.1, 100)
        average.hear(2.0, 101)
        assert average.read(101) == 2.0
        average.hear(0.1, 106)
        assert 0.1 < average.read(106) < 2.0
        for second in range(107, 207):
            average.hear(0.1, second)
        assert average.read(206) == pytest.approx(0.1, rel=0.01)

    def test_silence_is_forgiven(self):
        average = Average()
        assert average.read(5) == 0.0
        average.hear(60, 5)
        assert average.read(5) == 60
        assert average.read(605) < 0.2

    @given(st.lists(st.tuples(DURATIONS, st.floats(0, 60)), min_size=1))
    def test_it_stays_between_what_it_heard(self, heard):
        average, now = Average(), 1.0
        for seconds, passed in heard:
            now += passed
            average.hear(seconds, now)
        assert 0 < average.read(now) <= max(seconds for seconds, _ in heard) * (1 + 1e-9)


class TestWindow:
    def test_outcomes_of_the_last_thirty_seconds(self):
        window = Window()
        for second in range(100, 140):
            window.hear(second, 0.1, failed=second % 4 == 0)
        answered, failed = window.counts(139)
        assert 27 <= answered + failed <= 30
        assert 6 <= failed <= 8
        assert window.counts(139 + 31) == (0, 0)

    def test_long_silence_leaves_nothing(self):
        window = Window()
        window.hear(10, 1, failed=True)
        assert window.counts(10_000_000) == (0, 0)
        assert window.quantile(10_000_000, 0.5) is None

    @given(st.lists(DURATIONS, min_size=1), st.sampled_from([0.5, 0.95, 1.0]))
    def test_quantiles_are_right_to_a_quarter(self, durations, share):
        window = Window()
        for seconds in durations:
            window.hear(50, seconds, failed=False)
        exact = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
        found = window.quantile(50, share)
        if exact > BOUNDS[-1]:
            assert found == math.inf
        else:
            assert exact <= found <= max(exact * 1.25 * (1 + 1e-9), BOUNDS[0])

    def test_how_many_took_longer(self):
        window = Window()
        for seconds in (0.1, 0.2, 5, 9):
            window.hear(50, seconds, failed=False)
        window.hear(50, None, failed=True)
        assert window.slower(50, 1.0) == (4, 2)
        window.forget()
        assert window.slower(50, 1.0) == (0, 0)


def test_a_standing_counts_what_runs_and_learns_from_what_ended():
    standing = Standing("a/m")
    standing.begun(0.0)
    standing.begun(0.0)
    standing.answered(10, 0.5, stream=True)
    standing.failed(10, "late", 3.0)
    assert standing.running == 2
    standing.ended(12, 2.0)
    standing.ended(12, None)
    assert standing.running == 0
    assert (standing.first.read(10), standing.window.counts(12)) == (3.0, (1, 1))
    assert standing.total.read(12) > 2.0


def test_repetitions_are_counted_and_those_that_were_denied():
    standing = Standing("a/m")
    standing.begun(1.0)
    for number in range(3):
        assert standing.may_repeat(1.0, 0.2, 2) is (number < 2)
        if number < 2:
            standing.begun(1.0, again=True)
    assert (standing.repeats, standing.denied) == (2, 1)
    standing.unasked(1.0, again=True)
    assert standing.repeats == 1
    assert standing.may_repeat(1.0, 0.2, 2)


def test_a_board_keeps_one_of_each_and_forgets_the_oldest():
    board = Board(most=2)
    first = board.standing("a/m")
    assert board.standing("a/m") is first
    board.standing("b/m")
    board.standing("c/m")
    assert [standing.target for standing in board.all()] == ["b/m", "c/m"]


def test_what_the_configuration_names_is_not_forgotten_for_what_clients_name():
    board = Board(most=2)
    named = board.standing("a/m", named=True)
    for number in range(5):
        board.standing(f"b/{number}")
    assert board.standing("a/m") is named
    assert len(board.all()) == 3
    board.configure(Trip(), [], [])
    assert named in board.all(), "clients may name it still"
    board.standing("c/m")
    board.standing("c/n")
    assert named not in board.all()


def test_an_open_circuit_closes_where_the_configuration_wants_none():
    board = Board()
    standing = board.standing("a/m", named=True)
    standing.breaker.open(1.0, "it fails", firm=True)
    board.configure(Trip(failures=3), [standing], [])
    assert standing.breaker.until
    board.configure(NEVER, [standing], [])
    assert standing.breaker.state(2.0) == "closed"


def test_a_key_that_stands_under_two_names_is_two():
    board = Board()
    one = board.credential("p", "a", "digest", enabled=True, trusting=False)
    board.credential("p", "b", "digest", enabled=True, trusting=False)
    assert board.credential("p", "a", "digest", enabled=True, trusting=False) is one
