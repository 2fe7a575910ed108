"""Answers in a file, for all who open it, whatever becomes of it: bounded, and what is wanted before what is not."""

import asyncio
import os
import random
import sqlite3
import time

import pytest

from headgate.core.cached import Entry, Which
from headgate.state.file_answers import FileAnswers
from headgate.state.sqlite import File

ROOM = 1 << 20


def entry(size=400, seconds=60.0, **more):
    now = time.time()
    said = {"dialect": "openai_chat", "stream": False, "body": os.urandom(size // 2) * 2, "target": "up/m", "time": now}
    said |= {"until": now + seconds, "of": "req_1", "name": "smart", "key": "k", "team": "", "organisation": ""}
    return Entry(**{**said, **more})


def made(folder, **more):
    return FileAnswers(folder / "answers.db", ROOM, **{"patience": 2.0, **more})


async def written(answers):
    async with asyncio.timeout(10):
        while answers._pending or answers._wanted:
            await asyncio.sleep(0.005)


def test_what_one_has_put_others_get_also_after_a_restart(tmp_path):
    async def walk():
        one, other = made(tmp_path), made(tmp_path)
        kept = entry()
        one.put(b"a", kept)
        assert await one.get(b"a") == kept  # at once
        await written(one)
        assert await one.get(b"a") == await other.get(b"a") == kept
        assert await other.get_many([b"b", b"a"]) == [None, kept]
        newer = entry(500)
        other.put(b"a", newer)
        other.put(b"over", entry(seconds=-1))
        await written(other)
        assert await one.get(b"a") == newer
        assert await one.get(b"over") is None
        one.put(b"last", kept)
        for each in (one, other):
            each.close()
        again = made(tmp_path)
        assert await again.get(b"a") == newer
        assert await again.get(b"last") == kept
        again.close()

    asyncio.run(walk())
    assert (tmp_path / "answers.db").stat().st_mode & 0o777 == 0o600


def test_those_are_taken_out_of_which_all_is_so_that_is_said_written_or_not(tmp_path):
    async def walk():
        one = made(tmp_path)
        for number in range(300):
            one.put(b"%d" % number, entry(name="smart" if number % 2 else "other", tags=("t",) if number < 10 else ()))
        assert await one.clear(Which(tag="t", name="other")) == 5
        await written(one)
        assert await one.clear(Which(name="smart")) == 150
        assert await one.clear(Which(id=b"12".hex())) == 1
        assert [await one.get(b"%d" % number) is None for number in (0, 1, 11, 12, 14)] == [True] * 4 + [False]
        assert await one.clear(Which(before=time.time())) == 144
        one.put(b"late", entry(time=time.time() - 1))  # was under way
        assert await one.get(b"late") is None
        assert (await one.measured())[0] == 0
        assert one.evictions == {"room": 0, "time": 0, "cleared": 295}
        one.close()

    asyncio.run(walk())


def test_each_is_counted_once_however_many_there_are_and_written_just_then_or_not(tmp_path):
    async def walk():
        one = made(tmp_path)
        for number in range(1100):
            one.put(b"%d" % number, entry(100, name="smart" if number % 2 else "other"))
        await written(one)
        assert await one.clear(Which(name="other")) == 550
        busy = sqlite3.connect(tmp_path / "answers.db", isolation_level=None)
        busy.execute("BEGIN IMMEDIATE")
        one.put(b"late", entry(name="other"))
        async with asyncio.timeout(10):
            while not one._writing:
                await asyncio.sleep(0.005)
        clearing = asyncio.ensure_future(one.clear(Which(name="other")))
        await asyncio.sleep(0)
        busy.close()
        assert await clearing == 1
        assert (await one.measured())[0] == 550
        one.close()

    asyncio.run(walk())


def test_one_is_to_ask_anew(tmp_path):
    async def walk():
        one, other = made(tmp_path), made(tmp_path)
        assert await one.claim(b"a", 0.3)
        assert not await other.claim(b"a", 60)
        assert await other.claim(b"b", 60)
        await other.release(b"b")
        assert await one.claim(b"b", 60)
        async with asyncio.timeout(5):
            while not await other.claim(b"a", 60):
                await asyncio.sleep(0.02)
        one.close()
        other.close()

    asyncio.run(walk())


def test_the_file_grows_no_larger_than_there_is_room_for(tmp_path):
    luck = random.Random(7)
    file = File(tmp_path / "answers.db", ROOM)
    for _ in range(150):
        file.put([(luck.randbytes(2), entry(luck.choice((200, 2000, 20_000)))) for _ in range(10)], {})
        assert file.measured()[1] <= ROOM
    entries, used = file.measured()
    assert used > 0.9 * ROOM
    assert (tmp_path / "answers.db").stat().st_size < 1.5 * ROOM
    with sqlite3.connect(tmp_path / "answers.db") as db:
        assert db.execute("SELECT count(*), sum(size) FROM answers").fetchone()[0] == entries
        held = db.execute("SELECT main, count(*), sum(size) FROM answers GROUP BY main").fetchall()
        assert [row for row in db.execute("SELECT * FROM queue_sums").fetchall() if row[1]] == held
        assert db.execute("SELECT sum(size) FROM answers").fetchone()[0] > 0.6 * ROOM
    assert file.clear(Which()) == entries
    file.close()
    assert (tmp_path / "answers.db").stat().st_size < 0.2 * ROOM


def test_an_older_one_goes_also_where_the_newer_one_is_too_large(tmp_path):
    file = File(tmp_path / "answers.db", ROOM)
    file.put([(b"a", entry()), (b"b", entry())], {})
    file.put([(b"a", entry(ROOM))], {})
    assert [found is not None for found in file.get([b"a", b"b"])] == [False, True]
    file.close()


def test_what_is_wanted_outlives_a_scan(tmp_path):
    """Of seven times as much as there is room for."""
    file = File(tmp_path / "answers.db", ROOM)
    wanted = [b"wanted %d" % number for number in range(100)]
    file.put([(key, entry(1000)) for key in wanted], {})
    file.put([], {name: 1 for name, _ in file.get(wanted)})
    for number in range(0, 5000, 100):
        file.put([(b"scan %d" % (number + each), entry(1000)) for each in range(100)], {})
    assert all(file.get(wanted))
    assert file.evictions["room"] > 4000
    for number in range(20_000, 22_000, 100):  # and goes when it is wanted no more, and others are
        keys = [b"new %d" % (number + each) for each in range(100)]
        file.put([(key, entry(1000)) for key in keys], {})
        file.put([], {found[0]: 1 for found in file.get(keys) if found is not None})
    assert not all(file.get(wanted))
    file.close()


def test_what_cannot_be_written_or_read_is_a_miss_and_comes_back(tmp_path):
    async def walk():
        (tmp_path / "file").write_text("in the way")
        one = FileAnswers(tmp_path / "file" / "answers.db", ROOM, patience=2.0)
        assert await one.get(b"a") is None
        one.put(b"a", entry())
        await written(one)
        assert one.why is not None
        assert one.failures > 0
        with pytest.raises(OSError, match=r"file"):
            await one.clear(Which())
        assert await one.claim(b"a", 1)
        (tmp_path / "file").unlink()
        kept = entry()
        one.put(b"a", kept)
        await written(one)
        async with asyncio.timeout(5):
            while await one.get(b"a") != kept:
                await asyncio.sleep(0.02)
        assert one.why is None
        one.close()

    asyncio.run(walk())


def test_a_damaged_file_is_replaced(tmp_path):
    async def walk():
        (tmp_path / "answers.db").write_bytes(b"no database at all" * 1000)
        one = made(tmp_path)
        async with asyncio.timeout(10):
            while await one.get(b"a") is None:
                one.put(b"a", entry())
                await written(one)
        one.close()

    asyncio.run(walk())


def test_a_disk_that_hangs_holds_nobody_up(tmp_path):
    async def walk():
        one = made(tmp_path, patience=0.02)
        one.put(b"a", entry())
        await written(one)
        hanging = sqlite3.connect(tmp_path / "answers.db", isolation_level=None)
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        one._reader.submit(lambda: asyncio.run_coroutine_threadsafe(gate.wait(), loop).result())
        began = time.monotonic()
        assert await asyncio.gather(*(one.get(b"a") for _ in range(300))) == [None] * 300
        assert time.monotonic() - began < 1
        assert one.timeouts == 100  # the others were not even looked for
        gate.set()
        async with asyncio.timeout(5):
            while await one.get(b"a") is None:
                await asyncio.sleep(0.02)
        hanging.execute("BEGIN IMMEDIATE")  # another process writes, for long
        one.put(b"b", entry())
        assert await one.get(b"a") is not None
        assert await one.get(b"b") is not None
        hanging.execute("COMMIT")
        await written(one)
        hanging.close()
        one.close()

    asyncio.run(walk())
