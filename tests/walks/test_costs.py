"""What each request cost stands in its record and, of whole answers, in a header."""

from decimal import Decimal

import pytest

from gateways import KEY, running

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: , unpriced: {{kind: simulator}}}}
models: {{chat: simulator/priced, free: unpriced/unknown}}
catalogue:
  models:
    simulator/priced: {{prices: {{input: 2, output: 10, flex.input: 1, flex.output: 5}}}}
keys: [{{name: test, key: {KEY}}}]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("costs"), CONFIG) as made:
        yield made


def ask(gateway, model, path="/v1/chat/completions", **more):
    body = {"model": model, "messages": [{"role": "user", "content": "How much is it?"}], "max_tokens": 20, **more}
    status, headers, answer = gateway.post(body, path)
    assert status == 200, answer
    return headers, gateway.record_of(headers["x-request-id"])


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(("model", "stream"), [("chat", False), ("chat", True), ("simulator/priced", False)])
def test_the_cost_is_what_was_used_times_its_price(gateway, path, model, stream):
    asked = {"stream_options": {"include_usage": True}} if stream and "chat" in path else {}
    headers, record = ask(gateway, model, path, stream=stream, **asked)
    usage = record["usage"]
    assert Decimal(record["cost"]) == Decimal(2 * usage["input"] + 10 * usage["output"]) / 10**6
    assert headers.get("x-headgate-cost") == (None if stream else record["cost"])


def test_a_tier_has_prices_of_its_own(gateway):
    _, record = ask(gateway, "chat", service_tier="flex")
    usage = record["usage"]
    assert Decimal(record["cost"]) == Decimal(usage["input"] + 5 * usage["output"]) / 10**6


def test_what_is_not_known_is_not_nothing(gateway):
    headers, record = ask(gateway, "free")
    assert "cost" not in record
    assert "x-headgate-cost" not in headers
