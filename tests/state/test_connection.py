"""What passes between us and a server, byte by byte."""

import asyncio
import contextlib
import time

import pytest

from headgate.state.address import address
from headgate.state.connection import Refused, connect

ONE = b"*1\r\n$4\r\nPING\r\n"


@contextlib.asynccontextmanager
async def server(*replies, size=65536):
    """Answers each command with the next of the replies, in pieces of a size, and closes; gives its port and what it
    was sent."""
    sent = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            for reply in replies:
                sent.append(await reader.read(65536))
                for start in range(0, len(reply), size):
                    writer.write(reply[start : start + size])
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], sent


@contextlib.asynccontextmanager
async def connected(port, before="", after=""):
    connection = await connect(address(f"redis://{before}127.0.0.1:{port}{after}"), None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize("size", [1, 3, 65536])
async def test_a_reply_is_read_in_whatever_pieces_it_comes(size):
    reply = b"*3\r\n:7\r\n$-1\r\n*2\r\n$5\r\na\r\nb\xff\r\n$0\r\n\r\n"
    async with server(reply, b"+PONG\r\n", size=size) as (port, sent), connected(port) as connection:
        assert await connection.ask("PING", b"\x00\r\n", 5) == [7, None, [b"a\r\nb\xff", b""]]
        assert await connection.ask("PING") == b"PONG"
    assert sent == [b"*3\r\n$4\r\nPING\r\n$3\r\n\x00\r\n\r\n$1\r\n5\r\n", ONE]


async def test_it_proves_itself_and_goes_to_its_database_first():
    replies = (b"+OK\r\n", b"+OK\r\n", b"+PONG\r\n")
    async with server(*replies) as (port, sent), connected(port, "me:p%40ss@", "/3") as connection:
        assert await connection.ask("PING") == b"PONG"
    assert sent == [b"*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$4\r\np@ss\r\n", b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n", ONE]


async def test_what_is_refused_is_told_and_the_next_command_is_not():
    async with server(b"-ERR no\r\n", b"+PONG\r\n") as (port, _), connected(port) as connection:
        with pytest.raises(Refused, match="ERR no"):
            await connection.ask("PING")
        assert await connection.ask("PING") == b"PONG"
    async with server(b"-WRONGPASS no\r\n") as (port, _):
        with pytest.raises(Refused, match="WRONGPASS"):
            await connect(address(f"redis://:secret@127.0.0.1:{port}"), None)


@pytest.mark.parametrize("reply", [b"", b"$9\r\nhalf", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$many\r\n"])
async def test_half_a_reply_or_nonsense_is_a_broken_connection(reply):
    async with server(reply) as (port, _), connected(port) as connection:
        with pytest.raises(ConnectionError):
            await connection.ask("PING")


async def test_commands_go_out_together_and_each_has_its_own_reply():
    async with server(b":1\r\n-ERR no\r\n:3\r\n") as (port, sent), connected(port) as connection:
        replies = [connection.send("PING") for _ in range(3)]
        assert connection.pending == 3
        first, second, third = await asyncio.gather(*replies, return_exceptions=True)
        assert (first, third, connection.pending) == (1, 3, 0)
        assert isinstance(second, Refused)
    assert sent == [ONE * 3]


async def test_who_gives_up_leaves_the_others_their_replies():
    async with server(b":1\r\n:2\r\n") as (port, _), connected(port) as connection:
        gone, other = connection.send("PING"), connection.send("PING")
        gone.cancel()
        assert await other == 2


async def test_a_server_that_does_not_answer_in_time_is_given_up_for_all():
    async def silent(reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with (
        await asyncio.start_server(silent, "127.0.0.1", 0) as listening,
        connected(listening.sockets[0].getsockname()[1]) as connection,
    ):
        connection.patience = 0.03
        began = asyncio.get_running_loop().time()
        outcomes = await asyncio.gather(connection.send("A"), connection.send("B"), return_exceptions=True)
        assert [type(each) for each in outcomes] == [TimeoutError, TimeoutError]
        assert asyncio.get_running_loop().time() - began < 0.5
        with pytest.raises(TimeoutError):
            await connection.ask("C")


async def test_a_process_that_was_held_up_itself_reads_what_has_come():
    async with server(b":1\r\n") as (port, _), connected(port) as connection:
        connection.patience = 0.03
        reply = connection.send("PING")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.08)
        assert await reply == 1


async def test_a_reply_to_nothing_is_nonsense():
    async with server(b":1\r\n:2\r\n") as (port, _), connected(port) as connection:
        assert await connection.ask("PING") == 1
        with pytest.raises(ConnectionError):
            await connection.ask("PING")
