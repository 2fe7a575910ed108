"""Cohere's embed API in its two versions, as its SDKs read them."""

import json

import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.types import EmbedByTypeResponse, EmbeddingsByTypeEmbedResponse, EmbeddingsFloatsEmbedResponse

from dialects.whole_laws import BY_NAME, write
from headgate.core.embeddings import Embeddings
from headgate.core.usage import Usage
from headgate.dialects import cohere_embed, whole

ANSWER = whole.Said(value=Embeddings(vectors={"float": [[0.5, 1.0]]}), usage=Usage(input=7), id="x", model="m")


def test_both_versions_are_served():
    assert [BY_NAME[name].paths for name in ("cohere_embed", "cohere_embed_v1")] == [["/v2/embed"], ["/v1/embed"]]
    assert cohere_embed.more == (BY_NAME["cohere_embed_v1"],)


@pytest.mark.parametrize(
    ("name", "request_", "kind"),
    [
        ("cohere_embed", {}, EmbedByTypeResponse),
        ("cohere_embed", {"embedding_types": ["float", "base64"]}, EmbedByTypeResponse),
        ("cohere_embed_v1", {"texts": ["a"]}, EmbeddingsFloatsEmbedResponse),
        ("cohere_embed_v1", {"embedding_types": ["float"]}, EmbeddingsByTypeEmbedResponse),
    ],
)
def test_the_sdk_reads_what_is_written(name, request_, kind):
    body, lost = write(BY_NAME[name], whole.events("elsewhere", ANSWER), request_)
    fields = json.loads(body)
    assert not lost
    parsed = construct_type(type_=kind, object_=fields)
    assert (parsed.id, parsed.response_type) == ("x", fields["response_type"])
    vectors = parsed.embeddings if kind is EmbeddingsFloatsEmbedResponse else parsed.embeddings.float_
    assert vectors == [[0.5, 1.0]]
    assert parsed.meta.billed_units.input_tokens == 7
    assert parsed.texts == request_.get("texts", [])
