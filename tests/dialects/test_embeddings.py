"""Embeddings between dialects: what is carried, named as lost, or refused; numbers survive to the bit."""

import base64
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.whole_laws import (
    BY_NAME,
    DIALECTS,
    ONE_EACH,
    fixtures,
    loaded,
    others,
    pairs,
    read,
    said,
    usage_of,
    value_of,
    write,
)
from headgate.core import chat
from headgate.core.embeddings import Embeddings, Tokens
from headgate.core.errors import InvalidRequest, ProviderNonsense, ProviderRefused, Unsupported
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole

OPENAI = BY_NAME["openai_embeddings"]
COHERE = BY_NAME["cohere_embed"]
GOOGLE, OLLAMA, OLDER = BY_NAME["gemini_embed"], BY_NAME["ollama_embed"], BY_NAME["ollama_embeddings"]
TITAN = BY_NAME["titan_embed"]
VERTEX = BY_NAME["vertex_predict"]
COHERE_V1 = BY_NAME["cohere_embed_v1"]
EMBEDDING = [dialect for dialect in DIALECTS if dialect.operation == "embeddings"]
TEXTS = ["The food was delicious.", "Grüße, 你好 🌍"]
PNG = "data:image/png;base64,iVBORw0KGgo="
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def ask(**fields):
    return {"model": "m", "input": TEXTS, **fields}


def packed(*numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answered(own, request, **parts):
    """A reply in `own`'s words to `request`."""
    value = Embeddings(vectors=parts.pop("vectors"))
    events = whole.events("elsewhere", whole.Said(value=value, **parts))
    return json.loads(write(own, events, request)[0])


class TestNumbers:
    @given(st.lists(float32))
    def test_float32_survives_both_ways(self, numbers):
        text = packed(*numbers)
        assert vectors.packed(vectors.floats(text)) == text
        assert vectors.floats(vectors.packed(numbers)) == numbers

    @given(st.lists(float32, min_size=1))
    def test_through_json_and_back_to_the_bit(self, numbers):
        text = packed(*numbers)
        there = answered(OPENAI, {"encoding_format": "float"}, vectors={"base64": [text]})
        events = read(OPENAI, json.dumps(there).encode())
        back, _ = write(OPENAI, events, {"encoding_format": "base64"})
        assert json.loads(back)["data"][0]["embedding"] == text

    @pytest.mark.parametrize("text", ["!", "AAA=", packed(float("nan")), packed(float("inf"))])
    def test_what_is_no_number_is_the_providers_fault(self, text):
        with pytest.raises(ProviderNonsense):
            vectors.floats(text)

    def test_small_whole_numbers_are_read_from_base64(self):
        for encoding, expected in (("int8", [-1.0, 2.0]), ("ubinary", [255.0, 2.0])):
            assert vectors.plain(Embeddings(vectors={encoding: ["/wI="]})) == [expected]
        with pytest.raises(ProviderNonsense):
            vectors.plain(Embeddings(vectors={"int8": ["!"]}))

    def test_a_form_that_did_not_come_is_told(self):
        with pytest.raises(ProviderNonsense, match="as int8 and gave float"):
            vectors.vectors_in(Embeddings(vectors={"float": [[1.0]]}), "int8")


class TestRequests:
    @pairs()
    def test_texts_and_dimensions_reach_every_other(self, own, other):
        if own.operation != "embeddings":
            return
        fields = simple(own)
        if other is OLDER and len(own.read_request(fields).inputs) > 1:
            with pytest.raises(Unsupported, match="one input in each request"):
                said(other, own, fields)
            return
        there, lost = said(other, own, fields)
        request = other.read_request({**there, "model": fields["model"], **in_url(other, fields["model"])})
        assert request.inputs == own.read_request(fields).inputs
        assert set(lost) <= {own.read_request(fields).called("purpose")}

    def test_tokens_go_only_where_they_mean_something(self):
        assert OPENAI.read_request(ask(input=[1, 2])).inputs == [Tokens([1, 2])]
        for other in others(OPENAI):
            with pytest.raises(Unsupported, match="not tokens") as caught:
                said(other, OPENAI, ask(input=[[1, 2]]))
            assert caught.value.param == "input[0]"

    @pytest.mark.parametrize(
        ("field", "word", "purpose"),
        [
            ("input_type", "query", "query"),
            ("input_type", "passage", "document"),
            ("task", "retrieval.passage", "document"),
            ("task_type", "RETRIEVAL_QUERY", "query"),
            ("task", "separation", "clustering"),
        ],
    )
    def test_every_vendors_word_for_the_purpose_is_understood(self, field, word, purpose):
        request = OPENAI.read_request(ask(**{field: word}))
        assert (request.purpose, request.native) == (purpose, {})
        there, lost = said(COHERE, OPENAI, ask(**{field: word}))
        expected = {"query": "search_query", "document": "search_document", "clustering": "clustering"}
        assert (there["input_type"], lost) == (expected[purpose], [])

    def test_a_purpose_without_a_word_is_named(self):
        there, lost = said(COHERE, OPENAI, ask(task_type="CODE_RETRIEVAL_QUERY"))
        assert (there["input_type"], lost) == ("search_query", ["task_type"])
        there, lost = said(OPENAI, COHERE, {"model": "m", "texts": TEXTS, "input_type": "clustering"})
        assert lost == ["input_type"]
        assert there == {"model": "m", "input": TEXTS}

    def test_texts_are_documents_where_a_purpose_must_be_said(self):
        there, lost = said(COHERE, OPENAI, ask(encoding_format="base64", dimensions=512))
        assert there == {
            "model": "m",
            "texts": TEXTS,
            "input_type": "search_document",
            "embedding_types": ["float"],
            "output_dimension": 512,
        }
        assert not lost

    @pytest.mark.parametrize(("word", "expected"), [(True, "END"), ("none", "NONE"), ("START", "START")])
    def test_what_is_cut_off_is_carried(self, word, expected):
        field = "truncation" if isinstance(word, bool) else "truncate"
        assert said(COHERE, OPENAI, ask(**{field: word}))[0]["truncate"] == expected

    def test_what_is_cut_off_is_named_where_nothing_is(self):
        asked = {"model": "m", "texts": TEXTS, "truncate": "START"}
        assert said(OPENAI, COHERE, asked)[1] == ["truncate"]
        assert said(OPENAI, COHERE, {**asked, "truncate": "NONE"})[1] == []

    def test_small_numbers_are_refused_where_there_are_none(self):
        with pytest.raises(Unsupported, match="not as int8") as caught:
            said(OPENAI, COHERE, {"model": "m", "texts": TEXTS, "embedding_types": ["int8"]})
        assert caught.value.param == "embedding_types"
        assert said(COHERE, OPENAI, ask(output_dtype="int8"))[0]["embedding_types"] == ["int8"]

    def test_several_forms_become_one(self):
        there, lost = said(OPENAI, COHERE, {"model": "m", "texts": TEXTS, "embedding_types": ["float", "base64"]})
        assert (there["encoding_format"], lost) == ("float", ["embedding_types"])

    def test_pictures_reach_those_that_take_them(self):
        asked = ask(input=[{"image": PNG}])
        there, _ = said(COHERE, OPENAI, asked)
        assert (there["images"], there["input_type"]) == ([PNG], "image")
        there, _ = said(COHERE, OPENAI, ask(input=["a", {"image": PNG}]))
        assert [one["content"][0]["type"] for one in there["inputs"]] == ["text", "image_url"]
        with pytest.raises(Unsupported, match="only text") as caught:
            said(OPENAI, COHERE, {"model": "m", "images": [PNG]})
        assert caught.value.param == "images[0]"

    def test_a_picture_by_address_is_refused_where_data_is_needed(self):
        with pytest.raises(Unsupported, match="not its address") as caught:
            said(COHERE, OPENAI, ask(input=[{"image": "https://example.com/a.png"}]))
        assert caught.value.param == "input[0]"

    def test_pieces_of_text_alone_are_a_text(self):
        one = {"content": [{"type": "text", "text": "a"}]}
        assert said(OPENAI, COHERE, {"model": "m", "inputs": [one]})[0]["input"] == ["a"]
        two = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
        with pytest.raises(Unsupported, match="one text for each"):
            said(OPENAI, COHERE, {"model": "m", "inputs": [two]})

    def test_what_is_native_is_named(self):
        asked = {"model": "m", "texts": TEXTS, "priority": 2, "max_tokens": 9, "input_type": "haiku"}
        assert set(said(OPENAI, COHERE, asked)[1]) == {"priority", "max_tokens", "input_type"}
        assert said(COHERE, OPENAI, ask(user="u", provider={}))[1] == ["user", "provider"]

    @pytest.mark.parametrize("inputs", [None, [], 7, [None], [[1, "x"]], [{"x": 1}], {}])
    def test_inputs_must_be_some(self, inputs):
        with pytest.raises(InvalidRequest) as caught:
            OPENAI.read_request(ask(input=inputs))
        assert caught.value.param.startswith("input")

    def test_a_pictures_data_is_told_from_its_address(self):
        assert vectors.source(PNG) == chat.Bytes("iVBORw0KGgo=", "image/png")
        assert vectors.source("iVBORw0KGgo=") == chat.Bytes("iVBORw0KGgo=")
        assert vectors.source("https://example.com/a") == chat.Link("https://example.com/a")
        assert vectors.link(chat.Bytes("AA==", "image/gif")) == "data:image/gif;base64,AA=="
        assert vectors.link(chat.Stored("file-1")) is None


def simple(own):
    """The first fixture that is texts alone."""
    for dialect, path in fixtures("requests"):
        if dialect is own and path.stem.startswith("text"):
            fields = loaded(path)
            return {**fields, "embedding_types": ["float"]} if "embedding_types" in fields else fields
    raise AssertionError(own.name)


def in_url(own, model):
    return own.read_url(own.upstream_path, model, {}) if own.in_url else {}


class TestGoogles:
    def batch(self, *entries, **more):
        return {"model": "m", "method": "batchEmbedContents", "requests": [*entries], **more}

    def test_a_batch_of_texts(self):
        there, lost = said(
            GOOGLE, OPENAI, ask(dimensions=64, task="retrieval.query", encoding_format="base64", user="u")
        )
        settings = {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64}
        entries = [{"model": "models/m", "content": {"parts": [{"text": text}]}, **settings} for text in TEXTS]
        assert (there, lost) == ({"requests": entries}, ["user"])

    def test_the_method_says_what_is_asked_and_answered(self):
        one = GOOGLE.read_url("/v1beta/models/{model}:embedContent", "m", {})
        assert GOOGLE.write_url("m", False, one) == "/v1beta/models/m:embedContent"
        assert GOOGLE.write_url("a/b", False, {}) == "/v1beta/models/a%2Fb:batchEmbedContents"
        assert answered(GOOGLE, one, vectors={"float": [[0.5]]}) == {"embedding": {"values": [0.5]}}
        assert answered(GOOGLE, {}, vectors={"float": [[0.5]]}, usage=Usage(input=7)) == {
            "embeddings": [{"values": [0.5]}],
            "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7},
        }
        with pytest.raises(ProviderNonsense, match="2 embeddings for one input"):
            answered(GOOGLE, one, vectors={"float": [[0.5], [1.0]]})

    def test_one_content_is_one_text(self):
        asked = {"model": "m", "method": "embedContent", "content": {"parts": [{"text": "a"}]}, "title": "T"}
        there, lost = said(OPENAI, GOOGLE, asked)
        assert (there, lost) == ({"model": "m", "input": "a"}, ["title"])

    def test_names_in_snake_case_are_understood(self):
        content = {"parts": [{"inline_data": {"mime_type": "image/png", "data": PNG.partition(",")[2]}}]}
        entry = {"content": content, "task_type": "CLUSTERING", "output_dimensionality": 8}
        there, lost = said(COHERE, GOOGLE, self.batch(entry))
        assert (there["images"], there["input_type"], there["output_dimension"]) == ([PNG], "clustering", 8)
        assert not lost

    def test_settings_that_differ_do_not_cross(self):
        first, second = ({"content": {"parts": [{"text": text}]}, "taskType": "CLUSTERING"} for text in TEXTS)
        assert said(OPENAI, GOOGLE, self.batch(first, second))[1] == ["requests[].taskType"]
        with pytest.raises(Unsupported, match="send them apart") as caught:
            said(OPENAI, GOOGLE, self.batch(first, {**second, "outputDimensionality": 8}))
        assert caught.value.param == "requests"

    def test_another_model_than_that_of_the_url_is_refused(self):
        entry = {"content": {"parts": [{"text": "a"}]}}
        assert GOOGLE.read_request(self.batch({**entry, "model": "models/m"})).model == "m"
        with pytest.raises(InvalidRequest) as caught:
            GOOGLE.read_request(self.batch(entry, {**entry, "model": "models/other"}))
        assert caught.value.param == "requests[1].model"
        assert GOOGLE.foreign(json.dumps(self.batch(entry)).encode())

    def test_the_model_of_a_batch_is_the_targets(self):
        request = GOOGLE.read_request(self.batch({"content": {"parts": [{"text": "a"}]}, "model": "models/m"}))
        request.model = "tunedModels/x"
        assert json.loads(GOOGLE.write_request(request, []))["requests"][0]["model"] == "tunedModels/x"

    def test_settings_of_vertex_are_understood(self):
        config = {"taskType": "CLUSTERING", "outputDimensionality": 8, "autoTruncate": False, "documentOcr": True}
        asked = {
            "model": "m",
            "method": "embedContent",
            "content": {"parts": [{"text": "a"}]},
            "embedContentConfig": config,
        }
        there, lost = said(COHERE, GOOGLE, asked)
        assert (there["input_type"], there["output_dimension"], there["truncate"]) == ("clustering", 8, "NONE")
        assert lost == ["embedContentConfig.documentOcr"]
        assert said(OPENAI, GOOGLE, asked)[1] == ["embedContentConfig.documentOcr", "embedContentConfig.taskType"]

    def test_sound_and_stored_files_stay_with_google(self):
        for part in (
            {"inlineData": {"mimeType": "audio/mpeg", "data": "SUQz"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a"}},
        ):
            with pytest.raises(Unsupported) as caught:
                said(COHERE, GOOGLE, self.batch({"content": {"parts": [part]}}))
            assert caught.value.param == "requests[0]"
        with pytest.raises(Unsupported, match="not its address"):
            said(GOOGLE, OPENAI, ask(input=[{"image": "https://example.com/a.png"}]))

    @pytest.mark.parametrize("parts", [None, [], [{}], [{"text": 1}], ["a"], [{"inlineData": {"data": 1}}]])
    def test_what_is_no_content_is_the_clients_fault(self, parts):
        with pytest.raises(InvalidRequest) as caught:
            GOOGLE.read_request(self.batch({"content": {"parts": parts}}))
        assert caught.value.param.startswith("requests[0].content.parts")

    def test_settings_of_vertex_in_a_batch(self):
        config = {"taskType": "CLUSTERING", "outputDimensionality": 8, "autoTruncate": False, "documentOcr": True}
        entries = [{"content": {"parts": [{"text": text}]}, "embedContentConfig": config} for text in TEXTS]
        there, lost = said(COHERE, GOOGLE, self.batch(*entries))
        assert (there["texts"], there["input_type"], there["output_dimension"]) == (TEXTS, "clustering", 8)
        assert lost == ["requests[].embedContentConfig.documentOcr"]
        request = GOOGLE.read_request(self.batch(*entries))
        assert json.loads(GOOGLE.write_request(request, []))["requests"][0]["embedContentConfig"] == config
        assert request.called("purpose") == "requests[].embedContentConfig.taskType"

    def test_a_request_as_vertex_has_it(self):
        content = {"parts": [{"text": "a"}]}
        batch = self.batch(
            {"model": "models/m", "content": content, "task_type": "CLUSTERING", "outputDimensionality": 8},
            {"content": content, "taskType": "CLUSTERING", "embedContentConfig": {"taskType": "FACT_VERIFICATION"}},
            "odd",
        )
        assert json.loads(GOOGLE.with_config(json.dumps({"requests": batch["requests"]}).encode())) == {
            "requests": [
                {"content": content, "embedContentConfig": {"taskType": "CLUSTERING", "outputDimensionality": 8}},
                {"content": content, "embedContentConfig": {"taskType": "FACT_VERIFICATION"}},
                "odd",
            ]
        }
        one = json.dumps({"content": content, "title": "T"}).encode()
        assert json.loads(GOOGLE.with_config(one)) == {"content": content, "embedContentConfig": {"title": "T"}}
        assert json.loads(GOOGLE.with_config(json.dumps({"content": content}).encode())) == {"content": content}
        assert GOOGLE.single(b'{"requests":[{"content":1}]}') == b'{"content":1}'
        assert GOOGLE.single(b'{"requests":[1,2]}') is GOOGLE.single(one) is None


class TestVertexs:
    def test_texts_are_instances(self):
        there, lost = said(VERTEX, OPENAI, ask(dimensions=64, task="retrieval.query", truncate="none", user="u"))
        instances = [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in TEXTS]
        assert there == {"instances": instances, "parameters": {"autoTruncate": False, "outputDimensionality": 64}}
        assert lost == ["user"]
        assert said(VERTEX, OPENAI, ask(truncate="START")) == (
            {"instances": [{"content": text} for text in TEXTS], "parameters": {"autoTruncate": True}}, ["truncate"],
        )  # fmt: skip
        assert said(VERTEX, OPENAI, ask())[0] == {"instances": [{"content": text} for text in TEXTS]}

    def test_settings_are_understood(self):
        instance = {"content": "a", "task_type": "CLUSTERING", "mimeType": "text/plain"}
        asked = {
            "model": "m", "instances": [instance], "labels": {},
            "parameters": {"outputDimensionality": 8, "autoTruncate": False, "x": 1},
        }  # fmt: skip
        there, lost = said(COHERE, VERTEX, asked)
        assert (there["texts"], there["input_type"], there["output_dimension"]) == (["a"], "clustering", 8)
        assert there["truncate"] == "NONE"
        assert lost == ["instances[].mimeType", "parameters.x", "labels"]
        with pytest.raises(Unsupported, match="send them apart") as caught:
            said(OPENAI, VERTEX, {**asked, "instances": [instance, {"content": "b"}]})
        assert caught.value.param == "instances"

    @pytest.mark.parametrize(
        "instances", [None, [], {}, ["a"], [{"prompt": "a"}], [{"content": 1}], [{"content": "a", "title": 1}]]
    )
    def test_what_is_no_text_is_the_clients_fault(self, instances):
        with pytest.raises(InvalidRequest) as caught:
            VERTEX.read_request({"model": "m", "instances": instances})
        assert caught.value.param.startswith("instances")

    def test_tokens_of_all_inputs_are_summed(self):
        made = [{"embeddings": {"values": [0.5], "statistics": {"token_count": n, "truncated": n > 2}}} for n in (2, 3)]
        events = read(VERTEX, json.dumps({"predictions": made, "metadata": {"billableCharacterCount": 9}}).encode())
        assert usage_of(events) == Usage(input=5, reported={"billableCharacterCount": 9})
        assert write(OPENAI, events, {})[1][0].path == "reply.truncated"
        reply = answered(VERTEX, {}, vectors={"float": [[0.5]]}, usage=Usage(input=7))
        assert reply == {"predictions": [{"embeddings": {"values": [0.5], "statistics": {"token_count": 7}}}]}


class TestTitans:
    def test_several_inputs_are_said_in_one_request_and_taken_apart(self):
        there, lost = said(TITAN, OPENAI, ask(dimensions=256, encoding_format="base64"))
        assert (there, lost) == ({"inputText": TEXTS, "dimensions": 256}, [])
        assert [json.loads(one) for one in TITAN.apart(json.dumps(there).encode())] == [
            {"inputText": text, "dimensions": 256} for text in TEXTS
        ]
        assert said(TITAN, OPENAI, ask(input=["a"]))[0] == {"inputText": "a"}
        assert TITAN.apart(b'{"inputText":"a"}') == [b'{"inputText":"a"}']

    def test_texts_and_pictures_side_by_side(self):
        there, _ = said(
            TITAN,
            OPENAI,
            {**ask(input=["a", {"image": PNG}]), "model": "amazon.titan-embed-image-v1", "dimensions": 384},
        )
        data = PNG.partition(",")[2]
        assert there == {
            "inputText": ["a", None],
            "inputImage": [None, data],
            "embeddingConfig": {"outputEmbeddingLength": 384},
        }
        first, second = (json.loads(one) for one in TITAN.apart(json.dumps(there).encode()))
        assert (first["inputText"], second["inputImage"]) == ("a", data)
        assert ("inputImage" in first, "inputText" in second) == (False, False)

    def test_replies_together_are_one(self):
        bodies = [json.dumps({"embedding": [number], "inputTextTokenCount": 3}).encode() for number in (0.5, 1.0)]
        events = read(TITAN, TITAN.together(bodies))
        assert value_of(events).vectors == {"float": [[0.5], [1.0]]}
        assert usage_of(events).input == 6
        assert TITAN.together(bodies[:1]) == bodies[0]
        for odd in ([], [{"embedding": [1.0]}, {"embeddingsByType": {"binary": [1]}}]):
            with pytest.raises(ProviderNonsense):
                read(TITAN, json.dumps(odd).encode())

    def test_what_it_cannot_say(self):
        asked = {"model": "m", "texts": TEXTS, "input_type": "search_query", "truncate": "END"}
        assert said(TITAN, COHERE, asked)[1] == ["input_type", "truncate"]
        assert said(TITAN, COHERE, {**asked, "embedding_types": ["binary"]})[0]["embeddingTypes"] == ["binary"]
        with pytest.raises(Unsupported, match="not as int8"):
            said(TITAN, COHERE, {**asked, "embedding_types": ["int8"]})
        with pytest.raises(Unsupported, match="not its address"):
            said(TITAN, OPENAI, ask(input=[{"image": "https://example.com/a.png"}]))


class TestOllamas:
    def test_its_words(self):
        asked = {"model": "m", "input": "a", "truncate": False, "dimensions": 8, "keep_alive": "5m"}
        there, lost = said(COHERE, OLLAMA, asked)
        assert (there["texts"], there["truncate"], there["output_dimension"]) == (["a"], "NONE", 8)
        assert lost == ["keep_alive"]
        there, lost = said(OLLAMA, COHERE, {"model": "m", "texts": TEXTS, "truncate": "START", "input_type": "query"})
        assert (there, lost) == ({"model": "m", "input": TEXTS, "truncate": True}, ["truncate", "input_type"])

    def test_the_older_api_has_one_text(self):
        assert said(OLLAMA, OLDER, {"model": "m", "prompt": "a"})[0] == {"model": "m", "input": "a"}
        assert said(OLDER, OPENAI, ask(input="a", dimensions=8)) == ({"model": "m", "prompt": "a"}, ["dimensions"])
        with pytest.raises(Unsupported, match="one input in each request") as caught:
            said(OLDER, OPENAI, ask())
        assert caught.value.param == "input"

    def test_an_error_inside_a_good_status(self):
        for own in (OLLAMA, OLDER):
            with pytest.raises(ProviderRefused, match="out of memory"):
                own.relay(False, {}).feed(b'{"error":"out of memory"}')


class TestReplies:
    @pairs()
    def test_vectors_and_usage_reach_every_other(self, own, other):
        if own.operation != "embeddings":
            return
        for dialect, path in fixtures("whole"):
            if dialect is not own:
                continue
            pair = loaded(path)
            events = read(own, json.dumps(pair["reply"]).encode())
            if not has_numbers(events):
                continue
            if other.name in ONE_EACH and len(vectors.plain(value_of(events))) != 1:
                with pytest.raises(ProviderNonsense, match="for one input"):
                    write(other, events, {})
                continue
            there = read(other, write(other, events, {})[0])
            assert vectors.plain(value_of(there)) == vectors.plain(value_of(events))

    def test_openais_reply(self):
        reply = answered(
            OPENAI,
            {"model": "m", "encoding_format": "base64"},
            vectors={"float": [[0.5, -2.0], [1.0, 0.0]]},
            usage=Usage(input=7),
        )
        assert reply == {
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": packed(0.5, -2.0)},
                {"object": "embedding", "index": 1, "embedding": packed(1.0, 0.0)},
            ],
            "model": "m",
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        }

    def test_coheres_replies(self):
        request = {"texts": TEXTS, "embedding_types": ["float", "base64"]}
        reply = answered(COHERE, request, vectors={"float": [[0.5]]}, usage=Usage(input=7), id="x")
        assert reply["embeddings"] == {"float": [[0.5]], "base64": [packed(0.5)]}
        assert reply["meta"] == {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 7}}
        assert (reply["id"], reply["texts"], reply["response_type"]) == ("x", TEXTS, "embeddings_by_type")
        reply = answered(COHERE_V1, {"texts": TEXTS}, vectors={"base64": [packed(0.5)]})
        assert (reply["embeddings"], reply["response_type"]) == ([[0.5]], "embeddings_floats")

    def test_vectors_stand_in_the_order_of_their_index(self):
        items = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
        events = read(OPENAI, json.dumps({"data": items}).encode())
        assert value_of(events).vectors == {"float": [[0.0], [1.0]]}

    @pytest.mark.parametrize(
        "items",
        [[{"embedding": [1.0]}, {"embedding": "AAAA"}], [{"embedding": ["x"]}], [{"embedding": None}], [{}], ["x"]],
    )
    def test_what_is_no_vector_is_the_providers_fault(self, items):
        with pytest.raises(ProviderNonsense):
            read(OPENAI, json.dumps({"data": items}).encode())

    def test_an_error_inside_a_good_status(self):
        relay = OPENAI.relay(False, {})
        with pytest.raises(Exception, match="overloaded") as caught:
            relay.feed(b'{"error":{"message":"overloaded","code":503}}')
        assert caught.value.status == 503

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            ({"prompt_tokens": 8, "total_tokens": 8}, {"input": 8}),
            ({"total_tokens": 8}, {"input": 8}),
            ({"prompt_tokens": 8, "prompt_tokens_details": {"image_tokens": 3}}, {"input": 5, "input_image": 3}),
            ({"prompt_tokens": None}, {}),
        ],
    )
    def test_usage(self, raw, expected):
        relay = OPENAI.relay(False, {})
        relay.feed(json.dumps({"data": [], "usage": raw}).encode())
        assert relay.usage == Usage(**expected, reported=raw)

    def test_coheres_usage(self):
        relay = COHERE.relay(False, {})
        billed = {"input_tokens": 4, "image_tokens": 258, "images": 2}
        relay.feed(json.dumps({"embeddings": [], "meta": {"billed_units": billed}}).encode())
        assert relay.usage == Usage(input=4, input_image=258, units={"images": 2.0}, reported=billed)


def has_numbers(events):
    return not vectors.PLAIN.isdisjoint(value_of(events).vectors)
