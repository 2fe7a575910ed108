"""The rules that are in force as soon as somebody can be told, unless `alerting.built_in` is off."""

from __future__ import annotations

from headgate.alerts.rule import Rule

BUILT_IN: tuple[Rule, ...] = (
    Rule(
        name="provider-failing", measure="provider_error_rate", above=0.25, by=("provider",), lasting=30.0,
        resolve_after=60.0, min_requests=20, severity="critical", summary="A provider is failing",
    ),
    Rule(
        name="provider-slow", measure="latency_p95", kind="change", above=3.0, at_least=2.0, baseline=21_600.0,
        by=("provider",), lasting=60.0, resolve_after=120.0, min_requests=30, summary="A provider has become slow",
    ),
    Rule(
        name="provider-key-refused", measure="credential_failures", above=0.0, by=("provider",), resolve_after=60.0,
        severity="critical", summary="A provider does not take its key",
    ),
    Rule(
        name="gateway-errors", measure="gateway_error_rate", above=0.02, lasting=30.0,
        resolve_after=60.0, min_requests=5, severity="critical", summary="The gateway itself fails",
    ),
    Rule(
        name="budget-nearly-used", measure="limit_used", above=0.8, where={"what": ["money"]},
        summary="A budget is nearly used up",
    ),
    Rule(
        name="budget-used-up", measure="limit_used", above=0.999, where={"what": ["money"]}, severity="critical",
        summary="A budget is used up",
    ),
    Rule(
        name="target-left-alone", measure="headgate_circuits", above=0.0, where={"state": ["open"]}, lasting=120.0,
        summary="A target fails so often that it is left alone",
    ),
    Rule(
        name="guard-findings-rise", measure="guard_findings", kind="change", above=5.0, at_least=20.0,
        baseline=21_600.0, lasting=60.0, resolve_after=120.0, summary="Guards find much more than usual",
    ),
    Rule(
        name="guard-failing", measure="guard_failures", above=0.0, resolve_after=60.0, severity="critical",
        summary="A guard cannot look at what it should",
    ),
    Rule(
        name="gateway-late", measure="loop_lag", above=0.25, lasting=60.0, resolve_after=60.0,
        summary="A worker of the gateway has too much to do",
    ),
    Rule(
        name="records-waiting", measure="headgate_journal_backlog_records", above=0.0, lasting=30.0,
        severity="critical", summary="The disk takes no records",
    ),
    Rule(
        name="records-behind", measure="headgate_records_behind_seconds", above=600.0, lasting=60.0,
        summary="Records do not reach their database",
    ),
)  # fmt: skip
