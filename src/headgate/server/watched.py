"""What metrics are read of a process's parts when somebody asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headgate.config.schema import Config
from headgate.server import alerting, drain, sinks
from headgate.server.app import App
from headgate.server.conditions import Conditions
from headgate.telemetry.metrics import Read
from headgate.upstream.client import Client

if TYPE_CHECKING:
    from headgate.server.parts import Parts

Series = dict[tuple[str, ...], float]


def watched(parts: Parts, app: App) -> Mapping[str, Read]:
    """By the metric's name. Read in a thread, hence nothing here changes what it reads."""
    journal, board, ledger, config = parts.journal, parts.board, parts.ledger, parts.started_with.config
    return {
        **_shared(parts),
        **Conditions(parts).reads(),
        **(drain.watched(config.data_dir) if config.records.store else {}),
        **parts.payloads.watched(),
        **sinks.watched(config.data_dir, lambda: [each.known_as for each in parts.loaded.config.records.sinks]),
        **_of_traces(config),
        **(alerting.watched(config.data_dir) if parts.alerting is not None else {}),
        **parts.answers.watched(),
        **parts.vaults.watched(),
        "headgate_store_away": lambda: float(parts.follow.why is not None),
        "headgate_secrets_away": lambda: _secrets_away(parts),
        "headgate_secrets_failures": lambda: parts.loaded.references.failures if parts.loaded.references else 0,
        "headgate_limit_exceeded": ledger.denied.copy,
        "headgate_limit_warnings": ledger.warned.copy,
        "headgate_limit_waiting": ledger.waiting,
        "headgate_log_dropped": lambda: parts.logs.dropped,
        "headgate_in_flight": lambda: app.running,
        "headgate_upstream_connections": lambda: _connections(parts.upstream),
        "headgate_upstream_connections_opened": lambda: _opened(parts.upstream),
        "headgate_journal_backlog_records": lambda: journal.backlog_records,
        "headgate_journal_backlog_bytes": lambda: journal.backlog_bytes,
        "headgate_journal_segments": lambda: journal.segments,
        "headgate_journal_bytes": lambda: journal.disk_bytes,
        "headgate_journal_deleted_records": lambda: journal.deleted_records,
        "headgate_canary_percent": lambda: {(each.name, each.target): each.percent for each in board.trials.all()},
        "headgate_shadows_dropped": board.shadows.dropped.copy,
        "headgate_judgments_dropped": board.judging.dropped.copy,
        "headgate_config_loaded_timestamp_seconds": lambda: parts.metrics.loaded,
    }


def _of_traces(config: Config) -> dict[str, Read]:
    """Where there are traces."""
    if config.traces.endpoint is None:
        return {}
    from headgate.server import tracing

    return tracing.watched(config)


def _shared(parts: Parts) -> dict[str, Read]:
    """Of the state that several processes share, where there is one."""
    found: dict[str, Read] = {}
    share, counters = parts.share, parts.counters
    if share is not None:
        found["headgate_state_away"] = lambda: float(share.why is not None)
        found["headgate_state_failures"] = lambda: share.failures
    if counters is not None:
        found["headgate_limits_away"] = lambda: float(counters.why is not None)
        found["headgate_limits_failures"] = lambda: counters.failures
    return found


def _secrets_away(parts: Parts) -> Series:
    references = parts.loaded.references
    if references is None:
        return {}
    kinds = {each.partition(":")[0] for each in parts.loaded.referred}
    return {(kind,): float(kind in references.why) for kind in kinds}


def _connections(upstream: Client) -> Series:
    found: Series = {}
    for origin, stats in upstream.stats().items():
        name = f"{origin.scheme}://{origin.host}:{origin.port}"
        found[name, "idle"] = stats.idle
        found[name, "in_use"] = stats.in_use
    return found


def _opened(upstream: Client) -> Series:
    return {
        (f"{origin.scheme}://{origin.host}:{origin.port}",): stats.opened for origin, stats in upstream.stats().items()
    }
