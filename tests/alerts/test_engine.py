"""Rules by a clock that tests move: what they find, and what an alert may become."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.alerts import keeping
from headgate.alerts.built_in import BUILT_IN
from headgate.alerts.engine import Engine
from headgate.alerts.hearing import Sample
from headgate.alerts.rule import Rule
from headgate.alerts.seen import Seen, Tried, Verdict, read

START = 1_000_000.0


def seen(at, *, provider="a", failed=False, seconds=0.1, tokens=0, status=200, **more):
    target = f"{provider}/m"
    tried = Tried(target, 503 if failed else 200, "provider_refused" if failed else None)
    given = {"target": target, "status": 503 if failed else status, "duration": seconds, "attempts": [tried], **more}
    if tokens:
        given["usage"] = {"input": tokens}
    ending = "failed" if failed else "complete"
    made = msgspec.convert({"time": at - seconds, "ending": ending, "usage": given.pop("usage", None)}, Seen)
    return msgspec.structs.replace(made, **given)


def engine(*rules):
    made = Engine("me", "here")
    made.configure(rules)
    return made


def turn(made, now, **given):
    return [(became, alert.labels) for became, alert in made.turn(now, **{"leading": True, "fresh": True, **given})]


FAILING = Rule(name="failing", measure="provider_error_rate", above=0.5, by=("provider",), window=60, min_requests=5)


def test_errors_at_one_provider_name_it_and_it_is_resolved_when_it_recovers():
    made = engine(FAILING)
    for second in range(20):
        made.add(seen(START + second, provider="a", failed=True))
        made.add(seen(START + second, provider="b"))
    [(became, labels)] = turn(made, START + 20)
    assert (became, labels) == ("firing", {"provider": "a", "rule": "failing", "severity": "warning"})
    assert turn(made, START + 21) == []
    for second in range(30):
        made.add(seen(START + 30 + second, provider="a"))
    [(became, _)] = turn(made, START + 60)
    assert became == "resolved"
    assert not made.alerts


def test_failed_attempts_count_also_where_another_target_answered():
    made = engine(FAILING)
    for second in range(6):
        one = seen(START + second, provider="b")
        one.attempts = [Tried("a/m", None, "provider_timeout"), Tried("b/m", 200, None)]
        made.add(one)
    assert [labels["provider"] for _, labels in turn(made, START + 10)] == ["a"]


@pytest.mark.parametrize(("status", "error"), [(400, "provider_refused"), (404, "provider_refused"), (None, "hedged")])
def test_what_a_client_does_wrong_is_no_fault_of_the_provider(status, error):
    made = engine(FAILING)
    for second in range(9):
        one = seen(START + second)
        one.attempts = [Tried("a/m", status, error)]
        made.add(one)
    assert turn(made, START + 10) == []


@pytest.mark.parametrize(("error", "own"), [("no_target", False), ("gateway_overloaded", True)])
def test_what_the_gateway_turns_down_as_its_targets_are_out_of_order_is_not_its_own_fault(error, own):
    made = engine(
        Rule(name="own", measure="gateway_error_rate", above=0.1, window=60),
        Rule(name="all", measure="error_rate", above=0.1, window=60),
    )
    for second in range(20):
        made.add(seen(START + second, status=503, ending="refused", error=error, origin="gateway"))
    assert {labels["rule"] for _, labels in turn(made, START + 20)} == {"all", *(["own"] if own else [])}


def test_a_name_with_an_effort_is_the_name_and_what_guards_found_is_a_tag():
    made = engine(
        Rule(name="named", measure="requests", above=1, window=60, where={"model": ["chat"]}),
        Rule(name="biased", measure="requests", above=1, window=60, where={"tag": ["guard:bias"]}),
    )
    found = msgspec.convert([{"policy": "bias", "action": "flag"}], list[Verdict])
    made.add(seen(START, model="chat", guards=found))
    made.add(seen(START + 1, model="chat:high"))
    assert [labels["rule"] for _, labels in turn(made, START + 2)] == ["named"]
    made.add(seen(START + 3, model="other", guards=found))
    assert [labels["rule"] for _, labels in turn(made, START + 4)] == ["biased"]


def test_few_requests_are_no_reason_to_begin_but_one_is_to_end():
    made = engine(FAILING)
    for second in range(4):
        made.add(seen(START + second, failed=True))
    assert turn(made, START + 5) == []
    made.add(seen(START + 5, failed=True))
    assert [became for became, _ in turn(made, START + 6)] == ["firing"]
    assert turn(made, START + 200) == [], "that nothing is asked does not mean that all is well"
    made.add(seen(START + 300))
    assert [became for became, _ in turn(made, START + 301)] == ["resolved"]


def test_what_nothing_is_heard_of_any_more_is_over_in_the_end():
    made = engine(FAILING)
    for second in range(5):
        made.add(seen(START + second, failed=True))
    turn(made, START + 6)
    assert turn(made, START + 3000) == []
    [event] = list(made.turn(START + 3700, leading=True, fresh=True))
    assert event.alert.why == "nothing was heard of it any more"


def test_it_has_to_be_so_for_a_while_and_well_for_a_while():
    made = engine(msgspec.structs.replace(FAILING, lasting=20.0, resolve_after=30.0, window=10.0))
    for second in range(40):
        made.add(seen(START + second, failed=True))
    assert turn(made, START + 9) == []
    assert [alert.state for alert in made.alerts.values()] == ["pending"]
    assert turn(made, START + 28) == []
    assert [became for became, _ in turn(made, START + 30)] == ["firing"]
    for second in range(41, 90):
        made.add(seen(START + second))
    assert turn(made, START + 55) == []
    assert [became for became, _ in turn(made, START + 86)] == ["resolved"]


def test_an_injected_spike_is_three_sigma_from_what_is_usual_and_noise_is_not():
    """R131."""
    chance = random.Random(7)
    rule = Rule(
        name="odd", measure="latency_p50", kind="deviation", above=3.0, window=60, baseline=3600, min_requests=5
    )
    made = engine(rule)
    for second in range(3600):
        made.add(seen(START + second, seconds=chance.gauss(1.0, 0.1)))
        if second % 60 == 59:
            assert turn(made, START + second) == []
    for second in range(3600, 3660):
        made.add(seen(START + second, seconds=2.0))
    [(became, _)] = turn(made, START + 3659)
    assert became == "firing"
    for second in range(3660, 7200):
        made.add(seen(START + second, seconds=2.0))
        if second % 60 == 59:
            assert turn(made, START + second) == [], "what lasts does not become usual"
    for second in range(7200, 7300):
        made.add(seen(START + second, seconds=1.0))
    assert [became for became, _ in turn(made, START + 7299)] == ["resolved"]


def test_a_sudden_change_is_against_the_time_before():
    rule = Rule(name="jump", measure="spend", kind="change", above=3.0, by=("team",), window=60, baseline=1200)
    made = engine(rule)
    for second in range(1200):
        made.add(seen(START + second, cost="0.01", team="red"))
    assert turn(made, START + 1199) == []
    for second in range(1200, 1260):
        made.add(seen(START + second, cost="0.05", team="red"))
    [(became, labels)] = turn(made, START + 1259)
    assert (became, labels["team"]) == ("firing", "red")


def test_nothing_is_unusual_before_it_is_known_what_is_usual():
    made = engine(Rule(name="x", measure="requests", kind="deviation", above=3.0, window=60, baseline=3600))
    for second in range(200):
        made.add(seen(START + second))
    for _ in range(500):
        made.add(seen(START + 210))
    assert turn(made, START + 211) == []


def test_requests_that_stay_away_are_missed_and_not_where_the_feed_is_late():
    rule = Rule(name="gone", measure="requests", kind="absence", by=("application",), window=60, baseline=1200)
    made = engine(rule)
    for second in range(300):
        made.add(seen(START + second, application="shop"))
    assert turn(made, START + 299) == []
    assert turn(made, START + 400, fresh=False) == []
    assert [labels["application"] for _, labels in turn(made, START + 400)] == ["shop"]
    made.add(seen(START + 410, application="shop"))
    assert [became for became, _ in turn(made, START + 411)] == ["resolved"]


def test_the_cache_of_prompts_that_is_lost_is_noticed():
    """R129, as far as providers' caches go."""
    rule = Rule(name="cold", measure="prompt_cache_ratio", kind="change", below=0.5, window=60, baseline=1200)
    made = engine(rule)
    for second in range(1200):
        usage = {"input": 10, "cache_read": 90}
        one = msgspec.convert({"time": START + second, "usage": usage, "status": 200}, Seen)
        made.add(one)
    for second in range(1200, 1260):
        made.add(msgspec.convert({"time": START + second, "usage": {"input": 100}, "status": 200}, Seen))
    [(became, _)] = turn(made, START + 1259)
    assert became == "firing"


def test_the_cache_of_answers_that_is_lost_is_noticed():
    """R129, as far as the gateway's own cache goes."""
    rule = Rule(name="cold", measure="cache_hit_ratio", below=0.5, window=60, min_requests=10)
    made = engine(rule)

    def ask(at, how):
        line = msgspec.json.encode({"time": at, "status": 200, **({"cached": {"how": how}} if how else {})})
        made.add(read(line))

    for second in range(60):
        ask(START + second, ("hit", "coalesced", "miss")[second % 3])
        ask(START + second, None)
        ask(START + second, "bypass")
    assert turn(made, START + 59) == []
    for second in range(60, 120):
        ask(START + second, "miss" if second % 3 else "hit")
    [(became, _)] = turn(made, START + 119)
    assert became == "firing"


def test_metrics_are_each_instances_own_and_limits_are_of_all():
    memory = Rule(name="memory", measure="memory", above=100.0)
    limit = Rule(name="limit", measure="limit_used", above=0.8)
    made = engine(memory, limit)
    made.sample([Sample("memory", {"worker": "1"}, 200.0), Sample("limit_used", {"limit": "x"}, 0.9)], START)
    assert [labels["rule"] for _, labels in turn(made, START, leading=False)] == ["memory"]
    [(_, labels)] = turn(made, START)
    assert labels == {"limit": "x", "rule": "limit", "severity": "warning"}
    assert {alert.owner for alert in made.alerts.values()} == {"me", ""}
    made.sample([Sample("memory", {"worker": "1"}, 50.0), Sample("limit_used", {"limit": "x"}, 0.1)], START + 1)
    assert {became for became, _ in turn(made, START + 1)} == {"resolved"}


def test_of_a_counter_its_growth_counts_and_of_the_processor_its_share():
    grown = Rule(name="grown", measure="headgate_limit_warnings", above=4.0, window=60)
    busy = Rule(name="busy", measure="processor", above=0.9, window=60)
    made = engine(grown, busy)
    for second, value in ((0, 100.0), (10, 103.0), (20, 1.0), (30, 3.0)):
        made.sample([Sample("headgate_limit_warnings", {}, value, True)], START + second)
        made.sample([Sample("processor", {}, second * (0.5 if second < 30 else 1.0), True)], START + second)
    assert sorted(labels["rule"] for _, labels in turn(made, START + 30)) == ["busy", "grown"]
    assert [alert.value for alert in made.alerts.values()] == [6.0, 1.0]


def test_what_is_counted_for_the_first_time_has_grown_unless_nobody_had_looked():
    rule = Rule(name="openings", measure="headgate_circuit_openings", above=0.0, window=60.0)
    openings = [Sample("headgate_circuit_openings", {"target": "a/m"}, 1.0, True)]
    late = engine(rule)
    late.sample(openings, START)
    assert turn(late, START) == []
    made = engine(rule)
    made.sample([], START)
    made.sample(openings, START + 10)
    assert [became for became, _ in turn(made, START + 10)] == ["firing"]
    made.sample(openings, START + 80)
    assert [became for became, _ in turn(made, START + 80)] == ["resolved"]


def test_series_of_a_counter_that_are_not_told_apart_add_up_and_of_gauges_the_largest_counts():
    made = engine(
        Rule(name="retries", measure="headgate_attempts", above=5.0, window=60.0, by=("instance",)),
        Rule(name="waiting", measure="headgate_target_waiting", above=5.0, by=("instance",)),
    )
    for second in (0, 10):
        for target in ("a", "b"):
            made.sample([Sample("headgate_attempts", {"target": target}, 4.0 * second / 10, True)], START + second)
            made.sample([Sample("headgate_target_waiting", {"target": target}, 4.0)], START + second)
    [event] = made.turn(START + 10, leading=True, fresh=True)
    assert (event.alert.rule, event.alert.value) == ("retries", 8.0)


def test_an_alert_whose_rule_goes_is_over():
    made = engine(FAILING)
    for second in range(9):
        made.add(seen(START + second, failed=True))
    turn(made, START + 9)
    made.configure([])
    [event] = list(made.turn(START + 10, leading=True, fresh=True))
    assert (event.became, event.alert.why) == ("resolved", "its rule is gone")


def test_what_is_usual_is_known_after_a_restart(tmp_path):
    rule = Rule(name="jump", measure="requests", kind="change", above=3.0, by=("team",), window=60, baseline=1200)
    before, after = engine(rule), engine(rule)
    for second in range(1200):
        before.add(seen(START + second, team="red", seconds=0.5))
    keeping.save(tmp_path, {"segment": 7}, before.views)
    assert keeping.load(tmp_path, after.views) == {"segment": 7}
    for made in (before, after):
        for _ in range(300):
            made.add(seen(START + 1230, team="red"))
    assert turn(before, START + 1231) == turn(after, START + 1231) != []


def test_built_in_rules_do_not_fire_where_all_is_well():
    made = engine(*BUILT_IN)
    for second in range(2000):
        made.add(seen(START + second))
        if second % 10 == 0:
            assert turn(made, START + second) == []


def test_a_damaged_line_is_passed_over():
    assert read(b'{"id":"x","time":"y"}') is None
    assert read(b"\0\0") is None
    found = read(b'\0{"id":"x","time":1.0,"judgment":{"of":"y"},"later":[1]}')
    assert found.own


happenings = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=120
)
rules = st.builds(
    lambda **given: Rule(name="r", measure="provider_error_rate", by=("provider",), **given),
    above=st.sampled_from([0.1, 0.5, 0.9]),
    window=st.sampled_from([10.0, 60.0]),
    lasting=st.sampled_from([0.0, 15.0]),
    resolve_after=st.sampled_from([0.0, 20.0]),
    min_requests=st.integers(1, 8),
)


@given(rules, happenings)
def test_laws(rule, happened):
    """It never fires below the least number of requests, nor without so many errors; each alert fires once and is
    resolved once, afterwards; and of whom there is one, there is no other."""
    made, now, firing, over, past = engine(rule), START, {}, set(), []
    for after, provider, failed in happened:
        now += after
        made.add(seen(now, provider=provider, failed=failed))
        past.append((now, provider, failed))
        for became, alert in made.turn(now, leading=True, fresh=True):
            whom = alert.of["provider"]
            if became == "firing":
                recent = [bad for at, name, bad in past if name == whom and at > now - rule.window - 1e-6]
                assert len(recent) >= rule.min_requests
                assert any(recent)
                assert whom not in firing
                assert now - alert.began >= rule.lasting
                firing[whom] = alert.id
            else:
                assert firing.pop(whom) == alert.id
                assert alert.id not in over
                over.add(alert.id)
