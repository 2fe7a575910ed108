"""What a configuration says of answers to similar questions, and what is told of one that is wrong."""

import pytest

HEAD = """\
providers: {simulator: , ai21: {api_key: sk-x}}
models:
  other: simulator/sim
  faq: {targets: simulator/sim, cache: {semantic: SEMANTIC}}
"""


def test_all_of_it_in_order(told):
    full = (
        "{embedder: {model: simulator/embedder}, threshold: 0.9, context: [system, tools], guards: true, "
        "verify: {model: other, below: 0.95, timeout: 1}, max_characters: 500, timeout: 0.2}"
    )
    for semantic in ("true", "false", "{embedder: lexical}", full):
        assert told(HEAD.replace("SEMANTIC", semantic)) == []


@pytest.mark.parametrize(
    ("semantic", "where", "words"),
    [
        ("{embedder: {folder: gone}}", "embedder.folder", "there is no file `config.json` in this folder"),
        ("{embedder: {folder: ., model: other}}", "embedder", "`folder` or `model`, one of them"),
        ("{embedder: {model: nowhere/x}}", "embedder.model", "there is no provider `nowhere`"),
        ("{embedder: {model: ai21/jamba}}", "embedder.model", "`ai21/jamba` gives no embeddings"),
        ("{verify: {model: othr}}", "verify.model", "there is no model `othr` in `models`; did you mean `other`?"),
        ("{verify: {below: 0.9}}", "verify.model", "missing"),
        ("{context: [tenant]}", "context[0]", "system"),
        ("{threshold: 1.5}", "threshold", "1"),
        ("{timeout: 0}", "timeout", "0"),
    ],
)
def test_what_is_wrong_is_told(told, semantic, where, words):
    [(path, said)] = told(HEAD.replace("SEMANTIC", semantic))
    assert path == f"models.faq.cache.semantic.{where}"
    assert words in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x/y", "this is no URL of a PostgreSQL"),
        ("postgresql://x:y:z/a", "this is no URL"),
        ("postgresql://a:hunter2secret@db/x", "answers are in the memory of each"),
    ],
)
def test_an_index_is_for_answers_that_are_shared(told, url, words):
    [(path, said)] = told(f"{HEAD.replace('SEMANTIC', 'true')}cache: {{index: '{url}'}}\n")
    assert path == "cache.index"
    assert words in said
    assert "hunter2" not in said
