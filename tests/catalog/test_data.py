"""The data that comes along: what every file of it keeps to, and a few facts that everybody knows."""

import json
from datetime import UTC, datetime

import pytest

from headgate.catalog.catalogue import assemble
from headgate.catalog.refreshed import parse
from headgate.catalog.shelf import DATA, Shelf, bundled, kinds
from together import together

FILES = sorted(DATA.glob("*.json"))
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def shelf(kind):
    return Shelf(kind, [bundled(kind)])


@together("path", FILES)
def test_a_file_can_be_reviewed_line_by_line(path):
    text = path.read_text("utf-8")
    assert len(text) < 600_000
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("{", "}")
    ids = [json.loads("{" + line.removesuffix(",") + "}").popitem()[0] for line in lines[1:-1]]
    assert ids == sorted(ids)
    assert len(ids) == len(set(ids))
    assert json.loads(text)[""]["provider"] == path.stem


@together("path", FILES)
def test_a_file_would_be_taken_as_a_refreshed_one(path):
    assert parse(b'{"%b":%b}' % (path.stem.encode(), path.read_bytes()), "here").models


def test_there_are_far_more_than_a_hundred_models_with_price_and_abilities():
    described = [
        entry
        for kind in kinds()
        for entry in shelf(kind).models()
        if entry.rates(NOW) and entry.ops and (entry.takes or entry.can or entry.ops != "chat")
    ]
    assert len(described) > 3000
    assert len(kinds()) > 35


def test_every_fact_of_every_model_has_a_source_and_a_day():
    for kind in kinds():
        here = shelf(kind)
        for entry in here.models():
            facts = [name for name in ("context", "max_output", "can", "retires") if getattr(entry, name)]
            for fact in [*facts, *entry.rates(NOW)]:
                source = here.source(entry, fact)
                assert source.split()[0] in ("genai-prices", "litellm", "overlay", "derived"), (kind, entry.id, fact)
                assert "(20" in source or source == "derived", (kind, entry.id, fact, source)


@together(
    ("kind", "model", "what", "value"),
    [
        ("openai", "gpt-4o-2024-08-06", "context", 128000),
        ("openai", "gpt-5", "max_input", 272000),
        ("openai", "text-embedding-3-small", "dimensions", 1536),
        ("openai", "text-embedding-3-small", "ops", "embeddings"),
        ("openai", "whisper-1", "ops", "transcription"),
        ("anthropic", "claude-sonnet-4-5-20250929", "released", "2025-09-29"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "max_output", 64000),
        ("vertex", "claude-sonnet-4-5@20250929", "context", 200000),
        ("cohere", "rerank-v3.5", "ops", "rerank"),
    ],
)
def test_a_few_known_facts(kind, model, what, value):
    assert getattr(shelf(kind).find(model), what) == value


@pytest.mark.parametrize(
    ("kind", "model", "rates"),
    [
        ("openai", "gpt-4o", {"input": "2.5", "cache_read": "1.25", "output": "10", "batch.input": "1.25"}),
        ("anthropic", "claude-sonnet-4-5", {"cache_write": "3.75", "cache_write_1h": "6", "output>200000": "22.5"}),
        ("google", "gemini-2.5-pro", {"input": "1.25", "input>200000": "2.5", "flex.input": "0.625"}),
        ("openai", "whisper-1", {"seconds": "0.0001"}),
        ("cohere", "rerank-v3.5", {"searches": "0.002"}),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", {"input": "3.3", "output": "16.5"}),
    ],
)
def test_a_few_known_prices(kind, model, rates):
    found = shelf(kind).find(model).rates(NOW)
    assert {name: found.get(name) for name in rates} == rates


@together(
    ("kind", "model", "word", "known"),
    [
        ("openai", "gpt-4o", "image", True),
        ("openai", "gpt-4o", "tools", True),
        ("openai", "gpt-3.5-turbo", "image", False),
        ("openai", "gpt-4", "schema", False),
        ("anthropic", "claude-sonnet-4-5", "document", True),
        ("anthropic", "claude-sonnet-4-5", "audio", False),
        ("google", "gemini-2.5-pro", "video", True),
        ("deepseek", "deepseek-chat", "image", False),
        ("mistral", "mistral-large-latest", "image", True),
    ],
)
def test_a_few_known_abilities(kind, model, word, known):
    assert shelf(kind).find(model).known_to(word) is known


def test_only_the_configured_providers_are_read():
    assert list(assemble({"a": "openai", "b": "simulator"}, {}).shelves) == ["a", "b"]
