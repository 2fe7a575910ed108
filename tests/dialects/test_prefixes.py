"""Conversations that begin alike are said alike to their end: what a provider has read of a prompt it knows again.

In whichever dialect they came and go, the bodies of two such requests have the same bytes up to where they differ.
"""

import os.path

from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects import openai_chat
from headgate.dialects.dialect import crossed, decode, dialects

OTHERS = {"openai_completions", "ollama_generate"}
CHATS = [dialect for dialect in dialects() if dialect.operation == "chat" and dialect.name not in OTHERS]
MODELS = {"bedrock_converse": "anthropic.claude-opus-4-6-v1", "anthropic_invoke": "anthropic.claude-opus-4-6-v1"}
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="#"), min_size=1, max_size=5)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Does {name}.",
            "parameters": {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}},
        },
    }
    for name in ("get_b", "get_a")
]


def said(number, words, role):
    return {"role": role, "content": f"#{number}# {words}"}


def called(number, words):
    call = {"id": f"call_{number}", "type": "function", "function": {"name": "get_b", "arguments": '{"b":"x","a":1}'}}
    result = {"role": "tool", "tool_call_id": call["id"], "content": f"#{number}# {words}"}
    return [{"role": "assistant", "content": None, "tool_calls": [call]}, result]


@st.composite
def alike(draw):
    """Two conversations with the same beginning, and the number of the last thing said in it."""
    shared = [said(0, draw(WORDS), "system"), said(1, draw(WORDS), "user")]
    number = 1
    for _ in range(draw(st.integers(0, 3))):
        number += 1
        shared += called(number, draw(WORDS)) if draw(st.booleans()) else [said(number, draw(WORDS), "assistant")]
        number += 1
        shared.append(said(number, draw(WORDS), "user"))
    shared.append(said(number + 1, draw(WORDS), "assistant"))
    bodies = []
    for mark in "xy":
        messages = [*shared, said(f"{mark}1", draw(WORDS), "user")]
        if draw(st.booleans()):
            messages += [said(f"{mark}2", draw(WORDS), "assistant"), said(f"{mark}3", draw(WORDS), "user")]
        bodies.append({"model": "m", "messages": messages, "tools": TOOLS, "max_tokens": 50})
    return bodies, number + 1


def asked(dialect, request):
    """What is sent in this dialect, as bytes."""
    request.model = MODELS.get(dialect.name, "m")
    sent = crossed(dialect, request, [])
    return sent if isinstance(sent, bytes) else sent.data


def nameless(value):
    """Without the ids of calls, which some APIs leave out."""
    if isinstance(value, dict):
        return {key: nameless(each) for key, each in value.items() if not (key == "id" and "name" in value)}
    return [nameless(each) for each in value] if isinstance(value, list) else value


@given(alike(), st.sampled_from(CHATS))
def test_the_same_beginning_has_the_same_bytes(made, own):
    bodies, last = made
    bad = []
    for other in CHATS:
        pair = []
        for body in bodies:
            fields = decode(asked(own, openai_chat.read_request(body)))
            if own.name in ("gemini_generate", "ollama_chat"):
                fields = nameless(fields)
            pair.append(asked(other, own.read_request({"model": "m", "stream": False, **fields})))
        if f"#{last}#".encode() not in os.path.commonprefix(pair):  # noqa: RUF071  # of bytes, not of paths
            bad.append((own.name, other.name, pair))
    assert not bad
