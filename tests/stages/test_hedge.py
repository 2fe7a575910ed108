"""A second target asked where the first is slow: who is heard, who is left, what is recorded."""

import asyncio
import time

import pytest

from headgate.core.errors import ProviderTimeout
from headgate.core.exchange import Exchange
from headgate.core.plan import Retries
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.target import Manner, Target
from headgate.dialects import openai_chat
from headgate.stages.hedge import KNOWN, Hedge
from headgate.stages.retry import Retry
from headgate.stages.stage import chain


class Host:
    arms = ()

    def __init__(self, name):
        self.name = name


@pytest.fixture
def targets():
    return [Target(Host("slow"), "m"), Target(Host("fast"), "m")]


def exchange(targets, hedge=0.02):
    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", openai_chat, "/v1/chat/completions", [], None, time.perf_counter(), record)
    made.targets, made.manner = targets, Manner(hedge=hedge)
    return made


class Answers:
    """After so many seconds, by provider; an exception is raised."""

    def __init__(self, **seconds):
        self.seconds = seconds
        self.asked, self.left, self.closed = [], [], []

    async def __call__(self, asked):
        name = asked.target.provider.name
        self.asked.append(name)
        asked.ending.callback(self.closed.append, name)
        try:
            await asyncio.sleep(self.seconds[name])
        except asyncio.CancelledError:
            self.left.append(name)
            raise
        except TypeError:
            raise self.seconds[name] from None
        return Reply(openai_chat, stream=False, body=name.encode())


async def run(asked, answers, hedge=None):
    return await chain([hedge or Hedge(), Retry(Retries(attempts=2, backoff=0.0))], answers)(asked)


async def two_under_way(targets):
    """A request that both were asked for, and neither answers."""
    asked, answers = exchange(targets), Answers(slow=60, fast=60)
    going = asyncio.create_task(run(asked, answers))
    while len(answers.asked) < 2:
        await asyncio.sleep(0.005)
    return asked, answers, going


async def test_the_faster_is_heard_and_the_slower_left(targets):
    asked, answers = exchange(targets), Answers(slow=60, fast=0)
    reply = await run(asked, answers)
    assert (reply.body, answers.asked, answers.left) == (b"fast", ["slow", "fast"], ["slow"])
    assert asked.target is targets[1]
    assert [(attempt.target, attempt.error) for attempt in asked.attempts] == [("slow/m", "hedged"), ("fast/m", None)]
    assert answers.closed == ["slow"]
    assert targets[0].standing.running == 0
    assert "fast/m was asked as well after 0.02 s" in asked.decision.said
    await asked.ending.aclose()
    assert answers.closed == ["slow", "fast"]
    assert targets[1].standing.running == 0


async def test_nobody_else_is_asked_where_the_first_is_quick(targets):
    asked, answers = exchange(targets), Answers(slow=0, fast=0)
    assert (await run(asked, answers)).body == b"slow"
    assert (answers.asked, len(asked.attempts)) == (["slow"], 1)


async def test_the_second_failing_does_not_matter(targets):
    asked, answers = exchange(targets), Answers(slow=0.06, fast=ProviderTimeout("no"))
    assert (await run(asked, answers)).body == b"slow"
    assert sorted((attempt.target, attempt.error) for attempt in asked.attempts if attempt.target == "fast/m") == [
        ("fast/m", "provider_timeout")
    ]


async def test_a_failure_of_both_is_told(targets):
    asked, answers = exchange(targets), Answers(slow=ProviderTimeout("one"), fast=ProviderTimeout("two"))
    with pytest.raises(ProviderTimeout):
        await run(asked, answers)
    assert asked.attempts


async def test_a_client_that_leaves_ends_both(targets):
    _, answers, task = await two_under_way(targets)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert sorted(answers.left) == ["fast", "slow"]
    assert [target.standing.running for target in targets] == [0, 0]


async def test_by_what_most_answers_took(targets):
    asked, answers = exchange(targets, hedge=0.0), Answers(slow=0.05, fast=0)
    assert (await run(asked, answers)).body == b"slow"  # nothing is known yet
    for _ in range(KNOWN):
        targets[0].standing.answered(time.monotonic(), 0.002, stream=False)
    assert (await run(exchange(targets, hedge=0.0), answers)).body == b"fast"


async def test_streams_are_compared_with_streams(targets):
    asked, answers = exchange(targets, hedge=0.0), Answers(slow=0.1, fast=0)
    asked.stream = True
    for _ in range(KNOWN):  # whole answers take long: that says nothing of a stream's beginning
        targets[0].standing.answered(time.monotonic(), 30.0, stream=False)
    for _ in range(KNOWN):
        targets[0].standing.answered(time.monotonic(), 0.002, stream=True)
    assert (await run(asked, answers)).body == b"fast"


async def test_whoever_is_left_is_left_in_order_when_the_gateway_stops_meanwhile(targets):
    _, answers, going = await two_under_way(targets)
    going.cancel()
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait([going])
    await asyncio.sleep(0.01)
    assert sorted(answers.closed) == ["fast", "slow"]
    assert [target.standing.running for target in targets] == [0, 0]


async def test_not_all_are_asked_twice_where_everything_is_slow(targets):
    hedge, answers = Hedge(), Answers(slow=0.05, fast=0.05)
    await asyncio.gather(*(run(exchange(targets, hedge=0.001), answers, hedge) for _ in range(40)))
    assert answers.asked.count("slow") == 40
    assert answers.asked.count("fast") == 10


async def test_a_client_that_goes_away_is_not_told_as_a_race(targets):
    asked, _, going = await two_under_way(targets)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert sorted((attempt.target, attempt.error) for attempt in asked.attempts) == [("fast/m", None), ("slow/m", None)]
    assert [target.standing.running for target in targets] == [0, 0]
