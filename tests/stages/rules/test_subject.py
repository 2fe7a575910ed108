"""Each variable, of requests in several dialects; none of them raises, whatever was sent."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.caller import Caller
from headgate.dialects.dialect import dialects
from headgate.stages.rules.subject import LONGEST, Settings, Subject, variables
from stages.rules.asked import exchange
from together import together

NIGHT = datetime(2026, 11, 27, 23, 30, tzinfo=UTC).timestamp()  # a Friday
DIALECTS = {dialect.name: dialect for dialect in dialects()}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa"}}


def subject(fields=None, model="auto", zone=UTC, **more):
    return Subject(exchange(fields, **more), model, Settings(zone, clock=lambda: NIGHT))


CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "You are a lawyer."},
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE, IMAGE]},
    ],
    "tools": [{"type": "function", "function": {"name": "find"}}],
    "response_format": {"type": "json_object"},
    "max_tokens": 300,
    "user": "u-7",
    "stream": True,
}


@together(
    ("name", "value"),
    [
        ("key", "demo"),
        ("model", "auto"),
        ("dialect", "openai_chat"),
        ("operation", "chat"),
        ("user", "u-7"),
        ("hour", 23),
        ("minute", 30),
        ("weekday", "friday"),
        ("max_tokens", 300),
        ("turns", 2),
        ("tools", 1),
        ("images", 2),
        ("documents", 0),
        ("audio", 0),
        ("videos", 0),
        ("json", True),
        ("prompt", "What is this?"),
        ("system", "You are a lawyer.\nBe brief."),
        ("text", "Hello\nWhat is this?"),
        ("priority", "normal"),
        ("tags", []),
        ("metadata", {}),
        ("stream", False),
    ],
)
def test_a_chat(name, value):
    assert subject(CHAT)[name] == value


def test_tokens_are_about_right():
    assert 1000 <= subject(prompt="word " * 1000)["tokens"] <= 1400
    assert subject(CHAT)["tokens"] > 2 * 765


def test_the_time_is_that_of_the_zone():
    there = subject(zone=ZoneInfo("Asia/Tokyo"))
    assert (there["hour"], there["weekday"]) == (8, "saturday")


def test_the_same_in_another_dialect():
    fields = {
        "model": "auto",
        "system": "You are a lawyer.",
        "max_tokens": 300,
        "metadata": {"user_id": "u-7"},
        "messages": [
            {"role": "user", "content": "Look it up"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
        ],
    }
    there = subject(fields, dialect=DIALECTS["anthropic_messages"])
    names = ("user", "system", "prompt", "turns", "max_tokens")
    assert [there[name] for name in names] == ["u-7", "You are a lawyer.", "Look it up", 1, 300]


DATA = "iVBORw0KGgo="
PARTS = [{"text": "first"}, {"inlineData": {"mimeType": "image/png", "data": DATA}}]
BLOCKS = [{"text": "first"}, {"image": {"format": "png", "source": {"bytes": DATA}}}]
ITEMS = [
    {"type": "input_text", "text": "first"},
    {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
]


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (
            "openai_responses",
            {
                "instructions": "Be brief.",
                "input": [{"role": "user", "content": ITEMS}, {"type": "message", "role": "user", "content": "last"}],
                "max_output_tokens": 9,
            },
        ),
        (
            "gemini_generate",
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"role": "user", "parts": PARTS}, {"role": "user", "parts": [{"text": "last"}]}],
                "generationConfig": {"maxOutputTokens": 9},
            },
        ),
        (
            "bedrock_converse",
            {
                "system": [{"text": "Be brief."}],
                "messages": [{"role": "user", "content": BLOCKS}, {"role": "user", "content": [{"text": "last"}]}],
                "inferenceConfig": {"maxTokens": 9},
            },
        ),
        (
            "ollama_chat",
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "first", "images": [DATA]},
                    {"role": "user", "content": "last"},
                ],
                "options": {"num_predict": 9},
            },
        ),
    ],
)
def test_a_chat_in_every_family(dialect, fields):
    there = subject({"model": "auto", **fields}, dialect=DIALECTS[dialect])
    names = ("system", "prompt", "text", "turns", "images", "max_tokens")
    assert [there[name] for name in names] == ["Be brief.", "last", "first\nlast", 2, 1, 9]
    assert there["tokens"] > 500  # the picture


@together(
    ("dialect", "fields", "prompt"),
    [
        ("openai_embeddings", {"input": ["one", "two"]}, "one\ntwo"),
        ("openai_images", {"prompt": "a cat"}, "a cat"),
        ("cohere_rerank", {"query": "which?", "documents": ["a"]}, "which?"),
        ("openai_moderations", {"input": "is this fine?"}, "is this fine?"),
        ("openai_speech", {"input": "say this", "voice": "alloy"}, "say this"),
        ("openai_completions", {"prompt": "Once upon"}, "Once upon"),
        ("openai_completions", {"prompt": ["Once", "upon"]}, "Once\nupon"),
        ("openai_moderations", {"input": [{"type": "text", "text": "this?"}, IMAGE]}, "this?"),
        ("cohere_embed", {"texts": ["one", "two"], "input_type": "search_query"}, "one\ntwo"),
    ],
)
def test_other_operations(dialect, fields, prompt):
    there = subject({"model": "auto", **fields}, dialect=DIALECTS[dialect])
    assert there["prompt"] == there["text"] == prompt
    assert there["tokens"] > 0


def test_pictures_to_be_classified_or_embedded():
    fields = {"model": "auto", "input": [{"type": "text", "text": "this?"}, IMAGE]}
    assert subject(fields, dialect=DIALECTS["openai_moderations"])["images"] == 1
    fields = {"model": "auto", "images": [f"data:image/png;base64,{DATA}"], "input_type": "image"}
    assert subject(fields, dialect=DIALECTS["cohere_embed"])["images"] == 1


def test_all_of_a_request_counts_that_is_no_chat():
    fields = {"model": "auto", "query": "which?", "documents": ["some words " * 1000] * 20}
    asked = exchange(fields, dialect=DIALECTS["cohere_rerank"])
    asked.body = json.dumps(fields).encode()
    assert Subject(asked, "auto", Settings())["tokens"] == pytest.approx(55_000, rel=0.02)
    asked = exchange({"model": "auto", "input": list(range(1000, 9000))}, dialect=DIALECTS["openai_embeddings"])
    asked.body = json.dumps(asked.fields).encode()
    assert 6000 < Subject(asked, "auto", Settings())["tokens"] < 16_000


def test_headers_without_credentials():
    headers = {"x-app": "shop", "authorization": "Bearer s", "x-api-key": "s", "cookie": "s", "x-session-token": "s"}
    assert subject(headers=headers)["headers"] == {"x-app": "shop"}


def test_a_caller_nobody_knows():
    there = exchange(caller=Caller("k"))
    there.caller = None
    assert Subject(there, "auto", Settings())["key"] == ""


def test_a_long_text_is_looked_at_at_both_ends():
    text = subject(prompt="begin " + "x" * 3_000_000 + " end")["prompt"]
    assert len(text) == LONGEST + 1
    assert text.startswith("begin ")
    assert text.endswith(" end")


def test_a_request_that_cannot_be_read_is_told_in_the_decision():
    asked = exchange({"model": "auto", "messages": [{"role": "nobody", "content": 3}]})
    there = Subject(asked, "auto", Settings())
    assert (there["prompt"], there["turns"], there["tokens"], there["json"]) == ("", 0, 0, False)
    assert asked.decision.said == ["rules could not read the request"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]) | anything},
        optional={"content": anything | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": anything}))},
    ),
    max_size=3,
)
fields_of = st.dictionaries(
    st.sampled_from(
        ["input", "prompt", "tools", "user", "metadata", "max_tokens", "response_format", "documents", "query"]
    ),
    anything,
)


@settings(max_examples=80, deadline=None)
@given(fields_of, turns | anything, st.sampled_from(sorted(DIALECTS)))
def test_no_variable_raises(fields, messages, name):
    made = {"model": "auto", **fields, "messages": messages, "contents": messages}
    there = subject(json.loads(json.dumps(made)), dialect=DIALECTS[name])
    for variable, each in variables().items():
        kind = getattr(each.kind, "__origin__", each.kind)
        assert isinstance(there[variable], kind), variable
