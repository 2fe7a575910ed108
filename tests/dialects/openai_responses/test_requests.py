"""Requests are read and written back without loss; what only OpenAI can honour is refused elsewhere by name."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects import mutations
from dialects.openai_responses.laws import FIXTURES, REQUESTS, meant, named
from headgate.core.chat import Text, Thinking, ToolChoice
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import openai_responses as dialect
from headgate.dialects.dialect import crossed
from together import together

FEATURES = json.loads((FIXTURES / "features" / "requests.json").read_bytes())
BODIES = [pytest.param(body, id=name) for rows in FEATURES.values() for name, body in rows.items()]
BODIES += [pytest.param(json.loads(path.read_bytes()), id=path.stem) for path in REQUESTS]
HELLO = {"role": "user", "content": "Hello"}


def own(fields, lost=None):
    return json.loads(dialect.write_request(dialect.read_request(fields), [] if lost is None else lost))


@together("body", BODIES)
def test_what_is_read_is_written_back(body):
    lost = []
    written = own(body, lost)
    if lost:  # only what this gateway gave another API's client in place of a proof
        assert "headgate:" in json.dumps(body)
        assert "headgate:" not in json.dumps(written)
        return
    assert meant(written) == meant(body)


@named(REQUESTS)
@given(changes=mutations.changes)
@settings(max_examples=60, deadline=None)
def test_whatever_a_request_holds_it_is_refused_or_written(path, changes):
    fields = mutations.mutated(json.loads(path.read_bytes()), changes)
    refused, request = read_or_refuse(fields)
    if refused is not None:
        assert refused.param
        return
    json.loads(crossed(dialect, request, []))
    for other in (openai_chat, anthropic_messages):
        with contextlib.suppress(InvalidRequest):
            json.loads(crossed(other, request, []))


def read_or_refuse(fields):
    try:
        return None, dialect.read_request(fields)
    except InvalidRequest as error:
        return error, None


@together("other", [openai_chat, anthropic_messages])
@together("name", [*FEATURES["What OpenAI keeps"]])
def test_what_openai_keeps_is_refused_elsewhere(name, other):
    body = FEATURES["What OpenAI keeps"][name]
    request = dialect.read_request(body)
    if name == "store: false":
        assert json.loads(crossed(other, request, []))
        return
    with pytest.raises(Unsupported) as raised:
        crossed(other, request, [])
    assert raised.value.param in body or raised.value.param == "input[0]"
    assert "provider that speaks the Responses API" in raised.value.message


def test_a_turn_of_the_model_is_one_message():
    request = dialect.read_request(json.loads((FIXTURES / "requests" / "codex.json").read_bytes()))
    assert [message.role for message in request.messages] == [
        "system", "developer", "user", "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    thinking, call, patch = request.messages[4].parts
    assert (thinking.text, thinking.signature, thinking.signer) == ("**Looking**", "gAAAAB", "openai_responses")
    assert (call.id, call.name, json.loads(call.arguments)) == ("call_1", "shell_command", {"command": "ls"})
    assert json.loads(patch.arguments) == {"input": "*** Begin Patch\n*** End Patch"}
    assert not patch.custom
    assert [tool.name for tool in request.tools] == ["shell_command", "apply_patch"]
    assert "start: /.+/" in request.tools[1].schema["properties"]["input"]["description"]
    assert request.native.keys() == {"prompt_cache_key", "text", "tools[2]"}


def test_tools_of_a_namespace_are_offered_as_functions_elsewhere():
    inner = {"type": "function", "name": "find", "parameters": {"type": "object"}, "defer_loading": True}
    unknown = {"type": "namespace", "name": "empty"}
    body = {"model": "m", "input": [HELLO], "tools": [{"type": "namespace", "name": "crm", "tools": [inner]}]}
    body["input"].append({"type": "function_call", "call_id": "c", "namespace": "crm", "name": "find", "arguments": ""})
    body["input"].append({"type": "function_call_output", "call_id": "c", "output": "It."})
    lost = []
    written = json.loads(crossed(openai_chat, dialect.read_request(body), lost))
    assert [tool["function"]["name"] for tool in written["tools"]] == ["crm__find"]
    assert written["messages"][1]["tool_calls"][0]["function"]["name"] == "crm__find"
    assert [loss.path for loss in lost] == ["tools[0]"]
    with pytest.raises(Unsupported) as caught:
        crossed(openai_chat, dialect.read_request({**body, "tools": [unknown, inner]}), [])
    assert caught.value.param == "tools[0]"


def test_parts_a_stage_puts_in_are_written():
    request = dialect.read_request({"model": "m", "input": [HELLO, {"role": "assistant", "content": "Hi"}, HELLO]})
    request.messages[0].parts.append(Text(text="more"))
    request.messages[0].plain = False
    request.messages[1].parts += [
        Text(text="a"),
        Text(text="b"),
        Thinking(text="hm", signature="p", signer=dialect.name),
    ]
    request.tool_choice = ToolChoice(kind="tool", name="f")
    written = json.loads(dialect.write_request(request, []))
    assert written["input"] == [
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "Hello"}, {"type": "input_text", "text": "more"},
        ]},
        {"type": "message", "role": "assistant", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": "a", "annotations": []},
            {"type": "output_text", "text": "b", "annotations": []},
        ]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "p"},
        {"type": "message", "role": "user", "content": "Hello"},
    ]  # fmt: skip
    assert written["tool_choice"] == {"type": "function", "name": "f"}


@together(
    ("fields", "param"),
    [
        ({}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": 3}, "input"),
        ({"model": "m", "input": ["x"]}, "input[0]"),
        ({"model": "m", "input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"model": "m", "input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments"),
        ({"model": "m", "input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        ({"model": "m", "input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"model": "m", "input": "x", "tool_choice": "any"}, "tool_choice"),
        ({"model": "m", "input": "x", "text": {"format": {}}}, "text.format.type"),
        ({"model": "m", "input": "x", "reasoning": "high"}, "reasoning"),
    ],
)
def test_what_is_wrong_is_named(fields, param):
    with pytest.raises(InvalidRequest) as raised:
        dialect.read_request(fields)
    assert raised.value.param == param


def test_another_vendors_reasoning_does_not_reach_openai():
    items = [
        HELLO,
        {"type": "reasoning", "summary": [], "encrypted_content": "headgate:signed:anthropic_messages:EqQB"},
        {"type": "reasoning", "summary": [], "encrypted_content": "headgate:signed:call__gemini_generate:CvYB"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]
    fields = {"model": "m", "input": items}
    assert dialect.foreign(msgspec.json.encode(fields))
    lost = []
    written = own(fields, lost)
    assert [item["type"] for item in written["input"]] == ["message", "function_call", "function_call_output"]
    assert [loss.path for loss in lost] == ["input[1]", "input[1]"]
    request = dialect.read_request(fields)
    thinking, call = request.messages[1].parts
    assert (thinking.signature, thinking.signer) == ("EqQB", "anthropic_messages")
    assert (call.signature, call.signer) == ("CvYB", "gemini_generate")
    claude = json.loads(crossed(anthropic_messages, request, []))
    assert claude["messages"][1]["content"][0] == {"type": "thinking", "thinking": "", "signature": "EqQB"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=50)
def test_no_input_breaks_the_reader(value):
    for fields in (
        {"model": "m", "input": value},
        {"model": "m", "input": [value]},
        {"model": "m", "input": [{"type": "message", "role": "assistant", "content": value}]},
    ):
        refused, _ = read_or_refuse(fields)
        assert refused is None or refused.param
