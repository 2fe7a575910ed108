"""What may be said of limits, and what is said of those that make no sense."""

import pytest

from headgate.config.load import load
from headgate.core.caller import Belongs, Caller
from headgate.core.limits.rule import prepared
from headgate.runtime.build import limits_of

BASE = """
providers: {simulator: }
models: {small: simulator/s, large: simulator/l}
organisations: {acme: {limits: [{money: 100, every: month, time_zone: Europe/Vienna}, {requests: 5, every: second}]}}
teams: {research: {organisation: acme}}
keys: [{name: k, key: client-key-of-good-length, limits: [{concurrency: 3}]}]
"""


def read(tmp_path, text):
    (tmp_path / "headgate.yaml").write_text(BASE + text)
    return load(tmp_path / "headgate.yaml", {}).config


def test_limits_have_counters_for_those_whom_they_concern(tmp_path):
    config = read(
        tmp_path,
        "limits: [{name: each, for: {team: research}, per: [key, model], tokens: 5, every: day},"
        " {name: roles, for: {role: [member, billing]}, per: [user], requests: 1, every: hour},"
        " {name: all, input_tokens: 7, every: week, for: {model: [small, large]}}]",
    )
    rules = limits_of(config)
    caller = Caller("k", belongs=Belongs("acme", "research", None, None))
    assert [each.counter for each in prepared(rules, caller)] == [
        "each | tokens a day | key=k",
        "all | input_tokens a week",
        "organisation acme | money a month",
        "organisation acme #2 | requests a second",
        "key k | concurrency",
    ]
    assert prepared(rules, caller)[0].per == ("model",)
    person = Caller("other", belongs=Belongs(None, None, None, "ann"), role="billing")
    assert [each.counter for each in prepared(rules, person)] == [
        "roles | requests a hour | user=ann", "all | input_tokens a week",
    ]  # fmt: skip
    assert {each.meter.name: each.meter.amount for each in rules}["organisation acme"] == 100 * 10**9


@pytest.mark.parametrize(
    ("limit", "path", "words"),
    [
        ("requests: 5", "", "`every` is missing"),
        ("requests: 5, tokens: 5, every: day", "", "exactly one of requests, tokens"),
        ("every: day", "", "exactly one of requests, tokens"),
        ("concurrency: 5, every: day", ".every", "is counted at any time"),
        ("money: 5, every: day, burst: 2", ".burst", "`money` has no burst"),
        ("requests: 0, every: day, burst: 2", ".burst", "a rate of nothing"),
        ("requests: 5, every: fortnight", ".every", "fortnight"),
        ("requests: 5, every: day, time_zone: Mars", ".time_zone", "Europe/Vienna"),
        ("requests: 5, every: day, then: downgrade", "", "`use` is missing"),
        ("requests: 5, every: day, use: small", ".use", "only where `then` is `downgrade`"),
        ("requests: 5, every: day, then: downgrade, use: smal", ".use", "did you mean `small`?"),
        ("requests: 5, every: day, for: {team: reserch}", ".for.team", "did you mean `research`?"),
        ("requests: 5, every: day, for: {key: [k, x]}", ".for.key[1]", "there is no key of this name"),
        ("requests: 5, every: day, per: [galaxy]", ".per[0]", "galaxy"),
        ("requests: 5, every: day, for: {provider: simulater}", ".for.provider", "did you mean `simulator`?"),
        ("requests: 5, every: day, per: [provider], then: downgrade, use: small", ".then", "the next one is asked"),
        ("requests: -5, every: day", ".requests", "at least 0"),
        ("money: 0.0000000001, every: day", ".money", "decimal places"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(told, limit, path, words):
    ((place, said),) = told(BASE + f"limits: [{{name: x, {limit}}}]")
    assert place == f"limits[0]{path}"
    assert words in said


def test_workers_that_share_nothing_have_no_limits(told, tmp_path):
    assert [path for path, _ in told(BASE + "server: {workers: 2}")] == ["organisations.acme.limits[0]"]
    assert read(tmp_path, "server: {workers: 2}\nstate: {url: redis://h}").server.workers == 2


def test_names_differ(told):
    text = "limits: [{name: a, concurrency: 1}, {name: a, concurrency: 1}, {name: key k, concurrency: 1}]"
    assert [path for path, _ in told(BASE + text)] == ["limits[1].name", "limits[2].name"]
