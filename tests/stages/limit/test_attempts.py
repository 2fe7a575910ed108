"""Limits by provider: what every attempt holds and what it came to, however it ends; against a plain reckoning."""

import asyncio
import time
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.catalog.cost import bill
from headgate.core.caller import Caller
from headgate.core.errors import (
    GatewayError,
    LimitExceeded,
    PriceUnknown,
    ProviderCut,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Meter, Now
from headgate.core.limits.rule import Rule, limited
from headgate.core.limits.window import Calendar
from headgate.core.plan import Retries
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.target import Manner, Target, Terms
from headgate.core.usage import Usage
from headgate.dialects import openai_chat
from headgate.stages.hedge import Hedge
from headgate.stages.limit import Limit
from headgate.stages.limit.attempts import Attempts
from headgate.stages.limit.estimate import Estimate
from headgate.stages.retry import Retry
from headgate.stages.stage import chain

MONTH = Calendar("month")
PRICES = ({"input": "1", "output": "10"},)
"""Dollars for a million tokens: a thousand and ten thousand nanodollars for one."""


class Host:
    arms = ()

    def __init__(self, name):
        self.name = name


def target(name):
    return Target(Host(name), "m", terms=Terms(prices=PRICES))


def rule(what, amount, *, match=None, per=(), then="deny", name=None, window=MONTH, **more):
    meter = Meter(name or what, what, amount, None if what == "concurrency" else window)
    return Rule(meter, {each: frozenset(names) for each, names in (match or {}).items()}, per, then, **more)


def answered(prompt=0, answer=0):
    reply = Reply(openai_chat, stream=False, body=b"")
    reply.account.usage = Usage(input=prompt, output=answer)
    return reply


class Bench:
    """The stages from `limit` on, in front of providers that do what a test says."""

    def __init__(self, *rules, hedge=None):
        self.rules = rules
        self.ledger = Ledger(clock=lambda: Now(1_800_000_000.0, time.monotonic()))
        self.attempts = Attempts(self.ledger, rules)
        self.before(self.provide)
        self.hedge = hedge
        self.outcomes = {}
        self.asked = []

    def before(self, provide):
        retry = Retry(Retries(attempts=2, backoff=0.0, max_backoff=0.0), allowance=self.attempts)
        self.ask = chain([Limit(self.ledger, lambda model: [target("any")]), Hedge(), retry], provide)

    async def provide(self, exchange):
        name = exchange.target.provider.name
        self.asked.append(name)
        outcome = self.outcomes[name].pop(0) if self.outcomes.get(name) else answered()
        if isinstance(outcome, Exception):
            raise outcome
        if outcome == "hangs":
            await asyncio.sleep(60)
        return outcome

    def exchange(self, *targets, tokens=10, answer=20, key="k"):
        record = Record(id="req_1", time=1_800_000_000.0)
        made = Exchange("req_1", openai_chat, "/v1/chat/completions", [], None, time.perf_counter(), record)
        made.body, made.fields, made.model = b"x" * 4 * tokens, {"max_tokens": answer}, "chat"
        made.targets = tuple(targets)
        made.caller = limited(Caller(key), self.rules) if key is not None else None
        if self.hedge is not None:
            made.manner = Manner(hedge=self.hedge)
        return made

    async def over(self, exchange):
        """The request, to its end."""
        try:
            reply = exchange.reply = await self.ask(exchange)
            exchange.record.status = 200
        except GatewayError as error:
            return error
        else:
            return reply
        finally:
            await exchange.ending.aclose()

    def stands(self):
        """What is used and held, by counter."""
        return {
            name: (used, held) for name, used, held, _ in self.ledger.own.stands(self.ledger.clock()) if used or held
        }


async def test_the_next_target_is_asked_and_the_last_limit_is_told():
    bench = Bench(rule("requests", 1, per=("provider",)))
    one, two = target("a"), target("b")
    assert not isinstance(await bench.over(bench.exchange(one, two)), GatewayError)
    asked = bench.exchange(one, two)
    assert not isinstance(await bench.over(asked), GatewayError)
    assert bench.asked == ["a", "b"]
    assert "a/m was passed over: the limit 'requests' has no room" in asked.decision.said
    assert [attempt.target for attempt in asked.attempts] == ["b/m"]
    refused = await bench.over(bench.exchange(one, two))
    assert (type(refused), refused.status, refused.limit) == (LimitExceeded, 429, "requests")
    assert bench.ledger.denied["requests", "next"] == 3


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (answered(7, 5), {"requests": 1, "tokens": 12, "money": 57_000}),
        (ProviderRefused("no", status=400), {"requests": 1}),
        (ProviderTimeout("late"), {"requests": 1}),
        (ProviderUnreachable("none"), {}),
        (Unsupported("cannot be said"), {}),
    ],
)
async def test_an_attempt_is_settled_by_what_it_used(outcome, expected):
    whats = ("requests", "tokens", "money", "concurrency")
    bench = Bench(*(rule(what, 10**9, match={"provider": ["a"]}) for what in whats))
    bench.outcomes = {"a": [outcome] * 2}
    asked = bench.exchange(target("a"))
    await bench.over(asked)
    tries = bench.asked.count("a")
    found = {name.split(" | ")[0]: used for name, (used, held) in bench.stands().items() if not held}
    assert found == {what: tries * amount for what, amount in expected.items()}
    assert all(not held for _, held in bench.stands().values())


async def test_money_counts_at_the_price_of_who_is_asked_and_by_each_provider():
    bench = Bench(rule("money", 10**9, per=("provider",)))
    bench.outcomes = {"a": [ProviderRefused("no", status=503)], "b": [answered(7, 5)]}
    asked = bench.exchange(target("a"), target("b"))
    await bench.over(asked)
    assert bench.stands() == {"money | money a month | provider=b": (57_000, 0)}
    assert asked.record.counted == {"money | money a month | provider=b": 57_000}


async def test_what_the_gateway_itself_asks_counts_where_the_limit_is_for_everybody():
    everybody, one = (
        rule("requests", 1, match={"provider": ["a"]}),
        rule("tokens", 0, match={"key": ["k"]}, per=("provider",)),
    )
    bench = Bench(everybody, one)
    assert not isinstance(await bench.over(bench.exchange(target("a"), key=None)), GatewayError)
    assert (await bench.over(bench.exchange(target("a"), key=None))).limit == "requests"


async def test_who_waits_does_so_where_nobody_else_is_left():
    bench = Bench(rule("concurrency", 1, match={"provider": ["a"]}, then="queue", queue_seconds=5.0))
    first = bench.exchange(target("a"))
    await bench.ask(first)
    other = bench.exchange(target("a"), target("b"))
    await bench.ask(other)
    assert bench.asked == ["a", "b"]
    waits, leaves = (asyncio.create_task(bench.over(bench.exchange(target("a")))) for _ in range(2))
    await asyncio.sleep(0.02)
    leaves.cancel()
    await asyncio.wait([leaves])
    assert not waits.done()
    await first.ending.aclose()
    assert not isinstance(await waits, GatewayError)
    assert bench.asked == ["a", "b", "a"]
    assert bench.stands() == {}


async def test_the_filter_leaves_out_what_has_no_room_and_keeps_a_line_where_nobody_else_is_left():
    bench = Bench(
        rule("requests", 0, match={"provider": ["a"]}),
        rule("concurrency", 1, match={"provider": ["b"]}, then="queue"),
    )
    one, two, three = target("a"), target("b"), target("c")
    await bench.ask(bench.exchange(two))
    asked = bench.exchange()
    assert bench.attempts(asked, [one, two, three]) == [three]
    assert [(each.name, by) for each, by, _ in asked.decision.out] == [("a/m", "limit"), ("b/m", "limit")]
    assert bench.attempts(bench.exchange(), [one, two]) == [two]
    with pytest.raises(LimitExceeded, match="'requests'"):
        bench.attempts(bench.exchange(), [one])
    assert bench.attempts(bench.exchange(key=None), [three]) == [three]


async def test_a_hedge_holds_for_both_and_only_the_answer_is_kept():
    bench = Bench(rule("requests", 9, per=("provider",)), rule("tokens", 999, per=("provider",)), hedge=0.01)
    bench.outcomes = {"a": ["hangs"], "b": [answered(7, 5)]}
    await bench.over(bench.exchange(target("a"), target("b")))
    assert {name.partition(" | ")[0] + name[-1]: stands for name, stands in bench.stands().items()} == {
        "requestsa": (1, 0), "requestsb": (1, 0), "tokensb": (12, 0),
    }  # fmt: skip


OUTCOME = st.one_of(
    st.tuples(st.integers(0, 10), st.integers(0, 20)),
    st.sampled_from(["refused", "timeout", "cut", "unreachable", "unsupported", "hangs"]),
)
STEP = st.tuples(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
    st.lists(OUTCOME, min_size=6, max_size=6),
    st.booleans(),  # the client goes away before the end
    st.booleans(),  # hedged
)
FAILURES = {
    "refused": lambda: ProviderRefused("no", status=503),
    "timeout": lambda: ProviderTimeout("late"),
    "cut": lambda: ProviderCut("short"),
    "unreachable": lambda: ProviderUnreachable("none"),
    "unsupported": lambda: Unsupported("no word for it"),
}


@settings(max_examples=15)
@given(st.lists(STEP, max_size=12), st.integers(1, 3), st.integers(60, 200), st.integers(3, 12))
async def test_whatever_becomes_of_requests_each_counter_holds_what_was_used_and_nothing_else(
    steps, places, tokens, requests
):
    each = ("provider",)
    bench = Bench(
        rule("concurrency", places, per=each), rule("tokens", tokens, per=each), rule("requests", requests, per=each),
        rule("tokens", 10**6, name="all"), rule("concurrency", 2, name="few", then="queue", queue_seconds=0.01),
    )  # fmt: skip
    used, knows, counted = Counter(), Counter(), Counter()
    open_, scripts = [], {}

    async def provide(exchange):
        name, outcome = exchange.target.provider.name, next(scripts[exchange.id])
        if isinstance(outcome, tuple):
            knows[name] += 1
            used[name] += sum(outcome)
            return answered(*outcome)
        if outcome == "hangs":
            knows[name] += 1
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                used[name] += 0 if exchange.abandoned else 30  # what was held for a client that went away
                raise
        knows[name] += outcome in ("refused", "timeout", "cut")
        raise FAILURES[outcome]()

    bench.before(provide)
    targets = {name: target(name) for name in "abc"}

    async def end(exchange):
        await exchange.ending.aclose()
        counted.update(exchange.record.counted)

    for names, outcomes, leaves, hedged in steps:
        asked = bench.exchange(*(targets[name] for name in names))
        asked.id, asked.manner = f"req_{len(scripts)}", Manner(hedge=0.002 if hedged else None)
        scripts[asked.id] = iter(outcomes)
        task = asyncio.create_task(bench.ask(asked))
        await asyncio.wait([task], timeout=0.012)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if task.cancelled() or task.exception() is not None:
            asked.record.status = 499 if task.cancelled() else task.exception().status
            await end(asked)
        else:
            asked.reply, asked.record.status = task.result(), 200
            open_.append(asked)
        for counter, (spent, held) in bench.stands().items():
            limit = {"concurrency": places, "tokens": tokens, "requests": requests}.get(counter.partition(" | ")[0])
            assert limit is None or spent + held <= limit, counter
        if leaves and open_:
            await end(open_.pop(0))
    for asked in open_:
        await end(asked)
    stands = bench.stands()
    assert not any(held for _, held in stands.values()), stands
    assert not any(room.waiting for room in bench.ledger.rooms.values())
    assert {name[-1]: spent for name, (spent, _) in stands.items() if name.startswith("requests")} == +knows
    assert {name[-1]: spent for name, (spent, _) in stands.items() if name.startswith("tokens")} == +used
    assert {name: spent for name, (spent, _) in stands.items()} == +counted
    assert stands.get("all | tokens a month", (0, 0))[0] <= sum(used.values())


async def test_money_of_a_provider_is_what_the_bill_says_whichever_tier_was_asked_for_and_served():
    prices = ({"input": "1", "output": "10", "flex.input": "0.5", "flex.output": "5", "priority.input": "3"},)
    one = Target(Host("a"), "m", terms=Terms(prices=prices))
    for asked, served in ((None, "priority"), ("flex", "default"), ("priority", None), ("auto", None)):
        bench = Bench(rule("money", 10**9, per=("provider",)), rule("money", 10**9, name="all"))
        reply = answered(7, 5)
        reply.account.usage.tier = served
        bench.outcomes = {"a": [reply]}
        request = bench.exchange(one)
        request.fields["serviceTier"] = {"type": asked} if asked else None
        await bench.over(request)
        bill(request)
        amount = int(Decimal(request.record.cost) * 10**9)
        assert {used for used, _ in bench.stands().values()} == {amount}
        assert amount == (71_000 if "priority" in (asked, served) else 57_000)


async def test_what_is_asked_for_at_a_dearer_tier_is_held_at_its_price():
    one = Target(Host("a"), "m", terms=Terms(prices=({"input": "1", "output": "10", "fast.output": "60"},)))
    for fields, most in (({}, 210_000), ({"speed": "fast"}, 1_210_000), ({"serviceTier": "priority"}, 1_210_000)):
        request = Bench().exchange(one)
        request.fields |= fields
        assert Estimate(request, lambda model: [one]).of(rule("money", 1)) == most


@pytest.mark.parametrize("first", ["free", "deny"])
def test_each_limit_says_for_itself_what_becomes_of_models_without_a_price(first):
    unknown, known = Target(Host("u"), "m"), target("k")
    lenient, strict = rule("money", 1, unpriced="free"), rule("money", 1, name="strict")
    estimate = Estimate(Bench().exchange(), lambda model: [unknown, known])
    if first == "free":
        assert estimate.of(lenient) == 210_000
    with pytest.raises(PriceUnknown, match=r"'strict'.* u/m is not known"):
        estimate.of(strict)
    assert estimate.of(lenient) == 210_000, "the one that has a price is paid for"
    assert Estimate(Bench().exchange(), lambda model: [unknown]).of(lenient) is None


@pytest.mark.parametrize(
    ("who", "usage", "spent"), [("k", (7, 5), 57_000), ("u", (7, 5), 0), ("u", None, 0), ("k", None, 210_000)]
)
async def test_of_a_priced_and_a_free_target_the_one_that_answers_counts(who, usage, spent):
    hosts = {"u": Target(Host("u"), "m"), "k": target("k")}
    bench = Bench(rule("money", 10**9, unpriced="free"))
    bench.ask = chain(
        [Limit(bench.ledger, lambda model: list(hosts.values())), Retry(Retries(attempts=1))], bench.provide
    )
    bench.outcomes = {who: [answered(*usage) if usage else Reply(openai_chat, stream=False, body=b"")]}
    await bench.over(bench.exchange(hosts[who]))
    assert [stands for stands in bench.stands().values() if stands != (0, 0)] == ([(spent, 0)] if spent else [])


async def test_an_answer_that_came_too_late_is_paid_for_by_who_asked():
    """Both begin in the same moment, one is heard."""
    bench = Bench(rule("money", 10**9, name="all"), hedge=0.01)
    both = asyncio.Event()

    async def provide(exchange):
        bench.asked.append(exchange.target.provider.name)
        if len(bench.asked) == 2:
            both.set()
        await both.wait()
        return answered(7, 5)

    bench.before(provide)
    request = bench.exchange(target("a"), target("b"))
    await bench.over(request)
    assert [(each.error, each.cost) for each in request.attempts] == [("hedged", "0.000057"), (None, None)]
    assert bench.stands() == {"all | money a month": (114_000, 0)}


@pytest.mark.parametrize("what", ["tokens", "money"])
async def test_who_goes_away_before_the_answer_has_spent_what_was_held(what):
    held = {"tokens": 30, "money": 210_000}[what]
    bench = Bench(rule(what, 10**9, name="all"), rule(what, 10**9, name="host", per=("provider",)))
    bench.outcomes = {"any": ["hangs"]}
    request = bench.exchange(target("any"))
    task = asyncio.create_task(bench.ask(request))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    request.record.ending, request.record.status = "cancelled", 499
    await request.ending.aclose()
    assert list(bench.stands().values()) == [(held, 0)] * 2
    assert list(request.record.counted.values()) == [held] * 2
