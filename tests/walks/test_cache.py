"""What was answered is answered again for nothing, to nobody but whose it is; who asks at the same time asks once."""

import asyncio
import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, Wire, http_request, running
from headgate.core.cached import Entry
from headgate.state.address import address
from headgate.state.connection import connect
from upstreams import LAST_CHUNK, ScriptedUpstream, as_chunk, chunked_head, json_reply, sse_event
from valkeys import valkey
from waiting import wait_for

THIRD, FOURTH, SILENT, LIMITED = (f"hg-test-key-{name}-0123456789" for name in ("third", "fourth", "silent", "limited"))
NAMED = {"one": KEY, "two": OTHER_KEY, "three": THIRD, "four": FOURTH, "silent": SILENT, "limited": LIMITED}
CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
catalogue:
  models: {{up/m: {{prices: {{input: 10, output: 20}}}}, up/spare: {{prices: {{input: 10, output: 20}}}}}}
providers: {{up: {{kind: openai, api_key: sk-x, base_url: '{up}/v1'}}}}
models:
  kept: {{targets: up/m, cache: true}}
  also: {{targets: up/m, cache: {{ttl: 60}}}}
  short: {{targets: up/m, cache: {{ttl: 1, jitter: 0}}}}
  sure: {{targets: up/m, cache: {{deterministic_only: true}}}}
  tools: {{targets: up/m, cache: {{tool_calls: true}}}}
  alone: {{targets: up/m, cache: {{coalesce: false}}}}
  shared: {{targets: up/m, cache: {{per: team}}}}
  busy: {{targets: up/full, fallbacks_on: {{rate_limit: [up/spare]}}, cache: true}}
  plain: up/m
teams: {{red: {{}}, blue: {{}}}}
limits:
  - {{name: few, requests: 3, every: day, match: {{key: [limited]}}}}
  - {{name: little, tokens: 1300, every: day, match: {{key: [limited]}}}}
  - {{name: cheap, money: 0.03, every: day, match: {{key: [limited]}}}}
keys:
  - {{name: one, key: {one}, team: red}}
  - {{name: two, key: {two}, team: red}}
  - {{name: three, key: {three}, team: blue}}
  - {{name: four, key: {four}, models: [plain]}}
  - {{name: limited, key: {limited}}}
  - {{name: silent, key: {silent}, cache: false}}
"""
USAGE = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


class Provider:
    """Says how often it was asked; what it is told in the last message decides how."""

    def __init__(self):
        self.calls = 0
        self.gate = threading.Event()
        self.gate.set()

    async def __call__(self, asked):
        self.calls += 1
        body = json.loads(asked.request.body)
        words = body["messages"][-1]["content"]
        text = f"answer {self.calls}"
        if body["model"] == "full":
            await asked.send(json_reply({"error": {"message": "no"}}, status=429))
        elif body.get("stream"):
            await self.stream(asked, text, words)
        else:
            await self.wait()
            await asked.send(self.whole(text, words))

    async def wait(self):
        while not self.gate.is_set():
            await asyncio.sleep(0.005)

    def whole(self, text, words):
        if "fails" in words:
            return json_reply({"error": {"message": "no"}}, status=500)
        if "is wrong" in words:
            return json_reply({"error": {"message": "no"}}, status=400)
        message, finish = {"role": "assistant", "content": text}, "stop"
        if "refused" in words:
            finish = "content_filter"
        if "declined" in words:
            message = {"role": "assistant", "content": None, "refusal": "I won't"}
        if "tool" in words:
            call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return json_reply(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [choice],
                "usage": USAGE,
            }
        )

    async def stream(self, asked, text, words):
        head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        await asked.send(chunked_head())
        for place, word in enumerate([*(f"{each} " for each in text.split()), "end"]):
            if place == 1:
                await self.wait()
                if "breaks" in words:
                    asked.reset()
            delta = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            await asked.send(as_chunk(sse_event({**head, "choices": [delta]})))
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        for each in ({**head, "choices": [last]}, {**head, "choices": [], "usage": USAGE}, "[DONE]"):
            await asked.send(as_chunk(sse_event(each)))
        await asked.send(LAST_CHUNK)


@pytest.fixture(scope="module")
def provider():
    return Provider()


@pytest.fixture(scope="module")
def gateway(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with ScriptedUpstream(provider) as up, running(folder, CONFIG.format(up=up.url, **NAMED)) as started:
        yield started


@pytest.fixture
def closed(provider):
    """The provider holds its answers back (streams after the first word) until it is told to go on."""
    provider.gate.clear()
    yield provider.gate
    provider.gate.set()


def chat(words, model="kept", **more):
    return {"model": model, "messages": [{"role": "user", "content": words}], **more}


def claude(words, model="kept", **more):
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": words}], **more}


def said(body):
    """The text of an answer in any of the dialects, whole or streamed."""
    if isinstance(body, dict):
        if "choices" in body:
            return body["choices"][0]["message"]["content"]
        return "".join(part["text"] for part in body["content"])
    events = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: {")]
    pieces = []
    for event in events:
        if event.get("choices"):
            pieces.append(event["choices"][0]["delta"].get("content") or "")
        pieces.append(event.get("delta", {}).get("text", ""))
    return "".join(pieces)


def ask(gateway, body, key=KEY, **headers):
    path = "/v1/messages" if "max_tokens" in body else "/v1/chat/completions"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, heads, answer = gateway.post(body, path=path, key=key, headers=named)
    return status, heads.get("x-headgate-cache"), answer, heads


def test_a_second_answer_costs_nothing(gateway, provider):
    status, how, answer, heads = ask(gateway, chat("first"))
    assert (status, how) == (200, "miss")
    assert "age" not in heads
    calls = provider.calls
    status, how, again, heads = ask(gateway, chat("first", user="somebody else", metadata={"a": "b"}))
    assert (status, how, provider.calls) == (200, "hit", calls)
    assert again == answer
    assert heads["x-headgate-model"] == "up/m"
    assert heads["x-headgate-cost"] == "0"
    assert int(heads["age"]) >= 0
    record = gateway.record_of(heads["x-request-id"])
    assert record["cost"] == "0"
    assert record["saved"] == {"cache": "0.002"}
    assert "usage" not in record
    assert record["cached"]["how"] == "hit"
    assert (record["cached"]["usage"]["input"], record["cached"]["usage"]["output"]) == (100, 50)
    assert record.get("attempts", []) == []


def test_what_is_asked_over_and_over_is_told_and_told_apart_as_ever(gateway):
    """From the third time on it is not read anew."""
    body, seen = chat("over and over", user="ann"), []
    for _ in range(4):
        _, how, answer, heads = ask(gateway, body)
        record = gateway.record_of(heads["x-request-id"])
        record = {
            name: value for name, value in record.items() if name not in ("id", "time", "duration", "first_token")
        }
        cached = {name: value for name, value in record.pop("cached", {}).items() if name != "age"}
        told = {name: value for name, value in heads.items() if name not in ("x-request-id", "age", "date")}
        seen.append((how, answer, record, cached, told))
    assert [how for how, *_ in seen] == ["miss", "hit", "hit", "hit"]
    assert seen[1] == seen[2] == seen[3]
    assert seen[3][3]["usage"]["input"] == 100
    assert gateway.record_of(ask(gateway, body, x_headgate_user="ben")[3]["x-request-id"])["end_user"] == "ben"
    others = ({"cache_control": "no-store"}, {"cache_control": "no-cache"}, {"openai_beta": "x"}, {"key": OTHER_KEY})
    assert [ask(gateway, body, **other)[1] for other in others] == ["bypass", "miss", "miss", "miss"]
    assert ask(gateway, body, key="hg-test-key-nobody-0123456789")[0] == 401


def test_what_one_asked_for_a_cause_has_answered_spares_as_much(gateway):
    for how, attempts in (("miss", "2"), ("hit", "0")):
        _, headers, _ = gateway.post(chat("who else", "busy"))
        told = headers["x-headgate-cache"], headers["x-headgate-model"], headers["x-headgate-attempts"]
        assert told == (how, "up/spare", attempts)
    assert gateway.record_of(headers["x-request-id"])["saved"] == {"cache": "0.002"}


def test_metrics_tell_how_much_was_spared(gateway):
    counts = "headgate_cache_requests_total"
    saved = gateway.metric("headgate_cache_saved_dollars_total", model="also")
    before = [gateway.metric(counts, model="also", outcome=how) for how in ("hit", "miss")]
    for _ in range(3):
        ask(gateway, chat("metrics", model="also"))
    after = [gateway.metric(counts, model="also", outcome=how) for how in ("hit", "miss")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1]
    spared = gateway.metric("headgate_cache_saved_dollars_total", model="also") - saved
    assert spared == pytest.approx(0.004)
    assert gateway.metric("headgate_cache_entries") > 0
    assert gateway.metric("headgate_cache_bytes") > 0


@pytest.mark.parametrize("first", [False, True])
def test_it_is_given_in_any_dialect_whole_or_streamed(gateway, provider, first):
    words = f"in any {first}"
    wanted = said(ask(gateway, claude(words, stream=first))[2])
    calls = provider.calls
    for make in (claude, lambda words, **more: chat(words, max_completion_tokens=9, **more)):
        for stream in (False, True):
            status, how, body, _ = ask(gateway, make(words, stream=stream))
            assert (status, how, said(body)) == (200, "hit", wanted)
    assert provider.calls == calls


def test_usage_is_streamed_to_who_asks_for_it(gateway):
    ask(gateway, chat("usage", stream=True))
    _, how, body, _ = ask(gateway, chat("usage", stream=True, stream_options={"include_usage": True}))
    assert how == "hit"
    assert b'"prompt_tokens":100' in body.replace(b" ", b"")
    _, how, body, _ = ask(gateway, chat("usage", stream=True))
    assert how == "hit"
    assert b"prompt_tokens" not in body


@pytest.mark.parametrize(
    "other",
    [
        chat("meant "),
        chat("meant", temperature=0),
        chat("meant", seed=1),
        chat("meant", max_tokens=10),
        chat("meant", n=1),
        chat("meant", response_format={"type": "json_object"}),
        chat("meant", tools=[{"type": "function", "function": {"name": "f"}}]),
        chat("meant", logit_bias={"1": 2}),
        chat("meant", model="also"),
        {"model": "kept", "messages": [{"role": "system", "content": "meant"}]},
        {"model": "kept", "messages": [{"role": "user", "content": "mea"}, {"role": "user", "content": "nt"}]},
        {"model": "kept", "messages": [{"role": "user", "name": "Ann", "content": "meant"}]},
    ],
)
def test_what_differs_is_asked(gateway, other):
    ask(gateway, chat("meant"))
    assert ask(gateway, chat("meant"))[1] == "hit"
    path = "/v1/chat/completions"
    assert gateway.post(other, path=path)[1]["x-headgate-cache"] == "miss"


def test_nobody_is_given_what_another_asked(gateway, provider):
    ask(gateway, chat("mine"))
    assert ask(gateway, chat("mine"), key=OTHER_KEY)[1] == "miss"
    assert ask(gateway, chat("mine"), key=ADMIN_KEY)[1] == "miss"
    ask(gateway, chat("ours", model="shared"))
    assert ask(gateway, chat("ours", model="shared"), key=OTHER_KEY)[1] == "hit"
    assert ask(gateway, chat("ours", model="shared"), key=THIRD)[1] == "miss"
    status, how, _, _ = ask(gateway, chat("ours", model="shared"), key=FOURTH)
    assert (status, how) == (403, None)
    assert ask(gateway, chat("mine", model="plain"))[1] is None


def test_a_key_that_wants_none_of_it(gateway):
    assert [ask(gateway, chat("silent"), key=SILENT)[1] for _ in range(2)] == ["bypass", "bypass"]


def test_what_the_provider_looks_up_is_not_kept(gateway):
    search = {"web_search_options": {}}
    assert [ask(gateway, chat("news", **search))[1] for _ in range(2)] == ["bypass", "bypass"]
    assert [ask(gateway, chat("news", model="tools", **search))[1] for _ in range(2)] == ["miss", "hit"]


@pytest.mark.parametrize("words", ["refused", "declined", "tool"])
def test_what_is_no_answer_to_keep(gateway, words):
    assert [ask(gateway, chat(words))[1] for _ in range(2)] == ["miss", "miss"]


def test_errors_and_broken_streams_are_not_kept(gateway, provider):
    assert [ask(gateway, chat("fails"))[0] for _ in range(2)] == [500, 500]
    calls = provider.calls
    for _ in range(2):
        assert b"provider_cut" in ask(gateway, chat("breaks", stream=True))[2]
    assert provider.calls == calls + 2


def test_calls_of_tools_are_kept_where_that_is_wanted(gateway):
    assert [ask(gateway, chat("tool", model="tools"))[1] for _ in range(2)] == ["miss", "hit"]


def test_what_the_provider_is_to_store_is_asked_each_time(gateway):
    assert [ask(gateway, chat("stored", store=True))[1] for _ in range(2)] == ["bypass", "bypass"]
    assert [ask(gateway, chat("stored", store=False))[1] for _ in range(2)] == ["miss", "hit"]


def test_only_what_is_sure_is_kept(gateway):
    assert [ask(gateway, chat("sure", model="sure"))[1] for _ in range(2)] == ["bypass", "bypass"]
    assert [ask(gateway, chat("sure", model="sure", temperature=0))[1] for _ in range(2)] == ["miss", "hit"]
    assert [ask(gateway, chat("sure", model="sure", seed=0))[1] for _ in range(2)] == ["miss", "hit"]


def test_a_request_says_what_it_wants_of_it(gateway, provider):
    assert ask(gateway, chat("wants"), cache_control="no-store")[1] == "bypass"
    status, how, body, _ = ask(gateway, chat("wants"), cache_control="only-if-cached")
    assert (status, how, body["error"]["code"]) == (504, None, "not_cached")
    old = said(ask(gateway, chat("wants"))[2])
    assert ask(gateway, chat("wants"), cache_control="only-if-cached, max-age=60")[1] == "hit"
    for fresh in ("no-cache", "max-age=0", "max-age=-1", "Max-Age=x"):
        status, how, body, _ = ask(gateway, chat("wants"), cache_control=fresh)
        assert (how, said(body) == old) == ("miss", False)
        old = said(body)
    assert said(ask(gateway, chat("wants"), cache_control="max-stale, nonsense=1")[2]) == old


def test_headers_that_go_on_to_a_provider_count(gateway):
    first = {"anthropic-version": "2023-06-01"}
    gateway.post(claude("headers"), path="/v1/messages", headers=first)
    assert gateway.post(claude("headers"), path="/v1/messages", headers=first)[1]["x-headgate-cache"] == "hit"
    for other in ({"anthropic-version": "2024-01-01"}, {"anthropic-beta": "x"}, {"openai-beta": "x"}):
        heads = gateway.post(claude("headers"), path="/v1/messages", headers=other)[1]
        assert heads["x-headgate-cache"] == "miss"


def test_its_time_ends(gateway):
    ask(gateway, chat("short", model="short"))
    until = time.monotonic() + 20
    while ask(gateway, chat("short", model="short"))[1] == "hit":
        assert time.monotonic() < until
        time.sleep(0.1)


@contextlib.contextmanager
def together(number, call):
    """The results to come of so many calls at the same time."""
    with ThreadPoolExecutor(number) as pool:
        yield [pool.submit(call, place) for place in range(number)]


@pytest.mark.parametrize("lead", [chat, claude])
@pytest.mark.parametrize("stream", [False, True])
def test_fifty_at_the_same_time_ask_once(gateway, provider, closed, lead, stream):
    words, calls = f"fifty {lead.__name__} {stream}", provider.calls

    def call(place):
        more = {"max_completion_tokens": 9} if place % 2 else {}
        make = chat if place % 2 else claude
        wanted = stream if lead is (chat if place % 2 else claude) else place % 4 < 2
        return ask(gateway, make(words, stream=wanted, **more))

    with together(50, call) as results:
        wait_for(lambda: gateway.metric("headgate_in_flight") == 50)
        closed.set()
        answers = [result.result() for result in results]
    assert provider.calls == calls + 1
    assert {said(body).strip() for _, _, body, _ in answers} in (
        {f"answer {provider.calls}"},
        {f"answer {provider.calls} end"},
    )
    assert sorted(how for _, how, _, _ in answers) == [*["coalesced"] * 49, "miss"]
    records = [gateway.record_of(heads["x-request-id"]) for _, _, _, heads in answers]
    assert sum(float(record["cost"]) for record in records) == pytest.approx(0.002)
    assert sum(len(record.get("attempts", [])) for record in records) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_away_stops_nobody(gateway, provider, closed, stream):
    words, calls = f"away {stream}", provider.calls
    with Wire(gateway.port) as leader:
        leader.send(http_request("/v1/chat/completions", json.dumps(chat(words, stream=stream)).encode()))
        wait_for(lambda: provider.calls == calls + 1)
        with together(3, lambda place: ask(gateway, chat(words, stream=place > 0))) as results:
            wait_for(lambda: gateway.metric("headgate_in_flight") == 4)
            leader.sock.close()
            wait_for(lambda: gateway.metric("headgate_in_flight") == 3)
            closed.set()
            answers = [result.result() for result in results]
    assert provider.calls == calls + 1
    assert {(status, said(body).split()[1]) for status, _, body, _ in answers} == {(200, str(calls + 1))}
    records = [gateway.record_of(heads["x-request-id"]) for _, _, _, heads in answers]
    assert sorted(record["cost"] for record in records) == ["0", "0", "0.002"]
    [left] = [
        each
        for each in gateway.records(ending="cancelled")
        if each["cached"].get("of") in {one["id"] for one in records}
    ]
    assert (left["cost"], left.get("attempts", [])) == ("0", [])
    assert ask(gateway, chat(words))[1] == "hit"


def test_all_go_away(gateway, provider, closed):
    calls = provider.calls
    with Wire(gateway.port) as one, Wire(gateway.port) as other:
        for wire in (one, other):
            wire.send(http_request("/v1/chat/completions", json.dumps(chat("all away")).encode()))
        wait_for(lambda: gateway.metric("headgate_in_flight") == 2)
    wait_for(lambda: gateway.metric("headgate_in_flight") == 0)
    closed.set()
    assert provider.calls == calls + 1
    assert ask(gateway, chat("all away"))[1] == "miss"


def test_a_failure_lets_one_try_again(gateway, provider, closed):
    calls = provider.calls
    with together(10, lambda _: ask(gateway, chat("fails together"))) as results:
        wait_for(lambda: gateway.metric("headgate_in_flight") == 10)
        closed.set()
        assert {result.result()[0] for result in results} == {500}
    assert provider.calls == calls + 2


def test_what_is_wrong_is_wrong_for_all(gateway, provider, closed):
    calls = provider.calls
    with together(10, lambda _: ask(gateway, chat("is wrong"))) as results:
        wait_for(lambda: gateway.metric("headgate_in_flight") == 10)
        closed.set()
        assert {result.result()[0] for result in results} == {400}
    assert provider.calls == calls + 1


def test_a_stream_that_breaks_breaks_for_all(gateway, provider, closed):
    calls = provider.calls
    with together(5, lambda _: ask(gateway, chat("breaks together", stream=True))) as results:
        wait_for(lambda: gateway.metric("headgate_in_flight") == 5)
        closed.set()
        assert all(b"provider_cut" in result.result()[2] for result in results)
    assert provider.calls == calls + 1
    assert ask(gateway, chat("breaks together"))[1] == "miss"


def test_nothing_is_shared_where_that_is_not_wanted(gateway, provider, closed):
    calls = provider.calls
    with together(3, lambda _: ask(gateway, chat("by itself", model="alone"))) as results:
        wait_for(lambda: provider.calls == calls + 3)
        closed.set()
        assert {result.result()[1] for result in results} == {"miss"}


async def poison(server):
    """Something else stands in the place of each answer."""
    there = await connect(address(server.url), None)
    for name in await there.ask("KEYS", "*:answer:*"):
        entry = msgspec.msgpack.decode(await there.ask("GET", name), type=Entry)
        bad = msgspec.structs.replace(entry, body=b'{"choices": 7}', stream=False)
        await there.ask("SET", name, msgspec.msgpack.encode(bad))
    there.close()


def test_all_share_what_is_kept_in_the_state_and_miss_nothing_without_it(provider, tmp_path):
    with ScriptedUpstream(provider) as up, valkey() as server:
        config = (
            f"{CONFIG.format(up=up.url, **NAMED)}state: {{url: '{server.url}'}}\ncache: {{store: state, patience: 1}}\n"
        )
        with running(tmp_path / "one", config) as one, running(tmp_path / "other", config) as other:
            for each in (one, other):  # until it has connected
                wait_for(lambda each=each: ask(each, chat(f"there {each.port}"))[1] == "hit")
            ask(one, chat("far", stream=True))
            status, how, body, _ = ask(other, claude("far"))
            assert (status, how) == (200, "miss")  # it says how long it may be
            status, how, body, _ = ask(other, chat("far"))
            assert (status, how, said(body)) == (200, "hit", said(ask(one, chat("far", stream=True))[2]))
            assert ask(other, chat("far"), key=OTHER_KEY)[1] == "miss"
            asyncio.run(poison(server))
            assert ask(one, chat("far"))[:2] == (200, "miss")
            assert ask(one, chat("far"))[:2] == (200, "hit")
            server.kill()
            assert ask(one, chat("far"))[:2] == (200, "miss")
            assert one.metric("headgate_cache_away") == 1
            status, _, body = one.post({}, path="/admin/api/cache/clear", key=ADMIN_KEY)
            assert (status, json.loads(body)["code"]) == (503, "cache_away")


def test_what_is_taken_out_is_asked_again_and_who_did_it_is_known(gateway):
    def there(**said):
        status, _, done = gateway.post(said, path="/admin/api/cache/clear", key=ADMIN_KEY)
        assert status == 200
        return done["cleared"]

    there()
    for name, key in (("kept", KEY), ("also", KEY), ("also", OTHER_KEY), ("also", THIRD)):
        ask(gateway, chat("taken", model=name), key=key)
    assert there(older_than=3600) == 0
    assert there(alias="nobody") == 0
    assert there(alias="also", team="blue") == 1
    assert ask(gateway, chat("taken", model="also"), key=THIRD)[1] == "miss"
    assert ask(gateway, chat("taken", model="also"), key=OTHER_KEY)[1] == "hit"
    assert gateway.told_by("cache", "clear", "--key", "one").split() == ["2", "taken", "out"]
    assert ask(gateway, chat("taken"))[1] == "miss"
    assert gateway.post({"alias": 7}, path="/admin/api/cache/clear", key=ADMIN_KEY)[0] == 422
    _, _, audit = gateway.get("/admin/api/audit?kind=cache", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert [(each["action"], each["name"]) for each in audit["items"]][:2] == [("clear", "*"), ("clear", "also")]


def test_what_was_under_way_when_all_was_taken_out_is_not_kept(gateway, closed):
    with together(1, lambda _: ask(gateway, chat("under way"))) as [result]:
        wait_for(lambda: gateway.metric("headgate_in_flight") == 1)
        gateway.post({}, path="/admin/api/cache/clear", key=ADMIN_KEY)
        closed.set()
        assert result.result()[0] == 200
    assert ask(gateway, chat("under way"))[1] == "miss"


def test_it_is_explained(gateway):
    ask(gateway, chat("explained"))
    heads = ask(gateway, chat("explained"))[3]
    record = gateway.record_of(heads["x-request-id"])
    told = gateway.told_by("explain", record["id"])
    assert f"answered by the cache, as {record['cached']['of']} was" in told
    assert "Had a provider been asked, it would have cost $0.002 more." in told


def test_for_limits_it_is_a_request_and_nothing_else(gateway):
    """Two that had to be paid for would be more tokens, and more money, than there are."""
    outcomes = [ask(gateway, chat("limited"), key=LIMITED)[:2] for _ in range(4)]
    assert outcomes == [(200, "miss"), (200, "hit"), (200, "hit"), (429, None)]
    last = gateway.records(key="limited", ending="refused")[-1]
    assert "few" in last["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_connections_to_the_provider_are_used_again(gateway, stream):
    ask(gateway, chat(f"again {stream}", stream=stream))
    opened = gateway.metric("headgate_upstream_connections_opened_total")
    for number in range(5):
        assert ask(gateway, chat(f"again {stream} {number}", stream=stream))[1] == "miss"
    assert gateway.metric("headgate_upstream_connections_opened_total") == opened


def test_nothing_of_it_failed_inside_the_gateway(gateway):
    """After all of the above."""
    gateway.wait_for_metric(0, "headgate_in_flight")
    assert "Traceback" not in gateway.output()
    assert "never retrieved" not in gateway.output()
