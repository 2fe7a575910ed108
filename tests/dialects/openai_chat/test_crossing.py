"""Requests of other dialects said in Chat Completions: what is carried, what is reported, what is refused."""

import json

import pytest

from headgate.core.chat import (
    Audio,
    Bytes,
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Link,
    Message,
    NativePart,
    PlainText,
    Reasoning,
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
from headgate.dialects import openai_chat
from together import together

HELLO = Message(role="user", parts=[Text(text="Hello")], plain=True)


def cross(*messages, **fields):
    """The written body and the paths of what was lost."""
    lost = []
    request = ChatRequest(dialect="anthropic_messages", model="m", messages=list(messages or [HELLO]), **fields)
    return json.loads(openai_chat.write_request(request, lost)), [loss.path for loss in lost]


def user(*parts):
    return Message(role="user", parts=list(parts))


def assistant(*parts):
    return Message(role="assistant", parts=list(parts))


def test_what_both_can_say():
    body, lost = cross(
        Message(role="system", parts=[Text(text="Be brief.")], plain=True),
        HELLO,
        max_tokens=10,
        temperature=0.5,
        top_p=0.9,
        stop=["a", "b"],
        user="u-1",
        service_tier="auto",
        parallel_tool_calls=False,
        tools=[Tool(name="f", description="d", schema={"type": "object", "properties": {}}, strict=True)],
        tool_choice=ToolChoice(kind="required"),
        format=ResponseFormat(kind="schema", schema={"type": "object"}),
        reasoning=Reasoning(effort="max"),
    )
    assert lost == []
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
        "max_completion_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["a", "b"],
        "user": "u-1",
        "service_tier": "auto",
        "parallel_tool_calls": False,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
                    "strict": True,
                },
            }
        ],
        "tool_choice": "required",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": {"type": "object"}},
        },
        "reasoning_effort": "max",
    }


def test_a_stream_is_asked_for_its_usage_by_who_knows_the_provider():
    body, _ = cross(stream=True)
    assert body["stream"] is True
    assert "stream_options" not in body
    assert openai_chat.wanted(body) == {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(kind="auto", native={"type": "auto"}), "auto"),
        (ToolChoice(kind="none"), "none"),
        (ToolChoice(kind="tool", name="f"), {"type": "function", "function": {"name": "f"}}),
        (
            ToolChoice(kind="allowed", names=["f"], mode="required"),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
    ],
)
def test_tool_choice(choice, written):
    assert cross(tools=[Tool(name="f")], tool_choice=choice)[0]["tool_choice"] == written


@together(
    ("reasoning", "effort", "lost"),
    [
        (Reasoning(budget=1024, mode="enabled"), "low", ["thinking.budget_tokens"]),
        (Reasoning(budget=4096, mode="enabled"), "low", ["thinking.budget_tokens"]),
        (Reasoning(budget=4097, mode="enabled"), "medium", ["thinking.budget_tokens"]),
        (Reasoning(budget=16_385, mode="enabled"), "high", ["thinking.budget_tokens"]),
        (Reasoning(budget=2000, effort="xhigh"), "xhigh", []),
        (Reasoning(mode="adaptive"), None, []),
        (Reasoning(mode="adaptive", effort="high", display="omitted"), "high", ["thinking.display"]),
        (Reasoning(mode="disabled"), None, ["thinking"]),
    ],
)
def test_reasoning(reasoning, effort, lost):
    body, found = cross(reasoning=reasoning)
    assert body.get("reasoning_effort") == effort
    assert found == lost


def test_tool_results_become_messages_before_the_rest_of_their_turn():
    body, lost = cross(
        HELLO,
        assistant(Text(text="Looking."), ToolCall(id="a", name="f", arguments="{}")),
        user(
            Text(text="Here."),
            ToolResult(id="a", parts=[Text(text="12 °C"), Image(source=Bytes(base64="AA", media_type="image/png"))]),
            ToolResult(id="b", parts=[Text(text="no such city")], error=True),
            ToolResult(id="c", parts=[]),
        ),
    )
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert body["messages"][1:] == [
        {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: no such city"},
        {"role": "tool", "tool_call_id": "c", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "From the result of tool call a:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "text", "text": "Here."},
            ],
        },
    ]
    assert lost == ["messages[2].content[1].content[1]", "messages[2].content[2].is_error"]


def test_a_turn_of_only_tool_results_leaves_no_empty_message():
    body, lost = cross(
        HELLO,
        assistant(ToolCall(id="a", name="f", arguments="{}")),
        user(ToolResult(id="a", parts=[Text(text="1"), Text(text="2")])),
    )
    assert body["messages"][1]["content"] is None
    assert body["messages"][2:] == [
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]}
    ]
    assert lost == []


def test_images_documents_and_audio():
    body, lost = cross(
        user(
            Image(source=Link(url="https://example.com/a.png")),
            Document(source=Bytes(base64="JVBE", media_type="application/pdf"), title="a.pdf", context="c"),
            Document(source=PlainText(text="plain"), title="t", citations=True),
            Audio(source=Bytes(base64="AA", media_type="audio/mpeg")),
        )
    )
    assert body["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "text", "text": "plain"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}},
    ]
    assert lost == [
        "messages[0].content[1].context",
        "messages[0].content[2].citations",
        "messages[0].content[2].title",
    ]


def test_videos():
    body, lost = cross(
        user(
            Video(source=Link(url="https://example.com/a.mp4"), native={"videoMetadata": {"fps": 2}}),
            Video(source=Bytes(base64="AA", media_type="video/webm")),
            Video(source=Bytes(base64="AA")),
        )
    )
    assert [part["video_url"]["url"] for part in body["messages"][0]["content"]] == [
        "https://example.com/a.mp4", "data:video/webm;base64,AA", "data:video/mp4;base64,AA",
    ]  # fmt: skip
    assert lost == ["messages[0].content[0].videoMetadata"]
    with pytest.raises(Unsupported):
        cross(user(Video(source=Stored(file_id="f"))))


@pytest.mark.parametrize(
    ("part", "source", "native"),
    [
        ({"video_url": {"url": "https://a.example/v"}}, Link(url="https://a.example/v"), {}),
        ({"video_url": {"url": "data:video/mp4;base64,AA", "x": 1}, "fps": 2},
         Bytes(base64="AA", media_type="video/mp4"), {"fps": 2, "video_url": {"x": 1}}),
        ({"video_url": "https://a.example/v"}, Link(url="https://a.example/v"), {}),
        ({"video_url": None, "uuid": "u"}, None, None),
        ({"video_url": {"file_id": "f"}}, None, None),
    ],
)  # fmt: skip
def test_videos_are_read_and_written_as_they_came(part, source, native):
    entry = {"type": "video_url", **part}
    request = openai_chat.read_request({"model": "m", "messages": [{"role": "user", "content": [entry]}]})
    [found] = request.messages[0].parts
    assert (getattr(found, "source", None), found.native if source else None) == (source, native)
    assert json.loads(openai_chat.write_request(request, []))["messages"][0]["content"] == [entry]


def test_what_is_left_out_is_named():
    mark = CacheMark()
    _, lost = cross(
        Message(role="system", parts=[Text(text="s", cache=mark)]),
        user(Text(text="a", cache=mark, native={"x": 1})),
        Message(
            role="assistant",
            parts=[
                Thinking(text="t", signature="s"),
                Thinking(redacted="r"),
                NativePart(dialect="anthropic_messages", value={"type": "server_tool_use"}),
                Text(text="b", citations=[{"type": "char_location"}]),
            ],
            native={"y": 1},
        ),
        HELLO,
        top_k=5,
        cache=mark,
        native={"inference_geo": "eu"},
        tools=[Tool(name="f", cache=mark, native={"defer_loading": True})],
        service_tier="batch",
    )
    assert sorted(lost) == sorted(
        [
            "system[0].cache_control",
            "messages[0].content[0].cache_control",
            "messages[0].content[0].x",
            "messages[1].y",
            "messages[1].content[0]",
            "messages[1].content[1]",
            "messages[1].content[2]",
            "messages[1].content[3].citations",
            "top_k",
            "cache_control",
            "inference_geo",
            "tools[0].cache_control",
            "tools[0].defer_loading",
            "service_tier",
        ]
    )


@together(
    ("messages", "fields", "param"),
    [
        ([HELLO], {"tools": [Tool(name="web_search", builtin={"type": "web_search_20250305"})]}, "tools[0]"),
        ([HELLO], {"native": {"mcp_servers": []}}, "mcp_servers"),
        ([HELLO], {"native": {"container": "c"}}, "container"),
        ([HELLO], {"stop": list("abcde")}, "stop_sequences"),
        ([HELLO, assistant(Text(text="{"))], {}, "messages[1]"),
        ([user(Document(source=Link(url="https://example.com/a.pdf")))], {}, "messages[0].content[0].source"),
        ([user(Document(source=Stored(file_id="f")))], {}, "messages[0].content[0].source"),
        ([user(Image(source=Stored(file_id="f")))], {}, "messages[0].content[0]"),
        ([user(NativePart(dialect="x", value={"type": "search_result"}))], {}, "messages[0].content[0]"),
        ([assistant(Image(source=Link(url="x"))), HELLO], {}, "messages[0].content[0]"),
    ],
)
def test_what_would_change_the_meaning_is_refused(messages, fields, param):
    with pytest.raises(Unsupported) as caught:
        cross(*messages, **fields)
    assert caught.value.param == param
