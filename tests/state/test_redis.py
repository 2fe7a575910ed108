"""The state in a real Valkey: what the script does, and what becomes of one that is broken, slow or closed to us."""

import asyncio
import contextlib
import re
import ssl
import time
from pathlib import Path

import pytest
import trustme

from headgate.core.agreement import KEPT
from headgate.core.ports import Fact, Order, StateAway
from headgate.state.redis import PATIENCE, Redis
from valkeys import Valkey, valkey

PASSWORD = "a-password-of-good-length"


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


@pytest.fixture
async def two(server, request):
    """Two processes that share one state, which no other test has."""
    made = [Redis(server.url, request.node.name) for _ in range(2)]
    yield made
    for each in made:
        each.close()


def fact(name="circuit p/m", told=b'{"id": "1"}', age=0.0, left=5.0):
    return Fact(name, age, left, told)


async def names(state):
    return [(each.name, each.told) for each in (await state.exchange([], [])).facts]


async def test_what_one_tells_the_other_hears_once(two):
    one, other = two
    told = fact("circuit p/m: with spaces ünd more\n", b"\x00 any bytes \xff", age=1.5)
    heard = await one.exchange([told], [])
    assert heard.whole
    assert [each.name for each in heard.facts] == [told.name]
    [found] = (await other.exchange([], [])).facts
    assert (found.name, found.told) == (told.name, told.told)
    assert found.age == pytest.approx(1.5, abs=0.5)
    assert found.left == pytest.approx(5.0, abs=0.5)
    again = await other.exchange([], [])
    assert (again.facts, again.whole) == ([], False)


async def test_the_latest_finding_counts_and_who_is_late_hears_it(two):
    one, other = two
    await other.exchange([], [])
    await one.exchange([fact(told=b"new", age=1.0)], [])
    assert await names(other) == [("circuit p/m", b"new")]
    heard = await other.exchange([fact(told=b"old", age=9.0)], [])
    assert [each.told for each in heard.facts] == [b"new"]
    heard = await other.exchange([fact(told=b"newer", age=0.1)], [])
    assert await names(one) == [("circuit p/m", b"newer")]


async def test_what_was_told_before_is_not_news(two):
    one, other = two
    await one.exchange([fact()], [])
    await other.exchange([], [])
    await one.exchange([fact(age=0.2)], [])
    assert await names(other) == []


async def test_what_is_over_for_long_is_forgotten(two, server):
    one, other = two
    await one.exchange([fact(), fact("circuit old", age=KEPT + 9, left=0.0), fact("key", left=0.0)], [])
    await one.exchange([fact("circuit old", b"2", age=1.0, left=0.0)], [])
    for name in (b"fact key", b"fact circuit old"):
        version, at, until, told = (await one.ask("HGET", one.key, name)).split(b" ", 3)
        long_ago = int(until) - int((KEPT + 1) * 1e6)
        await one.ask("HSET", one.key, name, b"%s %s %d %s" % (version, at, long_ago, told))
    assert [name for name, _ in await names(other)] == ["circuit p/m"]
    assert await one.ask("HLEN", one.key) == 2  # and the version


async def test_a_probe_is_one_process_s_at_a_time(two):
    one, other = two

    async def order(state, verb, to=""):
        return (await state.exchange([], [Order(verb, "p/m", to)])).holders[0]

    assert await order(one, "hold") == one.me
    assert await order(other, "hold") == ""
    assert await order(one, "hold") == one.me
    assert await order(other, "want") == ""
    assert await order(one, "hold") == other.me
    assert await order(one, "hold") == one.me  # said once
    assert await order(other, "give", other.me) == ""  # not its own
    assert await order(one, "give", other.me) == ""
    assert await order(one, "hold") == ""
    assert await order(other, "want") == other.me
    assert await order(one, "drop") == ""
    assert await order(other, "hold") == other.me
    await order(other, "drop")
    assert await order(one, "want") == one.me


async def test_a_right_ends_by_itself(two):
    one, other = two
    await one.exchange([], [Order("hold", "p/m")])
    until, rest = (await one.ask("HGET", one.key, "probe p/m")).split(b" ", 1)
    assert int(until) == pytest.approx(time.time() * 1e6 + 3e6, abs=1e6)
    await one.ask("HSET", one.key, "probe p/m", b"%d %s" % (int(until) - 4_000_000, rest))
    assert (await other.exchange([], [Order("hold", "p/m")])).holders == [other.me]
    assert (await one.exchange([], [Order("hold", "p/m")])).holders == [""]


async def test_times_of_another_server_s_clock_bind_nobody(two):
    """A replica that has taken over may be minutes behind."""
    one, other = two
    await one.exchange([fact(told=b"of the old server")], [Order("hold", "p/m")])
    for name in (b"fact circuit p/m", b"probe p/m"):
        row = (await one.ask("HGET", one.key, name)).split(b" ")
        later = [b"%d" % (int(part) + 600_000_000) if len(part) == 16 and part.isdigit() else part for part in row]
        await one.ask("HSET", one.key, name, b" ".join(later))
    heard = await other.exchange([fact(told=b"of now")], [Order("hold", "p/m")])
    assert heard.holders == [other.me]
    assert await names(one) == [("circuit p/m", b"of now")]


async def test_a_state_that_is_empty_again_is_told(two):
    one, _ = two
    await one.exchange([fact()], [])
    await one.ask("DEL", one.key)
    heard = await one.exchange([], [])
    assert heard.whole
    assert heard.facts == []


async def test_gateways_of_another_prefix_are_not_heard(two, server):
    await two[0].exchange([fact()], [])
    stranger = Redis(server.url, "another")
    assert await names(stranger) == []
    stranger.close()


async def test_an_outage_is_told_and_ends():
    server = Valkey().start()
    state = Redis(server.url, "x")
    try:
        await state.exchange([fact()], [])
        server.kill()
        for _ in range(2):
            with pytest.raises(StateAway, match=str(server.port)):
                await state.exchange([], [])
        server.start()
        heard = await state.exchange([], [])
        assert (heard.whole, heard.facts) == (True, [])
        server.hang()
        began = time.monotonic()
        with pytest.raises(StateAway, match="did not answer"):
            await state.exchange([], [])
        assert time.monotonic() - began < 2 * PATIENCE
        server.go_on()
        assert (await state.exchange([fact()], [])).whole
    finally:
        state.close()
        server.kill()


async def test_one_that_is_no_redis_is_away():
    async def nonsense(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as listening:
        state = Redis(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}", "x")
        with pytest.raises(StateAway):
            await state.exchange([], [])
        state.close()


async def test_a_key_of_somebody_else_s_is_told(server):
    state = Redis(server.url, "taken")
    await state.exchange([], [])
    await state.ask("SET", state.key, "something else")
    with pytest.raises(StateAway, match="WRONGTYPE"):
        await state.exchange([], [])
    state.close()


@contextlib.asynccontextmanager
async def encrypted(port, context):
    """TLS in front of a server that has none."""
    under_way = set()

    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", port)
        under_way.update(asyncio.create_task(pump(*way)) for way in ((reader, back), (there, writer)))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def test_over_tls_with_a_password_that_is_never_told(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with valkey("--requirepass", PASSWORD) as server:
        async with encrypted(server.port, context) as port:
            state = Redis(f"rediss://:{PASSWORD}@127.0.0.1:{port}/1", "x", tmp_path / "ca.pem")
            assert (await state.exchange([fact()], [])).whole
            state.close()
            with pytest.raises(StateAway, match="CERTIFICATE_VERIFY_FAILED"):
                await Redis(f"rediss://:{PASSWORD}@127.0.0.1:{port}", "x").exchange([], [])
        for url, told in (
            (f"redis://:{PASSWORD}x@127.0.0.1", "password"),
            ("redis://127.0.0.1", "(NOAUTH|Authentication)"),
        ):
            state = Redis(f"{url}:{server.port}", "x")
            with pytest.raises(StateAway, match=told) as raised:
                await state.exchange([], [])
            assert PASSWORD not in str(raised.value)


async def test_few_rights_are_enough():
    """Those that docs/how-to/run-several.md names."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "run-several.md").read_text()
    [rule] = re.findall(r"^ACL SETUSER (.*)$", page, re.MULTILINE)
    with valkey() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"ACL SETUSER {rule}\r\n".encode())
        assert await reader.readline() == b"+OK\r\n"
        writer.close()
        user, password = rule.split()[0], re.search(r">(\S+)", rule)[1]
        state = Redis(f"redis://{user}:{password}@127.0.0.1:{server.port}", "headgate")
        await state.exchange([fact()], [Order("hold", "p/m")])
        await state.exchange([], [Order("drop", "p/m")])
        state.close()


def test_a_file_without_certificates_is_told(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    with pytest.raises(ValueError, match="ca_file holds no certificates"):
        Redis("rediss://cache", "x", tmp_path / "ca.pem")
