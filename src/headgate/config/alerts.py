"""When people are told that something is not as it should be, and how: rules, channels, silences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Protocol

import msgspec
import pydantic
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from headgate.alerts import rule as told
from headgate.alerts.built_in import BUILT_IN
from headgate.alerts.channels.channel import Channel, ChannelSettings
from headgate.alerts.measures import MEASURES
from headgate.alerts.seen import DIMENSIONS
from headgate.config.identities import Network
from headgate.config.limits import Names
from headgate.config.moments import Moment
from headgate.config.section import Section
from headgate.core.plugin import suggestion
from headgate.providers.settings import Seconds
from headgate.telemetry.families import FAMILIES

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
OF_PROCESSES = ("limit_used", "memory", "processor", "loop_lag")
"""Measures beside those of requests and the metrics by their names."""
FAULTS = frozenset({"origin", "error"})
NAMED = {rule.name: rule for rule in BUILT_IN}
OF_FILE = frozenset({"apprise"})
"""Channels whose addresses nobody checks."""
BASELINE = ("`baseline` must be five times `window` at least", "say a longer `baseline`, or a shorter `window`")
Match = dict[str, Names]
Listed = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class AlertRule(Section):
    """When there is an alert. [How](../how-to/get-alerted.md), with all that can be measured."""

    measure: str | None = Field(
        None,
        min_length=1,
        description="What is looked at: a measure of requests (`provider_error_rate`, `latency_p95`, `spend` …), "
        "`limit_used`, `memory`, `processor`, `loop_lag`, or a metric by its name (`headgate_in_flight`). Left out: "
        "what the built-in rule of this name has, as all else.",
    )
    kind: told.Kind = Field(
        "threshold",
        description="What `above` and `below` are: the value itself (`threshold`), how many times what was usual "
        "before (`change`), how many standard deviations from it (`deviation`). `absence`: there were requests, and "
        "are none.",
    )
    above: float | None = Field(None, allow_inf_nan=False, description="More than this is an alert.")
    below: float | None = Field(None, allow_inf_nan=False, description="Less than this is an alert.")
    at_least: float | None = Field(
        None, allow_inf_nan=False, description="No alert while the value itself is less than this."
    )
    window: Seconds = Field(300.0, ge=1, description="The time that is looked at, in seconds.")
    baseline: Seconds = Field(
        86_400.0, description="The time before it that says what is usual, in seconds: five windows at least."
    )
    by: Listed | None = Field(
        None,
        description="Each has an alert of its own: `[provider]`, `[team, model]`. Left out: all requests together; "
        "of a metric, each of its series on each instance.",
    )
    where: Match = Field(
        default_factory=dict,
        description="Only of these: `{application: shop}`, `{model: [large, huge], tag: nightly}`.",
    )
    lasting: float = Field(
        0.0, alias="for", ge=0, le=86_400 * 7, description="Seconds that it has to be so before anybody is told."
    )
    resolve_after: float = Field(
        0.0, ge=0, le=86_400, description="Seconds that all has to be well before it counts as resolved."
    )
    min_requests: int = Field(
        10, ge=1, le=10**9, description="Of rates and durations: fewer requests than these are no reason for an alert."
    )
    severity: told.Severity = Field("warning", description="How bad it is.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Words of yours, for channels and silences to go by."
    )
    channels: Listed = Field(default_factory=list, description="Who is told. Left out: every channel whose `for` fits.")
    repeat: Seconds | None = Field(
        None, description="Seconds until it is told again, while it lasts. Left out: as `alerting.repeat` says."
    )
    summary: str | None = Field(None, min_length=1, max_length=200, description="What to say of it, in a few words.")
    enabled: bool = Field(True, description="Whether it is in force; `false` also for a built-in rule of this name.")

    @model_validator(mode="after")
    def _bound(self) -> AlertRule:
        if self.measure is not None and self.kind != "absence" and self.above is None and self.below is None:
            raise PydanticCustomError("bound", "say `above` or `below`, from where on there is an alert")
        if self.kind != "threshold" and self.baseline < 5 * self.window:
            raise PydanticCustomError("baseline", "`baseline` must be five times `window` at least")
        return self

    def rule(self, name: str) -> told.Rule:
        """As it is watched by."""
        said = type(self).model_fields.keys() - {"enabled"} if self.measure is not None else self.model_fields_set
        given = {field: getattr(self, field) for field in said if field != "enabled"}
        if given.get("by") is not None:
            given["by"] = tuple(given["by"])
        if self.measure is None:
            return msgspec.structs.replace(NAMED[name], **given)
        return told.Rule(name=name, **{**given, "by": given["by"] or ()} if self.measure in MEASURES else given)


class Silence(Section):
    """Alerts that nobody is told of, for a while."""

    match: Match = Field(
        min_length=1, description="Which: by `rule`, `severity` and their other labels; `*` stands for any text."
    )
    since: Moment | None = Field(None, alias="from", description="From when on. Left out: at once.")
    until: Moment = Field(description="Until when: `2027-01-31T12:00Z`.")
    reason: str = Field("", max_length=500, description="Why.")
    by: str = Field("", max_length=200, description="Who wants it so.")


class ChannelTerms(Section):
    """What every channel has beside the settings of its kind."""

    kind: str = Field(min_length=1, description="How it gets there; without it, the name is the kind.")
    match: Match = Field(
        default_factory=dict,
        alias="for",
        description="Which alerts: `{severity: critical, team: research}`; `*` stands for any text. Left out: all.",
    )
    resolved: bool = Field(True, description="Whether it is told, too, that an alert is resolved.")


class ChannelEntry(pydantic.BaseModel):
    """A channel of the configuration with its class found and its settings read."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    terms: ChannelTerms
    type: type[Channel]
    settings: ChannelSettings

    def channel(self, name: str, *, anywhere: bool) -> told.Channel:
        """As it is sent by, secrets in clear."""
        terms, settings = self.terms, _plain(self.settings.model_dump(by_alias=True))
        return told.Channel(
            name=name, kind=terms.kind, settings=settings, match=terms.match, resolved=terms.resolved, anywhere=anywhere
        )


def _plain(value: Any) -> Any:
    """As JSON can say it, secrets in clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


class Alerting(Section):
    """What holds for all alerts."""

    built_in: bool = Field(True, description="Whether the built-in rules are in force, once there is a channel.")
    every: float = Field(10.0, ge=0.1, le=3600, description="Seconds between two looks at the rules.")
    group_wait: float = Field(
        10.0, ge=0, le=3600, description="Seconds that more alerts of a rule are waited for, to be told in one message."
    )
    repeat: Seconds = Field(14_400.0, description="Seconds after which an alert that lasts is told again.")
    keep_days: int = Field(90, ge=1, le=3650, description="Days that resolved alerts are kept.")
    networks: list[Network] = Field(
        default_factory=list,
        description="Addresses that channels of the store may lead to although they are not public (`10.1.2.0/24`). "
        "Those of the file may lead anywhere.",
    )
    url: str | None = Field(
        None, pattern=r"^https?://[^\s?#@]+$", description="Where people look at the gateway, for links in messages."
    )
    instance: str | None = Field(
        None, min_length=1, max_length=200, description="This machine's name in alerts. Left out: its host name."
    )


class Configured(Protocol):
    """As much of the configuration as alerts are about."""

    alert_rules: dict[str, AlertRule]
    channels: dict[str, ChannelEntry]
    silences: dict[str, Silence]
    alerting: Alerting


def rules(config: Configured) -> Iterator[told.Rule]:
    """Those in force. Of the built-in ones, those that there is no other of the same name of; somebody must be told."""
    for name, each in config.alert_rules.items():
        if each.enabled and (each.measure is not None or name in NAMED):
            yield each.rule(name)
    if config.alerting.built_in and config.channels:
        yield from (rule for rule in BUILT_IN if rule.name not in config.alert_rules)


def watched(config: Configured, of_store: frozenset[tuple[str, str]], ca_file: FilePath | None) -> told.Told:
    """All that is to be watched; nothing to do where there are no rules. `of_store`: objects that stand there."""
    alerting = config.alerting
    return told.Told(
        rules=list(rules(config)),
        channels=[
            each.channel(name, anywhere=("channels", name) not in of_store) for name, each in config.channels.items()
        ],
        silences=[silence(name, each) for name, each in config.silences.items()],
        every=alerting.every,
        group_wait=alerting.group_wait,
        repeat=alerting.repeat,
        keep_days=alerting.keep_days,
        networks=alerting.networks,
        ca_file=str(ca_file) if ca_file else None,
        url=alerting.url,
    )


def silence(name: str, each: Silence) -> told.Silence:
    since = each.since.timestamp() if each.since is not None else -math.inf
    return told.Silence(
        name=name, match=each.match, since=max(since, 0.0), until=each.until.timestamp(), reason=each.reason, by=each.by
    )


def check(config: Configured, of_store: frozenset[tuple[str, str]], tell: Tell) -> None:
    """Tell what only the whole configuration shows."""
    for name, rule in config.alert_rules.items():
        _rule(("alert_rules", name), rule, config.channels, tell)
    for name, each in config.channels.items():
        if each.terms.kind in OF_FILE and ("channels", name) in of_store:
            told_ = f"a channel of the kind `{each.terms.kind}` may only stand in the file, as it may lead anywhere"
            tell(("channels", name, "kind"), told_, "put it into the configuration file")


def _rule(path: Sequence[str], entry: AlertRule, channels: Mapping[str, Any], tell: Tell) -> None:
    if entry.measure is None and path[-1] not in NAMED:
        tell((*path, "measure"), "`measure` is missing", "say what is looked at, or name a built-in rule")
        return
    rule = entry.rule(path[-1])  # with what a built-in one of this name has
    for position, name in enumerate(rule.channels):
        if name not in channels:
            tell((*path, "channels", position), "there is no channel of this name", suggestion(name, list(channels)))
    measure = MEASURES.get(rule.measure)
    if measure is None and rule.measure not in OF_PROCESSES and _metric(rule.measure) is None:
        known = [*MEASURES, *OF_PROCESSES, *FAMILIES]
        tell((*path, "measure"), "nothing of this name is measured", suggestion(rule.measure, known, limit=30))
        return
    if measure is None and rule.kind != "threshold":
        tell((*path, "kind"), "of a metric there are only thresholds", "say `threshold`, and the value itself")
    elif rule.kind != "threshold" and rule.baseline < 5 * rule.window:
        tell((*path, "baseline"), *BASELINE)
    _labels(path, rule, tell)


def _labels(path: Sequence[str], rule: told.Rule, tell: Tell) -> None:
    """Tell of what a rule tells apart, or chooses by, and is not there: it would never be in force."""
    measure = MEASURES.get(rule.measure)
    if measure is not None:
        allowed = [name for name in DIMENSIONS if name not in FAULTS or measure.unit == "count"]
        what, chosen = "requests are not told apart by this", [*allowed, "tag"]
    elif rule.measure in OF_PROCESSES:
        if rule.measure == "limit_used":
            return  # by whatever a limit is `per`
        what, allowed = "this measure has no such label", ["worker", "instance"]
        chosen = ["worker"]
    else:
        what, allowed = "this metric has no such label", [*FAMILIES[rule.measure].labels, "instance"]
        chosen = list(FAMILIES[rule.measure].labels)
    for position, name in enumerate(rule.by or ()):
        if name not in allowed:
            tell((*path, "by", position), what, suggestion(name, allowed))
    for name in rule.where:
        if name not in chosen:
            tell((*path, "where", name), what, suggestion(name, chosen))


def _metric(name: str) -> str | None:
    """The kind of a metric that rules may be about."""
    family = FAMILIES.get(name)
    return family.kind if family is not None and family.kind != "histogram" else None
