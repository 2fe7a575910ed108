"""The states of a provider's key, by a clock of the test's own."""

import pytest

from headgate.core.credential import Credential


@pytest.fixture
def key():
    return Credential("openai", "main")


def test_one_that_is_refused_is_out_and_looked_at_again_later(key):
    key.refused(100, "invalid", "openai/m answered 401")
    assert (key.state(101), key.ready("m", 101)) == ("invalid", False)
    assert key.told_of("m", 101) == "invalid: openai/m answered 401"
    assert key.ready("m", 400)
    key.taken("m", 401, 400)
    assert (key.state(402), key.why) == ("active", "")


def test_a_limit_is_that_of_one_model_and_as_long_as_told(key):
    key.limited("m", 100, 7)
    assert (key.state(101), key.ready("m", 106), key.ready("other", 106), key.ready("m", 107)) == (
        "cooling", False, True, True,
    )  # fmt: skip
    assert key.rests(101) == {"m": 6}


def test_its_state_may_be_read_while_it_begins_to_cool(key):
    class Moment(float):
        def __lt__(self, until):
            key.limited("another", 100, 7)  # what the loop may do while a thread reads
            return float(self) < until

    key.limited("m", 90, 1)
    key.limited("other", 90, 1)
    assert key.state(Moment(100)) == "active"
    assert key.state(Moment(100)) == "cooling"


def test_a_limit_without_a_time_grows_until_an_answer_comes(key):
    now = 100
    for seconds in (2, 4, 8, 16, 32, 60, 60):
        for _ in range(3):  # requests that were under way together
            key.limited("m", now, None)
        assert key.rests(now) == {"m": seconds}
        now += seconds
    key.limited("m", now, None)
    key.taken("m", now + 20, now)  # of a request sent before
    assert not key.ready("m", now + 50)
    key.taken("m", now + 61, now + 60)
    key.limited("m", now + 100, None)
    assert key.rests(now + 100) == {"m": 2}


def test_what_is_left_decides_by_the_size_of_a_request(key):
    key.told("m", 100, 500, 30)
    assert (key.ready("m", 110, 500), key.ready("m", 110, 501), key.ready("m", 130, 501)) == (True, False, True)
    assert key.told_of("m", 110, 501) == "500 tokens left"


def test_the_configuration_takes_one_out_and_brings_it_back(key):
    key.configure(enabled=False, trusting=False)
    assert (key.state(1), key.ready("m", 1), key.told_of("m", 1)) == ("disabled", False, "disabled")
    key.configure(enabled=True, trusting=False)
    assert key.state(1) == "active"


def test_one_that_is_trusted_from_now_on_is_used_at_once(key):
    key.refused(100, "invalid", "no")
    key.limited("m", 100, 60)
    key.told("n", 100, 0, 60)
    key.configure(enabled=True, trusting=True)
    assert (key.ready("m", 101), key.ready("n", 101, 5), key.clear) == (True, True, True)


def test_memory_is_bounded(key):
    for number in range(5000):
        key.limited(f"m{number}", 100, 7)
    assert len(key.rests(100)) <= 1000


def test_without_breakers_nothing_is_remembered(key):
    key.configure(enabled=True, trusting=True)
    key.refused(100, "invalid", "no")
    key.limited("m", 100, 7)
    key.told("m", 100, 0, 30)
    assert key.ready("m", 101, 5)


def test_an_answer_from_before_it_was_refused_brings_it_not_back(key):
    key.refused(100, "invalid", "401")
    key.taken("m", 102, 99)
    assert key.state(102) == "invalid"
    key.taken("m", 103, 101)
    assert key.state(103) == "active"
