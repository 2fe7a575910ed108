"""What alerts are made of, as the process that watches is told it: rules, channels, silences."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

Kind = Literal["threshold", "change", "deviation", "absence"]
Severity = Literal["info", "warning", "critical"]
Labels = dict[str, str]


class Rule(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """When there is an alert; seconds, and a measure of measures.py or the name of a metric."""

    name: str
    measure: str
    kind: Kind = "threshold"
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    window: float = 300.0
    baseline: float = 86_400.0
    by: tuple[str, ...] | None = None
    """None: all together; of a metric, by each of its labels and by instance."""
    where: dict[str, list[str]] = {}
    lasting: float = 0.0
    resolve_after: float = 0.0
    min_requests: int = 10
    severity: Severity = "warning"
    labels: Labels = {}
    channels: list[str] = []
    repeat: float | None = None
    summary: str | None = None


class Channel(msgspec.Struct, kw_only=True, frozen=True):
    """Who is told. `settings` are those of its kind, secrets in clear; `anywhere`: it may lead to any address."""

    name: str
    kind: str
    settings: dict[str, Any] = {}
    match: dict[str, list[str]] = {}
    resolved: bool = True
    anywhere: bool = True


class Silence(msgspec.Struct, kw_only=True, frozen=True):
    """Of which alerts nobody is told, and until when (Unix seconds)."""

    name: str
    match: dict[str, list[str]]
    since: float
    until: float
    reason: str = ""
    by: str = ""


class Told(msgspec.Struct, kw_only=True, frozen=True):
    """All that the configuration says of alerts."""

    rules: list[Rule] = []
    channels: list[Channel] = []
    silences: list[Silence] = []
    every: float = 10.0
    group_wait: float = 10.0
    repeat: float = 14_400.0
    keep_days: int = 90
    networks: list[str] = []
    """Addresses that channels of the store may lead to although they are not public."""
    ca_file: str | None = None
    url: str | None = None
    """Where people look at the gateway."""


def fits(match: Mapping[str, list[str]], labels: Mapping[str, str]) -> bool:
    """Whether each label that is asked for is one of its patterns (`*`); one that is not there is "" ."""
    return all(any(fnmatchcase(labels.get(name, ""), each) for each in wanted) for name, wanted in match.items())
