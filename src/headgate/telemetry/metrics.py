"""Counts finished requests in plain dictionaries and lists, cheap enough to do for each; text is made when asked for.

A label never holds what a stranger typed: a model is one that is configured or that a request was routed to, and
each metric keeps at most so many series; what comes after is counted as "other", and that it was is counted too.
"""

from __future__ import annotations

import secrets
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter

import msgspec

from headgate.core.record import FAULTY, HEDGED, Attempt, Record
from headgate.core.usage import TOKEN_CLASSES, Usage
from headgate.telemetry.families import (
    COUNTED,
    FAMILIES,
    LAG_BUCKETS,
    PACE_BUCKETS,
    REQUEST_BUCKETS,
    TOKEN_BUCKETS,
    WATCHED,
    Family,
    Labels,
)  # fmt: skip
from headgate.telemetry.guarded import Guarded
from headgate.telemetry.similarities import Similarities

Read = Callable[[], float | Mapping[Labels, float]]
"""The value now: a number, or one for each combination of the metric's labels."""

_RARE_CLASSES = tuple(name for name in TOKEN_CLASSES if name not in ("input", "output", "cache_read", "reasoning"))
_rare = attrgetter(*_RARE_CLASSES)
UNKNOWN, OTHER, NONE = "unknown", "other", "none"


class Example(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request that was counted in a histogram's bucket, and of which there is a trace."""

    trace: str
    value: float
    time: float


class Series(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a counter or gauge, or one histogram (`counts` by bucket, the last one unbounded)."""

    labels: Labels
    value: float
    counts: list[int] = []
    examples: dict[int, Example] = {}
    """By the number of the bucket: the last one."""


class State(msgspec.Struct):
    """Everything one worker has counted: what is written for the others to read."""

    run: str
    worker: int
    pid: int
    series: dict[str, list[Series]]


_Request = tuple[int, str, str | None]


class _Row:
    """What is counted for one model at one provider."""

    __slots__ = (
        "cost", "examples", "first_token", "first_token_sum", "labels", "pace", "pace_sum", "requests", "resumed",
        "seconds", "seconds_sum", "tokens",
    )  # fmt: skip

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.requests: dict[_Request, int] = {}
        self.resumed = 0
        self.seconds = [0] * (len(REQUEST_BUCKETS) + 1)
        self.seconds_sum = 0.0
        self.examples: dict[int, Example] = {}
        self.pace = [0] * (len(PACE_BUCKETS) + 1)
        self.pace_sum = 0.0
        self.cost = 0.0
        self.first_token = [0] * (len(TOKEN_BUCKETS) + 1)
        self.first_token_sum = 0.0
        self.tokens = dict.fromkeys(TOKEN_CLASSES, 0)


class _Used:
    """What is counted for one team or key, and one model."""

    __slots__ = ("cost", "input", "output", "requests")

    def __init__(self) -> None:
        self.requests = self.input = self.output = 0
        self.cost = 0.0


class Metrics:
    """Counts for one worker (`core.ports.Meter`). `count` belongs to the event loop; `state` may be read elsewhere."""

    def __init__(
        self,
        *,
        worker: int = 0,
        pid: int = 0,
        models: Collection[str] = frozenset(),
        watched: Mapping[str, Read] | None = None,
        max_rows: int = 500,
        max_series: int = 5_000,
        by_key: bool = False,
    ) -> None:
        """`models` are the configured names (see `configured`).

        `watched` gives the values of the metrics in WATCHED, by their names; any may be left out. Read in whichever
        thread asks for `state`. `max_rows` bounds pairs of model and provider, `max_series` each other metric.
        `by_key`: what teams use is counted for each of their keys, and for keys without a team.
        """
        self.run = secrets.token_hex(8)
        self.worker = worker
        self.pid = pid
        self._watched: dict[str, Read] = {}
        self._max_rows = max_rows
        self._max_series = max_series
        self._requests = 0
        """How many series of headgate_requests there are."""
        self._rows: dict[Labels, _Row] = {}
        self._found: dict[tuple[str | None, str | None], _Row] = {}
        self._attempts: dict[tuple[str, str | None], int] = {}
        self._by_key = by_key
        self._used: dict[tuple[str | None, str | None, str], _Used] = {}
        self._errors: dict[Labels, int] = {}
        self._lag = [0] * (len(LAG_BUCKETS) + 1)
        self._lag_sum = 0.0
        self._fallbacks: dict[Labels, int] = {}
        self._shadows: dict[Labels, int] = {}
        self._judged: dict[Labels, tuple[int, float]] = {}
        """Of names and targets of the configuration, hence few: how many, and their sum."""
        self._cached: dict[Labels, int] = {}
        self._spared: dict[Labels, float] = {}
        self._unread: dict[Labels, float] = {}
        self._similar = Similarities()
        self._guards = Guarded(max_series)
        self._overflow: dict[Labels, int] = {}
        self._reloads = {("applied",): 0, ("refused",): 0}
        self.loaded = time.time()
        self.configured(models)
        self.watch(watched or {})

    def configured(self, models: Collection[str]) -> None:
        """The names clients may ask for, from a configuration just applied."""
        self._models = frozenset(models)
        self._found.clear()

    def reloaded(self, *, applied: bool) -> None:
        """A configuration was read again, and applied or refused."""
        self._reloads["applied" if applied else "refused",] += 1
        if applied:
            self.loaded = time.time()

    def watch(self, watched: Mapping[str, Read]) -> None:
        """Take further values from outside, by names of WATCHED. Raises KeyError for any other name."""
        for name, read in watched.items():
            if FAMILIES[name] not in WATCHED:
                raise KeyError(name)
            self._watched[name] = read

    def count(self, record: Record) -> None:
        """Add a finished request."""
        row = self._found.get((record.model, record.target)) or self._row(record)
        if record.shadow_of is not None or record.judgment is not None:
            self._count_own(record, row)
            return
        key = (record.status, record.ending, record.origin)
        requests = row.requests
        if key in requests:
            requests[key] += 1
        else:
            self._new_request(requests, key)
        if record.ending == "explained":  # nobody was asked: its time would be taken for that of an answer
            return
        duration = record.duration
        row.seconds[bisect_left(REQUEST_BUCKETS, duration)] += 1
        row.seconds_sum += duration
        trace = record.trace
        if trace is not None and trace.kept:
            row.examples[bisect_left(REQUEST_BUCKETS, duration)] = Example(trace.id, duration, record.time + duration)
        first = record.first_token
        if first is not None:
            row.first_token[bisect_left(TOKEN_BUCKETS, first)] += 1
            row.first_token_sum += first
        usage = record.usage
        if usage is not None:
            _count_tokens(row.tokens, usage)
            if record.stream and first is not None and record.ending == "complete":
                _count_pace(row, duration - first, usage.completion)
        if record.cost is not None:
            row.cost += float(record.cost)
        if record.error is not None or record.guarded is not None:
            self._count_seldom(row.labels, record)
        if record.team is not None or self._by_key:
            self._count_used(row.labels[0], record)
        row.resumed += record.resumed
        self._count_attempts(record)
        if record.cached is not None or record.saved or len(record.attempts) > 1:
            self._count_ways(row.labels[0], record)

    def late(self, seconds: float) -> None:
        """So late the event loop came to what was due."""
        self._lag[bisect_left(LAG_BUCKETS, seconds)] += 1
        self._lag_sum += seconds

    def _count_seldom(self, labels: Labels, record: Record) -> None:
        """What most requests do not have."""
        if record.error is not None:
            self._count_error(labels, record)
        if record.guarded is not None and not self._guards.count(record, record.guarded):
            self._overflowed("headgate_guard_verdicts")

    def _count_error(self, labels: Labels, record: Record) -> None:
        key = (*labels, record.origin or NONE, record.error or NONE)
        if key not in self._errors and len(self._errors) >= self._max_series:
            self._overflowed("headgate_errors")
            key = (OTHER,) * 4
        self._errors[key] = self._errors.get(key, 0) + 1

    def _count_saved(self, model: str, record: Record, dollars: float) -> None:
        """By an answer that was kept, or by what a provider had kept of the prompt; that may be less than nothing."""
        cached = record.cached
        answer = record.spared or (cached is not None and cached.how == "partial")
        into = self._spared if answer else self._unread
        into[model,] = into.get((model,), 0.0) + dollars

    def _count_used(self, model: str, record: Record) -> None:
        """Of teams and keys, whose names are those of the configuration, or of who issues tokens."""
        whose = (record.team, record.key if self._by_key else None, model)
        used = self._used.get(whose)
        if used is None:
            if len(self._used) >= self._max_series:
                self._overflowed("headgate_team_requests")
                whose = (OTHER, None, OTHER)
            used = self._used.setdefault(whose, _Used())
        used.requests += 1
        usage = record.usage
        if usage is not None:
            used.input += usage.prompt
            used.output += usage.completion
        if record.cost is not None:
            used.cost += float(record.cost)
        for attempt in record.attempts:
            if attempt.usage is not None:  # an answer that was not taken is paid for like any other
                used.input += attempt.usage.prompt
                used.output += attempt.usage.completion
                used.cost += float(attempt.cost or 0.0)

    def _count_attempts(self, record: Record) -> None:
        for attempt in record.attempts:
            if attempt.usage is not None:
                row = self._row_of(record, attempt.target)
                _count_tokens(row.tokens, attempt.usage)
                row.cost += float(attempt.cost or 0.0)
            tried = (attempt.target, attempt.error)
            if tried in self._attempts:
                self._attempts[tried] += 1
            else:
                self._new_attempt(tried)

    def _count_ways(self, model: str, record: Record) -> None:
        """How it came by its answer, where it was not the first target that gave it, or not only that may have."""
        if record.cached is not None:
            outcome = model, record.cached.how
            self._cached[outcome] = self._cached.get(outcome, 0) + 1
            self._similar.count(model, record.cached)
        if "cache" in record.saved:
            self._count_saved(model, record, float(record.saved["cache"]))
        for before, after in pairwise(record.attempts):
            if before.target != after.target and before.error != HEDGED:
                labels = (model, _cause(before))
                if labels not in self._fallbacks and len(self._fallbacks) >= self._max_series:
                    self._overflowed("headgate_fallbacks")
                    labels = (OTHER, OTHER)
                self._fallbacks[labels] = self._fallbacks.get(labels, 0) + 1

    def _count_own(self, record: Record, row: _Row) -> None:
        """It costs tokens, but is no request of anybody's."""
        judgment = record.judgment
        if judgment is None:
            labels: Labels = (row.labels[0], record.target or NONE, record.ending)
            self._shadows[labels] = self._shadows.get(labels, 0) + 1
        elif judgment.score is not None:
            labels = (judgment.model, judgment.target)
            count, points = self._judged.get(labels, (0, 0.0))
            self._judged[labels] = count + 1, points + judgment.score
        if record.usage is not None:
            _count_tokens(row.tokens, record.usage)
        row.cost += float(record.cost or 0.0)
        self._count_attempts(record)

    def _row_of(self, record: Record, target: str) -> _Row:
        return self._found.get((record.model, target)) or self._row(msgspec.structs.replace(record, target=target))

    def _row(self, record: Record) -> _Row:
        """The row of a record's model and provider, made where there is none yet."""
        model, target = record.model, record.target
        configured = model is not None and model in self._models
        provider = target.partition("/")[0] if target else NONE
        label = (model if configured else target) or UNKNOWN
        row = self._rows.get((label, provider))
        if row is None:
            if len(self._rows) >= self._max_rows and not configured and label != UNKNOWN:
                self._overflowed("model")
                label = OTHER
            row = self._rows.setdefault((label, provider), _Row((label, provider)))
        if label not in (UNKNOWN, OTHER) and len(self._found) < 4 * self._max_rows:
            self._found[model, target] = row
        return row

    def _new_request(self, requests: dict[_Request, int], key: _Request) -> None:
        if self._requests >= self._max_series:
            self._overflowed("headgate_requests")
            key = (0, OTHER, OTHER)
        elif key not in requests:
            self._requests += 1
        requests[key] = requests.get(key, 0) + 1

    def _new_attempt(self, tried: tuple[str, str | None]) -> None:
        if len(self._attempts) >= self._max_series:
            self._overflowed("headgate_attempts")
            tried = (OTHER, OTHER)
        self._attempts[tried] = self._attempts.get(tried, 0) + 1

    def _overflowed(self, metric: str) -> None:
        self._overflow[metric,] = self._overflow.get((metric,), 0) + 1

    def state(self) -> State:
        """Everything counted so far and every watched value now; safe beside a running `count`."""
        series: dict[str, list[Series]] = {family.name: [] for family in COUNTED}
        for row in list(self._rows.copy().values()):
            self._read_row(row, series)
        series["headgate_attempts"] = [
            Series((target, error or "answered"), n) for (target, error), n in self._attempts.copy().items()
        ]
        series["headgate_fallbacks"] = [Series(labels, n) for labels, n in self._fallbacks.copy().items()]
        series["headgate_errors"] = [Series(labels, n) for labels, n in self._errors.copy().items()]
        for (team, key, model), used in self._used.copy().items():
            _read_used((team or "", key or "", model), used, series)
        series["headgate_loop_lag_seconds"] = [Series((), self._lag_sum, self._lag[:])] if any(self._lag) else []
        series["headgate_shadows"] = [Series(labels, n) for labels, n in self._shadows.copy().items()]
        judged = self._judged.copy().items()
        series["headgate_judgments"] = [Series(labels, count) for labels, (count, _) in judged]
        series["headgate_judgment_points"] = [Series(labels, points) for labels, (_, points) in judged]
        resumed: Counter[str] = Counter()
        for row in list(self._rows.copy().values()):
            resumed[row.labels[0]] += row.resumed
        series["headgate_resumed"] = [Series((model,), n) for model, n in resumed.items() if n]
        series["headgate_cache_requests"] = [Series(labels, n) for labels, n in self._cached.copy().items()]
        series["headgate_prompt_cache_saved_dollars"] = [Series(labels, n) for labels, n in self._unread.copy().items()]
        series["headgate_cache_saved_dollars"] = [Series(labels, n) for labels, n in self._spared.copy().items()]
        for name, counts in (("refused", self._similar.refused), ("verified", self._similar.verified)):
            series[f"headgate_cache_{name}"] = [Series(labels, n) for labels, n in counts.copy().items()]
        series["headgate_cache_similarity"] = [Series(*each) for each in self._similar.given()]
        for name, found in self._guards.given():
            series[name] = [Series(labels, n) for labels, n in found.items()]
        series["headgate_config_reloads"] = [Series(labels, n) for labels, n in self._reloads.items()]
        series["headgate_series_overflow"] = [Series(labels, n) for labels, n in self._overflow.copy().items()]
        for name, read in self._watched.items():
            value = read()
            values = value if isinstance(value, Mapping) else {(): value}
            series[name] = [Series(labels, n) for labels, n in values.items()]
        if "headgate_config_loaded_timestamp_seconds" not in self._watched:
            series["headgate_config_loaded_timestamp_seconds"] = [Series((), self.loaded)]
        return State(self.run, self.worker, self.pid, series)

    def _read_row(self, row: _Row, series: dict[str, list[Series]]) -> None:
        for (status, ending, origin), n in row.requests.copy().items():
            labels = (*row.labels, str(status) if status else OTHER, ending, origin or NONE)
            series["headgate_requests"].append(Series(labels, n))
        if any(row.seconds):
            line = Series(row.labels, row.seconds_sum, row.seconds[:], row.examples.copy())
            series["headgate_request_seconds"].append(line)
        if any(row.first_token):
            series["headgate_first_token_seconds"].append(Series(row.labels, row.first_token_sum, row.first_token[:]))
        if any(row.pace):
            series["headgate_output_token_seconds"].append(Series(row.labels, row.pace_sum, row.pace[:]))
        if row.cost:
            series["headgate_cost_dollars"].append(Series(row.labels, row.cost))
        series["headgate_tokens"] += [Series((*row.labels, name), n) for name, n in row.tokens.items() if n]


def _read_used(labels: Labels, used: _Used, series: dict[str, list[Series]]) -> None:
    series["headgate_team_requests"].append(Series(labels, used.requests))
    for name, number in (("input", used.input), ("output", used.output)):
        if number:
            series["headgate_team_tokens"].append(Series((*labels, name), number))
    if used.cost:
        series["headgate_team_cost_dollars"].append(Series(labels, used.cost))


def _count_pace(row: _Row, seconds: float, tokens: int) -> None:
    if tokens > 1:
        pace = max(seconds, 0.0) / (tokens - 1)
        row.pace[bisect_left(PACE_BUCKETS, pace)] += 1
        row.pace_sum += pace


def _cause(attempt: Attempt) -> str:
    """Why it was not the last one."""
    if attempt.error is None:
        return "answer"  # it refused, was judged too bad, or broke off and another went on
    return attempt.error if attempt.status is None or attempt.error == FAULTY else str(attempt.status)


def _count_tokens(tokens: dict[str, int], usage: Usage) -> None:
    if usage.input:
        tokens["input"] += usage.input
    if usage.output:
        tokens["output"] += usage.output
    if usage.cache_read:
        tokens["cache_read"] += usage.cache_read
    if usage.reasoning:
        tokens["reasoning"] += usage.reasoning
    numbers = _rare(usage)
    if any(numbers):
        for name, number in zip(_RARE_CLASSES, numbers, strict=True):
            tokens[name] += number


def merged(states: Sequence[State], retired: Mapping[str, Sequence[Series]]) -> dict[str, list[Series]]:
    """One set of series out of several workers' states and of what workers that are gone had counted."""
    total: dict[str, dict[Labels, Series]] = {}
    for series in [state.series for state in states] + [dict(retired)]:
        for name, lines in series.items():
            family = FAMILIES.get(name)
            if family is None:
                continue
            into = total.setdefault(name, {})
            for line in lines:
                into[line.labels] = _join(family, into[line.labels], line) if line.labels in into else line
    return {name: list(lines.values()) for name, lines in total.items()}


def _join(family: Family, one: Series, two: Series) -> Series:
    if family.across == "max":
        return Series(one.labels, max(one.value, two.value))
    if len(one.counts) != len(two.counts):
        return one  # another version's buckets
    counts = [a + b for a, b in zip(one.counts, two.counts, strict=True)]
    examples = dict(two.examples)
    for bucket, example in one.examples.items():
        if bucket not in examples or examples[bucket].time < example.time:
            examples[bucket] = example
    return Series(one.labels, one.value + two.value, counts, examples)
