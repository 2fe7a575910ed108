"""Writes what was counted as Prometheus or OpenMetrics text; run in a thread, for it takes milliseconds."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from headgate.telemetry.families import (
    FAMILIES,
    LAG_BUCKETS,
    PACE_BUCKETS,
    REQUEST_BUCKETS,
    SIMILARITY_BUCKETS,
    TOKEN_BUCKETS,
    Family,
)  # fmt: skip
from headgate.telemetry.metrics import Metrics, Series, State, merged
from headgate.telemetry.workers import Workers

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Exemplar

_BUCKETS = {
    "headgate_request_seconds": REQUEST_BUCKETS,
    "headgate_first_token_seconds": TOKEN_BUCKETS,
    "headgate_output_token_seconds": PACE_BUCKETS,
    "headgate_loop_lag_seconds": LAG_BUCKETS,
    "headgate_cache_similarity": SIMILARITY_BUCKETS,
}


class Exposition:
    """What GET /metrics answers. `workers` is None where there is only one."""

    def __init__(self, metrics: Metrics, *, version: str, workers: Workers | None = None) -> None:
        self._metrics = metrics
        self._version = version
        self._workers = workers

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The text and its content type, in the form the client's `Accept` header asks for.

        Blocks for milliseconds: `await asyncio.to_thread(exposition.render, accept)`. Raises OSError where other
        workers' files cannot be read.
        """
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        write: Callable[[Exposition], bytes] = encode
        return write(self), content_type

    def collect(self) -> Iterator[Metric]:
        """The metrics as prometheus_client's encoders want them (a custom collector)."""
        gone: dict[str, list[Series]] = {}
        if self._workers is None:
            states = [self._metrics.state()]
        else:
            states, gone = self._workers.states()
        for name, lines in merged(states, gone).items():
            yield self._metric(FAMILIES[name], lines)
        yield self._build()
        yield from _processes(states)

    def _metric(self, family: Family, lines: Sequence[Series]) -> Metric:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        names = family.labels
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(family.name, family.help, labels=names)
            for line in lines:
                histogram.add_metric(line.labels, _cumulative(_BUCKETS[family.name], line), line.value)
            return histogram
        made = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(
            family.name, family.help, labels=names
        )
        for line in lines:
            if len(line.labels) == len(names):
                made.add_metric(line.labels, line.value)
        return made

    def _build(self) -> Metric:
        from prometheus_client.metrics_core import GaugeMetricFamily

        info = GaugeMetricFamily("headgate_build_info", "What is running; always 1.", labels=("version", "python"))
        info.add_metric((self._version, platform.python_version()), 1)
        return info


def _cumulative(buckets: Sequence[float], line: Series) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    """With an exemplar (of OpenMetrics alone) where one of the bucket's requests was traced."""
    from prometheus_client.samples import Exemplar

    total = 0
    lines: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for number, (bound, count) in enumerate(zip((*map(str, buckets), "+Inf"), line.counts, strict=True)):
        total += count
        example = line.examples.get(number)
        if example is None:
            lines.append((bound, float(total)))
        else:
            shown = Exemplar({"trace_id": example.trace}, example.value, example.time)
            lines.append((bound, float(total), shown))
    return lines


def _processes(states: Sequence[State]) -> Iterator[Metric]:
    """Memory, processor time and open files of every live worker, from /proc; nothing where there is none."""
    from prometheus_client.process_collector import ProcessCollector

    found: dict[str, Metric] = {}
    for state in states:
        pid = state.pid or "self"
        for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
            samples = [sample._replace(labels={"worker": str(state.worker)}) for sample in metric.samples]
            if metric.name in found:
                found[metric.name].samples += samples
            else:
                metric.samples = samples
                found[metric.name] = metric
    yield from found.values()
