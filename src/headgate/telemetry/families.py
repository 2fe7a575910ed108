"""The metrics: what each is called and means; docs/reference/metrics.md has them in the same words."""

from __future__ import annotations

from typing import Literal, NamedTuple

Labels = tuple[str, ...]

REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
PACE_BUCKETS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5)
SIMILARITY_BUCKETS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 1.0)
LAG_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Family(NamedTuple):
    """A metric: what it is called, what its labels are, and how values of several workers become one."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    across: Literal["sum", "max"] = "sum"


COUNTED = (
    Family(
        "headgate_requests",
        "counter",
        "Finished requests.",
        ("model", "provider", "status", "ending", "origin"),
    ),
    Family(
        "headgate_request_seconds",
        "histogram",
        "Seconds from a request's arrival to its end.",
        ("model", "provider"),
    ),
    Family(
        "headgate_first_token_seconds",
        "histogram",
        "Seconds from a request's arrival to the first piece of the answer.",
        ("model", "provider"),
    ),
    Family(
        "headgate_output_token_seconds",
        "histogram",
        "Seconds from one token of a streamed answer to the next, on the average of the answer.",
        ("model", "provider"),
    ),
    Family(
        "headgate_errors",
        "counter",
        "Requests that got an error, whose it was, and its code.",
        ("model", "provider", "origin", "error"),
    ),
    Family(
        "headgate_cost_dollars",
        "counter",
        "US dollars that answers cost, of those whose prices are known.",
        ("model", "provider"),
    ),
    Family("headgate_team_requests", "counter", "Finished requests, by whose they were.", ("team", "key", "model")),
    Family(
        "headgate_team_tokens",
        "counter",
        "Tokens of prompts (input) and answers (output), by whose they were.",
        ("team", "key", "model", "class"),
    ),
    Family("headgate_team_cost_dollars", "counter", "US dollars, by whose they were.", ("team", "key", "model")),
    Family(
        "headgate_loop_lag_seconds",
        "histogram",
        "Seconds by which a worker's event loop came late to what was due, looked at twice a second.",
    ),
    Family(
        "headgate_tokens", "counter", "Tokens by class; the classes do not overlap.", ("model", "provider", "class")
    ),
    Family(
        "headgate_attempts",
        "counter",
        'Calls of a target; the outcome is "answered" or the error\'s code.',
        ("target", "outcome"),
    ),
    Family(
        "headgate_fallbacks",
        "counter",
        "Times that another target was asked after one had failed a request, by what that one had answered.",
        ("model", "cause"),
    ),
    Family(
        "headgate_shadows",
        "counter",
        "Copies of requests that were sent to another target; they count in no metric of requests.",
        ("model", "target", "ending"),
    ),
    Family(
        "headgate_judgments",
        "counter",
        "Answers that a judge gave a score; they count in no metric of requests.",
        ("model", "target"),
    ),
    Family("headgate_judgment_points", "counter", "The sum of these scores, each from 0 to 1.", ("model", "target")),
    Family(
        "headgate_guard_verdicts",
        "counter",
        "Findings of guards, by what followed; of one request a hundred at the most.",
        ("policy", "category", "action", "mode"),
    ),
    Family("headgate_guard_requests", "counter", "Requests that guards have looked at."),
    Family("headgate_guard_seconds", "counter", "Seconds that guards took."),
    Family("headgate_resumed", "counter", "Times that a broken stream was continued by another target.", ("model",)),
    Family(
        "headgate_cache_requests",
        "counter",
        "Requests for names whose answers are kept: hit (given one that was kept), semantic (one to a similar "
        "question), partial (some vectors of a batch), coalesced (one that another asked for at the same time), stale "
        "(one older than it was to be), refresh (asked anew beside), miss, bypass.",
        ("model", "outcome"),
    ),
    Family(
        "headgate_cache_saved_dollars", "counter", "US dollars that answers given again would have cost.", ("model",)
    ),
    Family(
        "headgate_cache_similarity",
        "histogram",
        "How like the questions were whose answers were given to similar ones.",
        ("model",),
    ),
    Family(
        "headgate_cache_refused",
        "counter",
        "Answers that were not given although their questions were like enough, and what the two did not agree about.",
        ("model", "reason"),
    ),
    Family(
        "headgate_cache_verified",
        "counter",
        "Verdicts on whether one answer serves two similar questions: same, different, unknown (there was none).",
        ("model", "verdict"),
    ),
    Family(
        "headgate_prompt_cache_saved_dollars",
        "gauge",
        "US dollars that were spared by what providers keep of prompts, since the start; below 0 where it cost more to "
        "keep them.",
        ("model",),
    ),
    Family("headgate_config_reloads", "counter", "Configurations read again: applied or refused.", ("outcome",)),
    Family("headgate_series_overflow", "counter", 'What was counted under "other" for want of room.', ("metric",)),
)
WATCHED = (
    Family("headgate_log_dropped", "counter", "Log entries not written, as nobody took them fast enough."),
    Family("headgate_in_flight", "gauge", "Requests being served."),
    Family(
        "headgate_upstream_connections",
        "gauge",
        "Connections to providers by origin (scheme://host:port) and state.",
        ("origin", "state"),
    ),
    Family("headgate_upstream_connections_opened", "counter", "Connections to providers opened.", ("origin",)),
    Family("headgate_journal_backlog_records", "gauge", "Records in memory because the disk does not take them."),
    Family("headgate_journal_backlog_bytes", "gauge", "Bytes of memory these records use."),
    Family("headgate_journal_segments", "gauge", "Files of the journal, of all workers.", across="max"),
    Family("headgate_journal_bytes", "gauge", "Size of these files.", across="max"),
    Family("headgate_journal_deleted_records", "counter", "Records deleted because the journal had grown too large."),
    Family("headgate_records_behind_bytes", "gauge", "Bytes of the journal not yet in the database.", across="max"),
    Family("headgate_records_behind_seconds", "gauge", "Age of the oldest record that is not there.", across="max"),
    Family("headgate_records_drained", "counter", "Records brought into the database.", across="max"),
    Family("headgate_records_failures", "counter", "Times that the database took no records.", across="max"),
    Family("headgate_records_unfit", "counter", "Records that cannot be brought into the database.", across="max"),
    Family("headgate_records_away", "gauge", "1 while the database takes no records.", across="max"),
    Family("headgate_sink_delivered", "counter", "Records sent to a sink.", ("sink",), "max"),
    Family("headgate_sink_failures", "counter", "Times that a sink took no records.", ("sink",), "max"),
    Family("headgate_sink_unfit", "counter", "Records that a sink does not take.", ("sink",), "max"),
    Family(
        "headgate_sink_lost_bytes",
        "counter",
        "Bytes of the journal that were deleted before a sink had them.",
        ("sink",),
        "max",
    ),
    Family("headgate_sink_away", "gauge", "1 while a sink takes no records.", ("sink",), "max"),
    Family("headgate_sink_behind_bytes", "gauge", "Bytes of the journal not yet sent to a sink.", ("sink",), "max"),
    Family(
        "headgate_sink_behind_seconds",
        "gauge",
        "Age of the oldest record that was not sent to a sink.",
        ("sink",),
        "max",
    ),
    Family("headgate_traces_sent", "counter", "Requests whose spans the collector has taken.", across="max"),
    Family(
        "headgate_traces_dropped",
        "counter",
        "Requests whose spans were not sent, as the collector was away for more than a minute.",
        across="max",
    ),
    Family("headgate_traces_failures", "counter", "Times that the collector took no spans.", across="max"),
    Family("headgate_traces_away", "gauge", "1 while the collector takes no spans.", across="max"),
    Family("headgate_payloads_taken", "counter", "Requests of which what was said is kept."),
    Family("headgate_payloads_dropped", "counter", "Requests of which it is not, for want of room in memory."),
    Family("headgate_payloads_waiting_bytes", "gauge", "Bytes of what was said that wait in memory.", across="max"),
    Family("headgate_payloads_behind_bytes", "gauge", "Bytes of it that wait on disk for the database.", across="max"),
    Family("headgate_payloads_drained", "counter", "Payloads brought into the database.", across="max"),
    Family("headgate_payloads_lost", "counter", "Payloads not kept or deleted for want of disk.", across="max"),
    Family("headgate_payloads_away", "gauge", "1 while the database takes no payloads.", across="max"),
    Family(
        "headgate_canary_percent",
        "gauge",
        "Share of a name's requests that its canary gets; 0: it was taken back.",
        ("model", "target"),
        across="max",
    ),
    Family(
        "headgate_circuits",
        "gauge",
        "Processes in which a target's circuit is in a state: closed, open, half_open.",
        ("target", "state"),
    ),
    Family("headgate_circuit_openings", "counter", "Times that a target's circuit has opened.", ("target",)),
    Family("headgate_target_running", "gauge", "Attempts under way at a target.", ("target",)),
    Family("headgate_target_waiting", "gauge", "Requests that wait for a place at a target.", ("target",)),
    Family(
        "headgate_target_turned_away",
        "counter",
        "Requests that found no room in a target's line, or no place in time.",
        ("target",),
    ),
    Family(
        "headgate_limit_exceeded",
        "counter",
        "Requests that a limit had no room for, and what followed: deny, queue (no place in line, or not in time), "
        "downgrade, next (another target was asked, if there was one).",
        ("limit", "then"),
    ),
    Family("headgate_alerts_firing", "gauge", "Alerts that are firing.", ("rule", "severity"), "max"),
    Family("headgate_alert_messages", "counter", "Messages that channels have taken.", ("channel",), "max"),
    Family("headgate_alert_failures", "counter", "Tries to send one that came to nothing.", ("channel",), "max"),
    Family("headgate_alert_waiting", "gauge", "What channels are still to be told of alerts.", (), "max"),
    Family("headgate_alerts_away", "gauge", "1 where the store does not take what becomes of alerts.", (), "max"),
    Family("headgate_store_away", "gauge", "1 where the store cannot be reached.", (), "max"),
    Family(
        "headgate_secrets_away",
        "gauge",
        "1 where a place that keeps secrets did not give all that it was asked for: what they were stays in force.",
        ("source",),
        "max",
    ),
    Family("headgate_secrets_failures", "counter", "Times that secrets kept elsewhere could not all be had."),
    Family("headgate_limit_warnings", "counter", "Times that little was left of a limit.", ("limit",)),
    Family("headgate_limit_waiting", "gauge", "Requests that wait for room of a limit.", ("limit",)),
    Family("headgate_repetitions", "counter", "Attempts at a target after it had failed the request.", ("target",)),
    Family("headgate_repetitions_denied", "counter", "Such attempts that the retry budget did not allow.", ("target",)),
    Family(
        "headgate_keys",
        "gauge",
        "Processes in which a provider's key is in a state: active, cooling, exhausted, invalid, disabled.",
        ("provider", "key", "state"),
    ),
    Family(
        "headgate_judgments_dropped", "counter", "Answers whose judgment there was no room for.", ("model", "target")
    ),
    Family("headgate_shadows_dropped", "counter", "Copies that there was no room for.", ("model", "target")),
    Family(
        "headgate_state_away",
        "gauge",
        "1 while the shared state cannot be asked, and every process goes by its own.",
        across="max",
    ),
    Family("headgate_state_failures", "counter", "Exchanges with the shared state that did not come about."),
    Family(
        "headgate_limits_away",
        "gauge",
        "1 while limits are counted without the other processes, as the shared state cannot be asked.",
        across="max",
    ),
    Family("headgate_limits_failures", "counter", "Times that the shared state was lost, or not found, for limits."),
    Family("headgate_sessions", "gauge", "Sessions of surrogates that are kept in memory."),
    Family("headgate_session_bytes", "gauge", "Bytes of memory that they use."),
    Family(
        "headgate_sessions_away",
        "gauge",
        "1 while the file or state that sessions are kept in cannot be asked.",
        across="max",
    ),
    Family("headgate_session_failures", "counter", "Times that where sessions are kept failed, was lost or not found."),
    Family("headgate_cache_entries", "gauge", "Answers that are kept in memory."),
    Family("headgate_cache_bytes", "gauge", "Bytes of memory that they use."),
    Family(
        "headgate_cache_away",
        "gauge",
        "1 while the file or state that answers are kept in cannot be asked, and providers are.",
        across="max",
    ),
    Family("headgate_cache_failures", "counter", "Times that where answers are kept failed, was lost or not found."),
    Family(
        "headgate_cache_timeouts",
        "counter",
        "Times that it was too late with an answer, of those that it was lost for.",
    ),
    Family("headgate_cache_dropped", "counter", "Answers not kept in the file, as too many waited for the disk."),
    Family("headgate_cache_file_entries", "gauge", "Answers in the file.", across="max"),
    Family("headgate_cache_file_bytes", "gauge", "Bytes of the file's pages in use.", across="max"),
    Family(
        "headgate_cache_file_evictions",
        "counter",
        "Answers that this process took out of the file: for want of room, at the end of their time, or cleared.",
        ("cause",),
    ),
    Family(
        "headgate_cache_index_away",
        "gauge",
        "1 while the database by which answers to similar questions are found is not to be reached.",
        across="max",
    ),
    Family(
        "headgate_cache_reports",
        "counter",
        "Answers from the cache that were reported to be right or wrong.",
        ("verdict",),
    ),
    Family(
        "headgate_cache_evictions",
        "counter",
        "Answers that went: for want of room, at the end of their time, or taken out (cleared).",
        ("cause",),
    ),
    Family("headgate_config_loaded_timestamp_seconds", "gauge", "When the configuration was applied.", across="max"),
)
FAMILIES = {family.name: family for family in COUNTED + WATCHED}
