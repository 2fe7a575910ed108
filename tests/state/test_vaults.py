"""Sessions in memory, in a file and in a real Valkey: added to in turn, sealed, over in time, gone when taken out."""

import asyncio
import base64
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from headgate.core.cached import Which, hidden
from headgate.core.kept_vault import Known, Whose, piece
from headgate.core.ports import VaultAway
from headgate.server.answer_keys import AnswerKeys
from headgate.state.address import address
from headgate.state.connection import connect
from headgate.state.file_vaults import FileVaults
from headgate.state.shared_vaults import SharedVaults
from headgate.state.vaults import MemoryVaults
from headgate.store.sealing import VARIABLE, Keyring
from valkeys import valkey

VALUE = "joe.public@mail.example.com"
ROOM = 1 << 20
FIRST, SECOND, THIRD = (base64.b64encode(letter * 32).decode() for letter in (b"1", b"2", b"3"))


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


def keys(folder, *said):
    return AnswerKeys(lambda: Keyring(Path(folder), {VARIABLE: " ".join(said or (FIRST,))}, None).seal(), "sessions")


KINDS = ("memory", "file", "shared")


@pytest.fixture
def make(tmp_path, server, request):
    """What makes a store of a kind; those made with the same keys see the same sessions, but in memory."""

    def store(kind, *said, seconds=60.0, room=ROOM, prefix=request.node.originalname):
        choose = keys(tmp_path, *said)
        if kind == "memory":
            return MemoryVaults(room, seconds)
        if kind == "file":
            return FileVaults(tmp_path / f"{prefix}.db", room, seconds, choose)
        return SharedVaults(server.url, prefix, None, seconds, 2.0, choose)

    return store


def added(value=VALUE, said="<EMAIL_1>", time=0.0, **of):
    return piece([Known(value, said, "email")], 1, Whose(time or 1.0, **of))


@pytest.mark.parametrize("kind", KINDS)
def test_only_who_knows_what_is_there_adds_to_it(make, kind):
    async def walk():
        one = make(kind)
        other = one if kind == "memory" else make(kind)
        first, second, third = added(), added("ann@x.com", "<EMAIL_2>"), added("bob@x.com", "<EMAIL_2>")
        assert list(await one.read(b"a")) == []
        assert await one.add(b"a", b"", first)
        assert not await other.add(b"a", b"", second)
        assert await other.add(b"a", first.mark, second)
        assert not await one.add(b"a", first.mark, third)
        assert list(await one.read(b"a")) == list(await other.read(b"a")) == [first, second]
        assert list(await one.read(b"b")) == []
        marks = [piece((), 1, Whose(1.0)) for _ in range(20)]
        assert sum(await asyncio.gather(*(each.add(b"c", b"", one_) for each in (one, other) for one_ in marks))) == 1
        one.close()
        other.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_it_is_over_some_time_after_its_last_use(make, kind):
    async def walk():
        one, now = make(kind), time.time()
        await one.add(b"used", b"", added())
        await one.add(b"left", b"", added())
        for _ in range(3):
            now += 25
            one.clock = lambda now=now: now
            assert await one.read(b"used")
        assert not await one.read(b"left")
        assert await one.add(b"left", b"", added())
        one.close()

    asyncio.run(walk())


def test_a_server_is_told_when_it_is_over(make):
    async def walk():
        one = make("shared", seconds=1.0)
        await one.add(b"used", b"", added())
        await one.add(b"left", b"", added())
        there = await connect(one._address, None)
        (name, other) = await there.ask("KEYS", one.prefix + b"*")
        assert 0 < await there.ask("PTTL", name) <= 1000
        assert 0 < await there.ask("PTTL", other) <= 1000
        await there.ask("PEXPIRE", name, 60_000)
        await there.ask("PEXPIRE", other, 60_000)
        assert await one.read(b"used")
        left = sorted([await there.ask("PTTL", name), await there.ask("PTTL", other)])
        assert left[0] <= 1000 < left[1]  # each use begins its time anew
        there.close()
        one.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_nothing_is_left_of_what_is_over(make, kind, tmp_path):
    async def walk():
        one = make(kind)
        await one.expire()
        for number in range(3):
            await one.add(b"%d" % number, b"", added("x" * 100_000))
        one.clock = lambda: time.time() + 61
        again = one if kind == "memory" else make(kind)  # as after a restart
        again.clock = one.clock
        await again.expire()
        if kind == "memory":
            assert (len(one), one.bytes) == (0, 0)
        else:
            assert sum(each.stat().st_size for each in tmp_path.glob("*.db*")) < 100_000
        one.close()
        again.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", KINDS)
def test_those_are_taken_out_of_which_all_is_so_that_is_said(make, kind):
    async def walk():
        one = make(kind)
        said = {
            b"1": added(key="k", team="a"), b"2": added(key="k", team="b", user="joe"),
            b"3": added(key="l", team="a", end_user="ann"), b"4": added(key="l", time=9.0),
        }  # fmt: skip
        for name, each in said.items():
            await one.add(name, b"", each)
        assert await one.clear(Which(team="a", key="k")) == 1
        assert await one.clear(Which(user=hidden("joe"), before=5.0)) == 1
        assert await one.clear(Which(end_user="bob")) == 0
        assert await one.clear(Which(before=5.0)) == 1
        assert [bool(await one.read(name)) for name in said] == [False, False, False, True]
        assert await one.clear(Which()) == 1
        one.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_there_is_room_for_what_was_used_last(make, kind):
    async def walk():
        one = make(kind, room=200_000)
        for number in range(100):
            await one.add(b"%d" % number, b"", added(str(number) * 4000))
            assert await one.read(b"0")
            one.clock = lambda number=number: time.time() + number * 10
        assert await one.read(b"99")
        assert not await one.read(b"10")
        one.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_nobody_pushes_out_what_others_have(make, kind):
    async def walk():
        one = make(kind, room=200_000)
        await one.add(b"theirs", b"", added("x" * 4000, key="small", team="small"))
        for number in range(100):
            whose = {"key": f"of {number}", "team": f"of {number}", "organisation": "large"}
            await one.add(b"%d" % number, b"", added(str(number % 10) * 4000, **whose))
        assert await one.read(b"theirs")
        assert await one.read(b"99")
        assert not await one.read(b"0")
        assert await one.clear(Which()) < 60
        await one.add(b"more", b"", added())  # of what is gone nothing counts any more
        assert await one.read(b"more")
        one.close()

    asyncio.run(walk())


async def test_a_file_of_an_earlier_version_goes_on(make, tmp_path):
    one = make("file", room=200_000)
    first = added("x" * 4000, key="old")
    await one.add(b"old", b"", first)
    one.close()
    with contextlib.closing(sqlite3.connect(one.path, isolation_level=None)) as db:
        db.executescript(
            "DROP INDEX owners; ALTER TABLE sessions DROP COLUMN owner; ALTER TABLE sessions DROP COLUMN size"
        )
    again = make("file", room=200_000)
    assert list(await again.read(b"old")) == [first]
    assert await again.add(b"old", first.mark, added("y" * 4000, "<EMAIL_2>", key="old"))
    for number in range(100):
        await again.add(b"%d" % number, b"", added("z" * 4000, key="new"))
    assert len(await again.read(b"old")) == 2
    again.close()


@pytest.mark.parametrize("kind", ["file", "shared"])
def test_nothing_of_it_can_be_read_there(make, kind, tmp_path, server):
    async def walk():
        one = make(kind)
        await one.add(b"the name of a session", b"", added(key="named", user="nobody"))
        if kind == "file":
            seen = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.name != "secret_key")
        else:
            there = await connect(one._address, None)
            seen = b"".join([await there.ask("DUMP", each) for each in await there.ask("KEYS", "*")])
            seen += b"".join(await there.ask("KEYS", "*"))
            there.close()
        assert len(seen) > 200
        for said in (VALUE, "EMAIL", "email", "the name", "named", "nobody"):
            assert said.encode() not in seen
        one.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["file", "shared"])
def test_keys_are_changed_and_strangers_see_nothing(make, kind):
    async def walk():
        one, kept = make(kind, FIRST), added()
        await one.add(b"a", b"", kept)
        both, second, stranger = make(kind, SECOND, FIRST), make(kind, SECOND), make(kind, THIRD)
        assert list(await both.read(b"a")) == [kept]
        assert list(await second.read(b"a")) == [kept]  # sealed once more by the one before
        assert list(await stranger.read(b"a")) == []
        assert await stranger.add(b"a", b"", added())
        assert await stranger.clear(Which()) == 1
        assert list(await second.read(b"a")) == [kept]
        for each in (one, both, second, stranger):
            each.close()

    asyncio.run(walk())


@pytest.mark.parametrize("kind", ["file", "shared"])
def test_pieces_that_were_moved_are_no_session(make, kind, server):
    async def walk():
        one, pieces = make(kind), [added(str(number)) for number in range(3)]
        before = b""
        for each in pieces:
            await one.add(b"a", before, each)
            before = each.mark
        if kind == "file":
            await one._do(lambda: one._db.execute("DELETE FROM pieces WHERE number = 2"))
        else:
            there = await connect(one._address, None)
            (name,) = await there.ask("KEYS", one.prefix + b"*")
            await there.ask("LREM", name, 1, (await there.ask("LINDEX", name, 1)))
            there.close()
        with pytest.raises(VaultAway, match="damaged"):
            await one.read(b"a")
        one.close()

    asyncio.run(walk())


def test_a_server_that_hangs_or_dies_is_away_and_comes_back(tmp_path):
    async def walk():
        with valkey() as server:
            one = SharedVaults(server.url, "h", None, 60.0, 0.5, keys(tmp_path))
            await one.add(b"a", b"", added())
            server.hang()
            with pytest.raises(VaultAway, match="no answer within"):
                await one.read(b"a")
            server.go_on()
            assert await one.read(b"a")
            server.kill()
            with pytest.raises(VaultAway):
                await one.read(b"a")
            with pytest.raises(VaultAway):  # at once
                await one.add(b"a", b"", added())
            assert one.why is not None
            server.start()
            async with asyncio.timeout(10):
                while True:
                    try:
                        assert not await one.read(b"a")
                    except VaultAway:
                        await asyncio.sleep(0.05)
                    else:
                        break
            assert one.why is None
            one.close()

    asyncio.run(walk())


def test_a_file_that_cannot_be_opened_is_away(tmp_path):
    async def walk():
        (tmp_path / "no.db").mkdir()
        one = FileVaults(tmp_path / "no.db", ROOM, 60.0, keys(tmp_path))
        with pytest.raises(VaultAway, match=r"no\.db"):
            await one.read(b"a")
        with pytest.raises(OSError, match=r"no\.db"):
            await one.clear(Which())
        (tmp_path / "no.db").rmdir()
        assert await one.add(b"a", b"", added())
        assert one.why is None
        one.close()

    asyncio.run(walk())


def test_a_server_that_takes_no_more_is_read_and_told_until_it_does(tmp_path, caplog):
    async def walk():
        with valkey() as server:
            one = SharedVaults(server.url, "h", None, 60.0, 5.0, keys(tmp_path))
            first = added()
            await one.add(b"a", b"", first)
            other = await connect(address(server.url), None)
            await other.ask("CONFIG", "SET", "maxmemory", "1")
            for _ in range(2):
                with pytest.raises(VaultAway, match="OOM"):
                    await one.add(b"b", b"", added())
                assert await one.read(b"a") == [first]
                assert "OOM" in one.why
            await other.ask("CONFIG", "SET", "maxmemory", "0")
            assert await one.add(b"b", b"", added())
            assert one.why is None
            await other.ask("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(VaultAway, match="READONLY"):
                await one.add(b"c", b"", added())
            async with asyncio.timeout(5):  # it goes, as another server may be under that name now
                while (await other.ask("CLIENT", "LIST", "TYPE", "NORMAL")).count(b"\n") > 1:
                    await asyncio.sleep(0.01)
            other.close()
            one.close()

    asyncio.run(walk())
    assert caplog.text.count("are not kept for now") == 2


def test_a_file_that_takes_no_more_is_read_and_told_once(tmp_path, caplog):
    async def walk():
        one = FileVaults(tmp_path / "s.db", ROOM, 60.0, keys(tmp_path))
        await one.add(b"a", b"", added())
        with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as db:
            db.execute("CREATE TRIGGER full BEFORE INSERT ON pieces BEGIN SELECT RAISE(ABORT, 'it is full'); END")
            for _ in range(3):
                with pytest.raises(VaultAway, match="full"):
                    await one.add(b"b", b"", added())
                assert await one.read(b"a")
                assert one.why is not None
            db.execute("DROP TRIGGER full")
        assert await one.add(b"b", b"", added())
        assert one.why is None
        one.close()

    with caplog.at_level("INFO"):
        asyncio.run(walk())
    assert caplog.text.count("are not kept for now") == caplog.text.count("kept in") == 1
