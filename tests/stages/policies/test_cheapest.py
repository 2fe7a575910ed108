"""The cheapest target of each request, as a calculation by hand has it, within bounds."""

import random
from fractions import Fraction
from types import SimpleNamespace

import pytest

from headgate.core.estimate import prompt_tokens
from headgate.core.target import Terms
from headgate.core.usage import Usage
from headgate.dialects import openai_audio, openai_embeddings, openai_images
from headgate.stages.policies.cheapest import TYPICAL, Cheapest, CheapestSettings
from stages.policies.targets import asked, target

DEAR, CHEAP = {"input": "3", "output": "15"}, {"input": "0.5", "output": "2"}
LONG_ANSWERS, LONG_PROMPTS = {"input": "5", "output": "5"}, {"input": "1", "output": "20"}


def priced(*prices, **terms):
    return [target(f"h{n}", prices=[each] if each else [], **terms) for n, each in enumerate(prices)]


def order(policy, targets, exchange=None):
    return [int(each.provider.name[1:]) for each in policy.rank(exchange or asked(), targets)]


def by_hand(prices, prompt, cached, answer):
    """In dollars, from the table as it stands in the catalogue."""
    cached = int(prompt * cached)

    def rate(name):
        steps = [int(each.split(">")[1]) for each in prices if each.startswith(f"{name}>")]
        most = [step for step in steps if prompt > step]
        return Fraction(prices[f"{name}>{max(most)}" if most else name])

    read = rate("cache_read") if "cache_read" in prices else rate("input")
    return ((prompt - cached) * rate("input") + cached * read + answer * rate("output")) / 1_000_000


def table(luck):
    prices = {name: f"{luck.uniform(0, 20):.{luck.randrange(4)}f}" for name in ("input", "output")}
    if luck.random() < 0.5:
        prices["cache_read"] = f"{luck.uniform(0, 2):.3f}"
    for step in luck.sample((100, 1000, 10_000), luck.randrange(3)):
        for name in ("input", "output", "cache_read"):
            if name in prices and luck.random() < 0.8:
                prices[f"{name}>{step}"] = f"{luck.uniform(0, 40):.2f}"
    return prices


def test_it_is_as_calculated_by_hand_for_a_thousand_requests_and_tables():
    luck = random.Random(1)
    for _ in range(1000):
        tables = [table(luck) for _ in range(luck.randrange(1, 6))]
        answer, cached, limit = luck.randrange(3000), luck.random(), luck.choice((None, luck.randrange(1, 4000)))
        fields = {"messages": [{"role": "user", "content": "word " * luck.choice((10, 600, 6000))}]}
        exchange = asked({**fields, "max_tokens": limit} if limit else fields)
        targets = priced(*tables)
        ranked = Cheapest(CheapestSettings(answer=answer, cached=cached)).rank(exchange, targets)
        prompt, said = prompt_tokens(exchange.body), min(answer, limit or answer)
        costs = {each: by_hand(each.terms.prices[0], prompt, cached, said) for each in targets}
        assert list(ranked) == sorted(targets, key=costs.__getitem__)
        decided = exchange.decision
        decided.ranked = ranked
        for told, each in zip(decided.told(None, 0).candidates, ranked, strict=False):
            assert told.score == pytest.approx(float(costs[each]), rel=1e-5)


def test_who_is_cheapest_depends_on_the_request():
    targets = priced(LONG_ANSWERS, LONG_PROMPTS)
    policy = Cheapest(CheapestSettings(answer=1000))
    assert order(policy, targets, asked({"prompt": "short"})) == [0, 1]
    assert order(policy, targets, asked({"prompt": "long " * 8000})) == [1, 0]
    assert order(policy, targets, asked({"prompt": "short " * 40, "max_tokens": 5})) == [1, 0]


def test_the_length_of_answers_is_learned_of_each_target():
    """One that thinks aloud for long costs more than its prices say."""
    thinker, terse = targets = priced(CHEAP, DEAR)
    policy = Cheapest(CheapestSettings())
    for each, tokens in ((thinker, 40 * TYPICAL), (terse, 10)):
        for _ in range(5):
            exchange = asked()
            policy.rank(exchange, targets)
            exchange.target = each
            usage = Usage(output=tokens - 5, reasoning=5)
            exchange.reply = SimpleNamespace(account=SimpleNamespace(usage=usage))
            exchange.ending._calls[0][0](exchange)
    assert order(policy, targets) == [1, 0]
    assert order(policy, targets, asked({"max_tokens": 10})) == [0, 1]
    assert policy._answers[None] > TYPICAL, "of targets not asked yet it is guessed from the others"


def test_a_price_that_is_not_known_comes_last_and_is_said():
    exchange = asked()
    assert order(Cheapest(CheapestSettings()), priced(None, DEAR, CHEAP, {"input": "1"}), exchange) == [2, 1, 0, 3]
    assert exchange.decision.said == ["no price is known of h0/m, h3/m"]


def test_prices_change_with_the_hour():
    night = {"daily": "22:00-06:00", "input": "0", "output": "0"}
    owl, lark = target("h0", prices=[DEAR, night]), target("h1", prices=[CHEAP])
    clock = {"now": 12 * 3600.0}
    policy = Cheapest(CheapestSettings(), wall=lambda: clock["now"])
    assert order(policy, [owl, lark]) == [1, 0]
    clock["now"] = 23 * 3600.0
    assert order(policy, [owl, lark]) == [0, 1]


def test_a_service_tier_has_prices_of_its_own():
    targets = priced({**DEAR, "flex.input": "0", "flex.output": "0"}, CHEAP)
    policy = Cheapest(CheapestSettings())
    assert order(policy, targets) == [1, 0]
    assert order(policy, targets, asked({"service_tier": "flex"})) == [0, 1]
    assert order(policy, targets, asked({"service_tier": ["flex"]})) == [1, 0]


class TestBounds:
    def judged(self, targets, now=10.0, **settings):
        exchange = asked()
        ranked = order(Cheapest(CheapestSettings(**settings), clock=lambda: now), targets, exchange)
        return ranked, exchange.decision.said

    def test_a_target_that_is_too_slow_comes_after_those_that_are_not(self):
        targets = priced(CHEAP, DEAR)
        for number in range(20):
            targets[0].standing.answered(9.0, 0.5 if number else 9.0, False)
        assert self.judged(targets, max_latency=2)[0] == [0, 1], "one in twenty may be late"
        targets[0].standing.answered(9.0, 9.0, False)
        assert self.judged(targets, max_latency=2) == ([1, 0], ["h0/m was slower than 2 s 2 times of 21"])
        assert self.judged(targets, max_latency=20)[0] == [0, 1]
        assert self.judged(targets, now=60.0, max_latency=2)[0] == [0, 1], "it is forgotten in half a minute"

    def test_a_target_that_fails_comes_after_those_that_do_not(self):
        targets = priced(CHEAP, DEAR)
        for _ in range(3):
            targets[0].standing.window.hear(9.0, None, failed=True)
        for _ in range(7):
            targets[0].standing.window.hear(9.0, 0.1, failed=False)
        assert self.judged(targets, max_error_rate=0.3)[0] == [0, 1]
        assert self.judged(targets, max_error_rate=0.2) == ([1, 0], ["h0/m failed 3 times of 10"])

    def test_two_outcomes_say_nothing(self):
        targets = priced(CHEAP, DEAR)
        for _ in range(2):
            targets[0].standing.window.hear(9.0, 9.0, failed=True)
        assert self.judged(targets, max_error_rate=0, max_latency=1)[0] == [0, 1]

    def test_a_target_is_good_enough(self):
        targets = [
            target("h0", prices=[CHEAP], quality=3),
            target("h1", prices=[DEAR], quality=7),
            target("h2", prices=[{"input": "0", "output": "0"}]),
        ]
        ranked, said = self.judged(targets, min_quality=5)
        assert ranked == [1, 2, 0]
        assert said == ["h2/m has less than the quality 5", "h0/m has less than the quality 5"]

    def test_where_none_keeps_to_the_bounds_the_cheapest_is_asked(self):
        ranked, said = self.judged(priced(DEAR, CHEAP), min_quality=5)
        assert ranked == [1, 0]
        assert said[-1] == "so no target keeps to the bounds, and the cheapest is asked all the same"

    def test_it_is_looked_anew_every_second(self):
        targets, clock = priced(CHEAP, DEAR), {"now": 10.0}
        policy = Cheapest(CheapestSettings(max_latency=1), clock=lambda: clock["now"])
        assert order(policy, targets) == [0, 1]
        for _ in range(5):
            targets[0].standing.answered(10.5, 9.0, False)
        clock["now"] = 11.5
        assert order(policy, targets) == [1, 0]

    def test_a_quality_that_no_target_has_makes_no_sense(self):
        objection = CheapestSettings(min_quality=5).objection
        assert (
            objection([Terms(), Terms(quality=4)]) == "`min_quality` is 5, and no target has a `quality` of that much"
        )
        assert not objection([Terms(), Terms(quality=5)])
        assert not CheapestSettings().objection([Terms()])


@pytest.mark.parametrize(
    ("dialect", "fields", "prices", "dollars"),
    [
        (openai_embeddings, {"input": "word " * 80}, ({"input": "0.1"}, {"input": "0.02"}), 0.02e-6 * 103),
        (openai_images, {"n": 3}, ({"images": "0.04"}, {"input": "5", "output_image": "30"}), 3300 * 30e-6 + 2 * 5e-6),
        (openai_audio.speech, {"input": "word " * 20}, ({"characters": "0.00003"}, {"characters": "0.00001"}), 0.001),
    ],
)
def test_other_things_than_chats(dialect, fields, prices, dollars):
    exchange = asked(fields, dialect=dialect)
    targets = priced(*prices)
    ranked = Cheapest(CheapestSettings()).rank(exchange, targets)
    assert sorted(exchange.decision.scores.values()) == [exchange.decision.scores[each] for each in ranked]
    assert exchange.decision.scores[targets[1]] * 1e-24 == pytest.approx(dollars, rel=0.01)
