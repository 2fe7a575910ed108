"""Where requests go by rules, seen from outside: one gateway, many rules, and a request made for each."""

import json

import pytest

from gateways import ADMIN_KEY, KEY, OTHER_KEY, running

PREMIUM_KEY = "hg-test-premium-0123456789abcd"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: {{}}}}
models:
  cheap: simulator/cheap
  smart: {{targets: [simulator/smart, simulator/smart-too]}}
  vision: simulator/vision
matching:
  time_zone: Europe/Vienna
  lists: {{legal: [contract, nda, "terms of service", 合同]}}
rules:
  - name: premium
    models: [auto, cheap]
    when: key == "premium" || metadata.tier == "premium"
    use: smart
  - {{name: pictures, when: images > 0, use: vision}}
  - {{name: batch, when: 'priority == "low"', use: cheap}}
  - {{name: shop, when: 'headers["x-app"] == "shop" || "app:shop" in tags', targets: simulator/shop}}
  - name: legal
    when: mentions(prompt, "legal")
    targets: [simulator/lawyer, simulator/lawyer-too]
    policy: ordered
  - {{name: ticket, when: 'prompt.matches("(?i)\\\\bticket #[0-9]+")', use: simulator/tickets}}
  - {{name: long, when: tokens > 500, use: simulator/long}}
  - {{name: json, when: json || tools > 0, use: simulator/structured}}
  - {{name: german, when: 'language == "de"', use: simulator/german}}
  - {{name: complex, when: complexity == "complex" && complexity_score > 0.6, use: simulator/complex}}
  - {{name: odd, when: 'tags[7] == "x"', use: simulator/never}}
  - {{name: never, when: hour < 0 || hour > 23 || weekday == "", use: simulator/never}}
  - {{name: vectors, when: 'operation == "embeddings"', use: simulator/vectors}}
  - {{name: rest, use: cheap}}
  - {{name: some, models: sometimes, when: stream, use: smart}}
  - {{name: turns, models: smart, when: '"spread" in tags', policy: round_robin}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: premium, key: {PREMIUM_KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: [auto, cheap]}}
"""
PNG = "data:image/png;base64,iVBORw0KGgo="
PICTURE = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PNG}}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("gateway"), CONFIG) as started:
        yield started
        assert "Traceback" not in started.output()
        assert started.output().count("the rule odd could not be decided") <= 1


def ask(gateway, prompt="Hello", model="auto", *, key=KEY, headers=None, **more):
    """(the model that answered, the record)."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **more}
    status, answered, answer = gateway.post(body, key=key, headers=headers)
    assert status == 200, answer
    return answered["x-headgate-model"].partition("/")[2], gateway.record_of(answered["x-request-id"])


@pytest.mark.parametrize(
    ("rule", "model", "request_"),
    [
        ("premium", "smart", {"key": PREMIUM_KEY}),
        ("premium", "smart", {"metadata": {"tier": "premium"}}),
        ("premium", "smart", {"headers": {"x-headgate-metadata": '{"tier": "premium"}'}, "metadata": {"tier": "free"}}),
        ("premium", "smart", {"key": PREMIUM_KEY, "model": "cheap"}),
        ("pictures", "vision", {"prompt": PICTURE}),
        ("batch", "cheap", {"headers": {"x-headgate-priority": "low"}}),
        ("batch", "cheap", {"headers": {"x-headgate-tags": "nightly, priority:low"}}),
        ("shop", "shop", {"headers": {"x-app": "shop"}}),
        ("shop", "shop", {"headers": {"x-headgate-tags": "app:shop"}}),
        ("legal", "lawyer", {"prompt": "Check our NDA, please."}),
        ("legal", "lawyer", {"prompt": "请检查这份合同。"}),
        ("ticket", "tickets", {"prompt": "What of Ticket #4711?"}),
        ("long", "long", {"prompt": "word " * 1000}),
        ("json", "structured", {"response_format": {"type": "json_object"}}),
        ("german", "german", {"prompt": "Wie wird das Wetter in Wien?"}),
        ("complex", "complex", {"prompt": "Prove that there are infinitely many primes, and explain each step."}),
        ("rest", "cheap", {"prompt": "What is the capital of Peru?"}),
        ("rest", "cheap", {}),
        ("rest", "cheap", {"prompt": "He is a contractor with a ticket."}),
    ],
)
def test_each_request_goes_where_its_rule_says(gateway, rule, model, request_):
    answered, record = ask(gateway, **request_)
    assert (answered, record["decision"]["rule"]) == (model, rule)
    assert record["model"] == request_.get("model", "auto")
    assert f" by the rule {rule}" in record["decision"]["why"]


def test_a_rule_that_cannot_be_decided_is_told_and_passed_over(gateway):
    assert ask(gateway)[0] == "cheap"
    gateway.says("the rule odd could not be decided")


def test_a_name_without_a_fitting_rule_is_itself(gateway):
    answered, record = ask(gateway, model="cheap")
    assert answered == "cheap"
    assert "rule" not in record["decision"]


def test_an_effort_behind_the_name(gateway):
    assert ask(gateway, model="auto:high", key=PREMIUM_KEY)[0] == "smart"


def test_a_rule_changes_only_the_policy(gateway):
    spread = {"headers": {"x-headgate-tags": "spread"}}
    assert {ask(gateway, model="smart", **spread)[0] for _ in range(2)} == {"smart", "smart-too"}
    assert {ask(gateway, model="smart")[0] for _ in range(2)} == {"smart"}


def test_no_rule_fits(gateway):
    status, headers, answer = gateway.post({"model": "sometimes", "messages": [{"role": "user", "content": "Hello"}]})
    assert (status, headers["x-headgate-error-code"]) == (404, "model_not_found")
    message = answer["error"]["message"]
    assert "no rule for 'sometimes' fits this request (tried some)" in message
    assert "add a last one without `when` to `rules`" in message
    assert ask(gateway, model="sometimes", stream=True)[1]["decision"]["rule"] == "some"


def test_a_limited_key_is_passed_by_what_it_may_not_use(gateway):
    answered, record = ask(gateway, key=OTHER_KEY, metadata={"tier": "premium"})
    assert (answered, record["decision"]["rule"]) == ("cheap", "rest")
    assert "the rule premium fits, but the key limited may not use smart" in record["decision"]["why"]
    assert ask(gateway, key=OTHER_KEY, headers={"x-app": "shop"})[0] == "shop"


def test_what_there_is_to_ask_for(gateway):
    def names(key):
        _, _, answer = gateway.get("/v1/models", {"authorization": f"Bearer {key}"})
        return [model["id"] for model in answer["data"]]

    assert names(ADMIN_KEY) == ["cheap", "smart", "vision", "auto", "sometimes"]
    assert names(OTHER_KEY) == ["cheap", "auto"]
    status, _, answer = gateway.get("/v1/models/auto", {"authorization": f"Bearer {KEY}"})
    assert (status, answer["id"]) == (200, "auto")


def test_other_apis_and_operations(gateway):
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "our nda"}]}
    assert gateway.post(body, "/v1/messages")[1]["x-headgate-model"].startswith("simulator/lawyer")
    gemini = {"contents": [{"parts": [{"text": "Ticket #1"}]}]}
    assert gateway.post(gemini, "/v1beta/models/auto:generateContent")[1]["x-headgate-model"] == "simulator/tickets"
    assert gateway.post({"model": "auto", "input": "x"}, "/v1/embeddings")[1]["x-headgate-model"] == "simulator/vectors"


def test_tags_stand_in_the_record(gateway):
    _, record = ask(gateway, headers={"x-headgate-tags": "nightly, app:x"}, metadata={"tags": "more"})
    assert record["tags"] == ["nightly", "app:x", "more"]


@pytest.mark.parametrize("metadata", ["{", "[]", '"x"', "\\u00ff", json.dumps({"tier": ["premium"]})])
def test_metadata_that_makes_no_sense_is_passed_over(gateway, metadata):
    assert ask(gateway, headers={"x-headgate-metadata": metadata})[1]["decision"]["rule"] == "rest"
