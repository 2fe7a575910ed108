"""What people read of an alert."""

from __future__ import annotations

from datetime import UTC, datetime

from headgate.alerts.alert import Alert
from headgate.alerts.measures import MEASURES
from headgate.alerts.rule import Rule
from headgate.core.printable import printable

UNITS = {
    "limit_used": "share", "memory": "bytes", "processor": "share", "headgate_records_behind_seconds": "seconds",
    "loop_lag": "seconds",
}  # fmt: skip
LONGEST = 500
LONGEST_LABEL = 200


def number(value: float | None, unit: str) -> str:
    if value is None:
        return "?"
    match unit:
        case "share":
            return f"{100 * value:.3g} %"
        case "seconds":
            return f"{value:.3g} s"
        case "dollars":
            return f"${value:.6g}"
        case "bytes":
            return f"{value / 2**20:.4g} MiB"
    return f"{value:.6g}"


def unit_of(rule: Rule) -> str:
    measure = MEASURES.get(rule.measure)
    return measure.unit if measure is not None else UNITS.get(rule.measure, "count")


def span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def summary(rule: Rule, alert: Alert) -> str:
    """One line: what, of whom, how much, and how much it should be."""
    whom = ", ".join(f"{name} {value}" for name, value in alert.of.items())
    unit, what = unit_of(rule), rule.measure.removeprefix("headgate_").replace("_", " ")
    value, limit = number(alert.value, unit), number(alert.limit, unit)
    if rule.kind == "absence":
        said = f"no requests for {span(rule.window)}"
    elif alert.value is None or alert.limit is None:
        said = what
    else:
        side = "above" if alert.value > alert.limit else "below"
        usual = {"change": " (by what was before)", "deviation": " (by what is usual)"}.get(rule.kind, "")
        over = f" in {span(rule.window)}" if rule.measure in MEASURES else ""
        said = f"{what} is {value}{over}, {side} {limit}{usual}"
    about = f"{rule.summary}: {said}" if rule.summary else said
    return printable(f"{about} — {whom}" if whom else about, limit=LONGEST)


def labels(alert: Alert) -> list[tuple[str, str]]:
    """As they are shown: a stranger may have chosen a value, such as the name of an end user."""
    return [(name, printable(value, limit=LONGEST_LABEL)) for name, value in alert.labels.items()]


def moment(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
