"""Whatever strangers write (S24): a line of the log, a label and a span's attribute stay one, and act upon nobody."""

import json
import logging

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from headgate.core.record import Attempt, Record
from headgate.core.trace import Trace
from headgate.telemetry.exposition import Exposition
from headgate.telemetry.families import WATCHED
from headgate.telemetry.logs import Formatter, Redactor
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.spans import LONGEST, Spans
from naughty import NAUGHTY, acting
from together import together


def test_there_are_enough_of_them():
    assert len(NAUGHTY) > 515
    assert sum(bool(acting(text)) for text in NAUGHTY) > 200


def entry(text, where):
    """A log entry with the text in one of its fields, or in all of them."""
    there = {name: text if where in (name, "all") else "x" for name in ("name", "message", "field", "exception")}
    record = logging.LogRecord(there["name"], logging.ERROR, "x.py", 1, "%s", (there["message"],), None)
    record.exc_text = there["exception"]
    record.request_id = there["field"]
    if where in ("label", "all"):
        setattr(record, text, "x")
    return record


@pytest.mark.parametrize("where", ["name", "message", "field", "label", "exception", "all"])
@together("text", NAUGHTY)
def test_a_line_of_json_stays_one(text, where):
    line = Formatter(Redactor(), as_json=True).format(entry(text, where))
    assert not acting(line)
    found = json.loads(line)
    assert list(found)[:4] == ["time", "level", "logger", "message"]
    assert found["level"] == "error"
    assert not [value for value in found.values() if acting(value.replace("\n", "").replace("\t", ""))]


@pytest.mark.parametrize("where", ["name", "message", "field", "label", "exception", "all"])
@together("text", NAUGHTY)
def test_a_line_of_text_stays_one(text, where):
    told = Formatter(Redactor(), as_json=False).format(entry(text, where))
    first, *others = told.split("\n")
    assert not acting(told.replace("\n", "").replace("\t", ""))
    assert " ERROR " in first[:40]
    assert all(line.startswith("    | ") for line in others), "an exception's lines are known by how they begin"
    assert where in ("exception", "all") or len(others) == 1


def test_labels_come_back_from_a_parser_as_they_were():
    """Names of models and targets are the configuration's, but a configuration may be anybody's."""
    some = NAUGHTY[:150] + NAUGHTY[150::5]  # a parser in Python takes its time
    texts = [text for text in some if 0 < len(text) < 1_000 and not any("\ud800" <= sign <= "\udfff" for sign in text)]
    metrics = Metrics(models=texts, max_rows=10_000, max_series=10_000, by_key=True)
    for family in WATCHED:
        metrics.watch({family.name: lambda labels=family.labels: {(text,) * len(labels): 1.0 for text in texts}})
    for text in texts:
        attempt = Attempt(text, 1.0, error=text)
        metrics.count(
            Record(
                id="x", time=1.0, model=text, target=f"{text}/x", team=text, key=text, error=text, origin="gateway",
                attempts=[attempt],
            )
        )  # fmt: skip
    exposition = Exposition(metrics, version="1")
    text, _ = exposition.render()
    found = {family.name: family for family in parse(text.decode())}
    for family, label in (
        ("headgate_team_requests", "team"),
        ("headgate_attempts", "target"),
        ("headgate_errors", "error"),
    ):
        assert {sample.labels[label] for sample in found[family].samples} >= set(texts)
    assert {sample.labels["limit"] for sample in found["headgate_limit_waiting"].samples} == set(texts)
    assert "forged" not in found
    openmetrics, _ = exposition.render("application/openmetrics-text; version=1.0.0")
    assert {family.name for family in parse_openmetrics(openmetrics.decode())} == set(found)


@together("text", NAUGHTY)
def test_attributes_of_spans_are_harmless_and_short(text):
    spans = Spans("headgate", {}, "1", {})
    trace = Trace("a" * 32, "b" * 16, state="a=1", kept=True, stages=[(text, 0.1)], route=text)
    whose = dict.fromkeys(
        ("model", "key", "team", "organisation", "application", "downgraded", "finish", "upstream_id"), text
    )
    attempt = Attempt(f"{text}/{text}", 1.0, 200, began=0.2)
    record = Record(id="req_1", time=1.0, path=text, target=text, attempts=[attempt], trace=trace, **whose)
    spans.make(record)
    for span in spans.take():
        for name, value in {**span.attributes, "name": span.name}.items():
            for told in value if isinstance(value, tuple) else (value,):
                assert not isinstance(told, str) or (not acting(told) and len(told) < LONGEST * 8), name
