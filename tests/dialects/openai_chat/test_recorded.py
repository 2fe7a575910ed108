"""The dialect as a whole: its surface, and the recorded traffic of the hosts that speak it."""

import json
from pathlib import Path

import pytest

from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError, InvalidRequest
from headgate.core.events import Failed, Stop, Used
from headgate.dialects import openai_chat
from together import together

RECORDED = Path(__file__).parents[4] / "shared" / "recorded" / "exchanges"
HOSTS = (
    "openai",
    "groq",
    "deepseek",
    "mistral",
    "ollama",
    "openrouter",
    "xai",
    "azure",
    "openai_compatible",
    "ai21",
    "alibaba",
    "anthropic",
    "bedrock_mantle",
    "cerebras",
    "cloudflare",
    "copilot",
    "crusoe",
    "databricks",
    "doubleword",
    "gemini",
    "gpustack",
    "heroku",
    "huggingface",
    "llamacpp",
    "mistralrs",
    "moonshotai",
    "perplexity",
    "portkey",
    "snowflake",
    "together",
    "venice",
    "vercel_gateway",
    "writer",
    "zai",
)


UNASKED = ("alibaba", "moonshotai")
"""Of these only replies are recorded."""


def test_surface():
    dialect: Dialect = openai_chat
    assert dialect.name == "openai_chat"
    assert dialect.paths == ["/v1/chat/completions"]
    assert dialect.upstream_path == "/chat/completions"
    assert all(name == name.lower() for name in dialect.request_headers | dialect.reply_headers)
    assert not {b"authorization", b"cookie", b"openai-organization", b"host"} & dialect.request_headers


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {}),
        ({"stream": False, "stream_options": None}, {}),
        ({"stream": True}, {"stream_options": {"include_usage": True}}),
        ({"stream": True, "stream_options": None}, {"stream_options": {"include_usage": True}}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {}),
        (
            {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
        ),
    ],
)
def test_wanted(fields, wanted):
    assert openai_chat.wanted(fields) == wanted


def exchanges(host):
    if not RECORDED.is_dir():
        pytest.skip("the recorded traffic is not there")
    for path in sorted((RECORDED / host).glob("*.json")):
        exchange = json.loads(path.read_text())
        if exchange["api"] == "chat_completions":
            yield path.stem, exchange


def clean(value):
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items() if inner is not None}
    return [clean(inner) for inner in value] if isinstance(value, list) else value


def normal(body):
    """Without what says nothing: nulls, defaults said out loud, empty lists."""
    body = clean(body)
    if body.get("stream") is False:
        del body["stream"]
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and "function" in choice:
        choice.setdefault("type", "function")
    for key in ("tools", "stop"):
        if body.get(key) == []:
            del body[key]
    for tool in body.get("tools", []):
        if "function" in tool:
            tool.setdefault("type", "function")
    for message in body["messages"]:
        for key in ("content", "tool_calls"):
            if message.get(key) == []:
                del message[key]
        for call in message.get("tool_calls", []):
            call.setdefault("type", "function")
    return body


@together("host", HOSTS)
def test_recorded_requests_lose_nothing(host):
    seen = 0
    for name, exchange in exchanges(host):
        body = exchange["request"].get("body")
        if not isinstance(body, dict) or "messages" not in body:
            continue
        body = {**body, "model": body.get("model") or "in the url"}
        try:
            request = openai_chat.read_request(body)
        except InvalidRequest as error:
            wanting = error.param.endswith(("tool_call_id", "tool_calls[0].id")) and host in ("writer", "zai")
            assert exchange["response"]["status"] >= 400 or wanting, name
            continue
        lost = []
        written = json.loads(openai_chat.write_request(request, lost))
        assert normal(written) == normal(json.loads(json.dumps(body))), name
        assert lost == []
        seen += 1
    assert seen or host in UNASKED


def replies(host):
    for name, exchange in exchanges(host):
        response = exchange["response"]
        if response["status"] < 400:
            if "sse" in response:
                yield name, exchange["request"].get("body") or {}, response["sse"].encode(), True
            elif isinstance(response.get("body"), dict) and "data" not in response["body"]:
                yield name, exchange["request"].get("body") or {}, json.dumps(response["body"]).encode(), False


@together("host", HOSTS)
def test_recorded_replies_are_read(host):
    seen = 0
    for name, body, data, stream in replies(host):
        reader = openai_chat.reader(stream)
        events = reader.feed(data) + reader.end()
        assert isinstance(events[-1], Failed) or events[-1].reason != "cut", name
        assert isinstance(events[-1], Stop | Failed), name
        totals = [
            (event.usage.reported, event.usage.prompt + event.usage.completion)
            for event in events
            if isinstance(event, Used)
        ]
        for reported, total in totals:
            details = reported.get("completion_tokens_details") or {}
            beyond = details.get("reasoning_tokens", 0) if "market_cost" in reported else 0  # in no total of Vercel's
            said = reported["total_tokens"]
            assert total == (said + beyond if said else total), name
        for whole in (True, False):
            if not isinstance(events[-1], Failed):
                writer = openai_chat.writer(whole, body, [])
                assert writer.feed(events) + writer.end(), name
        seen += 1
    assert seen


@together("host", HOSTS)
def test_recorded_replies_pass_byte_for_byte(host):
    for name, body, data, stream in replies(host):
        relay = openai_chat.relay(stream, {**body, "stream_options": {"include_usage": True}})
        passed = relay.feed(data) + relay.end()
        end = b"data: [DONE]\n\n"
        assert passed == (data if not stream or b"[DONE]" in data or relay.failed else data + end), name
        assert relay.complete or relay.failed, name
        reader = openai_chat.reader(stream)
        used = [event.usage for event in reader.feed(data) + reader.end() if isinstance(event, Used)]
        assert relay.usage == (used[-1] if used else None), name


@together("host", HOSTS)
def test_recorded_errors_are_read_and_written(host):
    for name, exchange in exchanges(host):
        response = exchange["response"]
        if response["status"] < 400:
            continue
        data = json.dumps(response["body"]).encode() if "body" in response else response.get("text", "").encode()
        error = openai_chat.read_error(response["status"], data)
        assert isinstance(error, GatewayError)
        assert "no message" not in error.message, name
        assert set(json.loads(openai_chat.write_error(error, "r", streaming=False))["error"]) == {
            "message", "type", "param", "code",
        }  # fmt: skip
