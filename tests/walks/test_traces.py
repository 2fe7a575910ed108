"""Traces from outside: one for each request that is sampled or fails, with the provider's part below it."""

import itertools
import json
import re
import time

import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from collector import collecting
from gateways import ADMIN_KEY, KEY, running
from headgate.cli.requests import records
from headgate.core.trace import new_span
from traffic import answering
from upstreams import ScriptedUpstream, json_reply

INTERNAL, SERVER, CLIENT = 1, 2, 3
SECRET = "sk-secret-of-the-provider"
QUESTION = "what is nobody's business"


def config(upstream, collector, more=""):
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}, workers: 2, drain_timeout: 5}}
data_dir: {{DATA}}
retry: {{attempts: 2, backoff: 0.01}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: {SECRET}, base_url: '{upstream}/v1', propagate_trace: true}}
  quiet: {{kind: openai, api_key: {SECRET}, base_url: '{upstream}/v1'}}
  bad: {{kind: mistral, api_key: {SECRET}, base_url: '{upstream}/bad/v1'}}
models:
  chat: openai/gpt-4o-mini
  quiet: quiet/gpt-4o-mini
  spare: {{targets: [bad/mistral-small], fallbacks: [openai/gpt-4o-mini]}}
  broken: bad/mistral-small
  hedged: {{targets: [openai/slow, quiet/gpt-4o-mini], hedge: 0.1}}
teams: {{physics: {{}}}}
keys: [{{name: test, key: {KEY}, team: physics}}]
records: {{store: true}}
traces:
  endpoint: '{collector}'
  headers: {{x-collector-key: env:COLLECTOR_KEY}}
  ratio: 0
  attributes: {{deployment.environment.name: test}}
{more}
"""


@pytest.fixture(scope="module")
def upstream():
    good = answering()

    async def reply(asked):
        if asked.request.path.startswith("/bad"):
            words = f"\x1b[31m bad\r\nrequest about {QUESTION}"
            await asked.send(json_reply({"error": {"message": words, "type": "server_error"}}, status=500))
        elif b'"slow"' in asked.request.body:
            await asked.stall()
        else:
            await good(asked)

    with ScriptedUpstream(reply) as started:
        yield started


@pytest.fixture(scope="module")
def collector():
    with collecting() as (collector, address):
        collector.address = address
        yield collector


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream, collector):
    environ = {"COLLECTOR_KEY": "key-of-the-collector"}
    with running(tmp_path_factory.mktemp("traces"), config(upstream.url, collector.address), environ=environ) as made:
        yield made


def body(model="chat", **more):
    return {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}


def ask(gateway, model="chat", *, sampled=True, state=None, **more):
    """Asks as part of a trace of the client's own: its id, its span, the answer's status and headers."""
    id, span = new_span() + new_span(), new_span()
    headers = {"traceparent": f"00-{id}-{span}-{'01' if sampled else '00'}"}
    if state is not None:
        headers["tracestate"] = state
    status, told, _ = gateway.post(body(model, **more), headers=headers)
    return id, span, status, told


def test_one_trace_with_the_stages_and_the_attempt(gateway, collector):
    id, parent, status, headers = ask(gateway, state="vendor=1")
    assert status == 200
    assert headers["x-headgate-trace"] == id
    root, below = collector.trace(id)
    assert (root.parent, root.kind, root.failed, root.state) == (parent, SERVER, False, "vendor=1")
    assert root.name == "POST /v1/chat/completions"
    assert (
        root.attributes.items()
        >= {
            "http.response.status_code": 200,
            "headgate.request.id": headers["x-request-id"],
            "headgate.model": "chat",
            "headgate.key": "test",
            "headgate.team": "physics",
            "headgate.ending": "complete",
        }.items()
    )
    assert root.resource.items() >= {"service.name": "headgate", "deployment.environment.name": "test"}.items()
    assert [(span.name, span.kind) for span in below] == [
        ("authenticate", INTERNAL),
        ("receive", INTERNAL),
        ("route", INTERNAL),
        ("chat gpt-4o-mini", CLIENT),
    ]
    assert (
        below[-1].attributes.items()
        >= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.stream": False,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 1,
            "gen_ai.usage.output_tokens": 2,
            "http.response.status_code": 200,
        }.items()
    )
    assert all(root.start <= span.start <= span.end <= root.end + 1000 for span in below)
    assert all(one.end == other.start for one, other in itertools.pairwise(below[:3]))


def test_the_record_names_it_and_is_found_by_it(gateway):
    id, _, _, headers = ask(gateway)
    record = gateway.record_of(headers["x-request-id"])
    assert record["trace"]["id"] == id
    assert record["trace"]["kept"]
    gateway.wait_for_metric(0, "headgate_records_behind_bytes")
    for where in (["--config", str(gateway.config)], ["--data-dir", str(gateway.data)]):
        printed = CliRunner().invoke(records, ["--json", "--trace", id, *where], env=gateway.environ)
        assert [json.loads(line)["id"] for line in printed.stdout.splitlines()] == [headers["x-request-id"]]
    status, _, page = gateway.get(f"/admin/api/requests?trace={id}", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert status == 200
    assert [each["id"] for each in page["items"]] == [headers["x-request-id"]]


def test_a_stream_is_one_span_to_its_end(gateway, collector):
    id, *_ = ask(gateway, stream=True)
    root, below = collector.trace(id)
    call = below[-1]
    assert call.attributes["gen_ai.request.stream"] is True
    assert 0 < call.attributes["gen_ai.response.time_to_first_chunk"] < 5
    assert call.end == root.end


def test_each_attempt_is_a_span_and_the_failed_ones_say_so(gateway, collector):
    id, _, status, _ = ask(gateway, "spare")
    assert status == 200
    root, below = collector.trace(id)
    assert not root.failed
    calls = [span for span in below if span.kind == CLIENT]
    assert [(span.name, span.failed) for span in calls] == [
        ("chat mistral-small", True),
        ("chat gpt-4o-mini", False),
    ]
    assert calls[0].attributes.items() >= {"error.type": "provider_refused", "http.response.status_code": 500}.items()
    assert calls[0].attributes["gen_ai.provider.name"] == "mistral_ai"
    assert calls[0].end <= calls[1].start


def test_a_hedged_call_is_a_span_beside_the_other(gateway, collector):
    id, _, status, _ = ask(gateway, "hedged")
    assert status == 200
    _, below = collector.trace(id)
    slow, quick = (span for span in below if span.kind == CLIENT)
    assert (slow.attributes["error.type"], slow.failed) == ("hedged", False)
    assert slow.start < quick.start < slow.end


def test_a_failure_is_kept_at_a_ratio_of_0_and_tells_nothing_of_what_was_said(gateway, collector):
    before = len(collector.spans)
    status, headers, _ = gateway.post(body("broken"))
    assert status == 500
    root, below = collector.trace(headers["x-headgate-trace"])
    assert (root.parent, root.failed) == ("", True)
    assert root.attributes.items() >= {"error.type": "provider_refused", "headgate.error.origin": "provider"}.items()
    assert [span.failed for span in below if span.kind == CLIENT] == [True, True]
    sent = json.dumps([vars(span) for span in collector.spans[before:]])
    assert not re.search(rf"{QUESTION}|{SECRET}|{KEY}|x1b|u001b|request about|127\.0\.0\.1", sent)


def test_what_is_not_sampled_is_not_sent(gateway, collector):
    id, _, status, headers = ask(gateway, sampled=False)
    assert status == 200
    assert "x-headgate-trace" not in headers
    assert gateway.record_of(headers["x-request-id"])["trace"]["id"] == id, "but other systems' logs may name it"
    _, headers, _ = gateway.post(body())
    assert "x-headgate-trace" not in headers
    assert "trace" not in gateway.record_of(headers["x-request-id"])
    after, *_ = ask(gateway)
    collector.trace(after)
    assert not [span for span in collector.spans if span.trace == id]


def test_a_stranger_begins_no_trace(gateway, collector):
    id = new_span() + new_span()
    headers = {"traceparent": f"00-{id}-{new_span()}-01"}
    status, told, _ = gateway.post(body(), key="hg-nobody-has-this-key", headers=headers)
    assert status == 401
    assert "x-headgate-trace" not in told
    assert "kept" not in gateway.record_of(told["x-request-id"])["trace"]


def test_only_a_provider_that_is_to_know_is_told(gateway, upstream, collector):
    id, parent, *_ = ask(gateway, state="vendor=1", user="a")
    (seen,) = (request.headers for request in upstream.requests if id in request.headers.get("traceparent", ""))
    _, below = collector.trace(id)
    assert seen["traceparent"] == f"00-{id}-{below[-1].id}-01"
    assert seen["tracestate"] == "vendor=1"
    count = len(upstream.requests)
    other = {"traceparent": f"00-{'1' * 32}-{parent}-01", "tracestate": "a=1", "baggage": "user=me"}
    assert gateway.post(body("quiet"), headers=other)[0] == 200
    assert not {"traceparent", "tracestate", "baggage"} & upstream.requests[count].headers.keys()
    gateway.request("GET", "/quiet/v1/files", headers={"authorization": f"Bearer {KEY}", **other})
    assert not {"traceparent", "tracestate", "baggage"} & upstream.requests[-1].headers.keys()


def test_hostile_words_do_nothing_to_who_reads_the_spans(gateway, collector):
    id, _, status, _ = ask(gateway, "no\x1b[2J\r\nsuch\u202emodel" + "x" * 250)
    assert status == 404
    root, _ = collector.trace(id)
    assert root.attributes["headgate.model"].startswith("no\\x1b[2J\\r\\nsuch\\u202emodelx")
    assert len(root.attributes["headgate.model"]) < 270


def test_the_collectors_key_is_sent_and_kept_secret(gateway, collector):
    ask(gateway)
    assert {each["x-collector-key"] for each in collector.headers} == {"key-of-the-collector"}
    assert "key-of-the-collector" not in gateway.output()


def test_a_collector_that_is_away_costs_no_request_anything(gateway, collector):
    collector.status = 500
    try:
        ids = [ask(gateway)[0] for _ in range(3)]
        gateway.wait_for_metric(1, "headgate_traces_away")
        assert gateway.post(body())[0] == 200
    finally:
        collector.status = 200
    for id in ids:
        collector.trace(id)
    gateway.wait_for_metric(0, "headgate_traces_away")
    assert gateway.metric("headgate_traces_sent_total") >= 3
    assert gateway.metric("headgate_traces_failures_total") >= 1
    assert gateway.metric("headgate_traces_dropped_total") == 0
    gateway.says("the collector takes no traces")


def test_both_workers_are_traced_by_one_process(gateway, collector):
    until = time.monotonic() + 20
    while len({span.attributes["headgate.worker"] for span in collector.spans if span.kind == SERVER}) < 2:
        assert time.monotonic() < until
        collector.trace(ask(gateway)[0])


def test_metrics_lead_to_traces_and_are_those_of_all_workers(gateway, upstream):
    before = gateway.metric("headgate_team_requests_total", team="physics", model="quiet")
    ids = {ask(gateway, "quiet", stream=True)[0] for _ in range(8)}
    gateway.wait_for_metric(before + 8, "headgate_team_requests_total", team="physics", model="quiet")
    until = time.monotonic() + 20
    while not gateway.metric("headgate_loop_lag_seconds_count"):  # it is looked at now and then
        assert time.monotonic() < until
    status, headers, text = gateway.get("/metrics", {"accept": "application/openmetrics-text; version=1.0.0"})
    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(text.decode())}
    shown = {
        sample.exemplar.labels["trace_id"]
        for sample in families["headgate_request_seconds"].samples
        if sample.exemplar and sample.labels["model"] == "quiet"
    }
    assert shown & ids
    assert {sample.labels["worker"] for sample in families["process_cpu_seconds"].samples} == {"0", "1"}
    counted = {name: sum(sample.value for sample in families[name].samples) for name in families}
    assert counted["headgate_output_token_seconds"] > 0
    assert counted["headgate_loop_lag_seconds"] > 0
    failed = gateway.metric("headgate_errors_total", origin="provider", error="provider_refused", model="broken")
    assert gateway.post(body("broken"))[0] == 500
    gateway.wait_for_metric(
        failed + 1, "headgate_errors_total", origin="provider", error="provider_refused", model="broken"
    )
