"""What is tried again, on which target, with which key, and what is not; what the standings learn from it."""

import asyncio
import time

import pytest

from headgate.core import named
from headgate.core.credential import Arm, Credential
from headgate.core.errors import (
    GatewayError,
    NoTarget,
    Overloaded,
    ProviderCut,
    ProviderRefused,
    ProviderTimeout,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.plan import WAYS, Retries
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.target import Manner, Target
from headgate.core.usage import Usage
from headgate.dialects import openai_chat
from headgate.stages.retry import Retry

REPLY = Reply(openai_chat, stream=False, body=b"")


class Host:
    """As much of a provider as is needed here; with several keys, if `keys` says so."""

    def __init__(self, name, keys=()):
        self.name = name
        self.key = None
        self.arms = []
        for key in keys:
            host = Host(name)
            host.key = key
            self.arms.append(Arm(host, Credential(name, key)))

    def further(self, fields):
        return named.named(fields, named.KNOWN)


def exchange():
    async def receive():
        return b"{}"

    record = Record(id="req_1", time=time.time())
    return Exchange("req_1", openai_chat, "/v1/chat/completions", [], receive, time.perf_counter(), record)


class Script:
    """What comes after Retry: an outcome for each call."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.asked = []

    async def __call__(self, exchange):
        self.asked.append(exchange.target.name)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def refused(status, retry_after=None):
    return ProviderRefused("no", status=status, retry_after=retry_after)


class TestRetry:
    stage = Retry(Retries(attempts=3, backoff=0.001, max_backoff=0.05))

    @pytest.fixture(autouse=True)
    def _targets(self):
        self.one, self.two = Target(Host("a"), "m"), Target(Host("b"), "m")

    async def run(self, script, *targets):
        asked = exchange()
        asked.targets = targets
        try:
            return await self.stage(asked, script), asked
        except GatewayError as error:
            return error, asked

    async def test_the_next_target_answers_when_the_first_fails(self):
        script = Script(ProviderTimeout("slow"), REPLY)
        reply, asked = await self.run(script, self.one, self.two)
        assert reply is REPLY
        assert script.asked == ["a/m", "b/m"]
        assert [(attempt.target, attempt.error, attempt.status) for attempt in asked.attempts] == [
            ("a/m", "provider_timeout", None),
            ("b/m", None, 200),
        ]

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
    async def test_what_may_pass_is_tried_again(self, status):
        reply, _ = await self.run(Script(refused(status), refused(status), REPLY), self.one)
        assert reply is REPLY

    @pytest.mark.parametrize("status", [400, 413, 422])
    async def test_what_will_not_pass_is_not(self, status):
        script = Script(refused(status), REPLY)
        error, asked = await self.run(script, self.one, self.two)
        assert error.status == status
        assert len(asked.attempts) == 1

    @pytest.mark.parametrize("status", [401, 402, 403, 404])
    async def test_what_is_wrong_with_one_provider_is_not_asked_of_it_again(self, status):
        reply, asked = await self.run(Script(refused(status), REPLY), self.one, self.two)
        assert (reply, len(asked.attempts)) == (REPLY, 2)
        error, asked = await self.run(Script(refused(status), REPLY), self.one)
        assert (error.status, len(asked.attempts)) == (status, 1)

    async def test_attempts_are_bounded_and_the_last_error_is_told(self):
        error, asked = await self.run(Script(refused(500), refused(502), refused(503)), self.one)
        assert (error.status, len(asked.attempts)) == (503, 3)

    async def test_every_target_gets_its_turn_however_few_attempts(self):
        targets = [Target(Host(name), "m") for name in "abcde"]
        script = Script(*(refused(500) for _ in range(4)), REPLY)
        reply, _ = await self.run(script, *targets)
        assert reply is REPLY

    async def test_retry_after_is_waited_for(self):
        began = time.perf_counter()
        reply, _ = await self.run(Script(refused(429, 0.04), REPLY), self.one)
        assert reply is REPLY
        assert time.perf_counter() - began >= 0.04

    async def test_a_target_that_asks_for_too_long_is_left_to_the_client(self):
        error, asked = await self.run(Script(refused(429, 30), REPLY), self.one)
        assert (error.retry_after, len(asked.attempts)) == (30, 1)


class TestRetryOfTimeouts:
    @pytest.fixture(autouse=True)
    def _target(self):
        self.one = Target(Host("a"), "m")

    async def test_a_target_that_timed_out_is_not_asked_twice(self):
        asked = exchange()
        asked.targets = [self.one]
        script = Script(ProviderTimeout("slow"), REPLY)
        with pytest.raises(ProviderTimeout):
            await Retry(Retries(attempts=3, backoff=0.001))(asked, script)
        assert script.asked == ["a/m"]

    async def test_only_a_provider_that_answered_has_a_status(self):
        asked = exchange()
        asked.targets = [self.one]
        with pytest.raises(ProviderRefused):
            await Retry(Retries(attempts=2, backoff=0.001))(asked, Script(ProviderCut("x"), refused(400)))
        assert [attempt.status for attempt in asked.attempts] == [None, 400]


class TestFallbackOverDialects:
    """A target whose dialect cannot say the request is passed over; it neither blocks nor hides the others."""

    stage = Retry(Retries(attempts=3, backoff=0.001))

    @pytest.fixture(autouse=True)
    def _targets(self):
        self.one, self.two = Target(Host("a"), "m"), Target(Host("b"), "m")

    async def run(self, *outcomes):
        asked = exchange()
        asked.targets = [self.one, self.two]
        script = Script(*outcomes)
        try:
            return await self.stage(asked, script), asked
        except GatewayError as error:
            return error, asked

    async def test_the_next_target_is_asked(self):
        reply, asked = await self.run(Unsupported("no `n`", param="n"), REPLY)
        assert reply is REPLY
        assert [attempt.target for attempt in asked.attempts] == ["b/m"]

    async def test_the_failure_of_who_was_asked_is_told(self):
        error, asked = await self.run(refused(503), Unsupported("no `n`"), refused(503), refused(500))
        assert isinstance(error, ProviderRefused)
        assert asked.target is self.one

    async def test_with_nobody_left_the_field_is_named(self):
        error, asked = await self.run(Unsupported("no `n`", param="n"), Unsupported("no `n` here"))
        assert (error.param, asked.attempts) == ("n", [])


class TestKeys:
    """A provider with several keys."""

    def target(self):
        return Target(Host("a", ["k1", "k2", "k3"]), "m")

    async def run(self, target, script):
        asked = exchange()
        asked.targets = [target]
        try:
            return await Retry(Retries(attempts=3, backoff=0.001))(asked, script), asked
        except GatewayError as error:
            return error, asked

    @pytest.mark.parametrize(
        ("status", "state"), [(401, "invalid"), (402, "exhausted"), (429, "cooling"), (403, "cooling")]
    )
    async def test_another_key_is_used_at_once(self, status, state):
        target, used = self.target(), []

        async def answer(asked):
            used.append(asked.host.key)
            if len(used) == 1:
                raise refused(status, 30 if status == 429 else None)
            return REPLY

        reply, asked = await self.run(target, answer)
        assert reply is REPLY
        assert len(set(used)) == 2
        assert [attempt.credential for attempt in asked.attempts] == used
        states = {arm.credential.name: arm.credential.state(time.monotonic()) for arm in target.provider.arms}
        assert states.pop(used[0]) == state
        assert set(states.values()) == {"active"}
        assert target.standing.breaker.row == 0

    async def test_a_key_that_is_out_is_not_used(self):
        target = self.target()
        for arm in target.provider.arms[:2]:
            arm.credential.refused(time.monotonic(), "invalid", "no")
        used = set()

        async def answer(asked):
            used.add(asked.host.key)
            return REPLY

        for _ in range(20):
            await self.run(target, answer)
        assert used == {"k3"}

    async def test_of_keys_that_are_all_out_the_least_bad_is_asked(self):
        target, used = self.target(), set()
        one, two, three = (arm.credential for arm in target.provider.arms)
        now = time.monotonic()
        one.refused(now, "invalid", "401")
        two.refused(now, "exhausted", "402")
        three.refused(now, "invalid", "401")

        async def answer(asked):
            used.add(asked.host.key)
            raise refused(402)

        for _ in range(10):
            await self.run(target, answer)
        assert used == {"k2"}

    async def test_each_key_is_tried_once_and_the_last_error_told(self):
        error, asked = await self.run(self.target(), Script(*(refused(401) for _ in range(9))))
        assert (error.status, len(asked.attempts)) == (401, 3)

    async def test_keys_share_by_weight(self):
        host = Host("a", ["k1", "k2"])
        host.arms = [Arm(host.arms[0].provider, host.arms[0].credential, 3.0), host.arms[1]]
        used = []

        async def answer(asked):
            used.append(asked.host.key)
            return REPLY

        target = Target(host, "m")
        for _ in range(2000):
            await self.run(target, answer)
        assert 0.70 < used.count("k1") / len(used) < 0.80

    async def test_a_key_without_weight_is_used_where_the_others_are_out(self):
        host = Host("a", ["k1", "k2"])
        host.arms = [host.arms[0], Arm(host.arms[1].provider, host.arms[1].credential, 0.0)]
        reply, asked = await self.run(Target(host, "m"), Script(refused(429, 30), REPLY))
        assert reply is REPLY
        assert [attempt.credential for attempt in asked.attempts] == ["k1", "k2"]


class TestCircuit:
    async def test_a_broken_target_is_left_alone_and_the_client_told_when_to_return(self):
        target = Target(Host("a"), "m")
        stage = Retry(Retries(attempts=1))
        for _ in range(5):
            asked = exchange()
            asked.targets = [target]
            with pytest.raises(ProviderRefused):
                await stage(asked, Script(refused(500)))
        asked = exchange()
        asked.targets = [target]
        script = Script(REPLY)
        with pytest.raises(NoTarget, match=r"a/m.*5 failures in a row") as caught:
            await stage(asked, script)
        assert script.asked == []
        assert 1 <= caught.value.retry_after <= 5

    async def test_a_stream_that_another_target_went_on_with_is_a_failure(self):
        target, asked = Target(Host("a"), "m"), exchange()
        asked.targets = [target]
        begun = Reply(openai_chat, stream=True, body=b"")
        await Retry(Retries())(asked, Script(begun))
        begun.broken = "provider_cut"
        await asked.ending.aclose()
        now = time.monotonic()
        assert (target.standing.window.counts(now), target.standing.breaker.row) == ((1, 1), 1)
        assert target.standing.total.read(now) == 0.0

    async def test_one_probe_at_a_time_and_its_success_closes_the_circuit(self):
        target = Target(Host("a"), "m")
        breaker = target.standing.breaker
        breaker.open(time.monotonic() - 100, "broken", firm=True)
        going = asyncio.Event()

        async def answer(asked):
            await going.wait()
            return REPLY

        first, second = exchange(), exchange()
        first.targets = second.targets = [target]
        probe = asyncio.create_task(Retry(Retries())(first, answer))
        await asyncio.sleep(0)
        with pytest.raises(NoTarget):
            await Retry(Retries())(second, answer)
        going.set()
        assert await probe is REPLY
        assert breaker.state(time.monotonic()) == "closed"

    async def test_a_probe_whose_client_leaves_before_it_is_sent_makes_room(self):
        one, two, asked = Target(Host("a"), "m"), Target(Host("b"), "m"), exchange()
        asked.targets, now = [one, two], 100.0
        breaker = one.standing.breaker

        async def answer(asked):
            nonlocal now
            if asked.target is two:
                now += breaker.trip.rest + 1
                raise refused(404)
            breaker.open(now, "half of its answers were failures", firm=False)
            raise refused(500)

        waiting = asyncio.create_task(Retry(Retries(backoff=60, max_backoff=60), lambda: now)(asked, answer))
        while not breaker.probing:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert breaker.allows(now)

    async def test_a_probe_whose_client_leaves_makes_room_for_another(self):
        target = Target(Host("a"), "m")
        breaker = target.standing.breaker
        breaker.open(time.monotonic() - 100, "broken", firm=True)
        asked = exchange()
        asked.targets = [target]
        probe = asyncio.create_task(Retry(Retries())(asked, lambda asked: asyncio.sleep(60)))
        await asyncio.sleep(0)
        assert not breaker.allows(time.monotonic())
        probe.cancel()
        await asyncio.wait([probe])
        assert breaker.allows(time.monotonic())
        assert target.standing.running == 0

    async def test_what_a_client_did_wrong_does_not_count(self):
        target = Target(Host("a"), "m")
        for status in (400, 404, 413, 422) * 5:
            asked = exchange()
            asked.targets = [target]
            with pytest.raises(ProviderRefused):
                await Retry(Retries())(asked, Script(refused(status)))
        assert target.standing.breaker.state(time.monotonic()) == "closed"


class TestLimits:
    async def test_who_finds_one_target_full_goes_to_the_next(self):
        one, two = Target(Host("a"), "m"), Target(Host("b"), "m")
        one.standing.limit(1, requests=False, tokens=False)
        going = asyncio.Event()

        async def answer(asked):
            if asked.target is one:
                await going.wait()
            return REPLY

        first, second = exchange(), exchange()
        first.targets = second.targets = [one, two]
        waiting = asyncio.create_task(Retry(Retries())(first, answer))
        await asyncio.sleep(0)
        await Retry(Retries())(second, answer)
        assert [attempt.target for attempt in second.attempts] == ["b/m"]
        going.set()
        await waiting
        assert one.standing.gate.running == 1  # until the reply has come to its end
        await first.ending.aclose()
        assert one.standing.gate.running == 0

    async def test_a_limit_that_is_set_or_taken_back_while_requests_run_counts_none_twice(self):
        target, asked = Target(Host("a"), "m"), exchange()
        asked.targets = [target]
        await Retry(Retries())(asked, Script(REPLY))
        target.standing.limit(2, requests=False, tokens=False)
        await asked.ending.aclose()
        assert target.standing.gate.running == 0  # who came before there was a gate does not leave it

    async def test_tokens_of_the_minute_are_those_of_the_answer(self):
        target, asked = Target(Host("a"), "m"), exchange()
        target.standing.limit(None, requests=False, tokens=True)
        asked.targets, asked.body = [target], b"x" * 400
        answer = Reply(openai_chat, stream=False, body=b"")
        answer.account.usage = Usage(input=120, output=5000)
        await Retry(Retries())(asked, Script(answer))
        assert target.standing.tokens.sum(time.monotonic()) == 100  # about so many, as long as it runs
        await asked.ending.aclose()
        assert target.standing.tokens.sum(time.monotonic()) == 5120

    async def test_a_stream_that_lasts_longer_than_a_minute_leaves_no_debt(self):
        now = 1000.0
        target = Target(Host("a"), "m")
        target.standing.limit(None, requests=False, tokens=True)
        asked = exchange()
        asked.targets, asked.body = [target], b"x" * 4000
        answer = Reply(openai_chat, stream=False, body=b"")
        answer.account.usage = Usage(input=100, output=200)
        await Retry(Retries(), clock=lambda: now)(asked, Script(answer))
        now += 90
        await asked.ending.aclose()
        assert target.standing.tokens.sum(now) == 300

    async def test_a_limit_that_came_meanwhile_is_not_credited(self):
        target = Target(Host("a"), "m")
        asked = exchange()
        asked.targets, asked.body = [target], b"x" * 4000
        answer = Reply(openai_chat, stream=False, body=b"")
        answer.account.usage = Usage(input=100, output=200)
        await Retry(Retries())(asked, Script(answer))
        target.standing.limit(None, requests=True, tokens=True)
        await asked.ending.aclose()
        assert target.standing.tokens.sum(time.monotonic()) == 300

    async def test_of_a_stream_in_parts_each_target_is_charged_its_own(self):
        target = Target(Host("a"), "m")
        target.standing.limit(None, requests=False, tokens=True)
        asked = exchange()
        asked.targets = [target]
        answer = Reply(openai_chat, stream=False, body=b"")
        answer.account.usage, answer.parted, answer.own = Usage(input=100, output=200), True, Usage(input=60, output=1)
        await Retry(Retries())(asked, Script(answer))
        await asked.ending.aclose()
        assert target.standing.tokens.sum(time.monotonic()) == 61

    async def test_a_full_queue_is_told(self):
        target = Target(Host("a"), "m")
        target.standing.limit(1, requests=False, tokens=False)
        target.standing.gate.running = 1
        asked = exchange()
        asked.targets = [target]
        object.__setattr__(target, "terms", type(target.terms)(queue=0))
        with pytest.raises(Overloaded, match="a/m"):
            await Retry(Retries())(asked, Script(REPLY))
        assert target.standing.running == 0

    @pytest.mark.parametrize("stream", [True, False])
    async def test_a_target_that_does_not_begin_in_time_is_passed_over(self, stream):
        one, two = Target(Host("a"), "m"), Target(Host("b"), "m")
        asked = exchange()
        asked.targets, asked.manner, asked.stream = [one, two], Manner(first_token=0.02), stream
        asked.manner = Manner(first_token=0.02) if stream else Manner(whole_answer=0.02)
        cancelled = []

        async def answer(asked):
            if asked.target is two:
                return REPLY
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(asked.target)
                raise

        assert await Retry(Retries())(asked, answer) is REPLY
        assert [attempt.error for attempt in asked.attempts] == ["provider_timeout", None]
        assert cancelled == [one]
        assert one.standing.window.counts(time.monotonic()) == (0, 1)
        assert one.standing.breaker.row == (1 if stream else 0), "a long answer is no proof of a broken target"

    async def test_long_answers_do_not_have_a_target_taken_for_broken(self):
        """Its requests are a client's, who decides how long their answers are."""
        target = Target(Host("a"), "m")
        for _ in range(40):
            asked = exchange()
            asked.targets, asked.manner = [target], Manner(whole_answer=0.001)
            with pytest.raises(ProviderTimeout, match=r"had not answered after 0\.001 s"):
                await Retry(Retries())(asked, lambda asked: asyncio.sleep(60))
        breaker = target.standing.breaker
        assert (breaker.until > 0, breaker.firm) == (True, False), "others are preferred, but it is asked"

    async def test_what_it_cannot_be_asked_counts_to_no_limit(self):
        target = Target(Host("a"), "m")
        target.standing.limit(None, requests=True, tokens=True)
        asked = exchange()
        asked.targets, asked.body = [target], b"x" * 400
        with pytest.raises(Unsupported):
            await Retry(Retries())(asked, Script(Unsupported("no")))
        now, standing = time.monotonic(), target.standing
        assert (standing.requests.sum(now), standing.tokens.sum(now), standing.asked.sum(now)) == (0, 0, 0)

    async def test_a_wait_in_line_does_not_make_the_deadline_longer(self):
        target = Target(Host("a"), "m")
        target.standing.limit(1, requests=False, tokens=False)
        gate = target.standing.gate
        await gate.enter(0, "other", 0, 1.0, "a/m")
        asyncio.get_running_loop().call_later(0.1, gate.leave)
        asked = exchange()
        asked.targets, asked.manner = [target], Manner(deadline=0.5)
        with pytest.raises(ProviderTimeout, match=r"had not answered after 0\.[0-4]"):
            await Retry(Retries())(asked, lambda asked: asyncio.sleep(60))
        assert gate.running == 0

    async def test_the_deadline_holds_over_all_attempts(self):
        targets = [Target(Host(name), "m") for name in "abc"]
        asked = exchange()
        asked.targets, asked.manner = targets, Manner(deadline=0.15)
        began = time.monotonic()
        with pytest.raises(ProviderTimeout):
            await Retry(Retries(attempts=9))(asked, lambda asked: asyncio.sleep(60))
        assert 0.1 < time.monotonic() - began < 1.0
        assert [attempt.target for attempt in asked.attempts] == ["a/m", "b/m", "c/m"]

    async def test_repetitions_keep_to_their_budget(self):
        target = Target(Host("a"), "m")
        calls = 0

        async def answer(asked):
            nonlocal calls
            calls += 1
            raise refused(503)

        target.standing.breaker.trip = type(target.standing.breaker.trip)(failures=10**9, error_rate=2.0)
        retry = Retry(Retries(attempts=5, backoff=0.0, budget=0.2, least=0))
        for _ in range(200):
            asked = exchange()
            asked.targets = [target]
            with pytest.raises(ProviderRefused):
                await retry(asked, answer)
        assert 1.1 <= calls / 200 <= 1.21


class TestInstead:
    """Targets for a certain cause of failure."""

    async def run(self, manner, *outcomes):
        self.one, self.two = Target(Host("a"), "m"), Target(Host("b"), "m")
        asked = exchange()
        asked.targets, asked.manner = [self.one, self.two], manner
        script = Script(*outcomes)
        try:
            return await Retry(Retries(attempts=2, backoff=0.001))(asked, script), script.asked
        except GatewayError as error:
            return error, script.asked

    long = Target(Host("long"), "m")
    overflow = ProviderRefused("This model's maximum context length is 8192 tokens", status=400)

    async def test_a_prompt_too_long_goes_to_who_takes_more(self):
        reply, asked = await self.run(Manner(instead={"context_overflow": [self.long]}), self.overflow, REPLY)
        assert (reply, asked) == (REPLY, ["a/m", "long/m"])

    async def test_without_such_targets_the_client_is_told(self):
        error, asked = await self.run(Manner(), self.overflow, REPLY)
        assert (error.status, asked) == (400, ["a/m"])

    async def test_the_first_refusal_is_given_where_the_others_fail(self):
        filtered = Reply(openai_chat, stream=False, body=b"")
        filtered.account.complete, filtered.account.finish = True, "content_filter"
        manner = Manner(instead={"refusal": [self.long]})
        reply, asked = await self.run(manner, filtered, REPLY)
        assert (reply, asked) == (REPLY, ["a/m", "long/m"])
        reply, asked = await self.run(manner, filtered, refused(400), refused(500), refused(500))
        assert reply is filtered

    async def test_a_rate_limit_goes_to_its_own_targets_first(self):
        reply, asked = await self.run(Manner(instead={"rate_limit": [self.long]}), refused(429), REPLY)
        assert (reply, asked) == (REPLY, ["a/m", "long/m"])


def test_every_way_can_be_configured():
    ways = {**WAYS, "500": "stop", "timeout": "again", "4xx": "next"}
    retries = Retries(ways=ways)
    assert retries.way(refused(500)) == "stop"
    assert retries.way(refused(502)) == "again"
    assert retries.way(refused(418)) == "next"
    assert retries.way(ProviderTimeout("x")) == "again"
