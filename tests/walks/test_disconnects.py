"""Clients that go away or do not read, over real sockets (rows R10, R12, R13 of the reliability list).

The goal is that a provider sees its connection closed within 100 ms of the client's leaving; the tests ask for a second
so that a busy machine fails none of them, and print what they measured (`pytest -s`).
"""

import json
import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from gateways import KEY, Wire, config_for, http_request, running
from upstreams import Drip, Sleep, Stall, as_chunk, chunked_head, json_reply, reply, sse_event
from waiting import wait_for

SOAK = os.environ.get("HEADGATE_SOAK") == "1"
TIMES = 200 if SOAK else 2
FACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MODELS = {"openai": "chat", "anthropic": "claude"}
WAYS = [(face, spoken) for face in FACES for spoken in FACES]
WRITE_TIMEOUT = 1.0
SIZE = (100 if SOAK else 32) << 20
"""Bytes a provider sends to a client that does not read."""
STALLED = 24 << 20
"""Bytes that the kernel's buffers on the way may take of it."""


def chunk(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return sse_event({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def delta(text):
    data = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return sse_event(data, "content_block_delta")


STARTED = {
    "openai": chunk("Hello"),
    "anthropic": sse_event({"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 1},
    }}, "message_start")
    + sse_event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                "content_block_start") + delta("Hello"),
}  # fmt: skip
ENDED = {
    "openai": sse_event({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                         "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + sse_event("[DONE]"),
    "anthropic": sse_event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    + sse_event({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                 "usage": {"output_tokens": 7}}, "message_delta") + sse_event({"type": "message_stop"}, "message_stop"),
}  # fmt: skip
MORE = {"openai": chunk, "anthropic": delta}


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    server = f", write_timeout: {WRITE_TIMEOUT}"
    with running(tmp_path_factory.mktemp("disconnects"), config_for(first.url, server=server)) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


@pytest.fixture
def upstream(first):
    first.requests.clear()
    first.script = b""
    return first


@pytest.fixture(scope="module")
def figures():
    found = {}
    yield found
    for phase, times in found.items():
        times.sort()
        median, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        print(f"\n{phase}: median {median * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, n {len(times)}", end="")


def body(face, spoken, stream):
    message = {"role": "user", "content": "hi"}
    return json.dumps({"model": MODELS[spoken], "max_tokens": 9, "messages": [message], "stream": stream}).encode()


def phases(spoken):
    """What the provider does, whether a stream is asked for, and what the client waits for before it leaves."""
    begun = chunked_head() + as_chunk(STARTED[spoken])
    half = reply(b'{"id":"x",', length=1000)
    return {
        "before the head": ((Stall(),), True, False),
        "before the first token": ((chunked_head(), Stall()), True, False),
        "in mid-stream": ((begun, Stall()), True, True),
        "in mid-stream, of a talkative one": (
            (begun, *[Drip(as_chunk(MORE[spoken]("x")), 1000, 0.005)] * 2000), True, True,
        ),
        "before the head of a whole reply": ((Stall(),), False, False),
        "in the middle of a whole reply": ((half, Stall()), False, False),
    }  # fmt: skip


def leave(wire, how):
    if how == "reset":
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        wire.sock.shutdown(socket.SHUT_WR)
    else:
        wire.sock.close()


@pytest.mark.parametrize("phase", phases("openai"))
@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_a_client_that_leaves_takes_its_request_along(gateway, upstream, figures, phase, how):
    """R12: the provider sees it, one record says `cancelled`, nothing is left running."""
    recorded = len(gateway.records())
    count = 0
    for face, spoken in WAYS * TIMES:
        script, stream, begun = phases(spoken)[phase]
        upstream.script = script
        asked, closed = len(upstream.requests), len(upstream.closed_by_client)
        with Wire(gateway.port) as wire:
            wire.send(http_request(FACES[face], body(face, spoken, stream)))
            wait_for(lambda asked=asked: len(upstream.requests) > asked)
            if begun:
                seen = b""
                while b"Hello" not in seen:
                    seen += wire.sock.recv(4096)
            else:
                time.sleep(0.01)  # so that the provider's first bytes are under way
            left = time.monotonic()
            leave(wire, how)
            took = upstream.wait_for_close(closed + 1) - left
        assert took < 4
        figures.setdefault(phase, []).append(took)
        count += 1
    gateway.wait_for_metric(0, "headgate_in_flight")
    gateway.wait_for_metric(0, "headgate_upstream_connections", state="in_use")
    records = gateway.records(recorded + count)[recorded:]
    time.sleep(0.05)
    assert len(gateway.records()) == recorded + count
    for record in records:
        assert record["ending"] == "cancelled"
        assert "upstream" not in str(record.get("error"))
        assert len(record["attempts"]) == 1
        assert record["status"] == (200 if begun else 499)
    usage = [record["usage"]["input"] for record in records if record["target"].startswith("anthropic") and begun]
    assert usage == [9] * (count // 2 if begun else 0)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/openai/v1/files"])
@pytest.mark.parametrize("size", [100_000, 3_000_000], ids=["at once", "in pieces"])
def test_a_client_that_leaves_after_a_large_body_takes_its_request_along(gateway, upstream, path, size):
    """Reading is paused for a body that comes faster than it is taken: it goes on once all has been taken."""
    upstream.script = (Stall(),)
    said = {"model": "chat", "messages": [{"role": "user", "content": "x" * size}]}
    recorded = len(gateway.records())
    with Wire(gateway.port) as wire:
        wire.send(http_request(path, json.dumps(said).encode()))
        wait_for(lambda: upstream.requests)
        time.sleep(0.05)
    gateway.wait_for_metric(0, "headgate_in_flight")
    [record] = gateway.records(recorded + 1)[recorded:]
    assert record["ending"] == "cancelled"


def test_nobody_is_asked_again_for_a_client_that_has_left(gateway, upstream):
    """Cancelling is no failure that another attempt could mend."""
    upstream.script = (Stall(),)
    for _ in range(5):
        asked = len(upstream.requests)
        with Wire(gateway.port) as wire:
            wire.send(http_request(FACES["openai"], body("openai", "openai", True)))
            wait_for(lambda asked=asked: len(upstream.requests) > asked)
    time.sleep(0.6)
    assert len(upstream.requests) == 5
    wait_for(lambda: upstream.open == gateway.metric("headgate_upstream_connections", state="idle"))


def test_a_client_that_leaves_while_it_sends_reaches_nobody(gateway, upstream):
    recorded = len(gateway.records())
    for face in FACES:
        whole = http_request(FACES[face], body(face, face, False))
        for sent in (len(whole) - 1, len(whole) - 20):
            with Wire(gateway.port) as wire:
                wire.send(whole[:sent])
                time.sleep(0.02)
    records = gateway.records(recorded + 4)[recorded:]
    assert [record["ending"] for record in records] == ["cancelled"] * 4
    assert upstream.requests == []
    gateway.wait_for_metric(0, "headgate_in_flight")


def test_a_client_that_leaves_during_the_wait_for_another_attempt(gateway, upstream):
    upstream.script = json_reply({"error": {"message": "busy"}}, status=429, headers=[("retry-after", "2")])
    recorded = len(gateway.records())
    with Wire(gateway.port) as wire:
        wire.send(http_request(FACES["openai"], body("openai", "openai", False)))
        wait_for(lambda: upstream.requests)
        time.sleep(0.1)
    [record] = gateway.records(recorded + 1)[recorded:]
    assert record["ending"] == "cancelled"
    assert len(upstream.requests) == 1


def test_a_client_that_leaves_after_its_answer_cancels_nothing(gateway, upstream):
    for face, spoken in WAYS:
        upstream.script = (chunked_head() + as_chunk(STARTED[spoken] + ENDED[spoken]) + b"0\r\n\r\n",)
        with Wire(gateway.port) as wire:
            wire.send(http_request(FACES[face], body(face, spoken, True)))
            answer = wire.answer()
        record = gateway.record_of(answer.headers["x-request-id"])
        assert record.get("ending", "complete") == "complete"
    wait_for(lambda: upstream.open == 1)  # kept for the next request


def broken_off(wire):
    """Whether what still comes is less than HTTP's framing promises, so that nobody takes it for whole."""
    try:
        return wire.answer().cut
    except ConnectionError:
        return True


class Flood:
    """A provider that sends `SIZE` bytes of a stream as fast as they are taken."""

    def __init__(self, size=SIZE):
        self.size = size
        self.taken = 0
        """Bytes that have left it, of all its replies."""
        self.done = threading.Semaphore(0)

    async def __call__(self, asked):
        spoken = "anthropic" if asked.request.path == "/v1/messages" else "openai"
        await asked.send(chunked_head() + as_chunk(STARTED[spoken]))
        piece = as_chunk(MORE[spoken]("x" * 16_000))
        for _ in range(self.size // 16_000):
            await asked.send(piece)
            self.taken += 16_000
        await asked.send(as_chunk(ENDED[spoken]) + b"0\r\n\r\n")
        self.done.release()

    def settled(self):
        """What has left once nothing more does for a while."""
        before = -1
        while before != self.taken:
            before = self.taken
            time.sleep(0.15)
        return before


@pytest.mark.parametrize(("face", "spoken"), WAYS)
def test_a_client_that_does_not_read_holds_the_provider_back(gateway, upstream, face, spoken):
    """R13: nothing piles up in the gateway, and what was held back comes when the client reads again."""
    flood = upstream.script = Flood()
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    with Wire(gateway.port, receive_buffer=65536) as wire:
        wire.send(http_request(FACES[face], body(face, spoken, True)))
        assert flood.settled() < STALLED < SIZE
        grown = gateway.memory("VmHWM") - before
        print(f"\n{face} to {spoken}: {grown >> 10} KiB more memory, {flood.taken >> 10} KiB under way", end="")
        assert grown < 3 << 20
        answer = wire.answer()
        assert not answer.cut
    assert answer.body.count(b"x" * 16_000) == SIZE // 16_000
    assert gateway.memory("VmHWM") - before < 4 << 20
    record = gateway.record_of(answer.headers["x-request-id"])
    assert record.get("ending", "complete") == "complete"


def test_many_clients_that_do_not_read_cost_little_each(gateway, upstream):
    """R13: at most 1 MiB of memory for each."""
    count = 100 if SOAK else 40
    flood = upstream.script = Flood(SIZE if SOAK else 8 << 20)
    gateway.forget_peak()
    before = gateway.memory("VmHWM")
    wires = []
    try:
        for number in range(count):
            face, spoken = WAYS[number % 4]
            wires.append(Wire(gateway.port, receive_buffer=4096))
            wires[-1].send(http_request(FACES[face], body(face, spoken, True)))
        flood.settled()
        grown = gateway.memory("VmHWM") - before
        print(f"\n{grown / count / 1024:.0f} KiB for each of {count}", end="")
        assert grown < (count + 4) << 20
    finally:
        for wire in wires:
            wire.sock.close()
    gateway.wait_for_metric(0, "headgate_in_flight")


@pytest.mark.parametrize(("face", "spoken"), WAYS)
def test_a_client_that_takes_nothing_for_too_long_is_cut(gateway, upstream, face, spoken):
    """R2: after `write_timeout`, with a record, and the provider is let go."""
    upstream.script = Flood()
    recorded, closed = len(gateway.records()), len(upstream.closed_by_client)
    with Wire(gateway.port, receive_buffer=4096) as wire:
        wire.send(http_request(FACES[face], body(face, spoken, True)))
        started = time.monotonic()
        took = upstream.wait_for_close(closed + 1, WRITE_TIMEOUT + 5) - started
        assert WRITE_TIMEOUT * 0.8 < took < WRITE_TIMEOUT + 5
        assert broken_off(wire)
    [record] = gateway.records(recorded + 1)[recorded:]
    assert record["ending"] == "cancelled"


def established(port):
    """How many connections a server holds open, by what the kernel says (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_a_whole_reply_that_is_not_taken_is_dropped(gateway, upstream):
    choice = {"index": 0, "message": {"role": "assistant", "content": "x" * (16 << 20)}, "finish_reason": "stop"}
    upstream.script = json_reply({"id": "x", "choices": [choice]})

    def untaken():
        upstream.requests.clear()
        wires = [Wire(gateway.port, receive_buffer=4096, timeout=WRITE_TIMEOUT + 5) for _ in range(4)]
        for wire in wires:
            wire.send(http_request(FACES["openai"], body("openai", "openai", False)))
        wait_for(lambda: len(upstream.requests) == 4)
        wait_for(lambda: not established(gateway.port), WRITE_TIMEOUT + 15)
        for wire in wires:
            with wire:
                assert broken_off(wire)

    untaken()
    before = gateway.memory()  # what the allocator keeps of the first four it has for the next
    untaken()
    wait_for(lambda: gateway.memory() - before < 24 << 20)


def test_others_are_served_while_many_do_not_read(gateway, upstream):
    async def script(asked):
        if b"quick" in asked.request.body:
            choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
            await asked.send(json_reply({"id": "x", "choices": [choice]}))
        else:
            await Flood()(asked)

    upstream.script = script
    wires = [Wire(gateway.port, receive_buffer=4096) for _ in range(8)]
    try:
        for wire in wires:
            wire.send(http_request(FACES["openai"], body("openai", "openai", True)))
        time.sleep(0.3)
        quick = body("openai", "openai", False).replace(b"hi", b"quick")
        with Wire(gateway.port) as wire:
            for _ in range(50):
                wire.send(http_request(FACES["openai"], quick, key=KEY))
                assert wire.answer().status == 200
    finally:
        for wire in wires:
            wire.sock.close()
    gateway.wait_for_metric(0, "headgate_in_flight")


def test_a_slow_client_gets_all_of_a_stream(gateway, upstream):
    """One that reads little but steadily is served to the end."""
    upstream.script = (chunked_head() + as_chunk(STARTED["openai"]), Sleep(0.1), as_chunk(chunk("y" * 300_000)),
                       as_chunk(ENDED["openai"]), b"0\r\n\r\n")  # fmt: skip
    got = b""
    with Wire(gateway.port, receive_buffer=4096) as wire:
        wire.send(http_request(FACES["openai"], body("openai", "openai", True)))
        while not got.endswith(b"0\r\n\r\n"):
            data = wire.sock.recv(8192)
            assert data
            got += data
            time.sleep(0.01)
    assert got.count(b"y") >= 300_000
