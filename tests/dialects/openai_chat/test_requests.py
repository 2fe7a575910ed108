"""Requests of Chat Completions: what is read, what is refused, and that reading and writing loses nothing."""

import copy
import json
from pathlib import Path

import pytest

from headgate.core.chat import Bytes, CacheMark, Document, Image, Link, Stored, Text, Thinking, ToolCall, ToolResult
from headgate.core.errors import InvalidRequest
from headgate.dialects import openai_chat
from together import together

FIXTURES = sorted((Path(__file__).parent / "fixtures" / "requests").glob("*.json"))


def clean(value):
    """Nulls count as absent."""
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items() if inner is not None}
    return [clean(inner) for inner in value] if isinstance(value, list) else value


def read(*messages, **fields):
    return openai_chat.read_request({"model": "m", "messages": list(messages), **fields})


@together("path", FIXTURES)
def test_reading_and_writing_loses_nothing(path):
    fields = json.loads(path.read_text())
    before = copy.deepcopy(fields)
    lost = []
    written = json.loads(openai_chat.write_request(openai_chat.read_request(fields), lost))
    assert clean(written) == clean(before)
    assert lost == []
    assert fields == before, "the client's fields were changed"


def test_there_are_fixtures():
    assert len(FIXTURES) > 40


def test_null_is_absent():
    fields = {"model": "m", "messages": [{"role": "user", "content": "Hi", "name": None}], "temperature": None}
    fields |= {"tools": None, "stop": None, "stream": None, "stream_options": None, "response_format": None}
    written = json.loads(openai_chat.write_request(openai_chat.read_request(fields), []))
    assert written == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def test_parts():
    content = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
    ]
    text, data, link, stored, pdf = read({"role": "user", "content": content}).messages[0].parts
    assert isinstance(text, Text)
    assert isinstance(data, Image)
    assert isinstance(link, Image)
    assert isinstance(stored, Document)
    assert isinstance(pdf, Document)
    assert (data.source, data.detail) == (Bytes(base64="AAAA", media_type="image/png"), "low")
    assert link.source == Link(url="https://example.com/a.png")
    assert stored.source == Stored(file_id="file-1")
    assert (pdf.source, pdf.title) == (Bytes(base64="BBBB", media_type="application/pdf"), "a.pdf")


def test_tool_turn():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
    request = read({"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "x"})
    assert request.messages[0].parts == [ToolCall(id="c", name="f", arguments="{")]
    assert request.messages[1].parts == [ToolResult(id="c", parts=[Text(text="x")])]


def test_legacy_functions_read_as_tools():
    request = read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "x"},
        functions=[{"name": "f", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
    )
    call, result = request.messages[0].parts[0], request.messages[1].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.id != ""
    assert request.tools[0].name == "f"
    assert request.tool_choice is not None
    assert (request.tool_choice.kind, request.tool_choice.name) == ("tool", "f")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_of_the_history(field):
    parts = read({"role": "assistant", field: "Hm.", "content": "2"}).messages[0].parts
    assert isinstance(parts[0], Thinking)
    assert parts[0].text == "Hm."


def test_mistrals_parts_and_names():
    chunks = [{"type": "text", "text": "H"}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "m"}]
    content = [{"type": "thinking", "thinking": chunks}, {"type": "text", "text": "Ok"}]
    link = {"type": "document_url", "document_url": "https://example.com/a.pdf", "document_name": "a"}
    turns = [{"role": "user", "content": [link]}, {"role": "assistant", "content": content}]
    request = openai_chat.read_request({"model": "m", "messages": turns, "random_seed": 7})
    [document] = request.messages[0].parts
    assert (document.title, document.source) == ("a", Link(url="https://example.com/a.pdf"))
    thought, text = request.messages[1].parts
    assert (thought.text, text.text) == ("Hm", "Ok")
    assert isinstance(thought, Thinking)
    assert request.seed == 7


def test_cache_marks():
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    own = {"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}
    parts = read({"role": "user", "content": [marked, own]}).messages[0].parts
    assert parts[0].cache == CacheMark(ttl="1h")
    assert isinstance(parts[1].cache, CacheMark)


BAD = [
    ({"model": None}, "model"),
    ({"model": 5}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 5}}]}]},
        "messages[0].content[0].image_url.url",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "messages[0].content[0].file"),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        "messages[0].content[0].input_audio.data",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].name"),
    ({"messages": [{"role": "assistant", "tool_calls": "x"}]}, "messages[0].tool_calls"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}]}]},
        "messages[0].tool_calls[0].function.arguments",
    ),
    ({"messages": [{"role": "assistant", "tool_calls": [{"type": "x"}]}]}, "messages[0].tool_calls[0].type"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": True}, "stream_options"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"stop": 5}, "stop"),
    ({"stop": ["a", 5]}, "stop[1]"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]}, "tools[0].function.parameters"),
    ({"tool_choice": "maybe"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice.allowed_tools.mode"),
    ({"function_call": "maybe"}, "function_call"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"metadata": []}, "metadata"),
]


@together(("change", "param"), BAD)
def test_wrong_types_are_named(change, param):
    fields = {"model": "m", "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(InvalidRequest) as caught:
        openai_chat.read_request(fields)
    assert caught.value.param == param
    assert f"`{param}`" in caught.value.message
    assert caught.value.status == 400


def test_a_role_that_is_none_is_told_as_it_was_written():
    with pytest.raises(InvalidRequest, match=r"must be one of assistant, .* not 'robot'\."):
        read({"role": "robot", "content": "x"})
