"""Requests of other dialects: what is written, what is named as lost, what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.chat import (
    Audio,
    Bytes,
    ChatRequest,
    Document,
    Image,
    Message,
    NativePart,
    Reasoning,
    Refusal,
    ResponseFormat,
    Stored,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.core.errors import (
    Unsupported,
)
from headgate.dialects import anthropic_messages as dialect
from headgate.dialects.anthropic_messages.words import safe_id
from together import together


def cross(*messages, model="claude-opus-4-8", **fields):
    request = ChatRequest(dialect="other", model=model, messages=list(messages), **fields)
    lost = []
    return json.loads(dialect.write_request(request, lost)), [loss.path for loss in lost]


def user(text="Hello", **more):
    return Message(role="user", parts=[Text(text=text)], plain=True, **more)


def says(role, *parts):
    return Message(role=role, parts=list(parts))


F = Tool(name="f", schema={"type": "object", "properties": {}})
CALL = ToolCall(id="call_1", name="f", arguments='{"a": 1}')


def test_the_least_request_gets_a_limit():
    assert cross(user()) == (
        {"model": "claude-opus-4-8", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hello"}]},
        [],
    )


def test_system_prompts_go_to_the_top():
    first, second = Message(role="system", parts=[Text(text="A")], plain=True), says("developer", Text(text="B"))
    assert cross(first, user())[0]["system"] == "A"
    assert cross(first, second, user())[0]["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]


def test_a_later_system_prompt_keeps_its_place_where_the_model_takes_it():
    talk = (user(), says("system", Text(text="A")), says("assistant", Text(text="B")), user())
    fields, lost = cross(*talk)
    assert [turn["role"] for turn in fields["messages"]] == ["user", "system", "assistant", "user"]
    assert lost == []
    fields, lost = cross(*talk, model="claude-sonnet-4-5")
    assert fields["system"] == [{"type": "text", "text": "A"}]
    assert lost == ["messages[1].role"]
    fields, lost = cross(user(), says("system", Text(text="A")), user())
    assert lost == ["messages[1].role"]  # the API wants an assistant's turn or the end after it


def test_turns_of_one_role_are_merged_and_tool_results_stand_in_one_turn():
    fields, lost = cross(
        user(),
        says("assistant", CALL, ToolCall(id="call_2", name="f", arguments="")),
        says("tool", ToolResult(id="call_1", parts=[Text(text="1")])),
        says("tool", ToolResult(id="call_2", parts=[], error=True)),
        user("Go on"),
        tools=[F],
    )
    assert fields["messages"][1]["content"][1]["input"] == {}
    assert fields["messages"][2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "1"},
            {"type": "tool_result", "tool_use_id": "call_2", "is_error": True},
            {"type": "text", "text": "Go on"},
        ],
    }
    assert lost == []


def test_empty_text_and_trailing_space_of_a_prefill_are_left_out():
    fields, _ = cross(user(), says("assistant", Text(text="")), user(""), says("assistant", Text(text="So: \n")))
    assert fields["messages"] == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "So:"}]},
    ]


@together(
    ("message", "param"),
    [
        (says("user", Audio(source=Bytes(base64="AA=="))), "messages[0].content[0].input_audio"),
        (says("user", Image(source=Stored(file_id="file-1"))), "messages[0].content[0].file.file_id"),
        (says("user", Document(source=Bytes(base64="AA==", media_type="text/x"))), None),
        (says("user", Document(source=Bytes(base64="AA==", media_type="video/mp4"))), "messages[0].content[0]"),
        (says("user", NativePart(dialect="other", value={"type": "odd"})), "messages[0].content[0]"),
        (
            says("assistant", ToolCall(id="c", name="f", arguments="{oops")),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            says("assistant", ToolCall(id="c", name="f", arguments="[1]")),
            "messages[0].tool_calls[0].function.arguments",
        ),
        (says("assistant", ToolCall(id="c", name="f", arguments="x", custom=True)), "messages[0].tool_calls[0]"),
        (says("system", Text(text="only")), "messages"),
        (says("system", Image(source=Bytes(base64="AA==", media_type="image/png"))), "messages[0].content[0]"),
    ],
)
def test_content_that_cannot_cross_is_refused(message, param):
    if param is None:
        assert cross(message)[0]["messages"][0]["content"][0]["source"]["type"] == "text"
        return
    with pytest.raises(Unsupported) as caught:
        cross(message)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"native": {"modalities": ["text", "audio"]}}, "modalities"),
        ({"native": {"web_search_options": {}}}, "web_search_options"),
        ({"tools": [Tool(name="t", builtin={"type": "code_interpreter"})]}, "tools[0]"),
        ({"tools": [F], "tool_choice": ToolChoice(kind="tool", name="f", custom=True)}, "tool_choice"),
        ({"tool_choice": ToolChoice(kind="required")}, "tool_choice"),
    ],
)
def test_fields_that_would_change_the_meaning_are_refused(fields, param):
    with pytest.raises(Unsupported) as caught:
        cross(user(), **fields)
    assert caught.value.param == param


@together(
    ("fields", "lost"),
    [
        ({"seed": 1, "frequency_penalty": 0.5, "presence_penalty": 0.0}, ["seed", "frequency_penalty"]),
        ({"metadata": {"a": "b"}}, ["metadata"]),
        ({"service_tier": "flex"}, ["service_tier"]),
        ({"stop": ["END", "\n"]}, ["stop[1]"]),
        ({"format": ResponseFormat(kind="json")}, ["response_format"]),
        ({"native": {"store": True, "verbosity": "low", "modalities": ["text"]}}, ["store", "verbosity"]),
        ({"temperature": 1.5}, ["temperature"]),
        ({"temperature": 0.5, "top_p": 0.5}, ["top_p"]),
        ({"temperature": 0.5, "model": "claude-opus-4-7"}, ["temperature"]),
        ({"temperature": 0.5, "reasoning": Reasoning(effort="low")}, ["temperature"]),
    ],
)
def test_what_is_left_out_is_named(fields, lost):
    assert cross(user(), **({"model": "claude-sonnet-4-5"} | fields))[1] == lost


def test_what_is_left_out_of_messages_is_named():
    fields, lost = cross(
        user(name="ann", native={"odd": 1}),
        says("assistant", Thinking(text="hm"), Refusal(text="No."), Text(text="x", citations=[{"url": "u"}])),
        says("user", Image(source=Bytes(base64="AA==", media_type="image/png"), detail="high")),
    )
    assert lost == [
        "messages[0].name",
        "messages[0].odd",
        "messages[1].reasoning_content",
        "messages[1].content[0].refusal",
        "messages[1].content[1].annotations",
        "messages[2].content[0].image_url.detail",
    ]
    assert fields["messages"][1]["content"] == [{"type": "text", "text": "No."}, {"type": "text", "text": "x"}]


@together(
    ("model", "effort", "thinking", "config"),
    [
        ("claude-opus-4-8", "high", {"type": "adaptive"}, {"effort": "high"}),
        ("claude-opus-4-6", "xhigh", {"type": "adaptive"}, {"effort": "high"}),
        ("claude-fable-5-2", "xhigh", {"type": "adaptive"}, {"effort": "xhigh"}),
        ("claude-sonnet-5", "minimal", {"type": "adaptive"}, {"effort": "low"}),
        ("claude-sonnet-4-5-20250929", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-sonnet-4-20250514", "medium", {"type": "enabled", "budget_tokens": 8192}, None),
        ("claude-3-7-sonnet-20250219", "high", {"type": "enabled", "budget_tokens": 16384}, None),
        ("kimi-k2", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-sonnet-4-5", "none", {"type": "disabled"}, None),
    ],
)
def test_an_effort_is_said_as_the_model_takes_it(model, effort, thinking, config):
    fields, _ = cross(user(), model=model, reasoning=Reasoning(effort=effort))
    assert fields["thinking"] == thinking
    assert fields.get("output_config") == config
    room = (
        {"low": 2048, "high": 16384, "xhigh": 32768}[config["effort"]] if config else thinking.get("budget_tokens", 0)
    )
    assert fields["max_tokens"] == 4096 + room


def test_a_budget_needs_room_and_a_turn_that_began_with_thinking():
    old = {"model": "claude-sonnet-4-5", "reasoning": Reasoning(effort="high")}
    assert cross(user(), max_tokens=4000, **old)[0]["thinking"]["budget_tokens"] == 2000
    fields, lost = cross(user(), max_tokens=500, **old)
    assert "thinking" not in fields
    assert lost == ["reasoning_effort"]
    result = says("tool", ToolResult(id="call_1", parts=[Text(text="1")]))
    fields, lost = cross(user(), says("assistant", CALL), result, tools=[F], **old)
    assert "thinking" not in fields
    assert lost == ["reasoning_effort"]
    signed = says("assistant", Thinking(text="hm", signature="c2ln", signer="anthropic_messages"), CALL)
    assert cross(user(), signed, result, tools=[F], **old)[1] == []
    assert cross(user(), tools=[F], tool_choice=ToolChoice(kind="required"), **old)[1] == ["reasoning_effort"]


def test_tools_and_their_choice():
    fields, lost = cross(user(), tools=[Tool(name="g"), F], parallel_tool_calls=False)
    assert fields["tools"][0]["input_schema"] == {"type": "object", "properties": {}}
    assert fields["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    allowed = ToolChoice(kind="allowed", names=["f"], mode="required")
    fields, lost = cross(user(), tools=[Tool(name="g"), F], tool_choice=allowed)
    assert [tool["name"] for tool in fields["tools"]] == ["f"]
    assert fields["tool_choice"] == {"type": "any"}
    assert lost == ["tools[0]"]


def test_a_schema_becomes_the_output_format():
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form = ResponseFormat(kind="schema", name="answer", schema=schema, strict=True)
    fields, lost = cross(user(), format=form)
    assert fields["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert lost == ["response_format.json_schema.name"]


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_fit_the_pattern_and_stay_apart(one, other):
    assert all(char.isascii() and (char.isalnum() or char in "_-") for char in safe_id(one))
    assert (safe_id(one) == safe_id(other)) == (one == other)
