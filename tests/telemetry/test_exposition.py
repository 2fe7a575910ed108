"""The text of /metrics is what a real parser reads, and says what was counted."""

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from headgate.core.record import Attempt, Record
from headgate.core.trace import Trace
from headgate.core.usage import Usage
from headgate.telemetry.exposition import Exposition
from headgate.telemetry.families import FAMILIES, WATCHED
from headgate.telemetry.metrics import Metrics

NASTY = 'a"b\\c\nd{}é'


@pytest.fixture
def metrics():
    watched = {family.name: (lambda labels=family.labels: {labels: 1.0}) for family in WATCHED}
    metrics = Metrics(models={NASTY}, watched=watched, by_key=True)
    metrics.late(0.1)
    usage = Usage(input=10, output=5)
    for duration in (0.001, 0.4, 3.0, 9_999.0):
        metrics.count(
            Record(
                id="x",
                time=1.0,
                model=NASTY,
                target="openai/gpt",
                status=200,
                duration=duration,
                first_token=duration,
                usage=usage,
                team=NASTY,
                key=NASTY,
                cost="0.5",
                stream=True,
                error=NASTY,
                trace=Trace("a" * 32, "b" * 16, kept=True),
                attempts=[Attempt("openai/gpt", 1.0)],
            )
        )
    return metrics


def samples(families):
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_a_parser_reads_it(metrics):
    text, kind = Exposition(metrics, version="1.2.3").render()
    assert kind.startswith("text/plain; version=")
    families = list(parse(text.decode()))
    found = samples(families)
    model, provider = ("model", NASTY), ("provider", "openai")
    key = ("ending", "complete"), model, ("origin", "none"), provider, ("status", "200")
    assert found["headgate_requests_total", *key] == 4
    assert found["headgate_request_seconds_bucket", ("le", "0.5"), model, provider] == 2
    assert found["headgate_request_seconds_bucket", ("le", "+Inf"), model, provider] == 4
    assert found["headgate_request_seconds_count", model, provider] == 4
    assert found["headgate_request_seconds_sum", model, provider] == pytest.approx(10_002.401)
    assert found["headgate_tokens_total", ("class", "input"), model, provider] == 40
    assert any(name == "headgate_build_info" and ("version", "1.2.3") in labels for name, *labels in found)
    told = {family.name for family in families}
    assert told >= FAMILIES.keys()
    if Path("/proc/self/stat").exists():
        assert found["process_resident_memory_bytes", ("worker", "0")] > 1_000_000


def test_openmetrics_for_who_asks_for_it(metrics):
    text, kind = Exposition(metrics, version="1").render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert {family.name for family in parse_openmetrics(text.decode())} >= FAMILIES.keys()


def test_a_traced_request_is_an_exemplar_of_openmetrics_alone(metrics):
    text, _ = Exposition(metrics, version="1").render("application/openmetrics-text; version=1.0.0")
    (family,) = (each for each in parse_openmetrics(text.decode()) if each.name == "headgate_request_seconds")
    found = {sample.labels["le"]: sample.exemplar for sample in family.samples if sample.exemplar}
    assert {exemplar.labels["trace_id"] for exemplar in found.values()} == {"a" * 32}
    assert found["0.5"].value == 0.4
    assert b"trace_id" not in Exposition(metrics, version="1").render()[0]


UNITS = ("seconds", "bytes", "dollars", "ratio", "percent", "points", "similarity")
"""Base units (https://prometheus.io/docs/practices/naming/#base-units), and what has none."""


def test_what_promtool_would_say(metrics):
    """`promtool check metrics` (https://github.com/prometheus/client_golang, promlint), on what a parser reads."""
    text = Exposition(metrics, version="1").render()[0].decode()
    helps = re.findall(r"^# HELP (\S+) (.*)$", text, re.M)
    types = re.findall(r"^# TYPE (\S+) (\w+)$", text, re.M)
    assert len(dict(helps)) == len(helps) == len(types) == len(dict(types)), "each once"
    assert all(words for _, words in helps), "a metric without help says nothing"
    seen = set()
    for family in parse(text):
        assert re.fullmatch("[a-z][a-z0-9_]*", family.name), "snake case, no colon"
        assert family.type != "unknown"
        assert (f"{family.name}_total" in dict(types)) == (family.type == "counter"), "_total is for counters"
        assert not re.search(
            "_(counter|gauge|histogram|total|count|sum|bucket|info)$", family.name.removesuffix("_build_info")
        )
        assert not re.search("_(ms|milliseconds|minutes|kb|mb|kilobytes)(_|$)", family.name), "base units"
        assert f"_{family.type}" not in family.name
        for sample in family.samples:
            labels = (sample.name, *sorted(sample.labels.items()))
            assert labels not in seen, "a series twice"
            seen.add(labels)
            assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in sample.labels)
            assert "le" not in sample.labels or family.type == "histogram"
        if family.type == "histogram":
            assert family.name.endswith(UNITS)
            buckets = {sample.labels["le"] for sample in family.samples if "le" in sample.labels}
            assert "+Inf" in buckets or not family.samples


def test_users_and_addresses_are_no_labels():
    metrics = Metrics(models={"chat"}, by_key=True)
    fields = {"client": "10.0.0.7", "user": "ann", "end_user": "bob", "organisation": "org", "tags": ["tagged"]}
    metrics.count(Record(id="x", time=1.0, key="demo", model="chat", target="a/b", **fields))
    text = Exposition(metrics, version="1").render()[0].decode()
    assert 'headgate_team_requests_total{key="demo"' in text
    assert not re.search('"(10.0.0.7|ann|bob|org|tagged)"', text)
    other = Metrics(models={"chat"})
    other.count(Record(id="x", time=1.0, key="demo", team="t", model="chat", target="a/b", **fields))
    assert "demo" not in Exposition(other, version="1").render()[0].decode()


def test_the_page_of_metrics_names_each_with_its_labels():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    for family in FAMILIES.values():
        name = family.name + ("_total" if family.kind == "counter" else "")
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert f"| {family.kind} |" in line
        assert re.findall(r"`(\w+)`", line.split("|")[3]) == list(family.labels), "all of them, and no other"


ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def test_the_queries_of_the_page_on_monitoring_name_what_there_is():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "monitor.md").read_text()
    labels = {f"{family.name}{end}": family.labels for family in FAMILIES.values() for end in ENDINGS[family.kind]}
    named = re.findall(r"\b(headgate_\w+)(?:\{([^}]*)\})?", page)
    assert len(named) > 20
    for name, matchers in named:
        assert name in labels, "a metric that there is"
        for label in re.findall(r"(\w+)(?:=~|!=|=|!~)", matchers):
            assert label in labels[name], f"{name} has no label {label}"
    for query in re.findall(r"`([^`]*headgate_[^`]*)`", page):
        kept = {"le"}.union(*(labels[name] for name, _ in re.findall(r"\b(headgate_\w+)(\b)", query)))
        for by in re.findall(r"\bby \(([^)]*)\)", query):
            assert kept >= set(re.split(r"[, ]+", by)), query
