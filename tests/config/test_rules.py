"""Rules of a configuration: what is read, and what is told of one that is wrong."""

import pytest

from headgate.config.load import load
from headgate.config.problems import ConfigError

HEAD = """\
providers: {simulator: }
models: {chat: simulator/sim, smart: {targets: [simulator/a, simulator/b]}}
matching: {lists: {legal: [contract]}}
"""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Everything that is said of rules: (line, path, message; hint)."""
    monkeypatch.chdir(tmp_path)

    def read(rules, head=HEAD):
        (tmp_path / "headgate.yaml").write_text(head + rules)
        try:
            load(tmp_path / "headgate.yaml", {})
        except ConfigError as error:
            return [(each.line, each.path, f"{each.message}; {each.hint}") for each in error.problems]
        return []

    return read


def test_rules_in_order(told):
    rules = """\
rules:
  - {name: vip, when: 'metadata.tier == "premium"', use: smart, policy: weighted}
  - {name: legal, models: [auto, chat], when: 'mentions(prompt, "legal")', targets: simulator/legal}
  - {name: two, models: smart, targets: [{model: simulator/x, weight: 2}, simulator/y], policy: weighted}
  - {name: turn, models: smart, policy: round_robin}
  - {name: rest, use: simulator/any}
keys: [{name: k, key: client-key-of-good-length, models: [auto, chat]}]
"""
    assert told(rules) == []


@pytest.mark.parametrize(
    ("rule", "path", "words"),
    [
        ("{name: a, use: smrt}", "rules[0].use", "there is no model `smrt` in `models`; did you mean `smart`?"),
        ("{name: a, use: auto}", "rules[0].use", "there is no model `auto` in `models`"),
        ("{name: a, use: nowhere/x}", "rules[0].use", "there is no provider `nowhere`"),
        ("{name: a}", "rules[0]", "the rule gives nothing; set `use`"),
        ("{name: a, use: chat, targets: simulator/x}", "rules[0]", "a rule gives `use` or `targets`, one of them"),
        ("{name: a, policy: weighted}", "rules[0].models[0]", "`auto` is no name of `models`"),
        ("{name: a, use: simulator/x, policy: weighted}", "rules[0].policy", "there is one target"),
        ("{name: a, use: smart, policy: wieghted}", "rules[0].policy", "there is no policy `wieghted`"),
        ("{name: a, targets: chat}", "rules[0].targets", "`chat` is itself a name of `models`"),
        ("{name: a, targets: [{model: nowhere/x}]}", "rules[0].targets[0].model", "there is no provider `nowhere`"),
        (
            "{name: a, targets: [{model: simulator/x, weight: 0}], policy: weighted}",
            "rules[0].policy",
            "every target has the weight 0",
        ),
        ("{name: a, models: [' x'], use: chat}", "rules[0].models[0]", "not a model's name"),
        ("{name: ' a', use: chat}", "rules[0].name", "not a rule's name"),
        ("{use: chat}", "rules[0].name", "`name` is missing"),
        ("{name: a, use: chat, wen: 'true'}", "rules[0].wen", "unknown key `wen`; did you mean `when`?"),
        ("{name: a, use: chat, when: 'teir == 1'}", "rules[0].when", "there is no `teir` (at character 1)"),
        ("{name: a, use: chat, when: prompt}", "rules[0].when", "the expression gives string, not true or false"),
        ("{name: a, use: chat, when: 'mentions(prompt, \"x\")'}", "rules[0].when", "there is no list `x`"),
    ],
)
def test_what_is_wrong(told, rule, path, words):
    ((line, place, said),) = told(f"rules:\n  - {rule}\n")
    assert (line, place) == (5, path)
    assert words in said


def test_names_differ(told):
    ((line, path, words),) = told("rules:\n  - {name: a, use: chat}\n  - {name: a, use: smart}\n")
    assert (line, path) == (6, "rules[1].name")
    assert "the name `a` is taken by another rule" in words


def test_a_rule_that_cannot_be_read_leaves_the_others_in_their_places(told):
    said = told("rules:\n  - {name: [], use: chat}\n  - {name: b, use: chat, when: 'x'}\n")
    assert [(line, path) for line, path, _ in said] == [(5, "rules[0].name"), (6, "rules[1].when")]


def test_what_rules_go_by(told):
    head = "providers: {simulator: }\n"
    assert told("matching: {time_zone: Europe/Vienna, lists: {a: [b]}}", head) == []
    assert told("matching: {time_zone: UTC}", head) == []
    ((_, path, words),) = told("matching: {time_zone: Europe/Viena}", head)
    assert path == "matching.time_zone"
    assert "not a time zone this machine knows" in words
    ((_, path, words),) = told("matching: {lists: {a: []}}", head)
    assert (path, words) == ("matching.lists.a", "must not be empty; ")
