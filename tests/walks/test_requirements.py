"""Who is given a request that requires something of its targets, seen from outside."""

import pytest

from gateways import KEY, running

CLINIC = "hg-clinic-key-0123456789"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  us: {{kind: simulator, traits: [US]}}
  eu: {{kind: simulator, traits: [eu, no-training]}}
models:
  chat: {{targets: [us/a, {{model: eu/b, traits: [reviewed]}}], fallbacks: [eu/c]}}
  copied: {{targets: [eu/b], shadow: {{target: us/next}}, judge: {{target: us/judge, share: 1}}}}
  long: {{targets: [eu/b], fallbacks_on: {{context_overflow: [us/long], rate_limit: [eu/c, us/d]}}}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: clinic, key: {CLINIC}, requires: [eu, No-Training]}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("requirements"), CONFIG) as made:
        yield made


def ask(gateway, model, *requires, key=KEY, path="/v1/chat/completions", explain=False):
    headers = {"x-headgate-requires": ", ".join(requires)} if requires else {}
    headers |= {"x-headgate-explain": "true"} if explain else {}
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}
    return gateway.post(body, path, key=key, headers=headers)


def test_a_key_keeps_its_requests_where_they_may_be(gateway):
    assert ask(gateway, "chat")[1]["x-headgate-model"] == "us/a"
    for path in ("/v1/chat/completions", "/v1/messages"):
        status, headers, _ = ask(gateway, "chat", key=CLINIC, path=path)
        assert (status, headers["x-headgate-model"]) == (200, "eu/b")
    decision = gateway.record_of(headers["x-request-id"])["decision"]
    assert decision["candidates"][-1] == {"target": "us/a", "by": "requirement", "out": "is not eu, no-training"}


def test_a_request_may_require_more_and_never_less(gateway):
    assert ask(gateway, "chat", "REVIEWED")[1]["x-headgate-model"] == "eu/b"
    assert ask(gateway, "chat", "us")[1]["x-headgate-model"] == "us/a"
    status, _, body = ask(gateway, "chat", "us", key=CLINIC)
    assert (status, body["error"]["code"]) == (403, "requirement_not_met")


def test_who_is_named_directly_is_refused_and_told_why(gateway):
    status, _, body = ask(gateway, "us/a", key=CLINIC)
    assert (status, body["error"]["code"]) == (403, "requirement_not_met")
    assert "the key 'clinic' requires eu, no-training" in body["error"]["message"]
    assert "(us/a: us)" in body["error"]["message"]
    status, _, body = ask(gateway, "us/a", "hipaa")
    assert "x-headgate-requires requires hipaa" in body["error"]["message"]
    assert ask(gateway, "eu/anything", key=CLINIC)[0] == 200


def test_what_is_forwarded_unread_is_kept_too(gateway):
    headers = {"authorization": f"Bearer {CLINIC}"}
    assert gateway.request("GET", "/us/v1/files", headers=headers)[0] == 403


def test_it_holds_for_fallbacks_for_a_cause(gateway):
    status, _, told = ask(gateway, "long", key=CLINIC, explain=True)
    assert status == 200
    assert told["manner"]["fallbacks_on"] == {"context_overflow": [], "rate_limit": ["eu/c"]}


def test_no_copy_and_no_judge_sees_it(gateway):
    assert ask(gateway, "copied", key=CLINIC)[0] == 200
    assert ask(gateway, "copied")[0] == 200  # of this one there are both, after that one's
    gateway.wait_for_metric(1, "headgate_shadows_total", target="us/next", ending="complete")
    gateway.wait_for_metric(1, "headgate_attempts_total", target="us/judge")
    refused = gateway.records(1, error="requirement_not_met", ending="failed")
    assert [each["shadow_of"] for each in refused if "shadow_of" in each]
    assert gateway.metric("headgate_attempts_total", target="us/next") == 1
