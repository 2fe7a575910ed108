"""Counting tokens as Bedrock does, and as others ask for it."""

import base64
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import botocore.session
import pytest
from botocore.validate import ParamValidator

from headgate.core.errors import InvalidRequest, ProviderNonsense, Unsupported
from headgate.dialects.anthropic_messages import count_tokens as anthropic
from headgate.dialects.bedrock_converse import count_tokens as dialect
from headgate.dialects.dialect import crossed
from headgate.dialects.gemini_generate import count_tokens as gemini
from together import together

RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges" / "bedrock"
TURNS = [{"role": "user", "content": [{"text": "Hi"}]}]
TOOL = {"toolSpec": {"name": "f", "description": "F.", "inputSchema": {"json": {"type": "object"}}}}
THINKING = {"type": "enabled", "budget_tokens": 2048}
CONVERSE = {
    "messages": TURNS,
    "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
    "toolConfig": {"tools": [TOOL], "toolChoice": {"auto": {}}},
    "additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"], "thinking": THINKING},
}
INVOKE = {"body": base64.b64encode(b'{"anthropic_version":"bedrock-2023-05-31"}').decode()}


def asked(given, model="anthropic.claude-sonnet-4-5-20250929-v1:0", **more):
    return {"model": model, "stream": False, "input": given, **more}


@pytest.mark.parametrize("given", [{"converse": CONVERSE}, {"invokeModel": INVOKE}, {"converse": {"messages": TURNS}}])
@pytest.mark.parametrize("beside", [{}, {"newField": 1}])
def test_a_request_of_its_own_round_trips(given, beside):
    lost = []
    request = dialect.read_request(asked(given, **beside))
    assert json.loads(crossed(dialect, request, lost)) == {"input": given, **beside}
    assert lost == []


def test_a_request_of_its_own_in_anthropics_words():
    lost = []
    written = json.loads(crossed(anthropic, dialect.read_request(asked({"converse": CONVERSE})), lost))
    assert written["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert written["tools"] == [{"name": "f", "description": "F.", "input_schema": {"type": "object"}}]
    assert written["thinking"] == THINKING
    assert "max_tokens" not in written
    assert [loss.path for loss in lost] == ["additionalModelRequestFields"]


def test_what_is_not_read_stays_at_bedrock():
    request = dialect.read_request(asked({"invokeModel": INVOKE}))
    with pytest.raises(Unsupported) as caught:
        crossed(anthropic, request, [])
    assert caught.value.param == "input.invokeModel"


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (anthropic, {"messages": [{"role": "user", "content": "Hi"}], "system": "Be brief."}),
        (
            gemini,
            {
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9},
            },
        ),
    ],
)
def test_requests_of_others_hold_only_what_counts(source, fields):
    lost = []
    written = json.loads(crossed(dialect, source.read_request({"model": "amazon.nova-pro-v1:0", **fields}), lost))
    assert written == {"input": {"converse": {"messages": TURNS, "system": [{"text": "Be brief."}]}}}
    assert lost == []
    shape = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("CountTokens")
    report = ParamValidator().validate({"modelId": "m", **written}, shape.input_shape)
    assert not report.has_errors(), report.generate_report()


def told(source, target, body):
    lost = []
    reader, writer = source.reader(False), target.writer(False, {}, lost)
    events = reader.feed(json.dumps(body).encode()) + reader.end()
    return json.loads(writer.feed(events) + writer.end()), [loss.path for loss in lost]


def test_a_count_is_carried():
    assert told(dialect, dialect, {"inputTokens": 7, "new": 1}) == ({"inputTokens": 7, "new": 1}, [])
    assert told(dialect, anthropic, {"inputTokens": 7}) == ({"input_tokens": 7}, [])
    google = {"totalTokens": 31, "cachedContentTokenCount": 4}
    assert told(gemini, dialect, google) == ({"inputTokens": 31}, ["reply.cached"])


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"a":1}', b'{"inputTokens":-1}', b'{"inputTokens":"x"}'])
def test_what_is_no_count_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)
    reader = dialect.reader(False)
    reader.feed(body)
    with pytest.raises(ProviderNonsense):
        reader.end()


@together(
    ("given", "param"),
    [
        (None, "input"),
        ([], "input"),
        ({}, "input"),
        ({"converse": CONVERSE, "invokeModel": INVOKE}, "input"),
        ({"new": {}}, "input"),
        ({"converse": []}, "input.converse"),
        ({"invokeModel": {}}, "input.invokeModel.body"),
        ({"converse": {"messages": {}}}, "messages"),
    ],
)
def test_what_cannot_be_counted_is_said_by_name(given, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request(asked(given))
    assert caught.value.param == param


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
def test_recorded_traffic():
    counts = refusals = 0
    for path in sorted(RECORDED.glob("*.json")):
        exchange = json.loads(path.read_bytes())
        if exchange["api"] != "count_tokens":
            continue
        body, reply, lost = exchange["request"]["body"], exchange["response"], []
        model = unquote(urlsplit(exchange["request"]["url"]).path.split("/")[2])
        assert unquote(dialect.write_url(model, False, {})) == unquote(urlsplit(exchange["request"]["url"]).path)
        written = json.loads(crossed(dialect, dialect.read_request({**body, "model": model, "stream": False}), lost))
        converse = body["input"].get("converse", {})
        if converse.get("system") == []:
            del converse["system"]
        assert (written, lost) == (body, []), exchange["id"]
        data = json.dumps(reply["body"]).encode()
        if reply["status"] == 200:
            relay = dialect.relay(False, {})
            assert relay.feed(data) + relay.end() == data
            assert relay.complete
            assert told(dialect, anthropic, reply["body"])[0] == {"input_tokens": reply["body"]["inputTokens"]}
            counts += 1
        else:
            assert dialect.read_error(reply["status"], data).message == reply["body"]["message"]
            refusals += 1
    assert counts >= 4
    assert refusals >= 2
