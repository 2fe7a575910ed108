"""Counts of tokens: exact where the vocabulary is public, estimates elsewhere; the vocabulary is tiktoken's own."""

import base64
import hashlib
import lzma

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog import tokens
from together import together

# https://github.com/openai/tiktoken/blob/main/tiktoken_ext/openai_public.py
HASHES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
needs_vocabulary = pytest.mark.skipif(
    not all((tokens.FOLDER / f"{name}.json.xz").exists() for name in tokens.ENCODINGS),
    reason="no vocabularies: `make vocabulary` makes them",
)


@together(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("openai/gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-6-luna", "o200k_base"),
        ("o3", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("claude-sonnet-4-5", None),
        ("gemini-2.5-pro", None),
        ("openrouter-x", None),
    ],
)
def test_the_vocabulary_of_a_model(model, encoding):
    assert tokens.encoding_of(model) == encoding


@needs_vocabulary
@pytest.mark.parametrize("name", tokens.ENCODINGS)
def test_the_vocabulary_is_the_one_that_openai_publishes(name):
    made = msgspec.json.decode(lzma.decompress((tokens.FOLDER / f"{name}.json.xz").read_bytes()))
    ranks = tokens.ranks(made["bpe_ranks"])
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda x: x[1]))
    assert hashlib.sha256(b"".join(lines)).hexdigest() == HASHES[name]


@needs_vocabulary
def test_counts_are_openais():
    # the examples of OpenAI's cookbook on counting tokens
    assert tokens.count("tiktoken is great!", "gpt-4").ids == [83, 1609, 5963, 374, 2294, 0]
    assert tokens.count("antidisestablishmentarianism", "gpt-4").tokens == 6
    assert tokens.count("お誕生日おめでとう", "gpt-4o").tokens == 8
    assert tokens.count("<|endoftext|>", "gpt-4o").tokens > 1


@needs_vocabulary
@given(st.text(max_size=200))
def test_nothing_is_lost_in_the_tokens(text):
    found = tokens.count(text, "gpt-4o")
    assert tokens.load("o200k_base").decode(found.ids) == text
    assert found.tokens == len(found.ids)


@given(st.text(max_size=200))
def test_an_estimate_says_that_it_is_one(text):
    found = tokens.count(text, "claude-sonnet-4-5")
    assert (found.by, found.ids) == ("estimate", None)
    assert found.tokens == -(-len(text.encode()) // 4)
