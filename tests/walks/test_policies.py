"""Who is asked, by policy, seen from outside: one gateway, three providers whose speed is set by each test."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import KEY, running
from traffic import answering, whole
from upstreams import ScriptedUpstream, json_reply

CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  a: {{kind: openai, api_key: none, base_url: '{a}/v1'}}
  b: {{kind: openai, api_key: none, base_url: '{b}/v1'}}
  c: {{kind: openai, api_key: none, base_url: '{c}/v1'}}
models:
  shared: {{policy: weighted, targets: [{{model: a/m, weight: 70}}, {{model: b/m, weight: 30}}]}}
  turns: {{policy: round_robin, targets: [a/m, b/m, c/m]}}
  idle: {{policy: least_busy, targets: [a/m, b/m, c/m]}}
  quick: {{policy: fastest, targets: [a/quick, b/quick]}}
  kept: {{policy: {{use: sticky, with: {{by: [session, user]}}}}, targets: [a/m, b/m, c/m]}}
  bounded:
    policy: {{use: cheapest, with: {{max_latency: 0.3, min_quality: 5}}}}
    targets: [{{model: a/slow, quality: 7}}, {{model: b/fair, quality: 6}}, {{model: c/dear, quality: 9}}, b/poor]
  growing: {{targets: [a/old], canary: {{target: b/new, steps: [40, 100], every: 0.2, least: 5, max_slowdown: 100}}}}
  failing: {{targets: [a/old], canary: {{target: c/bad, steps: [50], least: 5}}}}
  watched: {{targets: [a/m], shadow: {{target: b/next}}}}
  crowded: {{targets: [a/m], shadow: {{target: c/next, at_once: 2}}}}
catalogue:
  models:
    a/slow: {{prices: {{input: 0.1, output: 0.2}}}}
    b/fair: {{prices: {{input: 0.5, output: 1}}}}
    c/dear: {{prices: {{input: 3, output: 15}}}}
    b/poor: {{prices: {{input: 0.01, output: 0.02}}}}
keys:
  - {{name: test, key: {KEY}}}
"""


class Provider(ScriptedUpstream):
    """Answers after `wait` seconds, as long as it is well."""

    wait, well = 0.0, True

    async def answer(self, asked):
        asked_at = time.monotonic()
        while time.monotonic() < asked_at + self.wait:  # which a test may shorten meanwhile
            await asyncio.sleep(0.005)
        if not self.well:
            await asked.send(json_reply({"error": {"message": "down"}}, status=500))
            return
        body = json.loads(asked.request.body)
        if body.get("stream"):
            await answering()(asked)
            return
        await asked.send(whole(body["messages"][0]["content"]))


@pytest.fixture(scope="module")
def providers():
    with Provider() as a, Provider() as b, Provider() as c:
        for each in (a, b, c):
            each.script = each.answer
        yield {"a": a, "b": b, "c": c}


@pytest.fixture(scope="module")
def config(providers):
    return CONFIG.format(KEY=KEY, **{name: provider.url for name, provider in providers.items()})


@pytest.fixture(scope="module")
def gateway(config, tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture(autouse=True)
def _as_before(providers):
    for provider in providers.values():
        provider.requests.clear()
        provider.wait, provider.well = 0.0, True


def ask(gateway, model, **more):
    """(who answered, the request's id)."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}
    status, headers, answer = gateway.post(body)
    assert status == 200, answer
    return headers["x-headgate-model"].partition("/")[0], headers["x-request-id"]


def shares(gateway, model, count, at_once=4, **more):
    with ThreadPoolExecutor(at_once) as pool:
        return Counter(who for who, _ in pool.map(lambda _: ask(gateway, model, **more), range(count)))


def reload(gateway, config):
    said = gateway.output().count("the configuration was reloaded")
    gateway.change(config)
    gateway.says("the configuration was reloaded", said + 1)


def test_weights_are_shares(gateway):
    assert shares(gateway, "shared", 100) == {"a": 70, "b": 30}


def test_turns_are_even_also_at_once(gateway):
    assert shares(gateway, "turns", 60, at_once=10) == {"a": 20, "b": 20, "c": 20}


def test_who_is_busy_is_spared(gateway, providers):
    providers["a"].wait = providers["b"].wait = providers["c"].wait = 20
    slow = [threading.Thread(target=ask, args=(gateway, "idle")) for _ in range(3)]
    for each in slow:
        each.start()
    while sum(len(provider.requests) for provider in providers.values()) < 3:
        time.sleep(0.01)
    assert {name: len(provider.requests) for name, provider in providers.items()} == {"a": 1, "b": 1, "c": 1}
    providers["c"].wait = 0.0
    while all(each.is_alive() for each in slow):
        time.sleep(0.01)
    quick = [ask(gateway, "idle") for _ in range(5)]
    assert {who for who, _ in quick} == {"c"}
    providers["a"].wait = providers["b"].wait = 0.0
    for each in slow:
        each.join()
    decision = gateway.record_of(quick[-1][1])["decision"]
    assert decision["policy"] == "least_busy"
    assert {each["target"]: each["score"] for each in decision["candidates"]} == {"a/m": 2, "b/m": 2, "c/m": 1}


def test_the_faster_is_asked_and_after_it_slows_down_the_other(gateway, providers):
    providers["b"].wait = 0.4
    shares(gateway, "quick", 4)
    assert shares(gateway, "quick", 40, at_once=8)["a"] > 36
    providers["a"].wait, providers["b"].wait = 0.8, 0.0
    shares(gateway, "quick", 4)
    assert shares(gateway, "quick", 40, at_once=8)["b"] > 36
    _, asked = ask(gateway, "quick")
    assert re.search(r"policy fastest; ./quick has 0\.\d+ seconds", gateway.record_of(asked)["decision"]["why"])


def test_a_user_stays_where_he_is(gateway):
    homes = {user: {ask(gateway, "kept", user=user)[0] for _ in range(3)} for user in map(str, range(15))}
    assert all(len(home) == 1 for home in homes.values())
    assert set.union(*homes.values()) == {"a", "b", "c"}
    assert {ask(gateway, "kept", user=user)[0] for user in homes} == {"a", "b", "c"}
    one = {ask(gateway, "kept", user=user, prompt_cache_key="one")[0] for user in homes}
    assert len(one) == 1, "the session counts more"


def test_the_cheapest_within_bounds_is_asked_also_after_its_price_changed(gateway, providers, config):
    providers["a"].wait = 0.4
    assert shares(gateway, "bounded", 4) == {"a": 4}, "it is cheapest, and not known to be slow"
    time.sleep(1)
    assert shares(gateway, "bounded", 8) == {"b": 8}
    _, asked = ask(gateway, "bounded", max_tokens=10)
    decision = gateway.record_of(asked)["decision"]
    assert decision["unit"] == "US dollars"
    assert [each["target"] for each in decision["candidates"]] == ["b/fair", "c/dear", "b/poor", "a/slow"]
    assert decision["candidates"][0]["score"] == pytest.approx(0.5e-6 * 25 + 1e-6 * 2, rel=0.2)
    assert "b/poor has less than the quality 5; a/slow was slower than 0.3 s 4 times of 4" in decision["why"]

    before, after = "c/dear: {prices: {input: 3, output: 15}}", "c/dear: {prices: {input: 0.2, output: 1}}"
    reload(gateway, config.replace(before, after))
    assert shares(gateway, "bounded", 8) == {"c": 8}


def test_a_canary_gets_more_and_more_and_a_reload_does_not_stop_it(gateway, config):
    users = list(map(str, range(30)))
    began = {user: ask(gateway, "growing", user=user)[0] for user in users}
    assert set(began.values()) == {"a", "b"}
    time.sleep(0.2)
    ask(gateway, "growing", user=next(user for user in users if began[user] == "b"))
    gateway.says("growing: the canary b/new gets 100 % of the requests from now on")
    reload(gateway, config + "log: {level: debug}\n")
    assert gateway.metric("headgate_canary_percent", model="growing", target="b/new") == 100
    homes = [ask(gateway, "growing", user=user) for user in users]
    assert {who for who, _ in homes} == {"b"}
    why = gateway.record_of(homes[0][1])["decision"]["why"]
    assert why.endswith("the canary b/new gets 100 % of the requests, and this is one")
    reload(gateway, config.replace("target: b/new, steps: [40, 100]", "target: b/new, steps: [40]"))
    assert gateway.metric("headgate_canary_percent", model="growing") == 40, "another trial begins"


def test_a_canary_that_fails_is_taken_back_and_nobody_notices(gateway, providers):
    providers["c"].well = False
    for number in range(30):
        assert ask(gateway, "failing", user=str(number))[0] == "a"
    gateway.says("failing: the canary c/bad gets no requests any more: 100.0% of its 5 requests failed")
    asked_then = len(providers["c"].requests)
    _, asked = ask(gateway, "failing")
    assert len(providers["c"].requests) == asked_then <= 5
    assert "the canary c/bad gets no requests any more" in gateway.record_of(asked)["decision"]["why"]
    assert gateway.metric("headgate_canary_percent", model="failing") == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_copy_goes_to_another_target_and_nobody_sees_its_answer(gateway, providers, stream):
    providers["b"].wait = 0.3
    began = time.monotonic()
    who, asked = ask(gateway, "watched", stream=stream)
    assert (who, time.monotonic() - began < 0.3) == ("a", True)
    (copy,) = gateway.records(1, shadow_of=asked)
    assert copy["target"] == "b/next"
    assert copy["usage"]["output"] == (5 if stream else 2)
    assert (copy["key"], copy["model"], copy["status"], copy.get("stream", False)) == ("test", "watched", 200, stream)
    assert copy["duration"] >= 0.3
    assert copy["decision"]["why"] == "alias watched; a copy, whose answer nobody is given"
    original, copied = (json.loads(providers[name].requests[-1].body) for name in "ab")
    assert copied == {**original, "model": "next"}
    assert "shadow_of" not in gateway.record_of(asked)


def test_a_copy_that_fails_is_recorded_and_not_tried_again(gateway, providers):
    providers["b"].well = False
    before = gateway.metric("headgate_requests_total", model="watched")
    who, asked = ask(gateway, "watched")
    assert who == "a"
    (copy,) = gateway.records(1, shadow_of=asked, ending="failed")
    assert (copy["status"], copy["error"], len(copy["attempts"])) == (500, "provider_refused", 1)
    assert len(providers["b"].requests) == 1
    assert gateway.metric("headgate_shadows_total", model="watched", target="b/next", ending="failed") == 1
    assert gateway.metric("headgate_requests_total", model="watched") == before + 1


def test_copies_that_there_is_no_room_for_are_left_out(gateway, providers):
    providers["c"].wait = 0.4
    for _ in range(6):
        ask(gateway, "crowded")
    assert gateway.metric("headgate_shadows_dropped_total", model="crowded", target="c/next") == 4
    gateway.wait_for_metric(2, "headgate_shadows_total", model="crowded", ending="complete")
    assert len(providers["c"].requests) == 2
