"""OpenAI's SDK against the gateway's Responses and Completions APIs, with providers of three dialects behind it."""

import json

import openai
import pydantic
import pytest

from upstreams import LAST_CHUNK, Close, Reset, Sleep, as_chunk, json_reply, sse_event, sse_reply
from walks.conftest import collect, each, opened, settle
from walks.vendors import (
    IDS,
    MODELS,
    RECORDED_USAGE,
    WEATHER,
    Said,
    error_body,
    events_of,
    stream,
    whole,
)

ASK = "Say hello in three languages."
NAMES = {"responses": "responses", "openai": "chats", "anthropic": "anthropic"}
"""The model that a provider of each dialect has."""
TARGETS = {"responses": "openai/gpt-5.1", "openai": "chats/gpt-oss-120b", "anthropic": "anthropic/claude-sonnet-4-5"}
PATHS = {"responses": "/v1/responses", "openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "name": name, "description": f"The {name}.", "parameters": SCHEMA, "strict": True}
    for name in ("get_weather", "get_time")
]
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /.+/'}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}
every = pytest.mark.parametrize("vendor", NAMES)
crossing = pytest.mark.parametrize("vendor", ["openai", "anthropic"])


def sent(upstream):
    request = upstream.requests[-1]
    return json.loads(request.body)


def record_of(gateway, vendor, **wanted):
    """The newest record; what holds for each of them has been checked."""
    record = gateway.newest()
    assert (record["dialect"], record["path"]) == ("openai_responses", "/v1/responses")
    assert record["target"] == TARGETS[vendor]
    usage = {name: count for name, count in record["usage"].items() if name != "reported"}
    assert usage == RECORDED_USAGE[vendor]
    assert record["upstream_id"] == IDS[vendor]
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


def check_usage(usage):
    """100 tokens in, of which 60 came from a cache, 20 out: whoever counted them."""
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (100, 20, 120)
    assert usage.input_tokens_details.cached_tokens == 60


@every
async def test_a_plain_answer(openai_client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    raw = await settle(
        openai_client.responses.with_raw_response.create(
            model=NAMES[vendor], input=ASK, instructions="Be brief.", max_output_tokens=99
        )
    )
    reply = raw.parse()
    assert (reply.output_text, reply.status, reply.error) == (Said().text, "completed", None)
    assert [item.type for item in reply.output] == ["message"]
    assert reply.id.startswith("resp_")
    assert reply.id.endswith(IDS[vendor].removeprefix("resp_"))
    assert reply.model == MODELS[vendor]
    check_usage(reply.usage)
    record = record_of(gateway, vendor, stream=False, status=200, model=NAMES[vendor])
    assert record["id"] == reply._request_id == raw.headers["x-request-id"]
    assert upstream.requests[0].path == PATHS[vendor]
    if vendor == "responses":
        assert raw.content == whole(vendor, Said()).partition(b"\r\n\r\n")[2]
        assert upstream.requests[0].body == (
            b'{"model":"gpt-5.1","input":"Say hello in three languages.","instructions":"Be brief.",'
            b'"max_output_tokens":99}'
        )
    elif vendor == "openai":
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASK}]
        assert sent(upstream) == {"model": "gpt-oss-120b", "messages": messages, "max_completion_tokens": 99}
    else:
        messages = [{"role": "user", "content": ASK}]
        assert sent(upstream) == {
            "model": "claude-sonnet-4-5",
            "system": "Be brief.",
            "messages": messages,
            "max_tokens": 99,
        }


@every
async def test_a_streamed_answer(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said())
    events = await settle(openai_client.responses.create(model=NAMES[vendor], input=ASK, stream=True))
    seen = [event async for event in each(events)]
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    deltas = [event.delta for event in seen if event.type == "response.output_text.delta"]
    assert len(deltas) > 3
    assert "".join(deltas) == Said().text
    kinds = [event.type for event in seen if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    check_usage(seen[-1].response.usage)
    record_of(gateway, vendor, stream=True)


@every
async def test_the_sdks_stream_helper_with_parallel_tool_calls(openai_client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said("Let me look.", calls=WEATHER, stop="tools"))
    async with opened(openai_client.responses.stream(model=NAMES[vendor], input=ASK, tools=TOOLS)) as events:
        kinds = [event.type async for event in each(events)]
        final = await settle(events.get_final_response())
    assert kinds.count("response.function_call_arguments.done") == 2
    assert final.output_text == "Let me look."
    calls = tuple((each.call_id, each.name, each.arguments) for each in final.output if each.type == "function_call")
    assert calls == WEATHER, "byte for byte"
    check_usage(final.usage)
    record_of(gateway, vendor, stream=True)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@every
async def test_tools_for_two_turns(openai_client, upstream, vendor, streamed):
    """What came back is sent again as it is, as applications do it that keep the conversation themselves."""

    async def ask(said, items):
        upstream.script = stream(vendor, said) if streamed else whole(vendor, said)
        given = {"model": NAMES[vendor], "input": items, "tools": TOOLS, "store": False}
        if not streamed:
            return await settle(openai_client.responses.create(**given))
        async with opened(openai_client.responses.stream(**given)) as events:
            return await settle(events.get_final_response())

    reply = await ask(Said(None, calls=WEATHER, stop="tools"), [{"role": "user", "content": ASK}])
    results = [
        {"type": "function_call_output", "call_id": WEATHER[0][0], "output": "21 °C"},
        {"type": "function_call_output", "call_id": WEATHER[1][0], "output": [{"type": "input_text", "text": "9:00"}]},
    ]
    items = [{"role": "user", "content": ASK}, *reply.output, *results]
    final = await ask(Said("It is warm."), items)
    assert final.output_text == "It is warm."
    body = sent(upstream)
    if vendor == "responses":
        assert [item.get("type") for item in body["input"]] == [
            None,
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output",
        ]
        assert body["tools"] == TOOLS
    elif vendor == "openai":
        _, asked, *told = body["messages"]
        calls = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in asked["tool_calls"]]
        assert tuple(calls) == WEATHER
        assert [(each["role"], each["tool_call_id"], each["content"]) for each in told] == [
            ("tool", WEATHER[0][0], "21 °C"),
            ("tool", WEATHER[1][0], "9:00"),
        ]
    else:
        _, asked, told = body["messages"]
        assert asked["content"] == [
            {"type": "tool_use", "id": id, "name": name, "input": json.loads(arguments)}
            for id, name, arguments in WEATHER
        ]
        assert [(each["type"], each["tool_use_id"]) for each in told["content"]] == [
            ("tool_result", id) for id, _, _ in WEATHER
        ]
        assert [tool["input_schema"] for tool in body["tools"]] == [SCHEMA, SCHEMA]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@every
async def test_a_custom_tool(openai_client, upstream, vendor, streamed):
    """Its input is free text here; a model of another API gives it as the one argument of a function."""
    edit = '*** Begin Patch\n+ "ünïcode" \\n\n*** End Patch'
    said = Said(None, customs=(("call_1", "apply_patch", edit),), stop="tools")
    given = {"model": NAMES[vendor], "tools": [PATCH, *TOOLS]}
    if streamed:
        upstream.script = stream(vendor, said)
        async with opened(openai_client.responses.stream(input=ASK, **given)) as events:
            deltas = [
                event.delta async for event in each(events) if event.type == "response.custom_tool_call_input.delta"
            ]
            reply = await settle(events.get_final_response())
        assert "".join(deltas) == edit
    else:
        upstream.script = whole(vendor, said)
        reply = await settle(openai_client.responses.create(input=ASK, **given))
    [call] = reply.output
    assert (call.type, call.call_id, call.name, call.input) == ("custom_tool_call", "call_1", "apply_patch", edit)
    tool = sent(upstream)["tools"][0]
    if vendor == "responses":
        assert tool == PATCH
    else:
        shown = tool.get("function", tool)
        assert shown["name"] == "apply_patch"
        assert GRAMMAR["definition"] in json.dumps(shown, ensure_ascii=False).replace('\\"', '"')
    upstream.script = whole(vendor, Said("Done."))
    told = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Success."}
    items = [{"role": "user", "content": ASK}, call, told]
    final = await settle(openai_client.responses.create(input=items, **given))
    assert final.output_text == "Done."
    back = json.dumps(sent(upstream), ensure_ascii=False)
    assert "Success." in back
    assert "ünïcode" in back


class Answer(pydantic.BaseModel):
    city: str
    degrees: float


@every
async def test_structured_output(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said('{"city":"Bern","degrees":21.5}'))
    reply = await settle(openai_client.responses.parse(model=NAMES[vendor], input=ASK, text_format=Answer))
    assert reply.output_parsed == Answer(city="Bern", degrees=21.5)
    body = sent(upstream)
    found = {
        "responses": lambda: body["text"]["format"]["schema"],
        "openai": lambda: body["response_format"]["json_schema"]["schema"],
        "anthropic": lambda: body["output_config"]["format"]["schema"],
    }[vendor]()
    assert (found["required"], found["additionalProperties"]) == (["city", "degrees"], False)
    upstream.script = stream(vendor, Said('{"city":"Bern","degrees":21.5}'))
    asked = openai_client.responses.stream(model=NAMES[vendor], input=ASK, text_format=Answer)
    async with opened(asked) as events:
        final = await settle(events.get_final_response())
    assert final.output_parsed.degrees == 21.5


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@every
async def test_reasoning_goes_back_with_its_proof(openai_client, upstream, vendor, streamed):
    """A reasoning item comes with `encrypted_content`; sent back, it is the vendor's own thinking again."""
    said = Said("Let me look.", thinking="First the weather.", calls=WEATHER[:1], stop="tools")
    given = {
        "model": NAMES[vendor],
        "tools": TOOLS,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low", "summary": "auto"},
        "max_output_tokens": 9000,
    }
    if streamed:
        upstream.script = stream(vendor, said)
        async with opened(openai_client.responses.stream(input=ASK, **given)) as events:
            deltas = [
                event.delta async for event in each(events) if event.type == "response.reasoning_summary_text.delta"
            ]
            reply = await settle(events.get_final_response())
        assert "".join(deltas) == said.thinking
    else:
        upstream.script = whole(vendor, said)
        reply = await settle(openai_client.responses.create(input=ASK, **given))
    thought, message, call = reply.output
    assert (thought.type, message.type, call.type) == ("reasoning", "message", "function_call")
    assert thought.summary[0].text == said.thinking
    upstream.script = whole(vendor, Said("Warm."))
    told = {"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"}
    items = [{"role": "user", "content": ASK}, *reply.output, told]
    assert (await settle(openai_client.responses.create(input=items, **given))).output_text == "Warm."
    body = sent(upstream)
    if vendor == "responses":
        assert body["input"][1]["encrypted_content"] == said.signature
    elif vendor == "openai":
        assert body["reasoning_effort"] == "low"
        assert body["messages"][1]["reasoning_content"] == said.thinking
    else:
        assert body["thinking"]["type"] == "enabled"
        block = {"type": "thinking", "thinking": said.thinking, "signature": said.signature}
        assert body["messages"][1]["content"][0] == block


async def test_anothers_reasoning_is_left_out_and_named(openai_client, upstream):
    """A conversation that Claude began goes on at OpenAI, which would refuse Claude's proof."""
    upstream.script = whole("anthropic", Said("Hm.", thinking="Well."))
    reply = await settle(openai_client.responses.create(model="anthropic", input=ASK))
    upstream.script = whole("responses", Said("Yes."))
    items = [{"role": "user", "content": ASK}, *reply.output, {"role": "user", "content": "And?"}]
    raw = await settle(openai_client.responses.with_raw_response.create(model="responses", input=items))
    assert "input[1]" in raw.headers["x-headgate-lost"]
    assert [item.get("type") for item in sent(upstream)["input"]] == ["message", "message", "message"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@every
async def test_an_answer_cut_at_its_length_is_incomplete(openai_client, upstream, vendor, streamed):
    said = Said("Well, you", stop="length")
    given = {"model": NAMES[vendor], "input": ASK, "max_output_tokens": 20}
    if streamed:
        upstream.script = stream(vendor, said)
        events = await settle(openai_client.responses.create(stream=True, **given))
        *_, last = [event async for event in each(events)]
        assert last.type == "response.incomplete"
        reply = last.response
    else:
        upstream.script = whole(vendor, said)
        reply = await settle(openai_client.responses.create(**given))
    assert (reply.status, reply.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert reply.output_text == "Well, you"


async def test_what_openai_keeps_goes_there_and_is_refused_elsewhere(openai_client, gateway, upstream):
    upstream.script = whole("responses", Said())
    given = {"input": ASK, "previous_response_id": "resp_0123", "store": True}
    reply = await settle(openai_client.responses.create(model="responses", **given))
    assert reply.output_text == Said().text
    assert sent(upstream) == {**given, "model": "gpt-5.1"}
    upstream.requests.clear()
    for field, value in [
        ("previous_response_id", "resp_0123"),
        ("conversation", "conv_1"),
        ("background", True),
        ("store", True),
    ]:
        for model in ("chats", "anthropic"):
            with pytest.raises(openai.BadRequestError) as caught:
                await settle(openai_client.responses.create(model=model, input=ASK, **{field: value}))
            assert (caught.value.code, caught.value.param) == ("unsupported_field", field)
            assert gateway.record_of(caught.value.request_id)["ending"] == "refused"
    assert not upstream.requests


@every
async def test_images_and_files(openai_client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
    ]
    items = [{"role": "user", "content": parts}]
    await settle(openai_client.responses.create(model=NAMES[vendor], input=items))
    body = sent(upstream)
    if vendor == "responses":
        assert body["input"] == items
        return
    kinds = [part["type"] for part in body["messages"][0]["content"]]
    assert kinds == (["text", "image_url", "file"] if vendor == "openai" else ["text", "image", "document"])


EXCEPTIONS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    529: openai.InternalServerError,
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", EXCEPTIONS)
@every
async def test_errors_of_the_provider(openai_client, gateway, upstream, vendor, status, streamed):
    message = "Something is wrong with this request."
    headers = [("retry-after", "17")] if status == 429 else []
    upstream.script = json_reply(error_body(vendor, status, message), status=status, headers=headers)
    with pytest.raises(EXCEPTIONS[status], match=message) as caught:
        await settle(openai_client.responses.create(model=NAMES[vendor], input=ASK, stream=streamed))
    assert caught.value.status_code == status
    assert caught.value.response.headers["x-headgate-error-origin"] == "provider"
    assert caught.value.response.headers.get("retry-after") == ("17" if status == 429 else None)
    record = gateway.record_of(caught.value.request_id)
    assert (record["status"], record["ending"], record["origin"]) == (status, "failed", "provider")


async def test_errors_of_the_gateway(openai_client, gateway):
    for client, given, kind, code in [
        (openai_client.with_options(api_key="hg-wrong"), {}, openai.AuthenticationError, "invalid_api_key"),
        (openai_client, {"model": "respones"}, openai.NotFoundError, "model_not_found"),
        (openai_client, {"model": "anthropic", "input": [{"type": "message"}]}, openai.BadRequestError, None),
    ]:
        with pytest.raises(kind) as caught:
            await settle(client.responses.create(**{"model": "responses", "input": ASK, **given}))
        assert code in (None, caught.value.code)
        assert gateway.record_of(caught.value.request_id)["ending"] == "refused"
    assert caught.value.param == "input[0].role"


FAILURES = {
    "responses": lambda message: sse_event(
        {"type": "error", "sequence_number": 6, "code": "server_is_overloaded", "message": message, "param": None},
        "error",
    ),
    "openai": lambda message: sse_event(error_body("openai", 529, message)),
    "anthropic": lambda message: sse_event(error_body("anthropic", 529, message), "error"),
}


@every
async def test_an_error_in_mid_stream_is_told(openai_client, gateway, upstream, vendor):
    """The SDK raises one that stands in `error`, as the gateway writes it; OpenAI's own flat one is an event to it."""
    *begun, _ = sse_reply(events_of(vendor, Said())[:6])
    upstream.script = (*begun, Sleep(0.1), as_chunk(FAILURES[vendor]("Overloaded, sorry.")), LAST_CHUNK)
    events = await settle(openai_client.responses.create(model=NAMES[vendor], input=ASK, stream=True))
    seen = []
    if vendor == "responses":
        await collect(events, seen)
        assert (seen[-1].type, seen[-1].message) == ("error", "Overloaded, sorry.")
    else:
        with pytest.raises(openai.APIError, match="Overloaded, sorry"):
            await collect(events, seen)
    assert seen
    assert not any(event.type == "response.completed" for event in seen)
    record = gateway.newest()
    assert (record["status"], record["ending"], record["error"]) == (200, "cut", "provider_refused")


@pytest.mark.parametrize("how", [(LAST_CHUNK,), (Close(),), (Reset(),)], ids=["ended", "closed", "reset"])
@every
async def test_a_stream_that_breaks_off_never_looks_complete(openai_client, gateway, upstream, vendor, how):
    events = events_of(vendor, Said())
    ending = {"openai": 3, "anthropic": 2, "responses": 1}[vendor]
    for kept in (6, len(events) - ending):
        *begun, _ = sse_reply(events[:kept])
        upstream.script = (*begun, Sleep(0.05), *how)
        answer = await settle(openai_client.responses.create(model=NAMES[vendor], input=ASK, stream=True))
        seen = []
        with pytest.raises(openai.APIError, match=r"broke off|before the end"):
            await collect(answer, seen)
        assert seen
        assert not any(event.type in ("response.completed", "response.incomplete") for event in seen)
        record = gateway.newest()
        assert (record["ending"], record["error"], record["origin"]) == ("cut", "provider_cut", "provider")


# --- completions

COMPLETION = {
    "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
    "object": "text_completion",
    "created": 1589478378,
    "model": "gpt-3.5-turbo-instruct",
    "system_fingerprint": "fp_44709d6fcb",
    "choices": [{"text": "\n\nOnce upon", "index": 0, "logprobs": None, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}


async def test_a_prompt_goes_as_it_is_to_a_model_that_completes(openai_client, upstream):
    upstream.script = json_reply(COMPLETION)
    given = {"prompt": ["A", "B"], "suffix": ".", "best_of": 2, "max_tokens": 7}
    reply = await settle(openai_client.completions.create(model="instruct", **given))
    assert reply.choices[0].text == "\n\nOnce upon"
    assert reply.to_dict() == COMPLETION
    assert upstream.requests[0].path == "/v1/completions"
    assert sent(upstream) == {"model": "gpt-3.5-turbo-instruct", **given}
    chunk = {key: value for key, value in COMPLETION.items() if key != "usage"}
    upstream.script = sse_reply([sse_event(chunk), sse_event({**COMPLETION, "choices": []}), sse_event("[DONE]")])
    chunks = await settle(openai_client.completions.create(model="instruct", prompt="A", stream=True))
    assert [chunk.choices[0].text async for chunk in each(chunks)] == ["\n\nOnce upon"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@every
async def test_a_prompt_reaches_models_that_chat(openai_client, gateway, upstream, vendor, streamed):
    model = {**NAMES, "responses": "openai"}[vendor]
    spoken = "openai" if vendor == "responses" else vendor  # OpenAI is asked in Chat Completions
    upstream.script = stream(spoken, Said()) if streamed else whole(spoken, Said())
    given = {"model": model, "prompt": ASK, "echo": True, "max_tokens": 50}
    if streamed:
        options = {"include_usage": True}
        chunks = await settle(openai_client.completions.create(stream=True, stream_options=options, **given))
        seen = [chunk async for chunk in each(chunks)]
        text = "".join(choice.text for chunk in seen for choice in chunk.choices)
        finish, usage = [choice.finish_reason for chunk in seen for choice in chunk.choices][-1], seen[-1].usage
    else:
        reply = await settle(openai_client.completions.create(**given))
        text, finish, usage = reply.choices[0].text, reply.choices[0].finish_reason, reply.usage
    assert (text, finish) == (ASK + Said().text, "stop")
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 20)
    assert sent(upstream)["messages"] == [{"role": "user", "content": ASK}]
    record = gateway.newest()
    assert (record["dialect"], record["path"]) == ("openai_completions", "/v1/completions")


async def test_what_only_a_completing_model_can_is_refused_elsewhere(openai_client, upstream):
    for field, value in [("prompt", ["A", "B"]), ("prompt", [1, 2]), ("suffix", "."), ("best_of", 2)]:
        with pytest.raises(openai.BadRequestError) as caught:
            await settle(openai_client.completions.create(**{"model": "chats", "prompt": "A", field: value}))
        assert (caught.value.code, caught.value.param) == ("unsupported_field", field)
    upstream.script = json_reply(error_body("openai", 400, "Something is wrong"), status=400)
    with pytest.raises(openai.BadRequestError, match="Something is wrong"):
        await settle(openai_client.completions.create(model="instruct", prompt="A"))
