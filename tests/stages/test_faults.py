"""A thousand random schedules of faults, by a clock that jumps: no request is answered twice, none is lost while one
target is well, no limit is exceeded, nothing leaks."""

import asyncio
import itertools
import random
from selectors import SelectSelector

from gateways import rounds
from headgate.core.breaker import Trip
from headgate.core.caller import Caller
from headgate.core.credential import Arm, Credential
from headgate.core.errors import (
    GatewayError,
    Overloaded,
    ProviderCut,
    ProviderNonsense,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
)
from headgate.core.exchange import Exchange
from headgate.core.plan import Retries
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.standing import Standing
from headgate.core.target import Manner, Target, Terms
from headgate.dialects import openai_chat
from headgate.stages.filters.health import Health
from headgate.stages.hedge import Hedge
from headgate.stages.retry import Retry
from headgate.stages.route import Alias, Route
from headgate.stages.stage import chain

CLIENTS = 12
FAULTS = (
    lambda: ProviderRefused("no", status=500),
    lambda: ProviderRefused("no", status=503),
    lambda: ProviderRefused("no", status=529),
    lambda: ProviderRefused("no", status=429),
    lambda: ProviderRefused("no", status=429, retry_after=3),
    lambda: ProviderRefused("no", status=401),
    lambda: ProviderRefused("no", status=402),
    lambda: ProviderUnreachable("no"),
    lambda: ProviderCut("no"),
    lambda: ProviderNonsense("no"),
    lambda: ProviderTimeout("no"),
)


class Jumping(asyncio.SelectorEventLoop):
    """A loop in which waiting takes no time: its clock jumps to whatever is due next."""

    def __init__(self):
        super().__init__(Never(self))
        self.now = 1000.0

    def time(self):
        return self.now


class Never(SelectSelector):
    def __init__(self, loop):
        super().__init__()
        self.loop = loop

    def select(self, timeout=None):
        assert timeout is not None, "everybody waits for nothing"
        self.loop.now += max(timeout, 0.0)
        return super().select(0)


class Host:
    """A provider with a schedule of its own: (from, to, probability, fault, seconds)."""

    def __init__(self, name, keys):
        self.name = name
        self.inside = self.most = 0
        self.schedule = []
        self.arms = [Arm(self, Credential(name, f"key-{number}")) for number in range(keys)]


class World:
    """One schedule: targets, a chain, clients that come and go."""

    def __init__(self, seed, loop):
        chance = self.chance = random.Random(seed)
        self.loop = loop
        self.hosts = [Host(name, chance.choice((1, 1, 3))) for name in "abc"]
        self.limits = {}
        trip = Trip(failures=chance.choice((2, 5)), rest=chance.choice((0.5, 5.0)))
        targets = []
        for host in self.hosts:
            standing = Standing(host.name, trip)
            if chance.random() < 0.4:
                self.limits[host.name] = chance.choice((1, 2, 5))
                standing.limit(self.limits[host.name], requests=False, tokens=False)
            terms = Terms(queue=chance.choice((0, 3, 50)), queue_seconds=chance.choice((0.5, 20.0)))
            targets.append(Target(host, "m", terms=terms, standing=standing))
            for _ in range(chance.randrange(4)):
                start = chance.uniform(1000, 1010)
                fault = chance.choice((*FAULTS, None))
                host.schedule.append((start, start + chance.uniform(1, 15), chance.random(), fault))
        self.targets = targets
        self.safe = chance.random() < 0.5
        if self.safe:  # the last one is always well, and takes everything
            self.hosts[-1].schedule = []
            self.limits.pop("c", None)
            targets[-1].standing.limit(None, requests=False, tokens=False)
        patience = chance.choice((2.0, 8.0)) if self.safe else chance.choice((2.0, float("inf")))
        manner = Manner(
            first_token=patience,
            whole_answer=patience,
            deadline=float("inf") if self.safe else chance.choice((5.0, float("inf"))),
            hedge=chance.choice((None, None, 0.3)),
        )
        route = Route({"m": Alias("m", "shuffled", self, targets, (), manner)}, {}, [Health(loop.time)])
        retries = Retries(attempts=chance.choice((1, 3, 6)), budget=chance.choice((0.0, 0.2, 5.0)))
        self.proceed = chain([route, Hedge(loop.time), Retry(retries, loop.time)], self.send)
        self.calls = itertools.count(1)
        self.closed = []

    def rank(self, exchange, targets):
        return self.chance.sample(targets, len(targets))

    async def send(self, exchange):
        """What the provider does."""
        host, number = exchange.target.provider, next(self.calls)
        exchange.ending.callback(self.closed.append, number)
        host.inside += 1
        host.most = max(host.most, host.inside)
        try:
            await asyncio.sleep(self.chance.uniform(0.01, 0.5))
            for start, end, likely, fault in host.schedule:
                if start <= self.loop.now < end and self.chance.random() < likely:
                    if fault is None:
                        await asyncio.sleep(30)
                    else:
                        raise fault()
        finally:
            host.inside -= 1
        host.inside += 1  # until its reply is over
        exchange.ending.callback(self.left, host)
        return Reply(openai_chat, stream=False, body=b"%d" % number)

    def left(self, host):
        host.inside -= 1

    async def client(self, number):
        """Comes at some time, and perhaps does not wait."""
        await asyncio.sleep(self.chance.uniform(0, 10))
        record = Record(id=f"req_{number}", time=0.0)
        asked = Exchange(record.id, openai_chat, "/", [], None, 0.0, record, model="m", body=b"{}")
        asked.caller, asked.stream = Caller(f"tenant-{number % 3}"), self.chance.random() < 0.5
        patience = self.chance.choice((None, None, None, self.chance.uniform(0.05, 3)))
        try:
            async with asyncio.timeout(patience):
                reply = await self.proceed(asked)
                await asyncio.sleep(self.chance.uniform(0, 0.2))
        except TimeoutError:
            record.ending = "cancelled"
            return "left", None, asked
        except GatewayError as error:
            record.ending = "failed"
            return "failed", error, asked
        else:
            return "answered", reply.body, asked
        finally:
            await asked.ending.aclose()

    async def run(self):
        outcomes = await asyncio.gather(*(self.client(number) for number in range(CLIENTS)))
        bodies = [body for what, body, _ in outcomes if what == "answered"]
        assert len(bodies) == len(set(bodies)), "one reply went to two clients"
        if self.safe:
            lost = [error for what, error, _ in outcomes if what == "failed"]
            assert not [error for error in lost if not isinstance(error, Overloaded)], lost
            assert not lost, [error.message for error in lost]
        for what, _, asked in outcomes:
            assert what != "answered" or [attempt.error for attempt in asked.attempts].count(None) == 1
        assert len(self.closed) == len(set(self.closed)) == next(self.calls) - 1, "a call was closed twice, or never"
        for host, target in zip(self.hosts, self.targets, strict=True):
            standing = target.standing
            assert (host.inside, standing.running, standing.breaker.probing) == (0, 0, False)
            assert host.most <= self.limits.get(host.name, CLIENTS)
            if standing.gate is not None:
                assert (standing.gate.running, standing.gate.waiting) == (0, 0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, "tasks were left behind"


def test_random_schedules_of_faults():
    for seed in range(rounds(1000, 20_000)):
        loop = Jumping()
        try:
            random.seed(seed)
            loop.run_until_complete(World(seed, loop).run())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        finally:
            loop.close()
