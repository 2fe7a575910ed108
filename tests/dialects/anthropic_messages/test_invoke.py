"""Anthropic's messages in the envelope of Bedrock's InvokeModel are the same messages."""

import base64
import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import REQUESTS, STREAMS, WHOLE, gist, less_reported, meant, named
from headgate.core import events as ev
from headgate.core.errors import InvalidRequest, ProviderNonsense, ProviderRefused
from headgate.dialects import anthropic_messages as direct
from headgate.dialects.anthropic_messages import invoke
from headgate.dialects.event_stream import write_event, write_exception

RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges" / "bedrock"
ENVELOPE = ("model", "stream", "anthropic_version")
UNREAD = {"after_the_end", "error_first", "no_event_names"}
"""What this envelope cannot hold: JSON without a type, and what is no JSON."""
GOOD = [path for path in STREAMS if path.stem not in UNREAD]


def enveloped(fields):
    return {"anthropic_version": invoke.VERSION, **{k: v for k, v in fields.items() if k not in ("model", "stream")}}


def located(fields):
    return {**enveloped(fields), "model": fields["model"], "stream": bool(fields.get("stream"))}


@named(REQUESTS)
def test_a_request_is_the_same_in_the_envelope(path):
    fields, lost = json.loads(path.read_bytes()), []
    request = invoke.read_request(located(fields))
    assert meant(json.loads(invoke.write_request(request, lost))) == meant(enveloped(fields))
    assert lost == []
    # out of the envelope, and into it
    assert meant(json.loads(direct.write_request(request, lost))) == meant(fields)
    assert meant(json.loads(invoke.write_request(direct.read_request(fields), lost))) == meant(enveloped(fields))
    assert lost == []


def test_another_models_body_is_refused_by_name():
    with pytest.raises(InvalidRequest) as caught:
        invoke.read_request({"model": "m", "stream": False, "inputText": "hi"})
    assert caught.value.param == "anthropic_version"


@pytest.mark.parametrize("stream", [True, False])
def test_the_url_says_the_model_and_the_stream(stream):
    model = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1"
    url = invoke.write_url(model, stream, {})
    assert unquote(url.split("/")[2]) == model
    assert url.endswith("/invoke-with-response-stream" if stream else "/invoke")
    assert invoke.read_url(invoke.paths[stream], model, {}) == {"model": model, "stream": stream}


def read(dialect, data, cuts=None):
    reader = dialect.reader(True)
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or ())})
    return [event for a, b in pairwise(at) for event in reader.feed(data[a:b])] + reader.end()


@named(GOOD)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=12))
@settings(max_examples=10, deadline=None)
def test_a_stream_says_the_same_in_the_envelope(path, cuts):
    data = path.read_bytes()
    messages = invoke.packed(data)
    assert gist(read(invoke, messages, cuts)) == gist(read(direct, data))
    relay, plain = invoke.relay(True, {}), direct.relay(True, {})
    at = sorted({0, len(messages), *(cut % (len(messages) + 1) for cut in cuts)})
    passed = b"".join(relay.feed(messages[a:b]) for a, b in pairwise(at)) + relay.end()
    plain.feed(data)
    plain.end()
    assert messages.startswith(passed)
    told = [(one.usage, one.finish, one.id, one.started, one.complete) for one in (relay, plain)]
    assert told[0] == told[1]
    assert (relay.failed is None) == (plain.failed is None)
    assert passed == messages


@named(GOOD)
def test_what_is_unpacked_is_what_the_api_itself_sends(path):
    unpacker = invoke.Unpacker()
    sse = b"".join(unpacker.feed(bytes([byte])) for byte in invoke.packed(path.read_bytes()))
    assert gist(read(direct, sse)) == gist(read(direct, path.read_bytes()))


@named([path for path in GOOD if path.stem not in ("error_in_stream", "empty")])
def test_boto3_takes_what_is_written(path):
    writer = invoke.writer(True, {}, [])
    written = b"".join(writer.feed([event]) for event in read(direct, path.read_bytes())) + writer.end()
    buffer = EventStreamBuffer()
    buffer.add_data(written)
    events = []
    for message in buffer:
        assert message.headers[":event-type"] == "chunk"
        events.append(json.loads(base64.b64decode(json.loads(message.payload)["bytes"])))
    assert events[0]["type"] == "message_start"
    assert events[-1]["type"] == "message_stop"


@named(WHOLE)
def test_a_whole_reply_has_no_envelope(path):
    relay = invoke.relay(False, {})
    assert relay.feed(path.read_bytes()) == path.read_bytes()
    reader = invoke.reader(False)
    events = reader.feed(path.read_bytes()) + reader.end()
    writer = invoke.writer(False, {}, [])
    assert json.loads(writer.feed(events) + writer.end())["content"] == json.loads(path.read_bytes())["content"]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("throttlingException", 429, "rate_limit_error"),
        ("internalServerException", 500, "api_error"),
        ("serviceUnavailableException", 503, "overloaded_error"),
        ("validationException", 400, "invalid_request_error"),
        ("modelTimeoutException", 408, "timeout_error"),
    ],
)
def test_an_exception_is_an_error_event(name, status, kind):
    message = write_exception(name, b'{"message":"No more."}')
    sse = invoke.Unpacker().feed(message)
    assert sse.startswith(b"event: error\ndata: ")
    assert json.loads(sse[19:])["error"]["type"] == kind
    [failed] = [event for event in read(invoke, message) if isinstance(event, ev.Failed)]
    assert isinstance(failed.error, ProviderRefused)
    assert failed.error.message == "No more."
    relay = invoke.relay(True, {})
    assert relay.feed(message + message) == message
    assert relay.failed.message == "No more."
    assert not relay.complete


@pytest.mark.parametrize(
    "payload", [b"{}", b"null", b'{"bytes":"!"}', b'{"bytes":"e30="}', b'{"bytes":"W10="}', b"\xff"]
)
def test_a_message_without_an_event_is_nonsense(payload):
    with pytest.raises(ProviderNonsense):
        invoke.Unpacker().feed(write_event("chunk", payload))


def test_messages_nobody_knows_are_passed_over():
    assert invoke.Unpacker().feed(write_event("heartbeat", b"{}")) == b""
    assert invoke.Unpacker().feed(b"") == b""


def test_white_space_in_an_event_does_not_break_it():
    event = b'{\n "type": "ping",\r\n "a": "x\\ny"}'
    message = write_event("chunk", json.dumps({"bytes": base64.b64encode(event).decode()}).encode())
    assert invoke.Unpacker().feed(message) == b'event: ping\ndata: { "type": "ping", "a": "x\\ny"}\n\n'


@pytest.mark.parametrize(
    ("betas", "header", "sent"),
    [
        (["a-1", "b.2"], None, b"a-1,b.2"),
        (["a-1"], b"c, a-1", b"c,a-1"),
        ([], None, None),
        ([], b"c", b"c"),
        (None, b"c", b"c"),
    ],
)
def test_betas_of_the_body_stand_in_a_header_of_the_api_itself(betas, header, sent):
    body = b'{"model":"m"%b}' % (b"" if betas is None else b',"anthropic_beta":' + json.dumps(betas).encode())
    given = [(b"x-other", b"1"), *([] if header is None else [(invoke.BETA, header)])]
    outgoing, headers = invoke.outside(body, given)
    assert outgoing == b'{"model":"m"}'
    assert headers == [(b"x-other", b"1"), *([] if sent is None else [(invoke.BETA, sent)])]


@pytest.mark.parametrize("betas", ['"a"', "[1]", "null", '["a\\r\\nx: y"]', '["a,b"]', '["\\u00e9"]', '["a\\n"]'])
def test_what_is_no_name_of_a_beta_goes_into_no_header(betas):
    with pytest.raises(InvalidRequest) as caught:
        invoke.outside(b'{"anthropic_beta":%b}' % betas.encode(), [])
    assert caught.value.param == "anthropic_beta"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
def test_recorded_traffic():
    streams = whole = 0
    for path in sorted(RECORDED.glob("*.json")):
        exchange = json.loads(path.read_bytes())
        asked, reply = (exchange.get("request") or {}), exchange["response"]
        body = asked.get("body")
        if exchange["api"] != "invoke" or not isinstance(body, dict) or "messages" not in body:
            continue
        if "anthropic_version" not in body or reply["status"] != 200:
            continue
        model = unquote(urlsplit(asked["url"]).path.split("/")[-2])
        request = invoke.read_request({**body, "model": model, "stream": exchange["stream"]})
        assert meant(json.loads(invoke.write_request(request, []))) == meant(body), exchange["id"]
        stream = "body_b64" in reply
        data = base64.b64decode(reply["body_b64"]) if stream else json.dumps(reply["body"]).encode()
        relay = invoke.relay(stream, {})
        assert relay.feed(data) + relay.end() == data
        assert relay.complete or "truncated" in exchange["features"], exchange["id"]
        if stream and relay.complete:
            sse = invoke.Unpacker().feed(data)
            assert less_reported(gist(read(direct, sse))) == less_reported(gist(read(invoke, data)))
            told = [event["data"] for event in reply["events_decoded"] if event["data"]["type"] == "message_delta"]
            assert relay.usage.completion == told[-1]["usage"]["output_tokens"]
            streams += 1
        whole += not stream
    assert streams > 20
    assert whole > 20
