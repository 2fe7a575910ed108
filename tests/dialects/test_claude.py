"""What Claude's models take, whatever an API calls them."""

import gc

import pytest

from headgate.core.chat import ChatRequest, Message, Reasoning, Text
from headgate.dialects import anthropic_messages, bedrock_converse
from headgate.dialects.claude import Claude, version
from together import together


@together(
    ("model", "number"),
    [
        ("claude-sonnet-4-5-20250929", (4, 5)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (4, 5)),
        ("anthropic.claude-3-7-sonnet-20250219-v1:0", (3, 7)),
        ("anthropic.claude-v2:1", (0, 0)),
        ("global.anthropic.claude-opus-4-6-v1", (4, 6)),
        ("claude-opus-4-8@20260101", (4, 8)),
        ("claude-sonnet-5", (5, 0)),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0", (4, 5)),
        ("claude-mythos-preview", (4, 7)),
        ("amazon.nova-pro-v1:0", (0, 0)),
    ],
)
def test_the_version_is_read_of_any_name(model, number):
    assert version(model) == number


def said(model, reasoning, *, forced=False, unsigned=False, **fields):
    lost = []
    request = ChatRequest(dialect="x", model=model, messages=[], reasoning=reasoning, **fields)
    claude = Claude(request, lost)
    thinking, effort = claude.reasoning(forced=forced, answers_unsigned=lambda: unsigned)
    sampling = claude.sampling(thinking is not None and thinking["type"] != "disabled")
    return thinking, effort, sampling, [loss.path for loss in lost]


LOW = Reasoning(effort="low")


@together(
    ("model", "reasoning", "more", "outcome"),
    [
        ("claude-sonnet-4-5", None, {}, (None, None, {}, [])),
        ("claude-sonnet-4-5", LOW, {}, ({"type": "enabled", "budget_tokens": 2048}, None, {}, [])),
        ("claude-sonnet-4-5", LOW, {"max_tokens": 3000}, ({"type": "enabled", "budget_tokens": 1500}, None, {}, [])),
        ("claude-sonnet-4-5", LOW, {"max_tokens": 2000}, (None, None, {}, ["reasoning_effort"])),
        ("claude-sonnet-4-5", LOW, {"forced": True}, (None, None, {}, ["reasoning_effort"])),
        ("claude-sonnet-4-5", LOW, {"unsigned": True}, (None, None, {}, ["reasoning_effort"])),
        (
            "claude-opus-4-8",
            Reasoning(effort="low", display="summarized"),
            {},
            ({"type": "adaptive", "display": "summarized"}, "low", {}, []),
        ),
        ("claude-sonnet-4-5", Reasoning(effort="none"), {}, ({"type": "disabled"}, None, {}, [])),
        ("claude-3-5-sonnet", LOW, {}, (None, None, {}, ["reasoning_effort"])),
        ("claude-opus-4-6", LOW, {}, ({"type": "adaptive"}, "low", {}, [])),
        ("claude-opus-4-6", Reasoning(budget=9000), {}, ({"type": "adaptive"}, "high", {}, [])),
        ("claude-opus-4-6", Reasoning(effort="xhigh"), {}, ({"type": "adaptive"}, "high", {}, ["reasoning_effort"])),
        ("claude-opus-4-7", Reasoning(effort="xhigh"), {"top_k": 5}, ({"type": "adaptive"}, "xhigh", {}, ["top_k"])),
        ("claude-3-opus", None, {"temperature": 1.5, "top_p": 0.5},
         (None, None, {"temperature": 1.0}, ["temperature", "top_p"])),
        ("claude-sonnet-4-5", LOW, {"top_p": 0.9}, ({"type": "enabled", "budget_tokens": 2048}, None, {}, ["top_p"])),
    ],
)  # fmt: skip
def test_what_is_said_to_a_model(model, reasoning, more, outcome):
    assert said(model, reasoning, **more) == outcome


@pytest.mark.parametrize("crossing", [anthropic_messages.crossing.Crossing, bedrock_converse.crossing.Crossing])
def test_what_was_said_to_it_is_freed_without_the_garbage_collector(crossing):
    said = [Message(role="user", parts=[Text(text="Hello")])]
    gc.collect()
    gc.disable()
    try:
        crossing(ChatRequest(dialect="x", model="claude-sonnet-4-5", messages=said), []).fields()
        assert [found for found in gc.get_objects() if type(found) in (crossing, Claude)] == []
    finally:
        gc.enable()
