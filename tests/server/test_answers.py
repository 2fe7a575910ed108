"""What one worker is told to take out goes from the memory of every other."""

import asyncio
import struct
import time

import msgspec
import pytest

from headgate.config.schema import Config
from headgate.core.cached import Asked, Entry, Which
from headgate.server import answers
from headgate.server.answers import Answers
from valkeys import valkey


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


def test_what_stands_in_a_file_is_found_for_similar_questions_after_a_restart(tmp_path):
    models = {"faq": {"targets": ["up/m"], "cache": {"semantic": True}}}
    config = Config(data_dir=tmp_path, cache={"store": "sqlite", "encrypt": False}, models=models)
    context, vector = bytes(24), struct.pack("<2f", 1.0, 0.0)

    async def first():
        made = Answers(config)
        for number in range(250):
            key = b"%024d" % number
            asked = Asked(context, "a question", vector, key)
            made.kept.put(key, msgspec.structs.replace(entry("faq"), asked=asked))
        made.kept.put(b"%024d" % 999, entry("faq"))
        await made.close()

    async def second():
        made = Answers(config)
        made.configured(config)
        running = asyncio.ensure_future(made.run())
        async with asyncio.timeout(5):
            while len(made.index.index) < 250:
                await asyncio.sleep(0.01)
        _, near = await made.index.nearest(context, vector)
        assert {each.similarity for each in near} == {1.0}
        assert (await made.kept.get(near[0].key)).asked.text == "a question"
        running.cancel()
        await made.close()

    asyncio.run(first())
    asyncio.run(second())


def test_what_one_machine_takes_out_goes_from_all_that_share_a_state(tmp_path):
    """Also from one that has lost the state for a while."""

    async def gone(kept, *keys):
        async with asyncio.timeout(5):
            while any(await kept.get_many(keys)):
                await asyncio.sleep(0.01)

    async def walk(server):
        machines = [
            Answers(Config(data_dir=tmp_path / name, state={"url": server.url}, cache={"store": store, "front": front}))
            for name, store, front in (("one", "memory", 0), ("other", "memory", 0), ("third", "sqlite", 60))
        ]
        one, other, third = machines
        for each in machines:
            each.configured(Config(cache={"others": True}))
        running = [asyncio.ensure_future(each.run()) for each in machines]
        for each in machines:
            each.kept.put(b"a", entry("smart"))
            each.kept.put(b"b", entry("other"))
        while third.back._pending:
            await asyncio.sleep(0.01)
        while any(each.orders._last is None for each in machines):
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await one.clear(Which(name="smart", before=time.time()))
        await gone(other.kept, b"a")
        await gone(third.kept, b"a")
        assert time.monotonic() - began < 1
        assert all([await each.kept.get(b"b") for each in machines])
        server.hang()
        clearing = asyncio.ensure_future(one.clear(Which(before=time.time())))
        await asyncio.sleep(0.1)
        server.go_on()
        await clearing
        await gone(other.kept, b"b")
        await gone(third.kept, b"b")
        server.kill()
        with pytest.raises(OSError, match=r"."):
            await one.clear(Which(before=time.time()))
        for each, task in zip(machines, running, strict=True):
            task.cancel()
            await each.close()

    with valkey() as server:
        asyncio.run(walk(server))
