"""The vendors' SDKs against the gateway where nobody chats: embeddings, ranks, verdicts and pictures."""

import base64
import json
import struct

import cohere
import httpx
import ollama
import openai
import pytest
from google import genai

from gateways import KEY, config_for, running
from upstreams import ScriptedUpstream, json_reply, sse_reply

TEXTS = ["the cat sat", "the cat ran"]
NUMBERS = [0.5, -2.0, 0.10000000149011612]
PACKED = base64.b64encode(struct.pack("<3f", *NUMBERS)).decode()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    config = config_for("http://127.0.0.1:9").replace(
        "  sim: simulator/sim\n", "  sim: simulator/sim\n  omni-moderation-latest: simulator/sim\n"
    )
    with running(tmp_path_factory.mktemp("simulated"), config) as gateway:
        yield gateway
        assert "Traceback" not in gateway.output()


@pytest.fixture(scope="module")
def coheres(authorities):
    """Makes clients of Cohere's SDK."""
    with httpx.Client(verify=authorities, timeout=20) as http:

        def make(kind, gateway):
            return kind(base_url=gateway.url, api_key=KEY, httpx_client=http)

        yield make


@pytest.fixture(scope="module")
def simulated_openai(simulated):
    with openai.OpenAI(base_url=f"{simulated.url}/v1", api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


class TestSimulated:
    def test_embeddings_come_as_base64_where_the_sdk_asks_for_it(self, simulated_openai):
        whole = simulated_openai.embeddings.with_raw_response.create(model="sim", input=TEXTS, dimensions=64)
        assert isinstance(json.loads(whole.text)["data"][0]["embedding"], str)
        assert whole.headers["x-headgate-simulated"] == "true"
        found = whole.parse()
        assert [len(one.embedding) for one in found.data] == [64, 64]
        plain = simulated_openai.embeddings.create(model="sim", input=TEXTS, dimensions=64, encoding_format="float")
        assert [one.embedding for one in plain.data] == [one.embedding for one in found.data]
        assert (found.model, found.usage.prompt_tokens) == ("simulated-sim", 6)

    def test_moderations_need_no_model(self, simulated_openai):
        found = simulated_openai.moderations.create(input="I want to water my plants")
        assert found.results[0].flagged is False
        assert found.results[0].categories.violence is False
        parts = [
            {"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ]
        assert len(simulated_openai.moderations.create(model="sim", input=parts).results) == 1

    def test_pictures_whole_and_streamed(self, simulated_openai):
        found = simulated_openai.images.generate(model="sim", prompt="a cat", n=2)
        assert [base64.b64decode(one.b64_json)[:4] for one in found.data] == [b"\x89PNG"] * 2
        assert found.usage.output_tokens == 2
        events = list(simulated_openai.images.generate(model="sim", prompt="a cat", stream=True))
        assert [event.type for event in events] == ["image_generation.completed"]
        assert events[0].b64_json == found.data[0].b64_json

    def test_coheres_sdk(self, simulated, coheres):
        new, old = coheres(cohere.ClientV2, simulated), coheres(cohere.Client, simulated)
        types = ["float", "int8"]
        found = new.embed(model="sim", texts=TEXTS, input_type="search_query", embedding_types=types)
        assert len(found.embeddings.float_) == len(found.embeddings.int8) == 2
        bare = old.embed(model="sim", texts=TEXTS, input_type="search_query")
        assert bare.embeddings == found.embeddings.float_
        documents = ["nothing", "the red cat"]
        ranked = new.rerank(model="sim", query="red cat", documents=documents, top_n=1)
        assert [(one.index, one.relevance_score) for one in ranked.results] == [(1, 1.0)]
        again = old.rerank(model="sim", query="red cat", documents=documents, return_documents=True)
        assert [one.document.text for one in again.results] == ["the red cat", "nothing"]

    def test_googles_sdk(self, simulated, authorities):
        options = genai.types.HttpOptions(base_url=simulated.url, client_args={"verify": authorities})
        client = genai.Client(api_key=KEY, http_options=options)
        config = {"output_dimensionality": 16, "task_type": "RETRIEVAL_QUERY"}
        found = client.models.embed_content(model="sim", contents=TEXTS, config=config)
        assert [len(one.values) for one in found.embeddings] == [16, 16]
        assert found.embeddings[0].values != found.embeddings[1].values
        assert found.usage_metadata.prompt_token_count == 6
        vertex = genai.Client(vertexai=True, api_key=KEY, http_options=options)
        assert vertex.models.embed_content(model="sim", contents=TEXTS, config=config).embeddings[1].values == (
            found.embeddings[1].values
        )
        asked = {"content": {"parts": [{"text": TEXTS[0]}]}, "outputDimensionality": 16}
        status, _, body = simulated.post(asked, "/v1beta/models/sim:embedContent")
        assert (status, body["embedding"]["values"]) == (200, found.embeddings[0].values)

    def test_ollamas_sdk(self, simulated):
        with ollama.Client(host=simulated.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            found = client.embed(model="sim", input=TEXTS, dimensions=16)
            older = client.embeddings(model="sim", prompt=TEXTS[0])
        assert [len(one) for one in found.embeddings] == [16, 16]
        assert (found.model, found.prompt_eval_count) == ("simulated-sim", 6)
        assert len(older.embedding) == 256

    def test_voyages_and_jinas_words(self, simulated):
        asked = {"model": "sim", "query": "red cat", "documents": ["nothing", "the red cat"]}
        status, _, body = simulated.post({**asked, "top_k": 1, "truncation": True}, "/v1/rerank")
        assert (status, body["data"]) == (200, [{"index": 1, "relevance_score": 1.0}])
        status, _, body = simulated.post({**asked, "top_n": 1}, "/v1/rerank")
        assert (status, body["results"][0]["document"]) == (200, {"text": "the red cat"})
        voyages = {"model": "sim", "input": TEXTS, "input_type": "query", "output_dimension": 32, "truncation": True}
        status, _, body = simulated.post(voyages, "/v1/embeddings")
        assert (status, len(body["data"][0]["embedding"]), body["usage"]["total_tokens"]) == (200, 32, 6)

    def test_it_can_be_told_to_fail(self, simulated_openai):
        with pytest.raises(openai.InternalServerError, match="simulated failure"):
            simulated_openai.embeddings.create(model="sim", input="[sim status=503]")

    def test_a_stream_of_embeddings_is_refused(self, simulated):
        status, headers, body = simulated.post({"model": "sim", "input": "a", "stream": True}, "/v1/embeddings")
        assert (status, body["error"]["param"]) == (400, "stream")
        assert headers["x-headgate-error-code"] == "invalid_request"

    def test_what_is_asked_for_is_recorded(self, simulated, simulated_openai):
        raw = simulated_openai.embeddings.with_raw_response.create(model="sim", input=TEXTS)
        record = simulated.record_of(raw.headers["x-request-id"])
        assert (record["dialect"], record["path"], counted(record)) == (
            "openai_embeddings", "/v1/embeddings", {"input": 6},
        )  # fmt: skip


def counted(record):
    return {key: value for key, value in record["usage"].items() if key != "reported"}


def config(upstream):
    return config_for(
        upstream.url, "retry: {attempts: 1}\n"
    ).replace(
        "  simulator: {}\n",
        f"  simulator: {{}}\n  cohere: {{api_key: co-upstream-secret, base_url: '{upstream.url}'}}\n"
        f"  google: {{api_key: goog-upstream-secret, base_url: '{upstream.url}'}}\n"
        f"  bedrock: {{api_key: aws-upstream-secret, base_url: '{upstream.url}'}}\n"
        f"  vertex: {{api_key: vx-upstream-secret, base_url: '{upstream.url}'}}\n",
    ).replace(
        "  sim: simulator/sim\n",
        "  sim: simulator/sim\n  older: vertex/text-embedding-005\n"
        "  gemini-embedding-001: vertex/gemini-embedding-001\n",
    )  # fmt: skip


@pytest.fixture
def behind(tmp_path):
    """Starts a gateway with these replies of its providers behind it; closes all at the end."""
    with_exit = []

    def start(*replies):
        upstream = ScriptedUpstream(list(replies))
        upstream.__enter__()
        started = running(tmp_path, config(upstream))
        with_exit.append((upstream, started))
        return upstream, started.__enter__()

    yield start
    for upstream, started in with_exit:
        started.__exit__(None, None, None)
        upstream.__exit__(None, None, None)


OPENAI_REPLY = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": PACKED}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
COHERE_REPLY = {
    "id": "da6e531f",
    "texts": ["a"],
    "embeddings": {"float": [NUMBERS]},
    "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 3}},
    "response_type": "embeddings_by_type",
}


class TestProviders:
    async def test_embeddings_pass_byte_for_byte(self, behind):
        body = json.dumps(OPENAI_REPLY, indent=1).encode()
        upstream, gateway = behind(json_reply(body))
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            raw = client.embeddings.with_raw_response.create(model="openai/text-embedding-3-small", input="a")
        assert raw.content == body
        assert raw.parse().data[0].embedding == NUMBERS
        [request] = upstream.requests
        assert request.path == "/v1/embeddings"
        assert json.loads(request.body) == {
            "input": "a", "model": "text-embedding-3-small", "encoding_format": "base64",
        }  # fmt: skip
        assert counted(gateway.record_of(raw.headers["x-request-id"])) == {"input": 3}

    async def test_openais_sdk_before_cohere(self, behind):
        upstream, gateway = behind(json_reply(json.dumps(COHERE_REPLY).encode()))
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            found = client.embeddings.create(
                model="cohere/embed-v4.0", input=["a"], user="u", extra_body={"input_type": "query"}
            )
        assert found.data[0].embedding == NUMBERS
        assert found.usage.prompt_tokens == 3
        [request] = upstream.requests
        assert request.path == "/v2/embed"
        assert json.loads(request.body) == {
            "model": "embed-v4.0", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"],
        }  # fmt: skip
        [record] = gateway.records(1)
        assert [loss["path"] for loss in record["lost"]] == ["user"]

    async def test_coheres_sdk_before_openai(self, behind, coheres):
        upstream, gateway = behind(json_reply(json.dumps(OPENAI_REPLY).encode()))
        client = coheres(cohere.ClientV2, gateway)
        found = client.embed(
            model="openai/text-embedding-3-small", texts=["a"], input_type="search_query", embedding_types=["float"]
        )
        assert found.embeddings.float_ == [NUMBERS]
        assert found.meta.billed_units.input_tokens == 3
        assert upstream.requests[0].path == "/v1/embeddings"

    async def test_googles_sdk_before_openai_and_back(self, behind, authorities):
        upstream, gateway = behind(json_reply(json.dumps(OPENAI_REPLY).encode()))
        options = genai.types.HttpOptions(base_url=gateway.url, client_args={"verify": authorities})
        client = genai.Client(api_key=KEY, http_options=options)
        found = client.models.embed_content(model="openai/text-embedding-3-small", contents=["a"])
        assert found.embeddings[0].values == NUMBERS
        assert json.loads(upstream.requests[0].body) == {"model": "text-embedding-3-small", "input": ["a"]}

    async def test_openais_sdk_before_google(self, behind):
        reply = {"embeddings": [{"values": NUMBERS}], "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}
        upstream, gateway = behind(json_reply(json.dumps(reply).encode()))
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            found = client.embeddings.create(model="google/gemini-embedding-001", input=["a"], dimensions=3)
        assert (found.data[0].embedding, found.usage.prompt_tokens) == (NUMBERS, 3)
        [request] = upstream.requests
        assert request.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        assert json.loads(request.body) == {
            "requests": [
                {
                    "model": "models/gemini-embedding-001",
                    "content": {"parts": [{"text": "a"}]},
                    "outputDimensionality": 3,
                }
            ]
        }

    async def test_googles_sdk_before_google(self, behind, authorities):
        reply = json.dumps({"embeddings": [{"values": NUMBERS}]}, indent=1).encode()
        upstream, gateway = behind(json_reply(reply))
        options = genai.types.HttpOptions(base_url=gateway.url, client_args={"verify": authorities})
        client = genai.Client(api_key=KEY, http_options=options)
        found = client.models.embed_content(model="google/gemini-embedding-001", contents=["a"])
        assert found.embeddings[0].values == NUMBERS
        [request] = upstream.requests
        assert request.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
        [entry] = json.loads(request.body)["requests"]
        assert entry["model"] == "models/gemini-embedding-001"

    async def test_before_vertex(self, behind, authorities):
        """OpenAI's SDK, and Google's as it asks Vertex AI: for predictions, for one content, for a batch."""
        made = {"values": NUMBERS, "statistics": {"token_count": 3, "truncated": False}}
        predicted = {"predictions": [{"embeddings": made}] * 2, "metadata": {"billableCharacterCount": 9}}
        usage = {"promptTokenCount": 3, "totalTokenCount": 3}
        one, batch = (
            {"embedding": {"values": NUMBERS}, "usageMetadata": usage},
            {"embeddings": [{"values": NUMBERS}] * 2},
        )
        replies = (predicted, one, predicted, one, batch)
        upstream, gateway = behind(*(json_reply(json.dumps(reply).encode()) for reply in replies))
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            found = client.embeddings.create(model="older", input=TEXTS, dimensions=3)
            assert ([each.embedding for each in found.data], found.usage.prompt_tokens) == ([NUMBERS] * 2, 6)
            found = client.embeddings.create(model="gemini-embedding-001", input="a", dimensions=3)
            assert (found.data[0].embedding, found.usage.prompt_tokens) == (NUMBERS, 3)
        options = genai.types.HttpOptions(base_url=gateway.url, client_args={"verify": authorities})
        google = genai.Client(vertexai=True, api_key=KEY, http_options=options)
        config = {"output_dimensionality": 3, "task_type": "RETRIEVAL_QUERY", "auto_truncate": False}
        for model, texts in (("older", TEXTS), ("gemini-embedding-001", TEXTS[:1]), ("gemini-embedding-001", TEXTS)):
            found = google.models.embed_content(model=model, contents=texts, config=config)
            assert [each.values for each in found.embeddings] == [NUMBERS] * len(texts)
        older, gemini = "text-embedding-005:predict", "gemini-embedding-001:embedContent"
        assert [request.path.removeprefix("/v1beta1/publishers/google/models/") for request in upstream.requests] == [
            older, gemini, older, gemini, "gemini-embedding-001:batchEmbedContents",
        ]  # fmt: skip
        assert {request.headers["x-goog-api-key"] for request in upstream.requests} == {"vx-upstream-secret"}
        first, second, third, _, last = (json.loads(request.body) for request in upstream.requests)
        assert first == {
            "instances": [{"content": text} for text in TEXTS], "parameters": {"outputDimensionality": 3},
        }  # fmt: skip
        assert second == {"content": {"parts": [{"text": "a"}]}, "embedContentConfig": {"outputDimensionality": 3}}
        assert third["instances"][0] == {"content": TEXTS[0], "task_type": "RETRIEVAL_QUERY"}
        assert [entry["embedContentConfig"]["autoTruncate"] for entry in last["requests"]] == [False, False]
        assert [counted(record) for record in gateway.records(5)[:3]] == [{"input": 6}, {"input": 3}, {"input": 6}]

    async def test_openais_sdk_before_titan_one_input_after_another(self, behind):
        upstream, gateway = behind(
            json_reply(json.dumps({"embedding": NUMBERS, "inputTextTokenCount": 3}).encode()),
            json_reply(json.dumps({"embedding": NUMBERS[::-1], "inputTextTokenCount": 2}).encode()),
        )
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            found = client.embeddings.create(
                model="bedrock/amazon.titan-embed-text-v2:0", input=["a", "b"], dimensions=256
            )
        assert [one.embedding for one in found.data] == [NUMBERS, NUMBERS[::-1]]
        assert found.usage.prompt_tokens == 5
        assert [request.path for request in upstream.requests] == ["/model/amazon.titan-embed-text-v2%3A0/invoke"] * 2
        assert [json.loads(request.body) for request in upstream.requests] == [
            {"inputText": "a", "dimensions": 256}, {"inputText": "b", "dimensions": 256},
        ]  # fmt: skip

    async def test_an_error_of_one_of_titans_answers_is_that_of_all(self, behind):
        refused = json_reply(b'{"message":"Too many tokens"}', status=400)
        upstream, gateway = behind(json_reply(b'{"embedding":[1.0],"inputTextTokenCount":3}'), refused)
        with (
            openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
            pytest.raises(openai.BadRequestError, match="Too many tokens"),
        ):
            client.embeddings.create(model="bedrock/amazon.titan-embed-text-v2:0", input=["a", "b", "c"])
        assert len(upstream.requests) == 2

    async def test_coheres_sdk_before_bedrock(self, behind, coheres):
        reply = {"embeddings": {"float": [NUMBERS]}, "id": "1", "response_type": "embeddings_by_type", "texts": ["a"]}
        upstream, gateway = behind(
            json_reply(json.dumps(reply).encode(), headers=[("x-amzn-bedrock-input-token-count", "4")]),
            json_reply(b'{"results":[{"index":1,"relevance_score":0.9}]}'),
        )
        client = coheres(cohere.ClientV2, gateway)
        found = client.embed(
            model="bedrock/cohere.embed-v4:0", texts=["a"], input_type="search_query", embedding_types=["float"]
        )
        assert (found.embeddings.float_, found.meta.billed_units.input_tokens) == ([NUMBERS], 4)
        ranked = client.rerank(model="bedrock/cohere.rerank-v3-5:0", query="q", documents=["a", "b"])
        assert ranked.results[0].index == 1
        assert [request.path for request in upstream.requests] == [
            "/model/cohere.embed-v4%3A0/invoke", "/model/cohere.rerank-v3-5%3A0/invoke",
        ]  # fmt: skip
        assert [json.loads(request.body) for request in upstream.requests] == [
            {"texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]},
            {"query": "q", "documents": ["a", "b"], "api_version": 2},
        ]
        first, second = gateway.records(2)
        assert counted(first) == {"input": 4}
        assert "usage" not in second

    async def test_an_error_of_the_provider_in_the_clients_words(self, behind, coheres):
        refusal = b'{"id":"x","message":"invalid api token"}'
        _, gateway = behind(json_reply(refusal, status=401))
        with (
            openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
            pytest.raises(openai.AuthenticationError, match="invalid api token"),
        ):
            client.embeddings.create(model="cohere/embed-v4.0", input=["a"])
        with pytest.raises(cohere.UnauthorizedError):
            coheres(cohere.ClientV2, gateway).embed(model="cohere/embed-v4.0", texts=["a"], input_type="search_query")

    async def test_tokens_are_refused_before_cohere_is_asked(self, behind):
        upstream, gateway = behind(json_reply(b"{}"))
        status, _, body = gateway.post({"model": "cohere/embed-v4.0", "input": [[1, 2]]}, "/v1/embeddings")
        assert (status, body["error"]["param"], body["error"]["code"]) == (400, "input[0]", "unsupported_field")
        assert not upstream.requests

    async def test_ranks_pass_and_cross(self, behind):
        reply = {
            "id": "x",
            "results": [{"index": 1, "relevance_score": 0.9}],
            "meta": {"billed_units": {"search_units": 1}},
        }
        upstream, gateway = behind(json_reply(json.dumps(reply).encode()))
        asked = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"]}
        assert gateway.post(asked, "/v2/rerank")[2] == reply
        status, headers, body = gateway.post({**asked, "top_n": 1}, "/v1/rerank")
        assert (status, body["results"][0]["document"]) == (200, {"text": "b"})
        assert [request.path for request in upstream.requests] == ["/v2/rerank"] * 2
        assert counted(gateway.record_of(headers["x-request-id"])) == {"units": {"searches": 1.0}}

    async def test_a_stream_of_pictures_passes_frame_by_frame(self, behind):
        kinds = ("image_generation.partial_image", "image_generation.completed")
        about = {"b64_json": "AAAA", "created_at": 1, "size": "auto", "quality": "low", "background": "opaque"}
        usage = {
            "input_tokens": 5,
            "output_tokens": 9,
            "output_tokens_details": {"image_tokens": 9},
            "total_tokens": 14,
        }
        frames = [
            f"event: {kind}\ndata: {json.dumps({'type': kind, **about, 'partial_image_index': 0, 'usage': usage})}\n\n"
            for kind in kinds
        ]
        _, gateway = behind(sse_reply([frame.encode() for frame in frames]))
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client:
            stream = client.images.generate(model="openai/gpt-image-2", prompt="a", stream=True, partial_images=1)
            assert [event.type for event in stream] == list(kinds)
        [record] = gateway.records(1)
        assert counted(record) == {"input": 5, "output_image": 9, "units": {"images": 1.0}}
