"""The laws of the dialect `openai_responses` over the recorded traffic of every host that speaks it."""

import json
from functools import cache

import pytest
from pydantic import ValidationError

from dialects.openai_responses.laws import RECORDED, STREAM_EVENT, accumulated, gist, meant, parse, read, write
from headgate.core import events as ev
from headgate.core.errors import InvalidRequest, ProviderError
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import openai_responses as dialect
from headgate.dialects.dialect import crossed

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


@cache
def recorded():
    found = [(path, json.loads(path.read_bytes())) for path in sorted(RECORDED.glob("*/*.json"))]
    return [(f"{path.parent.name}/{path.stem}", each) for path, each in found if each["api"] == "responses"]


def requests():
    for name, exchange in recorded():
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict) and exchange["response"]["status"] < 400:
            yield name, fields


def replies():
    for name, exchange in recorded():
        reply = exchange["response"]
        several = reply.get("sse", "").count("event: response.created") > 1  # put together by hand
        if reply["status"] < 400 and not several:
            stream = "sse" in reply
            yield name, exchange, reply["sse"].encode() if stream else json.dumps(reply["body"]).encode(), stream


def test_requests_lose_nothing():
    seen = 0
    for name, fields in requests():
        lost = []
        written = json.loads(crossed(dialect, dialect.read_request(fields), lost))
        assert meant(written) == meant(fields), name
        assert lost == [], name
        seen += 1
    assert seen > 300


@pytest.mark.parametrize("other", [openai_chat, anthropic_messages], ids=lambda other: other.name)
def test_requests_cross_or_are_refused_by_name(other):
    seen = 0
    for name, fields in requests():
        refused = refusal(other, fields)
        assert refused is None or refused.param, name
        seen += refused is None
    assert seen > 200


def refusal(other, fields):
    try:
        json.loads(crossed(other, dialect.read_request(fields), []))
    except InvalidRequest as error:
        return error
    return None


def test_replies_pass_byte_for_byte_and_are_read_alike():
    seen = 0
    for name, _, data, stream in replies():
        relay = dialect.relay(stream, {})
        try:
            passed = relay.feed(data) + relay.end()
        except ProviderError:
            with pytest.raises(ProviderError):
                read(data, stream)
            continue
        assert data.startswith(passed), name
        assert data[len(passed) :].strip() in (b"", b"data: [DONE]"), name
        events = read(data, stream)
        if not relay.complete:
            assert events[-1].reason == "cut", name
            continue
        used = [event.usage for event in events if isinstance(event, ev.Used)]
        assert relay.usage == (used[-1] if used else None), name
        assert relay.finish == events[-1].vendor, name
        assert relay.id == next(event.id for event in events if isinstance(event, ev.Start)), name
        for usage in used:
            assert usage.prompt + usage.completion == usage.reported["total_tokens"], name
        seen += 1
    assert seen > 350


def test_what_is_written_of_replies_reads_the_same():
    seen = 0
    for name, exchange, data, stream in replies():
        try:
            events = read(data, stream)
        except ProviderError:
            continue
        if events[-1].reason == "cut":
            continue
        request = (exchange.get("request") or {}).get("body") or {}
        known = known_to_sdk(data, stream)
        for form in (True, False):
            written, lost = write(events, form, request)
            again = gist(read(written, form))
            assert again == gist(events), (name, form)
            assert lost == [], name
            if known:
                parse(written, form)
                if form:
                    accumulated(written)
        seen += 1
    assert seen > 350


def known_to_sdk(data, stream):
    try:
        if not stream:
            parse(data, False)
        for line in data.split(b"\n") if stream else ():
            if line.startswith(b"data: {"):
                STREAM_EVENT.validate_json(line[6:])
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("other", [openai_chat, anthropic_messages], ids=lambda other: other.name)
def test_replies_cross(other):
    seen = 0
    for name, _, data, stream in replies():
        try:
            events = read(data, stream)
        except ProviderError:
            continue
        if events[-1].reason == "cut":
            continue
        writer = other.writer(False, {}, [])
        reader = other.reader(False)
        writer.feed(events)
        again = reader.feed(writer.end()) + reader.end()
        assert said(again) == said(events), name
        seen += 1
    assert seen > 350


def said(events):
    calls = [(event.id, event.name) for event in events if isinstance(event, ev.ToolCall)]
    return "".join(event.text for event in events if isinstance(event, ev.Text | ev.Refusal)), calls


def test_errors_are_read_and_written():
    seen = 0
    for name, exchange in recorded():
        reply = exchange["response"]
        if reply["status"] >= 400:
            data = json.dumps(reply["body"]).encode() if "body" in reply else reply.get("text", "").encode()
            error = dialect.read_error(reply["status"], data)
            assert "no message" not in error.message, name
            written = json.loads(dialect.write_error(error, "r", streaming=False))
            assert written["error"].keys() == {"message", "type", "param", "code"}, name
            seen += 1
    assert seen > 10
