"""Cohere's SDK against the gateway, with Cohere and other vendors behind it, and Cohere behind other vendors' SDKs."""

import json

import cohere
import httpx
import pytest

from gateways import KEY
from upstreams import Close, as_chunk, chunked_head, json_reply
from walks.conftest import each, settle
from walks.vendors import (
    COHERE_USAGE,
    IDS,
    WEATHER,
    Said,
    cohere_body,
    cohere_content,
    cohere_event,
    error_body,
    stream,
    whole,
)

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
FINISHES = {"cohere": "COMPLETE", "openai": "stop", "anthropic": "end_turn", "ollama": "stop"}
vendors = pytest.mark.parametrize("vendor", ["cohere", "openai", "anthropic", "ollama"])


@pytest.fixture
async def client(gateway, flavour, authorities):
    """Cohere's SDK with only its base URL and key changed."""
    if flavour == "async":
        async with httpx.AsyncClient(verify=authorities, timeout=20) as http:
            yield cohere.AsyncClientV2(api_key=KEY, base_url=gateway.url, httpx_client=http)
    else:
        with httpx.Client(verify=authorities, timeout=20) as http:
            yield cohere.ClientV2(api_key=KEY, base_url=gateway.url, httpx_client=http)


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def record_of(gateway, **wanted):
    record = gateway.newest()
    assert (record["dialect"], record["path"]) == ("cohere_chat", "/v2/chat")
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


@vendors
async def test_plain_chat(client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    reply = await settle(client.chat(model=vendor, messages=ASK, max_tokens=99, temperature=0.5))
    assert [(part.type, part.text) for part in reply.message.content] == [("text", Said().text)]
    assert reply.finish_reason == "COMPLETE"
    assert reply.usage.billed_units.output_tokens == 20
    assert reply.usage.billed_units.input_tokens == 100
    record = record_of(gateway, status=200, stream=False, finish=FINISHES[vendor])
    if vendor == "cohere":
        assert reply.id == IDS["cohere"]
        assert sent(upstream)["messages"] == ASK
        assert upstream.requests[0].path == "/v2/chat"
        assert upstream.requests[0].headers["authorization"] == "Bearer co-upstream-secret"
        assert record["usage"] == {"input": 100, "output": 15, "reasoning": 5, "reported": COHERE_USAGE}
    else:
        assert reply.id


@vendors
async def test_a_stream(client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    events = [event async for event in each(client.chat_stream(model=vendor, messages=ASK))]
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message-start", "content-start"]
    assert kinds[-2:] == ["content-end", "message-end"]
    assert set(kinds[2:-2]) == {"content-delta"}
    texts = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert "".join(texts) == Said().text
    assert len(texts) > 3
    end = events[-1].delta
    assert (end.finish_reason, end.usage.billed_units.output_tokens) == ("COMPLETE", 20)
    record_of(gateway, status=200, stream=True)


@vendors
async def test_tools_whole_and_streamed(client, upstream, vendor):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    reply = await settle(client.chat(model=vendor, messages=ASK, tools=TOOLS))
    assert reply.finish_reason == "TOOL_CALL"
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in reply.message.tool_calls]
    assert calls == [(id, name, json.loads(arguments)) for id, name, arguments in WEATHER]
    if vendor == "cohere":
        assert reply.message.tool_plan == "I will look."
    else:
        assert reply.message.content[0].text == "I will look."
    events = [event async for event in each(client.chat_stream(model=vendor, messages=ASK, tools=TOOLS))]
    given = {}
    for event in events:
        if event.type == "tool-call-start":
            call = event.delta.message.tool_calls
            given[event.index] = [call.id, call.function.name, call.function.arguments]
        elif event.type == "tool-call-delta":
            given[event.index][2] += event.delta.message.tool_calls.function.arguments
    assert [(id, name, json.loads(text)) for id, name, text in given.values()] == calls
    assert [event.type for event in events].count("tool-call-end") == 2
    assert events[-1].delta.finish_reason == "TOOL_CALL"


@vendors
async def test_a_tool_turn_goes_on(client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    id, name, arguments = WEATHER[0]
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    document = {"type": "document", "document": {"data": {"text": "sunny"}}}
    turns = [
        *ASK,
        {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id, "content": [document]},
    ]
    await settle(client.chat(model=vendor, messages=turns, tools=TOOLS))
    body = json.dumps(sent(upstream), ensure_ascii=False)
    for word in ("I will look.", "sunny", id, name, "Zürich"):
        assert word in body or json.dumps(word)[1:-1] in body


async def test_documents_reach_other_vendors(client, upstream):
    upstream.script = whole("anthropic", Said())
    documents = [{"data": {"title": "Geography", "text": "Oslo is in Norway."}}]
    await settle(client.chat(model="anthropic", messages=ASK, documents=documents))
    [first, _] = sent(upstream)["messages"][0]["content"]
    assert first["type"] == "document"
    assert (first["title"], first["source"]["data"]) == ("Geography", "Oslo is in Norway.")
    assert first["citations"] == {"enabled": True}


@vendors
async def test_thinking(client, upstream, vendor):
    said = Said(thinking="Let me see.")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    thinking = {"type": "enabled", "token_budget": 2000}
    asked = {"model": vendor, "messages": ASK, "thinking": thinking, "max_tokens": 9000}
    reply = await settle(client.chat(**asked))
    assert [part.type for part in reply.message.content] == ["thinking", "text"]
    assert reply.message.content[0].thinking == "Let me see."
    events = [event async for event in each(client.chat_stream(**asked))]
    thoughts = [event.delta.message.content.thinking or "" for event in events if event.type == "content-delta"]
    assert "".join(thoughts) == "Let me see."


async def test_an_error_of_cohere_passes_as_it_came(client, gateway, upstream):
    body = {"id": "x", "message": "model 'nothing' not found"}
    upstream.script = json_reply(body, status=404)
    with pytest.raises(cohere.NotFoundError) as caught:
        await settle(client.chat(model="cohere", messages=ASK))
    assert caught.value.body == body
    record_of(gateway, status=404, error="provider_refused")


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_an_error_of_another_vendor_is_said_in_coheres_words(client, upstream, vendor):
    upstream.script = json_reply(error_body(vendor, 429, "Too fast."), status=429)
    with pytest.raises(cohere.TooManyRequestsError) as caught:
        await settle(client.chat(model=vendor, messages=ASK, request_options={"max_retries": 0}))
    assert caught.value.body["message"] == "Too fast."


async def test_the_gateways_own_errors(client, gateway):
    with pytest.raises(cohere.NotFoundError) as caught:
        await settle(client.chat(model="no-such-model", messages=ASK))
    assert caught.value.body["code"] == "model_not_found"
    assert caught.value.body["id"] == gateway.newest()["id"]
    wrong = {"authorization": "Bearer wrong"}
    with pytest.raises(cohere.UnauthorizedError):
        await settle(client.chat(model="cohere", messages=ASK, request_options={"additional_headers": wrong}))
    with pytest.raises(cohere.BadRequestError) as caught:
        await settle(client.chat(model="openai", messages=ASK, stop_sequences=list("abcde")))
    assert "stop" in caught.value.body["message"]


async def test_a_stream_that_breaks_off_ends_in_an_error_event(client, gateway, upstream):
    start = cohere_event("message-start", {"role": "assistant"}, id="x")
    pieces = [start, *cohere_content(0, "text", "Hello")[:2]]
    upstream.script = (chunked_head(), *map(as_chunk, pieces), Close())
    events = [event async for event in each(client.chat_stream(model="cohere", messages=ASK))]
    assert events[-1].type == "message-end"
    assert events[-1].delta.finish_reason == "ERROR"
    assert events[-1].delta.error
    record_of(gateway, ending="cut", error="provider_cut")


async def test_openais_sdk_reaches_cohere(openai_client, gateway, upstream):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole("cohere", said), stream("cohere", said)]
    tools = [{"type": "function", "function": tool["function"]} for tool in TOOLS]
    reply = await settle(openai_client.chat.completions.create(model="cohere", messages=ASK, tools=tools))
    [choice] = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "I will look.")
    assert [call.id for call in choice.message.tool_calls] == [id for id, _, _ in WEATHER]
    assert reply.model == "command-a-03-2025"
    assert reply.created > 1_700_000_000
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (100, 20)
    chunks = await settle(openai_client.chat.completions.create(model="cohere", messages=ASK, tools=tools, stream=True))
    deltas = [chunk.choices[0].delta async for chunk in each(chunks)]
    assert "".join(delta.content or "" for delta in deltas) == "I will look."
    assert gateway.newest()["usage"]["input"] == 100


async def test_anthropics_sdk_reaches_cohere(anthropic_client, upstream):
    upstream.script = [json_reply(cohere_body(Said(thinking="Hm."))), stream("cohere", Said(thinking="Hm."))]
    reply = await settle(anthropic_client.messages.create(model="cohere", max_tokens=99, messages=ASK))
    assert [block.type for block in reply.content] == ["thinking", "text"]
    assert (reply.model, reply.stop_reason) == ("command-a-03-2025", "end_turn")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 20)
    events = await settle(anthropic_client.messages.create(model="cohere", max_tokens=99, messages=ASK, stream=True))
    kinds = [event.type async for event in each(events)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
