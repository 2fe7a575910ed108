"""Mistral's SDK against the gateway, with Mistral and other vendors behind it, and Mistral behind OpenAI's SDK."""

import json

import httpx
import pytest
from mistralai.client import Mistral, errors

from gateways import KEY
from upstreams import json_reply, sse_event, sse_reply
from walks.conftest import each, settle
from walks.vendors import WEATHER, Said, error_body, openai_body, openai_chunk, stream, whole

ASK = [{"role": "user", "content": "Say hello in three languages."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The {name}.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("get_weather", "get_time")
]
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
vendors = pytest.mark.parametrize("vendor", ["mistral", "openai", "anthropic"])
THOUGHT = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Hello"}]


@pytest.fixture
def client(gateway, authorities):
    """Mistral's SDK with only its server's URL and its key changed."""
    with httpx.Client(verify=authorities, timeout=20) as http:
        yield Mistral(api_key=KEY, server_url=gateway.url, client=http)


def said_by(vendor, said):
    """(whole, stream): Mistral's replies have the form of OpenAI's, their usage in the last choice's chunk."""
    if vendor != "mistral":
        return whole(vendor, said), stream(vendor, said)
    body = openai_body(said, model="mistral-small-latest", usage=USAGE)
    message = body["choices"][0]["message"]
    del message["refusal"], message["annotations"]
    chunks = [openai_chunk({"role": "assistant", "content": ""})]
    chunks += [openai_chunk({"content": piece}) for piece in (said.text or "").split(" ")]
    calls = [
        {"index": place, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (id, name, arguments) in enumerate(said.calls)
    ]
    finish = "tool_calls" if calls else "stop"
    chunks.append(openai_chunk({"content": "", **({"tool_calls": calls} if calls else {})}, finish, usage=USAGE))
    return json_reply(body), sse_reply([*map(sse_event, chunks), sse_event("[DONE]")])


def sent(upstream):
    return json.loads(upstream.requests[-1].body)


@vendors
def test_plain_chat_and_a_stream(client, gateway, upstream, vendor):
    upstream.script = list(said_by(vendor, Said(text="Hello there")))
    reply = client.chat.complete(model=vendor, messages=ASK, max_tokens=99, random_seed=7)
    [choice] = reply.choices
    assert (choice.message.content, choice.finish_reason) == ("Hello there", "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (100, 20)
    if vendor == "mistral":
        assert sent(upstream) == {
            "model": "mistral-small-latest",
            "messages": ASK,
            "max_tokens": 99,
            "random_seed": 7,
            "stream": False,
        }
        assert upstream.requests[0].headers["authorization"] == "Bearer mistral-upstream-secret"
    events = list(client.chat.stream(model=vendor, messages=ASK))
    text = "".join(event.data.choices[0].delta.content or "" for event in events if event.data.choices)
    assert text.replace(" ", "") == "Hellothere"
    assert gateway.newest()["usage"]["output"] > 0
    if vendor == "mistral":
        assert sent(upstream) == {"model": "mistral-small-latest", "messages": ASK, "stream": True}
        assert events[-1].data.usage.total_tokens == 120


@vendors
def test_tools(client, upstream, vendor):
    said = Said(text=None, calls=WEATHER, stop="tools")
    upstream.script = list(said_by(vendor, said))
    choice = "any" if vendor != "openai" else "required"
    reply = client.chat.complete(model=vendor, messages=ASK, tools=TOOLS, tool_choice=choice)
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in reply.choices[0].message.tool_calls
    ]
    assert calls == [(id, name, json.loads(arguments)) for id, name, arguments in WEATHER]
    assert reply.choices[0].finish_reason == "tool_calls"
    assert (
        sent(upstream)["tool_choice"] == {"mistral": "any", "openai": "required", "anthropic": {"type": "any"}}[vendor]
    )
    if vendor != "mistral":
        return  # its SDK wants a whole call in each chunk, which is not how OpenAI's stream is documented
    calls = [
        call.function.name
        for event in client.chat.stream(model=vendor, messages=ASK, tools=TOOLS)
        for choice in event.data.choices
        for call in choice.delta.tool_calls or ()
    ]
    assert calls == ["get_weather", "get_time"]


def test_thinking_goes_both_ways(client, upstream):
    body = openai_body(Said(), usage=USAGE)
    body["choices"][0]["message"]["content"] = THOUGHT
    upstream.script = [json_reply(body), whole("cohere", Said())]
    reply = client.chat.complete(model="mistral", messages=ASK)
    assert [part.type for part in reply.choices[0].message.content] == ["thinking", "text"]
    history = [*ASK, {"role": "assistant", "content": THOUGHT}, *ASK]
    client.chat.complete(model="cohere", messages=history)
    assert sent(upstream)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "Hello"},
    ]


def test_a_document_by_url_reaches_claude(client, upstream):
    upstream.script = whole("anthropic", Said())
    part = {"type": "document_url", "document_url": "https://example.com/a.pdf", "document_name": "a"}
    client.chat.complete(
        model="anthropic", messages=[{"role": "user", "content": [part, {"type": "text", "text": "?"}]}]
    )
    [document, _] = sent(upstream)["messages"][0]["content"]
    assert (document["title"], document["source"]) == ("a", {"type": "url", "url": "https://example.com/a.pdf"})


def test_errors(client, upstream):
    refused = {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "param": None, "code": "1500"}
    upstream.script = [
        json_reply(refused, status=400),
        json_reply(error_body("anthropic", 429, "Too fast."), status=429),
    ]
    with pytest.raises(errors.SDKError) as caught:
        client.chat.complete(model="mistral", messages=ASK)
    assert json.loads(caught.value.body) == refused
    with pytest.raises(errors.SDKError) as caught:
        client.chat.complete(model="anthropic", messages=ASK)
    assert caught.value.status_code == 429
    assert "Too fast." in caught.value.body


async def test_openais_sdk_reaches_mistral(openai_client, upstream):
    upstream.script = said_by("mistral", Said(text="Hi"))[0]
    id = "toolu_01A09q90qw90lq917835lq9"
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Weather?", "name": "bob"},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "reasoning_content": "Hm.",
            "tool_calls": [{"id": id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": id, "content": "sunny"},
    ]
    more = {
        "max_completion_tokens": 9,
        "seed": 7,
        "user": "u",
        "store": False,
        "tools": TOOLS,
        "tool_choice": "required",
    }
    await settle(openai_client.chat.completions.create(model="mistral", messages=turns, **more))
    body = sent(upstream)
    assert body.keys() == {"model", "messages", "max_tokens", "random_seed", "tools", "tool_choice"}
    system, user, assistant, tool = body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert user == {"role": "user", "content": "Weather?"}
    assert assistant.keys() == {"role", "content", "tool_calls"}
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
    assert len(tool["tool_call_id"]) == 9
    assert tool["tool_call_id"].isalnum()


async def test_a_stream_of_mistral_needs_no_question_for_its_usage(openai_client, gateway, upstream):
    upstream.script = said_by("mistral", Said(text="Hi there"))[1]
    asked = {"model": "mistral", "messages": ASK, "stream": True, "stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in each(await settle(openai_client.chat.completions.create(**asked)))]
    assert chunks[-1].usage.total_tokens == 120
    assert "stream_options" not in sent(upstream)
    assert gateway.newest()["usage"]["input"] == 100
