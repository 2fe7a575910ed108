"""Events written as Chat Completions: what the SDK's types accept, and what is said of what they cannot hold."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from headgate.core.errors import ProviderCut, ProviderRefused
from headgate.core.events import (
    Citation,
    Failed,
    Native,
    Refusal,
    Start,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.core.usage import Usage
from headgate.dialects import openai_chat
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
WHOLES = sorted((FIXTURES / "whole").glob("*.json"))
ASKED = {"stream": True, "stream_options": {"include_usage": True}}
USAGE = Usage(input=10, cache_read=5, cache_write=2, cache_write_1h=1, output=7, reasoning=3)
REPLY = [
    Start(id="msg_01", model="claude", created=1700000000),
    Thinking(text="Hm."),
    Thinking(signature="c2ln"),
    Text(text="Let me see.", block=1),
    ToolCall(id="toolu_1", name="f", block=2),
    ToolInput(json='{"a"', block=2),
    ToolInput(json=":1}", block=2),
    ToolCall(id="toolu_2", name="now", block=3),
    Used(usage=USAGE),
    Stop(reason="tool_use", vendor="tool_use"),
]


def whole(events, request=()):
    lost = []
    writer = openai_chat.writer(False, dict(request), lost)
    body = json.loads(writer.feed(events) + writer.end())
    ChatCompletion.model_validate(body, strict=True)
    return body, [loss.path for loss in lost]


def streamed(events, request=(), one_by_one=True):
    lost = []
    writer = openai_chat.writer(True, dict(request), lost)
    data = b"".join(writer.feed([event]) for event in events) if one_by_one else writer.feed(events)
    return data + writer.end(), [loss.path for loss in lost]


def chunks(data):
    *parts, last, end = data.split(b"\n\n")
    assert (last, end) == (b"data: [DONE]", b"")
    found = [json.loads(part.removeprefix(b"data: ")) for part in parts]
    for chunk in found:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    return found


def deltas(data):
    return [choice["delta"] for chunk in chunks(data) for choice in chunk["choices"]]


def read(data, stream):
    reader = openai_chat.reader(stream)
    return reader.feed(data) + reader.end()


def test_whole():
    body, lost = whole(REPLY)
    assert body == {
        "id": "chatcmpl-msg_01",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "claude",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Let me see.",
                    "refusal": None,
                    "reasoning_content": "Hm.",
                    "annotations": [],
                    "tool_calls": [
                        {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                        {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 18,
            "completion_tokens": 10,
            "total_tokens": 28,
            "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 0, "cache_write_tokens": 3},
            "completion_tokens_details": {
                "reasoning_tokens": 3,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }
    assert lost == ["reply.thinking.signature"]


def test_streamed():
    data, lost = streamed(REPLY, ASKED)
    found = chunks(data)
    assert deltas(data) == [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "Hm."},
        {"content": "Let me see."},
        {"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {
            "tool_calls": [
                {"index": 1, "id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in found} == {
        ("chatcmpl-msg_01", 1700000000, "claude")
    }
    assert found[-1]["choices"] == []
    assert found[-1]["usage"] == whole(REPLY)[0]["usage"]
    assert all(chunk["usage"] is None for chunk in found[:-1])
    assert found[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert lost == ["reply.thinking.signature"]


def test_no_usage_where_it_was_not_asked_for():
    data, _ = streamed(REPLY)
    assert b"usage" not in data
    assert len(chunks(data)) == 9


def test_events_in_one_piece_give_the_same_bytes():
    assert streamed(REPLY, ASKED) == streamed(REPLY, ASKED, one_by_one=False)


@together("path", [*STREAMS, *WHOLES])
@together("stream", [True, False])
def test_reading_and_writing_keeps_what_was_said(path, stream):
    """Text, calls and the rest, from a stream or a whole reply into either."""
    events = read(path.read_bytes(), path.suffix == ".sse")
    if any(isinstance(event, Failed) for event in events):
        return
    request = dict(ASKED, functions=[{"name": "f"}]) if path.stem == "function_call" else ASKED
    lost = []
    writer = openai_chat.writer(stream, request, lost)
    data = writer.feed(events) + writer.end()
    assert lost == []
    kinds = (Text, Thinking, Refusal, ToolInput, Stop, Citation)
    again = read(data, stream)
    for kind in kinds:
        before, after = ([event for event in found if isinstance(event, kind)] for found in (events, again))
        for choice in {event.choice for event in events}:
            assert joined(before, choice) == joined(after, choice)
    assert counted(again) == counted(events)


def counted(events):
    """Tokens; the tier that an answer is usually served in is not said again."""
    return [replace(event.usage, tier=None) for event in events if isinstance(event, Used)]


def joined(events, choice):
    """What the events of one kind say, piece by piece."""
    texts, scores, values = {}, [], []
    for event in events:
        if event.choice == choice:
            text = getattr(event, "text", "") or getattr(event, "json", "")
            texts[event.block] = texts.get(event.block, "") + text
            scores += getattr(event, "logprobs", None) or ()
            values.append(getattr(event, "value", None) or getattr(event, "vendor", None))
    return [texts[block] for block in sorted(texts)], scores, [value for value in values if value]


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        (Stop(reason="stop", vendor="end_turn"), "stop"),
        (Stop(reason="length", vendor="max_tokens"), "length"),
        (Stop(reason="context"), "length"),
        (Stop(reason="tool_use"), "tool_calls"),
        (Stop(reason="refusal"), "content_filter"),
        (Stop(reason="tool_use", vendor="stop"), "stop"),
    ],
)
def test_finish_reasons(stop, finish):
    events = [Start(id="x", model="m"), Text(text="a"), stop]
    assert whole(events)[0]["choices"][0]["finish_reason"] == finish
    assert chunks(streamed(events)[0])[-1]["choices"][0]["finish_reason"] == finish


def test_citations_of_web_pages_become_annotations():
    value = {"type": "web_search_result_location", "url": "https://example.com", "title": "E", "cited_text": "x"}
    events = [
        Start(id="x", model="m"),
        Text(text="One. "),
        Text(text="Two", block=1),
        Citation(dialect="anthropic_messages", value=value, block=1),
        Text(text=".", block=1),
        Text(text=" Three.", block=2),
        Citation(dialect="anthropic_messages", value={"type": "char_location"}, block=2),
        Stop(reason="stop"),
    ]
    span = {"start_index": 5, "end_index": 9, "url": "https://example.com", "title": "E"}
    expected = [{"type": "url_citation", "url_citation": span}]
    body, lost = whole(events)
    assert body["choices"][0]["message"]["annotations"] == expected
    assert lost == ["reply.citations"]
    data, lost = streamed(events)
    indexed = [{"index": 0, **expected[0]}]  # without an index OpenAI's SDK cannot join the chunks
    assert [delta["annotations"] for delta in deltas(data) if "annotations" in delta] == [indexed]
    assert lost == ["reply.citations"]


def test_what_cannot_be_said_is_named_once():
    events = [
        Start(id="x", model="m"),
        Thinking(redacted="abc"),
        Thinking(redacted="def", block=1),
        Native(dialect="anthropic_messages", name="content_block", value={"type": "server_tool_use"}, block=2),
        Text(text="a", block=3),
        Stop(reason="stop_sequence", vendor="stop_sequence", sequence="END"),
    ]
    expected = ["reply.redacted_thinking", "reply.content.server_tool_use", "reply.stop_sequence"]
    assert whole(events)[1] == expected
    assert streamed(events)[1] == expected


def test_legacy_functions():
    body, lost = whole(REPLY, {"functions": [{"name": "f"}]})
    message = body["choices"][0]["message"]
    assert message["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert "tool_calls" not in message
    assert body["choices"][0]["finish_reason"] == "function_call"
    assert "reply.tool_calls" in lost
    data, _ = streamed(REPLY, {"functions": [{"name": "f"}]})
    calls = [delta["function_call"] for delta in deltas(data) if "function_call" in delta]
    assert calls == [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ":1}"}]


def test_an_empty_reply():
    body, _ = whole([Start(id="x", model="m"), Stop(reason="stop")])
    assert body["choices"][0]["message"]["content"] == ""
    data, _ = streamed([Start(id="x", model="m"), Stop(reason="stop")])
    assert deltas(data) == [{"role": "assistant", "content": "", "refusal": None}, {}]


def test_a_cut_reply_has_no_end():
    data, _ = streamed([*REPLY[:4], Stop(reason="cut")], ASKED)
    assert b"[DONE]" not in data
    assert b'"finish_reason":"' not in data
    with pytest.raises(ProviderCut):
        whole([*REPLY[:4], Stop(reason="cut")])


def test_a_failure():
    error = ProviderRefused("Broken", status=503)
    data, _ = streamed([*REPLY[:4], Failed(error=error)])
    assert data.endswith(openai_chat.write_error(error, "", streaming=True))
    with pytest.raises(ProviderRefused, match="Broken"):
        whole([*REPLY[:4], Failed(error=error)])


def test_the_service_tier_is_kept_where_it_is_not_the_default():
    body = json.loads((FIXTURES / "whole" / "text.json").read_bytes())
    for tier, kept in (("priority", "priority"), ("default", None), (None, None)):
        events = read(json.dumps({**body, "service_tier": tier}).encode(), stream=False)
        assert whole(events)[0].get("service_tier") == kept
