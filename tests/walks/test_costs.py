"""What each request cost stands in its record and, of whole answers, in a header."""

import json
from decimal import Decimal

import pytest

from gateways import KEY, Wire, http_request, running
from headgate.catalog import tokens
from headgate.catalog.arithmetic import TIMES
from upstreams import Close, Reset, ScriptedUpstream, Sleep, Stall, json_reply, sse_event

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  simulator:
  unpriced: {{kind: simulator}}
  claude: {{kind: anthropic, base_url: "{{URL}}", api_key: x}}
  scripted: {{kind: openai_compatible, base_url: "{{URL}}/v1", api_key: x, catalogue: openai}}
  gone: {{kind: openai_compatible, base_url: "http://127.0.0.1:9/v1", api_key: x}}
models:
  chat: simulator/priced
  free: unpriced/unknown
  frugal: {{policy: cheapest, targets: [scripted/dear, scripted/own]}}
  spared: {{targets: [gone/cheap, scripted/own]}}
  only: {{targets: [scripted/own, scripted/dear]}}
  clever: scripted/dear
rules: [{{name: easy, models: [clever], when: metadata.easy == "yes", use: only}}]
catalogue:
  price_factors: {{scripted: 0.5}}
  models:
    simulator/priced: {{prices: {{input: 2, output: 10, flex.input: 1, flex.output: 5}}}}
    scripted/dear: {{prices: {{input: 4, output: 30}}}}
    gone/cheap: {{prices: {{input: 1, output: 5}}}}
    scripted/own: {{prices: {{input: 2, output: 10}}}}
    claude/own: {{prices: {{input: 2, output: 10, cache_read: 1}}}}
    scripted/tiered: {{prices: {{input: 2, output: 10, flex.input: 1, flex.output: 5}}}}
limits:
  - {{name: all, tokens: 1000000000, every: month}}
  - {{name: theirs, tokens: 1000000000, every: month, per: [provider]}}
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
    shown = gateway.told_by("records", "--id", record["id"])
    assert f"${record['cost']} = {told}" in shown
    assert "cost_parts" not in shown
    assert f"It cost ${record['cost']}: {told}." in gateway.told_by("explain", record["id"])


@pytest.mark.parametrize(
    ("model", "saved"),
    [
        ("frugal", {"routing": "0.022"}),
        ("spared", {"routing": "-0.006"}),
        ("clever", {"routing": "0.022"}),
        ("only", {}),
        ("scripted/own", {}),
    ],
)
def test_what_routing_saved_is_told_against_the_first_target(gateway, upstream, model, saved):
    upstream.script = answered(prompt_tokens=1000, completion_tokens=1000)
    _, record = ask(gateway, model, metadata={"easy": "yes"})
    assert (record["target"], record["cost"]) == ("scripted/own", "0.012")
    assert record.get("saved", {}) == saved
    for amount in saved.values():
        told = f"${amount.removeprefix('-')} {'less' if amount.startswith('-') else 'more'}"
        assert f"At the first target of its alias, it would have cost {told}." in gateway.told_by(
            "explain", record["id"]
        )


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


TEXT = "The quick brown fox jumps over the lazy dog. " * 8
"""Of 360 letters: 90 tokens by length."""


def chunks(*texts):
    """A stream of OpenAI's without its end, that never says what was used."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": text} for text in texts)]
    return [sse_event({**head, "choices": [{"index": 0, "delta": delta}]}) for delta in deltas]


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
END = sse_event({"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"


def counted(record, prompt, answer):
    """Its tokens, and that they are paid, and count for the limits, as they were counted."""
    used = record["usage"]
    assert record["estimated"] is True
    assert (prompt[0] <= used["input"] <= prompt[1], answer[0] <= used["output"] <= answer[1]) == (True, True), used
    assert Decimal(record["cost"]) == Decimal(2 * used["input"] + 10 * used["output"]) / 10**6
    assert [*record["counted"].values()] == [used["input"] + used["output"]] * 2


def test_a_reply_that_says_nothing_of_its_use_is_counted(gateway, upstream):
    message = {"role": "assistant", "content": TEXT}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    upstream.script = json_reply(reply)
    headers, record = ask(gateway, "scripted/own")
    counted(record, (8, 14), (90, 90))
    assert headers["x-headgate-cost"] == record["cost"]
    _, crossed = ask(gateway, "scripted/own", "/v1/messages")
    counted(crossed, (8, 14), (90, 90))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_so_is_a_stream(gateway, upstream, path):
    upstream.script = (STREAM, *chunks(*[TEXT] * 4), END, Close())
    counted(ask(gateway, "scripted/own", path, stream=True)[1], (8, 14), (360, 360))


def test_of_a_long_stream_a_part_is_counted_and_the_rest_taken_to_be_like_it(gateway, upstream):
    upstream.script = (STREAM, *chunks(*[TEXT] * 200), END, Close())
    counted(ask(gateway, "scripted/own", stream=True)[1], (8, 14), (17_000, 19_000))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_stream_that_its_client_leaves_is_paid_for_as_far_as_it_came(gateway, upstream, path):
    upstream.script = (STREAM, *chunks(TEXT, TEXT), Stall())
    body = {"model": "scripted/own", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": True}
    with Wire(gateway.port) as client:
        client.send(http_request(path, json.dumps(body).encode()))
        heard = b""
        while heard.count(b"lazy dog") < 16:
            heard += client.sock.recv(65536)
    record = gateway.records(1, ending="cancelled", path=path)[-1]
    counted(record, (4, 12), (180, 180))


def test_what_was_reported_before_a_stream_broke_off_counts(gateway, upstream):
    usage = {"input_tokens": 1000, "cache_read_input_tokens": 500, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "own", "content": [], "stop_reason": None}
    start = {"type": "message_start", "message": {**message, "usage": usage}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}
    pieces = [sse_event(each, each["type"]) for each in (start, block, delta)]
    upstream.script = (STREAM, *pieces, Sleep(0.1), Reset())
    body = {"model": "claude/own", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99, "stream": True}
    gateway.post(body, "/v1/messages")
    record = gateway.records(1, ending="cut")[-1]
    used = record["usage"]
    assert (used["input"], used["cache_read"], used["output"]) == (1000, 500, 90)
    assert (record["estimated"], record["cost"]) == (True, "0.0034")


@pytest.mark.skipif(not tokens.exact("gpt-4o"), reason="no vocabulary: `make vocabulary`")
def test_a_public_vocabulary_counts_exactly(gateway, upstream):
    # loads it, however long that takes here; a record waits two seconds for a count
    assert gateway.post({"model": "scripted/gpt-4o", "prompt": "x"}, "/v1/tokenize")[0] == 200
    upstream.script = (STREAM, *chunks("tiktoken is great!"), END, Close())
    _, record = ask(gateway, "scripted/gpt-4o", stream=True)
    assert (record["usage"]["output"], record["estimated"]) == (6, True)


def test_what_a_model_reports_teaches_how_to_count_it(gateway, upstream):
    choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
    reply = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    question = [{"role": "user", "content": TEXT}]
    upstream.script = json_reply({**reply, "usage": {"prompt_tokens": 190, "completion_tokens": 135}})
    _, told = ask(gateway, "scripted/taught", messages=question)
    assert "estimated" not in told
    upstream.script = json_reply(reply)
    _, record = ask(gateway, "scripted/taught", messages=question)
    assert (record["usage"]["input"], record["usage"]["output"]) == (190, 135)
    gateway.stop()
    assert set(json.loads((gateway.data / "token-ratios.json").read_text())) >= {"scripted/taught"}
    gateway.start()
    _, again = ask(gateway, "scripted/taught", messages=question)
    assert again["usage"] == record["usage"]


def test_a_factor_of_the_list_price_and_a_price_of_ones_own_hold_with_the_next_request(gateway, upstream):
    upstream.script = answered(prompt_tokens=1000, completion_tokens=100)
    _, record = ask(gateway, "scripted/gpt-4o")
    before = gateway.config.read_text()
    assert record["cost_parts"] == [["input", 1000, "input", "1.25"], ["output", 100, "output", "5"]]
    gateway.change(before.replace("scripted: 0.5", "scripted/gpt-4o: 1.1"))
    gateway.says("the configuration was reloaded", 1)
    assert ask(gateway, "scripted/gpt-4o")[1]["cost_parts"][0] == ["input", 1000, "input", "2.75"]
    own = "scripted/gpt-4o: {prices: {input: 7, output: 0}}"
    gateway.change(before.replace("  models:\n    sim", f"  models:\n    {own}\n    sim"))
    gateway.says("the configuration was reloaded", 2)
    assert ask(gateway, "scripted/gpt-4o")[1]["cost"] == "0.007"


def test_what_is_not_known_is_not_nothing(gateway):
    headers, record = ask(gateway, "free")
    assert "cost" not in record
    assert record["unpriced"] == "no prices are known of unpriced/unknown"
    assert "x-headgate-cost" not in headers
