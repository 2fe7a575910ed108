"""Google's SDK against the gateway, with Google and other vendors behind it, and Gemini behind other vendors' SDKs."""

import json

import httpx
import pydantic
import pytest
from google import genai
from google.genai import errors, types

from gateways import KEY
from upstreams import LAST_CHUNK, Close, as_chunk, chunked_head, json_reply
from walks.conftest import collect, each, settle
from walks.vendors import (
    GEMINI_PROOF,
    GEMINI_USAGE,
    IDS,
    WEATHER,
    Said,
    error_body,
    gemini_pieces,
    stream,
    whole,
)

ASK = "Say hello in three languages."
FINISHES = {"gemini": "STOP", "openai": "stop", "anthropic": "end_turn"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
vendors = pytest.mark.parametrize("vendor", ["gemini", "openai", "anthropic"])


class City(pydantic.BaseModel):
    name: str
    people: int


def get_weather(city: str, unit: str = "c") -> str:
    """The weather of a city."""
    return f"sunny in {city}, 20 {unit}"


def get_time(zone: str, n: float = 0.0) -> str:
    """The time in a zone."""
    return f"noon in {zone}"


TOOLS = [get_weather, get_time]
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture
async def client(gateway, flavour, authorities):
    """The `models` of Google's SDK, with only its base URL and key changed."""
    async with made(gateway, flavour, authorities) as models:
        yield models


class made:
    """A client for as long as the context lasts."""

    def __init__(self, gateway, flavour, authorities, **given):
        self.http = httpx.Client(verify=authorities, timeout=20)
        self.later = httpx.AsyncClient(verify=authorities, timeout=20)
        options = types.HttpOptions(base_url=gateway.url, httpx_client=self.http, httpx_async_client=self.later)
        self.client = genai.Client(api_key=KEY, http_options=options, **given)
        self.flavour = flavour

    async def __aenter__(self):
        return self.client.aio.models if self.flavour == "async" else self.client.models

    async def __aexit__(self, *_):
        self.http.close()
        await self.later.aclose()


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def record_of(gateway, **wanted):
    record = gateway.newest()
    assert record["dialect"] == "gemini_generate"
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


@vendors
async def test_plain(client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    asked = types.GenerateContentConfig(max_output_tokens=99, temperature=0.5, system_instruction="Be brief.")
    reply = await settle(client.generate_content(model=vendor, contents=ASK, config=asked))
    assert reply.text == Said().text
    [candidate] = reply.candidates
    assert candidate.finish_reason is types.FinishReason.STOP
    usage = reply.usage_metadata
    assert (usage.prompt_token_count, usage.cached_content_token_count, usage.total_token_count) == (100, 60, 120)
    record = record_of(gateway, status=200, stream=False, finish=FINISHES[vendor])
    if vendor == "gemini":
        assert reply.response_id == IDS["gemini"]
        assert upstream.requests[0].path == "/v1beta/models/gemini-3-flash:generateContent"
        assert upstream.requests[0].headers["x-goog-api-key"] == "google-upstream-secret"
        assert upstream.requests[0].headers["x-goog-api-client"].startswith("google-genai-sdk/")
        assert record["usage"] == {
            "input": 40,
            "cache_read": 60,
            "output": 15,
            "reasoning": 5,
            "reported": GEMINI_USAGE,
        }
        assert sent(upstream)["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    else:
        body = json.dumps(sent(upstream))
        assert "Be brief." in body
        assert ASK in body


@vendors
async def test_a_stream(client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    chunks = await settle(client.generate_content_stream(model=vendor, contents=ASK))
    found = [chunk async for chunk in each(chunks)]
    texts = [chunk.text for chunk in found if chunk.text]
    assert "".join(texts) == Said().text
    assert len(texts) > (3 if vendor == "gemini" else 0)
    assert found[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert found[-1].usage_metadata.total_token_count == 120
    record_of(gateway, status=200, stream=True)
    if vendor == "gemini":
        assert upstream.requests[0].path == "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse"


@vendors
async def test_tools_whole_and_streamed(client, upstream, vendor):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    config = types.GenerateContentConfig(tools=TOOLS, automatic_function_calling=BY_HAND)
    reply = await settle(client.generate_content(model=vendor, contents=ASK, config=config))
    calls = [(id, name, json.loads(arguments)) for id, name, arguments in WEATHER]
    assert [(call.id, call.name, call.args) for call in reply.function_calls] == calls
    assert reply.candidates[0].content.parts[0].text == "I will look."
    chunks = await settle(client.generate_content_stream(model=vendor, contents=ASK, config=config))
    found = [call async for chunk in each(chunks) for call in chunk.function_calls or ()]
    assert [(call.id, call.name, call.args) for call in found] == calls


@vendors
async def test_the_sdk_runs_functions_by_itself(client, upstream, vendor):
    called = Said(text=None, calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, called), whole(vendor, Said())]
    config = types.GenerateContentConfig(tools=TOOLS)
    reply = await settle(client.generate_content(model=vendor, contents=ASK, config=config))
    assert reply.text == Said().text
    first, second = upstream.requests
    assert "sunny" not in first.body.decode()
    body = json.dumps(json.loads(second.body), ensure_ascii=False)
    for word in ("sunny in Zürich, 20 c", "noon in Europe/Zurich", "get_weather", "get_time"):
        assert word in body
    if vendor == "gemini":
        [_, turn, results] = json.loads(second.body)["contents"]
        assert turn["parts"][0]["thoughtSignature"] == GEMINI_PROOF
        assert [part["functionResponse"]["name"] for part in results["parts"]] == ["get_weather", "get_time"]
    else:
        assert "headgate" not in body
        assert [body.count(id) for id, _, _ in WEATHER] == [2, 2]


async def test_a_conversation_moves_between_vendors(client, upstream):
    """A call of Claude's goes on to Gemini 3, which refuses calls in a turn that have no signature."""
    called = Said(text=None, calls=WEATHER[:1], stop="tools")
    upstream.script = [whole("anthropic", called), whole("gemini", Said())]
    config = types.GenerateContentConfig(tools=TOOLS, automatic_function_calling=BY_HAND)
    reply = await settle(client.generate_content(model="anthropic", contents=ASK, config=config))
    answer = types.Part.from_function_response(name="get_weather", response={"output": "sunny"})
    answer.function_response.id = WEATHER[0][0]
    turns = [
        types.UserContent(ASK),
        reply.candidates[0].content,
        types.Content(role="user", parts=[answer]),
    ]
    await settle(client.generate_content(model="gemini", contents=turns, config=config))
    turn = json.loads(upstream.requests[-1].body)["contents"][1]
    assert turn["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@vendors
async def test_structured_output(client, upstream, vendor):
    upstream.script = whole(vendor, Said(text='{"name": "Bern", "people": 146348}'))
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    reply = await settle(client.generate_content(model=vendor, contents=ASK, config=config))
    assert reply.parsed == City(name="Bern", people=146348)
    body = sent(upstream)
    if vendor == "openai":
        form = body["response_format"]["json_schema"]
        assert form["schema"]["properties"]["people"]["type"] == "integer"
        assert form["schema"]["required"] == ["name", "people"]
    elif vendor == "anthropic":
        assert body["output_config"]["format"]["schema"]["properties"]["name"]["type"] == "string"


@vendors
async def test_thinking(client, upstream, vendor):
    said = Said(thinking="Let me see.")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    thinking = types.ThinkingConfig(thinking_level="LOW", include_thoughts=True)
    config = types.GenerateContentConfig(thinking_config=thinking)
    reply = await settle(client.generate_content(model=vendor, contents=ASK, config=config))
    thoughts = [part.text for part in reply.candidates[0].content.parts if part.thought]
    assert thoughts == ["Let me see."]
    assert reply.text == Said().text
    chunks = await settle(client.generate_content_stream(model=vendor, contents=ASK, config=config))
    parts = [part async for chunk in each(chunks) for part in chunk.candidates[0].content.parts or () if part.text]
    assert "".join(part.text for part in parts if not part.thought) == Said().text


@pytest.mark.parametrize(("vendor", "where"), [("gemini", "thinkingLevel"), ("openai", "reasoning_effort")])
async def test_an_effort_in_the_models_name(client, upstream, vendor, where):
    upstream.script = whole(vendor, Said())
    await settle(client.generate_content(model=f"{vendor}:low", contents=ASK))
    body = sent(upstream)
    found = body if vendor == "openai" else body["generationConfig"]["thinkingConfig"]
    assert found[where].lower() == "low"


@vendors
async def test_an_image(client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    await settle(client.generate_content(model=vendor, contents=[ASK, picture]))
    assert "iVBORw0KGgo" in json.dumps(sent(upstream))


async def test_a_stream_without_events_is_one_array(gateway, upstream, authorities):
    """What `alt=sse` is left out of is an array, piece by piece, of Gemini and of anybody else."""
    array = [json.dumps(piece).encode() for piece in gemini_pieces(Said())]
    steps = [as_chunk((b"[" if number == 0 else b",\r\n") + piece) for number, piece in enumerate(array)]
    own = (chunked_head(content_type="application/json"), *steps, as_chunk(b"]"), LAST_CHUNK)
    upstream.script = [own, stream("openai", Said())]
    body = {"contents": [{"parts": [{"text": ASK}]}]}
    for model in ("gemini", "openai"):
        url = f"{gateway.url}/v1beta/models/{model}:streamGenerateContent"
        async with httpx.AsyncClient(verify=authorities, timeout=20) as http:
            reply = await http.post(url, json=body, headers={"x-goog-api-key": KEY})
        assert reply.headers["content-type"].startswith("application/json")
        found = [types.GenerateContentResponse.model_validate(piece) for piece in reply.json()]
        assert "".join(piece.text or "" for piece in found) == Said().text
        if model == "gemini":
            assert reply.content == b"[" + b",\r\n".join(array) + b"]"
    assert upstream.requests[0].path.endswith(":streamGenerateContent")


@pytest.mark.parametrize("model", ["gemini", "openai"])
@pytest.mark.parametrize("pieces", [0, 1])
async def test_what_breaks_an_array_off_is_its_last_element(gateway, upstream, authorities, model, pieces):
    array = [json.dumps(piece).encode() for piece in gemini_pieces(Said())]
    steps = [as_chunk((b"[" if number == 0 else b",\r\n") + piece) for number, piece in enumerate(array[:pieces])]
    if model == "openai":
        steps = list(stream("openai", Said()))[1 : 1 + 2 * pieces]
    kind = "application/json" if model == "gemini" else "text/event-stream"
    upstream.script = (chunked_head(content_type=kind), *steps, Close())
    url = f"{gateway.url}/v1beta/models/{model}:streamGenerateContent"
    body = {"contents": [{"parts": [{"text": ASK}]}]}
    async with httpx.AsyncClient(verify=authorities, timeout=20) as http:
        reply = await http.post(url, json=body, headers={"x-goog-api-key": KEY})
    assert reply.status_code == (200 if pieces else 502)
    *found, last = reply.json() if pieces else [reply.json()]
    assert all(each["candidates"] for each in found)
    error = last["error"]
    assert error["details"][0]["metadata"]["code"] == "provider_cut"


@vendors
async def test_vertex_paths_lead_here_too(gateway, upstream, authorities, flavour, vendor):
    upstream.script = whole(vendor, Said())
    async with made(gateway, flavour, authorities, vertexai=True) as models:
        reply = await settle(models.generate_content(model=vendor, contents=ASK))
    assert reply.text == Said().text
    record = record_of(gateway, status=200)
    assert "/publishers/google/models/" in record["path"]


async def test_an_error_of_google_passes_as_it_came(client, gateway, upstream):
    body = error_body("gemini", 404, "models/nothing is not found for API version v1beta.")
    upstream.script = json_reply(body, status=404)
    with pytest.raises(errors.ClientError) as caught:
        await settle(client.generate_content(model="gemini", contents=ASK))
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    assert caught.value.details == body
    record_of(gateway, status=404, error="provider_refused")


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_an_error_of_another_vendor_is_said_in_googles_words(client, upstream, vendor):
    upstream.script = json_reply(error_body(vendor, 429, "Too fast."), status=429)
    with pytest.raises(errors.ClientError) as caught:
        await settle(client.generate_content(model=vendor, contents=ASK))
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.message == "Too fast."
    upstream.script = json_reply(error_body(vendor, 500, "Sorry."), status=500)
    with pytest.raises(errors.ServerError) as caught:
        await settle(client.generate_content(model=vendor, contents=ASK))
    assert caught.value.status == "INTERNAL"


async def test_the_gateways_own_errors(client, gateway, authorities, flavour):
    with pytest.raises(errors.ClientError) as caught:
        await settle(client.generate_content(model="no-such-model", contents=ASK))
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    [detail] = [one for one in caught.value.details["error"]["details"] if "reason" in one]
    assert (detail["reason"], detail["domain"]) == ("MODEL_NOT_FOUND", "headgate")
    assert detail["metadata"]["requestId"] == gateway.newest()["id"]
    stops = types.GenerateContentConfig(stop_sequences=list("abcde"))
    with pytest.raises(errors.ClientError) as caught:
        await settle(client.generate_content(model="openai", contents=ASK, config=stops))
    assert "stop" in caught.value.message
    wrong = types.GenerateContentConfig(http_options=types.HttpOptions(headers={"x-goog-api-key": "wrong"}))
    with pytest.raises(errors.ClientError) as caught:
        await settle(client.generate_content(model="gemini", contents=ASK, config=wrong))
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


@vendors
async def test_a_stream_that_breaks_off_ends_in_an_error(client, gateway, upstream, vendor):
    head, *events, _ = stream(vendor, Said())
    upstream.script = (head, *events[: len(events) // 2], Close())
    found = []
    with pytest.raises(errors.APIError) as caught:
        await collect(await settle(client.generate_content_stream(model=vendor, contents=ASK)), found)
    assert caught.value.code == 502
    assert found
    record_of(gateway, ending="cut", error="provider_cut")


@vendors
async def test_tokens_are_counted(client, gateway, upstream, vendor):
    """By Google's API, or Anthropic's said as Google's; for OpenAI's models here."""
    if vendor == "openai":
        reply = await settle(client.count_tokens(model=vendor, contents=ASK))
        assert 8 < reply.total_tokens < 20
        assert upstream.requests == []
        assert gateway.newest()["decision"]["why"].startswith("alias openai; counted here: ")
        return
    counts = {"gemini": {"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]}}
    upstream.script = json_reply(counts.get(vendor, {"input_tokens": 31}))
    reply = await settle(client.count_tokens(model=vendor, contents=ASK))
    assert reply.total_tokens == 31
    paths = {"gemini": "/v1beta/models/gemini-3-flash:countTokens", "anthropic": "/v1/messages/count_tokens"}
    assert upstream.requests[0].path == paths[vendor]
    assert gateway.newest()["dialect"] == "gemini_count_tokens"


async def test_tokens_of_any_model_are_counted_over_plain_http(gateway, upstream, authorities):
    async with httpx.AsyncClient(verify=authorities, timeout=20) as http:

        async def asked(**fields):
            reply = await http.post(
                f"{gateway.url}/v1/tokenize", json=fields, headers={"authorization": f"Bearer {KEY}"}
            )
            assert reply.status_code == 200
            return reply.json(), reply.headers.get("x-headgate-counted-by")

        found, by = await asked(model="openai", prompt="Hello there, world!")
        assert (found["counted_by"], found["max_model_len"]) == (by, 128_000)
        assert by in ("o200k_base", "estimate")
        assert found.get("tokens") is None or len(found["tokens"]) == found["count"] == 5
        upstream.script = json_reply({"totalTokens": 6})
        found, by = await asked(model="gemini", messages=[{"role": "user", "content": ASK}])
        assert (found["count"], found["estimated"], found["counted_by"], by) == (6, False, "provider", None)


@pytest.mark.parametrize("vendor", ["gemini", "anthropic"])
async def test_anthropics_sdk_counts_tokens(anthropic_client, gateway, upstream, vendor):
    upstream.script = json_reply({"input_tokens": 44} if vendor == "anthropic" else {"totalTokens": 44})
    turns = [{"role": "user", "content": ASK}]
    asked = {"model": vendor, "messages": turns, "system": "Be brief."}
    found = await settle(anthropic_client.messages.count_tokens(**asked))
    assert found.input_tokens == 44
    body = sent(upstream)
    if vendor == "anthropic":
        assert body == {**asked, "model": "claude-sonnet-4-5"}
    else:
        inner = body["generateContentRequest"]
        assert inner["model"] == "models/gemini-3-flash"
        assert inner["systemInstruction"]["parts"] == [{"text": "Be brief."}]
    assert gateway.newest()["path"] == "/v1/messages/count_tokens"


# --- Gemini behind other vendors' SDKs


async def test_openais_sdk_keeps_geminis_signatures(openai_client, upstream):
    """They stand where Google's own OpenAI face has them, so that a turn with tools goes on."""
    said = Said(text=None, calls=WEATHER, stop="tools")
    upstream.script = [whole("gemini", said), whole("gemini", Said()), stream("gemini", said)]
    functions = [{"name": name, "parameters": {"type": "object", "properties": {}}} for _, name, _ in WEATHER]
    tools = [{"type": "function", "function": function} for function in functions]
    turns = [{"role": "user", "content": ASK}]
    create = openai_client.chat.completions.create
    reply = await settle(create(model="gemini", messages=turns, tools=tools))
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "tool_calls"
    assert [call.id for call in message.tool_calls] == [id for id, _, _ in WEATHER]
    results = [{"role": "tool", "tool_call_id": id, "content": "fine"} for id, _, _ in WEATHER]
    more = [*turns, message.model_dump(exclude_none=True), *results]
    await settle(create(model="gemini", messages=more, tools=tools))
    contents = json.loads(upstream.requests[1].body)["contents"]
    assert [part.get("thoughtSignature") for part in contents[1]["parts"]] == [GEMINI_PROOF, None]
    assert [part["functionResponse"]["name"] for part in contents[2]["parts"]] == ["get_weather", "get_time"]
    chunks = await settle(create(model="gemini", messages=turns, tools=tools, stream=True))
    deltas = [chunk.choices[0].delta async for chunk in each(chunks)]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert calls[0].extra_content["google"]["thought_signature"] == GEMINI_PROOF


async def test_openais_responses_keep_geminis_signatures(openai_client, upstream):
    said = Said(text=None, thinking="Hm.", calls=WEATHER[:1], stop="tools")
    upstream.script = [whole("gemini", said), whole("gemini", Said())]
    tools = [{"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}]
    asked = {"model": "gemini", "tools": tools, "store": False, "include": ["reasoning.encrypted_content"]}
    reply = await settle(openai_client.responses.create(input=ASK, **asked))
    [call] = [item for item in reply.output if item.type == "function_call"]
    turns = [
        {"role": "user", "content": ASK},
        *(item.model_dump(exclude_none=True) for item in reply.output),
        {"type": "function_call_output", "call_id": call.call_id, "output": "fine"},
    ]
    await settle(openai_client.responses.create(input=turns, **asked))
    contents = json.loads(upstream.requests[1].body)["contents"]
    [signed] = [part for part in contents[1]["parts"] if "functionCall" in part]
    assert signed["thoughtSignature"] == GEMINI_PROOF


async def test_anthropics_sdk_keeps_geminis_signatures(anthropic_client, upstream):
    said = Said(text=None, calls=WEATHER, stop="tools")
    upstream.script = [whole("gemini", said), whole("gemini", Said())]
    schema = {"type": "object", "properties": {}}
    tools = [{"name": name, "input_schema": schema} for _, name, _ in WEATHER]
    asked = {"model": "gemini", "max_tokens": 300, "tools": tools}
    turns = [{"role": "user", "content": ASK}]
    reply = await settle(anthropic_client.messages.create(messages=turns, **asked))
    assert reply.stop_reason == "tool_use"
    results = [{"type": "tool_result", "tool_use_id": id, "content": "fine"} for id, _, _ in WEATHER]
    answer = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in reply.content]}
    more = [*turns, answer, {"role": "user", "content": results}]
    await settle(anthropic_client.messages.create(messages=more, **asked))
    contents = json.loads(upstream.requests[1].body)["contents"]
    calls = [part for part in contents[1]["parts"] if "functionCall" in part]
    assert [part.get("thoughtSignature") for part in calls] == [GEMINI_PROOF, None]
