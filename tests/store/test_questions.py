"""Answers are found by what their questions are like, in a real PostgreSQL, and nobody waits for one that is away."""

import asyncio
import struct
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from headgate.core.cached import Raised
from headgate.store.database import connect
from headgate.store.questions import Questions
from postgres import new_database

CONTEXT, OTHER = b"c" * 24, b"d" * 24
PATIENCE = 2.0


def vector(*numbers):
    length = sum(number * number for number in numbers) ** 0.5
    return struct.pack(f"<{len(numbers)}f", *(number / length for number in numbers))


async def until(said, seconds=10.0):
    """What is begun in the background is done by then."""
    end = time.monotonic() + seconds
    while not (found := await said()):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    return found


@pytest.fixture
async def questions(postgres_server):
    made = Questions(await new_database(postgres_server), PATIENCE)
    made._there()
    await made._connecting
    yield made
    await made.close()


async def keys(made, context=CONTEXT, like=(1, 0, 0)):
    return [near.key for near in (await made.nearest(context, vector(*like)))[1]]


async def test_the_nearest_of_a_context_are_found_best_first(questions):
    later = time.time() + 60
    for number in range(6):
        questions.add(CONTEXT, b"k%d" % number, vector(1, number / 10, 0), later)
    questions.add(OTHER, b"other", vector(1, 0, 0), later)
    questions.add(CONTEXT, b"over", vector(1, 0, 0), time.time() - 1)
    questions.add(CONTEXT, b"wide", vector(1, 0, 0, 0), later)  # of another model by the same name
    await until(lambda: _settled(questions))
    floor, near = await questions.nearest(CONTEXT, vector(1, 0, 0))
    assert (floor, [each.key for each in near]) == (0.0, [b"k0", b"k1", b"k2", b"k3"])
    assert near[0].similarity == pytest.approx(1.0, abs=1e-6)
    assert near[3].similarity == pytest.approx(1 / 1.09**0.5, abs=1e-6)
    questions.drop(b"k0")
    questions.add(CONTEXT, b"k1", vector(0, 1, 0), later)  # it was asked anew
    await until(lambda: _settled(questions))
    assert await keys(questions) == [b"k2", b"k3", b"k4", b"k5"]
    assert await keys(questions, b"e" * 24) == []
    assert await keys(questions, OTHER) == [b"other"]


async def _settled(made):
    return not made._tasks


async def test_what_is_over_is_taken_out(questions):
    questions.add(CONTEXT, b"over", vector(1, 0), time.time() - 1)
    await until(lambda: _settled(questions))
    questions._purged = 0.0
    questions.add(CONTEXT, b"new", vector(1, 0), time.time() + 60)
    await until(lambda: _settled(questions))
    assert await questions._database.rows("SELECT key FROM questions") == [(b"new",)]


async def test_raised_thresholds_are_for_all_and_are_taken_back(questions):
    other = Questions(questions._url, PATIENCE)
    try:
        await questions.learn(Raised(CONTEXT.hex(), 0.95, "faq", "req_1", "app", 1.0))
        await other.learn(Raised(CONTEXT.hex(), 0.9, "faq", "req_2", "app", 2.0))
        await other.learn(Raised(OTHER.hex(), 0.7, "faq", "req_3", "app", 3.0))
        other._there()
        await other._connecting
        assert [(await each.nearest(CONTEXT, vector(1, 0)))[0] for each in (questions, other)] == [0.95, 0.95]
        assert [each.of for each in await other.raised()] == ["req_3", "req_1"]
        await other.forget()
        assert (await questions.nearest(CONTEXT, vector(1, 0)))[0] == 0.0
    finally:
        await other.close()


async def test_nobody_waits_for_a_database_that_is_away(tmp_path):
    made = Questions("postgresql://somebody:hunter2secret@127.0.0.1:1/nothing", 0.05)
    try:
        assert await made.nearest(CONTEXT, vector(1, 0)) == (0.0, [])
        await until(lambda: _is_away(made))
        assert "hunter2secret" not in made.why
        made.add(CONTEXT, b"k", vector(1, 0), time.time() + 60)
        made.drop(b"k")
        assert await made.nearest(CONTEXT, vector(1, 0)) == (0.0, [])
        for call in (made.forget(), made.raised(), made.learn(Raised("aa", 0.9, "", "", "", 0.0))):
            with pytest.raises(OSError):
                await call
    finally:
        await made.close()


async def _is_away(made):
    return made.why


class Way:
    """A way to the server that can be held up, and cut."""

    def __init__(self, server):
        self._path = f"{parse_qs(urlsplit(server).query)['host'][0]}/.s.PGSQL.5432"
        self._open, self._server, self._pairs = asyncio.Event(), None, []

    async def start(self, port=0):
        self._open.set()
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    def hold(self):
        self._open.clear()

    def go_on(self):
        self._open.set()

    def cut(self):
        self._server.close()
        for each in self._pairs:
            each.close()

    async def _forward(self, reader, writer):
        there, back = await asyncio.open_unix_connection(self._path)
        self._pairs += [writer, back]
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer), return_exceptions=True)

    async def _pass(self, source, to):
        while data := await source.read(65536):
            await self._open.wait()
            to.write(data)
        to.close()


async def test_a_database_that_hangs_or_dies_is_a_miss_and_comes_back(postgres_server):
    way, parts = Way(postgres_server), urlsplit(await new_database(postgres_server))
    port = await way.start()
    made = Questions(f"postgresql://postgres@127.0.0.1:{port}{parts.path}", 0.2)
    try:
        made._there()
        await made._connecting
        made.add(CONTEXT, b"k", vector(1, 0), time.time() + 60)
        await until(lambda: keys(made, like=(1, 0)))
        way.hold()
        began = time.monotonic()
        assert [await keys(made, like=(1, 0)) for _ in range(6)] == [[]] * 6
        assert time.monotonic() - began < 5 * 0.2  # it is left alone after the third
        way.go_on()
        made._breaker.close()
        assert await until(lambda: keys(made, like=(1, 0))) == [b"k"]
        way.cut()
        assert await keys(made, like=(1, 0)) == []
        await until(lambda: _is_away(made))
        await way.start(port)
        made._breaker.close()
        assert await until(lambda: keys(made, like=(1, 0))) == [b"k"]
        assert made.why is None
    finally:
        way.cut()
        await made.close()


@pytest.mark.parametrize("url", ["", "mysql://x/y", "sqlite:///x", "postgresql://"])
def test_what_is_no_url_is_told(url):
    with pytest.raises(ValueError):
        Questions(url, 1.0)


async def test_an_older_gateway_leaves_newer_tables_alone(postgres_server):
    url = await new_database(postgres_server)
    made, database = Questions(url, PATIENCE), connect(url)
    try:
        await database.run("CREATE TABLE vector_steps (number INTEGER PRIMARY KEY)")
        await database.run("INSERT INTO vector_steps (number) VALUES (99)")
        made._there()
        await until(lambda: _is_away(made))
        assert "newer version" in made.why
    finally:
        await database.close()
        await made.close()
