"""Requests of other APIs, as the Responses API takes them."""

import json

import pytest
from openai.types.responses import ResponseInputParam, ToolParam
from pydantic import TypeAdapter

from headgate.core.chat import (
    Audio,
    Bytes,
    ChatRequest,
    Document,
    Image,
    Link,
    Message,
    NativePart,
    PlainText,
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
    Video,
)
from headgate.core.errors import Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import openai_responses as dialect
from headgate.dialects.dialect import crossed

INPUT = TypeAdapter(ResponseInputParam)
TOOL = TypeAdapter(ToolParam)
NOTHING = {"properties": {}, "additionalProperties": False}
WEATHER = Tool(name="weather", schema={"type": "object", "properties": {}})


def says(role, *parts, **more):
    return Message(role=role, parts=[Text(text=part) if isinstance(part, str) else part for part in parts], **more)


def written(*messages, lost=None, **fields):
    request = ChatRequest(dialect="other", model="gpt-5", messages=list(messages), **fields)
    said = [] if lost is None else lost
    body = json.loads(dialect.write_request(request, said))
    # the API takes reasoning without its id (Codex sends none), which the types of its SDK demand
    INPUT.validate_python([{"id": "rs_1", **item} if item["type"] == "reasoning" else item for item in body["input"]])
    for tool in body.get("tools", []):
        TOOL.validate_python(tool)
    return body


def refused(*messages, **fields):
    with pytest.raises(Unsupported) as raised:
        written(*messages, **fields)
    return raised.value.param


def test_plain():
    assert written(says("system", "Be brief."), says("user", "Hello"), max_tokens=100, stream=True) == {
        "model": "gpt-5",
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
        "max_output_tokens": 100,
        "store": False,
        "stream": True,
    }


def test_system_messages_keep_their_place():
    body = written(says("system", "a", "b"), says("user", "c"), says("developer", "d"), says("user", "e"))
    assert "instructions" not in body
    assert [item["role"] for item in body["input"]] == ["system", "user", "developer", "user"]
    assert written(says("system", "only"))["input"][0]["role"] == "system"


def test_a_turn_with_tools():
    thinking = Thinking(text="hm", signature="gAAAA", signer="openai_responses")
    call = ToolCall(id="c1", name="weather", arguments="")
    result = ToolResult(id="c1", parts=[Text(text="Sunny.")])
    failed = ToolResult(id="c2", parts=[Text(text="No."), Image(source=Bytes(base64="aQ==", media_type="image/png"))])
    failed.error = True
    lost = []
    body = written(
        says("user", "Hello"),
        says("assistant", thinking, "I look.", Refusal(text="Not that."), call, "So."),
        says("user", result, failed, "And?"),
        lost=lost,
        tools=[WEATHER],
    )
    assert body["input"][1:] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAAA"},
        {"type": "message", "role": "assistant", "content": "I look."},
        {
            "type": "message",
            "id": "msg_3",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "Not that."}],
        },
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": "So."},
        {"type": "function_call_output", "call_id": "c1", "output": "Sunny."},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "Error: No."},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,aQ=="},
            ],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    assert body["include"] == ["reasoning.encrypted_content"]
    assert [loss.path for loss in lost] == ["messages[2].content[1].is_error"]
    assert body["tools"][0]["strict"] is False


def test_media():
    parts = [
        Image(source=Link(url="https://example.com/a.png"), detail="low"),
        Document(source=Bytes(base64="JVBERi0="), title="a.pdf"),
        Document(source=Link(url="https://example.com/a.pdf")),
        Document(source=PlainText(text="plain")),
    ]
    assert written(says("user", *parts))["input"][0]["content"] == [
        {"type": "input_image", "detail": "low", "image_url": "https://example.com/a.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        {"type": "input_text", "text": "plain"},
    ]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Image(source=Stored(file_id="f")), "messages[0].content[0]"),
        (Document(source=Stored(file_id="f")), "messages[0].content[0]"),
        (Audio(source=Bytes(base64="UklGRg==")), "messages[0].content[0]"),
        (Video(source=Link(url="https://example.com/a.mp4")), "messages[0].content[0]"),
        (NativePart(dialect="other", value={"type": "container_upload"}), "messages[0].content[0]"),
    ],
)
def test_what_cannot_stand_in_a_message_is_refused(part, param):
    assert refused(says("user", part)) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": ["END"]}, "stop"),
        ({"native": {"modalities": ["text", "audio"]}}, "modalities"),
        ({"native": {"mcp_servers": [{}]}}, "mcp_servers"),
        ({"tools": [Tool(name="bash", builtin={"type": "bash_20250124", "name": "bash"})]}, "tools[0]"),
        ({"tool_choice": ToolChoice(kind="required")}, "tool_choice"),
    ],
)
def test_what_would_change_the_meaning_is_refused(fields, param):
    assert refused(says("user", "x"), **fields) == param


def test_an_answer_to_go_on_with_is_refused():
    assert refused(says("user", "x"), says("assistant", "So:")) == "messages[1]"


def test_what_is_lost_is_named():
    lost = []
    body = written(
        says("user", "x", name="ann"),
        says("assistant", Thinking(text="hm", signature="c2ln", signer="anthropic_messages"), "y"),
        says("user", "z"),
        lost=lost,
        top_k=3,
        seed=1,
        presence_penalty=0.5,
        frequency_penalty=0,
        max_tokens=5,
        service_tier="standard",
        user="u" * 65,
        native={"tomorrow": 1, "verbosity": "low", "store": True, "prompt_cache_key": "k"},
    )
    assert [loss.path for loss in lost] == [
        "top_k", "seed", "presence_penalty", "messages[0].name", "messages[1].content[0]", "max_tokens", "user",
        "tomorrow", "service_tier",
    ]  # fmt: skip
    assert (body["max_output_tokens"], body["store"], body["prompt_cache_key"]) == (16, True, "k")
    assert body["text"] == {"verbosity": "low"}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(kind="auto"), "auto"),
        (ToolChoice(kind="none"), "none"),
        (ToolChoice(kind="required"), "required"),
        (ToolChoice(kind="tool", name="weather"), {"type": "function", "name": "weather"}),
        (ToolChoice(kind="tool", name="code", custom=True), {"type": "custom", "name": "code"}),
        (
            ToolChoice(kind="allowed", names=["code", "weather"], mode="required"),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "code"}, {"type": "function", "name": "weather"}],
            },
        ),
    ],
)
def test_choices_of_tools(choice, said):
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}}
    code = Tool(name="code", builtin={"type": "custom", "custom": {"name": "code", "format": grammar}})
    body = written(says("user", "x"), tools=[WEATHER, code], tool_choice=choice, parallel_tool_calls=False)
    assert body["tool_choice"] == said
    assert body["parallel_tool_calls"] is False
    assert body["tools"][1] == {
        "type": "custom", "name": "code",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (ResponseFormat(kind="text"), {"type": "text"}),
        (ResponseFormat(kind="json"), {"type": "json_object"}),
        (
            ResponseFormat(kind="schema", schema={"type": "object", **NOTHING}, strict=True),
            {"type": "json_schema", "name": "response", "schema": {"type": "object", **NOTHING}, "strict": True},
        ),
    ],
)
def test_formats(form, said):
    assert written(says("user", "x"), format=form)["text"]["format"] == said


@pytest.mark.parametrize(
    ("reasoning", "said", "asked"),
    [
        (Reasoning(effort="low"), {"effort": "low"}, True),
        (Reasoning(effort="none"), {"effort": "none"}, False),
        (Reasoning(budget=4000, mode="enabled"), {"effort": "low", "summary": "auto"}, True),
        (Reasoning(budget=9000, mode="enabled", display="omitted"), {"effort": "medium"}, True),
        (Reasoning(budget=90000), {"effort": "high"}, False),
        (Reasoning(mode="adaptive", effort="high", display="summarized"), {"effort": "high", "summary": "auto"}, True),
        (Reasoning(mode="disabled"), None, False),
    ],
)
def test_reasoning(reasoning, said, asked):
    body = written(says("user", "x"), reasoning=reasoning)
    assert body.get("reasoning") == said
    assert ("reasoning.encrypted_content" in body.get("include", [])) is (asked or reasoning.budget == 90000)


def test_log_probabilities():
    body = written(says("user", "x"), logprobs=True, top_logprobs=3)
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 3)


def test_openais_reasoning_survives_a_client_of_anthropic():
    """Out in the reply's thinking, back in the next request, as it was given."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    call = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    reply = {"id": "r", "status": "completed", "output": [{**item, "encrypted_content": "gAAAA"}, call]}
    reader, writer = dialect.reader(False), anthropic_messages.writer(False, {}, [])
    reader.feed(json.dumps(reply).encode())
    writer.feed(reader.end())
    answer = json.loads(writer.end())
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "Sunny."}
    turns = [("user", "x"), ("assistant", answer["content"]), ("user", [result])]
    fields = {
        "model": "m",
        "max_tokens": 100,
        "messages": [{"role": role, "content": content} for role, content in turns],
        "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
    }
    lost = []
    body = json.loads(crossed(dialect, anthropic_messages.read_request(fields), lost))
    assert body["input"][1] == {"type": "reasoning", "summary": item["summary"], "encrypted_content": "gAAAA"}
    assert [entry["type"] for entry in body["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert body["include"] == ["reasoning.encrypted_content"]
    assert lost == []


def test_a_request_of_chat_completions():
    schema = {"type": "object", **NOTHING}
    fields = {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "reasoning_effort": "minimal",
        "max_completion_tokens": 50,
        "response_format": {"type": "json_object"},
    }
    lost = []
    assert json.loads(crossed(dialect, openai_chat.read_request(fields), lost)) == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
        "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_object"}},
        "max_output_tokens": 50,
        "reasoning": {"effort": "minimal"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    assert lost == []
