"""Replies of Ollama: read from any split of their bytes, written again, passed on as they came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.mutations import changes, check_reply, mutated
from dialects.ollama_chat.laws import (
    FAILS,
    FIXTURES,
    OWN,
    cases,
    gist,
    needs_recordings,
    parse,
    read,
    recorded,
    reply_of,
    write,
)
from headgate.core import events as ev
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused
from headgate.dialects import ollama_chat
from headgate.dialects.ollama_chat import generate
from together import together

TEXT = (FIXTURES / "streams" / "text.ndjson").read_bytes()
START = ev.Start(id="x", model="m", created=1752148805)
both = together("own", list(OWN))


def stream_of(path):
    return (path.parent.parent / path.parent.name.replace("whole", "streams") / f"{path.stem}.ndjson").read_bytes()


# --- the laws


@cases("streams")
@given(sizes=st.lists(st.integers(0, 3000), max_size=12))
def test_any_split_gives_the_same_events(own, path, sizes):
    data = path.read_bytes()
    assert gist(read(own, data, True, sizes)) == gist(read(own, data, True))


@cases("streams")
def test_byte_by_byte_gives_the_same_events_and_bytes(own, path):
    data = path.read_bytes()
    assert gist(read(own, data, True, range(len(data)))) == gist(read(own, data, True))
    relay = own.relay(True, {})
    passed = b"".join(relay.feed(data[i : i + 1]) for i in range(len(data))) + relay.end()
    assert data.startswith(passed)
    assert relay.complete or relay.failed


@cases("whole")
def test_a_stream_says_what_the_whole_says(own, path):
    assert gist(read(own, stream_of(path), True)) == gist(read(own, path.read_bytes(), False))


@cases("streams", lambda path: path.stem not in FAILS)
def test_a_stream_written_again_says_the_same(own, path):
    events = read(own, path.read_bytes(), True)
    written, lost = write(own, events, True)
    assert lost == []
    assert gist(read(own, written, True)) == gist(events)
    assert parse(own, written, True)[-1].done


@cases("whole")
def test_a_whole_reply_written_again_is_the_same(own, path):
    body = path.read_bytes()
    written, lost = write(own, read(own, body, False), False)
    assert lost == []
    assert json.loads(written) == json.loads(body)
    parse(own, written, False)


@cases("whole")
def test_a_whole_reply_passes_as_it_came(own, path):
    body = path.read_bytes()
    relay = own.relay(False, {})
    assert relay.feed(body) + relay.end() == body
    agree(relay, read(own, body, False))


@cases("streams")
def test_a_stream_passes_as_it_came(own, path):
    data = path.read_bytes()
    relay = own.relay(True, {})
    passed = relay.feed(data) + relay.end()
    if path.stem == "after_the_end":
        assert data.startswith(passed)
        assert passed.count(b"\n") == 2
    else:
        assert passed == data
    agree(relay, read(own, data, True))


def agree(relay, events):
    """What the relay tells is what the reader says."""
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    assert relay.usage == (used[-1] if used else None)
    last = events[-1]
    if isinstance(last, ev.Failed):
        assert not relay.complete
        assert (relay.failed.message, relay.failed.status) == (last.error.message, last.error.status)
    else:
        assert relay.complete
        assert relay.finish == (last.vendor or "stop")


@given(st.integers(1, len(TEXT) - 2))
def test_a_cut_stream_is_known_as_cut(at):
    relay = ollama_chat.relay(True, {})
    try:
        assert TEXT.startswith(relay.feed(TEXT[:at]) + relay.end())
    except ProviderNonsense:  # not one line is there
        assert b"\n" not in TEXT[: at + 1]
        with pytest.raises(ProviderNonsense):
            read(ollama_chat, TEXT[:at], True)
        return
    assert not relay.complete
    assert read(ollama_chat, TEXT[:at], True)[-1] == ev.Stop(reason="cut")


@cases("whole")
@given(made=changes, which=st.integers(0, 20))
def test_odd_replies_are_the_providers_fault_or_understood(own, path, made, which):
    check_reply(own, json.dumps(mutated(json.loads(path.read_bytes()), made)).encode(), False)
    lines = stream_of(path).splitlines()
    which %= len(lines)
    lines[which] = json.dumps(mutated(json.loads(lines[which]), made)).encode()
    check_reply(own, b"\n".join(lines) + b"\n", True)


# --- what a reply says


def test_calls_without_ids_get_one_that_no_other_reply_has():
    data = (FIXTURES / "streams" / "tool_calls_without_ids.ndjson").read_bytes()
    found = [event.id for event in read(ollama_chat, data, True) if isinstance(event, ev.ToolCall)]
    later = data.replace(b"12:00:05", b"12:00:06")
    others = [event.id for event in read(ollama_chat, later, True) if isinstance(event, ev.ToolCall)]
    assert len({*found, *others}) == 4


def test_a_reply_with_calls_ends_for_them():
    events = read(ollama_chat, (FIXTURES / "streams" / "tool_calls.ndjson").read_bytes(), True)
    assert events[-1] == ev.Stop(reason="tool_use", vendor="stop")


def test_usage_keeps_the_durations():
    usage = next(event.usage for event in read(ollama_chat, TEXT, True) if isinstance(event, ev.Used))
    assert (usage.input, usage.output) == (26, 8)
    assert usage.reported["eval_duration"] == 4799921000


def test_the_date_is_read():
    assert read(ollama_chat, TEXT, True)[0] == ev.Start(model="llama3.2", created=1752148805)
    odd = TEXT.replace(b"2025-07-10T12:00:05Z", b"2025-07-10T14:00:05.123456789+02:00")
    assert read(ollama_chat, odd, True)[0].created == 1752148805


def test_an_error_in_the_stream_is_a_failure():
    data = (FIXTURES / "streams" / "error_of_the_cloud.ndjson").read_bytes()
    events = read(ollama_chat, data, True)
    assert isinstance(events[-1], ev.Failed)
    assert (events[-1].error.status, events[-1].error.message) == (429, "rate limited")
    written, _ = write(ollama_chat, events, True)
    assert json.loads(written.splitlines()[-1])["error"] == "rate limited"
    assert b'"done":true' not in written


def test_an_error_instead_of_a_reply_is_raised():
    for call in (
        lambda: read(ollama_chat, b'{"error":"no"}', False),
        lambda: ollama_chat.relay(False, {}).feed(b'{"error":"no"}'),
    ):
        with pytest.raises(ProviderRefused):
            call()


@both
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("body", [b"<html>no</html>", b'{"x":1}', b"[1]", b"", b"no\n"])
def test_what_is_no_reply_is_said(own, body, stream):
    with pytest.raises(ProviderNonsense):
        read(own, body, stream)
    relay = own.relay(stream, {})
    with pytest.raises(ProviderNonsense):
        assert relay.feed(body) + relay.end() == b""


def test_a_whole_reply_must_be_done():
    body = TEXT.splitlines()[0]
    with pytest.raises(ProviderNonsense):
        read(ollama_chat, body, False)
    relay = ollama_chat.relay(False, {})
    relay.feed(body)
    assert not relay.complete


def test_a_call_is_said_when_its_arguments_are_there():
    events = [
        START,
        ev.Text(text="I look."),
        ev.ToolCall(id="a", name="f", block=1),
        ev.ToolInput(json='{"x":', block=1),
        ev.ToolCall(id="b", name="g", block=2),
        ev.ToolInput(json="{}", block=2),
        ev.ToolInput(json="1}", block=1),
        ev.Stop(reason="tool_use"),
    ]
    lines = [json.loads(line) for line in write(ollama_chat, events, True)[0].splitlines()]
    said = [call for line in lines for call in line["message"].get("tool_calls", [])]
    assert said == [
        {"id": "a", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}},
        {"id": "b", "function": {"index": 1, "name": "g", "arguments": {}}},
    ]
    assert lines[-1]["done_reason"] == "stop"
    whole = json.loads(write(ollama_chat, events, False)[0])
    assert whole["message"]["tool_calls"] == said


@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_said_is_named(stream):
    events = [
        START,
        ev.Thinking(text="hm", signature="c2ln"),
        ev.Thinking(redacted="xx", block=1),
        ev.Citation(dialect="other", value={}, block=2),
        ev.Native(dialect="other", name="audio", value={}),
        ev.Image(base64="AAAA", media_type="image/png"),
        ev.ToolCall(id="a", name="f", block=3),
        ev.ToolInput(json="no", block=3),
        ev.Text(text="b", choice=1),
        ev.Stop(reason="refusal", sequence="x", native={"more": 1}),
    ]
    written, lost = write(ollama_chat, events, stream)
    assert b'{"invalid_json":"no"}' in written
    assert {loss.path for loss in lost} == {
        "reply.thinking.signature",
        "reply.redacted_thinking",
        "reply.citations",
        "reply.audio",
        "reply.images",
        "reply.tool_calls.arguments",
        "reply.choices[1]",
        "reply.stop_sequence",
        "reply.done_reason",
        "reply.choices[0].more",
    }


def test_generate_calls_no_tools():
    events = [START, ev.Text(text="a"), ev.ToolCall(id="a", name="f", block=1), ev.Stop(reason="tool_use")]
    written, lost = write(generate, events, False)
    assert json.loads(written)["response"] == "a"
    assert [loss.path for loss in lost] == ["reply.tool_calls"]


@both
def test_a_cut_reply_has_no_end(own):
    events = [START, ev.Text(text="a"), ev.Stop(reason="cut")]
    with pytest.raises(ProviderError):
        write(own, events, False)
    assert b'"done":true' not in write(own, events, True)[0]


# --- recorded traffic


@both
@needs_recordings
def test_recorded_replies_pass_and_are_read(own):
    seen = 0
    for exchange in recorded(own):
        data, stream = reply_of(exchange)
        if exchange["response"]["status"] != 200:
            error = own.read_error(exchange["response"]["status"], data)
            assert error.message == json.loads(data)["error"]
            assert error.kind == "not_found"
            continue
        relay = own.relay(stream, {})
        assert relay.feed(data) + relay.end() == data, exchange["id"]
        events = read(own, data, stream)
        agree(relay, events)
        written, lost = write(own, events, stream)
        assert lost == []
        assert gist(read(own, written, stream))[0] == gist(events)[0] or any(
            isinstance(event, ev.ToolCall) for event in events
        )
        parse(own, written, stream)
        seen += 1
    assert seen > 45
