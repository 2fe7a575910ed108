"""What belongs together stays together, shares follow weights, and who goes away takes only its own share."""

import itertools
from collections import Counter

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.target import Terms
from headgate.stages.policies.sticky import Sticky, StickySettings
from stages.policies.targets import asked, firsts, target, weighing
from together import together


def policy(*by, **settings):
    return Sticky(StickySettings(by=list(by), **settings))


def users(count):
    return [asked({"user": f"user-{number}"}) for number in range(count)]


def homes(made, targets, requests):
    return [made.rank(each, targets)[0] for each in requests]


@pytest.mark.parametrize("weights", [(1, 1), (95, 5), (3, 2, 1), (1,) * 20, (1, 0)])
def test_shares_follow_weights(weights):
    targets = weighing(*weights)
    found = Counter(homes(policy("user"), targets, users(4_000)))
    for each in targets:
        assert found[each] / 4_000 == pytest.approx(each.terms.weight / sum(weights), abs=0.02)


def test_what_a_target_that_fails_would_have_got_is_shared_by_weight():
    targets = weighing(5, 3, 1)
    ranked = [policy("user").rank(each, targets) for each in users(4_000)]
    second = Counter(order[1].terms.weight for order in ranked if order[0].terms.weight == 5)
    assert second[3] / (second[3] + second[1]) == pytest.approx(3 / 4, abs=0.03)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=8), st.data())
@settings(max_examples=25)
def test_a_target_that_goes_away_moves_its_own_share_only(weights, data):
    targets = weighing(*weights)
    gone = data.draw(st.sampled_from(targets))
    made, requests = policy("user"), users(100)
    for before, after in zip(
        homes(made, targets, requests),
        homes(made, [each for each in targets if each is not gone], requests),
        strict=True,
    ):
        assert before is gone or after is before


def test_a_weight_that_grows_takes_from_others_and_gives_nothing_away():
    before = homes(policy("user"), [target("a", weight=95), target("b", weight=5)], users(2000))
    after = homes(policy("user"), [target("a", weight=75), target("b", weight=25)], users(2000))
    assert all(now.name == "b/m" for was, now in zip(before, after, strict=True) if was.name == "b/m")


def test_every_process_chooses_alike_whatever_the_order_of_its_targets():
    one, other = weighing(1, 1, 1), weighing(1, 1, 1)[::-1]
    chosen = ([each.name for each in homes(policy("user"), targets, users(200))] for targets in (one, other))
    assert len({tuple(each) for each in chosen}) == 1


def test_a_target_that_stands_there_twice_has_two_shares():
    targets = [target("a", weight=1), target("a", weight=1)]
    found = Counter(map(id, homes(policy("user"), targets, users(2000))))
    assert [found[id(each)] / 2000 for each in targets] == [pytest.approx(0.5, abs=0.05)] * 2


TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
LATER = [*TALK, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "And now?"}]
SAME = [
    ("user", {"user": "u"}, {"user": "u", "temperature": 1}),
    ("user", {"safety_identifier": "u", "user": "x"}, {"safety_identifier": "u"}),
    ("user", {"metadata": {"user_id": "u"}}, {"metadata": {"user_id": "u", "more": 1}}),
    ("session", {"prompt_cache_key": "s"}, {"prompt_cache_key": "s", "user": "x"}),
    ("prompt", {"messages": TALK}, {"messages": LATER, "temperature": 1}),
    ("prompt", {"system": "S", "messages": TALK[1:]}, {"system": "S", "messages": LATER[1:]}),
    ("prompt", {"system": [{"text": "S"}], "messages": TALK[1:]}, {"system": [{"text": "S"}], "messages": LATER[1:]}),
    ("prompt", {"instructions": "S", "input": "Hello"}, {"instructions": "S", "input": "Hello", "stream": True}),
    ("prompt", {"contents": [{"parts": [{"text": "a"}]}]}, {"contents": [{"parts": [{"text": "a"}]}, {"parts": []}]}),
]
DIFFERENT = [
    ("user", {"user": "u"}, {"user": "v"}),
    ("session", {"prompt_cache_key": "s"}, {"prompt_cache_key": "t"}),
    ("prompt", {"messages": TALK}, {"messages": [TALK[0], {"role": "user", "content": "Good morning"}]}),
    ("prompt", {"messages": TALK}, {"messages": [{"role": "system", "content": "Be long."}, TALK[1]]}),
    ("prompt", {"messages": TALK}, {"messages": TALK, "tools": [{"function": {"name": "look"}}]}),
    ("prompt", {"messages": TALK, "tools": [{"name": "find"}]}, {"messages": TALK, "tools": [{"name": "look"}]}),
]
MANY = weighing(*[1] * 40)


@together(("by", "one", "other"), SAME)
def test_what_is_kept_together(by, one, other):
    made = policy(by)
    exchange = asked(one)
    assert list(made.rank(exchange, MANY)) == list(made.rank(asked(other), MANY))
    assert exchange.decision.said == [f"kept together by {by}"]


@pytest.mark.parametrize(("by", "one", "other"), DIFFERENT)
def test_what_is_not(by, one, other):
    made = policy(by)
    assert list(made.rank(asked(one), MANY)) != list(made.rank(asked(other), MANY))


@pytest.mark.parametrize("header", ["x-headgate-session", "x-claude-code-session-id", "session_id", "x-session-id"])
def test_a_session_is_told_in_a_header(header):
    made = policy("session")
    first, same, other = (asked(headers=[(header.encode(), value)]) for value in (b"1", b"1", b"2"))
    assert list(made.rank(first, MANY)) == list(made.rank(same, MANY)) != list(made.rank(other, MANY))


def test_a_header_of_ones_own_and_the_key():
    made = policy("header:X-Tenant", "key")
    for headers, key, said in (([(b"x-tenant", b"t")], "k", "header:X-Tenant"), ([], "k", "key")):
        one, same = asked(headers=headers, key=key), asked({"user": "x"}, headers=headers, key=key)
        assert list(made.rank(one, MANY)) == list(made.rank(same, MANY))
        assert one.decision.said == [f"kept together by {said}"]


def test_how_much_of_a_prompt_counts():
    brief, whole = policy("prompt", prefix=9), policy("prompt")
    one, other = asked({"messages": TALK}), asked({"messages": [TALK[0], {"role": "user", "content": "Bye"}]})
    assert list(brief.rank(one, MANY)) == list(brief.rank(other, MANY))
    assert list(whole.rank(one, MANY)) != list(whole.rank(other, MANY))


@pytest.mark.parametrize(
    "fields", [{}, {"user": 3, "metadata": "x", "prompt_cache_key": []}, {"messages": [], "tools": 1}]
)
def test_a_request_that_has_nothing_of_it_goes_to_any_target(fields):
    made = policy("session", "user", "prompt")
    assert firsts(made, weighing(3, 1), 2000, lambda: asked(fields)) == [
        pytest.approx(1500, abs=100), pytest.approx(500, abs=100)
    ]  # fmt: skip


def test_nothing_in_a_request_breaks_it():
    deep = {"content": "end"}
    for _ in range(200):
        deep = {"content": [deep]}
    for made, value in itertools.product(
        (policy("prompt"),), (deep, [[]], 3, None, "\ud800", {"parts": {"text": [1]}})
    ):
        assert len(made.rank(asked({"messages": [value], "system": value, "tools": [value]}), MANY)) == len(MANY)


def test_settings():
    assert StickySettings(by="user").by == ["user"]
    for wrong in ([], "users", "header:", "header:a b"):
        with pytest.raises(pydantic.ValidationError):
            StickySettings(by=wrong)
    assert StickySettings().objection([Terms(0)]) == "every target has the weight 0"
