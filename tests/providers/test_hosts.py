"""The OpenAI-compatible hosts: where each is asked in which dialect, and what it knows by another name."""

import pytest

from headgate.core import plugin
from headgate.core.errors import Unsupported
from headgate.dialects import (
    anthropic_messages,
    cohere_chat,
    gemini_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_responses,
)
from headgate.dialects.anthropic_messages import count_tokens
from headgate.dialects.dialect import decode, patch
from headgate.dialects.fields import reworded
from headgate.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from headgate.providers.provider import Provider
from together import together

CHAT = {
    "ai21": "https://api.ai21.com/studio/v1/chat/completions",
    "baichuan": "https://api.baichuan-ai.com/v1/chat/completions",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "crusoe": "https://api.inference.crusoecloud.com/v1/chat/completions",
    "deepinfra": "https://api.deepinfra.com/v1/openai/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "doubleword": "https://api.doubleword.ai/v1/chat/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "heroku": "https://us.inference.heroku.com/v1/chat/completions",
    "huggingface": "https://router.huggingface.co/v1/chat/completions",
    "hyperbolic": "https://api.hyperbolic.xyz/v1/chat/completions",
    "llamacpp": "http://127.0.0.1:8080/v1/chat/completions",
    "lmstudio": "http://127.0.0.1:1234/v1/chat/completions",
    "localai": "http://127.0.0.1:8080/v1/chat/completions",
    "minimax": "https://api.minimax.io/v1/chat/completions",
    "moonshot": "https://api.moonshot.ai/v1/chat/completions",
    "nebius": "https://api.tokenfactory.nebius.com/v1/chat/completions",
    "novita": "https://api.novita.ai/openai/v1/chat/completions",
    "nvidia": "https://integrate.api.nvidia.com/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
    "sambanova": "https://api.sambanova.ai/v1/chat/completions",
    "sglang": "http://127.0.0.1:30000/v1/chat/completions",
    "siliconflow": "https://api.siliconflow.com/v1/chat/completions",
    "stepfun": "https://api.stepfun.com/v1/chat/completions",
    "tgi": "http://127.0.0.1:8080/v1/chat/completions",
    "together": "https://api.together.xyz/v1/chat/completions",
    "venice": "https://api.venice.ai/api/v1/chat/completions",
    "vercel_gateway": "https://ai-gateway.vercel.sh/v1/chat/completions",
    "vllm": "http://127.0.0.1:8000/v1/chat/completions",
    "volcengine": "https://ark.cn-beijing.volces.com/api/v3/chat/completions",
    "writer": "https://api.writer.com/v1/chat",
    "xai": "https://api.x.ai/v1/chat/completions",
    "xinference": "http://127.0.0.1:9997/v1/chat/completions",
    "zai": "https://api.z.ai/api/paas/v4/chat/completions",
}
MESSAGES = {
    "deepseek": "https://api.deepseek.com/anthropic/v1/messages",
    "fireworks": "https://api.fireworks.ai/inference/v1/messages",
    "llamacpp": "http://127.0.0.1:8080/v1/messages",
    "lmstudio": "http://127.0.0.1:1234/v1/messages",
    "minimax": "https://api.minimax.io/anthropic/v1/messages",
    "moonshot": "https://api.moonshot.ai/anthropic/v1/messages",
    "novita": "https://api.novita.ai/anthropic/v1/messages",
    "openrouter": "https://openrouter.ai/api/v1/messages",
    "qwen": "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages",
    "sglang": "http://127.0.0.1:30000/v1/messages",
    "stepfun": "https://api.stepfun.com/v1/messages",
    "vercel_gateway": "https://ai-gateway.vercel.sh/v1/messages",
    "vllm": "http://127.0.0.1:8000/v1/messages",
    "zai": "https://api.z.ai/api/anthropic/v1/messages",
}
RESPONSES = {
    "deepseek": "https://api.deepseek.com/responses",
    "fireworks": "https://api.fireworks.ai/inference/v1/responses",
    "groq": "https://api.groq.com/openai/v1/responses",
    "huggingface": "https://router.huggingface.co/v1/responses",
    "llamacpp": "http://127.0.0.1:8080/v1/responses",
    "lmstudio": "http://127.0.0.1:1234/v1/responses",
    "minimax": "https://api.minimax.io/v1/responses",
    "moonshot": "https://api.moonshot.ai/v1/responses",
    "openrouter": "https://openrouter.ai/api/v1/responses",
    "qwen": "https://dashscope-intl.aliyuncs.com/api/v2/apps/protocols/compatible-mode/v1/responses",
    "vercel_gateway": "https://ai-gateway.vercel.sh/v1/responses",
    "vllm": "http://127.0.0.1:8000/v1/responses",
    "volcengine": "https://ark.cn-beijing.volces.com/api/v3/responses",
    "xai": "https://api.x.ai/v1/responses",
}
COMPLETIONS = {
    "cerebras": "https://api.cerebras.ai/v1/completions",
    "deepinfra": "https://api.deepinfra.com/v1/openai/completions",
    "fireworks": "https://api.fireworks.ai/inference/v1/completions",
    "llamacpp": "http://127.0.0.1:8080/v1/completions",
    "lmstudio": "http://127.0.0.1:1234/v1/completions",
    "localai": "http://127.0.0.1:8080/v1/completions",
    "novita": "https://api.novita.ai/openai/v1/completions",
    "openrouter": "https://openrouter.ai/api/v1/completions",
    "sglang": "http://127.0.0.1:30000/v1/completions",
    "together": "https://api.together.xyz/v1/completions",
    "vllm": "http://127.0.0.1:8000/v1/completions",
    "xinference": "http://127.0.0.1:9997/v1/completions",
}
IMAGES = {
    "venice": "https://api.venice.ai/api/v1/images/generations",
    "zai": "https://api.z.ai/api/paas/v4/images/generations",
}
COUNTS = {
    "llamacpp": "http://127.0.0.1:8080/v1/messages/count_tokens",
    "vllm": "http://127.0.0.1:8000/v1/messages/count_tokens",
}
EMBEDDINGS = {
    "doubleword": "https://api.doubleword.ai/v1/embeddings",
    "llamacpp": "http://127.0.0.1:8080/v1/embeddings",
    "openrouter": "https://openrouter.ai/api/v1/embeddings",
    "perplexity": "https://api.perplexity.ai/v1/embeddings",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/embeddings",
    "venice": "https://api.venice.ai/api/v1/embeddings",
    "zai": "https://api.z.ai/api/paas/v4/embeddings",
}


def made(name, **settings):
    kind = plugin.load("providers", name, Provider)
    return kind(name, kind.Settings(**settings))


def url(name, dialect, model="m", **settings):
    return made(name, **settings).url(dialect, model, False, {})


@together("name", CHAT)
def test_where_it_is_asked_for_a_completion(name):
    assert url(name, openai_chat) == CHAT[name]


@together("name", MESSAGES)
def test_where_it_is_asked_for_a_message(name):
    assert made(name).dialect_for(anthropic_messages, "m") is anthropic_messages
    assert url(name, anthropic_messages) == MESSAGES[name]


@together("name", RESPONSES)
def test_where_it_is_asked_for_a_response(name):
    assert made(name).dialect_for(openai_responses, "m") is openai_responses
    assert url(name, openai_responses) == RESPONSES[name]


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_where_it_is_asked_for_embeddings(name):
    assert made(name).dialect_for(openai_embeddings, "m") is openai_embeddings
    assert url(name, openai_embeddings) == EMBEDDINGS[name]


@together("name", COMPLETIONS)
def test_where_it_is_asked_to_complete_a_prompt(name):
    provider = made(name)
    assert provider.dialect_for(openai_completions, "m") is openai_completions
    assert url(name, openai_completions) == COMPLETIONS[name]
    assert provider.dialect_for(gemini_generate, "m") is not openai_completions


@pytest.mark.parametrize("name", IMAGES)
def test_where_it_is_asked_for_an_image(name):
    assert made(name).dialect_for(openai_images, "m") is openai_images
    assert url(name, openai_images) == IMAGES[name]


@pytest.mark.parametrize("name", COUNTS)
def test_where_it_is_asked_to_count_tokens(name):
    assert made(name).dialect_for(count_tokens, "m") is count_tokens
    assert url(name, count_tokens) == COUNTS[name]


def test_roles_are_said_so_in_responses_too():
    turns = [{"role": "developer", "content": "a"}, {"type": "function_call_output", "call_id": "c", "output": "x"}]
    changes = made("deepseek").adjust({"input": turns, "max_completion_tokens": 7}, openai_responses, "m")
    assert changes == {"input": [{"role": "system", "content": "a"}, turns[1]]}
    assert made("deepseek").adjust({"input": "text"}, openai_responses, "m") == {}


@pytest.mark.parametrize(
    ("name", "base", "expected"),
    [
        ("deepseek", "https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic/v1/messages"),
        ("moonshot", "https://api.moonshot.cn/v1/", "https://api.moonshot.cn/anthropic/v1/messages"),
        ("zai", "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/anthropic/v1/messages"),
        ("zai", "https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/anthropic/v1/messages"),
        ("zai", "https://proxy.example/zai", "https://proxy.example/zai/anthropic/v1/messages"),
        ("vllm", "http://box:8000", "http://box:8000/v1/messages"),
        ("vllm", "http://box:8000/v1?x=1", "http://box:8000/v1/messages?x=1"),
    ],
)
def test_another_address_has_the_same_places(name, base, expected):
    assert url(name, anthropic_messages, base_url=base) == expected


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        (
            "cloudflare",
            {"account_id": "0123abcd"},
            "https://api.cloudflare.com/client/v4/accounts/0123abcd/ai/v1/chat/completions",
        ),
        (
            "databricks",
            {"host": "https://adb-1.2.azuredatabricks.net/"},
            "https://adb-1.2.azuredatabricks.net/serving-endpoints/chat/completions",
        ),
        (
            "snowflake",
            {"account": "acme-eu"},
            "https://acme-eu.snowflakecomputing.com/api/v2/cortex/v1/chat/completions",
        ),
    ],
)
def test_an_address_made_from_settings(name, settings, expected):
    assert url(name, openai_chat, **settings) == expected


@pytest.mark.parametrize(("name", "setting"), [("cloudflare", "account_id"), ("snowflake", "account")])
def test_a_setting_does_not_lead_elsewhere(name, setting):
    for value in ("a/../../b", "a?b", "a#b", "evil.example/", ""):
        with pytest.raises(ValueError, match=setting):
            made(name, **{setting: value})


def test_snowflake_has_messages_for_claude_only():
    provider = made("snowflake", account="a")
    assert provider.dialect_for(anthropic_messages, "claude-sonnet-5") is anthropic_messages
    assert provider.dialect_for(anthropic_messages, "llama4-maverick") is openai_chat


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'{"model":"m","max_completion_tokens":7,"x":1}', b'{"model":"m","x":1,"max_tokens":7}'),
        (b'{"max_tokens":5,"max_completion_tokens":7}', b'{"max_tokens":5,"max_completion_tokens":7}'),
        (
            b'{"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"}]}',
            b'{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}',
        ),
        (
            b'{"messages":[{"role":"user","content":"developer"}]}',
            b'{"messages":[{"role":"user","content":"developer"}]}',
        ),
        (b'{"messages":[3,{"role":7},{"role":["developer"]}]}', b'{"messages":[3,{"role":7},{"role":["developer"]}]}'),
        (b'{"messages":"odd"}', b'{"messages":"odd"}'),
    ],
)
def test_what_a_host_knows_by_another_name(sent, expected):
    fields = decode(sent)
    provider = made("deepseek")
    assert patch(sent, provider.adjust(fields, openai_chat, "m"), fields) == expected
    assert provider.adjust(fields, anthropic_messages, "m") == {}
    assert reworded(fields, {}, {}) == {}


@together("name", ["fireworks", "huggingface", "llamacpp", "lmstudio", "ollama", "sglang", "tgi", "vllm"])
def test_models_whose_templates_know_no_developer_hear_what_it_says(name):
    fields = {"messages": [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}]}
    changes = made(name).adjust(fields, openai_chat, "m")
    assert changes == {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}


@pytest.mark.parametrize("name", ["xai", "openrouter", "vercel_gateway", "venice"])
def test_a_host_that_knows_them_gets_them_as_they_are(name):
    assert not made(name).adjusts


def test_a_host_of_ones_own_says_what_it_speaks():
    settings = OpenAICompatibleSettings(
        base_url="http://box:9000/v1", speaks=["anthropic_messages", "openai_chat", "cohere_chat"]
    )
    provider = OpenAICompatible("box", settings)
    assert provider.dialect_for(anthropic_messages, "m") is anthropic_messages
    assert provider.dialect_for(cohere_chat, "m") is cohere_chat
    assert provider.url(anthropic_messages, "m", False, {}) == "http://box:9000/v1/messages"
    assert provider.url(cohere_chat, "m", False, {}) == "http://box:9000/v2/chat"
    only = OpenAICompatible("box", OpenAICompatibleSettings(base_url="http://box", speaks=["cohere_chat"]))
    assert only.dialect_for(openai_chat, "m") is cohere_chat
    with pytest.raises(Unsupported, match="box serves no requests of this kind"):
        only.dialect_for(type("Other", (), {"operation": "images"}), "m")


@pytest.mark.parametrize(
    ("names", "words"),
    [(["openai_chats"], "there is no dialect `openai_chats`; did you mean `openai_chat`"), ([], "at least 1")],
)
def test_a_dialect_that_is_not_there_is_told(names, words):
    with pytest.raises(ValueError, match=words):
        OpenAICompatibleSettings(base_url="http://box", speaks=names)


def test_minimax_thinks_apart_from_its_text_in_messages():
    provider = made("minimax")
    assert provider.dialect_for(openai_chat, "m") is openai_chat
    assert provider.dialect_for(cohere_chat, "m") is anthropic_messages


def test_a_key_may_be_sent_as_anthropics_or_as_a_bearer():
    base = "https://host.example"
    head = made("anthropic_compatible", base_url=base, api_key="k-01234567").endpoint(
        anthropic_messages, "m", False, {}
    )
    assert head.head.startswith(b"POST /v1/messages HTTP/1.1\r\n")
    assert b"x-api-key: k-01234567\r\n" in head.head
    other = made("anthropic_compatible", base_url=base, api_key="k-01234567", key_header="authorization")
    assert other.auth(anthropic_messages) == {"authorization": "Bearer k-01234567"}
