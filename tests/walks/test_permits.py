"""A key limited to models reaches no other by what else a request may say, and is told so."""

import json

import pytest

from gateways import KEY, OTHER_KEY, running
from upstreams import json_reply

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "cheap",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
HELLO = [{"role": "user", "content": "Hello"}]
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
SAID = {CHAT: {"messages": HELLO}, MESSAGES: {"messages": HELLO, "max_tokens": 9}, RESPONSES: {"input": "Hello"}}
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {"model": {"type": "string"}}}}


@pytest.fixture(scope="module")
def gateway(first, tmp_path_factory):
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
catalogue: {{enforce: false}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openrouter:
    api_key: sk-or
    base_url: '{first.url}/api/v1'
    models: {{small: vendor/small-1, dear: vendor/dear-1, family/two: 'x,y'}}
  vercel: {{kind: vercel_gateway, api_key: sk-v, base_url: '{first.url}/v1'}}
  openai: {{api_key: sk-o, base_url: '{first.url}/v1'}}
  anthropic: {{api_key: sk-a, base_url: '{first.url}'}}
  groq: {{api_key: sk-g, base_url: '{first.url}/v1'}}
  vertex: {{project: p, location: europe-west4, base_url: '{first.url}', headers: {{authorization: Bearer x}}}}
  proxy: {{kind: openai_compatible, base_url: '{first.url}/v1', api_key: none}}
  tidy: {{kind: openai_compatible, base_url: '{first.url}/v1', api_key: none, drop: [models]}}
models:
  cheap: openrouter/low
  operated: {{targets: [{{model: openrouter/low, set: {{models: [expensive], plugins: [{{id: fusion}}]}}}}]}}
keys:
  - {{name: test, key: {KEY}}}
  - name: limited
    key: {OTHER_KEY}
    models:
      - cheap
      - operated
      - openrouter/cheap
      - openrouter/other
      - openrouter/small
      - openrouter/family/*
      - openrouter/@preset/mine
      - vercel/a
      - openai/gpt-4o
      - anthropic/claude-haiku-4-5
      - groq/groq/compound
      - vertex/gemini-2.5-flash
      - proxy/a
      - proxy/open/*
      - tidy/a
"""
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def ask(gateway, first):
    """(status, error's code, error's message, what reached the provider)."""
    first.script = json_reply(ANSWER)

    def ask(path, key=OTHER_KEY, **fields):
        first.requests.clear()
        said = (
            {"input": "Hello"} if path == RESPONSES else {"contents": []} if "gemini" in path else {"messages": HELLO}
        )
        body = {**said, **({"max_tokens": 9} if path == MESSAGES else {}), **fields}
        status, headers, answer = gateway.post(body, path=path, key=key)
        told = answer.get("error") or {}
        sent = json.loads(first.requests[0].body) if first.requests else None
        return status, dict(headers).get("x-headgate-error-code"), told.get("message", ""), sent

    return ask


REFUSED = [
    (CHAT, {"model": "openrouter/cheap", "models": ["cheap", "expensive"]}, "models[1]", "openrouter/expensive"),
    (CHAT, {"model": "openrouter/cheap", "models": "expensive"}, "models", "openrouter/expensive"),
    (CHAT, {"model": "cheap", "models": ["expensive"]}, "models[0]", "openrouter/expensive"),
    (CHAT, {"model": "cheap:high", "models": ["expensive"]}, "models[0]", "openrouter/expensive"),
    (CHAT, {"model": "operated", "models": ["expensive"]}, "models[0]", "openrouter/expensive"),
    (CHAT, {"model": "openrouter/cheap", "models": ["cheap:online"]}, "models[0]", "openrouter/cheap:online"),
    (CHAT, {"model": "openrouter/cheap", "models": ["vendor/dear-1"]}, "models[0]", "openrouter/vendor/dear-1"),
    (CHAT, {"model": "openrouter/cheap", "models": ["small"]}, "models[0]", "openrouter/small"),
    (CHAT, {"model": "openrouter/cheap", "preset": "theirs"}, "preset", "openrouter/@preset/theirs"),
    (CHAT, {"model": "openrouter/family/a@preset/theirs"}, "model", "openrouter/family/a@preset/theirs"),
    (CHAT, {"model": "openrouter/cheap", "models": ["family/a@preset/theirs"]}, "models[0]",
     "openrouter/family/a@preset/theirs"),
    (CHAT, {"model": "openrouter/cheap", "plugins": [{"id": "fusion", "model": "cheap", "analysis_models": ["dear"]}]},
     "plugins[0].analysis_models[0]", "openrouter/dear"),
    (CHAT, {"model": "openrouter/cheap", "tools": [{"type": "openrouter:advisor", "parameters": {"model": "dear"}}]},
     "tools[0].parameters.model", "openrouter/dear"),
    (CHAT, {"model": "openrouter/cheap", "tools": [{"type": "openrouter:advisor"}]}, "tools[0]", "openrouter/*"),
    (MESSAGES, {"model": "openrouter/cheap", "fallbacks": [{"model": "dear"}]}, "fallbacks[0].model",
     "openrouter/dear"),
    (CHAT, {"model": "vercel/a", "providerOptions": {"gateway": {"models": ["b"], "order": ["azure"]}}},
     "providerOptions.gateway.models[0]", "vercel/b"),
    (RESPONSES, {"model": "openai/gpt-4o", "tools": [{"type": "image_generation", "model": "gpt-image-1"}]},
     "tools[0].model", "openai/gpt-image-1"),
    (CHAT, {"model": "openai/gpt-4o", "moderation": {"model": "omni"}}, "moderation.model", "openai/omni"),
    (MESSAGES, {"model": "anthropic/claude-haiku-4-5",
                "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-6"}]},
     "tools[0].model", "anthropic/claude-opus-4-6"),
    (MESSAGES, {"model": "anthropic/claude-haiku-4-5", "fallbacks": "default"}, "fallbacks", "anthropic/default"),
    (CHAT, {"model": "groq/groq/compound", "compound_custom": {"models": {"reasoning_model": "big"}}},
     "compound_custom.models.reasoning_model", "groq/big"),
    ("/v1/models/vertex/gemini-2.5-flash:generateContent",
     {"generation_config": {"routingConfig": {"manualMode": {"model_name": "gemini-2.5-pro"}}}},
     "generation_config.routingConfig.manualMode.model_name", "vertex/gemini-2.5-pro"),
    (CHAT, {"model": "proxy/a", "fallbacks": [{"model": "b", "messages": HELLO}]}, "fallbacks[0].model", "proxy/b"),
    (CHAT, {"model": "proxy/open/a,shut/b"}, "model", "proxy/open/a,shut/b"),
    (CHAT, {"model": "proxy/a", "extra_body": {"models": ["b"]}}, "extra_body.models[0]", "proxy/b"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "fields", "where", "model"), REFUSED, ids=[f"{row[2]}-{row[3]}" for row in REFUSED])
def test_a_limited_key_reaches_no_other_model(ask, path, fields, where, model):
    status, code, message, sent = ask(path, **fields)
    assert (status, code, sent) == (403, "model_not_allowed", None), message
    assert f"`{where}`" in message
    assert f"{model!r}" in message
    assert "it may use 'cheap', 'operated', 'anthropic/claude-haiku-4-5'" in message


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (CHAT, {"model": "openrouter/cheap", "models": ["cheap", "other", "vendor/small-1", "family/x"]}),
        (CHAT, {"model": "cheap", "models": ["low", "other"]}),
        (CHAT, {"model": "openrouter/cheap", "models": None, "preset": "mine"}),
        (CHAT, {"model": "openrouter/family/a@preset/mine"}),
        (CHAT, {"model": "openrouter/family/two"}),
        (CHAT, {"model": "openrouter/cheap", "plugins": [{"id": "web"}], "provider": {"order": ["azure"]}}),
        (CHAT, {"model": "openrouter/cheap", "tools": [
            {"type": "function", "function": FUNCTION},
            {"type": "openrouter:subagent", "parameters": {"model": "other"}},
        ]}),
        (RESPONSES, {"model": "openai/gpt-4o", "previous_response_id": "resp_1", "tools": [{"type": "web_search"}]}),
    ],
)  # fmt: skip
def test_a_limited_key_may_name_what_it_may_use(ask, path, fields):
    _, code, message, sent = ask(path, **fields)
    assert code != "model_not_allowed", message
    said = {name: value for name, value in fields.items() if name != "model"}
    assert {name: sent[name] for name in said} == said


def test_another_key_names_what_it_likes(ask):
    fields = {"models": ["expensive", 7], "plugins": [{"id": "fusion"}]}
    status, _, _, sent = ask(CHAT, key=KEY, model="openrouter/cheap", **fields)
    assert status == 200
    assert {name: sent[name] for name in fields} == fields


def test_what_the_configuration_sets_or_leaves_out_is_not_the_clients(ask):
    status, _, _, sent = ask(CHAT, model="operated")
    assert (status, sent["models"], sent["plugins"]) == (200, ["expensive"], [{"id": "fusion"}])
    status, _, _, sent = ask(CHAT, model="tidy/a", models=["b"])
    assert (status, "models" in sent) == (200, False)


@pytest.mark.parametrize("models", [[7], {"a": True}, 3, False])
def test_what_names_no_model_is_refused(ask, models):
    status, code, message, sent = ask(CHAT, model="openrouter/cheap", models=models)
    assert (status, code, sent) == (400, "invalid_request", None)
    assert "`models" in message
