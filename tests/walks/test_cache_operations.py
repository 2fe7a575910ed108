"""What is no chat is answered again, too: vectors one by one, pictures, sound, ranks and verdicts whole."""

import asyncio
import base64
import json
import struct
import threading

import cohere
import httpx
import ollama
import openai
import pytest
from google import genai

from gateways import KEY, Wire, http_request, running
from upstreams import LAST_CHUNK, ScriptedUpstream, as_chunk, chunked_head, json_reply, reply, sse_event

CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 2, backoff: 0.01}}
breaker: {{enabled: false}}
catalogue:
  models:
    up/m: {{prices: {{input: 10, output: 20}}}}
    up/say: {{prices: {{characters: 0.001}}}}
providers:
  up: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}
  other: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}
  jina: {{api_key: sk-x, base_url: '{up}/v1'}}
models:
  kept: {{targets: up/m, cache: true}}
  say: {{targets: up/say, cache: {{per: team}}}}
  two: {{targets: [up/first, other/second], cache: true}}
  rank: {{targets: jina/r, cache: true}}
  late: {{targets: jina/e, cache: true}}
  sure: {{targets: up/m, cache: {{deterministic_only: true}}}}
keys:
  - {{name: one, key: {key}}}
"""
SOUND = bytes(range(256)) * 8


class Provider:
    """Answers what is asked at each path, and says what it was asked."""

    def __init__(self):
        self.asked = []
        self.failing, self.failures = "", 0
        self.gate = threading.Event()
        self.gate.set()

    async def __call__(self, asked):
        path, kind = asked.request.path, asked.request.headers.get("content-type", "")
        body = json.loads(asked.request.body) if kind.startswith("application/json") else asked.request.body
        self.asked.append((path, body))
        while not self.gate.is_set():
            await asyncio.sleep(0.005)
        self.failures -= 1
        if self.failures >= 0 or (self.failing and isinstance(body, dict) and body["model"] == self.failing):
            await asked.send(json_reply({"error": {"message": "no"}}, status=503))
            return
        await getattr(self, path.removeprefix("/v1/").replace("/", "_"))(asked, body)

    async def embeddings(self, asked, body):
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        wanted = base64.b64encode if body.get("encoding_format") == "base64" else None
        vectors = [vector(one, body["model"]) for one in given]
        data = [
            {"object": "embedding", "index": place, "embedding": wanted(struct.pack("<3f", *one)).decode()}
            if wanted
            else {"object": "embedding", "index": place, "embedding": one}
            for place, one in enumerate(vectors)
        ]
        tokens = sum(map(tokens_of, given))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        await asked.send(json_reply({"object": "list", "data": data, "model": body["model"], "usage": usage}))

    async def images_generations(self, asked, body):
        if not body.get("stream"):
            picture = {"url": "https://x/p.png"} if "link" in body["prompt"] else {"b64_json": "UE5H"}
            await asked.send(json_reply({"created": 7, "data": [picture], "usage": {"input_tokens": 3}}))
            return
        await asked.send(chunked_head())
        for kind in ("partial_image", "completed") if body.get("partial_images") else ("completed",):
            event = {"type": f"image_generation.{kind}", "b64_json": "UE5H", "usage": {"input_tokens": 3}}
            await asked.send(as_chunk(sse_event(event)))
        await asked.send(LAST_CHUNK)

    async def images_edits(self, asked, body):
        await asked.send(json_reply({"created": 7, "data": [{"b64_json": "UE5H"}]}))

    async def audio_speech(self, asked, body):
        if body.get("stream_format") == "sse":
            await asked.send(chunked_head())
            delta = {"type": "speech.audio.delta", "audio": base64.b64encode(SOUND).decode()}
            for event in (delta, {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 2}}):
                await asked.send(as_chunk(sse_event(event)))
        else:
            await asked.send(chunked_head(content_type="audio/opus"))
            for start in range(0, len(SOUND), 512):
                await asked.send(as_chunk(SOUND[start : start + 512]))
        await asked.send(LAST_CHUNK)

    async def audio_transcriptions(self, asked, body):
        await asked.send(reply(b"Hello\n", content_type="text/plain; charset=latin-1"))

    async def moderations(self, asked, body):
        result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.1}}
        await asked.send(json_reply({"id": "modr-1", "model": "m", "results": [result]}))

    async def rerank(self, asked, body):
        ranks = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
        await asked.send(json_reply({"model": "r", "results": ranks, "usage": {"total_tokens": 5}}))


def vector(text, model="m"):
    return [float(len(str(text))), 0.5, -2.0 if model == "m" else float(len(model))]


def tokens_of(text):
    return len(text.split()) if isinstance(text, str) else len(text)


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with ScriptedUpstream(provider) as up, running(folder, CONFIG.format(up=up.url, key=KEY)) as started:
        yield started
        started.wait_for_metric(0, "headgate_in_flight")
        assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=20) as made:
        yield made


def embedded(client, texts, **more):
    raw = client.embeddings.with_raw_response.create(**{"model": "kept", "input": texts, **more})
    found = raw.parse()
    return raw.headers, [one.embedding for one in found.data], found.usage.prompt_tokens


def test_a_batch_asks_only_for_what_it_lacks(gateway, client, provider):
    partial = gateway.metric("headgate_cache_requests_total", model="kept", outcome="partial")
    spared = gateway.metric("headgate_cache_saved_dollars_total", model="kept")
    headers, _, tokens = embedded(client, ["one two", "three"])
    assert (headers["x-headgate-cache"], tokens) == ("miss", 3)
    headers, vectors, tokens = embedded(client, ["three", "four five six", "one two", "seven"])
    assert headers["x-headgate-cache"] == "partial"
    assert provider.asked[-1][1]["input"] == ["four five six", "seven"]
    assert vectors == [vector(text) for text in ("three", "four five six", "one two", "seven")]
    assert tokens == 7
    record = gateway.record_of(headers["x-request-id"])
    assert (record["usage"]["input"], record["cost"]) == (4, "0.00004")
    assert record["cached"]["usage"]["input"] == 3
    assert record["cached"]["inputs"] == 2
    assert record["saved"] == {"cache": "0.00003"}
    assert "the cache had 2 of 4 vectors" in gateway.told_by("explain", record["id"])
    asked = len(provider.asked)
    headers, again, tokens = embedded(client, ["three", "four five six", "one two", "seven"])
    assert (headers["x-headgate-cache"], again, tokens) == ("hit", vectors, 7)
    record = gateway.record_of(headers["x-request-id"])
    assert (record["cost"], record["saved"], record.get("usage")) == ("0", {"cache": "0.00007"}, None)
    assert len(provider.asked) == asked
    assert gateway.metric("headgate_cache_requests_total", model="kept", outcome="partial") == partial + 1
    assert gateway.metric("headgate_cache_saved_dollars_total", model="kept") - spared == pytest.approx(0.0001)


def test_vectors_are_given_in_any_form_and_dialect(gateway, client, provider, authorities):
    texts = ["any form", "any dialect"]
    wanted = [vector(text) for text in texts]
    assert embedded(client, texts, encoding_format="float")[1] == wanted
    asked = len(provider.asked)
    raw = client.embeddings.with_raw_response.create(model="kept", input=texts)  # base64, as the SDK asks for it
    assert isinstance(json.loads(raw.text)["data"][0]["embedding"], str)
    assert [one.embedding for one in raw.parse().data] == wanted
    with ollama.Client(host=gateway.url, headers={"authorization": f"Bearer {KEY}"}) as other:
        found = other.embed(model="kept", input=texts)
    assert ([*map(list, found.embeddings)], found.prompt_eval_count) == (wanted, 4)
    options = genai.types.HttpOptions(base_url=gateway.url, client_args={"verify": authorities})
    google = genai.Client(api_key=KEY, http_options=options)
    found = google.models.embed_content(model="kept", contents=texts)
    assert [one.values for one in found.embeddings] == wanted
    assert len(provider.asked) == asked
    with httpx.Client(verify=authorities, timeout=20) as http:
        coheres = cohere.ClientV2(base_url=gateway.url, api_key=KEY, httpx_client=http)
        for _ in range(2):
            found = coheres.embed(model="kept", texts=texts, input_type="search_query", embedding_types=["float"])
            assert found.embeddings.float_ == wanted
    assert len(provider.asked) == asked + 1  # it says what they are for


@pytest.mark.parametrize(
    "more",
    [
        {"dimensions": 3},
        {"extra_body": {"input_type": "query"}},
        {"extra_body": {"unheard_of": 1}},
        {"input": [[1, 2], [3]]},
        {"model": "sure"},
    ],
)
def test_what_makes_another_vector_counts(client, more):
    assert embedded(client, ["counts"])[0]["x-headgate-cache"] in ("miss", "hit")
    assert [embedded(client, ["counts"], **more)[0]["x-headgate-cache"] for _ in range(2)] == ["miss", "hit"]


def test_inputs_that_bear_on_each_other_are_kept_together(gateway, provider):
    def ask(*texts):
        body = {"model": "late", "input": [*texts], "late_chunking": True}
        return gateway.post(body, "/v1/embeddings")[1]["x-headgate-cache"]

    assert [ask("a", "b"), ask("a", "b"), ask("a"), ask("b", "a")] == ["miss", "hit", "miss", "miss"]


def test_a_vector_is_taken_out_by_its_entry(gateway, client):
    headers, _, _ = embedded(client, ["to be taken out", "to stay"])
    headers, _, _ = embedded(client, ["to be taken out"])
    said = {"entry": headers["x-headgate-cache-entry"]}
    assert gateway.post(said, "/v1/cache/clear")[2] == {"cleared": 1}
    assert embedded(client, ["to stay", "to be taken out"])[0]["x-headgate-cache"] == "partial"


def test_vectors_of_two_models_never_stand_in_one_answer(client, provider):
    embedded(client, ["x"], model="two")
    provider.failing = "first"
    try:
        headers, vectors, _ = embedded(client, ["x", "y"], model="two")
        assert vectors == [vector("x", "second"), vector("y", "second")]
        assert headers["x-headgate-cache"] == "miss"
        assert int(headers["x-headgate-attempts"]) > 2
    finally:
        provider.failing = ""
    assert embedded(client, ["x", "y"], model="two")[1] == vectors


def test_vectors_of_two_models_never_stand_in_one_answer_either_where_a_call_is_shared(gateway, client, provider):
    embedded(client, ["of the first"], model="two")
    provider.failing = "first"
    provider.gate.clear()
    found = []
    ask = threading.Thread(target=embedded, args=(client, ["of both"]), kwargs={"model": "two"})
    ask.start()
    gateway.wait_for_metric(1, "headgate_in_flight")
    other = threading.Thread(target=lambda: found.append(embedded(client, ["of the first", "of both"], model="two")))
    other.start()
    gateway.wait_for_metric(2, "headgate_in_flight")
    provider.gate.set()
    for each in (ask, other):
        each.join()
    provider.failing = ""
    [(headers, vectors, _)] = found
    assert vectors == [vector(text, "second") for text in ("of the first", "of both")], headers


def test_what_is_lacking_is_asked_once_by_who_asks_at_the_same_time(gateway, provider, client):
    embedded(client, ["known"])
    asked = len(provider.asked)
    provider.gate.clear()
    found = []
    callers = [threading.Thread(target=lambda: found.append(embedded(client, ["new", "known"]))) for _ in range(5)]
    for each in callers:
        each.start()
    gateway.wait_for_metric(5, "headgate_in_flight")
    provider.gate.set()
    for each in callers:
        each.join()
    assert [vectors for _, vectors, _ in found] == [[vector("new"), vector("known")]] * 5
    assert sorted(headers["x-headgate-cache"] for headers, _, _ in found) == [*["coalesced"] * 4, "partial"]
    assert [body["input"] for _, body in provider.asked[asked:]] == [["new"]]
    for headers, _, tokens in found:
        record = gateway.record_of(headers["x-request-id"])
        spared = headers["x-headgate-cache"] == "coalesced"
        assert (tokens, record["saved"]) == (2, {"cache": "0.00002" if spared else "0.00001"})


def test_only_what_is_kept_is_given_to_who_wants_nothing_else(gateway, client):
    embedded(client, ["there"])
    only = {"extra_headers": {"cache-control": "only-if-cached"}}
    assert embedded(client, ["there"], **only)[0]["x-headgate-cache"] == "hit"
    with pytest.raises(openai.InternalServerError, match="no such answer is kept"):
        embedded(client, ["there", "and not"], **only)
    assert embedded(client, ["there"], extra_headers={"cache-control": "no-cache"})[0]["x-headgate-cache"] == "miss"


def twice(gateway, provider, body, path, **more):
    """How the cache took part in a request and its repetition, and whether both had the same answer."""
    asked = len(provider.asked)
    (_, first, one), (_, second, two) = (gateway.post({"model": "kept", **body}, path, **more) for _ in range(2))
    how = first["x-headgate-cache"], second["x-headgate-cache"], len(provider.asked) - asked
    for each in (one, two):
        if isinstance(each, dict):
            each.pop("id", None)  # the request's own, where its dialect says one and the provider's does not
    assert (one, first["content-type"]) == (two, second["content-type"])
    return how


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/moderations", {"input": "a plant"}),
        ("/v1/images/generations", {"prompt": "a cat"}),
        ("/v1/images/generations", {"prompt": "a dog", "stream": True, "partial_images": 1}),
        ("/v1/audio/speech", {"input": "Hello", "voice": "alloy", "response_format": "opus"}),
        ("/v1/audio/speech", {"input": "Hello", "voice": "alloy", "stream_format": "sse"}),
        ("/v1/rerank", {"model": "rank", "query": "q", "documents": ["a", "b"]}),
        ("/v2/rerank", {"model": "rank", "query": "q", "documents": ["a", "b"]}),
    ],
)
def test_the_same_is_answered_once(gateway, provider, path, body):
    assert twice(gateway, provider, body, path) == ("miss", "hit", 1)
    changed = {**body, "unheard_of": 1}
    assert twice(gateway, provider, changed, path) == ("miss", "hit", 1)


def test_pictures_are_given_whole_and_streamed(gateway, client, provider):
    client.images.generate(model="kept", prompt="a fish")
    asked = len(provider.asked)
    events = list(client.images.generate(model="kept", prompt="a fish", stream=True))
    assert [(event.type, event.b64_json) for event in events] == [("image_generation.completed", "UE5H")]
    assert len(provider.asked) == asked
    list(client.images.generate(model="kept", prompt="a bird", stream=True))
    assert client.images.generate(model="kept", prompt="a bird").data[0].b64_json == "UE5H"
    assert len(provider.asked) == asked + 1


def test_an_address_is_not_kept_and_what_is_elsewhere_not_looked_for(gateway, provider):
    link = {"prompt": "a link"}
    assert twice(gateway, provider, link, "/v1/images/generations") == ("miss", "miss", 2)
    seen = {"input": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
    assert twice(gateway, provider, seen, "/v1/moderations") == ("bypass", "bypass", 2)
    edited = {"prompt": "on", "image": "https://example.com/a.png"}
    assert twice(gateway, provider, edited, "/v1/images/generations") == ("bypass", "bypass", 2)


def test_what_is_painted_or_said_anew_each_time_is_asked_where_only_the_sure_is_kept(gateway, provider):
    paint = "/v1/images/generations"
    assert twice(gateway, provider, {"model": "sure", "prompt": "p"}, paint) == ("bypass", "bypass", 2)
    assert twice(gateway, provider, {"model": "sure", "prompt": "p", "seed": 1}, paint) == ("miss", "hit", 1)


def test_speech_costs_nothing_the_second_time(gateway, client):
    for cost, saved in (("0.005", {}), ("0", {"cache": "0.005"})):
        spoken = client.audio.speech.with_raw_response.create(model="say", input="Hello", voice="alloy")
        assert spoken.content == SOUND
        record = gateway.record_of(spoken.headers["x-request-id"])
        assert (record["cost"], record.get("saved", {})) == (cost, saved)


def heard(client, name="a.wav", sound=b"RIFF", **more):
    raw = client.audio.transcriptions.with_raw_response.create(
        model="kept", file=(name, sound, "audio/x-wav"), response_format="text", **more
    )
    assert (raw.content, raw.headers["content-type"]) == (b"Hello\n", "text/plain; charset=latin-1")
    return raw.headers["x-headgate-cache"]


@pytest.mark.parametrize("size", [1, 1 << 19])  # in memory, and in a file
def test_a_form_is_the_same_where_all_of_it_is(client, size):
    first = {"sound": b"RIFF" * size}
    assert [heard(client, **first), heard(client, **first)] == ["miss", "hit"]
    for other in ({"sound": b"RIFF" * (size - 1) + b"RIFX"}, {"name": "a.mp3", **first}, {"language": "de", **first}):
        assert [heard(client, **other), heard(client, **other)] == ["miss", "hit"]
    picture = {"model": "kept", "image": b"PNG" * size, "prompt": "p"}
    answers = [client.images.with_raw_response.edit(**picture).headers["x-headgate-cache"] for _ in range(2)]
    assert answers == ["miss", "hit"]


def test_a_form_is_sent_again_when_the_one_who_sent_it_has_left(gateway, client, provider):
    """The first attempt fails only then."""
    sound = b"RIFF" * 100
    head = b'--xyz\r\ncontent-disposition: form-data; name="%b"'
    body = b"".join(
        head % name + b"\r\n\r\n" + value + b"\r\n"
        for name, value in ((b"model", b"kept"), (b"response_format", b"text"))
    )
    body += head % b"file" + b'; filename="left.wav"\r\ncontent-type: audio/x-wav\r\n\r\n' + sound + b"\r\n--xyz--\r\n"
    asked, provider.failures, results = len(provider.asked), 1, []
    other = threading.Thread(target=lambda: results.append(heard(client, name="left.wav", sound=sound)))
    provider.gate.clear()
    with Wire(gateway.port) as leaving:
        kind = "multipart/form-data; boundary=xyz"
        leaving.send(http_request("/v1/audio/transcriptions", body, content_type=kind))
        gateway.wait_for_metric(1, "headgate_in_flight")
        other.start()
        gateway.wait_for_metric(2, "headgate_in_flight")
    gateway.wait_for_metric(1, "headgate_in_flight")
    provider.gate.set()
    other.join()
    assert [sound in body for _, body in provider.asked[asked:]] == [True, True]
    assert results == ["coalesced"]
