"""An answer that is older than it was to be is given while a newer one is asked for, or where there is none."""

import asyncio
import json
from itertools import count

import pytest

from headgate.core.background import Background
from headgate.core.cached import Terms, Which
from headgate.core.errors import NoTarget, ProviderRefused, ProviderUnreachable
from headgate.core.question import follow
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.stages.cache import Cache
from headgate.stages.cache.stale import Refresh
from headgate.stages.stage import chain
from headgate.state.answers import Memory
from stages.cache.test_flight import ANSWER
from stages.cache.test_identity import Target, exchange

WORDS = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class World:
    """A cache whose provider counts its calls and fails with what it is told to."""

    def __init__(self, **terms):
        self.clock, self.calls, self.failure, self.private = Clock(), 0, None, False
        self.memory, self.background = Memory(1 << 20, self.clock), Background()
        ids = count()
        refresh = Refresh(self.background, lambda: f"req_anew_{next(ids)}")
        said = Terms(
            60.0, 0.0, "key", deterministic_only=False, tool_calls=False, coalesce=True, largest=1 << 20, **terms
        )
        dialects = {"openai_chat": openai_chat}
        self.cache = Cache(self.memory, {}, said, dialects, frozenset(), lambda alias, rule: b"", self.clock, refresh)
        self.records, self.seen = [], []
        refresh.ask = chain([self.routed, self.cache], self.provider)

    async def routed(self, asked, proceed):
        asked.record.time = self.clock.now
        self.records.append(asked.record)
        asked.targets = (Target(),)
        asked.reply = await proceed(asked)
        return asked.reply

    async def provider(self, asked):
        self.calls = number = self.calls + 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        asked.target = Target()
        reply = Reply(openai_chat, stream=False, body=json.dumps({**ANSWER, "id": f"answer-{number}"}).encode())
        reply.private = self.private
        await reply.begin(asked.dialect, asked.fields, asked.stream)
        return reply

    async def ask(self, control=b"", nobody=None):
        """Which answer it was, the cache's word, and its headers; once nothing is under way any more."""
        asked = exchange(WORDS, headers=[(b"cache-control", control)] if control else ())
        asked.nobody, asked.record.time = nobody, self.clock.now
        self.seen.append(asked)
        try:
            reply = await self.cache(asked, self.provider)
            said = await reply.whole(asked.dialect, asked.fields)
            asked.reply, asked.record.ending = reply, "complete"
        finally:
            await asked.ending.aclose()
        await asyncio.sleep(0.01)
        heads = {name.decode(): value.decode() for name, value in reply.headers}
        return json.loads(said)["id"], heads["x-headgate-cache"], heads


def walk(world, steps):
    return asyncio.run(steps(world))


def test_a_newer_one_is_asked_for_beside_once_and_given_from_then_on():
    async def steps(world):
        assert (await world.ask())[:2] == ("answer-1", "miss")
        world.clock.now += 59
        assert (await world.ask())[:2] == ("answer-1", "hit")
        world.clock.now += 2
        many = await asyncio.gather(*(world.ask() for _ in range(50)))
        assert {each[:2] for each in many} == {("answer-1", "stale")}
        assert many[0][2]["age"] == "61"
        assert many[0][2]["warning"] == '110 headgate "Response is Stale"'
        assert world.calls == 2
        assert (await world.ask())[:2] == ("answer-2", "hit")
        assert [record.cached.how for record in world.records] == ["refresh"]
        assert (world.records[0].ending, world.records[0].status) == ("complete", 200)
        world.clock.now += 60 + 31
        assert (await world.ask())[:2] == ("answer-3", "miss")

    walk(World(stale=30.0), steps)


def test_where_nobody_can_be_asked_it_is_given_for_a_while():
    async def steps(world):
        await world.ask()
        world.clock.now += 61
        for failure in (ProviderUnreachable("gone"), ProviderRefused("busy", status=503)):
            world.failure = failure
            answer, how, heads = await world.ask()
            assert (answer, how, heads["warning"]) == ("answer-1", "stale", '111 headgate "Revalidation Failed"')
            assert world.seen[-1].record.cached.age == 61
        calls = world.calls
        assert (await world.ask(nobody=NoTarget("all are out")))[:2] == ("answer-1", "stale")
        assert world.calls == calls
        world.failure = ProviderRefused("wrong", status=400)
        with pytest.raises(ProviderRefused, match="wrong"):
            await world.ask()
        world.failure = ProviderUnreachable("gone")
        world.clock.now += 100
        with pytest.raises(ProviderUnreachable):
            await world.ask()

    walk(World(stale_if_error=100.0), steps)


def test_fresh_ones_are_given_where_nobody_can_be_asked_and_else_it_is_told_why():
    async def steps(world):
        with pytest.raises(NoTarget):
            await world.ask(nobody=NoTarget("all are out"))
        await world.ask()
        assert (await world.ask(nobody=NoTarget("all are out")))[1] == "hit"
        with pytest.raises(NoTarget):
            await world.ask(b"no-store", nobody=NoTarget("all are out"))
        assert world.calls == 1

    walk(World(), steps)


def test_a_request_says_how_stale_it_may_be():
    async def steps(world):
        await world.ask()
        world.clock.now += 70
        assert (await world.ask(b"max-stale, only-if-cached"))[:2] == ("answer-1", "stale")
        assert (await world.ask(b"max-stale=20, only-if-cached"))[1] == "stale"
        assert world.calls == 1
        world.failure = ProviderUnreachable("gone")
        for control in (b"stale-if-error=0", b"stale-if-error=5", b"max-stale=5, stale-if-error=x", b"max-age=60"):
            with pytest.raises(ProviderUnreachable):
                await world.ask(control)
        assert (await world.ask(b"stale-if-error=20"))[1] == "stale"
        world.failure = None
        assert (await world.ask(b"max-stale=5"))[1] == "miss"

    walk(World(stale_if_error=100.0), steps)


def test_what_was_taken_out_is_never_given():
    async def steps(world):
        await world.ask()
        world.clock.now += 61
        await world.memory.clear(Which(before=world.clock.now))
        world.failure = ProviderUnreachable("gone")
        with pytest.raises(ProviderUnreachable):
            await world.ask()
        world.failure = None
        assert (await world.ask())[:2] == ("answer-3", "miss")

    walk(World(stale=100.0, stale_if_error=100.0), steps)


def test_a_refresh_under_way_when_it_was_taken_out_brings_it_not_back():
    async def steps(world):
        await world.ask()
        world.clock.now += 61
        gate = asyncio.Event()
        provider = world.provider

        async def slow(asked):
            await gate.wait()
            return await provider(asked)

        world.cache.refresh.ask = chain([world.routed, world.cache], slow)
        assert (await world.ask())[1] == "stale"
        world.clock.now += 1
        await world.memory.clear(Which(before=world.clock.now))
        gate.set()
        await asyncio.sleep(0.01)
        assert world.calls == 2
        assert len(world.memory) == 0

    walk(World(stale=100.0), steps)


def test_what_is_for_one_alone_is_neither_kept_nor_shared():
    async def steps(world):
        world.private = True
        answers = await asyncio.gather(*(world.ask() for _ in range(3)))
        assert len({answer for answer, _, _ in answers}) == 3
        assert len(world.memory) == 0
        world.private = False
        asked = exchange(WORDS)
        asked.private = True
        await follow(asked, lambda asked: world.cache(asked, world.provider))
        assert (asked.record.cached.how, len(world.memory)) == ("bypass", 0)

    walk(World(), steps)
