"""Copies of requests: which are made, what is recorded of them, and that nobody else notices."""

import asyncio
import logging

import pytest

from headgate.core.background import Background
from headgate.core.caller import Caller
from headgate.core.errors import Forbidden, Incapable, InvalidRequest, ProviderCut, ProviderTimeout
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.stages.record import Record
from headgate.stages.shadow import Shade, Shadow
from stages.policies.targets import Host, asked, target

REPLY = Reply(openai_chat, stream=False, body=b"")
ANSWER = (
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
)


class Kept:
    """A journal and a meter in memory."""

    full = False

    def __init__(self):
        self.records = []

    def append(self, record):
        self.records.append(record)

    def count(self, record):
        pass


class Copying:
    """A stage, and the host that gets its copies: it waits for `gate` and raises `error`."""

    def __init__(self, share=1.0, at_once=20, filters=(), error=None, open=True):
        self.journal, self.shadows, self.sent = Kept(), Background(), []
        self.error, self.gate = error, asyncio.Event()
        if open:
            self.gate.set()
        self.shade = Shade(target("next"), share, at_once)
        ids = iter(f"copy-{number}" for number in range(10_000))
        record = Record(self.journal, self.journal)
        self.stage = Shadow({"chat": self.shade}, self.shadows, record, filters, self.send, lambda: next(ids))

    async def send(self, exchange):
        self.sent.append(exchange)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        reply = Reply(openai_chat, stream=False, body=ANSWER)
        await reply.begin(openai_chat, {}, False)
        return reply

    async def ask(self, exchange=None, ending="complete"):
        exchange = exchange or asked({"model": "chat"})
        exchange.decision.alias = exchange.decision.alias or "chat"

        async def proceed(_):
            return REPLY

        assert await self.stage(exchange, proceed) is REPLY
        assert not self.sent or exchange is not self.sent[-1]
        exchange.record.ending = ending
        await exchange.ending.aclose()
        return exchange

    async def over(self):
        while self.shadows.running.total():
            await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_copy_has_a_record_of_its_own():
    copying = Copying()
    exchange = await copying.ask()
    assert copying.sent == [], "it is begun when the answer is over, and not waited for"
    await copying.over()
    (copy,) = copying.sent
    assert (copy.id, copy.targets, copy.fields) == ("copy-0", (copying.shade.target,), exchange.fields)
    (record,) = copying.journal.records
    assert (record.id, record.shadow_of, record.ending, record.status) == ("copy-0", "req_1", "complete", 200)
    assert record.usage.output == 2
    assert exchange.record.shadow_of is None
    assert exchange.decision.said == []


async def test_a_share_of_the_requests_is_copied():
    copying = Copying(share=0.25, at_once=10_000)
    for _ in range(2000):
        await copying.ask()
    await copying.over()
    assert len(copying.sent) == pytest.approx(500, abs=90)


async def test_there_is_room_for_so_many_and_the_others_are_counted():
    copying = Copying(at_once=3, open=False)
    for _ in range(10):
        await copying.ask()
    assert copying.shadows.dropped == {("chat", "next/m"): 7}
    copying.gate.set()
    await copying.over()
    await copying.ask()
    await copying.over()
    assert len(copying.journal.records) == 4


async def test_a_place_at_the_target_is_left_to_requests_that_somebody_waits_for():
    copying = Copying()
    standing = copying.shade.target.standing
    standing.limit(1, requests=False, tokens=False)
    await standing.gate.enter(0, "t", 0, 1.0, "next/m")
    await copying.ask()
    assert (copying.sent, copying.shadows.dropped) == ([], {("chat", "next/m"): 1})
    standing.gate.leave()
    await copying.ask()
    await copying.over()
    assert len(copying.sent) == 1


@pytest.mark.parametrize(
    ("error", "status"), [(ProviderTimeout("slow"), 504), (ProviderCut("cut"), 502), (InvalidRequest("no"), 400)]
)
async def test_what_fails_is_recorded(error, status):
    copying = Copying(error=error)
    await copying.ask()
    await copying.over()
    (record,) = copying.journal.records
    assert (record.ending, record.error, record.status) == ("failed", error.code, status)


async def test_nobody_is_asked_for_what_a_filter_leaves_out():
    def leave(exchange, targets):
        raise Incapable("it takes no pictures")

    copying = Copying(filters=[leave])
    await copying.ask()
    await copying.over()
    assert copying.sent == []
    assert [record.error for record in copying.journal.records] == [Incapable.code]


async def test_what_nobody_foresaw_is_logged_and_recorded(caplog):
    copying = Copying(error=ZeroDivisionError("a bug"))
    with caplog.at_level(logging.ERROR):
        await copying.ask()
        await copying.over()
    assert "a task beside requests failed inside the gateway" in caplog.text
    assert [record.ending for record in copying.journal.records] == ["failed"]


async def test_what_is_under_way_when_the_gateway_stops_is_recorded():
    copying = Copying(open=False)
    await copying.ask()
    await asyncio.sleep(0)
    await copying.shadows.stop()
    assert [record.ending for record in copying.journal.records] == ["cancelled"]
    assert copying.shadows.running.total() == 0


@pytest.mark.parametrize("ending", ["cancelled", "refused"])
async def test_what_came_to_nothing_is_not_copied(ending):
    copying = Copying()
    await copying.ask(ending=ending)
    await copying.over()
    assert copying.sent == []


async def test_other_names_forms_and_what_passes_unread_are_not_copied():
    copying = Copying()
    other, form, passing = asked(), asked(), asked()
    other.decision.alias, form.form, passing.passing = "other", object(), object()
    for exchange in (other, form, passing):
        await copying.ask(exchange)
    await copying.over()
    assert copying.sent == []


@pytest.mark.parametrize(
    ("models", "names", "copies"),
    [(None, ["x"], 1), (frozenset({"chat"}), [], 1), (frozenset({"chat"}), ["x"], 0), (frozenset({"chat"}), None, 0)],
)
async def test_a_limited_key_names_no_models_at_a_host_it_was_not_checked_for(models, names, copies):
    class Naming(Host):
        def further(self, fields):
            if names is None:
                raise Forbidden("no names")
            return names

    copying, exchange = Copying(), asked()
    object.__setattr__(copying.shade.target, "provider", Naming("next"))
    exchange.caller = Caller("someone", models)
    await copying.ask(exchange)
    await copying.over()
    assert len(copying.sent) == copies
    assert copying.shadows.dropped.total() == 1 - copies
