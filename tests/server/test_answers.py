"""What one worker is told to take out goes from the memory of every other."""

import asyncio
import time

from headgate.config.schema import Config
from headgate.core.cached import Entry, Which
from headgate.server import answers
from headgate.server.answers import Answers


def entry(name):
    now = time.time()
    return Entry("openai_chat", False, b"{}", "up/m", now - 1, now + 60, "req_1", name, "k", "", "")


def test_what_one_takes_out_goes_from_all(tmp_path):
    config = Config(data_dir=tmp_path)
    one, other = Answers(config), Answers(config)
    for each in (one, other):
        each.kept.put(b"a", entry("smart"))
        each.kept.put(b"b", entry("other"))

    async def walk():
        running = asyncio.ensure_future(other.run())
        assert await one.clear(Which(name="smart", before=time.time())) == 1
        async with asyncio.timeout(20 * answers.EVERY):
            while len(other.kept) == 2:
                await asyncio.sleep(0.01)
        assert await other.kept.get(b"b") is not None
        with (tmp_path / answers.FILE).open("ab") as file:
            file.write(b"nonsense\n")
        await one.clear(Which(before=time.time()))
        async with asyncio.timeout(20 * answers.EVERY):
            while len(other.kept):
                await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(walk())
    late = Answers(config)  # started afterwards: nothing of that concerns it
    late.kept.put(b"c", entry("smart"))
    asyncio.run(late._look())
    assert len(late.kept) == 1
