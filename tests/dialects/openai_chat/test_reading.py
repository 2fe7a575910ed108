"""Replies of Chat Completions read as events: any split, stream = whole, truncation, usage, ways of hosts."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderNonsense, ProviderRefused
from headgate.core.events import Citation, Failed, Refusal, Start, Stop, Text, Thinking, ToolCall, ToolInput, Used
from headgate.dialects import openai_chat
from headgate.dialects.openai_usage import read_usage
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
WHOLES = sorted((FIXTURES / "whole").glob("*.json"))
PAIRS = sorted({path.stem for path in STREAMS} & {path.stem for path in WHOLES})


def read(data, cuts=(), stream=True):
    reader = openai_chat.reader(stream)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    events = []
    for start, end in pairwise(at):
        events += reader.feed(data[start:end])
    return events + reader.end()


def stream_of(name):
    return read((FIXTURES / "streams" / f"{name}.sse").read_bytes())


def whole_of(name):
    return read((FIXTURES / "whole" / f"{name}.json").read_bytes(), stream=False)


def pick(events, kind):
    return [event for event in events if isinstance(event, kind)]


def content(events):
    """The pieces per choice and block, joined; what a reply says, however it was cut."""
    pieces = {}
    for event in events:
        key = (event.choice, event.block)
        match event:
            case Text() | Refusal() | Thinking():
                piece = pieces.setdefault(key, {"kind": type(event).__name__, "text": "", "logprobs": []})
                piece["text"] += event.text
                piece["logprobs"] += getattr(event, "logprobs", None) or []
            case ToolCall():
                pieces[key] = {"kind": "call", "id": event.id, "name": event.name, "custom": event.custom, "text": ""}
            case ToolInput():
                pieces[key]["text"] += event.json
            case Citation():
                pieces.setdefault(key, {}).setdefault("citations", []).append(event.value)
            case Stop():
                pieces[(event.choice, "stop")] = (event.reason, event.vendor)
    return pieces


@together("path", STREAMS)
@given(cuts=st.lists(st.integers(0, 5000), max_size=8))
def test_any_split_gives_the_same_events(path, cuts):
    data = path.read_bytes()
    whole = read(data)
    assert repr(read(data, cuts)) == repr(whole)
    assert isinstance(whole[-1], Stop | Failed)


@pytest.mark.parametrize("name", ["text", "tool_calls", "crlf"])
def test_byte_by_byte(name):
    data = (FIXTURES / "streams" / f"{name}.sse").read_bytes()
    assert read(data, range(len(data))) == read(data)


@together("name", PAIRS)
def test_a_stream_says_what_the_whole_reply_says(name):
    streamed, whole = stream_of(name), whole_of(name)
    assert content(streamed) == content(whole)
    assert pick(streamed, Used) == pick(whole, Used)
    assert (pick(streamed, Start)[0].id, pick(streamed, Start)[0].model) == (
        pick(whole, Start)[0].id,
        pick(whole, Start)[0].model,
    )


def test_there_are_pairs():
    assert len(PAIRS) > 15


@together("path", [*STREAMS, *WHOLES])
def test_events_are_in_order(path):
    events = read(path.read_bytes(), stream=path.suffix == ".sse")
    assert isinstance(events[0], Start)
    assert len(pick(events, Start)) == 1
    if pick(events, Failed):
        return
    stops = pick(events, Stop)
    assert events[-len(stops) :] == stops
    assert [stop.choice for stop in stops] == sorted({event.choice for event in events})
    for choice in {event.choice for event in events}:
        begun = list(
            dict.fromkeys(
                e.block for e in events if e.choice == choice and isinstance(e, Text | ToolCall | Thinking | Refusal)
            )
        )
        assert begun == sorted(begun) == list(range(len(begun)))


@together("path", STREAMS)
def test_a_truncated_stream_is_flagged(path):
    data = path.read_bytes()
    whole = read(data)
    told = len(pick(whole, Used))
    for cut in range(len(data)):
        reader = openai_chat.reader(stream=True)
        try:
            events = reader.feed(data[:cut])
        except ProviderRefused:  # the error of a stream that has only that
            continue
        events += reader.end()
        last = events[-1]
        if isinstance(last, Stop) and last.reason != "cut":  # every choice had its end, only usage or [DONE] is missing
            assert content(events) == content(whole)
            assert len(pick(events, Used)) <= told
        else:
            assert isinstance(last, Failed) or last == Stop(reason="cut")


@together("path", WHOLES)
def test_a_truncated_whole_reply_is_nonsense(path):
    data = path.read_bytes().strip()
    for cut in range(len(data)):
        with pytest.raises(ProviderNonsense):
            read(data[:cut], stream=False)


NO_REPLIES = [
    b"",
    b"<html>no</html>",
    b"null",
    b"[]",
    b'"x"',
    b"{}",
    b'{"choices":null}',
    b'{"choices":[]}',
    b'{"id":5}',
]


@together("body", [*NO_REPLIES, b'{"choices":["x"]}', b"\xff"])
def test_what_is_no_reply_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        read(body, stream=False)


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
        read(body)


@pytest.mark.parametrize(("code", "status"), [(429, 429), ("x", 502), (200, 502)])
@pytest.mark.parametrize("stream", [True, False])
def test_an_error_with_status_200(code, status, stream):
    body = json.dumps({"error": {"message": "No", "code": code}}).encode()
    with pytest.raises(ProviderRefused) as caught:
        read(body, stream=stream)
    assert (caught.value.status, caught.value.message) == (status, "No")


def test_an_error_in_mid_stream():
    events = stream_of("error_in_mid_stream")
    assert events[1] == Text(text="may")
    assert isinstance(events[-1], Failed)
    assert (events[-1].error.status, events[-1].error.message) == (503, "The model broke down")


@pytest.mark.parametrize("begun", [True, False])
def test_an_error_whose_fields_stand_at_the_top(begun):
    """Mistral's and vLLM's."""
    error = {"object": "error", "message": "No room", "type": "x", "code": "3505", "raw_status_code": 503}
    start = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n' if begun else b""
    data = start + b"data: " + json.dumps(error).encode() + b"\n\n"
    failed = read(data, stream=True)[-1]
    assert isinstance(failed, Failed)
    assert (failed.error.status, failed.error.message, failed.error.kind) == (503, "No room", "x")
    relay = openai_chat.relay(True, {})
    assert relay.feed(data) == data
    assert relay.failed is not None
    assert relay.failed.message == "No room"


def test_an_empty_stream_is_cut():
    assert read(b"") == [Stop(reason="cut")]
    assert read(b": hello\n\n") == [Stop(reason="cut")]


def test_a_host_that_does_not_stream():
    body = (FIXTURES / "whole" / "text.json").read_bytes()
    assert read(body) == whole_of("text")


def test_what_follows_the_end_is_dropped():
    data = (FIXTURES / "streams" / "text.sse").read_bytes()
    assert read(data + b"data: junk\n\n" + data) == read(data)


@pytest.mark.parametrize(
    ("name", "reason", "vendor"),
    [
        ("text", "stop", "stop"),
        ("length", "length", "length"),
        ("tool_calls", "tool_use", "tool_calls"),
        ("tool_call_forced", "tool_use", "stop"),
        ("function_call", "tool_use", "function_call"),
        ("content_filter", "refusal", "content_filter"),
    ],
)
def test_finish_reasons(name, reason, vendor):
    assert stream_of(name)[-1] == Stop(reason=reason, vendor=vendor)


@pytest.mark.parametrize(("vendor", "reason"), [("eos", "stop"), ("model_length", "context"), ("new_word", "stop")])
def test_finish_reasons_of_hosts(vendor, reason):
    body = {"id": "x", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": vendor}]}
    assert read(json.dumps(body).encode(), stream=False)[-1] == Stop(reason=reason, vendor=vendor)


def calls(chunks):
    data = b"".join(
        b"data: "
        + json.dumps({"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": chunk}}]}).encode()
        + b"\n\n"
        for chunk in chunks
    )
    pieces = content(read(data + b"data: [DONE]\n\n"))
    return [(piece["id"], piece["name"], piece["text"]) for key, piece in pieces.items() if key[1] != "stop"]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        # neither index nor id in what follows
        ([[{"id": "a", "function": {"name": "f"}}], [{"function": {"arguments": "{}"}}]], [("a", "f", "{}")]),
        # the id and the name again in every delta
        (
            [[{"index": 0, "id": "a", "function": {"name": "f", "arguments": part}}] for part in ("{", "}")],
            [("a", "f", "{}")],
        ),
        # the name after the id
        (
            [
                [{"index": 0, "id": "a", "function": {"arguments": "{"}}],
                [{"index": 0, "function": {"name": "f", "arguments": "}"}}],
            ],
            [("a", "f", "{}")],
        ),
        # no name at all
        ([[{"index": 0, "id": "a", "function": {"arguments": "{}"}}]], [("a", "", "{}")]),
        # arguments as an object
        ([[{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]], [("a", "f", '{"x":1}')]),
        # a custom tool's call beside it, which is none: Snowflake
        (
            [
                [
                    {
                        "index": 0,
                        "id": "a",
                        "function": {"name": "f", "arguments": "{}"},
                        "custom": {"input": "", "name": ""},
                    }
                ]
            ],
            [("a", "f", "{}")],
        ),
        # no ids: they are made up, and differ
        ([[{"function": {"name": "f"}}], [{"function": {"name": "g"}}]], [("x_0_0", "f", ""), ("x_0_1", "g", "")]),
    ],
)
def test_tool_calls_of_hosts(chunks, expected):
    assert calls(chunks) == expected


def message(**fields):
    """The events of a whole reply with this message."""
    return read(
        json.dumps({"id": "x", "choices": [{"index": 0, "message": fields, "finish_reason": "stop"}]}).encode(),
        stream=False,
    )


def test_fields_that_are_there_and_empty_say_nothing():
    audio = {"data": "", "expires_at": 0, "id": "", "transcript": ""}
    events = message(content="4", function_call={"arguments": "", "name": ""}, audio=audio, refusal="", tool_calls=None)
    assert [type(event) for event in events] == [Start, Text, Stop]
    assert events[-1].reason == "stop"


def test_a_custom_tool_beside_a_function_is_none():
    call = {"id": "a", "function": {"name": "f", "arguments": "{}"}, "custom": {"input": "", "name": ""}}
    assert [event.custom for event in message(tool_calls=[call]) if isinstance(event, ToolCall)] == [False]


def test_json_that_is_no_text_becomes_text():
    [text] = [event.text for event in message(content={"name": "Emily", "age": 32}) if isinstance(event, Text)]
    assert text == '{"name":"Emily","age":32}'


def test_usage_in_disjoint_classes():
    raw = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    ins = {"cached_tokens": 40, "cache_write_tokens": 10, "audio_tokens": 5, "image_tokens": 6}
    outs = {"reasoning_tokens": 30, "audio_tokens": 4}
    usage = read_usage({**raw, "prompt_tokens_details": ins, "completion_tokens_details": outs})
    assert (usage.input, usage.cache_read, usage.cache_write, usage.input_audio, usage.input_image) == (
        39,
        40,
        10,
        5,
        6,
    )
    assert (usage.output, usage.reasoning, usage.output_audio) == (16, 30, 4)


def test_reasoning_on_top_of_the_total():
    raw = {"prompt_tokens": 390, "completion_tokens": 26, "total_tokens": 493}  # as xAI counts
    usage = read_usage({**raw, "completion_tokens_details": {"reasoning_tokens": 77}})
    assert (usage.output, usage.reasoning, usage.prompt + usage.completion) == (26, 77, 493)


def test_audio_on_top_of_the_prompt():
    raw = {"prompt_tokens": 11, "completion_tokens": 15, "total_tokens": 401}  # as Mistral counts
    usage = read_usage({**raw, "prompt_tokens_details": {"audio_tokens": 375, "cached_tokens": 9}})
    assert (usage.input, usage.cache_read, usage.input_audio, usage.output) == (2, 9, 375, 15)


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens"])
def test_the_cache_under_names_of_hosts(name):
    usage = read_usage({"prompt_tokens": 10, "completion_tokens": 1, name: 8})
    assert (usage.input, usage.cache_read) == (2, 8)


count = st.integers(0, 10_000) | st.none()


@given(
    prompt=st.integers(0, 10_000),
    completion=st.integers(0, 10_000),
    ins=st.dictionaries(
        st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"]), count
    ),
    outs=st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens", "image_tokens"]), count),
)
def test_classes_are_never_negative_and_add_up(prompt, completion, ins, outs):
    raw = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    raw |= {"prompt_tokens_details": ins, "completion_tokens_details": outs}
    usage = read_usage(raw)
    assert (usage.prompt, usage.completion, usage.reported) == (prompt, completion, raw)
    parts = (usage.input, usage.cache_read, usage.cache_write, usage.input_audio, usage.input_image)
    assert min(*parts, usage.output, usage.reasoning, usage.output_audio, usage.output_image) >= 0


@given(
    raw=st.dictionaries(
        st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"]),
        st.none() | st.text() | st.floats() | st.integers() | st.lists(st.integers()),
    )
)
def test_any_usage_is_read(raw):
    assert read_usage(raw).prompt >= 0


def test_searches_of_the_provider_are_counted():
    raw = {"prompt_tokens": 1, "server_tool_use_details": {"web_search_requests": 2}, "num_sources_used": 0}
    assert read_usage(raw).server_tools == {"web_search_requests": 2}
    assert read_usage({"num_sources_used": 3}).server_tools == {"num_sources_used": 3}
