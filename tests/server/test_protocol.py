"""Every limit of the HTTP server, with real sockets and short times."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
import struct
import time

import pytest

from headgate.server.cycles import Cycle
from headgate.server.protocol import Protocol
from headgate.server.refusals import Limits
from server.rawhttp import everything, held_back, serving, statuses

GET = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def get(path: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()


def post(body: bytes, path: str = "/echo", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def error(answer: bytes) -> dict:
    return json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]


async def until(condition, patience: float = 3.0) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.005)


# Ordinary requests


async def test_a_request_and_its_answer():
    async with serving() as box:
        answer = await box.ask(post(b"hello", connection="close"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"hello"
        assert statuses(answer) == [200]
        assert b"\r\ndate: " in head
        assert head.endswith(b"connection: close")


async def test_requests_on_one_connection_pipelined_or_not_are_answered_in_order():
    async with serving() as box:
        answer = await box.ask(post(b"one") + post(b"two") + post(b"three") + LAST)
        assert statuses(answer) == [200] * 4
        assert [body for *_, body in box.seen.requests] == [b"one", b"two", b"three", b""]
        assert answer.index(b"one") < answer.index(b"two") < answer.index(b"three")


async def test_any_cut_of_the_bytes_gives_the_same():
    data = (
        post(b"hello")
        + b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        + LAST
    )
    async with serving() as box:
        reader, writer = await box.connect()
        for byte in data:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [200] * 3
        assert [body for *_, body in box.seen.requests] == [b"hello", b"abc", b""]


async def test_a_stream_is_chunked_and_keeps_the_connection():
    async with serving() as box:
        answer = await box.ask(get("/stream") + LAST)
        assert statuses(answer) == [200, 200]
        assert b"transfer-encoding: chunked" in answer
        assert b"8\r\nframe 4\n\r\n0\r\n\r\n" in answer


async def test_http_1_0_has_no_chunks_and_closes():
    async with serving() as box:
        answer = await box.ask(b"GET /stream HTTP/1.0\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert body == b"".join(b"frame %d\n" % number for number in range(5))


async def test_http_1_0_may_ask_for_keep_alive():
    async with serving() as box:
        ask = b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        answer = await box.ask(ask + b"GET /echo HTTP/1.0\r\n\r\n")
        assert statuses(answer) == [200, 200]
        assert b"connection: keep-alive" in answer


async def test_head_gets_the_head_only():
    async with serving() as box:
        answer = await box.ask(b"HEAD /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert statuses(answer) == [200]
        assert answer.endswith(b"\r\n\r\n")
        assert b"frame" not in answer


async def test_options_of_the_server_as_a_whole():
    async with serving() as box:
        answer = await box.ask(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)
        assert statuses(answer) == [204, 200]


async def test_the_path_is_decoded_once_and_given_raw_too():
    async with serving() as box:
        await box.ask(b"GET /a%2Fb%20c?d=%20 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert box.seen.requests == [("GET", "/a/b c", b"")]


async def test_the_servers_own_calls_serve_as_well_as_asgi():
    async with serving() as box:
        answer = await box.ask(post(b"hello", "/whole") + LAST)
        assert statuses(answer) == [200, 200]
        assert b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" in answer
        assert ("POST", "/whole", b"hello") in box.seen.requests


async def test_expect_100_continue_is_answered_when_the_body_is_wanted():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(post(b"hello", expect="100-continue")[:-5])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello" + LAST)
        assert statuses(await everything(reader)) == [200, 200]
        writer.close()


async def test_expect_100_continue_is_not_answered_when_the_answer_is_there():
    async with serving() as box:
        answer = await box.ask(post(b"hello", "/early", expect="100-continue")[:-5])
        assert statuses(answer) == [401]
        assert b"connection: close" in answer


# Slow clients


@pytest.mark.parametrize("sent", [b"", b"GET /", b"GET /a HTTP/1.1\r\nHost: a\r\n"])
async def test_a_slow_head_is_answered_408_and_closed(sent):
    async with serving(Limits(header_timeout=0.2)) as box:
        answer = await box.ask(sent, patience=3)
        assert statuses(answer) == [408]
        assert error(answer)["code"] == "request_timeout"
        assert [(status, code) for _, _, status, code, _ in box.seen.refusals] == [(408, "request_timeout")]


async def test_a_head_that_trickles_is_cut_all_the_same():
    async with serving(Limits(header_timeout=0.2)) as box:
        reader, writer = await box.connect()
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\n")
        begun = time.monotonic()
        while not reader.at_eof() and time.monotonic() - begun < 3:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.02)
            if box.seen.refusals:
                break
        assert statuses(await everything(reader)) == [408]
        writer.close()


async def test_the_second_head_has_its_own_time():
    async with serving(Limits(header_timeout=0.4, keep_alive=5)) as box:
        reader, writer = await box.connect()
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        writer.write(GET[:10])
        await asyncio.sleep(0.05)
        writer.write(GET[10:] + LAST)
        assert statuses(await everything(reader)) == [200, 200]
        writer.close()


async def test_an_idle_connection_is_closed_in_silence():
    async with serving(Limits(keep_alive=0.2)) as box:
        assert statuses(await box.ask(GET, patience=3)) == [200]
        assert not box.seen.refusals


async def test_a_running_request_is_not_idle():
    async with serving(Limits(keep_alive=0.1, header_timeout=0.1, body_idle_timeout=0.1)) as box:
        reader, writer = await box.connect()
        writer.write(get("/hold"))
        await asyncio.sleep(0.5)
        box.seen.hold.set()
        assert b"held" in await everything(reader)
        writer.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_slow_body_is_answered_408_and_closed(chunked):
    limits = Limits(body_idle_timeout=0.2, min_body_rate=1000)
    head = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 100000\r\n\r\n"
    async with serving(limits) as box:
        reader, writer = await box.connect()
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\n" + head)
        begun = time.monotonic()
        while box.connections.cycles or not box.connections.open:
            writer.write(b"1\r\nx\r\n" if chunked else b"x")
            await asyncio.sleep(0.02)
            assert time.monotonic() - begun < 3
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [408]
        assert error(answer)["code"] == "request_timeout"
        assert b"connection: close" in answer


async def test_a_body_fast_enough_may_take_its_time():
    async with serving(Limits(body_idle_timeout=0.3, min_body_rate=100)) as box:
        reader, writer = await box.connect()
        writer.write(post(b"x" * 1000, connection="close")[:-1000])
        for _ in range(20):
            writer.write(b"x" * 50)
            await asyncio.sleep(0.02)
        assert statuses(await everything(reader)) == [200]
        writer.close()


async def test_a_client_that_takes_nothing_is_cut_and_its_request_cancelled():
    async with serving(Limits(write_timeout=0.3)) as box:
        sock = socket.create_connection(("127.0.0.1", box.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get("/flood"))
        await until(lambda: box.seen.cancelled)
        assert box.seen.cancelled[0][2] == "stalled"
        await until(lambda: not box.connections.open)
        sock.close()


async def test_a_client_that_takes_little_is_served():
    async with serving(Limits(write_timeout=0.3)) as box:
        reader, writer = await box.connect()
        writer.write(get("/flood"))
        for _ in range(20):
            await reader.readexactly(500_000)
            await asyncio.sleep(0.05)
        assert not box.seen.cancelled
        writer.transport.abort()
        await until(lambda: box.seen.cancelled)


async def test_what_an_application_sends_waits_for_the_client():
    async with serving() as box:
        sock = socket.create_connection(("127.0.0.1", box.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(get("/flood"))
        await asyncio.sleep(0.3)
        sent = box.seen.sent
        await asyncio.sleep(0.2)
        assert box.seen.sent == sent
        (connection,) = box.connections.open
        assert connection.transport.get_write_buffer_size() < 300_000
        sock.close()
        await until(lambda: box.seen.cancelled)


# Large requests


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /" + b"a" * 300_000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 60 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 60_000, 431),
    ],
)
async def test_heads_beyond_the_limits(head, status):
    async with serving(Limits(max_header_bytes=8192, max_url_bytes=2048, max_headers=50)) as box:
        answer = await box.ask(head)
        assert statuses(answer) == [status]
        assert error(answer)["code"] == "headers_too_large"
        assert box.seen.requests == []


async def test_a_head_at_the_limit_with_a_large_body_behind_it():
    async with serving(Limits(max_header_bytes=8192)) as box:
        answer = await box.ask(post(b"x" * 50_000, x="y" * 7000, connection="close"))
        assert statuses(answer) == [200]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_413(chunked):
    async with serving(Limits(max_body_bytes=100_000)) as box:
        if chunked:
            data = (
                b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + b"8000\r\n%b\r\n" % (b"x" * 32768) * 4
            )
        else:
            data = post(b"x" * 100_001)
        answer = await box.ask(data)
        assert statuses(answer) == [413]
        assert error(answer)["code"] == "request_too_large"
        assert box.seen.requests == []


async def test_a_body_of_a_megabyte_arrives_whole():
    body = bytes(range(256)) * 4096
    async with serving() as box:
        answer = await box.ask(post(body, connection="close"))
        assert answer.endswith(body)
        assert box.seen.requests[0][2] == body


async def test_an_unread_body_holds_the_client_back():
    async with serving() as box:
        reader, writer = await box.connect()
        assert await held_back(box, reader, writer, post(b"x" * 20_000_000, "/hold"))
        writer.transport.abort()


async def test_an_answer_before_a_small_body_keeps_the_connection():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(post(b"hello", "/early")[:-5])
        assert b"connection: close" not in await reader.readuntil(b"no")
        writer.write(b"hello" + LAST)
        assert statuses(await everything(reader)) == [200]
        assert [path for _, path, _ in box.seen.requests] == ["/early", "/echo"]
        writer.close()


async def test_an_answer_before_a_large_body_reaches_a_client_that_is_still_sending():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(post(b"x" * 100_000_000, "/early")[:10_000_000])
        answer = await everything(reader)
        assert statuses(answer) == [401]
        assert b"connection: close" in answer
        await until(lambda: not box.connections.open)
        writer.transport.abort()


# Too many clients


async def test_more_requests_than_may_run_get_503_at_once_and_keep_their_connection():
    async with serving(Limits(max_requests=2)) as box:
        held = [await box.connect() for _ in range(2)]
        for _, writer in held:
            writer.write(get("/hold"))
        await until(lambda: len(box.connections.cycles) == 2)
        answer = await box.ask(post(b"hello") + LAST)
        assert statuses(answer) == [503, 503]
        assert answer.count(b"retry-after: 1") == 2
        assert error(answer)["code"] == "gateway_overloaded"
        assert len(box.seen.refusals) == 2
        box.seen.hold.set()
        await until(lambda: not box.connections.cycles)
        assert statuses(await box.ask(LAST)) == [200]
        for _, writer in held:
            writer.close()


async def test_a_503_does_not_wait_for_a_large_body():
    async with serving(Limits(max_requests=0)) as box:
        answer = await box.ask(post(b"x" * 1_000_000)[:1000])
        assert statuses(answer) == [503]
        assert b"connection: close" in answer


async def test_more_connections_than_may_be_are_told_and_closed():
    async with serving(Limits(max_connections=2)) as box:
        held = [await box.connect() for _ in range(2)]
        await until(lambda: len(box.connections.open) == 2)
        answer = await box.ask(GET)
        assert statuses(answer) == [503]
        assert b"retry-after: 1" in answer
        for _, writer in held:
            writer.write(LAST)
        for reader, writer in held:
            assert statuses(await everything(reader)) == [200]
            writer.close()
        await until(lambda: not box.connections.open)
        assert statuses(await box.ask(LAST)) == [200]


async def test_endless_pipelining_is_stopped():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(get("/hold") + GET * 200)
        await until(lambda: box.connections.cycles)
        box.seen.hold.set()
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [200] * 33 + [503]
        assert len(box.seen.requests) == 33


# Clients that leave


@pytest.mark.parametrize("way", ["close", "half", "reset"])
@pytest.mark.parametrize("path", ["/hold", "/open"])
async def test_a_client_that_leaves_cancels_its_request_at_once(way, path):
    async with serving() as box:
        sock = socket.create_connection(("127.0.0.1", box.port))
        sock.sendall(get(path) + GET)
        await until(lambda: box.connections.cycles)
        await asyncio.sleep(0.05)
        left = time.monotonic()
        if way == "half":
            sock.shutdown(socket.SHUT_WR)
        elif way == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if way != "half":
            sock.close()
        await until(lambda: box.seen.cancelled)
        assert box.seen.cancelled[0][0] == path
        assert box.seen.cancelled[0][2] == "client"
        assert box.seen.cancelled[0][1] - left < 0.1
        await until(lambda: not box.connections.open)
        assert not box.connections.cycles
        assert len(box.seen.requests) == 1
        sock.close()


async def test_a_client_that_leaves_after_its_answer_cancels_nothing():
    async with serving() as box:
        await box.ask(get("/stream"), patience=0.3)
        await until(lambda: not box.connections.open)
        assert not box.seen.cancelled


# Applications that fail


async def test_an_exception_is_a_500_in_the_words_of_the_hook():
    def refuse(status: int, code: str, message: str, path: str | None, id: str):
        return [], f"{status} {code} {path}".encode()

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
    async with serving(refuse=refuse) as box:
        answer = await box.ask(get("/fails") + LAST)
        assert statuses(answer) == [500, 200]
        assert b"500 internal_error /fails" in answer
    assert [type(found) for found in reported] == [LookupError]


async def test_an_answer_that_breaks_off_is_not_taken_for_whole():
    async with serving() as box:
        answer = await box.ask(get("/breaks"))
        assert not answer.endswith(b"0\r\n\r\n")
        await until(lambda: not box.connections.open)


async def test_a_line_break_in_a_header_never_leaves():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with serving() as box:
        answer = await box.ask(get("/splits") + LAST)
        assert statuses(answer) == [500, 200]
        assert b"set-cookie" not in answer


async def test_the_hook_is_told_the_path_where_it_is_known():
    paths = []

    def refuse(status: int, code: str, message: str, path: str | None, id: str):
        paths.append(path)
        return [], b"{}"

    async with serving(refuse=refuse) as box:
        await box.ask(b"POST /v1/messages?beta=true HTTP/1.1\r\n\r\n")
        await box.ask(b"nonsense\r\n\r\n")
        assert paths == ["/v1/messages", None]
        assert [(path, client, code) for path, client, _, code, _ in box.seen.refusals] == [
            ("/v1/messages", "127.0.0.1", "invalid_request"),
            (None, "127.0.0.1", "invalid_request"),
        ]


async def test_a_refusal_goes_by_one_id_in_its_answer_and_its_record():
    async with serving(Limits(max_requests=1)) as box:
        holding, writer = await box.connect()
        writer.write(get("/open"))
        await holding.readuntil(b"first\r\n")
        answers = [await box.ask(data) for data in (GET + LAST, b"nonsense\r\n\r\n")]
        writer.close()
    assert [statuses(answer) for answer in answers] == [[503, 503], [400]]
    sent = [id.decode() for answer in answers for id in re.findall(rb"x-request-id: (\S+)\r\n", answer)]
    assert sent == [id for *_, id in box.seen.refusals]
    assert len(set(sent)) == 3


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_answer_that_breaks_off_ends_in_a_reset(version):
    """After a FIN, an HTTP/1.0 client would take what it has for the whole answer."""
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(f"GET /breaks HTTP/{version}\r\nhost: a\r\n\r\n".encode())
        await until_reset(reader)
        writer.close()


async def test_a_stalled_client_finds_its_connection_reset():
    async with serving(Limits(write_timeout=0.2)) as box:
        reader, writer = await box.connect()
        writer.write(b"GET /flood HTTP/1.0\r\nhost: a\r\n\r\n")
        await until(lambda: box.seen.cancelled)
        await until_reset(reader)
        writer.close()


async def until_reset(reader: asyncio.StreamReader) -> None:
    """Reads what there is; fails when it ends in anything but a reset."""
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionResetError):
            await reader.read()


# Draining


async def test_while_draining_answers_close_and_idle_connections_go_when_told():
    async with serving() as box:
        reader, writer = await box.connect()
        idle_reader, idle_writer = await box.connect()
        idle_writer.write(GET)
        await idle_reader.readuntil(b"\r\n\r\n")
        writer.write(get("/open"))
        await reader.readuntil(b"first\r\n")
        box.connections.drain()
        late = await box.ask(GET)
        assert statuses(late) == [200]
        assert b"connection: close" in late
        box.connections.close_idle()
        assert await everything(idle_reader) == b""
        box.seen.hold.set()
        assert (await everything(reader, 0.3)).endswith(b"4\r\nlast\r\n0\r\n\r\n")
        writer.close()
        idle_writer.close()


async def test_stopping_cancels_what_runs():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(get("/open"))
        await reader.readuntil(b"first\r\n")
        box.connections.stop()
        await until(lambda: box.seen.cancelled)
        assert box.seen.cancelled[0][2] == "stopping"
        writer.close()


async def test_connections_and_requests_are_freed_without_the_garbage_collector():
    def left() -> list[str]:
        return [type(found).__name__ for found in gc.get_objects() if type(found) in (Protocol, Cycle)]

    async with serving() as box:
        gc.collect()
        gc.disable()
        try:
            for path in ("/echo", "/hold", "/open", "/early"):
                await box.ask(get(path), patience=0.05)
            await box.ask(b"GET / HTTP/1.1\r\n\r\n")
            await box.ask(post(b"x" * 9, "/early")[:-5], patience=0.05)
            await until(lambda: not box.connections.open)
            await asyncio.sleep(0.05)
            assert left() == []
        finally:
            gc.enable()
