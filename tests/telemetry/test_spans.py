"""What spans a record becomes: their times, their ids, and what they leave out."""

from opentelemetry.trace import SpanKind, StatusCode

from headgate.core.record import HEDGED, Attempt, Record
from headgate.core.trace import Trace
from headgate.core.usage import Usage
from headgate.telemetry.spans import Spans

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = [("authenticate", 0.1), ("receive", 0.2), ("route", 0.5), ("retry", 1.0), ("retry", 3.0)]


def made(attempts=(), stages=STAGES, duration=10.0, **more):
    """Each span as its name, when it began and ended in seconds after the request's arrival, and its attributes."""
    spans = Spans("headgate", {}, "1", {"mine": "openai"})
    trace = Trace(ID, SPAN, kept=True, stages=list(stages))
    record = Record(
        id="req_1", time=1000.0, path="/v1/chat/completions", attempts=list(attempts), duration=duration, trace=trace,
        **more,
    )  # fmt: skip
    spans.make(record)
    found = spans.take()
    assert not spans.take()
    spans.make(record)
    assert [span.context.span_id for span in spans.take()] == [span.context.span_id for span in found]
    assert len({span.context.span_id for span in found}) == len(found)
    assert {span.context.trace_id for span in found} == {int(ID, 16)}
    return found


def times(spans):
    start = 1000 * 10**9
    return {span.name: ((span.start_time - start) / 1e9, (span.end_time - start) / 1e9) for span in spans}


def test_stages_last_until_the_next_and_attempts_until_they_are_over():
    spans = made(
        [
            Attempt("mine/broke", 0.5, 200, began=1.0, usage=Usage(output=3)),
            Attempt("mine/failed", 0.5, 500, "provider_refused", began=3.0),
            Attempt("mine/last", 0.5, 200, began=4.0),
        ]
    )
    assert times(spans) == (
        {
            "authenticate": (0.1, 0.2),
            "receive": (0.2, 0.5),
            "route": (0.5, 1.0),
            "chat broke": (1.0, 3.0),
            "chat failed": (3.0, 3.5),
            "chat last": (4.0, 10.0),
            "POST /v1/chat/completions": (0.0, 10.0),
        }
    )
    root = spans[0]
    assert root.kind is SpanKind.SERVER
    assert root.parent is None
    assert {span.parent.span_id for span in spans[1:]} == {int(SPAN, 16)}


def test_where_it_came_to_its_end_says_why():
    spans = made(stages=STAGES[:3], ending="failed", error="no_target", status=503, origin="gateway")
    stage = spans[-1]
    assert times(spans)["route"] == (0.5, 10.0)
    assert stage.attributes["error.type"] == "no_target"
    assert stage.status.status_code is StatusCode.ERROR
    refused = made(stages=STAGES[:1], ending="refused", error="unauthenticated", status=401, origin="gateway")
    assert {span.status.status_code for span in refused} == {StatusCode.UNSET}, "that was the client's fault"


def test_the_tokens_of_each_answer_are_those_of_its_span():
    hedged = Attempt("other/slow", 1.0, None, HEDGED, began=1.0)
    usage = Usage(input=10, cache_read=5, cache_write_1h=2, output=3, reasoning=4)
    refused = Attempt("mine/refused", 1.0, 200, began=1.0, usage=Usage(input=1, output=2))
    spans = made([hedged, refused, Attempt("mine/last", 1.0, 200, began=2.0)], usage=usage, stream=True, finish="stop")
    slow, first, last = spans[-3:]
    assert slow.status.status_code is StatusCode.UNSET
    assert slow.attributes["gen_ai.provider.name"] == "other"
    assert not [name for name in slow.attributes if "usage" in name or "first_chunk" in name]
    assert first.attributes["gen_ai.usage.output_tokens"] == 2
    assert "gen_ai.response.finish_reasons" not in first.attributes
    assert (
        last.attributes.items()
        >= {
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 17,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.usage.cache_write.input_tokens": 2,
            "gen_ai.usage.reasoning.output_tokens": 4,
            "gen_ai.response.finish_reasons": ("stop",),
        }.items()
    )


def test_nobody_is_named_and_nothing_quoted():
    people = {
        "user": "somebody",
        "end_user": "somebody",
        "client": "somebody",
        "message": "somebody",
        "tags": ["somebody"],
    }
    attempt = Attempt("mine/x", 1.0, 500, "provider_refused", message="somebody", began=1.0)
    spans = made([attempt], key="test", team="physics", ending="failed", error="provider_refused", **people)
    assert spans[0].attributes.items() >= {"headgate.key": "test", "headgate.team": "physics"}.items()
    assert not [span for span in spans if "somebody" in str(dict(span.attributes)) + span.name]
