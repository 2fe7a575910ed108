"""Answers that are judged: which, by whom, what is recorded, and what follows."""

import asyncio
import json
import logging

import pytest

from headgate.core.background import Background
from headgate.core.errors import ProviderTimeout
from headgate.core.quality import Judged, Scores
from headgate.core.record import Attempt
from headgate.core.reply import Reply
from headgate.dialects import openai_chat
from headgate.stages.judge import SCORE, Bench, Judge
from stages.policies.targets import asked, target

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "What is 6 times 7?"}]}


def answer(text):
    made = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    return Reply(openai_chat, stream=False, body=json.dumps(made).encode())


class Court:
    """The stage, with targets that say what they are told to, and a judge who says `verdict` (raised if an error)."""

    def __init__(self, verdict="SCORE: 7", *, share=1.0, again=False, at_once=20):
        self.verdict, self.asked, self.questions = verdict, [], []
        self.scores, self.background = Scores(), Background()
        self.one, self.two = target("one"), target("two")
        self.says = {self.one: "42", self.two: "Forty-two."}
        bench = Bench(target("judge"), self.scores, share, 0.5, again, "is it right?", 5.0, at_once)
        ids = iter(f"own-{number}" for number in range(1000))
        self.stage = Judge({"chat": bench}, self.background, self.judge, openai_chat, lambda: next(ids))

    async def judge(self, question):
        self.questions.append(question)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        reply = answer(self.verdict)
        await reply.begin(openai_chat, {}, False)
        return reply

    async def proceed(self, exchange):
        chosen = exchange.targets[0]
        self.asked.append(chosen)
        if isinstance(self.says[chosen], Exception):
            exchange.attempts.append(Attempt(f"{chosen.provider.name}/m", error="provider_timeout"))
            raise self.says[chosen]
        exchange.target = chosen
        exchange.attempts.append(Attempt(f"{chosen.provider.name}/m", status=200))
        reply = answer(self.says[chosen])
        await reply.begin(openai_chat, exchange.fields, False)
        return reply

    async def ask(self, ending="complete", fields=QUESTION):
        exchange = asked(fields)
        exchange.decision.alias, exchange.targets = "chat", (self.one, self.two)
        reply = await self.stage(exchange, self.proceed)
        body = await reply.whole(openai_chat, exchange.fields)
        exchange.record.ending = ending
        await exchange.ending.aclose()
        while self.background.running.total():
            await asyncio.sleep(0)
        return exchange, json.loads(body)["choices"][0]["message"]["content"]


async def test_an_answer_is_judged_when_it_is_over():
    court = Court()
    exchange, said = await court.ask()
    assert said == "42"
    [question] = court.questions
    told = question.fields["messages"]
    assert "is it right?" in told[0]["content"]
    assert "user: What is 6 times 7?" in told[1]["content"]
    assert "<answer>\n42\n</answer>" in told[1]["content"]
    judgment = question.record.judgment
    assert (judgment.of, judgment.model, judgment.target, judgment.score) == (exchange.id, "chat", "one/m", 0.7)
    assert court.scores.of("one/m", 0.0)[1] == 1


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("SCORE: 7", "7"),
        ("**Score:** 10", "10"),
        ("It is fine.\nscore: 8.5\n", "8.5"),
        ("SCORE: 70", None),
        ("SCORE: 11", None),
        ("7 of 10", None),
    ],
)
def test_what_counts_as_a_score(text, score):
    found = SCORE.search(text)
    assert (found and found[1]) == score


async def test_a_share_is_judged_and_no_more_than_there_is_room_for():
    court = Court(share=0.25)
    for _ in range(400):
        await court.ask()
    assert len(court.questions) == pytest.approx(100, abs=45)
    full = Court(at_once=0)
    await full.ask()
    assert (full.questions, full.background.dropped) == ([], {("chat", "judge/m"): 1})


async def test_what_was_not_given_whole_is_not_judged():
    court = Court()
    await court.ask(ending="cancelled")
    assert court.questions == []


@pytest.mark.parametrize("verdict", [ProviderTimeout("slow"), "I would rather not say."])
async def test_a_judge_who_fails_is_told_once_and_changes_nothing(verdict, caplog):
    court = Court(verdict, again=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert (await court.ask())[1] == "42"
    assert caplog.text.count("are not judged for now") == 1
    assert "rather not" not in caplog.text
    assert court.scores.all(0.0) == {}


async def test_a_bad_answer_is_not_given_but_another_asked_for():
    court = Court("SCORE: 2", again=True)
    exchange, said = await court.ask()
    assert (said, court.asked) == ("Forty-two.", [court.one, court.two])
    assert exchange.target is court.two
    first, second = exchange.attempts
    assert (first.target, first.usage.output, second.target, second.usage) == ("one/m", 2, "two/m", None)
    assert "the answer of one/m was judged 0.20, and another one asked for" in exchange.decision.said


async def test_a_good_answer_is_given_at_once():
    court = Court("SCORE: 9", again=True)
    exchange, said = await court.ask()
    assert (said, court.asked) == ("42", [court.one])
    assert exchange.attempts[0].usage is None


async def test_a_bad_answer_is_better_than_none():
    court = Court("SCORE: 2", again=True)
    court.says[court.two] = ProviderTimeout("no")
    exchange, said = await court.ask()
    assert (said, [attempt.error for attempt in exchange.attempts]) == ("42", [None, "provider_timeout"])


class TestQuality:
    def judged(self, *scores, now=0.0):
        made = Judged(Scores(), 0.5, 3, lambda: now)
        self.one, self.two = target("one"), target("two")
        for score in scores:
            made.scores.hear("one/m", score, 0.0)
        return made

    def test_who_answers_badly_is_asked_last(self):
        judged, exchange = self.judged(0.1, 0.2, 0.3), asked()
        assert judged.sort(exchange, (self.one, self.two)) == [self.two, self.one]
        assert exchange.decision.said == ["one/m is asked after the others: its answers were judged 0.20, of 1"]

    def test_a_few_judgments_prove_nothing(self):
        judged = self.judged(0.1, 0.2)
        targets = (self.one, self.two)
        assert judged.sort(asked(), targets) is targets

    def test_it_gets_another_chance(self):
        judged = self.judged(0.1, 0.1, 0.1, now=700.0)
        targets = (self.one, self.two)
        assert judged.sort(asked(), targets) is targets
        assert judged.scores.all(700.0) == {}

    def test_the_average_forgets(self):
        scores = Scores()
        for number in range(200):
            scores.hear("one/m", 0.0 if number < 100 else 1.0, 0.0)
        assert scores.of("one/m", 0.0)[0] > 0.95
