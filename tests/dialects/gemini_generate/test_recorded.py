"""The laws of the dialect over recorded traffic of Google AI and Vertex AI, where there is some."""

import json
from functools import cache
from itertools import pairwise

import pytest

from dialects.gemini_generate.laws import RECORDED, gist, meant, needs_recordings, parse, read, write
from headgate.core import events as ev
from headgate.core.errors import ProviderNonsense, Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import gemini_generate as dialect
from headgate.dialects.gemini_generate import count_tokens


@cache
def recorded(api):
    paths = [path for vendor in ("gemini", "vertex") for path in sorted((RECORDED / vendor).glob("*.json"))]
    return [exchange for exchange in (json.loads(path.read_bytes()) for path in paths) if exchange["api"] == api]


def requests(api):
    for exchange in recorded(api):
        body = (exchange.get("request") or {}).get("body")
        if isinstance(body, dict) and exchange["response"]["status"] != 400:
            yield body


def replies():
    """(body, whether streamed, what was asked) of each reply; some are made up to be broken and are left out."""
    for exchange in recorded("generateContent"):
        reply = exchange["response"]
        if reply["status"] != 200 or "malformed" in exchange["id"] or "invalid-json" in exchange["id"]:
            continue
        if "sse" in reply:
            yield reply["sse"].encode(), True, {"alt": "sse"}
        else:
            yield json.dumps(reply["body"]).encode(), isinstance(reply["body"], list), {}


def numbered(data):
    """Whether enums are numbers in it, which the SDK does not read."""
    return b'"finishReason": 1' in data or b'"category": 8' in data


@needs_recordings
def test_recorded_requests_round_trip():
    seen = 0
    for body in requests("generateContent"):
        lost = []
        written = dialect.write_request(dialect.read_request({**body, "model": "m", "stream": False}), lost)
        own = {key: value for key, value in body.items() if key != "model"}
        assert snaked(meant(json.loads(written))) == snaked(meant(own))
        assert lost == []
        seen += 1
    assert seen > 450


def snaked(value):
    """Without the spelling of names inside built-in tools, which are kept as they came."""
    return json.dumps(value, sort_keys=True).replace("_", "").lower()


@needs_recordings
def test_recorded_replies_pass_and_are_read():
    seen = cut = 0
    for data, stream, request in replies():
        relay = dialect.relay(stream, request)
        passed = relay.feed(data) + relay.end()
        assert passed == data
        events = read(data, stream)
        used = [event.usage for event in events if isinstance(event, ev.Used)]
        assert relay.usage == (used[-1] if used else None)
        ended = isinstance(events[-1], ev.Stop) and events[-1].reason != "cut"
        assert relay.complete == ended
        cut += not ended
        seen += 1
        if used:
            counted(used[-1])
        if ended:
            written_again(events, data, stream)
    assert seen > 500
    assert cut < 4


def counted(usage):
    told = usage.reported.get("totalTokenCount")
    if told and usage.reported.get("promptTokenCount"):
        assert abs(usage.prompt + usage.completion - told) <= 1  # Google's own sums are one off, once


def written_again(events, data, stream):
    for streamed in (True, False):
        written, lost = write(events, streamed)
        assert lost == []
        again, before = gist(read(written, streamed)), gist(events)
        if before[0][-1][1]["vendor"] is not None:
            assert again == before
        if not numbered(data) and b"FAKE" not in data and b"_ENUM" not in data:
            parse(written, streamed)


@needs_recordings
@pytest.mark.parametrize("other", [openai_chat, anthropic_messages], ids=lambda module: module.name)
def test_recorded_replies_cross(other):
    """What was said reaches a client of another dialect, and the sum of the tokens."""
    for data, stream, _ in replies():
        events = read(data, stream)
        if not isinstance(events[-1], ev.Stop) or events[-1].reason == "cut":
            continue
        writer = other.writer(stream, {"stream_options": {"include_usage": True}}, [])
        written = writer.feed(events) + writer.end()
        reader = other.reader(stream)
        back = reader.feed(written) + reader.end()
        assert said(back) == said(events)
        relay = other.relay(stream, {})
        relay.feed(written)
        relay.end()
        assert relay.complete
        used = [event.usage for event in events if isinstance(event, ev.Used)]
        if used and relay.usage is not None:
            assert (relay.usage.prompt, relay.usage.completion) == (used[-1].prompt, used[-1].completion)


def said(events):
    """The text and the calls of the first candidate, and the proofs in their order."""
    mine = [event for event in events if not event.choice]
    return (
        "".join(event.text for event in mine if isinstance(event, ev.Text)),
        "".join(event.text for event in mine if isinstance(event, ev.Thinking)),
        [event.name for event in mine if isinstance(event, ev.ToolCall)],
        [json.loads(event.json) for event in joined(mine)],
    )


def joined(events):
    """The input of each call in one piece."""
    found = {}
    for event in events:
        if isinstance(event, ev.ToolInput):
            found[event.block] = found.get(event.block, "") + event.json
    return [ev.ToolInput(json=text) for text in found.values()]


@needs_recordings
@pytest.mark.parametrize("other", [openai_chat, anthropic_messages], ids=lambda module: module.name)
def test_recorded_requests_of_others_cross(other):
    """Whatever the other vendors' clients sent is refused by name, or said; and each content is one Google knows."""
    api, vendors = ("chat_completions", "openai") if other is openai_chat else ("messages", "anthropic")
    seen = refused = 0
    for path in sorted((RECORDED / vendors).glob("*.json")):
        exchange = json.loads(path.read_bytes())
        body = (exchange.get("request") or {}).get("body")
        if exchange["api"] != api or not isinstance(body, dict) or exchange["response"]["status"] != 200:
            continue
        lost = []
        try:
            request = other.read_request(body)
            written = json.loads(dialect.write_request(request, lost))
        except Unsupported:
            refused += 1
            continue
        roles = [content["role"] for content in written["contents"]]
        assert all(first != second for first, second in pairwise(roles))
        assert all(loss.path for loss in lost)
        dialect.read_request({**written, "model": "m"})
        seen += 1
    assert seen > 100
    assert refused < seen / 2


@needs_recordings
def test_recorded_errors_are_read():
    seen = 0
    for exchange in recorded("generateContent"):
        reply = exchange["response"]
        if reply["status"] != 200:
            error = dialect.read_error(reply["status"], json.dumps(reply["body"]).encode())
            assert (error.kind, error.message) == (reply["body"]["error"]["status"], reply["body"]["error"]["message"])
            seen += 1
    assert seen > 30


@needs_recordings
def test_recorded_counts():
    seen = 0
    for exchange in recorded("countTokens"):
        body = (exchange.get("request") or {}).get("body")
        if body is not None:
            request = count_tokens.read_request({**body, "model": "gemini-3.5-flash", "stream": False})
            written = json.loads(count_tokens.write_request(request, []))
            if "generateContentRequest" in body:
                assert written["generateContentRequest"].pop("model") == "models/gemini-3.5-flash"
                body = {"generateContentRequest": {**body["generateContentRequest"]}}
                del body["generateContentRequest"]["model"]
            assert snaked(meant(written)) == snaked(meant(body))
        data = json.dumps(exchange["response"]["body"]).encode()
        relay = count_tokens.relay(False, {})
        assert relay.feed(data) == data
        reader = count_tokens.reader(False)
        events = reader.feed(data) + reader.end()
        assert (
            next(event.value for event in events if isinstance(event, ev.Result)).tokens
            == exchange["response"]["body"]["totalTokens"]
        )
        writer = count_tokens.writer(False, {}, [])
        assert json.loads(writer.feed(events) + writer.end()) == exchange["response"]["body"]
        seen += 1
    assert seen == 9


@needs_recordings
def test_a_reply_made_to_be_broken_is_nonsense():
    broken = [exchange for exchange in recorded("generateContent") if "unary-failure-malformed" in exchange["id"]]
    for exchange in broken:
        with pytest.raises(ProviderNonsense):
            read(json.dumps(exchange["response"]["body"]).encode(), False)
    assert broken
