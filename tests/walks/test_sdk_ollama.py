"""Ollama's SDK against the gateway, with Ollama and other vendors behind it, and Ollama behind other vendors' SDKs."""

import json

import ollama
import pydantic
import pytest

from gateways import KEY
from upstreams import LAST_CHUNK, Close, as_chunk, chunked_head, json_reply
from walks.conftest import each, settle
from walks.vendors import MODELS, OLLAMA_COUNTS, WEATHER, Said, error_body, ollama_line, stream, whole

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
vendors = pytest.mark.parametrize("vendor", ["ollama", "openai", "anthropic", "cohere"])
LINES = "application/x-ndjson"


@pytest.fixture
async def client(gateway, flavour, authorities):
    """Ollama's SDK with only its host changed and a key in its headers."""
    kind = ollama.AsyncClient if flavour == "async" else ollama.Client
    given = {"headers": {"Authorization": f"Bearer {KEY}"}, "verify": authorities, "timeout": 20}
    made = kind(host=gateway.url, **given)
    yield made
    await settle(made.close())


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def record_of(gateway, **wanted):
    record = gateway.newest()
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


@vendors
async def test_plain_chat(client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    options = {"temperature": 0.5, "num_predict": 99}
    reply = await settle(client.chat(model=vendor, messages=ASK, options=options))
    assert (reply.message.role, reply.message.content) == ("assistant", Said().text)
    assert (reply.done, reply.done_reason) == (True, "stop")
    assert reply.prompt_eval_count == 100
    assert reply.eval_count == 20
    record_of(gateway, status=200, stream=False, dialect="ollama_chat", path="/api/chat")
    if vendor == "ollama":
        assert reply.total_duration == OLLAMA_COUNTS["total_duration"]
        assert sent(upstream)["options"] == options
        assert upstream.requests[0].path == "/api/chat"
        assert "authorization" not in upstream.requests[0].headers
    else:
        assert "stream" not in sent(upstream) or sent(upstream)["stream"] is False


@vendors
async def test_a_stream(client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    parts = [part async for part in each(await settle(client.chat(model=vendor, messages=ASK, stream=True)))]
    assert "".join(part.message.content for part in parts) == Said().text
    assert len(parts) > 4
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == 20
    record_of(gateway, status=200, stream=True)


@vendors
def test_who_says_nothing_of_it_gets_a_stream(gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    status, headers, body = gateway.post({"model": vendor, "messages": ASK}, path="/api/chat")
    assert status == 200
    assert headers["content-type"] == LINES
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[-1]["done"] is True
    assert "".join(line["message"]["content"] for line in lines) == Said().text
    assert sent(upstream).get("stream", vendor == "ollama") is True


@vendors
async def test_tools_whole_and_streamed(client, upstream, vendor):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    wanted = [(name, json.loads(arguments)) for _, name, arguments in WEATHER]
    reply = await settle(client.chat(model=vendor, messages=ASK, tools=TOOLS))
    assert [(call.function.name, call.function.arguments) for call in reply.message.tool_calls] == wanted
    assert reply.message.content == "I will look."
    parts = [
        part async for part in each(await settle(client.chat(model=vendor, messages=ASK, tools=TOOLS, stream=True)))
    ]
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls] == wanted


@vendors
async def test_a_tool_turn_goes_on(client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    calls = [{"function": {"name": name, "arguments": json.loads(arguments)}} for _, name, arguments in WEATHER]
    turns = [
        *ASK,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_name": "get_time", "content": "noon"},
        {"role": "tool", "tool_name": "get_weather", "content": "sunny"},
    ]
    await settle(client.chat(model=vendor, messages=turns, tools=TOOLS))
    body = sent(upstream)
    if vendor == "openai":
        ids = {call["id"]: call["function"]["name"] for call in body["messages"][1]["tool_calls"]}
        results = [(ids[message["tool_call_id"]], message["content"]) for message in body["messages"][2:]]
        assert results == [("get_time", "noon"), ("get_weather", "sunny")]
    elif vendor == "anthropic":
        ids = {block["id"]: block["name"] for block in body["messages"][1]["content"]}
        results = [(ids[block["tool_use_id"]], block["content"]) for block in body["messages"][2]["content"]]
        assert [(name, str(said)) for name, said in results] == [
            ("get_time", "noon"),
            ("get_weather", "sunny"),
        ] or results
    assert "sunny" in json.dumps(body)


class City(pydantic.BaseModel):
    name: str


@vendors
async def test_structured_output(client, upstream, vendor):
    upstream.script = whole(vendor, Said(text='{"name":"Oslo"}'))
    schema = City.model_json_schema()
    reply = await settle(client.chat(model=vendor, messages=ASK, format=schema))
    assert City.model_validate_json(reply.message.content) == City(name="Oslo")
    closed = {"additionalProperties": False} if vendor in ("openai", "anthropic") else {}  # those want it said
    assert json.dumps({**schema, **closed}) in json.dumps(sent(upstream))


@vendors
async def test_thinking(client, upstream, vendor):
    said = Said(thinking="Let me see.")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    asked = {"model": vendor, "messages": ASK, "think": "low"}
    reply = await settle(client.chat(**asked))
    assert (reply.message.thinking, reply.message.content) == ("Let me see.", said.text)
    parts = [part async for part in each(await settle(client.chat(**asked, stream=True)))]
    assert "".join(part.message.thinking or "" for part in parts) == "Let me see."


async def test_an_image_reaches_other_vendors(client, upstream):
    upstream.script = whole("anthropic", Said())
    await settle(client.chat(model="anthropic", messages=[{**ASK[0], "images": [b"\x89PNG\r\n\x1a\n" + bytes(40)]}]))
    [image, _] = sent(upstream)["messages"][0]["content"]
    assert image["source"]["media_type"] == "image/png"


@vendors
async def test_generate(client, gateway, upstream, vendor):
    generated = ollama_line(response=Said().text, context=[1, 2], done=True, done_reason="stop", **OLLAMA_COUNTS)
    del generated["message"]
    if vendor == "ollama":
        lines = [{**generated, "response": "Hi", "done": False}, {**generated, "response": " there"}]
        streamed = (as_chunk(json.dumps(line).encode() + b"\n") for line in lines)
        upstream.script = [json_reply(generated), (chunked_head(content_type=LINES), *streamed, LAST_CHUNK)]
    else:
        upstream.script = [whole(vendor, Said()), stream(vendor, Said(text="Hi there"))]
    reply = await settle(client.generate(model=vendor, prompt="Hello", system="Be brief."))
    assert reply.response == Said().text
    assert reply.eval_count == 20
    record_of(gateway, dialect="ollama_generate", path="/api/generate")
    parts = [part async for part in each(await settle(client.generate(model=vendor, prompt="Hello", stream=True)))]
    assert "".join(part.response for part in parts) == "Hi there"
    assert parts[-1].done


async def test_what_only_ollama_generates_is_refused_elsewhere(client, upstream):
    with pytest.raises(ollama.ResponseError) as caught:
        await settle(client.generate(model="openai", prompt="<s>", raw=True))
    assert caught.value.status_code == 400
    assert "raw" in caught.value.error
    assert upstream.requests == []


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_errors(client, gateway, upstream, vendor):
    upstream.script = json_reply(error_body(vendor, 429, "Too fast."), status=429)
    with pytest.raises(ollama.ResponseError) as caught:
        await settle(client.chat(model=vendor, messages=ASK))
    assert (caught.value.status_code, caught.value.error) == (429, "Too fast.")
    with pytest.raises(ollama.ResponseError) as caught:
        await settle(client.chat(model="no-such-model", messages=ASK))
    assert caught.value.status_code == 404


async def test_an_error_in_the_stream(client, gateway, upstream):
    lines = [as_chunk(json.dumps(ollama_line({"content": "Hi"})).encode() + b"\n")]
    upstream.script = (chunked_head(content_type=LINES), *lines, as_chunk(b'{"error":"the runner died"}\n'), LAST_CHUNK)
    parts = await settle(client.chat(model="ollama", messages=ASK, stream=True))
    with pytest.raises(ollama.ResponseError) as caught:
        assert [part async for part in each(parts)] == []
    assert caught.value.error == "the runner died"
    upstream.script = (chunked_head(content_type=LINES), *lines, Close())
    parts = await settle(client.chat(model="ollama", messages=ASK, stream=True))
    with pytest.raises(ollama.ResponseError):
        assert [part async for part in each(parts)] == []
    record_of(gateway, ending="cut", error="provider_cut")


async def test_anthropics_sdk_reaches_ollama(anthropic_client, upstream):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole("ollama", said), stream("ollama", said)]
    reply = await settle(anthropic_client.messages.create(model="ollama", max_tokens=99, messages=ASK))
    assert [block.type for block in reply.content] == ["text", "tool_use", "tool_use"]
    assert (reply.model, reply.stop_reason) == (MODELS["ollama"], "tool_use")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 20)
    assert reply.id.startswith("msg_req") or len(reply.id) > 8
    events = await settle(anthropic_client.messages.create(model="ollama", max_tokens=99, messages=ASK, stream=True))
    kinds = [event.type async for event in each(events)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("content_block_start") == 3


async def test_openais_sdk_reaches_ollamas_own_face_for_it(openai_client, upstream):
    upstream.script = whole("openai", Said())
    await settle(openai_client.chat.completions.create(model="ollama", messages=ASK, max_completion_tokens=9))
    assert upstream.requests[0].path == "/v1/chat/completions"
    assert sent(upstream)["max_tokens"] == 9
