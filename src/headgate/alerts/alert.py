"""One alert's life: it is pending, then firing, then resolved, and nothing else."""

from __future__ import annotations

import secrets
from typing import Literal, NamedTuple

import msgspec

from headgate.alerts.rule import Labels, Rule, Severity

State = Literal["pending", "firing", "resolved"]
Became = Literal["firing", "resolved"]
UNHEARD = 3600.0
"""Seconds, at least, for which an alert of which nothing is known any more goes on."""


class Alert(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Of a rule and of those whom it concerns; times are Unix seconds."""

    id: str
    rule: str
    of: Labels
    """Whom it is about: by what the rule tells apart."""
    labels: Labels
    """The same with the rule's own, by which channels and silences are chosen."""
    severity: Severity
    state: State = "pending"
    began: float
    fired: float | None = None
    resolved: float | None = None
    why: str = ""
    """It was resolved otherwise than by becoming well."""
    value: float | None = None
    limit: float | None = None
    summary: str = ""
    owner: str = ""
    """The instance that looks after it; "": whoever leads."""
    well_since: float | None = None
    heard: float = 0.0
    """When something was last known of what it is about."""
    silence: str | None = None
    told: list[str] = []
    """The channels that know of it."""
    reminded: float = 0.0


class Verdict(NamedTuple):
    """Whether it is as it should not be; None: that is not known. What was measured, and the bound that was set."""

    hit: bool | None
    value: float | None = None
    limit: float | None = None


NOTHING = Verdict(None)


def new(rule: Rule, of: Labels, now: float, owner: str) -> Alert:
    single = {name: values[0] for name, values in rule.where.items() if len(values) == 1}
    labels = {**single, **of, **rule.labels, "rule": rule.name, "severity": rule.severity}
    return Alert(
        id=secrets.token_hex(12), rule=rule.name, of=of, labels=labels, severity=rule.severity, began=now, heard=now,
        owner=owner,
    )  # fmt: skip


def step(alert: Alert, rule: Rule, verdict: Verdict, now: float) -> Became | None:
    """What it becomes by what is found now. One that is pending and found well is over: `over` says so."""
    if verdict.hit is not None:
        alert.heard = now
    if verdict.hit:
        alert.value, alert.limit, alert.well_since = verdict.value, verdict.limit, None
        if alert.state == "pending" and now - alert.began >= rule.lasting:
            alert.state, alert.fired = "firing", now
            return "firing"
        return None
    if alert.state != "firing":
        return None
    if verdict.hit is None:
        if now - alert.heard >= max(UNHEARD, 3 * rule.window):
            return resolve(alert, now, "nothing was heard of it any more")
        return None
    alert.well_since = now if alert.well_since is None else alert.well_since
    if now - alert.well_since < rule.resolve_after:
        return None
    alert.value = verdict.value
    return resolve(alert, now)


def resolve(alert: Alert, now: float, why: str = "") -> Became:
    alert.state, alert.resolved, alert.why = "resolved", now, why
    return "resolved"


def over(alert: Alert, verdict: Verdict) -> bool:
    """It was pending, and comes to nothing."""
    return alert.state == "pending" and not verdict.hit
