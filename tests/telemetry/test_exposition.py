"""The text of /metrics is what a real parser reads, and says what was counted."""

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from headgate.core.record import Attempt, Record
from headgate.core.usage import Usage
from headgate.telemetry.exposition import Exposition
from headgate.telemetry.families import FAMILIES, WATCHED
from headgate.telemetry.metrics import Metrics

NASTY = 'a"b\\c\nd{}é'


@pytest.fixture
def metrics():
    watched = {family.name: (lambda labels=family.labels: {labels: 1.0}) for family in WATCHED}
    metrics = Metrics(models={NASTY}, watched=watched)
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


def test_who_asked_is_no_label():
    metrics = Metrics(models={"chat"})
    metrics.count(Record(id="x", time=1.0, key="demo", client="10.0.0.7", model="chat", target="a/b"))
    text = Exposition(metrics, version="1").render()[0].decode()
    assert "headgate_requests_total{" in text
    assert not any(word in text for word in ("demo", "10.0.0.7", "by key"))


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
