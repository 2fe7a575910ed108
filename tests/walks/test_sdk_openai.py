"""OpenAI's SDK against the gateway, with both vendors behind it: what applications do, whole and streamed."""

import base64
import json

import openai
import pydantic
import pytest

from upstreams import LAST_CHUNK, Close, Reset, Sleep, as_chunk, json_reply, sse_event, sse_reply
from walks.conftest import collect, each, opened, settle
from walks.vendors import (
    ANTHROPIC_USAGE,
    IDS,
    MODELS,
    RECORDED_USAGE,
    WEATHER,
    Said,
    anthropic_block,
    anthropic_body,
    anthropic_end,
    anthropic_start,
    error_body,
    events_of,
    openai_body,
    openai_chunk,
    stream,
    whole,
)

ASK = [{"role": "user", "content": "Say hello in three languages."}]
TARGETS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-sonnet-4-5"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
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
both = pytest.mark.parametrize("vendor", ["openai", "anthropic"])


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def record_of(gateway, vendor, **wanted):
    """The newest record; what holds for each of them has been checked."""
    record = gateway.newest()
    assert record["key"] == "test"
    assert (record["dialect"], record["path"]) == ("openai_chat", "/v1/chat/completions")
    assert record["target"] == TARGETS[vendor]
    assert [attempt["target"] for attempt in record["attempts"]] == [TARGETS[vendor]]
    assert record["duration"] >= record["first_token"] > 0
    usage = {name: count for name, count in record["usage"].items() if name != "reported"}
    assert usage == RECORDED_USAGE[vendor]
    assert record["upstream_id"] == IDS[vendor]
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


def check_usage(usage):
    """100 prompt tokens of which 60 came from a cache, 20 of the answer: whoever counted them."""
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 20, 120)
    assert usage.prompt_tokens_details.cached_tokens == 60


@both
async def test_plain_chat(openai_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    raw = await settle(
        openai_client.chat.completions.with_raw_response.create(model=vendor, messages=ASK, max_completion_tokens=99)
    )
    reply = raw.parse()
    [choice] = reply.choices
    assert (choice.message.role, choice.message.content) == ("assistant", Said().text)
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None
    assert reply.object == "chat.completion"
    assert reply.id.endswith(IDS[vendor])
    assert reply.model == MODELS[vendor]
    check_usage(reply.usage)
    assert reply._request_id == raw.headers["x-request-id"]
    record = record_of(gateway, vendor, stream=False, status=200, model=vendor)
    assert record["id"] == reply._request_id
    assert record["bytes_out"] == len(raw.content)
    if vendor == "openai":
        assert raw.content == whole(vendor, Said()).partition(b"\r\n\r\n")[2]
        assert upstream.requests[0].body == (
            b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello in three languages."}],'
            b'"max_completion_tokens":99}'
        )
    else:
        assert sent(upstream) == {"model": "claude-sonnet-4-5", "max_tokens": 99, "messages": ASK}
        assert upstream.requests[0].headers["anthropic-version"] == "2023-06-01"


@both
async def test_system_prompt_turns_and_sampling(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    turns = [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"},
    ]
    messages = [{"role": "system", "content": "Be brief."}, *turns]
    given = {"temperature": 0.5, "stop": ["END", "STOP"], "user": "u-1"}
    await settle(openai_client.chat.completions.create(model=vendor, messages=messages, **given))
    if vendor == "openai":
        assert sent(upstream) == {"model": "gpt-4o-mini", "messages": messages, **given}
    else:
        assert sent(upstream) == {
            "model": "claude-sonnet-4-5",
            "system": "Be brief.",
            "messages": turns,
            "temperature": 0.5,
            "stop_sequences": ["END", "STOP"],
            "metadata": {"user_id": "u-1"},
            "max_tokens": 4096,
        }


@both
async def test_images_and_documents(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    ]
    messages = [{"role": "user", "content": parts}]
    await settle(openai_client.chat.completions.create(model=vendor, messages=messages))
    [message] = sent(upstream)["messages"]
    if vendor == "openai":
        assert message["content"] == parts
    else:
        pdf = {"type": "base64", "media_type": "application/pdf", "data": PDF}
        assert message["content"] == [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "document", "source": pdf, "title": "a.pdf"},
        ]


@both
async def test_parallel_tool_calls(openai_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said(text=None, calls=WEATHER, stop="tools"))
    reply = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, tools=TOOLS))
    [choice] = reply.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls]
    assert calls == [(id, name, json.loads(arguments)) for id, name, arguments in WEATHER]
    tools = sent(upstream)["tools"]
    if vendor == "openai":
        assert tools == TOOLS
    else:
        functions = [tool["function"] for tool in TOOLS]
        assert tools == [
            {"name": each["name"], "description": each["description"], "input_schema": each["parameters"]}
            for each in functions
        ]
    record_of(gateway, vendor)


@both
async def test_tool_results(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in WEATHER
    ]
    messages = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": WEATHER[0][0], "content": "21 °C"},
        {"role": "tool", "tool_call_id": WEATHER[1][0], "content": "Error: no such zone"},
        {"role": "user", "content": "Go on."},
    ]
    await settle(openai_client.chat.completions.create(model=vendor, messages=messages, tools=TOOLS))
    turns = sent(upstream)["messages"]
    if vendor == "openai":
        assert turns == messages
        return
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"] == [
        {"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)} for id, name, arguments in WEATHER
    ]
    assert turns[2]["content"] == [
        {"type": "tool_result", "tool_use_id": WEATHER[0][0], "content": "21 °C"},
        {"type": "tool_result", "tool_use_id": WEATHER[1][0], "content": "Error: no such zone"},
        {"type": "text", "text": "Go on."},
    ]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "get_time"}}, {"type": "tool", "name": "get_time"}),
    ],
)
@both
async def test_tool_choice(openai_client, upstream, vendor, choice, said):
    upstream.script = whole(vendor, Said())
    given = {"tools": TOOLS, "tool_choice": choice, "parallel_tool_calls": False}
    await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, **given))
    body = sent(upstream)
    if vendor == "openai":
        assert (body["tool_choice"], body["parallel_tool_calls"]) == (choice, False)
    else:
        alone = {} if said["type"] == "none" else {"disable_parallel_tool_use": True}
        assert body["tool_choice"] == {**said, **alone}


@both
async def test_streamed_text(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    chunks = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stream=True))
    seen = [chunk async for chunk in each(chunks)]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in seen) == Said().text
    assert len(seen) > 5
    assert seen[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in seen if chunk.choices[0].finish_reason] == ["stop"]
    assert {chunk.id for chunk in seen} == {seen[0].id}
    assert not any("usage" in chunk.model_fields_set for chunk in seen), "it was not asked for"
    record = record_of(gateway, vendor, stream=True)
    assert "ending" not in record, "complete"
    if vendor == "openai":
        assert sent(upstream)["stream_options"] == {"include_usage": True}


@both
async def test_streamed_usage(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    options = {"include_usage": True}
    chunks = await settle(
        openai_client.chat.completions.create(model=vendor, messages=ASK, stream=True, stream_options=options)
    )
    *others, last = [chunk async for chunk in each(chunks)]
    assert last.choices == []
    check_usage(last.usage)
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in others)
    record_of(gateway, vendor, stream=True)


@both
async def test_streamed_tool_calls_with_the_sdks_helper(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said(text="Let me look.", calls=WEATHER, stop="tools"))
    async with opened(openai_client.chat.completions.stream(model=vendor, messages=ASK, tools=TOOLS)) as events:
        kinds = [event.type async for event in each(events)]
        final = await settle(events.get_final_completion())
    assert "content.delta" in kinds
    assert kinds.count("tool_calls.function.arguments.done") == 2
    [choice] = final.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me look."
    calls = tuple((call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls)
    assert calls == WEATHER, "byte for byte"
    record_of(gateway, vendor, stream=True)


class Answer(pydantic.BaseModel):
    city: str
    degrees: float


@both
async def test_structured_output(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said('{"city":"Bern","degrees":21.5}'))
    reply = await settle(openai_client.chat.completions.parse(model=vendor, messages=ASK, response_format=Answer))
    assert reply.choices[0].message.parsed == Answer(city="Bern", degrees=21.5)
    body = sent(upstream)
    found = body["response_format"]["json_schema"] if vendor == "openai" else body["output_config"]["format"]
    assert found["schema"]["required"] == ["city", "degrees"]
    assert found["schema"]["additionalProperties"] is False
    upstream.requests.clear()
    upstream.script = stream(vendor, Said('{"city":"Bern","degrees":21.5}'))
    asked = openai_client.chat.completions.stream(model=vendor, messages=ASK, response_format=Answer)
    async with opened(asked) as events:
        final = await settle(events.get_final_completion())
    assert final.choices[0].message.parsed.degrees == 21.5


async def test_several_answers_and_logprobs(openai_client, upstream):
    token = {"token": "Hi", "bytes": [72, 105], "logprob": -0.1, "top_logprobs": []}
    body = openai_body(Said("Hi"))
    second = {**body["choices"][0], "index": 1, "logprobs": {"content": [token], "refusal": None}}
    upstream.script = json_reply({**body, "choices": [*body["choices"], second]})
    given = {"n": 2, "logprobs": True, "top_logprobs": 1}
    reply = await settle(openai_client.chat.completions.create(model="openai", messages=ASK, **given))
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert reply.choices[1].logprobs.content[0].logprob == -0.1
    assert given.items() <= sent(upstream).items()
    chunks = [
        openai_chunk(choices=[{**second, "delta": {"content": "Hi"}, "message": None, "index": index}])
        for index in (0, 1)
    ]
    upstream.script = sse_reply([*map(sse_event, chunks), sse_event("[DONE]")])
    seen = await settle(openai_client.chat.completions.create(model="openai", messages=ASK, stream=True, **given))
    assert [chunk.choices[0].index async for chunk in each(seen)] == [0, 1]


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("logprobs", True), ("web_search_options", {})])
async def test_what_the_other_vendor_cannot_do_is_refused_by_name(openai_client, gateway, upstream, field, value):
    with pytest.raises(openai.BadRequestError) as caught:
        await settle(openai_client.chat.completions.create(model="anthropic", messages=ASK, **{field: value}))
    assert (caught.value.code, caught.value.param) == ("unsupported_field", field)
    assert field in caught.value.message
    assert not upstream.requests
    record = gateway.record_of(caught.value.request_id)
    assert (record["ending"], record["error"], record["origin"]) == ("refused", "unsupported_field", "gateway")


@both
async def test_reasoning(openai_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said("4", thinking="2 and 2 is …"))
    given = {"reasoning_effort": "low", "max_completion_tokens": 8000}
    reply = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, **given))
    assert reply.choices[0].message.reasoning_content == "2 and 2 is …"
    if vendor == "openai":
        assert sent(upstream)["reasoning_effort"] == "low"
        assert reply.usage.completion_tokens_details.reasoning_tokens == 5
    else:
        assert sent(upstream)["thinking"] == {"type": "enabled", "budget_tokens": 2048}
        assert sent(upstream)["max_tokens"] == 8000
    upstream.script = stream(vendor, Said("4", thinking="2 and 2 is …"))
    chunks = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stream=True, **given))
    deltas = [chunk.choices[0].delta async for chunk in each(chunks)]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "2 and 2 is …"
    assert "".join(delta.content or "" for delta in deltas) == "4"
    record_of(gateway, vendor)


@pytest.mark.parametrize(("stop", "word"), [("stop_sequence", "stop"), ("length", "length")])
@both
async def test_finish_reasons(openai_client, upstream, vendor, stop, word):
    said = Said(stop=stop, sequence="END" if stop == "stop_sequence" else None)
    upstream.script = whole(vendor, said)
    reply = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stop=["END"]))
    assert reply.choices[0].finish_reason == word
    upstream.script = stream(vendor, said)
    chunks = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stop=["END"], stream=True))
    assert [chunk.choices[0].finish_reason async for chunk in each(chunks)][-1] == word


async def test_refusal(openai_client, upstream):
    body = openai_body(Said())
    body["choices"][0]["message"] |= {"content": None, "refusal": "I can't help with that."}
    upstream.script = json_reply(body)
    reply = await settle(openai_client.chat.completions.create(model="openai", messages=ASK))
    assert reply.choices[0].message.refusal == "I can't help with that."
    upstream.script = json_reply({**anthropic_body(Said("I can't.")), "stop_reason": "refusal"})
    reply = await settle(openai_client.chat.completions.create(model="anthropic", messages=ASK))
    assert reply.choices[0].finish_reason == "content_filter"
    events = [anthropic_start(), *anthropic_block(0, {"type": "text", "text": ""}), *anthropic_end("refusal")]
    upstream.script = sse_reply(events)
    chunks = await settle(openai_client.chat.completions.create(model="anthropic", messages=ASK, stream=True))
    assert [chunk.choices[0].finish_reason async for chunk in each(chunks)][-1] == "content_filter"


async def test_citations_of_the_web_become_annotations(openai_client, upstream):
    citation = {
        "type": "web_search_result_location",
        "url": "https://example.com/a",
        "title": "A",
        "encrypted_index": "Eo8",
        "cited_text": "A says so.",
    }
    content = [{"type": "text", "text": "So it is.", "citations": [citation]}]
    upstream.script = json_reply({**anthropic_body(Said()), "content": content})
    reply = await settle(openai_client.chat.completions.create(model="anthropic", messages=ASK))
    [annotation] = reply.choices[0].message.annotations
    cited = annotation.url_citation
    assert (cited.url, cited.title, cited.start_index, cited.end_index) == ("https://example.com/a", "A", 0, 9)
    deltas = ({"type": "citations_delta", "citation": citation}, {"type": "text_delta", "text": "So it is."})
    blocks = [anthropic_block(place, {"type": "text", "text": "", "citations": []}, *deltas) for place in (0, 1)]
    upstream.script = sse_reply([anthropic_start(), *blocks[0], *blocks[1], *anthropic_end()])
    async with opened(openai_client.chat.completions.stream(model="anthropic", messages=ASK)) as events:
        final = await settle(events.get_final_completion())
    spans = [annotation.url_citation for annotation in final.choices[0].message.annotations]
    assert [(span.start_index, span.end_index) for span in spans] == [(0, 9), (9, 18)]


async def test_cache_writes_are_in_the_prompt(openai_client, gateway, upstream):
    usage = {**ANTHROPIC_USAGE, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 70}
    usage["cache_creation"] = {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 0}
    upstream.script = json_reply({**anthropic_body(Said()), "usage": usage})
    reply = await settle(openai_client.chat.completions.create(model="anthropic", messages=ASK))
    assert (reply.usage.prompt_tokens, reply.usage.prompt_tokens_details.cached_tokens) == (100, 0)
    usage = gateway.record_of(reply._request_id)["usage"]
    assert (usage["input"], usage["cache_write"]) == (30, 70)


EXCEPTIONS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    413: openai.APIStatusError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", EXCEPTIONS)
@both
async def test_errors_of_the_provider(openai_client, gateway, upstream, vendor, status, streamed):
    message = "Something is wrong with this request."
    headers = [("retry-after", "17")] if status == 429 else []
    body = error_body(vendor, status, message)
    upstream.script = json_reply(body, status=status, headers=headers)
    with pytest.raises(EXCEPTIONS[status]) as caught:
        await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stream=streamed))
    error = caught.value
    assert error.status_code == status
    assert message in error.message
    if vendor == "openai":
        assert error.body == body["error"]
        assert (error.type, error.code) == (body["error"]["type"], body["error"]["code"])
    assert error.response.headers["x-headgate-error-code"] == "provider_refused"
    assert error.response.headers["x-headgate-error-origin"] == "provider"
    assert error.response.headers.get("retry-after") == ("17" if status == 429 else None)
    record = gateway.record_of(error.request_id)
    assert (record["status"], record["ending"], record["origin"]) == (status, "failed", "provider")
    assert record["attempts"][0]["error"] == "provider_refused"


async def test_errors_of_the_gateway(openai_client, gateway):
    for client, model, kind, code in [
        (openai_client.with_options(api_key="hg-wrong"), "openai", openai.AuthenticationError, "invalid_api_key"),
        (openai_client, "opnai", openai.NotFoundError, "model_not_found"),
    ]:
        with pytest.raises(kind) as caught:
            await settle(client.chat.completions.create(model=model, messages=ASK))
        assert (caught.value.code, caught.value.type) == (code, "invalid_request_error")
        assert gateway.record_of(caught.value.request_id)["ending"] == "refused"
    assert "did you mean 'openai'" in caught.value.message
    with pytest.raises(openai.BadRequestError) as caught:
        await settle(openai_client.chat.completions.create(model="anthropic", messages="hello"))
    assert (caught.value.code, caught.value.param) == ("invalid_request", "messages")


@both
async def test_an_error_in_mid_stream_is_raised(openai_client, gateway, upstream, vendor):
    body = error_body(vendor, 529, "Overloaded, sorry.")
    failure = sse_event(body) if vendor == "openai" else sse_event(body, "error")
    *begun, _ = sse_reply(events_of(vendor, Said())[:6])
    upstream.script = (*begun, Sleep(0.1), as_chunk(failure), LAST_CHUNK)
    chunks = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stream=True))
    seen = []
    with pytest.raises(openai.APIError, match="Overloaded, sorry") as caught:
        await collect(chunks, seen)
    assert seen
    assert not isinstance(caught.value, openai.APIStatusError)
    record = gateway.newest()
    assert (record["status"], record["ending"], record["error"]) == (200, "cut", "provider_refused")


@pytest.mark.parametrize("how", [(LAST_CHUNK,), (Close(),), (Reset(),)], ids=["ended", "closed", "reset"])
@both
async def test_a_stream_that_breaks_off_never_looks_complete(openai_client, gateway, upstream, vendor, how):
    events = events_of(vendor, Said())
    ending = 3 if vendor == "openai" else 2
    for kept in (4, 7, len(events) - ending):
        *begun, _ = sse_reply(events[:kept])
        upstream.script = (*begun, Sleep(0.05), *how)
        chunks = await settle(openai_client.chat.completions.create(model=vendor, messages=ASK, stream=True))
        seen = []
        with pytest.raises(openai.APIError, match=r"broke off|before the end"):
            await collect(chunks, seen)
        assert seen
        assert not any(chunk.choices[0].finish_reason for chunk in seen)
        record = gateway.newest()
        assert (record["ending"], record["error"], record["origin"]) == ("cut", "provider_cut", "provider")
