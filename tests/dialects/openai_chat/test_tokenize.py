"""vLLM's tokenizer API, which the gateway has for every model."""

import json

import pytest

from headgate.core import events as ev
from headgate.core.chat import Text
from headgate.core.errors import InvalidRequest, ProviderNonsense
from headgate.core.tokens import BareText, TokenCount
from headgate.dialects import openai_chat
from headgate.dialects.anthropic_messages import count_tokens as claude
from headgate.dialects.dialect import crossed
from headgate.dialects.gemini_generate import count_tokens as gemini
from headgate.dialects.openai_chat import tokenize
from headgate.providers.settings import ProviderSettings
from headgate.providers.vllm import VLLM

HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
REPLY = {"count": 3, "max_model_len": 4096, "tokens": [1, 2, 3], "token_strs": ["a", "b", "c"]}


def written(dialect, fields):
    lost = []
    return json.loads(crossed(dialect, tokenize.read_request(fields), lost)), [loss.path for loss in lost]


def read(body):
    reader = tokenize.reader(False)
    return reader.feed(json.dumps(body).encode()) + reader.end()


def test_it_stands_beside_the_chat():
    assert openai_chat.more == (tokenize,)
    assert tokenize.operation == "count_tokens"
    host = VLLM("vllm", ProviderSettings(base_url="http://127.0.0.1:8000/v1"))
    assert host.url(tokenize, "m", False, {}) == "http://127.0.0.1:8000/tokenize"
    assert host.dialect_for(tokenize, "m") is tokenize
    assert host.dialect_for(claude, "m") is claude, "it counts in Anthropic's words, too"
    assert host.dialect_for(gemini, "m") is tokenize


@pytest.mark.parametrize("key", ["prompt", "input"])
def test_a_bare_text(key):
    fields = {"model": "m", key: "Hello", "add_special_tokens": False}
    request = tokenize.read_request(fields)
    assert isinstance(request, BareText)
    assert (request.text, request.messages[0].parts) == ("Hello", [Text(text="Hello")])
    own = {"model": "m", "prompt": "Hello", "add_special_tokens": False}
    assert written(tokenize, fields) == (own, [])
    body, lost = written(claude, fields)
    assert body == {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    assert lost == [key, "add_special_tokens"]


def test_a_chat():
    fields = {"model": "m", "messages": HI, "tools": TOOLS, "add_generation_prompt": True}
    assert written(tokenize, fields) == (fields, [])
    body, lost = written(gemini, fields)
    inner = body["generateContentRequest"]
    assert inner["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert inner["tools"][0]["functionDeclarations"][0]["name"] == "f"
    assert lost == ["add_generation_prompt"]


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (claude, {"model": "m", "system": "Be brief.", "messages": HI, "thinking": {"type": "disabled"}}),
        (
            gemini,
            {
                "model": "m",
                "stream": False,
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            },
        ),
    ],
)
def test_other_counts_reach_vllm(dialect, fields):
    found = json.loads(crossed(tokenize, dialect.read_request(fields), []))
    assert found.keys() == {"model", "messages"}
    assert [message["role"] for message in found["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a", "messages": HI}, "messages"),
        ({"prompt": "a", "input": "b"}, "input"),
        ({"input": ["a"]}, "input"),
        ({"messages": "a"}, "messages"),
    ],
)
def test_what_is_asked_must_be_one_thing(fields, param):
    with pytest.raises(InvalidRequest) as caught:
        tokenize.read_request({"model": "m", **fields})
    assert caught.value.param == param


def test_a_reply_of_vllms():
    [_, native, result, _] = read(REPLY)
    assert (native.name, result.value) == ("token_strs", TokenCount(tokens=3, ids=[1, 2, 3], limit=4096))
    relay = tokenize.relay(False, {})
    data = json.dumps(REPLY).encode()
    assert relay.feed(data) == data
    assert relay.complete
    for wrong in ({}, {"count": -1}, {"count": "3"}):
        with pytest.raises(ProviderNonsense):
            read(wrong)


def test_a_count_is_said_with_who_counted():
    def said(count):
        lost = []
        writer = tokenize.writer(False, {"model": "alias"}, lost)
        events = [ev.Start(), ev.Result(value=count), ev.Stop(reason="stop")]
        return json.loads(writer.feed(events) + writer.end()), [loss.path for loss in lost]

    body, lost = said(TokenCount(tokens=2, ids=[5, 6], by="o200k_base", limit=9))
    assert body == {
        "model": "alias",
        "count": 2,
        "tokens": [5, 6],
        "max_model_len": 9,
        "estimated": False,
        "counted_by": "o200k_base",
    }
    assert lost == []
    body, lost = said(TokenCount(tokens=2, cached=1))
    assert body == {"model": "alias", "count": 2, "estimated": False, "counted_by": "provider"}
    assert lost == ["reply.cached"]


def test_claudes_clients_are_told_what_they_cannot_be():
    lost = []
    writer = claude.writer(False, {}, lost)
    events = read(REPLY)
    assert json.loads(writer.feed(events) + writer.end()) == {"input_tokens": 3}
    assert "reply.token_strs" in [loss.path for loss in lost]
