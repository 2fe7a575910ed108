"""Requests, callers and names each have a say in what is kept, and how it is given again."""

import asyncio
import json
import time

import anthropic
import openai
import pytest

from gateways import KEY, OTHER_KEY, Wire, http_request, running
from upstreams import LAST_CHUNK, ScriptedUpstream, as_chunk, chunked_head, json_reply, sse_event

THIRD = "hg-test-key-third-0123456789"
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{up: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}}}
models:
  kept: {{targets: up/m, cache: {{per: organisation, tool_calls: true}}}}
  paced: {{targets: up/m, cache: {{replay: {{tokens_per_second: 100}}}}}}
  slow: {{targets: up/m, cache: {{replay: {{tokens_per_second: 1}}}}}}
  came: {{targets: up/m, cache: {{replay: as_it_came}}}}
  plain: up/m
organisations: {{acme: {{}}}}
teams:
  red: {{organisation: acme, cache: {{per: team}}}}
  blue: {{organisation: acme}}
keys:
  - {{name: one, key: {one}, team: red}}
  - {{name: two, key: {two}, team: blue, cache: {{tool_calls: false, deterministic_only: true}}}}
  - {{name: three, key: {three}, team: blue}}
"""
TOOL = {"type": "function", "function": {"name": "f"}}
TEXT = "word " * 20


class Provider:
    def __init__(self):
        self.asked = []

    async def __call__(self, asked):
        body = json.loads(asked.request.body)
        self.asked.append(body)
        if "refuses" in body["messages"][-1]["content"]:
            await asked.send(json_reply({"error": {"message": "no such field"}}, status=400))
            return
        if body.get("stream"):
            await self.stream(asked)
            return
        message, finish = {"role": "assistant", "content": f"answer {len(self.asked)}"}, "stop"
        if body.get("tools"):
            call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        await asked.send(json_reply(whole))

    async def stream(self, asked):
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        await asked.send(chunked_head())
        for place, text in enumerate([TEXT, "end"]):
            if place:
                await asyncio.sleep(0.15)
            delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
            await asked.send(as_chunk(sse_event({**head, "choices": [delta]})))
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        for each in ({**head, "choices": [last]}, "[DONE]"):
            await asked.send(as_chunk(sse_event(each)))
        await asked.send(LAST_CHUNK)


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    with ScriptedUpstream(provider) as up:
        config = CONFIG.format(up=up.url, one=KEY, two=OTHER_KEY, three=THIRD)
        with running(folder, config) as started:
            yield started
            started.wait_for_metric(0, "headgate_in_flight")
            assert "Traceback" not in started.output()


@pytest.fixture(scope="module")
def client(gateway):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=20) as made:
        yield made


def ask(gateway, words, key=KEY, model="kept", **more):
    body = {"model": model, "messages": [{"role": "user", "content": words}], **more}
    status, heads, answer = gateway.post(body, key=key)
    return status, heads.get("x-headgate-cache"), answer


def test_a_body_says_what_a_header_does(gateway, client, provider):
    def how(cache, words="body", **more):
        raw = client.chat.completions.with_raw_response.create(
            model="kept", messages=[{"role": "user", "content": words}], extra_body={"cache": cache}, **more
        )
        assert "cache" not in provider.asked[-1]
        return raw.headers["x-headgate-cache"]

    assert how({"no-store": True}) == "bypass"
    assert how({"no_store": False, "max-age": 60}) == "miss"
    assert how({"max_age": 60, "only-if-cached": True}) == "hit"
    assert how({"no-cache": True}) == "miss"
    assert how({"s-maxage": 0}) == "miss"
    assert how({"max-age": 60}, extra_headers={"cache-control": "max-age=0"}) == "miss"
    with pytest.raises(openai.InternalServerError, match="no such answer is kept"):
        how({"only-if-cached": True}, words="never said")
    with anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as other:
        asked = {"model": "kept", "max_tokens": 9, "messages": [{"role": "user", "content": "body"}]}
        for wanted in ("bypass", "bypass"):
            raw = other.messages.with_raw_response.create(**asked, extra_body={"cache": {"no-store": True}})
            assert raw.headers["x-headgate-cache"] == wanted


def test_a_body_says_how_long(gateway):
    assert ask(gateway, "how long", cache={"ttl": 1})[1] == "miss"
    assert ask(gateway, "how long")[1] == "hit"
    until = time.monotonic() + 20
    while ask(gateway, "how long")[1] == "hit":
        assert time.monotonic() < until
        time.sleep(0.1)
    ask(gateway, "longer", cache={"ttl": 1e9})
    assert ask(gateway, "longer")[1] == "hit"


@pytest.mark.parametrize(
    "cache", [{"no-store": 1}, {"ttl": -1}, {"ttl": "60"}, {"max-age": True}, {"no-cache": True, "namespace": "x"}]
)
def test_what_makes_no_sense_in_a_body_is_refused(gateway, cache):
    status, _, answer = ask(gateway, "refuse", cache=cache)
    assert status == 400
    assert answer["error"]["param"].startswith("cache.")


@pytest.mark.parametrize("cache", [{"enabled": True, "threshold": 0.8}, {"type": "exact_match", "ttl": 60}, True, {}])
def test_a_vendors_own_field_of_that_name_goes_on(gateway, provider, cache):
    ask(gateway, f"own {cache}", cache=cache)
    assert provider.asked[-1]["cache"] == cache


def test_it_is_not_sent_on_where_nothing_is_kept_either(gateway, provider):
    assert ask(gateway, "plain", model="plain", cache={"no-store": True})[:2] == (200, None)
    assert "cache" not in provider.asked[-1]


def test_callers_have_narrower_terms_and_never_wider_ones(gateway):
    ask(gateway, "shared", key=THIRD)
    assert ask(gateway, "shared", key=KEY)[1] == "miss"  # its team shares with nobody else
    assert ask(gateway, "shared", key=OTHER_KEY)[1] == "bypass"
    ask(gateway, "sure", key=THIRD, seed=1)
    assert ask(gateway, "sure", key=OTHER_KEY, seed=1)[1] == "miss"  # of those who are given no calls of tools
    assert ask(gateway, "sure", key=OTHER_KEY, seed=1)[1] == "hit"
    for key, wanted in ((THIRD, ["miss", "hit"]), (OTHER_KEY, ["miss", "miss"])):
        assert [ask(gateway, "call", key=key, seed=1, tools=[TOOL])[1] for _ in range(2)] == wanted


def words_of(stream):
    """The pieces of a stream, and when each came."""
    return [(time.monotonic(), chunk.choices[0].delta.content) for chunk in stream if chunk.choices[0].delta.content]


@pytest.mark.parametrize(("model", "least"), [("paced", 0.2), ("came", 0.1), ("kept", 0.0)])
def test_an_answer_is_streamed_again_as_fast_as_is_wanted(client, provider, model, least):
    asked = {"model": model, "messages": [{"role": "user", "content": "pace"}]}
    first = words_of(client.chat.completions.create(**asked, stream=True))
    calls = len(provider.asked)
    again = words_of(client.chat.completions.create(**asked, stream=True))
    assert len(provider.asked) == calls
    assert "".join(text for _, text in again) == "".join(text for _, text in first)
    assert again[-1][0] - again[0][0] >= least
    if least:
        assert len(again) > 5
    answer = client.chat.completions.create(**asked).choices[0].message.content
    assert answer == TEXT + "end"


def test_a_paced_stream_ends_with_its_client(gateway):
    ask(gateway, "leaves", model="slow")
    body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "leaves"}]}
    with Wire(gateway.port) as wire:
        wire.send(http_request("/v1/chat/completions", json.dumps(body).encode()))
        gateway.wait_for_metric(1, "headgate_in_flight")
    gateway.wait_for_metric(0, "headgate_in_flight")
    record = gateway.newest()
    assert (record["ending"], record["cached"]["how"]) == ("cancelled", "hit")
