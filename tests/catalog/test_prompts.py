"""Prompts are counted by OpenAI's rules where they hold, as recorded usage confirms; all else is called an estimate."""

import json
from pathlib import Path

import pytest

from headgate.catalog import prompts, tokens
from headgate.core.errors import InvalidRequest
from headgate.core.tokens import BareText
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects.openai_chat import tokenize

RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges" / "openai"
HI = [{"role": "user", "content": "Hi"}]
JARGON = [
    ("system", "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."),
    ("example_user", "New synergies will help drive top-line growth."),
    ("example_assistant", "Things working well together will increase revenue."),
    (
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("example_assistant", "Let's talk later when we're less busy about how to do better."),
    ("user", "This late pivot means we don't have time to boil the ocean for the client deliverable."),
]
"""OpenAI's own example: https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken"""
PROPERTIES = {
    "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
    "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]},
}
WEATHER = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {"type": "object", "properties": PROPERTIES, "required": ["location"]},
}
ASKED = [
    {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]
needs_vocabulary = pytest.mark.skipif(
    not all((tokens.FOLDER / f"{name}.json.xz").exists() for name in tokens.ENCODINGS),
    reason="no vocabularies: `make vocabulary` makes them",
)


def counted(model, **fields):
    """(tokens, by whom, what is named as left out)"""
    lost = []
    found = prompts.count(openai_chat.read_request({"model": model, **fields}), model, lost)
    return found.tokens, found.by, [loss.path for loss in lost]


@needs_vocabulary
@pytest.mark.parametrize(
    ("model", "count", "by"),
    [("gpt-3.5-turbo", 129, "cl100k_base"), ("gpt-4", 129, "cl100k_base"), ("openai/gpt-4o", 124, "o200k_base")],
)
def test_messages_of_text_are_counted_as_the_api_does(model, count, by):
    messages = [
        {"role": "system", "name": who, "content": text}
        if who.startswith("example")
        else {"role": who, "content": text}
        for who, text in JARGON
    ]
    assert counted(model, messages=messages) == (count, by, [])


@needs_vocabulary
@pytest.mark.parametrize(("model", "count"), [("gpt-4", 105), ("gpt-3.5-turbo", 105), ("gpt-4o", 101)])
def test_functions_are_counted_by_the_cookbooks_rule(model, count):
    tools = [{"type": "function", "function": WEATHER}]
    assert counted(model, messages=ASKED, tools=tools) == (count, "estimate", [])


@needs_vocabulary
@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
def test_recorded_usage_confirms_it():
    same = other = 0
    for path in sorted(RECORDED.glob("*.json")):
        exchange = json.loads(path.read_bytes())
        body, reply = (exchange.get("request") or {}).get("body"), exchange["response"].get("body")
        if exchange["api"] != "chat_completions" or not (isinstance(body, dict) and isinstance(reply, dict)):
            continue
        billed = (reply.get("usage") or {}).get("prompt_tokens")
        try:
            request = openai_chat.read_request(body)
        except InvalidRequest:
            continue  # recorded as an example of that
        found = prompts.count(request, request.model, [])
        if billed and found.by != "estimate":
            same += found.tokens == billed
            other += found.tokens != billed
    assert same > 30
    assert other <= 0.08 * same


@pytest.mark.parametrize("model", ["gpt-5.1", "o4-mini", "claude-opus-4-6", "llama-3.3-70b", "gpt-4o-audio-preview"])
def test_to_other_models_the_rules_are_an_estimate(model):
    count, by, lost = counted(model, messages=HI)
    assert (by, lost) == ("estimate", [])
    assert 5 <= count <= 9


def test_what_is_not_text_is_an_estimate_and_named():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    plain, _, _ = counted("gpt-4o", messages=HI)
    content = [{"type": "text", "text": "Hi"}, picture, sound]
    count, by, lost = counted("gpt-4o", messages=[{"role": "user", "content": content}])
    assert (count, by) == (plain + 765, "estimate")
    assert lost == ["messages[0].content[1]", "messages[0].content[2]"]


def test_a_conversation_with_calls_and_schemas_counts_all_its_words():
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"where": "here and there"}'}}
    history = [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "nothing was found at all"},
    ]
    deep = {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": deep}}
    tools = [{"type": "function", "function": {"name": "look", "parameters": deep}}]
    least = counted("m", messages=HI)[0]
    for more in ({"messages": history}, {"response_format": form}, {"tools": tools}):
        count, by, lost = counted("gpt-4o", **{"messages": HI, **more})
        assert (by, lost) == ("estimate", [])
        assert least + 12 < count < least + 60


def test_requests_of_other_dialects_are_counted_alike():
    fields = {"model": "m", "max_tokens": 1, "system": "Be brief.", "messages": HI}
    found = prompts.count(anthropic_messages.read_request(fields), "gpt-4o", [])
    same = counted("gpt-4o", messages=[{"role": "system", "content": "Be brief."}, *HI])
    assert (found.tokens, found.by) == same[:2]


@needs_vocabulary
def test_a_bare_text_is_its_tokens():
    request = tokenize.read_request({"model": "gpt-4", "prompt": "tiktoken is great!"})
    assert isinstance(request, BareText)
    found = prompts.count(request, "gpt-4", [])
    assert (found.tokens, found.ids, found.by) == (6, [83, 1609, 5963, 374, 2294, 0], "cl100k_base")
    unknown = prompts.count(request, "claude-opus-4-6", [])
    assert (unknown.tokens, unknown.ids, unknown.by) == (5, None, "estimate")


@needs_vocabulary
def test_endless_words_are_counted_in_time():
    text = "x" * 400_000 + " and " + " " * 100_000
    found = tokens.count(text, "gpt-4o")
    encoding = tokens.load("o200k_base")
    assert encoding.decode(found.ids) == text
