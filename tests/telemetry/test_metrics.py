"""What is counted adds up, whatever labels strangers try to make us keep."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.record import Attempt, Record
from headgate.core.trace import Trace
from headgate.core.usage import TOKEN_CLASSES, Usage
from headgate.telemetry.families import REQUEST_BUCKETS, WATCHED
from headgate.telemetry.metrics import Example, Metrics, Series, State, merged


def a_record(**fields):
    return Record(**{"id": "x", "time": 1.0, "model": "chat", "target": "openai/gpt-4o", "status": 200} | fields)


def series(metrics, name):
    return {line.labels: line.value for line in metrics.state().series.get(name, [])}


@pytest.fixture
def metrics():
    return Metrics(models={"chat", "smart"})


def test_requests_are_counted_by_what_became_of_them(metrics):
    for fields in ({}, {}, {"status": 502, "ending": "failed", "origin": "provider"}, {"model": "smart"}):
        metrics.count(a_record(**fields))
    assert series(metrics, "headgate_requests") == {
        ("chat", "openai", "200", "complete", "none"): 2,
        ("chat", "openai", "502", "failed", "provider"): 1,
        ("smart", "openai", "200", "complete", "none"): 1,
    }


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"model": "chat", "target": "openai/gpt-4o"}, ("chat", "openai")),
        ({"model": "chat", "target": None, "status": 503}, ("chat", "none")),
        ({"model": "groq/llama/3", "target": "groq/llama/3"}, ("groq/llama/3", "groq")),
        ({"model": "<script>", "target": None, "status": 404}, ("unknown", "none")),
        ({"model": None, "target": None, "status": 401}, ("unknown", "none")),
        ({"model": "free text", "target": "groq/llama"}, ("groq/llama", "groq")),
    ],
)
def test_a_model_is_what_was_routed_never_what_was_typed(metrics, fields, labels):
    for _ in range(2):
        metrics.count(a_record(**fields))
    assert {row[:2] for row in series(metrics, "headgate_requests")} == {labels}


def test_strangers_cannot_make_series(metrics):
    for n in range(5_000):
        metrics.count(a_record(model=f"guess-{n}", target=None, status=404, ending="refused", origin="gateway"))
    assert series(metrics, "headgate_requests") == {("unknown", "none", "404", "refused", "gateway"): 5_000}
    assert len(metrics._found) == 0, "nor memory"


def test_direct_models_beyond_the_bound_are_other_but_configured_ones_always_count():
    metrics = Metrics(models={"chat"}, max_rows=10)
    for n in range(50):
        name = f"openai/made-up-{n}"
        metrics.count(a_record(model=name, target=name, attempts=[Attempt(name, 0.1)]))
    metrics.count(a_record(model="chat"))
    counted = series(metrics, "headgate_requests")
    assert counted["other", "openai", "200", "complete", "none"] == 40
    assert counted["chat", "openai", "200", "complete", "none"] == 1
    assert sum(counted.values()) == 51
    assert series(metrics, "headgate_series_overflow") == {("model",): 40}


def test_statuses_and_attempts_beyond_the_bound_are_other():
    metrics = Metrics(models={"chat"}, max_series=5)
    for status in range(200, 260):
        metrics.count(a_record(status=status, attempts=[Attempt(f"openai/m{status}", 0.1, error="provider_timeout")]))
    requests, attempts = series(metrics, "headgate_requests"), series(metrics, "headgate_attempts")
    assert len(requests) == len(attempts) == 6
    assert sum(requests.values()) == sum(attempts.values()) == 60
    assert attempts["other", "other"] == 55
    overflow = series(metrics, "headgate_series_overflow")
    assert overflow == {("headgate_requests",): 55, ("headgate_attempts",): 55}


def test_attempts_are_counted_by_target_and_outcome(metrics):
    tries = [Attempt("openai/gpt-4o", 1.0, error="provider_timeout"), Attempt("claude/sonnet", 0.2, status=200)]
    metrics.count(a_record(target="claude/sonnet", attempts=tries))
    assert series(metrics, "headgate_attempts") == {
        ("openai/gpt-4o", "provider_timeout"): 1,
        ("claude/sonnet", "answered"): 1,
    }


def test_another_target_counts_by_what_the_one_before_had_done(metrics):
    def attempts(*told):
        return [Attempt(target, 0.1, status, error) for target, status, error in told]

    dead, full = ("a/dead", None, "provider_unreachable"), ("a/full", 429, "provider_refused")
    metrics.count(a_record(attempts=attempts(dead, full, ("a/good", 200, None))))
    metrics.count(a_record(attempts=attempts(full, full, ("a/shy", 200, None), ("a/good", 200, None))))
    metrics.count(a_record(attempts=attempts(("a/slow", None, "hedged"), ("a/good", 200, None))))
    metrics.count(a_record(model="free text", target="a/good", attempts=attempts(dead, ("a/good", 200, None))))
    assert series(metrics, "headgate_fallbacks") == {
        ("chat", "provider_unreachable"): 1,
        ("chat", "429"): 2,
        ("chat", "answer"): 1,
        ("a/good", "provider_unreachable"): 1,
    }


def test_errors_are_counted_by_whose_and_which(metrics):
    failed = {"ending": "failed", "origin": "provider", "error": "provider_timeout", "status": 504}
    for fields in ({}, failed, failed, {"target": None, "ending": "refused", "origin": "gateway", "error": "limit"}):
        metrics.count(a_record(**fields))
    assert series(metrics, "headgate_errors") == {
        ("chat", "openai", "provider", "provider_timeout"): 2,
        ("chat", "none", "gateway", "limit"): 1,
    }


def test_what_answers_cost_is_summed_also_of_those_that_were_not_taken(metrics):
    refused = Attempt("claude/x", 0.1, 200, usage=Usage(output=1), cost="0.25")
    metrics.count(a_record(cost="0.5", usage=Usage(input=1), attempts=[refused, Attempt("openai/gpt-4o", 0.1, 200)]))
    metrics.count(a_record(cost="1", shadow_of="req_1"))
    metrics.count(a_record())
    assert series(metrics, "headgate_cost_dollars") == {("chat", "openai"): 1.5, ("chat", "claude"): 0.25}


@pytest.mark.parametrize(("by_key", "key"), [(False, ""), (True, "test")])
def test_teams_are_told_apart_and_keys_where_it_is_wanted(by_key, key):
    metrics = Metrics(models={"chat"}, by_key=by_key)
    refused = Attempt("claude/x", 0.1, 200, usage=Usage(output=1), cost="0.25")
    spent = {"cost": "0.5", "usage": Usage(input=3, cache_read=2, output=4, reasoning=1), "attempts": [refused]}
    metrics.count(a_record(team="physics", key="test", **spent))
    metrics.count(a_record(team="physics", key="test", model="free text", target=None))
    metrics.count(a_record(team="physics", key="test", shadow_of="req_1", **spent))
    metrics.count(a_record(key="lonely"))
    requests = {("physics", key, "chat"): 1, ("physics", key, "unknown"): 1}
    assert series(metrics, "headgate_team_requests") == requests | ({("", "lonely", "chat"): 1} if by_key else {})
    assert series(metrics, "headgate_team_tokens") == {
        ("physics", key, "chat", "input"): 5,
        ("physics", key, "chat", "output"): 6,
    }
    assert series(metrics, "headgate_team_cost_dollars") == {("physics", key, "chat"): 0.75}


def test_teams_and_errors_beyond_the_bound_are_other():
    metrics = Metrics(models={"chat"}, max_series=5, by_key=True)
    for number in range(20):
        metrics.count(a_record(key=f"k{number}", error=f"e{number}", ending="failed", origin="gateway"))
    requests, errors = series(metrics, "headgate_team_requests"), series(metrics, "headgate_errors")
    assert len(requests) == len(errors) == 6
    assert requests["other", "", "other"] == errors[("other",) * 4] == 15
    overflow = series(metrics, "headgate_series_overflow")
    assert overflow["headgate_team_requests",] == overflow["headgate_errors",] == 15


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 0.5),
        ({"stream": False}, None),
        ({"ending": "cut"}, None),
        ({"first_token": None}, None),
        ({"usage": Usage(output=1)}, None),
    ],
)
def test_the_pace_is_that_of_whole_streams(metrics, fields, seconds):
    usage = Usage(input=100, output=4, reasoning=1)
    metrics.count(a_record(**{"stream": True, "first_token": 1.0, "duration": 3.0, "usage": usage} | fields))
    found = series(metrics, "headgate_output_token_seconds")
    assert found == ({("chat", "openai"): seconds} if seconds else {})


def test_the_last_traced_request_of_a_bucket_is_its_example(metrics):
    for time, id, duration in ((1.0, "a", 0.3), (2.0, "b", 0.4), (3.0, "c", 70.0), (4.0, "d", 0.3)):
        trace = Trace(id * 32, "1" * 16, kept=id != "d")
        metrics.count(a_record(time=time, duration=duration, trace=trace))
    (line,) = metrics.state().series["headgate_request_seconds"]
    assert {bucket: example.trace[0] for bucket, example in line.examples.items()} == {6: "b", 14: "c"}
    older = Series(
        line.labels, 1.0, [1] * len(line.counts), {6: Example("o" * 32, 0.3, 1.0), 0: Example("p" * 32, 0, 1)}
    )
    (joined,) = merged([State("r", 0, 1, {"headgate_request_seconds": [each]}) for each in (line, older)], {})[
        "headgate_request_seconds"
    ]
    assert {bucket: example.trace[0] for bucket, example in joined.examples.items()} == {0: "p", 6: "b", 14: "c"}


def test_how_late_the_loop_was(metrics):
    assert metrics.state().series["headgate_loop_lag_seconds"] == []
    metrics.late(0.0)
    metrics.late(0.3)
    (line,) = metrics.state().series["headgate_loop_lag_seconds"]
    assert (line.labels, line.value, sum(line.counts), line.counts[0]) == ((), 0.3, 2, 1)


def test_the_time_of_a_dry_run_is_that_of_no_answer(metrics):
    metrics.count(a_record(target=None, ending="explained", duration=0.5, first_token=0.5))
    assert series(metrics, "headgate_requests") == {("chat", "none", "200", "explained", "none"): 1}
    assert series(metrics, "headgate_request_seconds") == series(metrics, "headgate_first_token_seconds") == {}


def test_shadows_count_apart_but_for_what_they_cost(metrics):
    copy = {"target": "groq/llama", "shadow_of": "req_1", "usage": Usage(output=7), "duration": 3.0}
    metrics.count(a_record(**copy, attempts=[Attempt("groq/llama", 0.1, status=200)]))
    metrics.count(a_record(**copy, ending="failed", status=500))
    assert series(metrics, "headgate_shadows") == {
        ("chat", "groq/llama", "complete"): 1,
        ("chat", "groq/llama", "failed"): 1,
    }
    assert series(metrics, "headgate_tokens") == {("chat", "groq", "output"): 14}
    assert series(metrics, "headgate_attempts") == {("groq/llama", "answered"): 1}
    assert series(metrics, "headgate_requests") == series(metrics, "headgate_request_seconds") == {}


def test_every_class_of_tokens_is_counted(metrics):
    usage = Usage(**{name: n for n, name in enumerate(TOKEN_CLASSES, 1)}, reported={"x": 1}, server_tools={"web": 2})
    metrics.count(a_record(usage=usage))
    metrics.count(a_record(usage=usage))
    assert series(metrics, "headgate_tokens") == {
        ("chat", "openai", name): 2 * n for n, name in enumerate(TOKEN_CLASSES, 1)
    }
    assert sum(series(metrics, "headgate_tokens").values()) == 2 * (usage.prompt + usage.completion)


@given(st.lists(st.floats(0, 1_000), max_size=50))
@settings(deadline=None)
def test_histograms_hold_every_observation(durations):
    metrics = Metrics()
    for duration in durations:
        metrics.count(a_record(duration=duration, first_token=duration / 2))
    state = metrics.state().series
    for name in ("headgate_request_seconds", "headgate_first_token_seconds"):
        assert sum(sum(line.counts) for line in state[name]) == len(durations)
    for line in state["headgate_request_seconds"]:
        assert line.value == pytest.approx(sum(durations))
        for bound, n in zip(REQUEST_BUCKETS, line.counts, strict=False):
            lower = max((b for b in REQUEST_BUCKETS if b < bound), default=-1.0)
            assert n == sum(lower < duration <= bound for duration in durations)


def test_no_first_token_is_no_observation(metrics):
    metrics.count(a_record(first_token=None))
    assert metrics.state().series["headgate_first_token_seconds"] == []


def test_what_others_know_is_read_when_asked():
    level = {"now": 1}
    metrics = Metrics(watched={"headgate_in_flight": lambda: level["now"]})
    metrics.watch({"headgate_upstream_connections": lambda: {("https://api.openai.com:443", "idle"): 3}})
    level["now"] = 7
    assert series(metrics, "headgate_in_flight") == {(): 7}
    assert series(metrics, "headgate_upstream_connections") == {("https://api.openai.com:443", "idle"): 3}
    for wrong in ("headgate_made_up", "headgate_requests"):
        with pytest.raises(KeyError):
            metrics.watch({wrong: lambda: 1})


def test_reloads_are_counted_and_the_time_of_the_last_told(metrics):
    before = metrics.loaded
    metrics.reloaded(applied=False)
    assert metrics.loaded == before
    metrics.reloaded(applied=True)
    assert metrics.loaded > before
    assert series(metrics, "headgate_config_reloads") == {("applied",): 1, ("refused",): 1}


def test_a_model_that_is_no_longer_configured_is_no_label(metrics):
    metrics.count(a_record(target=None))
    metrics.configured({"smart"})
    metrics.count(a_record(target=None))
    assert {labels[0] for labels in series(metrics, "headgate_requests")} == {"chat", "unknown"}


def test_workers_are_added_and_what_all_see_is_not():
    def state(worker, requests, in_flight, segments):
        lines = {
            "headgate_requests": [Series(("chat",), requests)],
            "headgate_in_flight": [Series((), in_flight)],
            "headgate_journal_segments": [Series((), segments)],
            "headgate_request_seconds": [Series(("chat",), 1.5, [1, 2])],
            "headgate_of_another_version": [Series((), 1)],
        }
        return State("r", worker, 1, lines)

    gone = {"headgate_requests": [Series(("chat",), 100), Series(("old",), 1)]}
    assert merged([state(0, 5, 2, 9), state(1, 7, 3, 8)], gone) == {
        "headgate_requests": [Series(("chat",), 112), Series(("old",), 1)],
        "headgate_in_flight": [Series((), 5)],
        "headgate_journal_segments": [Series((), 9)],
        "headgate_request_seconds": [Series(("chat",), 3.0, [2, 4])],
    }


def test_a_state_comes_back_from_json(metrics):
    metrics.count(a_record(usage=Usage(input=3), first_token=0.1))
    state = metrics.state()
    assert msgspec.json.decode(msgspec.json.encode(state), type=State) == state


def test_every_watched_metric_has_a_plain_name():
    assert all(family.name.startswith("headgate_") and not family.name.endswith("_total") for family in WATCHED)
