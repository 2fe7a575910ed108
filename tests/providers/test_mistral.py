"""Mistral: what it calls otherwise than OpenAI, and what it refuses."""

import json
from pathlib import Path

import pytest

from headgate.dialects import openai_chat
from headgate.dialects.dialect import decode, patch
from headgate.providers.mistral import Mistral
from headgate.providers.settings import ProviderSettings

RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges" / "mistral"
ASK = {"role": "user", "content": "hi"}


def adjusted(model="mistral-small-latest", **fields):
    """The body as it goes to Mistral."""
    body = json.dumps({"model": model, "messages": [ASK], **fields}).encode()
    decoded = decode(body)
    return json.loads(patch(body, Mistral("mistral", ProviderSettings()).adjust(decoded, openai_chat, model), decoded))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 7, "max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": None}, {}),
        ({"seed": 1}, {"random_seed": 1}),
        ({"seed": 0, "random_seed": 3}, {"random_seed": 3}),
        ({"user": "u", "store": True, "safety_identifier": "s", "stream_options": {"include_usage": True}}, {}),
        ({"tool_choice": "required", "logit_bias": {"1": 2}}, {"tool_choice": "required", "logit_bias": {"1": 2}}),
    ],
)
def test_fields(sent, expected):
    assert adjusted(**sent) == {"model": "mistral-small-latest", "messages": [ASK], **expected}


def test_nothing_is_asked_for_usage():
    assert not Mistral("mistral", ProviderSettings()).asks_for_usage


def messages(*turns, **more):
    return adjusted(messages=list(turns), **more)["messages"]


def test_roles_and_names():
    assert messages({"role": "developer", "content": "x"}) == [{"role": "system", "content": "x"}]
    assert messages({**ASK, "name": "bob"}) == [ASK]


@pytest.mark.parametrize("id", ["toolu_01A09q90qw90lq917835lq9", "call_1", "", "ünïcödé"])
def test_ids_of_calls_get_mistrals_form_alike_everywhere(id):
    call = {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turn, result = messages(
        {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "tool_call_id": id, "content": "r"}
    )
    said = turn["tool_calls"][0]["id"]
    assert said == result["tool_call_id"]
    assert len(said) == 9
    assert said.isascii()
    assert said.isalnum()


def test_its_own_ids_stay():
    result = {"role": "tool", "tool_call_id": "D681PevKs", "content": "r"}
    assert messages(result) == [result]


def test_what_openai_says_beside_content_is_left_out_where_it_is_empty():
    turn = {"role": "assistant", "content": "a", "refusal": None, "annotations": [], "tool_calls": []}
    assert messages(turn) == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_of_earlier_turns_is_its_thinking_for_models_that_think(field):
    turn = {"role": "assistant", "content": "a", field: "hm"}
    assert messages(turn) == [{"role": "assistant", "content": "a"}]
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    thought = [{"role": "assistant", "content": [chunk, {"type": "text", "text": "a"}]}]
    assert messages(turn, model="magistral-small-latest") == thought
    assert messages(turn, reasoning_effort="high") == thought
    assert messages(turn, reasoning_effort="none") == [{"role": "assistant", "content": "a"}]


def test_thinking_said_already_is_not_said_twice():
    chunk = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    turn = {"role": "assistant", "content": [chunk], "reasoning_content": "hm"}
    assert messages(turn, reasoning_effort="high") == [{"role": "assistant", "content": [chunk]}]


@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
def test_what_it_took_goes_on_as_it_was():
    seen = 0
    for path in RECORDED.glob("*.json"):
        exchange = json.loads(path.read_bytes())
        fields = (exchange.get("request") or {}).get("body")
        if (
            exchange["api"] != "chat_completions"
            or exchange["response"]["status"] != 200
            or not isinstance(fields, dict)
        ):
            continue
        changes = Mistral("mistral", ProviderSettings()).adjust(fields, openai_chat, fields["model"])
        assert changes.keys() <= {"messages"}
        if "call_REDACTED" not in json.dumps(fields):  # ids that were taken out of the recording
            changed = [turn for turn in fields["messages"] if turn not in changes.get("messages", fields["messages"])]
            assert all(turn.get("tool_calls") == [] for turn in changed)
            seen += not changes
    assert seen > 130
