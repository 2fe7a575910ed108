"""Topics of texts: the nearest example, what is asked how often, and what becomes of failures."""

import asyncio
import logging
import math
import re

import pytest

from headgate.core.errors import ProviderNonsense, ProviderRefused, ProviderTimeout, ProviderUnreachable
from headgate.core.spaces import Spaces
from headgate.core.target import Target
from headgate.stages.rules import topic
from headgate.stages.rules.embedder import unit
from headgate.stages.rules.topic import LOOKED_AT, QUIET, Topics
from stages.test_stages import Host

EXAMPLES = {"billing": ["money money", "money invoice"], "code": ["python bug"]}
WORDS = ["money", "invoice", "python", "bug", "weather"]
TARGET = Target(Host("host"), "embedder")


def embedded(text):
    return unit([text.count(word) + 0.001 for word in WORDS])


class Embedder:
    """Counts words. `trouble` is raised by what asks for a text, `slow` awaited by what asks for examples."""

    model = "emb"

    def __init__(self):
        self.texts, self.batches = [], []
        self.trouble = self.trouble_with_examples = None
        self.hold = None
        self.target = TARGET

    async def one(self, text, worker, requires):
        self.texts.append(text)
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        return embedded(text), self.target

    async def several(self, texts, target, worker):
        self.batches.append((target.name, list(texts)))
        if self.hold is not None:
            await self.hold.wait()
        if self.trouble_with_examples is not None:
            raise self.trouble_with_examples
        return [embedded(text) for text in texts]


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def made(examples=EXAMPLES, spaces=None, about="emb", seconds=0.05):
    embedder, clock = Embedder(), Clock()
    topics = Topics(examples, 0.6, seconds, embedder, (spaces or Spaces()).space(about), clock)
    return topics, embedder, clock


async def test_the_nearest_example_gives_the_topic():
    topics, _, _ = made()
    found = await topics.find("money for an invoice", 0)
    assert found.topic == "billing"
    assert found.score == pytest.approx(1.0, abs=0.01)
    assert re.fullmatch(r"topic billing \(1\.00\)", found.said)
    assert (await topics.find("a bug", 0)).topic == "code"
    none = await topics.find("weather and a bug and weather", 0)
    assert (none.topic, none.said) == ("", f"no topic, the nearest is code ({none.score:.2f})")
    cosine = sum(map(float.__mul__, embedded("weather bug weather"), embedded("python bug")))
    assert none.score == pytest.approx(cosine)
    assert await topics.find("  ", 0) == ("", 0.0, "", True)


async def test_examples_are_asked_once_and_a_text_once_of_late(monkeypatch):
    topics, embedder, _ = made()
    assert embedder.batches == []
    said = await asyncio.gather(*(topics.find(f"money {number}", 0) for number in range(5)))
    assert {each.topic for each in said} == {"billing"}
    assert embedder.batches == [("host/embedder", ["money money", "money invoice", "python bug"])]
    assert len(embedder.texts) == 5
    await topics.find(" money 3", 0)
    assert len(embedder.texts) == 5
    monkeypatch.setattr(topic, "REMEMBERED", 5)
    await topics.find("money 0", 0)  # is the last that is forgotten now
    await topics.find("money 5", 0)
    await topics.find("money 0", 0)
    assert len(embedder.texts) == 6
    await topics.find("money 1", 0)
    assert len(embedder.texts) == 7


async def test_of_a_long_text_the_beginning_and_the_end_are_asked():
    topics, embedder, _ = made()
    await topics.find("money " * 10_000 + "bug", 0)
    [text] = embedder.texts
    assert len(text) == LOOKED_AT + 1
    assert (text[:5], text[-3:]) == ("money", "bug")


async def test_examples_are_kept_while_the_model_stays_as_it_is():
    spaces = Spaces()
    topics, _, _ = made(spaces=spaces)
    await topics.find("money", 0)
    more = {"billing": ["money money", "invoice invoice"]}
    again, embedder, _ = made(more, spaces)
    assert (await again.find("money", 0)).topic == "billing"
    assert embedder.batches == [("host/embedder", ["invoice invoice"])]
    other, embedder, _ = made(more, spaces, about="another")
    await other.find("money", 0)
    assert embedder.batches == [("host/embedder", ["money money", "invoice invoice"])]


async def test_vectors_of_another_target_are_compared_with_its_own():
    topics, embedder, _ = made()
    await topics.find("money", 0)
    embedder.target = Target(Host("other"), "embedder")
    assert (await topics.find("a bug", 0)).topic == "code"
    assert [who for who, _ in embedder.batches] == ["host/embedder", "other/embedder"]


async def test_many_examples_are_asked_in_portions():
    topics, embedder, _ = made({"money": [f"money {number}" for number in range(70)]})
    assert (await topics.find("money", 0)).topic == "money"
    assert [len(texts) for _, texts in embedder.batches] == [32, 32, 6]


async def test_failures_are_told_once_and_soon_not_asked_for(caplog):
    topics, embedder, clock = made()
    embedder.trouble = ProviderUnreachable("host cannot be reached")
    with caplog.at_level(logging.INFO, "headgate.stages.rules"):
        said = [await topics.find(f"money {number}", 0) for number in range(6)]
        assert {(each.topic, each.score) for each in said} == {("", 0.0)}
        assert said[0].said == "the topic could not be told: host cannot be reached"
        assert "emb is not asked at the moment (3 failures in a row" in said[5].said
        assert len(embedder.texts) == 3
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        embedder.trouble = None
        clock.now += 5
        assert (await topics.find("money", 0)).topic == "billing"
        assert len(caplog.records) == 1  # it may come and go
        clock.now += QUIET
        await topics.find("more money", 0)
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_what_a_provider_says_of_one_text_is_not_told_of_others(caplog):
    topics, embedder, _ = made()
    embedder.trouble = ProviderRefused("cannot embed 'my secret'", status=500)
    assert "my secret" in (await topics.find("my secret", 0)).said
    for number in range(3):
        embedder.trouble = ProviderRefused("out of order", status=500)
        said = (await topics.find(f"another {number}", 0)).said
    assert "3 failures in a row, the last: 500 provider_refused" in said
    assert "my secret" not in caplog.text


async def test_one_at_a_time_tries_whether_the_model_is_back():
    topics, embedder, clock = made()
    embedder.trouble = ProviderTimeout("host had not answered")
    for number in range(3):
        await topics.find(f"money {number}", 0)
    clock.now += 5
    asked = asyncio.create_task(topics.find("money", 0))
    await asyncio.sleep(0)
    assert "not asked" in (await topics.find("money 2", 0)).said
    asked.cancel()  # its client goes away
    with pytest.raises(asyncio.CancelledError):
        await asked
    embedder.trouble = None
    assert (await topics.find("money 2", 0)).topic == "billing"


async def test_a_text_that_the_model_refuses_says_nothing_of_others():
    topics, embedder, _ = made()
    embedder.trouble = ProviderRefused("the input is too long", status=400)
    for number in range(9):
        assert (await topics.find(f"money {number}", 0)).topic == ""
    embedder.trouble = None
    assert (await topics.find("money", 0)).topic == "billing"


async def test_examples_that_take_long_are_waited_for_no_longer_than_allowed():
    topics, embedder, _ = made()
    embedder.hold = asyncio.Event()
    first = await topics.find("money", 0)
    assert first.said == (
        "the topic could not be told: host/embedder had not given the vectors of all examples in time"
    )
    embedder.hold.set()
    await asyncio.sleep(0.01)
    assert (await topics.find("money", 0)).topic == "billing"
    assert len(embedder.batches) == 1


async def test_examples_that_cannot_be_had_are_asked_for_again():
    topics, embedder, _ = made()
    embedder.trouble_with_examples = ProviderNonsense("what is this?")
    assert (await topics.find("money", 0)).said == "the topic could not be told: what is this?"
    embedder.trouble_with_examples = None
    assert (await topics.find("money", 0)).topic == "billing"


async def test_a_model_that_has_become_another_is_asked_for_examples_again(monkeypatch):
    topics, embedder, _ = made()
    await topics.find("money", 0)
    monkeypatch.setattr(f"{__name__}.WORDS", [*WORDS, "more"])
    assert "vectors of different lengths" in (await topics.find("a bug", 0)).said
    assert (await topics.find("a bug", 0)).topic == "code"
    assert len(embedder.batches) == 2


async def test_what_is_under_way_ends_with_the_process():
    spaces = Spaces()
    topics, embedder, _ = made(spaces=spaces)
    embedder.hold = asyncio.Event()
    await topics.find("money", 0)
    await spaces.stop()
    embedder.hold = None
    assert (await topics.find("money", 0)).topic == "billing"


@pytest.mark.parametrize("numbers", [[], [0.0, 0.0], [math.inf, 1.0], [1e300, 1e300] * 9 + [1.7e308] * 9, [math.nan]])
def test_vectors_without_a_direction(numbers):
    with pytest.raises(ProviderNonsense):
        unit(numbers)
