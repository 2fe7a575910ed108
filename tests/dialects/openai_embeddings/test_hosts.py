"""What hosts with OpenAI's embeddings API call what OpenAI has no word for."""

import pytest

from dialects.whole_laws import BY_NAME, said
from headgate.core.errors import Unsupported

OPENAI, COHERE = BY_NAME["openai_embeddings"], BY_NAME["cohere_embed"]
HOSTS = {host: BY_NAME[f"{host}_embeddings"] for host in ("voyage", "jina", "nvidia")}
TEXTS = ["The food was delicious.", "Grüße, 你好 🌍"]
PNG = "data:image/png;base64,iVBORw0KGgo="


def ask(**fields):
    return {"model": "m", "input": TEXTS, **fields}


ASKED = {"model": "m", "texts": TEXTS, "input_type": "search_query", "truncate": "START", "output_dimension": 8}


@pytest.mark.parametrize(
    ("host", "expected", "lost"),
    [
        ("voyage", {"input_type": "query", "truncation": True, "output_dimension": 8}, ["truncate"]),
        ("jina", {"task": "retrieval.query", "truncate": True, "dimensions": 8}, ["truncate"]),
        ("nvidia", {"input_type": "query", "truncate": "START", "dimensions": 8}, []),
    ],
)
def test_each_is_asked_in_its_words(host, expected, lost):
    assert said(HOSTS[host], COHERE, ASKED) == ({"model": "m", "input": TEXTS, **expected}, lost)


def test_a_client_of_openais_api_may_use_any_vendors_words():
    asked = ask(task_type="RETRIEVAL_DOCUMENT", truncate="END", output_dtype="ubinary", late_chunking=True)
    there, lost = said(HOSTS["voyage"], OPENAI, asked)
    words = {"input_type": "document", "truncation": True, "output_dtype": "ubinary", "late_chunking": True}
    assert (there, lost) == (ask(**words), [])
    there, lost = said(HOSTS["jina"], OPENAI, ask(task="retrieval.passage", encoding_format="base64"))
    assert there == ask(task="retrieval.passage", embedding_type="base64")


def test_floats_are_what_voyage_gives_unasked():
    assert said(HOSTS["voyage"], OPENAI, ask(encoding_format="float"))[0] == ask()
    assert said(HOSTS["voyage"], OPENAI, ask(encoding_format="base64"))[0] == ask(encoding_format="base64")


def test_nvidia_is_always_told_what_a_text_is():
    assert said(HOSTS["nvidia"], OPENAI, ask())[0] == ask(input_type="passage")


def test_a_purpose_without_a_word_is_named():
    assert said(HOSTS["voyage"], OPENAI, ask(task="clustering")) == (ask(), ["task"])
    assert said(HOSTS["voyage"], OPENAI, ask(task="code.query")) == (ask(input_type="query"), ["task"])


def test_two_forms_that_the_gateway_cannot_make_of_one_are_refused():
    asked = {"model": "m", "texts": TEXTS, "embedding_types": ["float", "int8"]}
    with pytest.raises(Unsupported, match="gives one form") as caught:
        said(HOSTS["voyage"], COHERE, asked)
    assert caught.value.param == "embedding_types"
    there, _ = said(HOSTS["voyage"], COHERE, {**asked, "embedding_types": ["base64", "float"]})
    assert there["encoding_format"] == "base64"


def test_pictures_go_to_those_that_take_them():
    assert said(HOSTS["jina"], COHERE, {"model": "m", "images": [PNG]})[0]["input"] == [{"image": PNG}]
    with pytest.raises(Unsupported, match="only text"):
        said(HOSTS["voyage"], COHERE, {"model": "m", "images": [PNG]})
