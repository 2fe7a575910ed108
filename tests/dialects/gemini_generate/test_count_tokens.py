"""Counting tokens: Google's way and Anthropic's, and each said as the other."""

import json

import pytest
from anthropic.types import MessageTokensCount
from google.genai import types

from dialects.gemini_generate.laws import RECORDED, needs_recordings
from headgate.core import events as ev
from headgate.core.errors import ProviderNonsense, ProviderRefused
from headgate.dialects.anthropic_messages import count_tokens as anthropic
from headgate.dialects.gemini_generate import count_tokens as gemini
from together import together

HI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
ASK = {"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "Hi"}]}


def read(dialect, body):
    reader = dialect.reader(False)
    return reader.feed(json.dumps(body).encode()) + reader.end()


def cross(source, target, body):
    lost = []
    writer = target.writer(False, {}, lost)
    return json.loads(writer.feed(read(source, body)) + writer.end()), [loss.path for loss in lost]


def test_a_count_is_carried_and_what_is_beside_it_named():
    google = {
        "totalTokens": 31,
        "cachedContentTokenCount": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}],
    }
    assert cross(gemini, gemini, google) == (google, [])
    claude, lost = cross(gemini, anthropic, google)
    assert MessageTokensCount.model_validate(claude).input_tokens == 31
    assert lost == ["reply.promptTokensDetails", "reply.cached"]
    back, lost = cross(anthropic, gemini, {"input_tokens": 7, "context_management": {"original_input_tokens": 9}})
    assert types.CountTokensResponse.model_validate(back).total_tokens == 7
    assert lost == ["reply.context_management"]


@together("dialect", [gemini, anthropic])
@together("body", [b"", b"[]", b"<html>", b'{"a":1}', b'{"totalTokens":"x","input_tokens":-1}'])
def test_what_is_no_count_is_nonsense(dialect, body):
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)
    reader = dialect.reader(False)
    reader.feed(body)
    with pytest.raises(ProviderNonsense):
        reader.end()


@pytest.mark.parametrize("dialect", [gemini, anthropic])
def test_an_error_that_came_as_a_200(dialect):
    body = b'{"type":"error","error":{"type":"api_error","code":500,"message":"No.","status":"INTERNAL"}}'
    with pytest.raises(ProviderRefused, match="No"):
        dialect.relay(False, {}).feed(body)


def test_a_request_for_google_takes_the_shortest_form():
    request = anthropic.read_request(ASK)
    assert json.loads(gemini.write_request(request, [])) == HI
    request = anthropic.read_request({**ASK, "system": "Be brief."})
    written = json.loads(gemini.write_request(request, []))["generateContentRequest"]
    assert written["model"] == "models/claude-opus-4-8"
    assert written["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


def test_a_request_for_anthropic_has_only_what_counts():
    fields = {**HI, "model": "claude-opus-4-8", "generationConfig": {"maxOutputTokens": 9, "temperature": 0.5}}
    written = json.loads(anthropic.write_request(gemini.read_request(fields), []))
    said = {**ASK, "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
    assert written == said
    inner = {"generateContentRequest": {"model": "models/x", **HI}, "model": "claude-opus-4-8"}
    assert gemini.foreign(json.dumps(inner, separators=(",", ":")).encode())
    assert json.loads(anthropic.write_request(gemini.read_request(inner), [])) == said


def test_a_request_of_its_own_round_trips():
    fields = {**ASK, "tools": [{"name": "f", "input_schema": {"type": "object"}}], "thinking": {"type": "adaptive"}}
    assert json.loads(anthropic.write_request(anthropic.read_request(fields), [])) == fields
    for wrapped in (HI, {"generateContentRequest": {"model": "models/alias", **HI}}):
        written = json.loads(gemini.write_request(gemini.read_request({**wrapped, "model": "g"}), []))
        if "generateContentRequest" in wrapped:
            wrapped["generateContentRequest"]["model"] = "models/g"
        assert written == wrapped


@needs_recordings
def test_recorded_counts_of_anthropics():
    """Each passes, is read, and is asked for in Google's words too."""
    seen = 0
    for path in sorted((RECORDED / "anthropic").glob("*.json")):
        exchange = json.loads(path.read_bytes())
        if exchange["api"] != "count_tokens" or exchange["response"]["status"] != 200:
            continue
        body, reply = exchange["request"]["body"], exchange["response"]["body"]
        request, lost = anthropic.read_request(body), []
        assert json.loads(anthropic.write_request(request, lost)) == body
        assert lost == []
        if not any("type" in tool for tool in body.get("tools", ())):  # those are Anthropic's own
            asked = json.loads(gemini.write_request(request, []))
            assert "generateContentRequest" in asked or body.keys() == ASK.keys()
        data = json.dumps(reply).encode()
        assert anthropic.relay(False, {}).feed(data) == data
        [count] = [event.value for event in read(anthropic, reply) if isinstance(event, ev.Result)]
        assert count.tokens == reply["input_tokens"]
        seen += 1
    assert seen > 5
