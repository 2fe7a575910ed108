"""Replies of the Gemini API: read from any split of their bytes, written again, passed on as they came."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.gemini_generate.laws import (
    BEYOND_SDK,
    FAILS,
    FIXTURES,
    PAIRS,
    STREAMS,
    WHOLE,
    asked,
    gist,
    named,
    parse,
    pieces,
    read,
    write,
)
from dialects.mutations import changes, check_reply, check_stream, mutated
from headgate.core import events as ev
from headgate.core.errors import ProviderCut, ProviderNonsense, ProviderRefused, ProviderTimeout
from headgate.core.usage import Usage
from headgate.dialects import gemini_generate as dialect
from together import together

ENDS = [path for path in STREAMS if path.stem not in FAILS]
START = ev.Start(id="x", model="m")


def reply(name):
    return (FIXTURES / "whole" / f"{name}.json").read_bytes()


def stream(name):
    return (FIXTURES / "streams" / name).read_bytes()


# --- the laws


@together(("whole", "streamed"), PAIRS)
def test_a_stream_says_what_the_whole_reply_says(whole, streamed):
    assert gist(read(streamed.read_bytes(), True)) == gist(read(whole.read_bytes(), False))


@named(STREAMS)
@given(sizes=st.lists(st.integers(0, 4000), max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_split_gives_the_same(path, sizes):
    data = path.read_bytes()
    assert gist(outcome(data, sizes)) == gist(outcome(data))
    assert relayed(data, asked(path), sizes) == relayed(data, asked(path))


@named(STREAMS)
def test_byte_by_byte(path):
    data = path.read_bytes()
    assert gist(outcome(data, range(len(data)))) == gist(outcome(data))
    assert relayed(data, asked(path), range(len(data))) == relayed(data, asked(path))


def outcome(data, sizes=None):
    try:
        return read(data, True, sizes)
    except ProviderRefused as error:
        return [ev.Failed(error=error)]


def relayed(data, request, sizes=None):
    """What passes, and what a record is told."""
    relay = dialect.relay(True, request)
    passed = b"".join([*(relay.feed(piece) for piece in pieces(data, sizes)), relay.end()])
    failed = relay.failed and (relay.failed.status, relay.failed.kind)
    return passed, relay.usage, relay.finish, relay.id, relay.started, relay.complete, failed


@named(STREAMS)
def test_a_stream_passes_as_it_came(path):
    data = path.read_bytes()
    relay = dialect.relay(True, asked(path))
    passed = relay.feed(data) + relay.end()
    if path.stem == "error_in_array":  # its end is ours
        assert json.loads(passed) == json.loads(data)
    else:
        assert passed.rstrip() == data.rstrip()
    assert relay.complete == (path.stem not in FAILS)
    agree(relay, read(data, True))


@named(WHOLE)
def test_a_whole_reply_passes_as_it_came(path):
    relay = dialect.relay(False, {})
    assert relay.feed(path.read_bytes()) + relay.end() == path.read_bytes()
    assert (relay.complete, relay.failed) == (True, None)
    agree(relay, read(path.read_bytes(), False))


def agree(relay, events):
    """What the relay tells is what the reader says."""
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    assert relay.usage == (used[-1] if used else None)
    assert (relay.id or "") == next((event.id for event in events if isinstance(event, ev.Start)), "")
    if relay.complete:
        assert relay.finish == next(event.vendor for event in events if isinstance(event, ev.Stop))
    else:
        assert isinstance(events[-1], ev.Failed)
        assert relay.failed.message == events[-1].error.message


@named(ENDS)
def test_a_stream_written_again_says_the_same(path):
    events = read(path.read_bytes(), True)
    for request in ({"alt": "sse"}, {}):
        written, lost = write(events, True, request)
        assert lost == []
        assert gist(read(written, True)) == gist(events)
    if path.stem not in BEYOND_SDK:
        parse(write(events, True)[0], True)


@named(WHOLE)
def test_a_whole_reply_written_again_says_the_same(path):
    events = read(path.read_bytes(), False)
    written, lost = write(events, False)
    assert lost == []
    assert gist(read(written, False)) == gist(events)
    assert gist(read(write(events, True)[0], True)) == gist(events)
    if path.stem not in BEYOND_SDK:
        [parsed] = parse(written, False)
        assert parsed.usage_metadata.prompt_token_count


@pytest.mark.parametrize("name", ["text.sse", "parallel_calls.sse", "lf.sse", "text.array", "thinking.array"])
def test_a_stream_cut_anywhere_is_known_as_cut(name):
    data, request = stream(name), {} if name.endswith("array") else {"alt": "sse"}
    mark = data.index(b'"finishReason"')
    for end in range(len(data)):
        passed, _, finish, _, _, complete, _ = relayed(data[:end], request)
        assert data.startswith(passed.rstrip())
        events = outcome(data[:end])
        ended = isinstance(events[-1], ev.Stop) and events[-1].reason != "cut"
        assert complete == ended
        if end <= mark:
            assert not complete
        if complete:  # all but white space had come
            assert finish == "STOP"
            assert data[end:].strip() in (b"", b"]")
            assert name.endswith("sse") or data[:end].rstrip().endswith(b"]")


@named(WHOLE)
def test_a_whole_reply_cut_anywhere_is_nonsense(path):
    data = path.read_bytes().rstrip()
    for end in range(0, len(data), 7):
        with pytest.raises(ProviderNonsense):
            read(data[:end], False)
        with pytest.raises(ProviderNonsense):
            dialect.relay(False, {}).feed(data[:end])


@named([path for path in STREAMS if path.suffix == ".sse"])
@given(st.integers(0, 20), changes)
@settings(max_examples=40, deadline=None)
def test_an_odd_stream_is_the_providers_fault_or_understood(path, which, made):
    check_stream(dialect, path.read_bytes(), which, made)


@named(WHOLE)
@given(changes)
@settings(max_examples=40, deadline=None)
def test_an_odd_reply_is_the_providers_fault_or_understood(path, made):
    check_reply(dialect, json.dumps(mutated(json.loads(path.read_bytes()), made)).encode(), False)


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_the_providers_fault(data, array):
    for start in (b"", b"data: {", b'[{"candidates":'):
        check_reply(dialect, start + data, True)
    check_reply(dialect, data, False)


# --- what is no reply


@together("body", [b"", b"<html>", b"null", b"[]", b"{}", b'{"candidates":[]}', b"\xff", b'{"a":1}'])
def test_what_is_no_reply_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        read(body, False)
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)


@pytest.mark.parametrize("start", [b"<html><body>", b"Bad gateway", b"\n <!doctype html>"])
@pytest.mark.parametrize("request_", [{"alt": "sse"}, {}])
def test_what_is_no_stream_is_known_by_its_first_bytes(start, request_):
    for part in (dialect.relay(True, request_), dialect.reader(True)):
        with pytest.raises(ProviderNonsense):
            part.feed(start)


@pytest.mark.parametrize("request_", [{"alt": "sse"}, {}])
def test_an_error_where_a_stream_should_begin_is_the_providers(request_):
    body = b'{\n  "error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}\n}\n'
    for part in (dialect.relay(True, request_), dialect.reader(True)):
        with pytest.raises(ProviderRefused) as caught:
            part.feed(body)
        assert (caught.value.status, caught.value.kind, caught.value.retryable) == (429, "RESOURCE_EXHAUSTED", True)
    for attempt in (lambda: dialect.relay(False, {}).feed(body), lambda: read(body, False)):
        with pytest.raises(ProviderRefused):
            attempt()


def test_a_host_that_does_not_stream_is_read_all_the_same():
    assert gist(read(reply("text"), True)) == gist(read(reply("text"), False))


# --- what a reply says


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("text", {"input": 12, "output": 34}),
        ("thinking", {"input": 12, "output": 34, "reasoning": 20}),
        ("code_execution", {"input": 62, "output": 34}),
        ("image", {"input": 12, "output": 14, "output_image": 1290}),
        ("speech", {"input": 12, "output_audio": 34}),
        ("cached_media", {"input": 100, "cache_read": 400, "input_image": 200, "input_video": 200, "input_audio": 100,
                          "output": 10, "reasoning": 5, "tier": "ON_DEMAND"}),
        ("grounding", {"input": 12, "output": 34, "server_tools": {"google_search": 2}}),
    ],
)  # fmt: skip
def test_usage_in_disjoint_classes(name, classes):
    [usage] = [event.usage for event in read(reply(name), False) if isinstance(event, ev.Used)]
    found = {key: getattr(usage, key) for key in usage.__struct_fields__ if key != "reported"}
    assert {key: value for key, value in found.items() if value} == classes
    total = usage.reported["totalTokenCount"]
    assert usage.prompt + usage.completion == total


@pytest.mark.parametrize(
    ("name", "reason", "vendor"),
    [
        ("text", "stop", "STOP"),
        ("tool_call", "tool_use", "STOP"),
        ("max_tokens", "length", "MAX_TOKENS"),
        ("safety", "refusal", "SAFETY"),
        ("blocked_prompt", "refusal", "PROHIBITED_CONTENT"),
        ("malformed_call", "stop", "MALFORMED_FUNCTION_CALL"),
        ("new_reason", "stop", "FUTURE_REASON"),
    ],
)
def test_why_it_ended(name, reason, vendor):
    stop = read(reply(name), False)[-1]
    assert (stop.reason, stop.vendor) == (reason, vendor)


def test_calls_and_their_proofs():
    events = read(stream("parallel_calls.sse"), True)
    calls = [event for event in events if isinstance(event, ev.ToolCall)]
    assert [(call.id, call.name, call.signer) for call in calls] == [
        ("a1", "weather", "gemini_generate"),
        ("b2", "time", ""),
    ]
    ids = [event.id for event in read(reply("calls_without_ids"), False) if isinstance(event, ev.ToolCall)]
    assert len(set(ids)) == 2
    assert ids == [event.id for event in read(stream("calls_without_ids.sse"), True) if isinstance(event, ev.ToolCall)]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("arguments_in_pieces.sse", {"ops": [{"act": "add"}, {"a b": 2.5}], "deep": {"on": True}, "none": None}),
        ("arguments_without_end.sse", {"a": "b"}),
    ],
)
def test_arguments_that_come_in_pieces(name, given):
    [text] = [event.json for event in read(stream(name), True) if isinstance(event, ev.ToolInput)]
    assert json.loads(text) == given


def test_an_argument_at_a_place_that_no_list_has():
    data = stream("arguments_in_pieces.sse").replace(b"$.ops[1]['a b']", b"$.ops[%b]['a b']" % (b"9" * 5000))
    assert [event.json for event in read(data, True) if isinstance(event, ev.ToolInput)]


def test_sources_of_a_search():
    [source] = [event.value for event in read(stream("grounding.sse"), True) if isinstance(event, ev.Citation)]
    assert source == {"uri": "https://example.com/sky", "title": "Sky", "grounding": True}


def test_a_time_of_vertex():
    assert read(reply("vertex"), False)[0].created == 1761230462


def test_enums_as_numbers():
    body = json.loads(reply("text"))
    body["candidates"][0]["finishReason"] = 2
    body["usageMetadata"]["promptTokensDetails"] = [{"modality": 2, "tokenCount": 5}, {"modality": 1, "tokenCount": 7}]
    events = read(json.dumps(body).encode(), False)
    assert events[-1].vendor == "MAX_TOKENS"
    assert events[-2].usage.input_image == 5


# --- what is written of other dialects' events


def test_calls_of_another_vendor_are_marked_as_unsigned():
    events = [
        START,
        ev.ToolCall(id="call_1", name="f"),
        ev.ToolCall(block=1, id="call_2", name="g"),
        ev.ToolInput(block=1, json='{"b":'),
        ev.ToolInput(block=0, json='{"a":1}'),
        ev.ToolInput(block=1, json="2}"),
        ev.Used(usage=Usage(input=3, cache_read=1, output=4, reasoning=2)),
        ev.Stop(reason="tool_use", vendor="tool_calls"),
    ]
    for streamed in (True, False):
        written, lost = write(events, streamed)
        assert lost == []
        last = parse(written, streamed)[-1]
        calls = last.candidates[0].content.parts
        assert [(part.function_call.id, part.function_call.args) for part in calls] == [
            ("call_1", {"a": 1}),
            ("call_2", {"b": 2}),
        ]
        assert [part.thought_signature for part in calls] == [b"headgate:unsigned", None]
        assert last.candidates[0].finish_reason == "STOP"
        usage = last.usage_metadata
        assert (usage.prompt_token_count, usage.cached_content_token_count) == (4, 1)
        assert (usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count) == (4, 2, 10)


def test_thinking_of_another_vendor_keeps_its_proof_wrapped():
    events = [
        START,
        ev.Thinking(text="Let "),
        ev.Thinking(text="me."),
        ev.Thinking(signature="c2ln", signer="anthropic_messages"),
        ev.Text(block=1, text="Hi!"),
        ev.Stop(reason="stop", vendor="end_turn"),
    ]
    for streamed in (True, False):
        written, lost = write(events, streamed)
        assert lost == []
        contents = [piece.candidates[0].content for piece in parse(written, streamed)]
        parts = [part for content in contents if content for part in content.parts]
        assert "".join(part.text for part in parts if part.thought) == "Let me."
        [proof] = [part.thought_signature for part in parts if part.thought_signature]
        assert proof == b"headgate:signed:anthropic_messages:c2ln"
        [found] = [event for event in read(written, streamed) if isinstance(event, ev.Thinking) and event.signature]
        assert (found.signature, found.signer) == ("c2ln", "anthropic_messages")


@together(
    ("piece", "stop", "word", "lost"),
    [
        (ev.Text(text="x"), ev.Stop(reason="stop_sequence", vendor="stop_sequence", sequence="E"), "STOP",
         ["reply.stop_sequence"]),
        (ev.Text(text="x"), ev.Stop(reason="length", vendor="length"), "MAX_TOKENS", []),
        (ev.Text(text="x"), ev.Stop(reason="context", vendor="c"), "MAX_TOKENS", ["reply.finishReason"]),
        (ev.Text(text="x"), ev.Stop(reason="pause", vendor="pause_turn"), "STOP", ["reply.finishReason"]),
        (ev.Text(text="x"), ev.Stop(reason="refusal", vendor="content_filter"), "SAFETY", []),
        (ev.Refusal(text="No."), ev.Stop(reason="stop", vendor="stop"), "SAFETY", []),
        (ev.ToolCall(id="c", name="f"), ev.Stop(reason="tool_use", vendor="tool_use"), "STOP", []),
        (ev.Native(dialect="other", name="audio", value={}), ev.Stop(reason="stop"), "STOP", ["reply.audio"]),
        (ev.Thinking(redacted="x"), ev.Stop(reason="stop"), "STOP", ["reply.redacted_thinking"]),
        (ev.Citation(dialect="o", value={"url": "https://a.b", "title": "T"}), ev.Stop(reason="stop"), "STOP", []),
        (ev.Citation(dialect="o", value={"quote": "x"}), ev.Stop(reason="stop"), "STOP", ["reply.citations"]),
        (ev.Text(text="x"), ev.Stop(reason="stop", native={"container": 1}), "STOP", ["reply.candidates.container"]),
    ],
)  # fmt: skip
def test_ends_of_other_dialects(piece, stop, word, lost):
    for streamed in (True, False):
        written, found = write([START, piece, stop], streamed)
        assert [loss.path for loss in found] == lost
        assert parse(written, streamed)[-1].candidates[0].finish_reason == word


@pytest.mark.parametrize(("text", "given"), [("", {}), ("{}", {}), ("{oops", {"invalid_json": "{oops"})])
def test_arguments_of_any_kind_are_written(text, given):
    events = [START, ev.ToolCall(id="a", name="f"), ev.ToolInput(json=text), ev.Stop(reason="tool_use")]
    written, lost = write(events, False)
    assert parse(written, False)[0].function_calls[0].args == given
    assert [loss.path for loss in lost] == (["reply.functionCall.args"] if "invalid_json" in given else [])


def test_log_probabilities_of_openai():
    score = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Hi", "logprob": -0.5}]}
    written, _ = write([START, ev.Text(text="Hi", logprobs=[score]), ev.Stop(reason="stop")], False)
    result = parse(written, False)[0].candidates[0].logprobs_result
    assert (result.chosen_candidates[0].token, result.chosen_candidates[0].log_probability) == ("Hi", -0.5)
    assert result.top_candidates[0].candidates[0].token == "Hi"


@pytest.mark.parametrize("last", [ev.Stop(reason="cut"), ev.Failed(error=ProviderTimeout("late"))])
def test_a_reply_that_broke_off_gets_no_end(last):
    events = [START, ev.Text(text="x"), last]
    for request in ({"alt": "sse"}, {}):
        written, _ = write(events, True, request)
        assert b"finishReason" not in written
        assert not written.endswith(b"]")
    with pytest.raises((ProviderCut, ProviderTimeout)):
        write(events, False)
