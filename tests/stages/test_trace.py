"""Of which requests spans are made, and what is noted for them."""

import contextlib
import secrets
import time

import pytest

from headgate.core.caller import Caller
from headgate.core.errors import Overloaded, ProviderTimeout, Unauthenticated
from headgate.core.exchange import Exchange, Place
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.trace import Sampling
from headgate.dialects import gemini_generate, openai_chat
from headgate.stages.stage import Checked, chain
from headgate.stages.trace import Trace

REPLY = Reply(openai_chat, stream=False, body=b"")
ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def a_parent(*, sampled, id=ID):
    return [(b"traceparent", f"00-{id}-{SPAN}-{'01' if sampled else '00'}".encode())]


def exchange(headers=(), dialect=openai_chat, path="/v1/chat/completions", place=None):
    record = Record(id="req_1", time=time.time())
    return Exchange("req_1", dialect, path, headers, None, time.perf_counter(), record, place)


async def outermost(exchange, proceed):
    return await proceed(exchange)


class Knows:
    """Lets everybody in, or nobody."""

    def __init__(self, caller):
        self.caller = caller

    async def __call__(self, exchange, proceed):
        if self.caller is None:
            raise Unauthenticated("who are you?")
        exchange.caller = self.caller
        return await proceed(exchange)


SOMEBODY = Caller("test")


async def walk(made, sampling, error=None, caller=SOMEBODY, stages=(), ending="complete"):
    """The request's trace once it is over; the second is whether the client is told of it."""

    async def answer(exchange):
        if error is not None:
            raise error
        return REPLY

    with contextlib.suppress(ProviderTimeout, Overloaded, Unauthenticated):
        await chain([outermost, Trace(sampling), Knows(caller), *stages], answer)(made)
    made.record.ending = "complete" if error is None else ending  # what is known when the head is sent
    told = made.trace.kept(made)
    made.record.ending = ending
    await made.ending.aclose()
    return made.record.trace, told


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, False), (1.0, True)])
async def test_a_share_of_them(ratio, kept):
    trace, told = await walk(exchange(), Sampling(ratio))
    assert told == kept
    assert (trace is not None) == kept, "what nobody knows of is not in the record"


async def test_the_share_is_kept_to_and_depends_on_the_id_alone():
    ids = [f"{secrets.randbits(128):032x}" for _ in range(2_000)]
    sampling = Sampling(0.25, follow=False)
    made = [exchange(a_parent(sampled=False, id=id)) for id in ids]
    kept = [(await walk(each, sampling))[0].kept for each in made]
    assert 380 < sum(kept) < 620
    again = [exchange(a_parent(sampled=True, id=id)) for id in ids]
    assert [(await walk(each, sampling))[0].kept for each in again] == kept


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize("sampled", [True, False])
async def test_a_client_decides_where_it_is_followed(ratio, sampled):
    trace, told = await walk(exchange(a_parent(sampled=sampled)), Sampling(ratio))
    assert (trace.id, trace.parent, trace.kept, told) == (ID, SPAN, sampled, sampled)
    assert trace.span != SPAN
    trace, _ = await walk(exchange(a_parent(sampled=sampled)), Sampling(ratio, follow=False))
    assert (trace.id, trace.parent, trace.kept) == (ID, SPAN, ratio == 1.0)


async def test_a_stranger_decides_nothing():
    trace, told = await walk(
        exchange(a_parent(sampled=True)), Sampling(0.0), Unauthenticated("no"), caller=None, ending="refused"
    )
    assert not trace.kept
    assert not told


@pytest.mark.parametrize(
    ("error", "ending", "kept"),
    [
        (ProviderTimeout("too slow"), "failed", True),
        (Overloaded("full"), "refused", False),
        (None, "cut", True),
        (None, "cancelled", False),
    ],
)
async def test_failures_are_kept_at_a_ratio_of_0(error, ending, kept):
    trace, told = await walk(exchange(), Sampling(0.0), error, ending=ending)
    assert (trace is not None) == kept
    assert told == (error is not None and kept), "who has the head of a stream by then cannot be told"
    trace, _ = await walk(exchange(), Sampling(0.0, failed=False), error, ending=ending)
    assert trace is None


async def test_slow_ones_are_kept():
    made = exchange()
    made.clock -= 5
    trace, told = await walk(made, Sampling(0.0, slower_than=4.0))
    assert trace.kept
    assert told
    assert (await walk(exchange(), Sampling(0.0, slower_than=4.0)))[0] is None


async def test_what_it_went_through_is_noted():
    async def own(exchange, proceed):
        return await proceed(exchange)

    place = Place("/v1beta/models/{model}:generateContent", "gemini-x", b"")
    made = exchange(dialect=gemini_generate, path="/v1beta/models/gemini-x:generateContent", place=place)
    trace, _ = await walk(made, Sampling(1.0), stages=[Checked("house.rules:Own", own), own])
    assert [name for name, _ in trace.stages] == ["authenticate", "house.rules:Own"]
    assert 0 == trace.stages[0][1] < trace.stages[1][1] < 5
    assert (trace.route, trace.operation, trace.method) == (place.template, "chat", "POST")
