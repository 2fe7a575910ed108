"""Makes the spans of a request from its record, with OpenTelemetry's SDK, in the words of its conventions.

Nothing of what was asked or answered is in them, no error's words (which may quote it) and nobody's name but the key's
and whose it is. Imported only by who makes spans: the SDK takes its time to import.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/client-inference.md
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)  # fmt: skip

from headgate.core.printable import printable
from headgate.core.record import Attempt, Record
from headgate.core.trace import Trace
from headgate.core.usage import Usage

LONGEST = 200
"""Characters of a text that somebody else wrote."""
OPERATIONS = {"images": "image_generation", "speech": "text_to_speech", "transcription": "speech_to_text"}
"""Our names of operations that say less without the gateway around them."""
ERROR = Status(StatusCode.ERROR)
UNSET = Status(StatusCode.UNSET)
NS = 10**9

Attributes = dict[str, Any]


class Spans:
    """What is made, until it is taken."""

    def __init__(self, service: str, attributes: Mapping[str, str], version: str, kinds: Mapping[str, str]) -> None:
        """`kinds` says by what name the conventions know a provider of the configuration."""
        self._kinds = kinds
        self._ids = _Ids()
        self._made: list[ReadableSpan] = []
        resource = Resource.create({**attributes, "service.name": service, "service.version": version})
        provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, id_generator=self._ids)
        provider.add_span_processor(_Keep(self._made))
        self._tracer = provider.get_tracer("headgate", version)

    def take(self) -> list[ReadableSpan]:
        made = self._made[:]
        self._made.clear()
        return made

    def make(self, record: Record) -> None:
        """Of a record whose trace is kept: one for the request, below it one for each stage and attempt."""
        trace = record.trace
        if trace is None:
            return
        root = self._span(
            f"{trace.method} {_said(trace.route or record.path)}",
            (0.0, record.duration),
            _request(record, trace),
            record,
            trace.span,
            kind=SpanKind.SERVER,
            failed=record.ending in ("failed", "cut"),
            parent=_parent(trace),
        )
        for number, (name, span, attributes) in enumerate(_stages(record, trace)):
            failed = "error.type" in attributes and record.ending in ("failed", "cut")
            self._span(_said(name), span, attributes, record, _derived(trace, f"stage {number}"), failed, parent=root)
        for number, attempt in enumerate(record.attempts):
            self._span(
                f"{OPERATIONS.get(trace.operation, trace.operation)} {_said(attempt.target.partition('/')[2])}",
                (attempt.began or 0.0, _end(record, number)),
                self._call(record, trace, attempt, last=attempt is record.attempts[-1]),
                record,
                attempt.span or _derived(trace, f"attempt {number}"),
                failed=attempt.error is not None and attempt.error != "hedged",
                kind=SpanKind.CLIENT,
                parent=root,
            )

    def _span(
        self,
        name: str,
        between: tuple[float, float],
        attributes: Attributes,
        record: Record,
        id: str,
        failed: bool = False,
        *,
        parent: Context,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Context:
        """Gives the context of those below it."""
        begin, end = between
        assert record.trace is not None
        self._ids.trace, self._ids.span = int(record.trace.id, 16), int(id, 16)
        start = round(record.time * NS)
        span = self._tracer.start_span(name, parent, kind, attributes, start_time=start + round(begin * NS))
        span.set_status(ERROR if failed else UNSET)
        span.end(start + round(max(begin, end) * NS))
        return set_span_in_context(span, Context())

    def _call(self, record: Record, trace: Trace, attempt: Attempt, *, last: bool) -> Attributes:
        provider, _, model = attempt.target.partition("/")
        operation = OPERATIONS.get(trace.operation, trace.operation)
        found: Attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": self._kinds.get(provider, _said(provider)),
            "gen_ai.request.model": _said(model),
            "gen_ai.request.stream": record.stream,
            "headgate.provider": _said(provider),
            "headgate.credential": attempt.credential,
            "http.response.status_code": attempt.status,
            "error.type": attempt.error,
        }
        if attempt.error is None and record.stream:
            found["gen_ai.response.time_to_first_chunk"] = attempt.seconds
        if last and attempt.error is None:
            found["gen_ai.response.finish_reasons"] = None if record.finish is None else [_said(record.finish)]
            found["gen_ai.response.id"] = None if record.upstream_id is None else _said(record.upstream_id)
        usage = record.usage if last and attempt.usage is None else attempt.usage
        return _there(found | (_tokens(usage) if usage is not None else {}))


class _Ids(IdGenerator):
    """Those of the span that is made next."""

    trace = span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class _Keep(SpanProcessor):
    def __init__(self, made: list[ReadableSpan]) -> None:
        self._made = made

    def on_end(self, span: ReadableSpan) -> None:
        self._made.append(span)


def _parent(trace: Trace) -> Context:
    """The client's span, if it has told of one."""
    if trace.parent is None:
        return Context()
    state = TraceState.from_header([trace.state]) if trace.state is not None else None
    known = SpanContext(int(trace.id, 16), int(trace.parent, 16), True, TraceFlags(TraceFlags.SAMPLED), state)
    return set_span_in_context(NonRecordingSpan(known), Context())


def _derived(trace: Trace, what: str) -> str:
    """The id of a span below the request's: what is sent twice is the same span."""
    return blake2b(f"{trace.span} {what}".encode(), digest_size=8).hexdigest()


def _request(record: Record, trace: Trace) -> Attributes:
    return _there(
        {
            "http.request.method": trace.method,
            "http.route": _said(trace.route or record.path),
            "url.path": _said(record.path),
            "http.response.status_code": record.status or None,
            "error.type": record.error,
            "headgate.request.id": record.id,
            "headgate.ending": record.ending,
            "headgate.error.origin": record.origin,
            "headgate.model": _said(record.model),
            "headgate.target": _said(record.target),
            "headgate.key": _said(record.key),
            "headgate.organisation": _said(record.organisation),
            "headgate.team": _said(record.team),
            "headgate.application": _said(record.application),
            "headgate.cost.usd": float(record.cost) if record.cost is not None else None,
            "headgate.attempts": len(record.attempts),
            "headgate.resumed": record.resumed or None,
            "headgate.downgraded": _said(record.downgraded),
            "headgate.guard.verdicts": _verdicts(record) or None,
            "headgate.sources": [_said(each) for each in record.sources[:50]] or None,
            "headgate.worker": record.worker,
        }
    )


def _verdicts(record: Record) -> list[str]:
    """`policy: category: action`, each once."""
    monitored = {"monitor": " (monitored)", "enforce": ""}
    said = [f"{each.policy}: {each.category}: {each.action}{monitored[each.mode]}" for each in record.guards]
    return [printable(each, limit=LONGEST) for each in dict.fromkeys(said)]


def _stages(record: Record, trace: Trace) -> Iterator[tuple[str, tuple[float, float], Attributes]]:
    """What came before the first attempt: each lasts until the next one begins."""
    names = [name for name, _ in trace.stages]
    begun = trace.stages[: names.index("retry") + 1] if "retry" in names else trace.stages
    for (name, begin), (_, end) in pairwise(begun):
        yield name, (begin, end), {}
    if begun and begun[-1][0] != "retry":  # where it came to its end
        name, begin = begun[-1]
        yield name, (begin, record.duration), _there({"error.type": record.error})


def _end(record: Record, number: int) -> float:
    """When an attempt was over, in seconds after the request's arrival."""
    attempt = record.attempts[number]
    began = attempt.began or 0.0
    if attempt.error is not None:
        return began + attempt.seconds
    if number == len(record.attempts) - 1:
        return record.duration
    following = record.attempts[number + 1].began or 0.0
    return max(following, began + attempt.seconds)  # its answer was read until another was asked


def _tokens(usage: Usage) -> Attributes:
    written = usage.cache_write + usage.cache_write_1h
    return {
        "gen_ai.usage.input_tokens": usage.prompt,
        "gen_ai.usage.output_tokens": usage.completion,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read or None,
        "gen_ai.usage.cache_write.input_tokens": written or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning or None,
    }


def _there(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}


def _said(text: str | None) -> Any:
    return None if text is None else printable(text, limit=LONGEST)
