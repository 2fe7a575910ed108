"""What each request cost stands in its record and, of whole answers, in a header."""

import subprocess
import sys
from decimal import Decimal

import pytest

from gateways import KEY, running
from headgate.catalog.arithmetic import TIMES
from upstreams import ScriptedUpstream, json_reply

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  simulator:
  unpriced: {{kind: simulator}}
  scripted: {{kind: openai_compatible, base_url: "{{URL}}/v1", api_key: x, catalogue: openai}}
models: {{chat: simulator/priced, free: unpriced/unknown}}
catalogue:
  price_factors: {{scripted: 0.5}}
  models:
    simulator/priced: {{prices: {{input: 2, output: 10, flex.input: 1, flex.output: 5}}}}
    scripted/tiered: {{prices: {{input: 2, output: 10, flex.input: 1, flex.output: 5}}}}
keys: [{{name: test, key: {KEY}}}]
"""


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    with running(tmp_path_factory.mktemp("costs"), CONFIG.replace("{URL}", upstream.url)) as made:
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


def test_the_arithmetic_stands_beside_it_and_is_told_in_words(gateway):
    _, record = ask(gateway, "chat", service_tier="flex")
    used = record["usage"]
    assert record["cost_parts"] == [
        ["input", used["input"], "flex.input", "1"],
        ["output", used["output"], "flex.output", "5"],
    ]
    told = f"{used['input']} input {TIMES} $1/M (flex.input) + {used['output']} output {TIMES} $5/M (flex.output)"
    shown = told_by(gateway, "records", "--id", record["id"])
    assert f"${record['cost']} = {told}" in shown
    assert "cost_parts" not in shown
    assert f"It cost ${record['cost']}: {told}." in told_by(gateway, "explain", record["id"])


def told_by(gateway, *command):
    """What a command says of the running gateway's records."""
    whole = [sys.executable, "-m", "headgate", *command, "--config", str(gateway.config)]
    return subprocess.run(whole, capture_output=True, text=True, check=True, env=gateway.environ).stdout


@pytest.mark.parametrize(("asked", "served", "cost"), [("flex", "default", "0.012"), (None, "flex", "0.006")])
def test_the_tier_that_served_it_counts(gateway, upstream, asked, served, cost):
    upstream.script = answered(prompt_tokens=1000, completion_tokens=1000, service_tier=served)
    _, record = ask(gateway, "scripted/tiered", **({"service_tier": asked} if asked else {}))
    assert (record["cost"], record["usage"]["tier"]) == (cost, served)


def answered(service_tier="default", **usage):
    """A whole reply that reports this usage."""
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    usage["total_tokens"] = sum(usage.values())
    return json_reply({**reply, "usage": usage, "service_tier": service_tier})


def test_a_factor_of_the_list_price_and_a_price_of_ones_own_hold_with_the_next_request(gateway, upstream):
    upstream.script = answered(prompt_tokens=1000, completion_tokens=100)
    _, record = ask(gateway, "scripted/gpt-4o")
    before = gateway.config.read_text()
    assert record["cost_parts"] == [["input", 1000, "input", "1.25"], ["output", 100, "output", "5"]]
    gateway.write(before.replace("scripted: 0.5", "scripted/gpt-4o: 1.1"))
    gateway.says("the configuration was reloaded", 1)
    assert ask(gateway, "scripted/gpt-4o")[1]["cost_parts"][0] == ["input", 1000, "input", "2.75"]
    own = "scripted/gpt-4o: {prices: {input: 7, output: 0}}"
    gateway.write(before.replace("  models:\n    sim", f"  models:\n    {own}\n    sim"))
    gateway.says("the configuration was reloaded", 2)
    assert ask(gateway, "scripted/gpt-4o")[1]["cost"] == "0.007"


def test_what_is_not_known_is_not_nothing(gateway):
    headers, record = ask(gateway, "free")
    assert "cost" not in record
    assert record["unpriced"] == "no prices are known of unpriced/unknown"
    assert "x-headgate-cost" not in headers
