"""Answers that are kept outlast their provider, and are taken out by whatever they are known by, for nobody but whose
they are."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, running
from upstreams import ScriptedUpstream, json_reply

THIRD = "hg-test-key-third-0123456789"
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{failures: 3, rest: 60}}
providers:
  up: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}
cache: {{store: sqlite, front: 30, patience: 1}}
teams: {{red: {{}}}}
guards:
  abroad:
    use: words
    with: {{words: {{project: [zeppelin]}}}}
    external_only: true
    at: before
    then: redact
    for: {{key: two}}
models:
  kept: {{targets: up/m, cache: true}}
  ours: {{targets: up/m, cache: {{per: team}}}}
  lasting: {{targets: up/o, cache: {{ttl: 1, jitter: 0, stale_if_error: 3600}}}}
  also: {{targets: up/o, cache: true}}
  vectors: {{targets: up/e, cache: {{ttl: 1, jitter: 0, stale_if_error: 3600}}}}
  current: {{targets: up/n, cache: {{ttl: 1, jitter: 0, stale_while_revalidate: 3600}}}}
keys:
  - {{name: one, key: {one}, team: red}}
  - {{name: two, key: {two}, team: red}}
  - {{name: three, key: {three}, team: red}}
"""


class Provider:
    def __init__(self):
        self.calls, self.down = 0, False

    async def __call__(self, asked):
        self.calls += 1
        if self.down:
            await asked.send(json_reply({"error": {"message": "no"}}, status=503))
            return
        body = json.loads(asked.request.body)
        if "input" in body:
            data = [{"object": "embedding", "index": n, "embedding": [0.5, 1.0]} for n in range(len(body["input"]))]
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            await asked.send(json_reply({"object": "list", "data": data, "model": "o", "usage": usage}))
            return
        words = body["messages"][-1]["content"]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": f"{self.calls} {words}"},
            "finish_reason": "stop",
        }
        await asked.send(
            json_reply({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})
        )


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    with ScriptedUpstream(provider) as up:
        config = CONFIG.format(up=up.url, one=KEY, two=OTHER_KEY, three=THIRD)
        key = {"HEADGATE_SECRET_KEY": base64.b64encode(b"k" * 32).decode()}
        with running(tmp_path_factory.mktemp("kept"), config, environ=key) as started:
            yield started


@pytest.fixture
def down(provider):
    """From when it is called on the provider fails."""
    yield lambda: setattr(provider, "down", True)
    provider.down = False


def ask(gateway, words, model="kept", key=KEY, **headers):
    """Status, what the cache had to do with it, the answer, its headers."""
    body = {"model": model, "messages": [{"role": "user", "content": words}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, heads, answer = gateway.post(body, key=key, headers=named)
    said = answer["choices"][0]["message"]["content"] if status == 200 else answer["error"]["code"]
    return status, heads.get("x-headgate-cache"), said, heads


def clear(gateway, **said):
    status, _, done = gateway.post(said, path="/admin/api/cache/clear", key=ADMIN_KEY)
    assert status == 200, done
    return done["cleared"]


def admin(gateway, method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    heads = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
    status, _, answer = gateway.request(method, f"/admin/api/{path}", data, heads)
    assert status < 300, answer
    return answer


def test_one_is_taken_out_by_its_id_or_by_its_tag(gateway):
    entry = ask(gateway, "by id")[3]["x-headgate-cache-entry"]
    assert ask(gateway, "by id")[3]["x-headgate-cache-entry"] == entry
    assert gateway.record_of(ask(gateway, "by id")[3]["x-request-id"])["cached"]["key"] == entry
    ask(gateway, "by tag", x_headgate_cache_tags="prices, v2")
    ask(gateway, "by tag", key=OTHER_KEY, x_headgate_cache_tags="prices")
    told = {"model": "kept", "messages": [{"role": "user", "content": "by body"}], "cache": {"tags": ["from a body"]}}
    assert gateway.post(told)[0] == 200
    assert clear(gateway, tag="from a body") == 1
    assert gateway.post({**told, "cache": {"tags": "word"}})[0] == 400
    assert clear(gateway, entry=entry) == 1
    assert ask(gateway, "by id")[1] == "miss"
    assert ask(gateway, "by tag")[1] == "hit"
    assert clear(gateway, tag="price") == 0
    assert clear(gateway, tag="prices", key="two") == 1
    assert ask(gateway, "by tag")[1] == "hit"
    assert gateway.told_by("cache", "clear", "--tag", "v2").split() == ["1", "taken", "out"]
    assert ask(gateway, "by tag")[1] == "miss"


def test_an_application_takes_out_what_its_own_key_asked(gateway):
    def out(key=KEY, **said):
        status, _, answer = gateway.post(said, path="/v1/cache/clear", key=key)
        return answer["cleared"] if status == 200 else status

    entry = ask(gateway, "mine", "ours", x_headgate_cache_tags="shelf")[3]["x-headgate-cache-entry"]
    assert ask(gateway, "mine", "ours", key=THIRD)[1] == "hit"
    ask(gateway, "yours", "ours", key=THIRD, x_headgate_cache_tags="shelf")
    assert out(THIRD, entry=entry) == 0
    assert out(tag="shelf") == 1
    assert ask(gateway, "mine", "ours", key=THIRD)[1] == "miss"
    assert ask(gateway, "yours", "ours")[1] == "hit"
    assert out(THIRD, tag="shelf") == 1
    entry = ask(gateway, "mine")[3]["x-headgate-cache-entry"]
    assert [out(entry=entry), out(entry=entry)] == [1, 0]
    for wrong in ({}, {"tag": "a", "entry": entry}, {"entry": "xyz"}, {"entry": "A1"}, {"tag": 7}, {"team": "red"}):
        assert out(**wrong) == 400, wrong
    assert out("hg-no-such-key-0123456789", tag="shelf") == 401


def test_a_refresh_is_one_request_of_whose_answer_it_is(gateway, provider):
    assert ask(gateway, "current", "current")[:3] == (200, "miss", f"{provider.calls} current")
    first = provider.calls
    time.sleep(1.05)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(gateway, "current", "current"), range(20)))
    assert {each[:2] for each in answers} <= {(200, "stale"), (200, "hit")}
    assert answers[0][1] == "stale"
    gateway.wait_for_metric(1, "headgate_cache_requests_total", model="current", outcome="refresh")
    assert provider.calls == first + 1
    assert ask(gateway, "current", "current")[1:3] == ("hit", f"{first + 1} current")
    [record] = [each for each in gateway.records() if each.get("cached", {}).get("how") == "refresh"]
    assert (record["key"], record["status"], record.get("ending")) == ("one", 200, None)
    assert len(record["attempts"]) == 1
    stale = gateway.record_of(answers[0][3]["x-request-id"])
    assert (stale["cached"]["how"], stale.get("attempts", [])) == ("stale", [])


def test_vectors_that_are_kept_are_given_in_an_outage(gateway, down):
    def vectors(*inputs, **headers):
        body, named = (
            {"model": "vectors", "input": list(inputs)},
            {key.replace("_", "-"): headers[key] for key in headers},
        )
        status, heads, answer = gateway.post(body, path="/v1/embeddings", headers=named)
        return status, heads.get("x-headgate-cache"), answer

    kept = vectors("a", "b")[2]["data"]
    time.sleep(1.05)
    down()
    status, how, answer = vectors("a", "b")
    assert (status, how, answer["data"]) == (200, "stale", kept)
    assert vectors("b", "c")[0] == 503
    assert vectors("b", cache_control="stale-if-error=0")[0] == 503


def test_an_outage_is_answered_by_what_is_kept_also_where_nobody_is_asked_any_more(gateway, provider, down):
    lasting, fresh = (ask(gateway, "outage", name)[2] for name in ("lasting", "also"))
    time.sleep(1.05)
    down()
    calls = provider.calls
    for _ in range(5):
        status, how, said, heads = ask(gateway, "outage", "lasting")
        assert (status, how, said) == (200, "stale", lasting)
        assert heads["warning"].startswith("111 ")
    assert provider.calls == calls + 3  # then its circuit is open
    assert ask(gateway, "outage", "also")[1:3] == ("hit", fresh)
    assert ask(gateway, "outage", "lasting", cache_control="stale-if-error=0")[:3] == (503, None, "no_target")
    assert ask(gateway, "never asked", "lasting")[:3] == (503, None, "no_target")
    record = gateway.record_of(heads["x-request-id"])
    assert (record["status"], record["cost"], record["cached"]["how"]) == (200, "0", "stale")
    assert "nobody could be asked (no_target)" in gateway.told_by("explain", record["id"])
    assert clear(gateway, alias="lasting") == 1
    assert ask(gateway, "outage", "lasting")[0] == 503
    assert gateway.metric("headgate_cache_requests_total", model="lasting", outcome="stale") == 5


def test_a_key_made_anew_under_an_old_name_has_nothing_of_the_old_one(gateway):
    def made():
        admin(gateway, "POST", "teams", {"name": "green"})
        key = admin(gateway, "POST", "keys", {"name": "again", "team": "green", "models": ["*"]})["key"]
        until = time.monotonic() + 20
        while ask(gateway, "let in", "ours", key=key)[0] != 200:
            assert time.monotonic() < until, ask(gateway, "let in", "ours", key=key)
            time.sleep(0.02)
        return key

    first = made()
    mine, ours = ask(gateway, "mine", key=first)[2], ask(gateway, "ours", "ours", key=first)[2]
    assert ask(gateway, "mine", key=first)[1] == ask(gateway, "ours", "ours", key=first)[1] == "hit"
    admin(gateway, "DELETE", "keys/again")
    admin(gateway, "DELETE", "teams/green")
    second = made()
    assert ask(gateway, "mine", key=second)[1] == ask(gateway, "ours", "ours", key=second)[1] == "miss"
    assert ask(gateway, "mine", key=second)[2] != mine
    assert ask(gateway, "ours", "ours", key=second)[2] != ours


def test_an_answer_to_what_a_guard_left_of_it_is_none_for_others(gateway):
    """`abroad` changes what the provider is asked for one of the two, who share their answers otherwise."""
    assert ask(gateway, "shared", "ours")[1] == "miss"
    whole = ask(gateway, "of the zeppelin", "ours")[2]
    status, how, changed, _ = ask(gateway, "of the zeppelin", "ours", key=OTHER_KEY)
    assert (status, how) == (200, "miss")
    assert ("zeppelin" in whole, "zeppelin" in changed) == (True, False)
    assert ask(gateway, "of the zeppelin", "ours")[1:3] == ("hit", whole)
    assert ask(gateway, "of the zeppelin", "ours", key=OTHER_KEY)[1:3] == ("hit", changed)


def test_a_restart_keeps_them_and_nothing_of_them_is_in_clear(gateway):
    kept = ask(gateway, "a question that is not to be found", x_headgate_cache_tags="restarted")[2]
    assert gateway.stop() == 0
    gateway.start()
    until = time.monotonic() + 20
    while ask(gateway, "a question that is not to be found")[1:3] != ("hit", kept):
        assert time.monotonic() < until
    assert gateway.metric("headgate_cache_file_entries") >= 0
    assert gateway.metric("headgate_cache_file_bytes") > 0
    told = b"".join(path.read_bytes() for path in gateway.folder.rglob("answers.db*"))
    assert len(told) > 10_000
    assert b"is not to be found" not in told
    assert b"restarted" not in told
    assert clear(gateway, tag="restarted") == 1
    assert ask(gateway, "a question that is not to be found")[1] == "miss"
