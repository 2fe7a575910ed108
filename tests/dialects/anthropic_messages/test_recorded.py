"""The laws of the dialect `anthropic_messages` over recorded traffic, where there is some."""

import json
from functools import cache

import msgspec
import pytest
from pydantic import ValidationError

from dialects.anthropic_messages.laws import (
    RECORDED,
    STREAM_EVENT,
    gist,
    meant,
    parse,
    read,
    write,
)
from headgate.core import events as ev
from headgate.dialects import anthropic_messages as dialect


@cache
def recorded():
    found = [
        json.loads(path.read_bytes()) for vendor in ("anthropic", "vertex") for path in (RECORDED / vendor).glob("*")
    ]
    return [exchange for exchange in found if exchange["api"] == "messages"]


needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")


@needs_recordings
def test_recorded_requests_round_trip():
    seen = 0
    for exchange in recorded():
        fields = (exchange.get("request") or {}).get("body")
        if not isinstance(fields, dict) or exchange["response"]["status"] == 400:
            continue
        fields.setdefault("model", "in the path")  # Vertex AI
        lost = []
        assert meant(json.loads(dialect.write_request(dialect.read_request(fields), lost))) == meant(fields)
        assert lost == []
        seen += 1
    assert seen > 200


@needs_recordings
def test_recorded_replies_pass_and_are_read():
    seen = 0
    for exchange in recorded():
        reply = exchange["response"]
        if reply["status"] != 200:
            body = json.dumps(reply["body"]).encode()
            assert dialect.read_error(reply["status"], body).kind == reply["body"]["error"]["type"]
            continue
        stream = "sse" in reply
        data = reply["sse"].encode() if stream else json.dumps(reply["body"]).encode()
        relay = dialect.relay(stream, {})
        passed = relay.feed(data) + relay.end()
        assert data.startswith(passed)
        assert passed == data or (stream and b"message_stop" in passed[-60:])
        events = read(data, stream)
        assert (relay.failed is None) == (not isinstance(events[-1], ev.Failed))
        if relay.complete:
            agree(events, relay, data, stream)
            seen += 1
    assert seen > 250


def agree(events, relay, data, stream):
    """The usage is the recorded one, and what is written of the events says the same and parses as far as they do."""
    usage = relay.usage
    assert usage == [event.usage for event in events if isinstance(event, ev.Used)][-1]
    last = usage.reported
    if stream:
        frame = next(line for line in data.split(b"\n") if line.startswith(b"data:") and b'"message_delta"' in line)
        last = json.loads(frame[5:])["usage"]
    else:
        last = json.loads(data)["usage"]
    assert usage.completion == last["output_tokens"]
    assert usage.reasoning == (last.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    assert last.get("input_tokens") in (None, usage.input)
    assert last.get("cache_read_input_tokens") in (None, usage.cache_read)
    assert last.get("cache_creation_input_tokens") in (None, usage.cache_write + usage.cache_write_1h)
    broken = any("not a JSON object" in loss.why for loss in write(events, False)[1])
    if stream and not broken:
        written = write(events, True)[0]
        assert less_provider(gist(read(written, True))) == less_provider(gist(events))
        if known_to_sdk(data):
            parse(written, True)


def less_provider(found):
    """OpenRouter's own field is the one thing of these recordings that is named as lost."""
    blocks, rest = found
    for i, item in enumerate(rest):
        if isinstance(item, ev.Start):
            rest[i] = msgspec.structs.replace(item, id=item.id.removeprefix("msg_"))
        if isinstance(item, ev.Stop):
            native = {key: value for key, value in item.native.items() if key != "provider"}
            rest[i] = msgspec.structs.replace(item, native=native)
    return [block for block in blocks.values() if block not in ({"text": ""}, {})], rest


def known_to_sdk(data):
    try:
        for line in data.split(b"\n"):
            if line.startswith(b"data: {") and b'"ping"' not in line:
                STREAM_EVENT.validate_json(line[6:])
    except ValidationError:
        return False
    return True
