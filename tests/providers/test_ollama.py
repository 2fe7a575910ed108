"""Ollama: the one field it reads under its old name only, whichever dialect the client speaks."""

import json

import pytest

from gateways import KEY, running
from headgate.dialects import openai_chat
from headgate.dialects.dialect import decode, patch
from headgate.providers.ollama import Ollama
from headgate.providers.provider import ProviderSettings
from traffic import answering
from upstreams import ScriptedUpstream


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


def test_over_both_faces(tmp_path):
    config = (
        "server: {{host: 127.0.0.1, port: {{PORT}}}}\ndata_dir: {{DATA}}\n"
        "providers:\n  ollama: {{base_url: '{url}/v1'}}\n"
        "models: {{chat: ollama/llama3.2}}\nkeys: [{{name: test, key: {key}}}]\n"
    )
    messages = [{"role": "user", "content": "Hello"}]
    with (
        ScriptedUpstream(answering()) as upstream,
        running(tmp_path, config.format(url=upstream.url, key=KEY)) as gateway,
    ):
        same = {"model": "chat", "messages": messages, "max_completion_tokens": 7, "keep_alive": "5m"}
        assert gateway.post(same)[0] == 200
        assert gateway.post({"model": "chat", "messages": messages, "max_tokens": 9}, path="/v1/messages")[0] == 200
        assert gateway.post({**same, "stream": True})[0] == 200
    first, second, third = (json.loads(request.body) for request in upstream.requests)
    assert (first["max_tokens"], first["keep_alive"]) == (7, "5m")
    assert second["max_tokens"] == 9
    assert third["max_tokens"] == 7
    assert not [body for body in (first, second, third) if "max_completion_tokens" in body]
    assert {request.headers.get("authorization") for request in upstream.requests} == {None}
