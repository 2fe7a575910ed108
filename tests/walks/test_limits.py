"""Limits as clients meet them: refused, told what is left, made to wait, given another model."""

import concurrent.futures
import http.client
import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateways import KEY, running


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


PRICES = "{prices: {input: 1, output: 10}}"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  {{simulator: , unpriced: {{kind: simulator}}, near: {{kind: simulator}}, far: {{kind: simulator}},
    local: {{kind: simulator}}}}
models:
  {{small: simulator/s, large: simulator/l, free: unpriced/x, cheap: simulator/c, half: simulator/h,
    hop: [near/m, far/m], priced: [unpriced/x, near/p], ours: local/m, either: [local/m, simulator/s]}}
catalogue:
  models: {{simulator/s: {PRICES}, simulator/l: {PRICES}, simulator/c: {PRICES},
    simulator/h: {{prices: {{requests: 0.001, output: 3}}}}}}
applications: {{shop: {{limits: [{{requests: 4, every: month}}]}}}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: five, key: {key("five")}, limits: [{{requests: 5, every: month, warn_at: 0.6}}]}}
  - {{name: shop1, key: {key("shop1")}, application: shop}}
  - {{name: shop2, key: {key("shop2")}, application: shop}}
  - {{name: modest, key: {key("modest")}, limits: [{{tokens: 1000, every: month}}]}}
  - {{name: none, key: {key("none")}, limits: [{{requests: 0, every: month}}]}}
  - {{name: poor, key: {key("poor")}, limits: [{{money: 0.01, every: month, status: 402, warn_at: 0.8}}]}}
  - {{name: race, key: {key("race")}, limits: [{{money: 0.01, every: month}}]}}
  - {{name: burst, key: {key("burst")}, limits: [{{requests: 10, every: hour, burst: 4}}]}}
  - {{name: queue, key: {key("queue")}, limits: [{{requests: 2, every: second, burst: 2, then: queue, queue: 3}}]}}
  - {{name: left, key: {key("left")}, limits: [{{requests: 2, every: second, burst: 2, then: queue, queue: 3}}]}}
  - {{name: down, key: {key("down")}, models: [large, cheap],
      limits: [{{requests: 2, every: month, then: downgrade, use: cheap}}]}}
  - {{name: two, key: {key("two")}, limits: [{{concurrency: 2}}]}}
  - {{name: told, key: {key("told")}, limits: [{{requests: 1, every: month, warn_at: 0.5}}]}}
limits:
  - {{name: large together, for: {{model: large, key: [shop2, test]}}, requests: 2, every: month}}
  - {{name: each end user, for: {{key: test}}, per: [end_user], requests: 2, every: month}}
  - {{name: near, for: {{provider: near}}, requests: 2, every: month}}
  - {{name: far, for: {{provider: far}}, per: [key, provider], requests: 3, every: day}}
  - {{name: places, for: {{provider: local}}, concurrency: 1, then: queue, queue: 1}}
  - {{name: paid, for: {{provider: unpriced, key: shop1}}, money: 1, every: month}}
  - {{name: nightly, for: {{tag: nightly}}, output_tokens: 30, every: month}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("limits"), CONFIG) as made:
        yield made


def ask(gateway, name, model="small", path="/v1/chat/completions", text="Hello", headers=None, **more):
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 20, **more}
    return gateway.post(body, path, key=name if name == KEY else key(name), headers=headers or {})


def code(answer):
    return answer[0], answer[1].get("x-headgate-error-code")


def test_the_sixth_of_five_is_refused_and_told_when_there_are_more(gateway):
    left = []
    for number in range(5):
        status, headers, _ = ask(gateway, "five", user=f"u{number}")
        assert status == 200
        left.append(headers["x-ratelimit-remaining-requests"])
        assert ("x-headgate-limit-warning" in headers) == (number == 2)
    assert left == ["4", "3", "2", "1", "0"]
    status, headers, body = ask(gateway, "five")
    assert code((status, headers)) == (429, "limit_exceeded")
    assert headers["x-headgate-limit"] == "key five"
    assert headers["x-ratelimit-limit-requests"] == "5"
    assert int(headers["retry-after"]) > 0
    assert "the limit 'key five' is 5 requests every month, and 0 is left; try again in" in body["error"]["message"]
    assert ask(gateway, KEY, user="five")[0] == 200
    gateway.says("the limit 'key five' is used to 60 %")


def test_the_keys_of_an_application_share_its_limit_in_every_api(gateway):
    assert [ask(gateway, name)[0] for name in ("shop1", "shop2", "shop1")] == [200, 200, 200]
    assert ask(gateway, "shop2", path="/v1/messages")[0] == 200
    status, headers, body = ask(gateway, "shop1", path="/v1/messages")
    assert (status, body["error"]["type"]) == (429, "rate_limit_error")
    assert headers["x-headgate-limit"] == "application shop"


def test_a_limit_on_a_model_stops_all_whom_it_is_for_on_this_model_only(gateway):
    assert [ask(gateway, KEY, "large", user="a")[0] for _ in range(2)] == [200, 200]
    assert ask(gateway, KEY, "large", user="b")[1]["x-headgate-limit"] == "large together"
    assert ask(gateway, KEY, "small", user="b")[0] == 200


def test_each_end_user_has_a_quota_below_the_key(gateway):
    assert [ask(gateway, KEY, user="ann")[0] for _ in range(3)] == [200, 200, 429]
    assert ask(gateway, KEY, headers={"x-headgate-user": "eve"})[0] == 200


def test_a_limit_of_none_is_told_without_advice_that_does_not_help(gateway):
    status, _, body = ask(gateway, "none")
    assert status == 429
    assert body["error"]["message"].endswith("more than it ever allows")


def test_tokens_are_held_by_what_is_asked_and_settled_by_what_came(gateway):
    status, _, body = ask(gateway, "modest", max_tokens=2000)
    assert status == 429
    assert "more than it ever allows: ask for a shorter answer" in body["error"]["message"]
    before = 1000
    for _ in range(3):
        status, headers, body = ask(gateway, "modest", max_tokens=500)
        assert status == 200
        left = int(headers["x-ratelimit-remaining-tokens"])
        assert left < before - 500  # while it runs, all it may come to is held
        before -= body["usage"]["total_tokens"]


def test_a_tag_has_a_limit(gateway):
    tagged = {"x-headgate-tags": "nightly"}
    assert ask(gateway, KEY, headers={**tagged, "x-headgate-user": "n1"})[0] == 200
    assert ask(gateway, KEY, headers={**tagged, "x-headgate-user": "n2"}, max_tokens=31)[0] == 429
    assert ask(gateway, KEY, headers={"x-headgate-user": "n3"}, max_tokens=31)[0] == 200


def test_a_budget_ends_and_says_what_is_left(gateway):
    spent, warned = Decimal(0), 0
    while True:
        status, headers, body = ask(gateway, "poor", text="x" * 400, max_tokens=100)
        if status != 200:
            break
        spent += Decimal(headers["x-headgate-cost"])
        warned += "x-headgate-limit-warning" in headers
        assert Decimal(headers["x-budget-remaining"]) + spent <= Decimal("0.01")
    assert code((status, headers)) == (402, "budget_exceeded")
    assert Decimal("0.008") < spent <= Decimal("0.01")
    assert warned == 1
    assert "$0.01 every month" in body["error"]["message"]


def test_fifty_at_once_do_not_spend_more_than_there_is(gateway):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: ask(gateway, "race", text="x" * 400, max_tokens=100), range(50)))
    costs = [Decimal(headers["x-headgate-cost"]) for status, headers, _ in answers if status == 200]
    assert costs
    assert sum(costs) <= Decimal("0.01")
    assert {status for status, _, _ in answers} == {200, 429}


def test_what_has_no_price_is_not_asked_on_a_budget(gateway):
    assert code(ask(gateway, "race", "free")) == (403, "price_unknown")
    assert code(ask(gateway, "race", "half")) == (403, "price_unknown")  # of its prompts nobody knows it
    assert code(ask(gateway, "race", "nothing-at-all")) == (404, "model_not_found")


def test_a_burst_passes_at_once_and_no_more(gateway):
    assert [ask(gateway, "burst")[0] for _ in range(5)] == [200, 200, 200, 200, 429]


def test_who_waits_is_served_in_the_next_window_and_the_line_is_bounded(gateway):
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer[0] for answer in pool.map(lambda _: ask(gateway, "queue"), range(8)))
    assert statuses == [200, 200, 200, 200, 200, 429, 429, 429]
    assert time.monotonic() - began > 0.9


def test_a_client_that_leaves_frees_its_place(gateway):
    ask(gateway, "left"), ask(gateway, "left")
    body = {"model": "small", "messages": [{"role": "user", "content": "x"}]}
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
        headers = {"authorization": f"Bearer {key('left')}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        time.sleep(0.02)
        connection.close()
    assert ask(gateway, "left")[0] == 200


def test_another_model_is_asked_when_the_limit_is_used_up(gateway):
    for number in range(4):
        status, headers, _ = ask(gateway, "down", "large")
        assert status == 200
        assert headers["x-headgate-model"] == ("simulator/l" if number < 2 else "simulator/c")
        assert headers.get("x-headgate-downgraded") == (None if number < 2 else "key down")
    assert gateway.record_of(headers["x-request-id"])["downgraded"] == "key down"


def test_no_more_run_at_a_time_than_may(gateway):
    slow = {"text": "Hello [sim delay=0.3]"}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer[0] for answer in pool.map(lambda _: ask(gateway, "two", **slow), range(4)))
    assert statuses == [200, 200, 429, 429]
    assert ask(gateway, "two")[0] == 200


def test_metrics_tell_who_was_refused(gateway):
    assert [ask(gateway, "told")[0] for _ in range(3)] == [200, 429, 429]
    text = gateway.get("/metrics")[2].decode()
    assert 'headgate_limit_exceeded_total{limit="key told",then="deny"} 2.0' in text
    assert 'headgate_limit_warnings_total{limit="key told"} 1.0' in text


def test_a_provider_whose_limit_is_used_up_is_passed_over_and_the_last_one_says_when_there_is_more(gateway):
    asked = [ask(gateway, "two", "hop") for _ in range(5)]
    assert [headers["x-headgate-model"] for _, headers, _ in asked] == ["near/m"] * 2 + ["far/m"] * 3
    assert "x-ratelimit-limit-requests" not in asked[0][1], "what a provider is asked is nobody else's concern"
    record = gateway.record_of(asked[2][1]["x-request-id"])
    [out] = [each for each in record["decision"]["candidates"] if "out" in each]
    assert out == {"target": "near/m", "out": "the limit 'near' has no room", "by": "limit"}
    assert record["counted"] == {"far | requests a day | key=two | provider=far": 1}
    status, headers, body = ask(gateway, "two", "hop")
    assert code((status, headers)) == (429, "limit_exceeded")
    last = (datetime.now(UTC) + timedelta(days=1)).day == 1  # of a month, both end at once, and the first is told
    assert headers["x-headgate-limit"] == ("near" if last else "far"), "the day ends before the month"
    assert 0 < int(headers["retry-after"]) <= 86_400
    told = "the limit 'near' is 2 requests every month" if last else "the limit 'far' is 3 requests every day"
    assert f"{told}, and 0 is left" in body["error"]["message"]
    explain = {"x-headgate-explain": "true"}
    explained = ask(gateway, "two", "hop", headers=explain)[2]
    assert explained["error"]["status"] == 429
    assert [each["by"] for each in explained["candidates"]] == ["limit", "limit"]
    assert ask(gateway, "shop2", "hop", headers=explain)[2]["target"] == "far/m", "each key has a counter of its own"


def test_a_target_without_a_price_is_passed_over_by_who_has_a_budget_there(gateway):
    explained = ask(gateway, "shop1", "priced", headers={"x-headgate-explain": "1"})[2]
    assert (
        "the price of unpriced/x is not known"
        in {each["target"]: each for each in explained["candidates"]}["unpriced/x"]["out"]
    )


def test_a_local_model_has_a_line_and_who_can_go_elsewhere_does_not_stand_in_it(gateway):
    slow = {"text": "Hello [sim delay=0.2]"}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, gateway, "modest", "ours", **slow)
        time.sleep(0.1)
        other = pool.submit(ask, gateway, "modest", "either", **slow)
        waits = pool.submit(ask, gateway, "modest", "ours")
        time.sleep(0.05)
        assert ask(gateway, "modest", "ours")[1]["x-headgate-limit"] == "places"
        assert [each.result()[0] for each in (first, other, waits)] == [200] * 3
        assert other.result()[1]["x-headgate-model"] == "simulator/s"
    [record] = gateway.records(1, id=other.result()[1]["x-request-id"])
    assert record["decision"]["why"].startswith("alias either; left out: local/m (the limit 'places' has no room)")
