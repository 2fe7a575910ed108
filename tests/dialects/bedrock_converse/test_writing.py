"""Events become replies that say the same, in both forms, and that boto3 takes."""

import json

import pytest

from dialects.bedrock_converse.laws import (
    FAILS,
    STREAMS,
    WHOLE,
    framed,
    gist,
    named,
    parse,
    read,
    without_metrics,
    write,
)
from headgate.core import events as ev
from headgate.core.errors import ProviderNonsense
from headgate.core.usage import Usage
from headgate.dialects import bedrock_converse as dialect
from together import together

ONLY_WHOLE = {"unknown_block"}
ONLY_STREAMED = {"unknown_event"}


def complete(path):
    return path.stem not in FAILS


@named(WHOLE)
def test_a_whole_reply_is_written_as_it_was(path):
    events = read(path.read_bytes(), False)
    written, lost = write(events, False)
    assert without_metrics(gist(read(written, False))) == without_metrics(gist(events))
    assert lost == []
    if path.stem not in ONLY_WHOLE:
        parse(written, False)
    streamed, lost = write(events, True)
    if path.stem in ONLY_WHOLE:
        assert lost
        return
    assert without_metrics(gist(read(streamed, True))) == without_metrics(gist(events))
    assert lost == []


@named([path for path in STREAMS if complete(path)])
def test_a_stream_is_written_as_it_was(path):
    events = read(framed(path), True)
    written, lost = write(events, True)
    assert without_metrics(gist(read(written, True))) == without_metrics(gist(events))
    assert lost == []
    whole, lost = write(events, False)
    if path.stem not in ONLY_STREAMED:
        assert without_metrics(gist(read(whole, False))) == without_metrics(gist(events))
        assert lost == []


@named([path for path in STREAMS if complete(path) and path.stem not in ONLY_STREAMED])
def test_boto3_takes_what_is_written(path):
    written, _ = write(read(framed(path), True), True)
    events = parse(written, True)
    assert list(events[0]) == ["messageStart"]
    assert [next(iter(event)) for event in events[-2:]] == ["messageStop", "metadata"]
    open_blocks = set()
    for event in events:
        [(name, data)] = event.items()
        index = data.get("contentBlockIndex")
        if name == "contentBlockStart":
            assert index not in open_blocks
            open_blocks.add(index)
        elif name == "contentBlockDelta":
            open_blocks.add(index)
        elif name == "contentBlockStop":
            open_blocks.remove(index)
    assert not open_blocks


def said(*events, stream=True):
    data, lost = write([ev.Start(id="x", model="m"), *events, ev.Stop(reason="stop")], stream)
    return (parse(data, True) if stream else json.loads(data)), [loss.path for loss in lost]


def test_calls_whose_pieces_come_between_each_other():
    frames, lost = said(
        ev.ToolCall(block=0, id="a", name="f"),
        ev.ToolInput(block=0, json='{"x":'),
        ev.ToolCall(block=1, id="b", name="g"),
        ev.ToolInput(block=1, json="{}"),
        ev.ToolInput(block=0, json="1}"),
        ev.Text(block=2, text="done"),
    )
    assert lost == []
    inputs = {}
    for frame in frames:
        delta = frame.get("contentBlockDelta")
        if delta and "toolUse" in delta["delta"]:
            index = delta["contentBlockIndex"]
            inputs[index] = inputs.get(index, "") + delta["delta"]["toolUse"]["input"]
    assert inputs == {0: '{"x":1}', 1: "{}"}
    assert frames[-2]["messageStop"]["stopReason"] == "tool_use"


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_is_text_that_was_filtered(stream):
    written, lost = said(ev.Refusal(block=0, text="No."), stream=stream)
    assert "content_filtered" in json.dumps(written, default=str)
    assert lost == []
    scored = ev.Refusal(block=0, text="No.", logprobs=[{"token": "No.", "logprob": -0.1}])
    written, lost = said(scored, stream=stream)
    assert "content_filtered" in json.dumps(written, default=str)
    assert lost == ["reply.choices[0].logprobs"]


@pytest.mark.parametrize("stream", [True, False])
def test_thinking_without_a_signature_is_marked_as_such(stream):
    data, _ = write([ev.Start(), ev.Thinking(text="Hm."), ev.Stop(reason="stop")], stream)
    assert b"headgate:unsigned" in data
    [thinking] = [event for event in read(data, stream) if isinstance(event, ev.Thinking) and event.text]
    assert (thinking.text, thinking.signature) == ("Hm.", None)


@pytest.mark.parametrize("stream", [True, False])
def test_another_vendors_signature_is_wrapped(stream):
    event = ev.Thinking(text="Hm.", signature="abc", signer="gemini_generate")
    data, _ = write([ev.Start(), event, ev.Stop(reason="stop")], stream)
    assert b"headgate:signed:gemini_generate:abc" in data
    found = [event for event in read(data, stream) if isinstance(event, ev.Thinking)]
    assert {(event.signature, event.signer) for event in found if event.signature} == {("abc", "gemini_generate")}


LOST = [
    (ev.Text(text="x", logprobs=[{"token": "x"}]), "reply.choices[0].logprobs"),
    (ev.Text(choice=1, text="x"), "reply.choices[1]"),
    (ev.Citation(dialect="openai_chat", value={}), "reply.annotations"),
    (ev.Native(dialect="openai_chat", name="audio", value={}), "reply.audio"),
    (ev.Thinking(redacted="abc", signer="openai_responses"), "reply.redactedContent"),
    (ev.Thinking(redacted="not base64!", signer="anthropic_messages"), "reply.redactedContent"),
    (ev.Image(base64="", media_type="image/bmp"), "reply.image"),
    (ev.Start(native={"system_fingerprint": "x"}), "reply.system_fingerprint"),
]


@together(("event", "path"), LOST)
@together("stream", [True, False])
def test_what_cannot_be_said_is_named(event, path, stream):
    data, lost = write([ev.Start(), event, event, ev.Stop(reason="stop")], stream)
    assert [loss.path for loss in lost] == [path]
    assert data


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("arguments", ["[1]", "{", "nonsense"])
def test_arguments_that_are_no_object_are_named(stream, arguments):
    events = [ev.ToolCall(id="a", name="f"), ev.ToolInput(json=arguments)]
    written, lost = said(*events, stream=stream)
    assert lost == ["reply.content.input"]
    if not stream:
        assert written["output"]["message"]["content"][0]["toolUse"]["input"] == {"invalid_json": arguments}


@pytest.mark.parametrize("stream", [True, False])
def test_free_form_input_is_an_object(stream):
    events = [ev.ToolCall(id="a", name="f", custom=True), ev.ToolInput(json="ls "), ev.ToolInput(json="-l")]
    data, lost = write([ev.Start(), *events, ev.Stop(reason="tool_use")], stream)
    assert [loss.path for loss in lost] == ["reply.content.input"]
    assert "".join(event.json for event in read(data, stream) if isinstance(event, ev.ToolInput)) == '{"input":"ls -l"}'


def test_ids_fit_the_pattern_and_stay_apart():
    ids = ["call/1", "call 1", "x" * 65, "", "ok-1.2:3_"]
    written, _ = said(*(ev.ToolCall(block=i, id=id, name="f") for i, id in enumerate(ids)), stream=False)
    found = [block["toolUse"]["toolUseId"] for block in written["output"]["message"]["content"]]
    assert len(set(found)) == len(ids)
    assert all(0 < len(id) <= 64 for id in found)
    assert found[-1] == ids[-1]


def test_usage_of_another_vendor_is_said_in_sums():
    usage = Usage(input=10, input_audio=2, cache_read=5, cache_write=3, cache_write_1h=4, output=7, reasoning=8)
    written, _ = said(ev.Used(usage=usage), stream=False)
    assert written["usage"] == {
        "inputTokens": 12,
        "outputTokens": 15,
        "totalTokens": 39,
        "cacheReadInputTokens": 5,
        "cacheWriteInputTokens": 7,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 3}],
    }


@pytest.mark.parametrize("last", [ev.Stop(reason="cut"), ev.Failed(error=ProviderNonsense("no"))])
def test_a_reply_that_broke_off_has_no_end(last):
    events = [ev.Start(), ev.Text(text="x"), last]
    written, _ = write(events, True)
    assert b"messageStop" not in written
    assert read(written, True)[-1].reason == "cut"
    assert write(events, False)[0] == b""
    assert dialect.writer(True, {}, []).feed([*events, ev.Text(text="more")]) == written
