"""Providers that misbehave, over real sockets: an honest error with origin `provider`, no hang, no leaked connection,
no clean end of what was cut, another target only before the first frame (rows R3, R4, S23, S26)."""

import gzip
import itertools
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import KEY, Wire, ask, http_request, running
from upstreams import (
    LAST_CHUNK,
    Close,
    Drip,
    Reset,
    ScriptedUpstream,
    Sleep,
    Stall,
    as_chunk,
    chunked_head,
    cut,
    json_reply,
    reply,
    sse_event,
    sse_reply,
)

SOAK = os.environ.get("HEADGATE_SOAK") == "1"
FACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
WAYS = [(face, spoken) for face in FACES for spoken in FACES]
FIRST_BYTE, IDLE, TOTAL = 0.8, 0.8, 2.0
LARGEST = 1 << 20
"""Bytes of a whole reply that this gateway takes."""
EVENT = 16 << 20
"""Bytes that one event of a stream may have."""
GUARD = 10.0
"""Seconds after which a client calls it a hang."""

WHOLE = {
    "openai": json.dumps({
        "id": "chatcmpl-7", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }).encode(),
    "anthropic": json.dumps({
        "id": "msg_7", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "Hello"}],
        "usage": {"input_tokens": 11, "output_tokens": 7},
    }).encode(),
}  # fmt: skip


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return sse_event({"id": "c7", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def named(kind, **fields):
    return sse_event({"type": kind, **fields}, kind)


def text_delta(text):
    return named("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


USED = sse_event({
    "id": "c7", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
})  # fmt: skip
DONE = sse_event("[DONE]")
EVENTS = {
    "openai": [
        chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}),
        chunk({}, "stop"), USED, DONE,
    ],
    "anthropic": [
        named("message_start", message={
            "id": "msg_7", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
            "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1},
        }),
        named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        text_delta("Hel"), text_delta("lo"),
        named("content_block_stop", index=0),
        named("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7}),
        named("message_stop"),
    ],
}  # fmt: skip
"""A short stream of each dialect that says "Hello"."""


@pytest.fixture(scope="module")
def second():
    async def well(asked):
        spoken = "anthropic" if asked.request.path == "/v1/messages" else "openai"
        if b'"stream":true' in asked.request.body.replace(b" ", b""):
            await asked.play(sse_reply(EVENTS[spoken]))
        else:
            await asked.send(json_reply(WHOLE[spoken]))

    with ScriptedUpstream(well) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(first, second, tmp_path_factory):
    waits = f"timeouts: {{connect: 1, first_byte: {FIRST_BYTE}, idle: {IDLE}, total: {TOTAL}}}"
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, max_reply_bytes: {LARGEST}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: sk-upstream-secret, base_url: '{first.url}/v1', {waits}}}
  anthropic: {{api_key: sk-ant-upstream-secret, base_url: '{first.url}', {waits}}}
  openai_streaming: {{kind: openai, api_key: sk-upstream-secret, base_url: '{first.url}/v1', streams: always, {waits}}}
  anthropic_streaming:
    {{kind: anthropic, api_key: sk-ant-upstream-secret, base_url: '{first.url}', streams: always, {waits}}}
  openai_second: {{kind: openai, api_key: sk-second-secret, base_url: '{second.url}/v1'}}
  anthropic_second: {{kind: anthropic, api_key: sk-second-secret, base_url: '{second.url}'}}
models:
  openai: openai/m
  anthropic: anthropic/m
  openai-streams: openai_streaming/m
  anthropic-streams: anthropic_streaming/m
  openai-spare: [openai/m, openai_second/m]
  anthropic-spare: [anthropic/m, anthropic_second/m]
keys:
  - {{name: test, key: {KEY}}}
""".replace("-spare: [", "-spare: {targets: [").replace("_second/m]", "_second/m]}")
    with running(tmp_path_factory.mktemp("bad_providers"), config) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = b""
    return first


@pytest.fixture(autouse=True)
def nothing_leaks(gateway, first, second):
    """After each test: nothing in flight, no connection in use, and the provider has no more open than the pool."""
    yield
    second.requests.clear()
    gateway.wait_for_metric(0, "headgate_in_flight")
    gateway.wait_for_metric(0, "headgate_upstream_connections", state="in_use")
    until = time.monotonic() + 20
    while first.open + second.open != gateway.metric("headgate_upstream_connections", state="idle"):
        assert time.monotonic() < until, "a connection is open that no pool knows of"
        time.sleep(0.02)


def request(face, model, stream):
    message = {"role": "user", "content": "hi"}
    return json.dumps({"model": model, "max_tokens": 50, "messages": [message], "stream": stream}).encode()


def call(gateway, face, model, *, stream=False):
    answer = ask(gateway, FACES[face], request(face, model, stream), timeout=GUARD)
    assert not answer.cut
    return answer


class Heard:
    """What a client of a streamed answer has understood; raises for anything that is not whole frames of JSON."""

    def __init__(self, face, body):
        self.text, self.error, self.clean, self.finished = "", None, False, False
        self.frames = body.split(b"\n\n")
        assert self.frames.pop() == b"", "the last frame is not whole"
        for frame in self.frames:
            assert self.error is None, "something follows the error"
            assert not self.clean, "something follows the end"
            lines = [line for line in frame.split(b"\n") if line[:1] != b":"]
            data = b"\n".join(line[5:].lstrip() for line in lines if line.startswith(b"data:"))
            if data:
                self.hear(face, data)

    def hear(self, face, data):
        if face == "openai" and data == b"[DONE]":
            self.clean = True
            return
        event = json.loads(data)
        if face == "openai":
            self.error = event.get("error")
            for choice in event.get("choices", ()):
                self.text += choice["delta"].get("content") or ""
        elif event.get("type") == "error":
            self.error = event["error"]
        elif event.get("type") == "content_block_delta":
            self.text += event["delta"].get("text", "")
        elif event.get("type") == "message_delta":
            self.finished = bool(event["delta"]["stop_reason"])
        elif event.get("type") == "message_stop":
            self.clean = True


def check_failed(gateway, face, answer, *, statuses=(502, 504), code=None):
    """An honest error of the provider's, in the client's dialect, and its record."""
    assert answer.status in statuses, (answer.status, answer.body[:500])
    assert answer.headers["x-headgate-error-origin"] == "provider"
    if code:
        assert answer.headers["x-headgate-error-code"] == code
    if answer.headers["content-type"] == "application/json":
        error = answer.json()["error"]
        assert error["message"]
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["ending"], record["origin"], record["status"]) == ("failed", "provider", answer.status)
    assert record["attempts"][-1]["error"] == record["error"] == answer.headers["x-headgate-error-code"]
    assert record["duration"] < GUARD
    return record


def check_cut(gateway, face, answer):
    """A streamed answer that began and broke off: the client is told, in its dialect, and nothing is half said."""
    assert answer.status == 200
    heard = Heard(face, answer.body)
    assert heard.error, answer.body
    assert not heard.clean
    assert heard.error["message"]
    assert "Hello".startswith(heard.text)
    record = gateway.record_of(answer.headers["x-request-id"])
    assert (record["ending"], record["origin"]) == ("cut", "provider")
    assert record["error"]
    return record


def check_complete(gateway, face, answer, *, stream):
    assert answer.status == 200, answer.body
    if stream:
        heard = Heard(face, answer.body)
        assert (heard.text, heard.error, heard.clean) == ("Hello", None, True)
    else:
        assert b"Hello" in answer.body
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record.get("ending", "complete") == "complete"
    assert (record["usage"]["input"], record["usage"]["output"]) == (11, 7)
    return record


# The same nonsense for everybody

HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Welcome to the hotel</body></html>"
CASES = {
    "HTML with 200": (reply(HTML, content_type="text/html"), 502, "provider_bad_reply"),
    "HTML with 200, said to be JSON": (reply(HTML), 502, "provider_bad_reply"),
    "HTML with 502": (reply(HTML, status=502, content_type="text/html"), 502, "provider_refused"),
    "HTML with 403": (reply(HTML, status=403, content_type="text/html"), 403, "provider_refused"),
    "nothing with 200": (reply(b""), 502, "provider_bad_reply"),
    "nothing with 204": (b"HTTP/1.1 204 No Content\r\n\r\n", 502, None),
    "nothing with 500": (reply(b"", status=500), 500, "provider_refused"),
    "half a JSON": (reply(b'{"id":"x","choices":[{"ind'), 502, "provider_bad_reply"),
    "null": (reply(b"null"), 502, "provider_bad_reply"),
    "a number": (reply(b"7"), 502, "provider_bad_reply"),
    "an array": (reply(b"[]"), 502, "provider_bad_reply"),
    "an empty object": (reply(b"{}"), 502, "provider_bad_reply"),
    "another shape": (reply(b'{"result":"Hello"}'), 502, "provider_bad_reply"),
    "choices of a wrong type": (reply(b'{"choices":"x","content":"x","type":"message"}'), 502, "provider_bad_reply"),
    "no choices": (reply(b'{"choices":[],"content":null,"type":"message"}'), 502, "provider_bad_reply"),
    "wrong types within": (
        reply(b'{"choices":[{"message":5}],"content":{"x":5},"type":"message"}'), 502, "provider_bad_reply",
    ),
    "deep nesting": (reply(b'{"choices":' + b"[" * 100_000), 502, "provider_bad_reply"),
    "invalid UTF-8": (reply(b'{"choices":"\xff\xfe"}'), 502, "provider_bad_reply"),
    "plain text": (reply(b"upstream connect error", status=503, content_type="text/plain"), 503, "provider_refused"),
    "an error with 200": (reply(b'{"type":"error","error":{"type":"x","message":"Boom"}}'), None, None),
    "gzip it did not announce": (reply(gzip.compress(WHOLE["openai"])), 502, "provider_bad_reply"),
    "announced gzip that is not": (
        reply(WHOLE["openai"], headers=[("content-encoding", "gzip")]), 502, "provider_bad_reply",
    ),
    "half a gzip": (
        reply(gzip.compress(WHOLE["openai"])[:-20], headers=[("content-encoding", "gzip")]), 502, None,
    ),
    "an unknown encoding": (
        reply(WHOLE["openai"], headers=[("content-encoding", "exotic")]), 502, "provider_bad_reply",
    ),
    "too many headers": (
        reply(WHOLE["openai"], headers=[(f"x-{number}", "1") for number in range(1000)]), 502, "provider_bad_reply",
    ),
    "headers of 200 kB": (reply(WHOLE["openai"], headers=[("x", "a" * 200_000)]), 502, "provider_bad_reply"),
    "interim replies without end": (b"HTTP/1.1 103 Early\r\n\r\n" * 100, 502, "provider_bad_reply"),
    "a change of protocol": (b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n", 502, "provider_bad_reply"),
    "a status of nobody's": (b"HTTP/1.1 999 Hm\r\ncontent-length: 0\r\n\r\n", 502, "provider_bad_reply"),
    "another protocol": (b"220 mail.example ESMTP\r\n", 502, "provider_bad_reply"),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", 502, "provider_bad_reply"),
    "two lengths": (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 502, "provider_bad_reply"),
    "a length and chunks": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 502, None,
    ),
    "bad chunk sizes": (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}", 502, None,
    ),
    "a length that is too long": ((json_reply(b"{}", length=100), Close()), 502, "provider_cut"),
    "a length that is too short": (json_reply(WHOLE["openai"], length=20), 502, "provider_bad_reply"),
    "a close at once": ((Close(),), 502, "provider_cut"),
    "a reset at once": ((Reset(),), 502, "provider_cut"),
    "a reset in the head": ((b"HTTP/1.1 200 OK\r\ncontent-", Sleep(0.02), Reset()), 502, "provider_cut"),
    "a reset after the head": ((chunked_head(content_type="application/json"), Sleep(0.02), Reset()), 502, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_nonsense_instead_of_a_reply_is_an_honest_error(gateway, upstream, name):
    script, status, code = CASES[name]
    for (face, spoken), stream in itertools.product(WAYS, (False, True)):
        upstream.script = script
        answer = call(gateway, face, spoken, stream=stream)
        where = (face, spoken, stream)
        assert answer.seconds < TOTAL, where
        if "content-type" not in str(script) and stream and status == 502:
            code = None
        check_failed(gateway, face, answer, statuses=[status] if status else range(400, 600), code=code)
        if name == "an error with 200" and not stream:
            assert "Boom" in answer.json()["error"]["message"], where


STREAM_CASES = {
    "HTML": (reply(HTML, content_type="text/event-stream"), None),
    "nothing": (reply(b"", content_type="text/event-stream"), None),
    "a whole reply": (reply(WHOLE["openai"], content_type="text/event-stream"), None),
    "plain text": (reply(b"hello\n\nworld\n\n", content_type="text/event-stream"), None),
    "events of another kind": (reply(b'data: {"x":1}\n\n' * 3, content_type="text/event-stream"), None),
    "events that are not JSON": (reply(b"data: {oops\n\n" * 3, content_type="text/event-stream"), None),
    "only comments": (reply(b": hi\n\n" * 3, content_type="text/event-stream"), None),
    "only an error": (
        reply(b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"Boom"}}\n\n',
              content_type="text/event-stream"), "Boom"),
    "a reset after the head": ((chunked_head(), Sleep(0.02), Reset()), None),
    "a close after the head": ((chunked_head(), Close()), None),
    "an end after the head": ((chunked_head(), LAST_CHUNK), None),
    "announced gzip that is not": (
        (chunked_head(headers=[("content-encoding", "gzip")]), as_chunk(b"data: x\n\n"), LAST_CHUNK), None),
    "gzip it did not announce": ((chunked_head(), as_chunk(gzip.compress(b"data: x\n\n")), LAST_CHUNK), None),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAM_CASES)
def test_nonsense_instead_of_a_stream_is_an_honest_error(gateway, upstream, name):
    """Until a first event has come a client gets a status, and then an error event: never a clean end."""
    script, said = STREAM_CASES[name]
    for face, spoken in WAYS:
        upstream.script = script
        answer = call(gateway, face, spoken, stream=True)
        if answer.status == 200:
            assert name in ("events of another kind", "only comments"), (face, spoken, answer.body)
            check_cut(gateway, face, answer)
        else:
            check_failed(gateway, face, answer, statuses=range(500, 600))
            assert said is None or said in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html; charset=utf-8"])
def test_a_stream_of_another_content_type_is_refused(gateway, upstream, kind):
    for face, spoken in WAYS:
        upstream.script = (chunked_head(content_type=kind), *sse_reply(EVENTS[spoken])[1:])
        check_failed(gateway, face, call(gateway, face, spoken, stream=True), statuses=[502], code="provider_bad_reply")


@pytest.mark.parametrize("kind", ["", "Text/Event-Stream", "text/event-stream;charset=UTF-8"])
def test_a_stream_is_known_however_its_type_is_written(gateway, upstream, kind):
    for face, spoken in WAYS:
        upstream.script = (chunked_head(content_type=kind), *sse_reply(EVENTS[spoken])[1:])
        assert call(gateway, face, spoken, stream=True).status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_never_followed(gateway, upstream, second, status, stream):
    for place in ("/elsewhere", f"{second.url}/v1/chat/completions", "file:///etc/passwd", "//169.254.169.254/"):
        for face, spoken in WAYS:
            upstream.requests.clear()
            upstream.script = reply(b"", status=status, headers=[("location", place)])
            answer = call(gateway, face, spoken, stream=stream)
            check_failed(gateway, face, answer, statuses=[502], code="provider_bad_reply")
            assert "location" not in answer.headers
            assert len(upstream.requests) == 1
    assert second.requests == []


def at_once(check):
    """Runs `check(face, spoken, stream)` for every way at the same time: each one waits for a clock."""
    ways = [(*way, stream) for way in WAYS for stream in (False, True)]
    with ThreadPoolExecutor(len(ways)) as pool:
        list(pool.map(lambda way: check(*way), ways))


SLOW = {
    "nothing at all": (Stall(),),
    "one byte a moment, of the head": (Drip(reply(b"x" * 100), pause=0.1),),
    "half a head": (b"HTTP/1.1 200 OK\r\n", Stall()),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", Drip(b"x-a: b\r\n" * 1000, 8, 0.05)),
    "a head and nothing more": (chunked_head(), Stall()),
    "interim replies, slowly": (Drip(b"HTTP/1.1 103 Early\r\n\r\n" * 1000, 22, 0.15),),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_a_provider_that_is_slow_to_begin_is_given_up(gateway, upstream, name):
    upstream.script = SLOW[name]

    def check(face, spoken, stream):
        answer = call(gateway, face, spoken, stream=stream)
        assert answer.seconds < TOTAL + 2
        assert "timeouts." in answer.json()["error"]["message"] or answer.status == 502
        check_failed(gateway, face, answer, statuses=[504, 502])

    at_once(check)


@pytest.mark.parametrize("pause", [0.1, 1.2])
def test_one_byte_a_moment_is_bounded_by_the_timeouts(gateway, upstream, pause):
    """By `idle` where the moments are longer than it, by `total` where they are not."""

    async def script(asked):
        spoken = "anthropic" if asked.request.path == "/v1/messages" else "openai"
        stream = json.loads(asked.request.body).get("stream")
        whole = b"".join(sse_reply(EVENTS[spoken])[2::2]) if stream else json_reply(WHOLE[spoken])
        if stream:
            await asked.send(chunked_head() + as_chunk(EVENTS[spoken][0]))
        await asked.drip(whole, 1, pause)

    upstream.script = script

    def check(face, spoken, stream):
        answer = call(gateway, face, spoken, stream=stream)
        assert answer.seconds < TOTAL + 2
        if stream:
            assert check_cut(gateway, face, answer)["error"] == "provider_timeout"
        else:
            check_failed(gateway, face, answer, statuses=[504], code="provider_timeout")

    at_once(check)


def test_a_stream_without_end_is_bounded_by_the_total(gateway, upstream):
    async def script(asked):
        spoken = "anthropic" if asked.request.path == "/v1/messages" else "openai"
        await asked.send(chunked_head())
        for event in EVENTS[spoken][:2]:
            await asked.send(as_chunk(event))
        while True:
            await asked.drip(as_chunk(b": still here\n\n" if spoken == "openai" else named("ping")), 100, 0.02)

    upstream.script = script

    def check(face, spoken, stream):
        if stream:
            answer = call(gateway, face, spoken, stream=True)
            assert answer.seconds < TOTAL + 2
            assert check_cut(gateway, face, answer)["error"] == "provider_timeout"

    at_once(check)


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_is_too_large_is_not_taken(gateway, upstream, stream):
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    size = 16 << 20
    bomb = gzip.compress(b'{"choices":"' + b" " * size)
    endless = b"".join(as_chunk(b"x" * 65536) for _ in range(size // 65536))
    kind = "text/event-stream" if stream else "application/json"
    for script in (
        reply(b"x" * size, content_type=kind),
        chunked_head(content_type=kind) + endless,
        reply(bomb, content_type=kind, headers=[("content-encoding", "gzip")]),
        reply(b"x" * size, status=500),
    ):
        for face, spoken in WAYS:
            upstream.script = script
            answer = call(gateway, face, spoken, stream=stream)
            # what may be the beginning of an event is waited for up to the larger limit of one
            check_failed(gateway, face, answer, statuses=[500, 502, 504] if stream else [500, 502])
    assert gateway.memory("VmHWM") - before < (6 * EVENT if stream else 8 * LARGEST)


def test_an_event_without_end_is_not_taken(gateway, upstream):
    """What is held of one frame is bounded."""

    async def script(asked):
        await asked.send(chunked_head())
        piece = as_chunk(b"data: " + b"x" * (1 << 20))
        for _ in range(40):
            await asked.send(piece)

    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    for face, spoken in WAYS:
        upstream.script = script
        check_failed(gateway, face, call(gateway, face, spoken, stream=True), statuses=[502, 504])
    assert gateway.memory("VmHWM") - before < 6 * EVENT


def test_what_is_held_of_a_stream_is_bounded(gateway, upstream):
    """One that only says that it is alive, and one that goes on where the client wants it in one piece."""

    def endless(beginning, of):
        async def script(asked):
            await asked.send(chunked_head() + as_chunk(b"".join(beginning(asked))))
            while True:
                await asked.send(as_chunk(of(asked) * 1000))

        return script

    def spoken(asked):
        return "anthropic" if asked.request.path == "/v1/messages" else "openai"

    alive = endless(lambda asked: [b": ok\n\n"], lambda asked: b": " + b"still here " * 20 + b"\n\n")
    talking = endless(
        lambda asked: EVENTS[spoken(asked)][:2],
        lambda asked: chunk({"content": "and so on"}) if spoken(asked) == "openai" else text_delta("and so on"),
    )
    for face, provider in WAYS:
        for script, model, stream in ((alive, provider, True), (talking, f"{provider}-streams", False)):
            upstream.script = script
            answer = call(gateway, face, model, stream=stream)
            check_failed(gateway, face, answer, statuses=[502], code="provider_bad_reply")
            assert f"{LARGEST} bytes" in answer.json()["error"]["message"]


# Streams that are right but odd


def styled(events, style):
    whole = b"".join(events)
    return {
        "CRLF": whole.replace(b"\n", b"\r\n"),
        "CR": whole.replace(b"\n", b"\r"),
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "comments": b": hello\n\n" + whole.replace(b"\n\n", b"\n\n: ping\n\n"),
        "ids and retries": whole.replace(b"data: ", b"id: 7\nretry: 100\ndata: "),
        "no space after the colon": whole.replace(b"data: ", b"data:").replace(b"event: ", b"event:"),
        "data in two lines": whole.replace(b',"', b',\ndata: "'),
        "more blank lines": whole.replace(b"\n\n", b"\n\n\n\n"),
    }[style]


STYLES = ["CRLF", "CR", "a byte order mark", "comments", "ids and retries", "no space after the colon",
          "data in two lines", "more blank lines"]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [0, 1, 7])
def test_every_way_to_write_an_event_stream_is_read(gateway, upstream, style, size):
    for face, spoken in WAYS:
        data = styled(EVENTS[spoken], style)
        pieces = [data[start : start + size] for start in range(0, len(data), size)] if size else [data]
        upstream.script = (chunked_head() + b"".join(map(as_chunk, pieces)) + LAST_CHUNK,)
        answer = call(gateway, face, spoken, stream=True)
        body = answer.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(b"\xef\xbb\xbf")
        while b"\n\n\n" in body:
            body = body.replace(b"\n\n\n", b"\n\n")
        answer.body = body
        check_complete(gateway, face, answer, stream=True)


def test_what_follows_the_end_never_reaches_the_client(gateway, upstream):
    for face, spoken in WAYS:
        for junk in (b"data: junk\n\n", EVENTS[spoken][0], b"<html>", b"data: {", DONE * 3):
            for together in (True, False):
                events = [*EVENTS[spoken][:-1], EVENTS[spoken][-1] + junk] if together else [*EVENTS[spoken], junk]
                upstream.script = sse_reply(events)
                check_complete(gateway, face, call(gateway, face, spoken, stream=True), stream=True)


def test_a_stream_that_never_closes_after_its_end_is_let_go(gateway, upstream):
    for face, spoken in WAYS:
        upstream.script = (*sse_reply(EVENTS[spoken])[:-1], Stall())
        answer = call(gateway, face, spoken, stream=True)
        assert answer.seconds < IDLE
        check_complete(gateway, face, answer, stream=True)


def test_a_missing_done_mark_is_no_cut_when_the_answer_is_whole(gateway, upstream):
    """Some compatible servers send none; a client that waits for it gets it."""
    for face in FACES:
        upstream.script = sse_reply(EVENTS["openai"][:-1])
        check_complete(gateway, face, call(gateway, face, "openai", stream=True), stream=True)
        upstream.script = sse_reply(EVENTS["openai"][:3])  # no finish reason either
        check_cut(gateway, face, call(gateway, face, "openai", stream=True))


@pytest.mark.parametrize("face", FACES)
def test_an_error_in_mid_stream_reaches_the_client_in_its_dialect(gateway, upstream, face):
    errors = {
        "openai": sse_event({"error": {"message": "Out of cheese", "type": "server_error", "code": None}}),
        "anthropic": named("error", error={"type": "overloaded_error", "message": "Out of cheese"}),
    }
    begun = 0
    for spoken, error in errors.items():
        for after in range(2, 5):
            upstream.script = sse_reply([*EVENTS[spoken][:after], error, *EVENTS[spoken][after:]], pause=0.02)
            answer = call(gateway, face, spoken, stream=True)
            assert b"Out of cheese" in answer.body
            if answer.status == 200:
                record = check_cut(gateway, face, answer)
                begun += 1
            else:  # all of it had come before anything was sent
                record = check_failed(gateway, face, answer, statuses=[502, 529])
            assert "Out of cheese" in record["message"]
    assert begun


# Another target, and when


@pytest.mark.parametrize("stream", [False, True])
def test_another_target_is_asked_before_the_first_frame(gateway, upstream, second, stream):
    """R3, and the failed one's connection is given back at once."""
    for name, (script, status, _) in CASES.items():
        if status == 403:
            continue  # somebody else's key would not help
        for face, spoken in WAYS:
            second.requests.clear()
            upstream.script = script
            answer = call(gateway, face, f"{spoken}-spare", stream=stream)
            assert answer.status == 200, (name, face, spoken, answer.body)
            record = check_complete(gateway, face, answer, stream=stream)
            assert len(second.requests) == 1
            assert answer.headers["x-headgate-attempts"] == "2"
            assert answer.headers["x-headgate-model"] == f"{spoken}_second/m"
            assert [attempt.get("error") is None for attempt in record["attempts"]] == [False, True]


def test_a_refusal_that_is_the_callers_fault_goes_to_nobody_else(gateway, upstream, second):
    for face, spoken in WAYS:
        for status in (400, 413, 422):
            upstream.script = json_reply({"error": {"message": "No", "type": "x"}}, status=status)
            answer = call(gateway, face, f"{spoken}-spare")
            check_failed(gateway, face, answer, statuses=[status], code="provider_refused")
    assert second.requests == []


@pytest.mark.parametrize("how", [Reset(), Close()])
def test_after_the_first_frame_nobody_else_is_asked(gateway, upstream, second, how):
    """R3: broken off after each number of events; before the first, the second target answers."""
    for face, spoken in WAYS:
        events = EVENTS[spoken]
        for count in range(len(events)) if SOAK else (0, 1, 2, 3, len(events) - 1):
            second.requests.clear()
            head = chunked_head() + b"".join(map(as_chunk, events[:count]))
            upstream.script = (head, Sleep(0.03), how)
            answer = call(gateway, face, f"{spoken}-spare", stream=True)
            if count == 0:
                check_complete(gateway, face, answer, stream=True)
                assert len(second.requests) == 1
            else:
                record = check_cut(gateway, face, answer)
                assert len(record["attempts"]) == 1
                assert second.requests == []


def test_the_first_targets_connection_is_closed_while_the_second_streams(gateway, upstream, second):
    """A failed attempt does not hold its connection until the whole exchange is over."""
    held = second.script
    for face, spoken in WAYS:
        for script in ((chunked_head(content_type="text/html"), Stall()), (chunked_head(), as_chunk(HTML), Stall())):

            async def slowly(asked, spoken=spoken):
                await asked.send(chunked_head() + as_chunk(EVENTS[spoken][0]))
                await asked.drip(b"".join(map(as_chunk, EVENTS[spoken][1:])) + LAST_CHUNK, 200, 0.15)

            upstream.script, second.script = script, slowly
            try:
                with Wire(gateway.port) as wire:
                    wire.send(http_request(FACES[face], request(face, f"{spoken}-spare", True)))
                    assert wire.sock.recv(10)
                    until = time.monotonic() + IDLE
                    while upstream.open:
                        assert time.monotonic() < until, (face, spoken)
                        time.sleep(0.01)
                    assert second.open
            finally:
                second.script = held


def test_usage_that_had_come_is_in_the_record_of_a_cut_stream(gateway, upstream):
    for face in FACES:
        upstream.script = (chunked_head() + b"".join(map(as_chunk, EVENTS["anthropic"][:3])), Sleep(0.02), Reset())
        record = check_cut(gateway, face, call(gateway, face, "anthropic", stream=True))
        assert record["usage"]["input"] == 11
        upstream.script = (chunked_head() + b"".join(map(as_chunk, EVENTS["openai"][:5])), Sleep(0.02), Reset())
        record = check_cut(gateway, face, call(gateway, face, "openai", stream=True))
        assert (record["usage"]["input"], record["usage"]["output"]) == (11, 7)


# Cut at every byte


def raw(spoken, ending):
    """A streamed reply as bytes, and where its last event begins and ends in it."""
    body = b"".join(EVENTS[spoken])
    if ending == "chunked":
        whole = b"".join(step for step in sse_reply(EVENTS[spoken]) if isinstance(step, bytes))
    elif ending == "length":
        whole = reply(body, content_type="text/event-stream")
    else:
        whole = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + body
    start = whole.rindex(EVENTS[spoken][-1])
    return whole, start, start + len(EVENTS[spoken][-1])


@pytest.mark.parametrize(("face", "spoken"), WAYS)
@pytest.mark.parametrize("ending", ["chunked", "length", "close"])
def test_a_stream_cut_at_any_byte_never_looks_whole(gateway, upstream, face, spoken, ending):
    """R4: an error with a status before the first frame, an error event after it, whole frames only before that."""
    whole, last, end = raw(spoken, ending)
    finish = whole.rindex(b'"finish_reason":"stop"' if spoken == "openai" else b"event: message_delta")
    step = 1 if SOAK else {"chunked": 3, "length": 11, "close": 7}[ending]
    body = request(face, spoken, True)
    with Wire(gateway.port, timeout=GUARD) as wire:
        for place in sorted({*range(0, len(whole), step), last - 1, last, end - 1, end}):
            upstream.script = cut(whole, place)
            wire.send(http_request(FACES[face], body))
            answer = wire.answer()
            assert not answer.closing
            if answer.status != 200:
                assert answer.status == 502, (place, answer.body)
                assert answer.json()["error"]["message"]
                assert place < whole.index(b"\n\n") + 2 + 200, place
                continue
            heard = Heard(face, answer.body)
            # some servers of Anthropic's API send no message_stop; the stop reason is as good an end
            heard.clean = heard.clean or (ending == "close" and heard.finished)
            assert bool(heard.error) != heard.clean, (place, answer.body)
            assert "Hello".startswith(heard.text)
            if place >= end:
                assert heard.clean, place
            # without a length nobody can tell a cut after the finish reason from a server that sends no [DONE]
            elif place < (finish if ending == "close" else last):
                assert heard.error, (place, answer.body)
            if heard.clean:
                assert heard.text == "Hello"


def test_what_a_same_dialect_client_got_before_a_cut_is_what_the_provider_sent(gateway, upstream):
    for spoken, events in EVENTS.items():
        for count in range(1, len(events) - 1):
            half = events[count][: len(events[count]) // 2]
            upstream.script = (chunked_head() + as_chunk(b"".join(events[:count]) + half), Sleep(0.02), Reset())
            answer = call(gateway, spoken, spoken, stream=True)
            expected = b"".join(event for event in events[:count] if event != USED)
            assert answer.body.startswith(expected)
            check_cut(gateway, spoken, answer)
            assert len(Heard(spoken, answer.body[len(expected) :]).frames) == 1


def test_tool_calls_reach_the_client_exactly_as_they_were_sent(gateway, upstream):
    """S23: no byte of a reply is touched between two who speak alike."""
    arguments = '{ "path":"/etc/x",\\n "n": 1.0, "é": "\\\\u00e9\\\\ud83d\\\\ude00" }'
    for number in range(10_000 if SOAK else 50):
        value = arguments.replace("1.0", str(number))
        call_ = b'{"id":"call_%d","type":"function","function":{"name":"run","arguments":"%b"}}' % (
            number, value.replace('"', '\\"').encode(),
        )  # fmt: skip
        body = b'{"id":"x","choices":[ {"index":0,"message":{"role":"assistant","tool_calls":[%b]},' % call_
        body += b'"finish_reason":"tool_calls","new":{"field":[1.00]}} ],"usage":null}'
        upstream.script = reply(body)
        assert call(gateway, "openai", "openai").body == body
