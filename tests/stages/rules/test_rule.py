"""Rules in their order, and what `route` does with what they give."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.caller import Caller
from headgate.core.errors import Forbidden, UnknownModel
from headgate.core.target import Target
from headgate.stages.policies.ordered import Ordered
from headgate.stages.route import Alias, Route
from headgate.stages.rules.expression import Compiler
from headgate.stages.rules.rule import Rule, Rules
from headgate.stages.rules.subject import Settings, variables
from stages.rules.asked import exchange
from stages.test_stages import Host

COMPILER = Compiler({name: each.kind for name, each in variables().items()}, {})
HOST = Host("host")


def alias(name, *models):
    return Alias(name, "ordered", Ordered(), [Target(HOST, model) for model in models])


CHEAP, SMART = alias("cheap", "small"), alias("smart", "large", "larger")


def rule(name, gives, when=None, *, models=("auto",), needs=None):
    return Rule(name, dict.fromkeys(models, gives), COMPILER.compile(when) if when else None, needs)


def route(*rules):
    made = Rules(rules, Settings())
    return Route({"cheap": CHEAP, "smart": SMART}, {"host": HOST}, rules=made)


async def routed(stage, asked, model="auto"):
    asked.model = model

    async def proceed(exchange):
        return None

    await stage(asked, proceed)
    return [target.model for target in asked.targets]


async def test_the_first_that_fits_decides():
    stage = route(
        rule("vip", SMART, 'metadata.tier == "premium"'),
        rule("low", CHEAP, 'priority == "low"'),
        rule("rest", alias("auto", "middle")),
    )
    asked = exchange(metadata={"tier": "premium"}, headers={"x-headgate-priority": "low"})
    assert await routed(stage, asked) == ["large", "larger"]
    assert (asked.decision.rule, asked.decision.alias) == ("vip", "smart")
    assert asked.decision.told(asked.targets[0], 1).why == "smart by the rule vip; policy ordered"
    assert await routed(stage, exchange(headers={"x-headgate-priority": "low"})) == ["small"]
    rest = exchange()
    assert await routed(stage, rest) == ["middle"]
    assert rest.decision.rule == "rest"


async def test_an_effort_stays():
    asked = exchange()
    assert await routed(route(rule("all", SMART)), asked, "auto:high") == ["large", "larger"]
    assert asked.effort == "high"


async def test_a_name_that_ends_like_an_effort_may_have_rules():
    asked = exchange()
    assert await routed(route(rule("all", SMART, models=["auto:high"])), asked, "auto:high") == ["large", "larger"]
    assert asked.effort is None


async def test_no_rule_fits():
    stage = route(rule("vip", SMART, 'metadata.tier == "premium"'), rule("low", CHEAP, 'priority == "low"'))
    with pytest.raises(UnknownModel) as told:
        await routed(stage, exchange())
    assert "no rule for 'auto' fits this request (tried vip, low)" in told.value.message
    assert "add a last one without `when` to `rules`" in told.value.message


async def test_a_name_of_its_own_stands_for_itself_where_no_rule_fits():
    stage = route(rule("vip", SMART, 'metadata.tier == "premium"', models=["cheap"]))
    assert await routed(stage, exchange(metadata={"tier": "premium"}), "cheap") == ["large", "larger"]
    asked = exchange()
    assert await routed(stage, asked, "cheap") == ["small"]
    assert asked.decision.rule is None
    assert await routed(stage, exchange(), "host/direct") == ["direct"]
    with pytest.raises(UnknownModel, match="no model 'auto'"):
        await routed(stage, exchange())


async def test_a_limited_key_is_passed_by_what_it_may_not_use():
    stage = route(rule("vip", SMART, needs="smart"), rule("rest", alias("auto", "middle")))
    asked = exchange(caller=Caller("k", frozenset({"auto"})))
    assert await routed(stage, asked) == ["middle"]
    assert asked.decision.said == ["the rule vip fits, but the key k may not use smart"]
    allowed = exchange(caller=Caller("k", frozenset({"auto", "smart"})))
    assert await routed(stage, allowed) == ["large", "larger"]
    with pytest.raises(Forbidden, match=r"may not use the model 'auto'; it may use 'smart'"):
        await routed(stage, exchange(caller=Caller("k", frozenset({"smart"}))))
    only = route(rule("vip", SMART, needs="smart"))
    with pytest.raises(
        UnknownModel, match=r"add what they `use` to the key's `models`; the rule vip fits, but the key k"
    ):
        await routed(only, exchange(caller=Caller("k", frozenset({"auto"}))))


async def test_a_model_used_directly_is_one_the_key_may_use():
    stage = route(rule("rest", alias("host/large", "large"), needs="host/large"))
    assert await routed(stage, exchange(caller=Caller("k", frozenset({"auto"}), ("host/",)))) == ["large"]
    with pytest.raises(UnknownModel):
        await routed(stage, exchange(caller=Caller("k", frozenset({"auto"}))))


async def test_what_cannot_be_decided_is_passed_over_and_logged_once(caplog):
    stage = route(rule("odd", SMART, 'tags[2] == "x"'), rule("rest", CHEAP))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            asked = exchange()
            assert await routed(stage, asked) == ["small"]
            assert asked.decision.said[0].startswith("the rule odd could not be decided: ")
    assert len(caplog.records) == 1
    assert "the rule odd could not be decided for req_1" in caplog.text


def test_names_with_rules_can_be_asked_for():
    stage = route(rule("rest", CHEAP, models=["auto", "cheap"]))
    assert list(stage.names) == ["cheap", "smart", "auto"]
    assert stage.offers("auto", Caller("admin"))
    assert stage.allowed(Caller("k", frozenset({"auto", "host/x"}))) == ["auto", "host/x"]


EVERY = route(*(rule(name, CHEAP, SOURCE) for name, SOURCE in {
    "text": 'prompt.contains("x") && system == text && mentions(prompt, ["a"])',
    "maps": 'metadata.a == "1" && headers["x-a"] == "2" && user == key && model == dialect',
    "numbers": "tokens + max_tokens + turns + tools + images + documents + audio + videos < -1",
    "lists": '"x" in tags && json && stream && priority == "low" && operation == "chat"',
    "time": 'hour == 24 && minute == 61 && weekday == ""',
    "error": "tags[100] == tags[3]",
}.items()), rule("rest", SMART))  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = ["messages", "input", "metadata", "tools", "user", "max_tokens", "response_format", "stream", "labels"]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), anything))
async def test_no_request_is_too_odd_for_rules(fields):
    asked = exchange({"model": "auto", **fields})
    assert await routed(EVERY, asked) in (["small"], ["large", "larger"])
