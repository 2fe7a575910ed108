"""Who is left out for being broken, slow or limited, and that somebody remains."""

import time

import pytest

from headgate.core.credential import Arm, Credential
from headgate.core.errors import NoTarget
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.target import Target, Terms
from headgate.dialects import openai_chat
from headgate.stages.filters.health import Health


class Host:
    def __init__(self, name):
        self.name = name
        self.credential = Credential(name, "main")
        self.arms = [Arm(self, self.credential)]


@pytest.fixture
def targets():
    return [Target(Host(name), "m", terms=Terms(requests_per_minute=2, tokens_per_minute=100)) for name in "abc"]


@pytest.fixture
def asked():
    record = Record(id="req_1", time=0.0)
    return Exchange("req_1", openai_chat, "/v1/chat/completions", [], None, 0.0, record, body=b"x" * 200)


def left(asked, targets):
    return [target.provider.name for target in Health()(asked, targets)]


def test_all_are_left_where_all_is_well(asked, targets):
    assert Health()(asked, targets) is targets
    assert asked.decision.out == []


def test_a_broken_one_is_left_out_with_the_reason(asked, targets):
    targets[0].standing.breaker.open(time.monotonic(), "5 failures in a row", firm=True)
    assert left(asked, targets) == ["b", "c"]
    [(target, by, why)] = asked.decision.out
    assert (target, by) == (targets[0], "health")
    assert why.startswith("its circuit is open: 5 failures in a row; asked again in ")


def test_one_that_has_rested_is_back_for_a_probe(asked, targets):
    targets[0].standing.breaker.open(time.monotonic() - 60, "slow", firm=False)
    assert left(asked, targets) == ["a", "b", "c"]


def test_who_is_probed_by_another_process_is_left_out_with_the_reason(asked, targets):
    breaker = targets[0].standing.breaker
    breaker.open(time.monotonic() - 60, "slow", firm=False)
    breaker.ours = 0.0
    assert left(asked, targets) == ["b", "c"]
    assert asked.decision.out[0][2] == "its circuit is open: slow; another process sends the probe"


@pytest.mark.parametrize("dry", [True, False])
def test_who_only_asks_why_wants_no_probe(asked, targets, dry):
    class Watcher:
        count = 0

        def wanted(self):
            self.count += 1

        def moved(self):
            pass

    breaker = targets[0].standing.breaker
    breaker.open(time.monotonic() - 60, "slow", firm=True)
    breaker.ours, breaker.watcher, asked.dry = 0.0, Watcher(), dry
    assert left(asked, targets) == ["b", "c"]
    assert (breaker.watcher.count > 0) is not dry


def test_the_last_one_stays_if_it_is_merely_bad(asked, targets):
    for target in targets:
        target.standing.breaker.open(time.monotonic(), "60% failures", firm=False)
    assert left(asked, targets) == ["a", "b", "c"]


def test_but_not_if_it_is_broken(asked, targets):
    targets[0].standing.breaker.open(time.monotonic(), "60% failures", firm=False)
    for target in targets[1:]:
        target.standing.breaker.open(time.monotonic(), "5 failures in a row", firm=True)
    assert left(asked, targets) == ["a"]
    with pytest.raises(NoTarget, match=r"b/m: its circuit.*c/m: its circuit") as caught:
        Health()(asked, targets[1:])
    assert caught.value.status == 503
    assert caught.value.retry_after == pytest.approx(5, abs=0.5)


def test_one_without_a_usable_key_is_left_out(asked, targets):
    targets[0].provider.credential.refused(time.monotonic(), "invalid", "answered 401")
    targets[1].provider.credential.limited("m", time.monotonic(), 30)
    targets[2].provider.credential.told("m", time.monotonic(), 49, 30)
    assert left(asked, targets) == ["a", "b", "c"]
    targets[2].provider.credential.told("m", time.monotonic(), 50, 30)
    assert left(asked, targets) == ["c"]
    assert next(why for _, _, why in asked.decision.out) == "no key may be used (main: invalid: answered 401)"


def test_configured_limits_per_minute(asked, targets):
    now = time.monotonic()
    for target in targets:
        target.standing.limit(None, requests=True, tokens=True)
    targets[0].standing.begun(now, tokens=1)
    targets[0].standing.begun(now, tokens=1)
    targets[1].standing.begun(now, tokens=51)
    targets[2].standing.begun(now, tokens=50)
    assert left(asked, targets) == ["c"]
    assert [why for _, _, why in asked.decision.out] == [
        "has had its 2 requests of this minute",
        "has had its 100 tokens of this minute",
    ]
