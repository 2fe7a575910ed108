"""Both engines behave alike: transactions, rows that are there already, what cannot be reached."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from headgate.store.database import Patience, SQLite, StoreAway, Taken, connect
from headgate.store.migrations import STORE, migrate
from headgate.store.stepping import steps


async def test_all_of_a_transaction_or_nothing(database):
    await database.run("CREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT)")
    async with database.transaction() as statements:
        assert await statements.run("INSERT INTO t VALUES (?, ?)", 1, "it's; -- ?") == 1

    async def fail():
        async with database.transaction() as statements:
            await statements.run("INSERT INTO t VALUES (?, ?)", 2, "b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert [tuple(row) for row in await database.rows("SELECT a, b FROM t")] == [(1, "it's; -- ?")]
    with pytest.raises(Taken):
        await database.run("INSERT INTO t VALUES (?, ?)", 1, "again")
    assert await database.run("UPDATE t SET b = ? WHERE a < ?", "c", 9) == 1


async def test_who_writes_waits_for_who_writes(database):
    await database.run("CREATE TABLE n (value BIGINT)")
    await database.run("INSERT INTO n VALUES (0)")

    async def add():
        async with database.transaction() as statements:
            await statements.run("UPDATE n SET value = value + 0")
            ((value,),) = await statements.rows("SELECT value FROM n")
            await asyncio.sleep(0)
            await statements.run("UPDATE n SET value = ?", value + 1)

    await asyncio.gather(*(add() for _ in range(20)))
    assert [tuple(row) for row in await database.rows("SELECT value FROM n")] == [(20,)]


async def test_what_is_said_beside_a_transaction_is_no_part_of_it(database):
    await database.run("CREATE TABLE t (a BIGINT PRIMARY KEY)")
    begun, go = asyncio.Event(), asyncio.Event()

    async def fail():
        async with database.transaction() as statements:
            await statements.run("INSERT INTO t VALUES (1)")
            begun.set()
            await go.wait()
            raise ZeroDivisionError

    failing = asyncio.create_task(fail())
    await begun.wait()
    beside = asyncio.create_task(database.run("INSERT INTO t VALUES (2)"))
    await asyncio.sleep(0.05)
    go.set()
    with pytest.raises(ZeroDivisionError):
        await failing
    assert await beside == 1
    assert [tuple(row) for row in await database.rows("SELECT a FROM t")] == [(2,)]


async def test_who_stops_waiting_leaves_nothing_open(url, database):
    await database.run("CREATE TABLE t (a BIGINT PRIMARY KEY)")
    other = connect(url)

    async def add(number):
        async with other.transaction() as statements:
            await statements.run("INSERT INTO t VALUES (?)", number)

    async with database.transaction() as statements:
        await statements.run("INSERT INTO t VALUES (1)")
        waiting = asyncio.create_task(add(1))  # for the other's commit
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await add(2)
    await database.run("INSERT INTO t VALUES (3)")
    assert [tuple(row) for row in await other.rows("SELECT a FROM t ORDER BY a")] == [(1,), (2,), (3,)]
    await other.close()


async def test_a_row_that_is_there_is_told_inside_a_transaction(database):
    await database.run("CREATE TABLE t (a BIGINT PRIMARY KEY)")
    async with database.transaction() as statements:
        await statements.run("INSERT INTO t VALUES (1)")
    told = []
    with suppress(Taken):
        async with database.transaction() as statements:
            try:
                await statements.run("INSERT INTO t VALUES (1)")
            except Taken as taken:
                told.append(taken)
                raise
    assert len(told) == 1


async def test_wrong_statements_are_told_without_the_url(database):
    with pytest.raises(StoreAway) as caught:
        await database.rows("SELECT * FROM nothing")
    assert "nothing" in str(caught.value)


def test_no_two_steps_have_the_same_number():
    numbers = [number for number, _ in steps(STORE, SQLite.words)]
    assert len(numbers) == len(set(numbers))


async def test_steps_are_taken_once_by_whoever_comes_first(url):
    databases = [connect(url) for _ in range(4)]
    await asyncio.gather(*(migrate(each) for each in databases))
    await migrate(databases[0])
    assert [number for (number,) in await databases[1].rows("SELECT number FROM steps ORDER BY number")] == [
        number for number, _ in steps(STORE, SQLite.words)
    ]
    await databases[0].run("INSERT INTO steps VALUES (9999)")
    with pytest.raises(StoreAway, match="newer version"):
        await migrate(databases[2])
    for each in databases:
        await each.close()


STARTS = """
import asyncio, sys
from headgate.store.database import connect
from headgate.store.migrations import migrate

async def main():
    database = connect(sys.argv[1])
    sys.stdin.readline()
    await migrate(database)
    print(len(await database.rows("SELECT number FROM steps")))
    await database.close()

asyncio.run(main())
"""


async def test_processes_that_start_together_take_the_steps_once(url):
    command = [sys.executable, "-c", STARTS, url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    outcomes = [process.communicate(b"\n")[0] for process in started]
    assert [int(said) for said in outcomes] == [len(list(steps(STORE, SQLite.words)))] * 4


@pytest.fixture
async def stoppable(server):
    """A database of PostgreSQL that is given little time, and the processes of its server."""
    database = connect(server, Patience(0.3, 0.3))
    pids = await asyncio.gather(*(_pid(database) for _ in range(4)))
    parent = int(Path(f"/proc/{pids[0]}/stat").read_text().rpartition(")")[2].split()[1])
    yield database, [*pids, parent]
    for pid in {*pids, parent}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    await database.close()


async def _pid(database):
    async with database.transaction() as statements:
        ((pid,),) = await statements.rows("SELECT pg_backend_pid()")
        await statements.rows("SELECT pg_sleep(0.05)")  # so that each has a connection of its own
        return pid


async def test_a_server_that_hangs_is_not_waited_for_long(stoppable):
    database, pids = stoppable
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    async def change():
        async with database.transaction() as statements:
            await statements.rows("SELECT 1")

    before = time.monotonic()
    asked = [*(database.rows("SELECT 1") for _ in range(6)), *(change() for _ in range(2))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StoreAway}
    assert time.monotonic() - before < 2.5
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert [tuple(row) for row in await database.rows("SELECT 1")] == [(1,)]
    await change()


async def test_what_goes_through_whole_tables_may_take_longer(server):
    database = connect(server, Patience(2.0, 0.1))
    async with database.script("SELECT 1") as statements:
        await statements.rows("SELECT pg_sleep(0.3)")
        await statements.run("SELECT pg_sleep(0.3)")
    with pytest.raises(StoreAway):
        await database.rows("SELECT pg_sleep(0.3)")
    await database.run("CREATE TABLE longer (number BIGINT)")
    async with database.transaction() as statements:
        await statements.run("LOCK TABLE longer IN SHARE UPDATE EXCLUSIVE MODE")
        waiting = asyncio.create_task(database.vacuum("longer"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    await waiting
    await database.run("DROP TABLE longer")
    await database.close()


async def test_a_connection_that_breaks_is_told_and_another_is_made(stoppable, server):
    database, _ = stoppable
    other = connect(server)

    async def cut():
        async with database.transaction() as statements:
            ((pid,),) = await statements.rows("SELECT pg_backend_pid()")
            await other.rows("SELECT pg_terminate_backend(?)", pid)
            await asyncio.sleep(0.05)
            await statements.rows("SELECT 1")

    for _ in range(5):
        with pytest.raises(StoreAway):
            await cut()
    assert [tuple(row) for row in await database.rows("SELECT 1")] == [(1,)]
    await other.close()


async def test_what_cannot_be_reached_is_away_and_its_password_not_told():
    database = connect("postgresql://somebody:hunter2secret@127.0.0.1:1/nothing")
    with pytest.raises(StoreAway) as caught:
        await database.rows("SELECT 1")
    assert "hunter2secret" not in str(caught.value)
    await database.close()


async def test_a_folder_that_is_not_there_is_told(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/nowhere/headgate.db")
    with pytest.raises(StoreAway, match=r"headgate\.db"):
        await database.rows("SELECT 1")
    await database.close()


LOOKS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])
connection.close()
"""


async def test_who_comes_and_goes_takes_nothing_from_who_stays(tmp_path):
    url = f"sqlite:///{tmp_path}/headgate.db"
    stays = connect(url)
    await migrate(stays)
    for number in range(1, 4):
        comes = connect(url)
        await migrate(comes)
        await comes.close()
        for seen in (number - 1, number):
            command = [sys.executable, "-c", LOOKS, f"{tmp_path}/headgate.db"]
            assert int(subprocess.run(command, capture_output=True, check=True).stdout) == seen
            if seen < number:
                await stays.run("INSERT INTO answers VALUES (?, 'k', 'd', 0, '', 0)", str(number))
    await stays.close()


async def test_its_file_is_its_owners_alone(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/headgate.db")
    await migrate(database)
    await database.close()
    assert stat.S_IMODE((tmp_path / "headgate.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "url", ["", "mysql://x/y", "sqlite:///", "sqlite://x", "postgresql://", "postgresql://x:y:z/a"]
)
def test_what_is_no_address_of_a_database(url):
    with pytest.raises(ValueError, match="URL"):
        connect(url)
