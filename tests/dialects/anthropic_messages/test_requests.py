"""Requests are read, checked and written back as they were."""

import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import (
    FIXTURES,
    REQUESTS,
    meant,
    named,
)
from gateways import rounds
from headgate.core.chat import (
    ToolCall,
    ToolResult,
)
from headgate.core.errors import (
    InvalidRequest,
)
from headgate.dialects import anthropic_messages as dialect
from together import together


@named(REQUESTS)
def test_a_request_round_trips(path):
    fields = json.loads(path.read_bytes())
    before = json.dumps(fields)
    lost = []
    written = json.loads(dialect.write_request(dialect.read_request(fields), lost))
    assert meant(written) == meant(fields)
    assert json.dumps(fields) == before
    assert lost == []


def test_a_request_is_read_into_the_cores_words():
    request = dialect.read_request(json.loads((FIXTURES / "requests" / "tools.json").read_bytes()))
    call = request.messages[1].parts[1]
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"city": "Paris"}
    result = request.messages[2].parts[1]
    assert isinstance(result, ToolResult)
    assert result.error
    assert request.tools[0].strict
    assert request.tools[0].cache is not None
    assert request.tool_choice is not None
    assert request.tool_choice.kind == "auto"
    request = dialect.read_request(json.loads((FIXTURES / "requests" / "system_blocks_cached.json").read_bytes()))
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[0].parts[0].cache.ttl == "1h"
    assert request.cache.ttl == "5m"


BLOCK = "messages.0.content.0"
WRONG = [
    ({"model": None}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": ["hi"]}, "messages.0"),
    ({"messages": [{"content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
    ({"block": "x"}, BLOCK),
    ({"block": {"text": "x"}}, f"{BLOCK}.type"),
    ({"block": {"type": "text", "text": 1}}, f"{BLOCK}.text"),
    ({"block": {"type": "text", "text": "x", "cache_control": "yes"}}, f"{BLOCK}.cache_control"),
    ({"block": {"type": "image"}}, f"{BLOCK}.source"),
    ({"block": {"type": "image", "source": {"type": "base64", "media_type": "image/png"}}}, f"{BLOCK}.source.data"),
    ({"block": {"type": "image", "source": {"type": "url", "url": 1}}}, f"{BLOCK}.source.url"),
    ({"block": {"type": "document", "source": {"data": "x"}}}, f"{BLOCK}.source.type"),
    ({"block": {"type": "tool_use", "id": "i", "name": "n", "input": "{}"}}, f"{BLOCK}.input"),
    ({"block": {"type": "tool_result", "content": "x"}}, f"{BLOCK}.tool_use_id"),
    ({"block": {"type": "tool_result", "tool_use_id": "i", "content": [{"type": "text"}]}}, f"{BLOCK}.content.0.text"),
    ({"block": {"type": "thinking"}}, f"{BLOCK}.thinking"),
    ({"system": 5}, "system"),
    ({"system": [{"type": "text"}]}, "system.0.text"),
    ({"temperature": "warm"}, "temperature"),
    ({"stream": "yes"}, "stream"),
    ({"stop_sequences": "END"}, "stop_sequences"),
    ({"stop_sequences": ["a", 1]}, "stop_sequences.1"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"name": "f"}]}, "tools.0.input_schema"),
    ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {"type": "must"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"output_config": {"effort": 1}}, "output_config.effort"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
]


@together(("change", "param"), WRONG)
def test_a_wrong_field_is_named(change, param):
    fields = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]} | change
    if "block" in change:
        fields["messages"] = [{"role": "user", "content": [fields.pop("block")]}]
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request(fields)
    assert caught.value.param == param
    assert caught.value.message.startswith(param)


LEAF = re.compile(rb'(?<=:)(?:"[^"\\]*"|[0-9]+|null|true|\{\}|\[\])(?=[,}\]])')
UNSIGNED = ("", "headgate:unsigned")
odd = st.sampled_from([b"null", b"1", b"[]", b"{}", b'"x"', b"[1]", b'{"a":[]}', b"-1", b"1.5", b"true"])


@given(
    st.sampled_from(REQUESTS),
    st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=4),
    st.sampled_from(["c2ln", *UNSIGNED]),
)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_request_holds_it_is_refused_or_written_back(path, changes, signature):
    data = msgspec.json.encode(json.loads(path.read_bytes())).replace(b'"c2ln"', b'"%b"' % signature.encode())
    for place, value in changes:
        leaves = list(LEAF.finditer(data))
        if not leaves:
            break
        leaf = leaves[place % len(leaves)]
        data = data[: leaf.start()] + value + data[leaf.end() :]
    fields = json.loads(data)
    try:
        request = dialect.read_request(fields)
    except InvalidRequest as error:
        refused = error
        assert refused.param
        return
    lost = []
    written = json.loads(dialect.write_request(request, lost))
    if any(loss.path == "thinking" for loss in lost):
        del fields["thinking"]
    assert meant(written) == meant({**fields, "messages": signed(fields["messages"])})


def signed(turns):
    """The turns without thinking that has no signature of the API's own, and without those that have nothing else."""
    kept = []
    for turn in turns:
        content = turn["content"]
        if isinstance(content, list):
            content = [
                block for block in content if block.get("type") != "thinking" or block.get("signature") not in UNSIGNED
            ]
        if content or not turn["content"]:
            kept.append({**turn, "content": content})
    return kept
