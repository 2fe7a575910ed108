"""Targets and requests, as much of them as policies look at."""

import json
import time

from headgate.core.caller import Caller
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.standing import Standing
from headgate.core.target import Target, Terms
from headgate.dialects import openai_chat


class Host:
    traits = frozenset()

    def __init__(self, name):
        self.name = name


def target(name="a", **terms):
    return Target(Host(name), "m", terms=Terms(**terms), standing=Standing(f"{name}/m"))


def weighing(*weights):
    return [target(f"h{number}", weight=weight) for number, weight in enumerate(weights)]


def asked(fields=None, *, headers=(), key="someone", dialect=openai_chat, stream=False):
    """A request that has been received."""

    async def receive():
        raise AssertionError("it has been read")

    fields = {} if fields is None else fields
    record = Record(id="req_1", time=time.time())
    made = Exchange("req_1", dialect, "/", list(headers), receive, time.perf_counter(), record)
    made.body, made.fields, made.stream = json.dumps(fields).encode(), fields, stream
    made.caller = Caller(key) if key is not None else None
    return made


def firsts(policy, targets, count, ask=asked):
    """How often each target came first."""
    found = dict.fromkeys(targets, 0)
    for _ in range(count):
        ranked = policy.rank(ask(), targets)
        assert sorted(map(id, ranked)) == sorted(map(id, targets))
        found[ranked[0]] += 1
    return list(found.values())
