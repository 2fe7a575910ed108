"""Laws of reading requests, over many damaged ones: never an exception, and never an answer that depends on the cut."""

from __future__ import annotations

import asyncio
import random

import pytest

from headgate.server.connections import Connections
from headgate.server.heads import check_host, plain_authority, read_framing, read_target
from headgate.server.refusals import Refusal
from server.rawhttp import Echo, statuses
from together import together

SOUND = [
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n",
    b"GET http://a/b?c=d HTTP/1.1\r\nHost: a:80\r\nConnection: keep-alive\r\n\r\n",
    b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
    b"HEAD /echo HTTP/1.0\r\n\r\n",
]
DAMAGE = [
    b"\r",
    b"\n",
    b"\0",
    b" ",
    b":",
    b"\t",
    b"0",
    b"+",
    b";",
    b",",
    b"\x80",
    b"\r\n",
    b"\r\n\r\n",
    b"chunked",
    b"5",
]


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.out = b""
        self.closed = False

    def write(self, data) -> None:
        self.out += data

    def get_extra_info(self, name, default=None):
        return ("127.0.0.1", 1) if name.endswith("name") else default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """What is written stays."""

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Everything is given all the same."""

    resume_reading = pause_reading


def damaged(seed: int) -> bytes:
    """Two sound requests with up to three bytes put in, taken out or replaced."""
    chance = random.Random(seed)
    data = chance.choice(SOUND) + chance.choice(SOUND)
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(data))
        data = data[:at] + chance.choice([b"", chance.choice(DAMAGE)]) + data[at + chance.randint(0, 1) :]
    return data


async def outcome(pieces: list[bytes]) -> tuple[list, list[int]]:
    app = Echo()
    connections = Connections(app)
    protocol, wire = connections.protocol(), Wire()
    protocol.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            protocol.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    connections.stop()
    await asyncio.sleep(0)
    return app.seen.requests, statuses(wire.out)


@pytest.mark.parametrize("start", range(0, 400, 50))
async def test_the_cut_of_the_bytes_makes_no_difference(start):
    for seed in range(start, start + 50):
        data = damaged(seed)
        whole = await outcome([data])
        for step in (1, 7):
            pieces = [data[at : at + step] for at in range(0, len(data), step)]
            assert await outcome(pieces) == whole, (seed, data, step)


async def test_sound_requests_are_sound():
    for first in SOUND[:4]:
        requests, answers = await outcome([first + SOUND[0]])
        assert answers == [200, 200]
        assert requests[1] == ("POST", "/echo", b"hello")


async def test_what_is_refused_behind_an_upgrade_is_refused_like_all_else():
    wrong = SOUND[0].replace(b"Host: a", b"Host: a\r\nHost: b")
    requests, answers = await outcome([SOUND[3] + wrong])
    assert (len(requests), answers) == (1, [200, 400])


async def test_a_head_like_the_one_before_it_is_judged_as_it_is_alone():
    """A connection remembers the last head that was sound."""
    wrong = []
    for seed in range(150):
        chance = random.Random(seed)
        first = chance.choice(SOUND[:2])
        at = chance.randrange(first.index(b"\r\n\r\n"))
        later = first[:at] + chance.choice([b"", chance.choice(DAMAGE)]) + first[at + chance.randint(0, 1) :]
        alone, after = await outcome([later]), await outcome([first, later])
        if after != ([("POST", "/echo", b"hello"), *alone[0]], [200, *alone[1]]):
            wrong.append((seed, later))
    assert wrong == []


async def test_a_head_that_differs_in_its_length_alone_has_its_own():
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\nX: y\r\n\r\n"
    sent = [head % length + body for length, body in ((b"5", b"hello"), (b"2", b"ab"), (b"0", b""), (b"005", b"hello"))]
    requests, answers = await outcome(sent)
    assert [body for _, _, body in requests] == [b"hello", b"ab", b"", b"hello"]
    assert answers == [200] * 4
    other = head.replace(b"/echo", b"/over") % b"1" + b"x"
    assert [path for _, path, _ in (await outcome([sent[0], other, sent[0]]))[0]] == ["/echo", "/over", "/echo"]


@pytest.mark.parametrize(
    "host", [b"a", b"a.b-c_d:80", b"127.0.0.1:", b"[::1]", b"[::1]:8080", b"xn--bcher-kva.example"]
)
def test_hosts(host):
    check_host(host, "1.1", b"/")


@together("host", [b"", b" ", b"a b", b"a/b", b"u@a", b"a,b", b"[::1", b"a:b", b"a:999999", b"a#", b"\xe4", b"a\\b"])
def test_no_hosts(host):
    with pytest.raises(Refusal, match="Host header is not"):
        check_host(host, "1.1", b"/")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (b"/", ("/", b"/", b"")),
        (b"/a%2fb?c%20d?e", ("/a/b", b"/a%2fb", b"c%20d?e")),
        (b"//a/../b", ("//a/../b", b"//a/../b", b"")),
        (b"/%e2%82%ac", ("/€", b"/%e2%82%ac", b"")),
        (b"http://a", ("/", b"/", b"")),
        (b"HTTPS://a?b", ("/", b"/", b"b")),
    ],
)
def test_targets(url, found):
    assert read_target(url, b"GET") == found


def test_a_refusal_says_what_to_mend():
    with pytest.raises(Refusal) as caught:
        read_framing([(b"host", b"a"), (b"content-length", b"1"), (b"transfer-encoding", b"chunked")], "1.1", b"/")
    assert caught.value.message == "The request has both Content-Length and Transfer-Encoding; send one of them."
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


def test_default_ports_make_no_difference():
    assert plain_authority(b"A:80") == plain_authority(b"a") == plain_authority(b"a:")
    assert plain_authority(b"a:8080") != plain_authority(b"a")
