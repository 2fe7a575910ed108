"""A call that is given up takes nobody along who comes meanwhile."""

import asyncio
import json

import pytest

from headgate.core.cached import Terms
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.stages.cache import Cache
from headgate.state.answers import Memory
from stages.cache.test_identity import exchange

TERMS = Terms(60.0, 0.0, "key", deterministic_only=False, tool_calls=False, coalesce=True, largest=1 << 20)
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}


class Provider:
    """Its first call is never answered, and takes a while to be given up."""

    def __init__(self):
        self.calls = 0
        self.asked, self.given_up = asyncio.Event(), asyncio.Event()

    async def __call__(self, asked):
        self.calls += 1
        self.asked.set()
        if self.calls == 1:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up.set()
                await asyncio.sleep(0.02)
        reply = Reply(openai_chat, stream=False, body=json.dumps(ANSWER).encode())
        await reply.begin(asked.dialect, asked.fields, asked.stream)
        return reply


def test_who_comes_while_a_call_is_given_up_has_one_of_its_own():
    async def walk():
        cache = Cache(Memory(1 << 20), {}, TERMS, {"openai_chat": openai_chat}, frozenset(), lambda alias, rule: b"")
        provider = Provider()
        fields = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
        leader, other = (exchange(fields) for _ in range(2))

        async def lead():
            try:
                await cache(leader, provider)
            finally:
                await leader.ending.aclose()

        led = asyncio.create_task(lead())
        await provider.asked.wait()
        led.cancel()
        await provider.given_up.wait()
        reply = await asyncio.wait_for(cache(other, provider), 5)
        assert await reply.whole(openai_chat, fields) == json.dumps(ANSWER).encode()
        assert (other.record.cached.how, provider.calls) == ("miss", 2)
        with pytest.raises(asyncio.CancelledError):
            await led

    asyncio.run(walk())
