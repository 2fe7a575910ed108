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


TOPICS = """\
providers: {simulator: , claude: {kind: anthropic, api_key: k}, openai: {api_key: k}}
models: {near: openai/text-embedding-3-small, chat: [simulator/sim, openai/gpt-4o]}
matching: {embedding_model: MODEL, topics: {billing: [a bill], code: [a bug]}}
rules:
  - {name: a, when: 'WHEN', use: chat}
"""
FITS = 'topic == "billing"'


def topics(model="near", when=FITS):
    return TOPICS.replace("MODEL", model).replace("WHEN", when)


@pytest.mark.parametrize(
    "when",
    [
        FITS,
        'topic in ["billing", "code"] && "x" in tags',
        '"" != topic && metadata.topic == "x" && topic_score >= 0.5',
        'tags == ["x"] && topic != ""',
        'key == topic || "x" + topic == "xcode"',
    ],
)
def test_topics(told, when):
    assert told("", topics(when=when)) == []
    assert told("", topics("openai/unheard-of", when)) == []
    assert told("", topics("simulator/sim", when)) == []


@pytest.mark.parametrize("when", ['topic == "bill"', '"bill" != topic', 'key == "x" && topic in ["code", "bill"]'])
def test_a_topic_that_there_is_not(told, when):
    ((line, path, words),) = told("", topics(when=when))
    assert (line, path) == (5, "rules[0].when")
    assert words == "there is no topic `bill` in `matching.topics`; did you mean `billing`?"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nera", "there is no model `nera` in `models`; did you mean `near`?"),
        ("nowhere/x", "there is no provider `nowhere` in `providers`"),
        ("auto", "rules decide what `auto` stands for, and this model is asked without them; write a name"),
        ("claude/claude-sonnet-4-5", "`claude/claude-sonnet-4-5` gives no embeddings; `headgate models list"),
        ("chat", "`openai/gpt-4o` gives no embeddings"),
    ],
)
def test_an_embedding_model_that_is_none(told, model, words):
    ((line, path, said),) = told("", topics(model))
    assert (line, path) == (3, "matching.embedding_model")
    assert words in said


def test_topics_that_are_incomplete(told):
    head = topics()
    ((_, path, words),) = told("", head.replace("embedding_model: near, ", ""))
    assert path == "matching.topics"
    assert words.startswith("topics need `matching.embedding_model`, which is missing; set it to a name of `models`")
    ((line, path, words),) = told("", head.replace("[a bill]", "[]"))  # and no rule is blamed for it
    assert (line, path, words) == (3, "matching.topics.billing", "must not be empty; ")
    ((_, path, words),) = told("", head.replace("a bug", "a bill"))
    assert (path, words[:35]) == ("matching.topics.code[0]", "this sentence stands there twice; o")
    ((_, path, words),) = told("", head.replace("code:", '" x":'))
    assert (path, words) == ("matching.topics. x", "not a topic's name; use printable characters")
    ((_, path, words),) = told("", head.replace("topics: {billing: [a bill], code: [a bug]}", "topics: {}"))
    assert (path, words) == (
        "rules[0].when",
        "there are no topics in `matching.topics`; give each some example sentences there",
    )
    for wrong in ("topic_threshold: 1.5", "topic_timeout: 0"):
        ((_, path, _),) = told("", head.replace("{embedding", f"{{{wrong}, embedding"))
        assert path == f"matching.{wrong.partition(':')[0]}"


def test_what_rules_go_by(told):
    head = "providers: {simulator: }\n"
    assert told("matching: {time_zone: Europe/Vienna, lists: {a: [b]}}", head) == []
    assert told("matching: {time_zone: UTC}", head) == []
    ((_, path, words),) = told("matching: {time_zone: Europe/Viena}", head)
    assert path == "matching.time_zone"
    assert "not a time zone this machine knows" in words
    ((_, path, words),) = told("matching: {lists: {a: []}}", head)
    assert (path, words) == ("matching.lists.a", "must not be empty; ")
