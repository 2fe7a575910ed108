"""What the configuration says of alerts is what is watched; what makes no sense is told with its place."""

import pytest

from headgate.alerts.built_in import BUILT_IN
from headgate.config.alerts import watched
from headgate.config.load import load
from headgate.config.problems import ConfigError

SLACK = "channels: {slack: {url: 'https://hooks.test/secret0123456789'}}\n"


def loaded(tmp_path, text):
    file = tmp_path / "headgate.yaml"
    file.write_text(f"data_dir: {tmp_path}/data\nproviders: {{simulator: }}\n{text}")
    return load(file, {"KEY": "R0UTINGKEY"})


def told(tmp_path, text):
    found = loaded(tmp_path, text)
    return watched(found.config, frozenset(), None)


def wrong(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    return {problem.path: f"{problem.message}; {problem.hint}" for problem in caught.value.problems}


def test_nothing_is_watched_where_nobody_can_be_told_and_no_rule_is_said(tmp_path):
    assert told(tmp_path, "").rules == []


def test_built_in_rules_are_in_force_with_a_channel_and_can_be_changed_and_turned_off(tmp_path):
    assert told(tmp_path, SLACK).rules == list(BUILT_IN)
    assert told(tmp_path, SLACK + "alerting: {built_in: false}").rules == []
    rules = "alert_rules: {provider-slow: {above: 5}, records-behind: {enabled: false}}"
    found = {rule.name: rule for rule in told(tmp_path, SLACK + rules).rules}
    assert (found["provider-slow"].above, found["provider-slow"].measure) == (5.0, "latency_p95")
    assert "records-behind" not in found
    assert len(found) == len(BUILT_IN) - 1


def test_a_rule_and_a_channel_are_watched_as_they_are_said(tmp_path):
    found = told(
        tmp_path,
        "alerting: {every: 5, built_in: false}\n"
        "channels: {pd: {kind: pagerduty, routing_key: '${KEY}', for: {severity: critical}, resolved: false}}\n"
        "alert_rules: {x: {measure: spend, by: team, above: 5, for: 60, where: {model: large}, channels: pd}}\n"
        "silences: {night: {match: {rule: x}, until: 2099-01-01, by: ann}}\n",
    )
    [rule], [channel], [silence] = found.rules, found.channels, found.silences
    assert (rule.by, rule.lasting, rule.where, rule.channels) == (("team",), 60.0, {"model": ["large"]}, ["pd"])
    assert channel.settings["routing_key"] == "R0UTINGKEY"
    assert (channel.match, channel.resolved, channel.anywhere) == ({"severity": ["critical"]}, False, True)
    assert (silence.since, silence.by) == (0.0, "ann")
    assert found.every == 5.0


def test_secrets_of_channels_are_kept_out_of_logs(tmp_path):
    assert "https://hooks.test/secret0123456789" in loaded(tmp_path, SLACK).secrets


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("alert_rules: {x: {measure: latncy_p95, above: 1}}", "alert_rules.x.measure", "`latency_p95`"),
        ("alert_rules: {x: {above: 1}}", "alert_rules.x.measure", "missing"),
        ("alert_rules: {x: {measure: spend}}", "alert_rules.x", "`above` or `below`"),
        ("alert_rules: {x: {measure: spend, above: 1, by: [tem]}}", "alert_rules.x.by[0]", "`team`"),
        ("alert_rules: {x: {measure: error_rate, above: 1, where: {origin: a}}}", "alert_rules.x.where.origin", "told"),
        ("alert_rules: {x: {measure: memory, kind: change, above: 1}}", "alert_rules.x.kind", "threshold"),
        ("alert_rules: {x: {measure: spend, above: 1, channels: [no]}}", "alert_rules.x.channels[0]", "no channel"),
        (
            "alert_rules: {x: {measure: spend, kind: change, above: 1, window: 60, baseline: 100}}",
            "alert_rules.x", "five times",
        ),
        ("alert_rules: {gateway-late: {kind: change}}", "alert_rules.gateway-late.kind", "threshold"),
        ("alert_rules: {provider-slow: {window: 9000}}", "alert_rules.provider-slow.baseline", "five times"),
        ("alert_rules: {provider-slow: {channels: [no]}}", "alert_rules.provider-slow.channels[0]", "no channel"),
        ("alert_rules: {provider-slow: {by: [tem]}}", "alert_rules.provider-slow.by[0]", "`team`"),
        ("alert_rules: {x: {measure: memory, above: 1, channels: [no]}}", "alert_rules.x.channels[0]", "no channel"),
        ("alert_rules: {x: {measure: memory, above: 1, by: [team]}}", "alert_rules.x.by[0]", "`instance`"),
        (
            "alert_rules: {x: {measure: headgate_circuits, above: 0, where: {stat: open}}}",
            "alert_rules.x.where.stat", "`state`",
        ),
        ("alert_rules: {x: {measure: headgate_request_seconds, above: 1}}", "alert_rules.x.measure", "measured"),
        ("channels: {slak: {url: x}}", "channels.slak.kind", "`slack`"),
        ("channels: {slack: {}}", "channels.slack.url", "missing"),
        ("channels: {slack: {url: 'https://x', colour: red}}", "channels.slack.colour", "unknown"),
        ("channels: {m: {kind: email, host: h, from: nobody, to: a@b}}", "channels.m.from", "address"),
        ("silences: {x: {match: {}, until: 2099-01-01}}", "silences.x.match", ""),
        ("silences: {x: {match: {rule: y}, until: soon}}", "silences.x.until", "time"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_with_its_place(tmp_path, text, place, said):
    found = wrong(tmp_path, text)
    assert place in found, found
    assert said in found[place]
