"""Replies of Chat Completions passed on: byte for byte, or as if the gateway had not asked for the usage."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderNonsense, ProviderRefused
from headgate.core.events import Used
from headgate.dialects import openai_chat
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
WHOLES = sorted((FIXTURES / "whole").glob("*.json"))
ASKED = {"stream": True, "stream_options": {"include_usage": True}}
UNMARKED = {"no_done", "error_in_mid_stream"}


def stream_of(name):
    return (FIXTURES / "streams" / f"{name}.sse").read_bytes()


def pass_on(data, request, cuts=()):
    relay = openai_chat.relay(True, request)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    out = [relay.feed(data[start:end]) for start, end in pairwise(at)]
    return b"".join(out) + relay.end(), relay


def facts(relay):
    return relay.usage, relay.started, relay.complete, relay.finish, relay.id


@together("path", STREAMS)
@given(cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_bytes_pass_as_they_came(path, cuts):
    data = path.read_bytes()
    owed = b"data: [DONE]\n\n" if path.stem == "no_done" else b""
    out, relay = pass_on(data, ASKED, cuts)
    assert out == data + owed
    assert facts(relay) == facts(pass_on(data, ASKED)[1])
    assert relay.complete == (path.stem != "error_in_mid_stream")


@together("path", STREAMS)
@together("request_", [ASKED, {"n": 2}])
def test_what_the_record_needs(path, request_):
    data = path.read_bytes()
    _, relay = pass_on(data, request_)
    reader = openai_chat.reader(stream=True)
    used = [event.usage for event in reader.feed(data) + reader.end() if isinstance(event, Used)]
    assert relay.usage == (used[-1] if used else None)
    assert relay.id
    assert relay.started == (path.stem != "empty_content")
    assert (relay.finish is None) == (relay.failed is not None)


@together("path", STREAMS)
@given(cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_what_only_the_gateway_asked_for_is_taken_out(path, cuts):
    data = path.read_bytes()
    out, relay = pass_on(data, {"stream": True}, cuts)
    chunks = data.replace(b"\r\n", b"\n").split(b"\n\n")
    expected = [
        chunk.replace(b',"usage":null', b"").replace(b', "usage": null', b"")
        for chunk in chunks
        if not (b'"choices":' in chunk.replace(b"[],", b"#") and b'"prompt_tokens"' in chunk and is_alone(chunk))
    ]
    assert out.replace(b"\r\n", b"\n").removesuffix(b"data: [DONE]\n\n") == b"\n\n".join(expected).removesuffix(
        b"data: [DONE]\n\n"
    )
    assert facts(relay) == facts(pass_on(data, ASKED)[1])


def is_alone(chunk):
    return not json.loads(chunk.removeprefix(b"data: "))["choices"]


def test_the_usage_chunk_and_the_nulls_exactly():
    data = (
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x,\\"usage\\":null"}}],"usage":null}\n\n'
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"y"}}],"usage":null,"obfuscation":"q"}\n\n'
        b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
        b'data: {"id":"a","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
        b"data: [DONE]\n\n"
    )
    out, relay = pass_on(data, {"stream": True, "stream_options": {"include_usage": False}}, range(len(data)))
    assert out == (
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x,\\"usage\\":null"}}]}\n\n'
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"y"}}],"obfuscation":"q"}\n\n'
        b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    assert relay.usage is not None
    assert (relay.usage.input, relay.usage.output) == (1, 2)


def test_an_answer_that_speaks_of_the_marks_passes():
    text = 'data: [DONE]\n\n"usage":{"finish_reason":"stop"} "error"'
    chunk = {"id": "a", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    relay = openai_chat.relay(True, {})
    for _ in range(3):
        assert relay.feed(data) == data
    assert not relay.complete
    assert (relay.finish, relay.usage, relay.failed) == (None, None, None)


def test_started_is_the_first_piece_of_the_answer():
    relay = openai_chat.relay(True, ASKED)
    first, second, *_ = (part + b"\n\n" for part in stream_of("text").split(b"\n\n"))
    relay.feed(first)
    assert not relay.started
    relay.feed(second)
    assert relay.started


@together("path", STREAMS)
def test_a_truncated_stream_is_flagged(path):
    data = path.read_bytes()
    finished = data.rfind(b'"finish_reason"')
    for cut in range(len(data)):
        try:
            out, relay = pass_on(data[:cut], ASKED)
        except ProviderRefused:
            continue
        owed = b"data: [DONE]\n\n"
        if relay.complete:
            assert cut > finished, "complete without a reason to stop"
            assert data.startswith(out.removesuffix(owed))
        else:
            assert data.startswith(out)
            assert out.endswith((b"\n\n", b"\r\n\r\n", b"\r\n\r")) or not out


def test_every_choice_must_have_its_end():
    data = stream_of("choices").replace(b"data: [DONE]\n\n", b"")
    assert pass_on(data, {**ASKED, "n": 2})[1].complete
    frames = data.split(b"\n\n")
    last = next(at for at, frame in enumerate(frames) if b'"finish_reason":"stop"' in frame and b'"index":1' in frame)
    out, relay = pass_on(b"\n\n".join(frames[:last]) + b"\n\n", {**ASKED, "n": 2})
    assert not relay.complete
    assert b"[DONE]" not in out


def test_what_follows_the_end_is_dropped():
    data = stream_of("text")
    relay = openai_chat.relay(True, ASKED)
    assert relay.feed(data + b"data: junk\n\n") == data
    assert relay.feed(b"data: more\n\n") == b""
    assert relay.end() == b""


def test_a_last_mark_without_its_blank_line():
    data = stream_of("text")
    assert pass_on(data[:-2], ASKED)[0] == data


def test_an_error_in_mid_stream():
    _, relay = pass_on(stream_of("error_in_mid_stream"), ASKED)
    assert relay.failed is not None
    assert (relay.failed.status, relay.failed.message) == (503, "The model broke down")
    assert not relay.complete


def test_chunks_unknown_to_us_pass():
    first = stream_of("text").split(b"\n\n")[0] + b"\n\n"
    odd = b'event: new\ndata: not json "error"\n\ndata: {"type":"new","error":null}\n\n'
    assert pass_on(first + odd, ASKED)[0] == first + odd


@pytest.mark.parametrize(
    "body",
    [
        b"<html>no</html>",
        b"<html>\n\n</html>",
        b"Bad gateway",
        b"data: <html>\n\n",
        b'data: {"x":1}\n\n',
        b"data: [DONE]\n\n",
    ],
)
def test_what_is_no_stream_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        pass_on(body, ASKED)


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_with_status_200(stream):
    relay = openai_chat.relay(stream, ASKED)
    with pytest.raises(ProviderRefused) as caught:
        relay.feed(b'{"error":{"message":"No","code":429}}')
    assert caught.value.status == 429


def test_a_whole_reply_where_a_stream_was_asked_for():
    relay = openai_chat.relay(True, ASKED)
    assert relay.feed((FIXTURES / "whole" / "text.json").read_bytes()) == b""
    with pytest.raises(ProviderNonsense, match="a stream was asked for"):
        relay.end()


def test_json_instead_of_a_stream_is_waited_for_as_long_as_it_may_be_an_error():
    relay = openai_chat.relay(True, ASKED)
    assert relay.feed(b'{"choices":[' + b" " * 60_000) == b""
    with pytest.raises(ProviderNonsense):
        relay.feed(b" " * 10_000)


@pytest.mark.parametrize("message", [b"5", b"[]", b"null", b'"x"'])
def test_a_message_that_is_no_object_is_nonsense(message):
    body = b'{"id":"a","choices":[{"index":0,"message":' + message + b',"finish_reason":"stop"}]}'
    with pytest.raises(ProviderNonsense):
        openai_chat.relay(False, {}).feed(body)


def test_azure_leaves_out_the_message_its_filter_took():
    body = b'{"id":"a","choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}]}'
    assert openai_chat.relay(False, {}).feed(body) == body


@together("path", WHOLES)
def test_whole(path):
    data = path.read_bytes()
    relay = openai_chat.relay(False, {})
    assert relay.feed(data) == data
    assert relay.end() == b""
    body = json.loads(data)
    assert relay.complete
    assert relay.started
    assert (relay.id, relay.finish) == (body["id"], body["choices"][0]["finish_reason"])
    assert (relay.usage.reported if relay.usage else None) == body.get("usage")


@pytest.mark.parametrize("cut", [0, 1, 50, -2])
def test_half_a_whole_reply_is_nonsense(cut):
    data = (FIXTURES / "whole" / "text.json").read_bytes().strip()
    with pytest.raises(ProviderNonsense):
        openai_chat.relay(False, {}).feed(data[:cut])


@pytest.mark.parametrize("asked", [False, True])
def test_a_host_that_mixes_its_spelling_is_read_all_the_same(asked):
    request = {"stream": True, **({"stream_options": {"include_usage": True}} if asked else {})}
    relay = openai_chat.relay(True, request)
    first = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}\n\n'
    last = b'data: {"id":"c", "choices": [{"index": 0, "delta": {}, "finish_reason" : "length"}]}\n\n'
    used = b'data: {"id": "c", "choices": [], "usage" : {"prompt_tokens": 3, "completion_tokens": 4}}\n\n'
    out = [relay.feed(frame) for frame in (first, last, used, b"data: [DONE]\n\n")]
    assert (relay.finish, relay.complete) == ("length", True)
    assert relay.usage is not None
    assert (relay.usage.input, relay.usage.output) == (3, 4)
    assert out[2] == (used if asked else b"")
