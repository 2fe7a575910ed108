"""Nobody is ever in doubt where one request ends and the next begins."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from headgate.server.refusals import Limits
from server.rawhttp import everything, serving, statuses

PROBES = Path(__file__).parents[3] / "shared" / "datasets" / "http_conformance" / "http11probe.jsonl"
AFTER = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


REFUSED = {
    "cl and te": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te and cl": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "negative length": POST + b"Content-Length: -1\r\n\r\n",
    "underscored length": POST + b"Content-Length: 1_0\r\n\r\nhellohello",
    "hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "huge length": POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "length beyond 63 bits": POST + b"Content-Length: 9999999999999999999\r\n\r\n",
    "chunk size 0x": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size _": CHUNKED + b"1_0\r\nhellohellohello!\r\n0\r\n\r\n",
    "chunk size +": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "chunk size with space before": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "chunk size with space after": CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    "chunk size negative": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "chunk size empty": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "chunk size overflow": CHUNKED + b"FFFFFFFFFFFFFFFF1\r\nhello\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"5\r\nhello!!\r\n0\r\n\r\n",
    "chunk without its line end": CHUNKED + b"5\r\nhello0\r\n\r\n",
    "chunk size ended by LF": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "chunk data ended by LF": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "chunk size ended by CR": CHUNKED + b"5\rhello\r\n0\r\n\r\n",
    "chunk extension ended by LF": CHUNKED + b"5;a=b\nhello\r\n0\r\n\r\n",
    "chunk extension with CR": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "chunk extension with NUL": CHUNKED + b"5;\0\r\nhello\r\n0\r\n\r\n",
    "trailers ended by LF": CHUNKED + b"5\r\nhello\r\n0\r\n\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF in headers": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare CR in headers": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
    "bare CR line end": b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "folded te": POST + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\nhello",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
    "control character": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\x07c\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    "space before colon of te": POST + b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\nhello",
    "invalid name": b"GET / HTTP/1.1\r\nHost: a\r\nX[: b\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nNothing\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "list of hosts": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "host with userinfo": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "host with path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with query": b"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n",
    "absolute form of another host": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form of another port": b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "target without slash": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "target of another scheme": b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment in target": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded NUL in target": b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded line break in target": b"GET /a%0d%0ab HTTP/1.1\r\nHost: a\r\n\r\n",
    "half an escape": b"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "overlong UTF-8": b"GET /%c0%af HTTP/1.1\r\nHost: a\r\n\r\n",
    "te identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "te gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te chunked, chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "te chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "te with a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "te on HTTP/1.0": b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "garbage": b"\xff\xfe\x00garbage\r\n\r\n",
}
"""Each of these must get one 400, reach the application's body reading at most, and end the connection."""


@pytest.mark.parametrize("name", REFUSED)
async def test_doubtful_framing_is_refused_and_what_follows_is_not_a_request(name):
    async with serving() as box:
        answer = await box.ask(REFUSED[name] + AFTER)
        assert statuses(answer) == [400]
        assert b"connection: close" in answer
        assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "invalid_request"
        assert box.seen.requests == []


@pytest.mark.parametrize("name", ["cl and te", "chunk size +", "bare LF", "no host"])
async def test_it_makes_no_difference_how_the_bytes_are_cut(name):
    async with serving() as box:
        reader, writer = await box.connect()
        for byte in REFUSED[name]:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [400]
        assert box.seen.requests == []


async def test_an_error_after_good_requests_is_answered_in_order_and_last():
    async with serving() as box:
        answer = await box.ask(AFTER + AFTER + REFUSED["bare CR in headers"] + AFTER)
        assert statuses(answer) == [200, 200, 400]
        assert len(box.seen.requests) == 2


async def test_the_error_waits_for_a_slower_answer_before_it():
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" + REFUSED["no host"] + AFTER)
        await asyncio.sleep(0.05)
        box.seen.hold.set()
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [200, 400]
        assert [path for _, path, _ in box.seen.requests] == ["/hold"]


async def test_requests_after_connection_close_are_not_read():
    async with serving() as box:
        answer = await box.ask(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + AFTER)
        assert statuses(answer) == [200]
        assert len(box.seen.requests) == 1


async def test_a_body_is_a_body_even_where_one_is_not_expected():
    inner = b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"GET /outer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(inner)
    async with serving() as box:
        answer = await box.ask(head + inner + AFTER, patience=0.3)
        assert len(statuses(answer)) >= 2
        assert box.seen.requests == [("GET", "/outer", inner), ("GET", "/after", b"")]


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("cut", [False, True])
async def test_an_upgrade_is_ignored_and_its_body_is_no_request(framing, cut):
    inner = b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"POST /outer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    if framing == "length":
        data = head + b"Content-Length: %d\r\n\r\n" % len(inner) + inner
    else:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
    async with serving() as box:
        reader, writer = await box.connect()
        if cut:
            for byte in data + AFTER:
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
        else:
            writer.write(data + AFTER)
        await everything(reader, 0.3)
        writer.close()
        assert box.seen.requests == [("POST", "/outer", inner), ("GET", "/after", b"")]


async def test_an_upgrade_without_a_body_is_an_ordinary_request():
    upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with serving() as box:
        answer = await box.ask(upgrade + AFTER, patience=0.3)
        assert statuses(answer) == [200, 200]
        assert [path for _, path, _ in box.seen.requests] == ["/ws", "/after"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", 501),
    ],
)
async def test_other_protocols_are_told_so(data, status):
    async with serving() as box:
        answer = await box.ask(data + AFTER)
        assert statuses(answer) == [status]
        assert box.seen.requests == []


async def test_trailers_and_chunk_extensions_are_dropped():
    data = CHUNKED + b"5;name=value\r\nhello\r\n0\r\nAuthorization: Bearer x\r\nHost: b\r\n\r\n"
    async with serving() as box:
        answer = await box.ask(data + AFTER, patience=0.3)
        assert statuses(answer) == [200, 200]
        assert box.seen.requests[0] == ("POST", "/echo", b"hello")


@pytest.mark.parametrize(("once", "again"), [(b"", b"1;" + b"x" * 3000 + b"\r\na\r\n"), (b"0\r\n", b"X: y\r\n" * 600)])
async def test_extensions_and_trailers_without_end_are_refused(once, again):
    async with serving() as box:
        reader, writer = await box.connect()
        writer.write(CHUNKED + once)
        for _ in range(100):
            writer.write(again)
            await asyncio.sleep(0)
        answer = await everything(reader)
        writer.close()
        assert statuses(answer) == [400]
        assert box.seen.requests == []


@pytest.mark.parametrize(
    "line",
    [b"GET http://A:80/x?y HTTP/1.1\r\nHost: a", b"GET http://a/x?y HTTP/1.1\r\nHost: a", b"GET /x?y HTTP/1.0"],
)
async def test_other_ways_to_name_the_same_target(line):
    async with serving() as box:
        answer = await box.ask(line + b"\r\n\r\n", patience=0.3)
        assert statuses(answer) == [200]
        assert box.seen.requests == [("GET", "/x", b"")]


def probes():
    if not PROBES.exists():
        return []
    rows = [json.loads(line) for line in PROBES.read_text().splitlines()]
    return [row for row in rows if row.get("payload_latin1") is not None]


@pytest.mark.skipif(not PROBES.exists(), reason="the conformance probes are not beside this checkout")
async def test_the_conformance_probes():
    failed, answers = [], []
    async with serving(Limits(header_timeout=0.3, body_idle_timeout=0.3, keep_alive=0.3)) as box:

        async def probe(row):
            text = row["payload_latin1"].replace("@@HOST@@", f"127.0.0.1:{box.port}")
            payload = text.encode("latin-1" if text.isascii() or max(text) <= "\xff" else "utf-8")
            answer = await box.ask(payload, patience=1.5)
            answers.extend(code for code in statuses(answer) if code in (200, 204, 405))
            verdict = judge(row, answer)
            if verdict:
                failed.append(f"{row['id']} ({row['level']}): {verdict}: {statuses(answer)}")

        rows = probes()
        await asyncio.gather(*map(probe, rows))
        assert not [line for line in failed if "(Must)" in line]
        assert len(rows) >= 200
        # nothing reached the application that its client was not answered: no request came out of another's body
        assert len(box.seen.requests) <= len(answers)


def allowed_by(row: dict) -> set[int]:
    """The statuses with which a probe passes, read from its fields."""
    wanted = row["expected_desc"]
    allowed = set(row["expected_status"]) | {int(code) for code in re.findall(r"[245]\d\d", wanted)}
    if "Range2xx" in row["expected_range"] or "2xx" in wanted:
        allowed |= {200, 204}
    if "close" in wanted or "timeout" in wanted:
        allowed |= {400, 408, 413, 431, 501, 505}
    if wanted.startswith(("!101", "non-", "Reject")):
        allowed |= {200, 400, 405}
    return allowed


def judge(row: dict, answer: bytes) -> str | None:
    """What is wrong with the answer, by the probe's own fields; None when nothing is."""
    found, wanted = statuses(answer), row["expected_desc"]
    if not found:
        return None if row["allow_close"] or "close" in wanted else "no answer"
    final = [code for code in found if code >= 200]
    if len(final) != 1:
        return "not one answer"
    if final[0] not in allowed_by(row):
        return "another status was wanted"
    head = answer.split(b"\r\n\r\n", 1)[0].lower()
    closes = final[0] in (400, 408, 413, 431, 501, 505) or ("+ close" in wanted and final[0] < 300)
    complaints = {
        "a length of nothing": final[0] == 204 and b"\r\ncontent-length: " in head,
        "no date": "Date" in wanted and b"\r\ndate: " not in head,
        "no allow": final[0] == 405 and b"\r\nallow: " not in head,
        "the connection stays open": closes and b"connection: close" not in head,
        "no echo": "echo" in wanted and b"hello" not in answer,
    }
    return next((complaint for complaint, true in complaints.items() if true), None)
