"""Keys that soon expire are named again and again, as the configuration then in force has them."""

import asyncio
from datetime import UTC, datetime, timedelta

from headgate.config.schema import Config
from headgate.server.reminder import Reminder


def config(name):
    key = {"name": name, "key": "a-key-of-good-length", "expires": datetime.now(UTC) + timedelta(2)}
    return Config.model_validate({"keys": [key]})


async def test_what_ends_soon_is_told_each_time_by_the_configuration_in_force(caplog):
    configs = [config("first"), config("second"), Config()]
    given = iter(configs)
    told = asyncio.Event()

    def in_force():
        found = next(given, None)
        if found is None:
            told.set()
        return found or Config()

    running = asyncio.create_task(Reminder(in_force, every=0.001).run())
    await asyncio.wait_for(told.wait(), 5)
    running.cancel()
    assert [record.getMessage().split("`")[1] for record in caplog.records] == ["first", "second"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
