"""Long prompts are marked for providers that keep none without a mark, and what that spares is told."""

import json

import anthropic
import openai
import pytest

from gateways import KEY, running
from upstreams import ScriptedUpstream, json_reply

LONG = "What is to be known of it. " * 300
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
catalogue: {{models: {{up/claude-x: {{prices: {{input: 10, output: 20, cache_read: 1, cache_write: 12.5}}}}}}}}
providers:
  up: {{kind: anthropic, api_key: sk-x, base_url: '{up}'}}
  bedrock: {{region: eu-central-1, api_key: bedrock-key, base_url: '{up}'}}
models:
  auto: {{targets: up/claude-x, prompt_cache: auto}}
  hour: {{targets: up/claude-x, prompt_cache: auto_1h}}
  nova: {{targets: 'bedrock/amazon.nova-pro-v1:0', prompt_cache: auto_1h}}
  llama: {{targets: 'bedrock/meta.llama3-8b-instruct-v1:0', prompt_cache: auto}}
  off: up/claude-x
keys: [{{name: one, key: {key}}}]
"""
MARK = {"type": "ephemeral"}
TOOL = {"name": "f", "description": "Does f.", "input_schema": {"type": "object", "properties": {}}}


class Provider:
    def __init__(self):
        self.bodies = []

    async def __call__(self, asked):
        self.bodies.append(json.loads(asked.request.body))
        if asked.request.path.endswith("/converse"):
            message = {"role": "assistant", "content": [{"text": "yes"}]}
            usage = {"inputTokens": 10, "outputTokens": 1, "totalTokens": 11}
            await asked.send(json_reply({"output": {"message": message}, "stopReason": "end_turn", "usage": usage}))
            return
        usage = {
            "input_tokens": 100,
            "cache_read_input_tokens": 1000 if len(self.bodies[-1]["messages"]) > 1 else 0,
            "cache_creation_input_tokens": 0 if len(self.bodies[-1]["messages"]) > 1 else 1000,
            "output_tokens": 1,
        }
        whole = {"id": "m", "type": "message", "role": "assistant", "model": "claude-x", "usage": usage}
        whole |= {"content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn", "stop_sequence": None}
        await asked.send(json_reply(whole))


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    with ScriptedUpstream(provider) as up, running(folder, CONFIG.format(up=up.url, key=KEY)) as started:
        yield started
        assert "Traceback" not in started.output()


def turns(*said):
    return [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(said)]


def test_prompts_are_marked_and_what_it_spares_is_told(gateway, provider):
    before = [gateway.metric("headgate_prompt_cache_saved_dollars", model=model) for model in ("hour", "auto")]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
        system = {"role": "system", "content": LONG}

        def ask(model, *said, **more):
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[system, *turns(*said)], **more
            )
            return provider.bodies[-1], gateway.record_of(raw.headers["x-request-id"])

        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
        body, record = ask("auto", "one", tools=[tool])
        assert body["tools"][-1]["cache_control"] == MARK
        assert body["system"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
        assert body["messages"] == turns("one")
        assert record["saved"] == {"cache": "-0.0025"}
        body, record = ask("hour", "one", "yes", "two", "yes", "three")
        marked = [{"type": "text", "text": text, "cache_control": {**MARK, "ttl": "1h"}} for text in ("two", "three")]
        assert [message["content"] for message in body["messages"]] == ["one", "yes", [marked[0]], "yes", [marked[1]]]
        assert record["saved"] == {"cache": "0.009"}
        spared = [gateway.metric("headgate_prompt_cache_saved_dollars", model=model) for model in ("hour", "auto")]
        assert [now - then for now, then in zip(spared, before, strict=True)] == [
            pytest.approx(0.009), pytest.approx(-0.0025),
        ]  # fmt: skip
        assert b"cache_control" not in json.dumps(ask("off", "one", "yes", "two")[0]).encode()


def test_what_a_client_marks_and_what_is_short_goes_on_as_it_came(gateway, provider):
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client:
        asked = {"model": "auto", "max_tokens": 9, "tools": [TOOL]}
        own = [{"type": "text", "text": LONG, "cache_control": MARK}]
        client.messages.create(**asked, system=own, messages=turns("one", "yes", "two"))
        assert provider.bodies[-1] == {
            **asked,
            "model": "claude-x",
            "system": own,
            "messages": turns("one", "yes", "two"),
        }
        client.messages.create(**asked, system="short", messages=turns("one", "yes", "two"))
        assert provider.bodies[-1] == {
            **asked,
            "model": "claude-x",
            "system": "short",
            "messages": turns("one", "yes", "two"),
        }
        client.messages.create(**asked, system=LONG, messages=turns("one"))
        assert provider.bodies[-1]["tools"] == [{**TOOL, "cache_control": MARK}]
        assert provider.bodies[-1]["system"] == own


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/model/{}/converse"])
def test_bedrocks_models_get_the_points_that_they_take(gateway, provider, path):
    def ask(model):
        body = {"model": model, "messages": [{"role": "system", "content": LONG}, *turns("one", "yes", "two")]}
        if path.endswith("converse"):
            said = [{**each, "content": [{"text": each["content"]}]} for each in turns("one", "yes", "two")]
            body = {"system": [{"text": LONG}], "messages": said}
        status, heads, _ = gateway.post(body, path.format(model))
        assert (status, heads.get("x-headgate-lost")) == (200, None)
        return provider.bodies[-1]

    point = {"cachePoint": {"type": "default"}}
    body = ask("nova")
    assert body["system"] == [{"text": LONG}, point]
    assert [each["content"] for each in body["messages"]] == [
        [{"text": "one"}, point],
        [{"text": "yes"}],
        [{"text": "two"}, point],
    ]
    assert "cachePoint" not in json.dumps(ask("llama"))
