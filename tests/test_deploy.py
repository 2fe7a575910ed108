"""What stands in deploy/ fits what reads it, and asks only for metrics and labels that there are."""

import json
import re
from pathlib import Path

import jsonschema
import promql_parser as promql
import pytest
import yaml

from headgate.telemetry.families import FAMILIES
from together import together

DEPLOY = Path(__file__).parent.parent / "deploy"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in (DEPLOY / "grafana").glob("*.json")}
RULES = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
EVERYWHERE = {"job", "instance"}
"""What Prometheus itself says of each series."""
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OWN = {
    f"{family.name}{end}": {*family.labels, *(["le"] if end == "_bucket" else [])}
    for family in FAMILIES.values()
    for end in ENDINGS[family.kind]
}
PROCESS = ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "start_time_seconds")
RECORDED = {
    rule["record"]: set(re.search(r"by \(([^)]*)\)", rule["expr"])[1].split(", ")) - {"le"}
    for group in RULES["groups"]
    for rule in group["rules"]
    if "record" in rule
}
KNOWN = {
    **OWN,
    **RECORDED,
    **{f"process_{name}": {"worker"} for name in PROCESS},
    "headgate_build_info": {"version", "python"},
    "up": set(),
}
QUERIES = [
    pytest.param(target["expr"], target["legendFormat"], id=f"{name}: {panel['title']} {number}")
    for name, board in DASHBOARDS.items()
    for panel in board["panels"]
    for number, target in enumerate(panel["targets"])
] + [
    pytest.param(rule["expr"], rule.get("annotations", {}).get("summary", ""), id=rule.get("alert") or rule["record"])
    for group in RULES["groups"]
    for rule in group["rules"]
]
MODEL = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time", "tags"],
    "properties": {
        "uid": {"type": "string", "minLength": 8, "maxLength": 40, "pattern": "^[a-z0-9-]+$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "id": False,
        "time": {"type": "object", "required": ["from", "to"]},
        "templating": {
            "type": "object",
            "properties": {
                "list": {
                    "type": "array",
                    "items": {"type": "object", "required": ["name", "type", "query"]},
                    "contains": {"properties": {"type": {"const": "datasource"}, "query": {"const": "prometheus"}}},
                }
            },
        },
        "panels": {
            "type": "array",
            "minItems": 4,
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos", "datasource", "targets", "fieldConfig", "options"],
                "properties": {
                    "type": {"enum": ["stat", "timeseries"]},
                    "title": {"type": "string", "minLength": 1},
                    "gridPos": {
                        "type": "object",
                        "required": ["x", "y", "w", "h"],
                        "properties": {"x": {"minimum": 0, "maximum": 23}, "w": {"minimum": 1, "maximum": 24}},
                    },
                    "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "datasource", "legendFormat"],
                            "properties": {"refId": {"pattern": "^[A-Z]$"}, "expr": {"pattern": r"job=~\"\$job\""}},
                        },
                    },
                    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
                },
            },
        },
    },
}
"""The parts of Grafana's classic model that are used here."""


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_fits_grafanas_model(name):
    board = DASHBOARDS[name]
    jsonschema.validate(board, MODEL)
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (column, line)
        for at in (panel["gridPos"] for panel in panels)
        for column in range(at["x"], at["x"] + at["w"])
        for line in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(taken)) == len(taken), "no panel lies on another"
    assert max(column for column, _ in taken) < 24
    for panel in panels:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_there_are_the_dashboards_that_are_promised():
    assert set(DASHBOARDS) == {"overview", "providers", "spend", "answers", "gateway"}
    assert len({board["uid"] for board in DASHBOARDS.values()}) == len(DASHBOARDS)


def read(query):
    """Its tree, with what Grafana puts into it."""
    return promql.parse(query.replace("$__rate_interval", "5m").replace("$job", "x"))


def labels(tree):
    """The labels that its series may have; raises AssertionError for metrics and labels that there are not."""
    match tree:
        case promql.VectorSelector():
            assert tree.name in KNOWN, f"there is no metric {tree.name}"
            found = KNOWN[tree.name] | EVERYWHERE
            asked = {matcher.name for matcher in tree.matchers.matchers}
            assert asked <= found, f"{tree.name} has no label {asked - found}"
            return found
        case promql.MatrixSelector():
            return labels(tree.vector_selector)
        case promql.AggregateExpr():
            below = labels(tree.expr)
            by = set(tree.modifier.labels) if tree.modifier is not None else set()
            assert by <= below, f"there is no label {by - below} to group by"
            return by
        case promql.Call():
            below = set().union(*(labels(each) for each in tree.args))
            if tree.func.name == "histogram_quantile":
                assert "le" in below, "a quantile is of buckets"
            return below - {"le"} if tree.func.name == "histogram_quantile" else below
        case promql.BinaryExpr():
            return labels(tree.lhs) | labels(tree.rhs)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return labels(tree.expr)
        case promql.NumberLiteral() | promql.StringLiteral():
            return set()
    raise AssertionError(f"what is {type(tree)}?")


@together(["query", "legend"], QUERIES)
def test_a_query_asks_for_what_there_is(query, legend):
    found = labels(read(query))
    named = set(re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", legend))
    assert named <= found, f"{named - found} would stay empty"


def test_whoever_is_turned_down_in_an_outage_counts_as_failed():
    """Once circuits are open, requests are refused with 503, and none of them is `failed` any more."""
    of_failed = [each.values[0] for each in QUERIES if 'ending=~"failed|cut"' in each.values[0]]
    assert len(of_failed) == 4
    assert [query for query in of_failed if 'ending="refused", status=~"5.."' not in query] == []


@pytest.mark.parametrize(
    "query",
    [
        "sum(rate(headgate_request_total[5m]))",
        'headgate_requests_total{team="a"}',
        "sum by (team) (rate(headgate_tokens_total[5m]))",
        "histogram_quantile(0.9, sum by (model) (rate(headgate_request_seconds_bucket[5m])))",
        "sum(rate(headgate_requests_total[5m])",
    ],
)
def test_a_wrong_query_would_be_seen(query):
    with pytest.raises((AssertionError, ValueError)):
        labels(read(query))


@pytest.mark.parametrize("group", [pytest.param(group, id=group["name"]) for group in RULES["groups"]])
def test_rules_are_as_prometheus_wants_them(group):
    names = [rule.get("alert") or rule["record"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule.keys() <= {"alert", "record", "expr", "for", "labels", "annotations"}
        if "record" in rule:
            assert re.fullmatch("headgate:[a-z_]+:[a-z0-9_]+", rule["record"]), "level:metric:operations"
            continue
        assert re.fullmatch("Headgate[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"]["summary"].endswith(".")
        promql.parse_duration(rule.get("for", "1s"))


def test_the_other_files_are_yaml_and_name_what_is_there():
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert [file for file in scraped["rule_files"] if not (DEPLOY / "prometheus" / file).exists()] == []
    collector = yaml.safe_load((DEPLOY / "opentelemetry" / "collector.yaml").read_text())
    for pipeline in collector["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= collector[kind].keys()
