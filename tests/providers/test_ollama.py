"""Ollama: its two APIs under one address, and the one field it reads under its old name only."""

import json

import pytest

from gateways import KEY, running
from headgate.dialects import anthropic_messages, ollama_chat, openai_chat
from headgate.dialects.dialect import decode, patch
from headgate.dialects.ollama_chat import generate
from headgate.providers.ollama import Ollama
from headgate.providers.settings import ProviderSettings
from traffic import answering
from upstreams import ScriptedUpstream, json_reply


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'{"model":"m","max_completion_tokens":7,"x":1}', b'{"model":"m","x":1,"max_tokens":7}'),
        (
            b'{"model":"m","max_tokens":5,"max_completion_tokens":7}',
            b'{"model":"m","max_tokens":5,"max_completion_tokens":7}',
        ),
        (b'{"model":"m","max_tokens":5}', b'{"model":"m","max_tokens":5}'),
        (b'{"model":"m"}', b'{"model":"m"}'),
    ],
)
def test_the_newer_name_is_renamed(sent, expected):
    fields = decode(sent)
    assert patch(sent, Ollama("ollama", ProviderSettings()).adjust(fields, openai_chat, "m"), fields) == expected


@pytest.mark.parametrize(
    "base", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "http://h:1/x/v1?y=1"]
)
def test_each_dialect_has_its_place_whatever_the_base_url_ends_in(base):
    provider = Ollama("ollama", ProviderSettings(base_url=base))
    path, query = ("/x", "?y=1") if "/x" in base else ("", "")
    for dialect, place in (
        (ollama_chat, "/api/chat"),
        (generate, "/api/generate"),
        (openai_chat, "/v1/chat/completions"),
    ):
        assert provider.url(dialect, "m", False, {}) == f"http://h:1{path}{place}{query}"


def test_clients_of_other_dialects_reach_its_own():
    provider = Ollama("ollama", ProviderSettings())
    assert provider.dialect_for(anthropic_messages, "m") is ollama_chat
    assert provider.dialect_for(openai_chat, "m") is openai_chat
    assert provider.dialect_for(generate, "m") is generate
    assert provider.adjust({"max_completion_tokens": 7}, ollama_chat, "m") == {}


def ollama(openai):
    """A script for both of Ollama's APIs: `openai` answers the other one."""

    async def reply(asked):
        if not asked.request.path.startswith("/api/"):
            await openai(asked)
            return
        message = {"role": "assistant", "content": "Hi"}
        line = {"model": "llama3.2", "created_at": "2025-07-10T12:00:05Z", "message": message, "done": True}
        await asked.send(json_reply({**line, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2}))

    return reply


def test_over_both_faces(tmp_path):
    config = (
        "server: {{host: 127.0.0.1, port: {{PORT}}}}\ndata_dir: {{DATA}}\n"
        "providers:\n  ollama: {{base_url: '{url}/v1'}}\n"
        "models: {{chat: ollama/llama3.2}}\nkeys: [{{name: test, key: {key}}}]\n"
    )
    messages = [{"role": "user", "content": "Hello"}]
    with (
        ScriptedUpstream(ollama(answering())) as upstream,
        running(tmp_path, config.format(url=upstream.url, key=KEY)) as gateway,
    ):
        same = {"model": "chat", "messages": messages, "max_completion_tokens": 7, "keep_alive": "5m"}
        assert gateway.post(same)[0] == 200
        assert gateway.post({"model": "chat", "messages": messages, "max_tokens": 9}, path="/v1/messages")[0] == 200
        assert gateway.post({**same, "stream": True})[0] == 200
    first, second, third = (json.loads(request.body) for request in upstream.requests)
    assert (first["max_tokens"], first["keep_alive"]) == (7, "5m")
    assert second["options"]["num_predict"] == 9
    assert second["stream"] is False
    assert third["max_tokens"] == 7
    assert not [body for body in (first, second, third) if "max_completion_tokens" in body]
    assert {request.headers.get("authorization") for request in upstream.requests} == {None}
