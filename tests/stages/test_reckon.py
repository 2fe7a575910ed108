"""Counting what a provider did not say: in a thread, to the end, and never at the cost of an answer or a record."""

import asyncio
import json
import threading
import time

import pytest

from headgate.core.exchange import Exchange
from headgate.core.ratios import Ratios
from headgate.core.record import Attempt, Record
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.core.usage import Usage
from headgate.dialects import openai_chat
from headgate.stages import reckon
from headgate.stages.reckon import Reckon

WORDS = "some of these words " * 20


class Host:
    """As much of a provider as is needed."""

    name = "a"
    arms = ()


def asked(stream=False):
    fields = {"model": "m", "messages": [{"role": "user", "content": WORDS}], "stream": stream}
    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", openai_chat, "/v1/chat/completions", [], None, time.perf_counter(), record)
    made.fields, made.body, made.stream = fields, json.dumps(fields).encode(), stream
    made.target, made.attempts = Target(Host(), "m"), [Attempt("a/m")]
    return made


async def answered(exchange, usage=None, stages=None):
    """Through the stage, to the end."""
    choice = {"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    reply = Reply(openai_chat, stream=False, body=json.dumps(body).encode())

    async def ask(exchange):
        await reply.begin(openai_chat, exchange.fields, exchange.stream)
        return reply

    given = await (stages or Reckon(Ratios()))(exchange, ask)
    assert given is reply
    await exchange.ending.aclose()
    return reply.counted


@pytest.fixture
def slow(monkeypatch):
    """A count that waits to be let go."""
    go = threading.Event()

    def count(*_given):
        assert go.wait(5)
        return Usage(output=1)

    monkeypatch.setattr(reckon, "_counted", count)
    yield go
    go.set()


async def test_what_was_said_is_not_counted(monkeypatch):
    monkeypatch.setattr(reckon, "_counted", None)
    assert await answered(asked(), {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}) is None


async def test_a_count_goes_on_when_the_client_leaves_a_stream(slow):
    exchange = asked(stream=True)
    ending = asyncio.ensure_future(answered(exchange))
    for _ in range(2):  # the server's stop may follow
        await asyncio.sleep(0.02)
        ending.cancel()
    slow.set()
    assert (await ending).output == 1


async def test_a_client_that_leaves_before_its_whole_answer_is_not_held(slow):
    waiting = asyncio.ensure_future(answered(asked()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("stream", [False, True])
async def test_a_count_that_takes_too_long_is_given_up(slow, monkeypatch, stream):
    monkeypatch.setattr(reckon, "PATIENCE", 0.05)
    assert await answered(asked(stream)) is None


async def test_what_fails_in_the_thread_is_told_and_costs_nothing_else(monkeypatch, caplog):
    monkeypatch.setattr(reckon, "_counted", lambda *given: 1 // 0)
    assert await answered(asked()) is None
    assert "tokens could not be counted" in caplog.text


async def test_a_request_too_long_is_counted_by_its_length(monkeypatch):
    monkeypatch.setattr(reckon, "_read", lambda exchange: pytest.fail("it was read"))
    monkeypatch.setattr(reckon, "LONG", 100)
    exchange = asked()
    assert (await answered(exchange)).input == exchange.tokens


async def test_it_is_counted_by_what_was_learned():
    stage = Reckon(Ratios(), clock=iter([0.0, 100.0]).__next__)
    said = {"prompt_tokens": 216, "completion_tokens": 150, "total_tokens": 366}
    for _ in range(2):
        await answered(asked(), said, stage)
    counted = await answered(asked(), stages=stage)
    assert (counted.input, counted.output) == (216, 150)
