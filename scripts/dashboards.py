"""Makes Grafana's dashboards (its classic JSON model, which every version imports) out of dashboards.yaml.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

WIDTH = 24
"""Of Grafana's grid."""
METRIC = re.compile(r"\b((?:headgate|process)_\w+)\b(?:\{([^}]*)\})?")
KINDS = {"stat": "stat", "line": "timeseries", "stack": "timeseries", "list": "stat"}
HEIGHTS = {"stat": 4, "line": 8, "stack": 8, "list": 8}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


def pages() -> dict[str, str]:
    """Each dashboard by its file's name."""
    said = yaml.safe_load((Path(__file__).parent / "dashboards.yaml").read_text("utf-8"))
    return {f"{name}.json": json.dumps(dashboard(name, each), indent=1) + "\n" for name, each in said.items()}


def dashboard(name: str, said: Json) -> Json:
    panels: list[Json] = []
    top = 0
    for row in said["rows"]:
        width, height = WIDTH // len(row), max(HEIGHTS[kind] for _, kind, _, _ in row)
        for column, (title, kind, unit, queries) in enumerate(row):
            place = {"x": column * width, "y": top, "w": width, "h": height}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(title, kind, unit, queries)})
        top += height
    return {
        "uid": f"headgate-{name}",
        "title": said["title"],
        "description": said["says"],
        "tags": ["headgate"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["headgate"], "title": "Headgate", "asDropdown": True}],
        "annotations": {"list": []},
        "templating": {"list": [_sources(), _jobs()]},
        "panels": panels,
    }


def _sources() -> Json:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _jobs() -> Json:
    query = "label_values(headgate_build_info, job)"
    return {
        "name": "job", "label": "Job", "type": "query", "datasource": SOURCE, "query": query, "definition": query,
        "refresh": 2, "includeAll": True, "multi": True, "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _panel(title: str, kind: str, unit: str, queries: dict[str, str]) -> Json:
    custom: Json = {"fillOpacity": 20, "stacking": {"mode": "normal"}} if kind == "stack" else {}
    now = kind in ("stat", "list")
    defaults: Json = {"unit": unit, "min": 0, "custom": custom, **({"noValue": "nothing"} if kind == "list" else {})}
    return {
        "type": KINDS[kind],
        "title": title,
        "datasource": SOURCE,
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": _of_job(query), "legendFormat": legend}
            | ({"instant": True} if now else {"range": True})
            for number, (legend, query) in enumerate(queries.items())
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _options(kind),
    }


def _options(kind: str) -> Json:
    if kind in ("line", "stack"):
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    reduced: Json = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none"}
    return reduced if kind == "stat" else {**reduced, "textMode": "value_and_name", "orientation": "horizontal"}


def _of_job(query: str) -> str:
    return METRIC.sub(lambda match: f'{match[1]}{{job=~"$job"{", " + match[2] if match[2] else ""}}}', query)
