"""The legacy Completions API: what passes, what crosses to chat providers, and what cannot."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion

from dialects import mutations
from gateways import rounds
from headgate.core import events as ev
from headgate.core.chat import Text, instructed
from headgate.core.dialect import Dialect
from headgate.core.errors import (
    InvalidRequest,
    ProviderCut,
    ProviderError,
    ProviderNonsense,
    ProviderRefused,
    Unsupported,
)
from headgate.core.usage import Usage
from headgate.dialects import anthropic_messages, openai_chat, openai_responses
from headgate.dialects import openai_completions as dialect
from headgate.dialects.dialect import crossed
from together import together

FEATURES = Path(__file__).parent / "openai_completions" / "fixtures" / "features"
RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges"
REQUESTS = json.loads((FEATURES / "requests.json").read_bytes())
REPLIES = json.loads((FEATURES / "replies.json").read_bytes())
BOUND = {
    "several prompts": "prompt",
    "prompt as tokens": "prompt",
    "prompts as tokens": "prompt",
    "no prompt": "prompt",
    "suffix": "suffix",
    "best_of": "best_of",
    "logprobs with echo": "echo",
}
REFUSED = {
    *((anthropic_messages, name) for name in ("n", "best_of no more than n", "logprobs")),
    *((openai_responses, name) for name in ("n", "best_of no more than n", "stop", "several stop sequences")),
}
"""What the other API cannot say either."""
chats = together("other", [openai_chat, anthropic_messages, openai_responses])
forms = together("stream", [True, False])


def rows(groups):
    return [pytest.param(name, body, id=name) for group in groups.values() for name, body in group.items()]


def chunk(*choices, **more):
    return (
        b"data: "
        + json.dumps({"id": "cmpl-1", "object": "text_completion", "choices": choices, **more}).encode()
        + b"\n\n"
    )


def said(text="", finish=None, index=0):
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
STREAM = chunk(said("a ")) + chunk(said("b")) + chunk(said("", "stop")) + chunk(usage=USAGE) + b"data: [DONE]\n\n"


def read(data, stream, cuts=()):
    reader = dialect.reader(stream)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    events = []
    for start, end in pairwise(edges):
        events += reader.feed(data[start:end])
    return events + reader.end()


def write(events, stream, request=None):
    lost = []
    writer = dialect.writer(stream, request or {}, lost)
    return b"".join([*(writer.feed([event]) for event in events), writer.end()]), [loss.path for loss in lost]


def gist(events):
    texts, rest = {}, []
    for event in events:
        if isinstance(event, ev.Text):
            text, scores = texts.get(event.choice, ("", []))
            texts[event.choice] = (text + event.text, scores + (event.logprobs or []))
        else:
            rest.append(event)
    return {key: value for key, value in texts.items() if value != ("", [])}, rest


def test_surface():
    own: Dialect = dialect
    assert (own.name, own.paths, own.upstream_path) == ("openai_completions", ["/v1/completions"], "/completions")
    assert dialect.wanted({"stream": True}) == {"stream_options": {"include_usage": True}}
    assert dialect.wanted({"stream": True, "stream_options": {"include_usage": True}}) == {}
    assert dialect.wanted({}) == {}


@together(("name", "body"), rows(REQUESTS))
def test_what_is_read_is_written_back(name, body):
    lost = []
    assert json.loads(dialect.write_request(dialect.read_request(body), lost)) == body
    assert lost == []


@chats
@pytest.mark.parametrize(("name", "body"), rows(REQUESTS))
def test_a_request_crosses_or_is_refused_by_name(name, body, other):
    lost = []
    request = dialect.read_request(body)
    if name in BOUND:
        with pytest.raises(Unsupported) as raised:
            crossed(other, request, lost)
        assert raised.value.param == BOUND[name]
        assert "provider that speaks the Completions API" in raised.value.message
        return
    if (other, name) in REFUSED:
        with pytest.raises(Unsupported) as raised:
            crossed(other, request, lost)
        assert raised.value.param in body
        return
    written = json.loads(crossed(other, request, lost))
    turns = written.get("messages") or written["input"]
    assert len(turns) == 1
    assert "Once upon" in json.dumps(turns)
    assert lost[0].path == "prompt"


def test_a_conversation_is_no_prompt():
    request = openai_chat.read_request({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(Unsupported) as raised:
        crossed(dialect, request, [])
    assert raised.value.param == "messages"


def test_a_prompt_that_a_stage_changed_is_written():
    request = dialect.read_request({"model": "m", "prompt": ["a"]})
    request.messages[0].parts = [Text(text="b")]
    assert json.loads(dialect.write_request(request, [])) == {"model": "m", "prompt": "b"}


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("go on", "Be kind.\n\ngo on"),
        (["go on"], ["Be kind.\n\ngo on"]),
        (["one", "two"], ["Be kind.\n\none", "Be kind.\n\ntwo"]),
    ],
)
def test_a_system_prompt_is_text_before_the_prompt(prompt, written):
    request = dialect.read_request({"model": "m", "prompt": prompt})
    request.messages = instructed(request.messages, "Be kind.")
    assert json.loads(dialect.write_request(request, []))["prompt"] == written


def test_no_system_prompt_stands_before_tokens():
    request = dialect.read_request({"model": "m", "prompt": [1, 2]})
    request.messages = instructed(request.messages, "Be kind.")
    with pytest.raises(Unsupported, match="send it as text"):
        dialect.write_request(request, [])


@given(
    body=st.sampled_from([body for group in REQUESTS.values() for body in group.values()]), changes=mutations.changes
)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_request_holds(body, changes):
    mutations.check_request(dialect, mutations.mutated(body, changes))
    try:
        request = dialect.read_request(mutations.mutated(body, changes))
    except InvalidRequest:
        return
    json.loads(dialect.write_request(request, []))


# --- replies


@pytest.mark.parametrize(("name", "body"), rows(REPLIES))
@forms
def test_what_is_written_reads_the_same(name, body, stream):
    events = read(json.dumps(body).encode(), False)
    written, lost = write(events, stream, {"stream_options": {"include_usage": True}})
    again = read(written, stream)
    assert lost == []
    ends = {event.choice: event.reason for event in events if isinstance(event, ev.Stop)}
    assert {event.choice: event.reason for event in again if isinstance(event, ev.Stop)} == ends
    assert gist(again)[0] == gist(events)[0]
    assert [e for e in again if isinstance(e, ev.Used)] == [e for e in events if isinstance(e, ev.Used)]
    if not stream:
        Completion.model_validate_json(written)
        assert {**json.loads(written), "choices": 0} == {**body, "choices": 0}
        kept = [{key: value for key, value in choice.items() if key != "stop_reason"} for choice in body["choices"]]
        assert json.loads(written)["choices"] == kept


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same(cuts):
    assert gist(read(STREAM, True, cuts)) == gist(read(STREAM, True))
    relay, whole = dialect.relay(True, {}), dialect.relay(True, {})
    edges = [0, *sorted(cuts), len(STREAM)]
    passed = b"".join(relay.feed(STREAM[start:end]) for start, end in pairwise(edges)) + relay.end()
    assert passed == whole.feed(STREAM)
    assert relay.complete
    assert (relay.usage, relay.finish, relay.id) == (whole.usage, "stop", "cmpl-1")


def test_a_stream_says_what_the_whole_says():
    body = {"id": "cmpl-1", "choices": [said("a b", "stop")], "usage": USAGE}
    assert gist(read(STREAM, True)) == gist(read(json.dumps(body).encode(), False))
    assert gist(read(json.dumps(body).encode(), True)) == gist(read(STREAM, True))


def test_a_stream_that_ends_early_is_cut():
    end = STREAM.index(b'"stop"')
    for size in range(1, end, 13):
        assert read(STREAM[:size], True)[-1] == ev.Stop(reason="cut")
        relay = dialect.relay(True, {})
        assert STREAM.startswith(relay.feed(STREAM[:size]) + relay.end())
        assert not relay.complete


def test_the_usage_that_only_the_gateway_asked_for_is_taken_out():
    data = chunk(said("a"), usage=None) + chunk(said("", "stop"), usage=None) + chunk(usage=USAGE) + b"data: [DONE]\n\n"
    relay = dialect.relay(True, {"stream": True})
    passed = relay.feed(data)
    assert b"usage" not in passed
    assert relay.usage == Usage(input=5, output=7, reported=USAGE)
    relay = dialect.relay(True, {"stream_options": {"include_usage": True}})
    assert relay.feed(data) == data


def test_a_mark_that_is_missing_at_the_end_is_given():
    relay = dialect.relay(True, {})
    assert relay.feed(chunk(said("a")) + chunk(said("", "stop"))).count(b"data") == 2
    assert relay.end() == b"data: [DONE]\n\n"
    assert relay.complete


def test_an_error_in_a_stream():
    data = chunk(said("a")) + b'data: {"error":{"message":"It broke.","code":500}}\n\n'
    assert read(data, True)[-1].error.status == 500
    relay = dialect.relay(True, {})
    assert relay.feed(data) == data
    assert relay.failed.message == "It broke."


@forms
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>", ProviderNonsense),
        (b'{"choices":[]}', ProviderNonsense),
        (b'{"choices":[{"message":{}}]}', ProviderNonsense),
        (b'{"error":{"message":"No."}}', ProviderRefused),
        (b"[1]", ProviderNonsense),
    ],
)
def test_what_is_no_reply(body, error, stream):
    with pytest.raises(error):
        read(body, stream)
    relay = dialect.relay(stream, {})
    with pytest.raises(error):
        relay.feed(body) + relay.end()


@given(st.sampled_from([body for group in REPLIES.values() for body in group.values()]), mutations.changes)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_reply_holds(body, changes):
    mutations.check_reply(dialect, json.dumps(mutations.mutated(body, changes)).encode(), False)


@given(st.integers(0, 5), mutations.changes)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_stream_holds(which, changes):
    mutations.check_stream(dialect, STREAM, which, changes)


SCORE = {"token": " a", "bytes": None, "logprob": -0.1, "top_logprobs": [{"token": " a", "logprob": -0.1}]}
CHAT = [
    ev.Start(id="chatcmpl-1", model="m", created=3),
    ev.Thinking(text="hm"),
    ev.Text(text=" a", logprobs=[SCORE], block=1),
    ev.Text(text=" time", block=1),
    ev.Used(usage=Usage(input=5, output=7)),
    ev.Stop(reason="length", vendor="max_tokens"),
]


@forms
def test_a_chat_answer_as_a_completion(stream):
    request = {"prompt": "Once upon", "echo": True, "stream_options": {"include_usage": True}}
    written, lost = write(CHAT, stream, request)
    assert lost == ["reply.thinking"]
    if stream:
        assert written.endswith(b"data: [DONE]\n\n")
        # the SDK's type has no chunk in mind that does not end its choice; its clients do not check it
        frames = [
            frame[6:].replace(b'"finish_reason":null', b'"finish_reason":"stop"')
            for frame in written.split(b"\n\n")[:-2]
        ]
        chunks = [Completion.model_validate_json(frame) for frame in frames]
        assert "".join(one.choices[0].text for one in chunks if one.choices) == "Once upon a time"
        assert chunks[-1].usage.total_tokens == 12
        assert chunks[-2].choices[0].finish_reason == "length"
        scores = chunks[0].choices[0].logprobs
    else:
        reply = Completion.model_validate_json(written)
        assert (reply.id, reply.created, reply.usage.total_tokens) == ("cmpl-chatcmpl-1", 3, 12)
        assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("Once upon a time", "length")
        scores = reply.choices[0].logprobs
    assert (scores.tokens, scores.token_logprobs, scores.text_offset) == ([" a"], [-0.1], [9])
    assert scores.top_logprobs == [{" a": -0.1}]


@forms
def test_an_empty_answer_still_echoes(stream):
    events = [CHAT[0], ev.Stop(reason="stop")]
    assert b"Once upon" in write(events, stream, {"prompt": ["Once upon"], "echo": True})[0]


@pytest.mark.parametrize("last", [ev.Stop(reason="cut"), ev.Failed(error=ProviderCut("x"))])
def test_a_reply_that_broke_off_gets_no_end(last):
    assert b"[DONE]" not in write([CHAT[0], CHAT[2], last], True)[0]
    with pytest.raises(ProviderError):
        write([CHAT[0], CHAT[2], last], False)


# --- recorded traffic


@cache
def recorded():
    if not RECORDED.is_dir():
        pytest.skip("no recorded traffic beside this checkout")
    found = [(path.stem, json.loads(path.read_bytes())) for path in sorted(RECORDED.glob("*/*.json"))]
    bodies = [(name, each, (each.get("request") or {}).get("body") or {}) for name, each in found]
    return [
        (name, each, body)
        for name, each, body in bodies
        if each["api"] == "completions" and "prompt" in body and each["provider"] != "writer"  # a form of its own
    ]


def test_recorded_requests_lose_nothing():
    seen = 0
    for name, exchange, body in recorded():
        if exchange["response"]["status"] >= 400:
            continue
        wanted = {key: value for key, value in body.items() if value is not None and (key, value) != ("stream", False)}
        written = json.loads(dialect.write_request(dialect.read_request({**body, "model": body.get("model", "m")}), []))
        assert {"model": written["model"], **wanted} == written, name
        seen += 1
    assert seen > 40


def test_recorded_replies_pass_and_are_read():
    seen = 0
    for name, exchange, body in recorded():
        reply = exchange["response"]
        if reply["status"] >= 400:
            data = json.dumps(reply["body"]).encode()
            assert dialect.read_error(reply["status"], data).kind, name
            continue
        stream = "sse" in reply
        data = reply["sse"].encode() if stream else json.dumps(reply["body"]).encode()
        relay = dialect.relay(stream, {**body, "stream_options": {"include_usage": True}})
        assert (relay.feed(data) + relay.end()).startswith(data.rstrip(b"\n")), name
        events = read(data, stream)
        used = [event.usage for event in events if isinstance(event, ev.Used)]
        assert relay.usage == (used[-1] if used else None), name
        assert events[-1].reason != "cut", name
        for form in (True, False):
            written, lost = write(events, form, body)
            assert lost == [], name
            assert gist(read(written, form))[0] == gist(events)[0], name
        seen += 1
    assert seen > 40
