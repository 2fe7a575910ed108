"""Anthropic's SDK against the gateway, with both vendors behind it: what applications do, whole and streamed."""

import base64
import json

import anthropic
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
    stream,
    whole,
)

ASK = {"max_tokens": 300, "messages": [{"role": "user", "content": "Say hello in three languages."}]}
TARGETS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-sonnet-4-5"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": name, "description": f"The {name}.", "input_schema": SCHEMA} for name in ("get_weather", "get_time")]
both = pytest.mark.parametrize("vendor", ["openai", "anthropic"])


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def record_of(gateway, vendor, **wanted):
    """The newest record; what holds for each of them has been checked."""
    record = gateway.newest()
    assert record["key"] == "test"
    assert (record["dialect"], record["path"]) == ("anthropic_messages", "/v1/messages")
    assert record["target"] == TARGETS[vendor]
    assert [attempt["target"] for attempt in record["attempts"]] == [TARGETS[vendor]]
    assert record["duration"] >= record["first_token"] > 0
    usage = {name: count for name, count in record["usage"].items() if name != "reported"}
    assert usage == RECORDED_USAGE[vendor]
    assert record["upstream_id"] == IDS[vendor]
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


def check_usage(usage, vendor):
    """100 prompt tokens of which 60 came from a cache, 20 of the answer: whoever counted them."""
    classes = (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens)
    assert classes == ((40, 0, 60) if vendor == "openai" else (30, 10, 60))
    assert usage.output_tokens == 20


@both
async def test_plain_chat(anthropic_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    raw = await settle(anthropic_client.messages.with_raw_response.create(model=vendor, **ASK))
    reply = await settle(raw.parse())
    assert [(block.type, block.text) for block in reply.content] == [("text", Said().text)]
    assert (reply.type, reply.role, reply.stop_reason, reply.stop_sequence) == (
        "message",
        "assistant",
        "end_turn",
        None,
    )
    assert reply.id.startswith("msg_")
    assert reply.id.endswith(IDS[vendor])
    assert reply.model == MODELS[vendor]
    check_usage(reply.usage, vendor)
    record = record_of(gateway, vendor, stream=False, status=200, model=vendor)
    assert record["id"] == raw.headers["x-request-id"]
    if vendor == "anthropic":
        assert upstream.requests[0].body == (
            b'{"max_tokens":300,"messages":[{"role":"user","content":"Say hello in three languages."}],'
            b'"model":"claude-sonnet-4-5"}'
        )
        assert raw.http_response.content == whole(vendor, Said()).partition(b"\r\n\r\n")[2]
    else:
        messages = ASK["messages"]
        assert sent(upstream) == {"model": "gpt-4o-mini", "messages": messages, "max_completion_tokens": 300}


@both
async def test_the_request_id_is_where_the_sdk_looks_for_it(anthropic_client, upstream, vendor):
    vendors = "req_018EeWyXxfu5pfWkrYcMdjWG"
    upstream.script = whole(vendor, Said(), headers=[("request-id", vendors)])
    raw = await settle(anthropic_client.messages.with_raw_response.create(model=vendor, **ASK))
    assert raw.request_id == (vendors if vendor == "anthropic" else raw.headers["x-request-id"])


@both
async def test_system_prompt_turns_and_sampling(anthropic_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    turns = [
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three?"},
    ]
    given = {"system": "Be brief.", "messages": turns, "max_tokens": 9}
    given |= {"stop_sequences": ["END", "STOP"], "metadata": {"user_id": "u-1"}}
    sampling = {"temperature": 0.5, "top_k": 5}  # the SDK no longer names them
    raw = await settle(anthropic_client.messages.with_raw_response.create(model=vendor, extra_body=sampling, **given))
    assert raw.headers.get("x-headgate-lost") == (None if vendor == "anthropic" else "top_k")
    if vendor == "anthropic":
        assert sent(upstream) == {"model": "claude-sonnet-4-5", **given, **sampling}
    else:
        assert sent(upstream) == {
            "model": "gpt-4o-mini",
            "messages": [{"role": "system", "content": "Be brief."}, *turns],
            "temperature": 0.5,
            "stop": ["END", "STOP"],
            "user": "u-1",
            "max_completion_tokens": 9,
        }


@both
async def test_images_and_documents(anthropic_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Some notes."}},
    ]
    await settle(
        anthropic_client.messages.create(model=vendor, max_tokens=9, messages=[{"role": "user", "content": parts}])
    )
    [message] = sent(upstream)["messages"]
    if vendor == "anthropic":
        assert message["content"] == parts
    else:
        assert message["content"] == [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
            {"type": "text", "text": "Some notes."},
        ]


@both
async def test_parallel_tool_calls(anthropic_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said("Let me look.", calls=WEATHER, stop="tools"))
    reply = await settle(anthropic_client.messages.create(model=vendor, tools=TOOLS, **ASK))
    text, *calls = reply.content
    assert text.text == "Let me look."
    assert [(call.type, call.id, call.name, call.input) for call in calls] == [
        ("tool_use", id, name, json.loads(arguments)) for id, name, arguments in WEATHER
    ]
    assert reply.stop_reason == "tool_use"
    tools = sent(upstream)["tools"]
    if vendor == "anthropic":
        assert tools == TOOLS
    else:
        assert [tool["function"] for tool in tools] == [
            {"name": tool["name"], "description": tool["description"], "parameters": SCHEMA} for tool in TOOLS
        ]
    record_of(gateway, vendor)


@both
async def test_tool_results(anthropic_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    calls = [
        {"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)} for id, name, arguments in WEATHER
    ]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    results = [
        {"type": "tool_result", "tool_use_id": WEATHER[0][0], "content": [{"type": "text", "text": "21 °C"}, image]},
        {"type": "tool_result", "tool_use_id": WEATHER[1][0], "content": "no such zone", "is_error": True},
        {"type": "text", "text": "Go on."},
    ]
    turns = [*ASK["messages"], {"role": "assistant", "content": calls}, {"role": "user", "content": results}]
    raw = await settle(
        anthropic_client.messages.with_raw_response.create(model=vendor, max_tokens=9, messages=turns, tools=TOOLS)
    )
    messages = sent(upstream)["messages"]
    if vendor == "anthropic":
        assert messages == turns
        assert "x-headgate-lost" not in raw.headers
        return
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "user"]
    asked = [(call["id"], call["function"]["name"]) for call in messages[1]["tool_calls"]]
    assert asked == [(id, name) for id, name, _ in WEATHER]
    for call, (_, _, arguments) in zip(messages[1]["tool_calls"], WEATHER, strict=True):
        assert json.loads(call["function"]["arguments"]) == json.loads(arguments)
    assert messages[2] == {"role": "tool", "tool_call_id": WEATHER[0][0], "content": "21 °C"}
    assert messages[3] == {"role": "tool", "tool_call_id": WEATHER[1][0], "content": "Error: no such zone"}
    assert [part["type"] for part in messages[4]["content"]] == ["text", "image_url", "text"]
    assert raw.headers["x-headgate-lost"] == "messages[2].content[0].content[1], messages[2].content[1].is_error"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "tool", "name": "get_time"}, {"type": "function", "function": {"name": "get_time"}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
    ],
)
@both
async def test_tool_choice(anthropic_client, upstream, vendor, choice, said):
    upstream.script = whole(vendor, Said())
    await settle(anthropic_client.messages.create(model=vendor, tools=TOOLS, tool_choice=choice, **ASK))
    body = sent(upstream)
    assert body["tool_choice"] == (choice if vendor == "anthropic" else said)
    if vendor == "openai":
        assert body.get("parallel_tool_calls") == (False if "disable_parallel_tool_use" in choice else None)


@both
async def test_streamed_events(anthropic_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    events = await settle(anthropic_client.messages.create(model=vendor, stream=True, **ASK))
    seen = [event async for event in each(events)]
    kinds = [event.type for event in seen]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    deltas = seen[2:-3]
    assert "".join(event.delta.text for event in deltas) == Said().text
    assert len(deltas) > 5
    assert seen[0].message.id.endswith(IDS[vendor])
    assert seen[-2].delta.stop_reason == "end_turn"
    assert seen[-2].usage.output_tokens == 20
    record = record_of(gateway, vendor, stream=True)
    assert "ending" not in record, "complete"
    if vendor == "openai":
        assert sent(upstream)["stream_options"] == {"include_usage": True}


@both
async def test_streamed_tool_calls_and_usage_with_the_sdks_helper(anthropic_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said("Let me look.", calls=WEATHER, stop="tools"))
    async with opened(anthropic_client.messages.stream(model=vendor, tools=TOOLS, **ASK)) as events:
        parts = [event.partial_json async for event in each(events) if event.type == "input_json"]
        final = await settle(events.get_final_message())
    assert "".join(parts) == WEATHER[0][2] + WEATHER[1][2], "byte for byte"
    text, *calls = final.content
    assert text.text == "Let me look."
    assert [(call.id, call.name, call.input) for call in calls] == [
        (id, name, json.loads(arguments)) for id, name, arguments in WEATHER
    ]
    assert final.stop_reason == "tool_use"
    check_usage(final.usage, vendor)
    record_of(gateway, vendor, stream=True)


@both
async def test_text_stream_of_the_sdk(anthropic_client, upstream, vendor):
    upstream.script = stream(vendor, Said())
    async with opened(anthropic_client.messages.stream(model=vendor, **ASK)) as events:
        assert "".join([text async for text in each(events.text_stream)]) == Said().text


class Answer(pydantic.BaseModel):
    city: str
    degrees: float


@both
async def test_structured_output(anthropic_client, upstream, vendor):
    said = Said('{"city":"Bern","degrees":21.5}')
    upstream.script = whole(vendor, said)
    reply = await settle(anthropic_client.messages.parse(model=vendor, output_format=Answer, **ASK))
    assert reply.parsed_output == Answer(city="Bern", degrees=21.5)
    body = sent(upstream)
    found = body["response_format"]["json_schema"] if vendor == "openai" else body["output_config"]["format"]
    assert found["schema"]["required"] == ["city", "degrees"]
    upstream.script = stream(vendor, said)
    async with opened(anthropic_client.messages.stream(model=vendor, output_format=Answer, **ASK)) as events:
        final = await settle(events.get_final_message())
    assert final.parsed_output.degrees == 21.5


@both
async def test_thinking(anthropic_client, gateway, upstream, vendor):
    said = Said("4", thinking="2 and 2 is …")
    given = {**ASK, "max_tokens": 8000, "thinking": {"type": "enabled", "budget_tokens": 2048}}
    signature = said.signature if vendor == "anthropic" else "headgate:unsigned"
    upstream.script = whole(vendor, said)
    reply = await settle(anthropic_client.messages.create(model=vendor, **given))
    thinking, text = reply.content
    assert (thinking.type, thinking.thinking, thinking.signature) == ("thinking", "2 and 2 is …", signature)
    assert text.text == "4"
    if vendor == "anthropic":
        assert sent(upstream)["thinking"] == given["thinking"]
    else:
        assert sent(upstream)["reasoning_effort"] == "low"
        assert reply.usage.output_tokens_details.thinking_tokens == 5
    upstream.script = stream(vendor, said)
    async with opened(anthropic_client.messages.stream(model=vendor, **given)) as events:
        kinds = {event.type async for event in each(events)}
        final = await settle(events.get_final_message())
    assert {"thinking", "text"} <= kinds
    assert (final.content[0].thinking, final.content[0].signature) == ("2 and 2 is …", signature)
    assert final.content[1].text == "4"
    record_of(gateway, vendor, stream=True)


@both
async def test_thinking_goes_back_in_the_history(anthropic_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    turns = [
        *ASK["messages"],
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
                {"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
        },
        {"role": "user", "content": "More."},
    ]
    raw = await settle(anthropic_client.messages.with_raw_response.create(model=vendor, max_tokens=9, messages=turns))
    if vendor == "anthropic":
        assert sent(upstream)["messages"] == turns
    else:
        assert sent(upstream)["messages"][1] == {"role": "assistant", "content": "Hello."}
        lost = [f"messages[1].content[{place}]" for place in ("0", "1")] + ["messages[1].content[2].cache_control"]
        assert raw.headers["x-headgate-lost"] == ", ".join(lost)


@pytest.mark.parametrize(("stop", "word"), [("stop_sequence", "stop_sequence"), ("length", "max_tokens")])
@both
async def test_stop_reasons(anthropic_client, upstream, vendor, stop, word):
    said = Said(stop=stop, sequence="END" if stop == "stop_sequence" else None)
    given = {**ASK, "stop_sequences": ["END"]}
    # OpenAI says "stop" for both, so there the difference is not known
    word = "end_turn" if vendor == "openai" and stop == "stop_sequence" else word
    upstream.script = whole(vendor, said)
    reply = await settle(anthropic_client.messages.create(model=vendor, **given))
    assert reply.stop_reason == word
    assert reply.stop_sequence == (said.sequence if vendor == "anthropic" else None)
    upstream.script = stream(vendor, said)
    async with opened(anthropic_client.messages.stream(model=vendor, **given)) as events:
        final = await settle(events.get_final_message())
    assert (final.stop_reason, final.stop_sequence) == (reply.stop_reason, reply.stop_sequence)


async def test_refusal(anthropic_client, upstream):
    body = openai_body(Said())
    body["choices"][0]["message"] |= {"content": None, "refusal": "I can't help with that."}
    upstream.script = json_reply(body)
    reply = await settle(anthropic_client.messages.create(model="openai", **ASK))
    assert (reply.stop_reason, reply.content[0].text) == ("refusal", "I can't help with that.")
    upstream.script = json_reply({**anthropic_body(Said()), "content": [], "stop_reason": "refusal"})
    reply = await settle(anthropic_client.messages.create(model="anthropic", **ASK))
    assert (reply.stop_reason, reply.content) == ("refusal", [])


async def test_citations_and_server_tools_pass(anthropic_client, gateway, upstream):
    citation = {
        "type": "char_location",
        "cited_text": "The grass is green.",
        "document_index": 0,
        "document_title": "a",
        "start_char_index": 0,
        "end_char_index": 19,
    }
    search = {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "grass"}}
    content = [search, {"type": "text", "text": "Green.", "citations": [citation]}]
    usage = {**ANTHROPIC_USAGE, "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0}}
    upstream.script = json_reply({**anthropic_body(Said()), "content": content, "usage": usage})
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    raw = await settle(anthropic_client.messages.with_raw_response.create(model="anthropic", tools=tools, **ASK))
    reply = await settle(raw.parse())
    assert sent(upstream)["tools"] == tools
    assert reply.content[0].name == "web_search"
    assert reply.content[1].citations[0].cited_text == "The grass is green."
    assert gateway.record_of(raw.headers["x-request-id"])["usage"]["server_tools"] == {"web_search_requests": 1}
    deltas = ({"type": "citations_delta", "citation": citation}, {"type": "text_delta", "text": "Green."})
    events = [
        anthropic_start(),
        *anthropic_block(0, search),
        *anthropic_block(1, {"type": "text", "text": "", "citations": []}, *deltas),
        *anthropic_end("pause_turn"),
    ]
    upstream.script = sse_reply(events)
    async with opened(anthropic_client.messages.stream(model="anthropic", tools=tools, **ASK)) as seen:
        final = await settle(seen.get_final_message())
    assert final.content[1].citations[0].end_char_index == 19
    assert final.stop_reason == "pause_turn"
    with pytest.raises(anthropic.BadRequestError, match="web_search"):
        await settle(anthropic_client.messages.create(model="openai", tools=tools, **ASK))


EXCEPTIONS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    403: anthropic.PermissionDeniedError,
    404: anthropic.NotFoundError,
    413: anthropic.RequestTooLargeError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    529: anthropic.OverloadedError,
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", EXCEPTIONS)
@both
async def test_errors_of_the_provider(anthropic_client, gateway, upstream, vendor, status, streamed):
    message = "Something is wrong with this request."
    headers = [("retry-after", "17"), ("request-id", "req_9")] if status == 429 else [("request-id", "req_9")]
    body = error_body(vendor, status, message)
    upstream.script = json_reply(body, status=status, headers=headers)
    with pytest.raises(EXCEPTIONS[status]) as caught:
        await settle(anthropic_client.messages.create(model=vendor, stream=streamed, **ASK))
    error = caught.value
    assert error.status_code == status
    assert error.api_message == message
    assert error.type == error_body("anthropic", status, message)["error"]["type"]
    if vendor == "anthropic":
        assert error.body == body
    assert error.response.headers["x-headgate-error-code"] == "provider_refused"
    assert error.response.headers.get("retry-after") == ("17" if status == 429 else None)
    own = error.response.headers["x-request-id"]
    assert error.request_id == ("req_9" if vendor == "anthropic" else own)
    record = gateway.record_of(own)
    assert (record["status"], record["ending"], record["origin"]) == (status, "failed", "provider")


async def test_errors_of_the_gateway(anthropic_client, gateway):
    for client, model, kind, word in [
        (
            anthropic_client.with_options(api_key="hg-wrong"),
            "anthropic",
            anthropic.AuthenticationError,
            "authentication",
        ),
        (anthropic_client, "antropic", anthropic.NotFoundError, "not_found"),
    ]:
        with pytest.raises(kind) as caught:
            await settle(client.messages.create(model=model, **ASK))
        assert caught.value.type == f"{word}_error"
        record = gateway.record_of(caught.value.request_id)
        assert record["ending"] == "refused"
        assert caught.value.body["error"]["code"] == record["error"]
    assert "did you mean 'anthropic'" in caught.value.api_message


@both
async def test_an_error_in_mid_stream_is_raised(anthropic_client, gateway, upstream, vendor):
    body = error_body(vendor, 529, "Overloaded, sorry.")
    failure = sse_event(body) if vendor == "openai" else sse_event(body, "error")
    *begun, _ = sse_reply(events_of(vendor, Said())[:6])
    upstream.script = (*begun, Sleep(0.1), as_chunk(failure), LAST_CHUNK)
    events = await settle(anthropic_client.messages.create(model=vendor, stream=True, **ASK))
    seen = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded, sorry"):
        await collect(events, seen)
    assert seen
    record = gateway.newest()
    assert (record["status"], record["ending"], record["error"]) == (200, "cut", "provider_refused")


@pytest.mark.parametrize("how", [(LAST_CHUNK,), (Close(),), (Reset(),)], ids=["ended", "closed", "reset"])
@both
async def test_a_stream_that_breaks_off_never_looks_complete(anthropic_client, gateway, upstream, vendor, how):
    events = events_of(vendor, Said())
    ending = 3 if vendor == "openai" else 2
    for kept in (4, 7, len(events) - ending):
        *begun, _ = sse_reply(events[:kept])
        upstream.script = (*begun, Sleep(0.05), *how)
        reply = await settle(anthropic_client.messages.create(model=vendor, stream=True, **ASK))
        seen = []
        with pytest.raises(anthropic.APIStatusError, match=r"broke off|before the end"):
            await collect(reply, seen)
        assert seen
        assert not {"message_delta", "message_stop"} & {event.type for event in seen}
        record = gateway.newest()
        assert (record["ending"], record["error"], record["origin"]) == ("cut", "provider_cut", "provider")
