"""Reranking between dialects: every vendor's words at one path, documents given back, what is named or refused."""

import json

import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.types import RerankResponse
from cohere.v2.types import V2RerankResponse

from dialects.whole_laws import BY_NAME, pairs, read, said, usage_of, value_of, write
from headgate.core.errors import InvalidRequest, ProviderNonsense, Unsupported
from headgate.core.rerank import Rank, Ranking
from headgate.core.usage import Usage
from headgate.dialects import whole

JINA, COHERE, VOYAGE = (BY_NAME[f"{name}_rerank"] for name in ("jina", "cohere", "voyage"))
DOCUMENTS = ["Carson City", "Washington, D.C."]
RANKS = [Rank(index=1, score=0.9), Rank(index=0, score=0.2)]


def ask(**fields):
    return {"model": "m", "query": "capital", "documents": DOCUMENTS, **fields}


def answered(own, request, ranks=RANKS, **parts):
    events = whole.events("elsewhere", whole.Said(value=Ranking(ranks=ranks), **parts))
    body, lost = write(own, events, request)
    assert not lost
    return json.loads(body)


class TestRequests:
    @pairs()
    def test_query_documents_and_number_reach_every_other(self, own, other):
        if own.operation != "rerank":
            return
        top = own.read_request(ask()).called("top") if own is not VOYAGE else "top_k"
        there, lost = said(other, own, ask(**{top: 2}))
        request = other.read_request(there)
        assert (request.query, [one.text for one in request.documents], request.top) == ("capital", DOCUMENTS, 2)
        assert not lost

    def test_voyages_words(self):
        there, lost = said(COHERE, JINA, ask(top_k=2, truncation=True))
        assert (there["top_n"], lost) == (2, [])
        assert said(VOYAGE, JINA, ask(top_k=2, truncation=False))[0] == ask(top_k=2, truncation=False)
        assert said(COHERE, JINA, ask(truncation=False))[1] == ["truncation"]
        assert said(JINA, VOYAGE, ask(truncation=False))[1] == ["truncation"]

    def test_coheres_words_of_version_1(self):
        documents = [{"title": "Nevada", "text": "Carson City"}, {"title": "D.C.", "text": "Washington"}]
        asked = {**ask(documents=documents), "rank_fields": ["title", "text"], "max_chunks_per_doc": 10}
        there, lost = said(COHERE, JINA, asked)
        assert there["documents"] == ["title: Nevada\ntext: Carson City", "title: D.C.\ntext: Washington"]
        assert lost == ["max_chunks_per_doc"]
        assert said(COHERE, JINA, ask(documents=documents))[0]["documents"] == ["Carson City", "Washington"]
        assert said(COHERE, JINA, ask(max_tokens_per_doc=9))[0]["max_tokens_per_doc"] == 9
        assert said(VOYAGE, JINA, ask(max_tokens_per_doc=9))[1] == ["max_tokens_per_doc"]

    def test_pictures_are_refused_where_only_texts_are_ranked(self):
        with pytest.raises(Unsupported, match="only texts") as caught:
            said(COHERE, JINA, ask(documents=["a", {"image": "https://example.com/a.png"}]))
        assert caught.value.param == "documents[1]"

    def test_documents_are_not_asked_for_where_they_come_unasked(self):
        assert said(JINA, COHERE, ask())[0]["return_documents"] is False

    @pytest.mark.parametrize("documents", [None, [], "x", [7], [{}], [{"text": 7}]])
    def test_documents_must_be_some(self, documents):
        with pytest.raises(InvalidRequest) as caught:
            JINA.read_request(ask(documents=documents))
        assert caught.value.param.startswith("documents")


class TestReplies:
    def test_documents_are_given_back_by_the_gateway(self):
        full = [{"index": 1, "relevance_score": 0.9, "document": {"text": DOCUMENTS[1]}}]
        bare = [{"index": 1, "relevance_score": 0.9}]
        one = RANKS[:1]
        assert answered(JINA, ask(), one)["results"] == full
        assert answered(JINA, ask(return_documents=True), one)["results"] == full
        assert answered(JINA, ask(return_documents=False), one)["results"] == bare
        assert answered(JINA, ask(documents=[{"a": 1}, {"text": "b", "n": 2}]), one)["results"][0]["document"] == {
            "text": "b",
            "n": 2,
        }

    def test_voyages_words_are_answered_in_voyages_shape(self):
        reply = answered(JINA, ask(top_k=1, truncation=True), RANKS[:1], usage=Usage(input=43))
        assert reply == {
            "object": "list",
            "model": "m",
            "data": [{"index": 1, "relevance_score": 0.9}],
            "usage": {"total_tokens": 43},
        }
        reply = answered(JINA, ask(top_k=1, return_documents=True), RANKS[:1])
        assert reply["data"][0]["document"] == DOCUMENTS[1]
        given = [Rank(index=0, score=0.5, document={"text": "as it came"})]
        assert answered(VOYAGE, ask(return_documents=True), given)["data"][0]["document"] == "as it came"

    def test_a_place_that_is_none_has_no_document(self):
        for index in (7, -1):
            [result] = answered(JINA, ask(), [Rank(index=index, score=0.5)])["results"]
            assert result == {"index": index, "relevance_score": 0.5}

    @pytest.mark.parametrize(("own", "kind"), [(COHERE, V2RerankResponse), (JINA, RerankResponse)])
    def test_coheres_sdks_read_them(self, own, kind):
        usage = Usage(units={"searches": 1.0})
        parsed = construct_type(type_=kind, object_=answered(own, ask(), usage=usage, id="x"))
        assert [(one.index, one.relevance_score) for one in parsed.results] == [(1, 0.9), (0, 0.2)]
        assert (parsed.id, parsed.meta.billed_units.search_units) == ("x", 1)

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"usage": {"total_tokens": 43}}, Usage(input=43, reported={"total_tokens": 43})),
            (
                {"meta": {"billed_units": {"search_units": 2}}},
                Usage(units={"searches": 2.0}, reported={"search_units": 2}),
            ),
            ({}, None),
            ({"usage": None, "meta": None}, None),
        ],
    )
    def test_usage(self, fields, expected):
        for own in (JINA, COHERE, VOYAGE):
            assert usage_of(read(own, json.dumps({"results": [], **fields}).encode())) == expected

    @pytest.mark.parametrize(
        "results", [[{"index": 0}], [{"relevance_score": 1}], [{"index": "0", "relevance_score": 1}], [7], None]
    )
    def test_what_is_no_rank_is_the_providers_fault(self, results):
        with pytest.raises(ProviderNonsense):
            read(JINA, json.dumps({"results": results}).encode())

    def test_llama_cpps_and_others_scores(self):
        events = read(JINA, b'{"results":[{"index":2,"score":-4.75}],"object":"list"}')
        assert value_of(events) == Ranking(ranks=[Rank(index=2, score=-4.75)])
