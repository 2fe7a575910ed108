"""The gateway's own questions to targets that are out of order."""

import asyncio
from types import SimpleNamespace

import pytest

from headgate.core.target import Target
from headgate.server import checks
from headgate.server.checks import Checks


async def test_one_that_hangs_holds_up_no_other_and_is_not_asked_twice(monkeypatch):
    monkeypatch.setattr(checks, "EVERY", 0.001)
    hung, other = (Target(SimpleNamespace(name=name), "m") for name in ("hung", "other"))
    asked, records = [], []

    async def check(exchange):
        records.append(exchange.record)
        [target] = exchange.targets
        target.standing.breaker.claim(1e9)
        asked.append(target.provider.name)
        await asyncio.sleep(60)

    hung.standing.breaker.open(-100.0, "broken", firm=True)
    nothing = SimpleNamespace(find=lambda provider, model: None)
    gateway = SimpleNamespace(
        config=SimpleNamespace(breaker=SimpleNamespace(check=True)),
        named=[hung, other],
        menu=SimpleNamespace(catalogue=nothing),
        check=check,
    )
    running = asyncio.create_task(Checks(SimpleNamespace(gateway=gateway), lambda: "req_1", 0).run())
    while not asked:
        await asyncio.sleep(0.001)
    other.standing.breaker.open(-100.0, "broken", firm=True)
    while len(asked) < 2:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asked == ["hung", "other"]
    assert {record.ending for record in records} == {"cancelled"}
