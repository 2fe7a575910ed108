"""The laws of the dialect `bedrock_converse` over recorded traffic, where there is some."""

import base64
import json
import re
from urllib.parse import unquote, urlsplit

import pytest
from botocore.parsers import ResponseParserError

from dialects.bedrock_converse.laws import (
    asked,
    gist,
    loose,
    needs_recordings,
    parse,
    read,
    recorded,
    without_metrics,
    write,
)
from headgate.core import events as ev
from headgate.core.errors import ProviderNonsense
from headgate.dialects import bedrock_converse as dialect


def with_url(exchange):
    """The recorded body with what its URL says."""
    path = urlsplit(exchange["request"]["url"]).path.split("/")
    return {**exchange["request"]["body"], "model": unquote(path[-2]), "stream": path[-1] == "converse-stream"}


@needs_recordings
def test_recorded_requests_round_trip():
    seen = 0
    for exchange in recorded():
        fields = (exchange.get("request") or {}).get("body")
        if not isinstance(fields, dict) or exchange["response"]["status"] == 400:
            continue
        fields, lost = with_url(exchange), []
        if re.search(r'"bytes": \{"', json.dumps(fields)):
            continue  # an array of Node's, as JSON prints it: no SDK sends that
        written = json.loads(dialect.write_request(dialect.read_request(fields), lost))
        assert loose(asked(written)) == loose(asked(fields)), exchange["id"]
        assert lost == []
        seen += 1
    assert seen > 240


def replies():
    for exchange in recorded():
        reply = exchange["response"]
        if reply["status"] == 200:
            stream = "body_b64" in reply
            data = base64.b64decode(reply["body_b64"]) if stream else json.dumps(reply["body"]).encode()
            yield exchange["id"], data, stream, reply


@needs_recordings
def test_recorded_replies_pass_and_are_read():
    seen = {True: 0, False: 0}
    for id, data, stream, reply in replies():
        relay = dialect.relay(stream, {})
        try:
            passed = relay.feed(data) + relay.end()
        except ProviderNonsense:
            assert not stream, id
            assert "output" not in reply["body"] or "stopReason" not in reply["body"], id
            continue
        assert passed == data, id
        events = read(data, stream)
        if not relay.complete:
            assert events[-1] == ev.Stop(reason="cut")
            continue
        assert relay.usage == next((event.usage for event in reversed(events) if isinstance(event, ev.Used)), None)
        check_usage(relay.usage, id)
        written, lost = write(events, stream)
        assert without_metrics(gist(read(written, stream))) == without_metrics(gist(events)), (id, lost)
        other, lost = write(events, not stream)
        assert lost or without_metrics(gist(read(other, not stream))) == without_metrics(gist(events)), id
        if known_to_sdk(data, stream):
            parse(written, stream)
        seen[stream] += 1
    assert seen[True] > 60
    assert seen[False] > 180


def known_to_sdk(data, stream):
    try:
        parse(data, stream)
    except ResponseParserError:
        return False
    return True


def check_usage(usage, id):
    if usage is not None and "totalTokens" in usage.reported:
        assert usage.prompt + usage.completion == usage.reported["totalTokens"], id


@needs_recordings
@pytest.mark.parametrize("sizes", [1, 7, 1000])
def test_recorded_streams_may_be_split_anywhere(sizes):
    for _, data, stream, _ in replies():
        if stream and len(data) < 20_000:
            assert gist(read(data, True, range(0, len(data), sizes))) == gist(read(data, True))


@needs_recordings
def test_what_was_decoded_of_recorded_streams_is_what_is_read():
    for id, data, stream, reply in replies():
        if stream:
            text = "".join(
                event["data"]["delta"].get("text", "")
                for event in reply["events_decoded"]
                if event.get("event") == "contentBlockDelta"
            )
            assert "".join(event.text for event in read(data, True) if isinstance(event, ev.Text)) == text, id
