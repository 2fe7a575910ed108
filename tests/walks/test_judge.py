"""A judge scores answers, and targets that answer badly lose their place, seen from outside."""

import json

import pytest

from gateways import KEY, running
from traffic import answering, whole
from upstreams import ScriptedUpstream

CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  a: {{kind: openai, api_key: none, base_url: '{a}/v1'}}
  judge: {{kind: openai, api_key: none, base_url: '{judge}/v1'}}
models:
  watched: {{targets: [a/m, a/n], judge: {{target: judge/j, share: 1, least: 0.5, enough: 3}}}}
  streamed: {{targets: [a/m, a/n], judge: {{target: judge/j, share: 1, least: 0.5, enough: 3}}}}
  strict: {{targets: [a/m, a/n], judge: {{target: judge/j, ask_again: true}}}}
keys:
  - {{name: test, key: {KEY}}}
"""


class Targets(ScriptedUpstream):
    """`a/m` answers nonsense, `a/n` sense."""

    async def answer(self, asked):
        body = json.loads(asked.request.body)
        if body.get("stream"):
            await answering()(asked)
            return
        await asked.send(whole("nonsense" if body["model"] == "m" else "sense"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    async def judge(asked):
        body = json.loads(asked.request.body)
        bad = "nonsense" in body["messages"][-1]["content"].partition("<answer>")[2]
        await asked.send(whole("SCORE: 1" if bad else "SCORE: 9"))

    with Targets() as a, ScriptedUpstream() as judging:
        a.script, judging.script = a.answer, judge
        config = CONFIG.format(KEY=KEY, a=a.url, judge=judging.url)
        with running(tmp_path_factory.mktemp("judge"), config) as made:
            yield made


def ask(gateway, model, **more):
    body = {"model": model, "messages": [{"role": "user", "content": "Say something sensible."}], **more}
    status, headers, answer = gateway.post(body)
    assert status == 200, answer
    return headers, answer


def test_a_target_that_answers_badly_is_asked_last(gateway):
    for number in range(1, 4):
        headers, _ = ask(gateway, "watched")
        assert headers["x-headgate-model"] == "a/m"
        gateway.wait_for_metric(number, "headgate_judgments_total", model="watched", target="a/m")
    headers, answer = ask(gateway, "watched")
    assert headers["x-headgate-model"] == "a/n"
    assert answer["choices"][0]["message"]["content"] == "sense"
    record = gateway.record_of(headers["x-request-id"])
    assert "a/m is asked after the others: its answers were judged 0.10, of 1" in record["decision"]["why"]
    assert gateway.metric("headgate_judgment_points_total", model="watched", target="a/m") == pytest.approx(0.3)
    [judgment] = [each for each in gateway.records(path="judge") if each["judgment"]["of"] == headers["x-request-id"]]
    assert judgment["judgment"] == {
        "of": headers["x-request-id"],
        "model": "watched",
        "target": "a/n",
        "score": 0.9,
    }
    assert judgment["target"] == "judge/j"
    assert judgment["usage"]["output"] > 0


def test_a_stream_is_judged_too(gateway):
    before = gateway.metric("headgate_judgments_total", model="streamed")
    ask(gateway, "streamed", stream=True)
    gateway.wait_for_metric(before + 1, "headgate_judgments_total", model="streamed")


def test_another_is_asked_at_once_where_the_answer_is_bad(gateway):
    headers, answer = ask(gateway, "strict")
    assert answer["choices"][0]["message"]["content"] == "sense"
    assert (headers["x-headgate-model"], headers["x-headgate-attempts"]) == ("a/n", "2")
    record = gateway.record_of(headers["x-request-id"])
    first, second = record["attempts"]
    assert first["usage"]["output"] > 0
    assert "usage" not in second
    tokens = gateway.metric("headgate_tokens_total", model="strict", provider="a")
    assert tokens >= 2 * sum(record["usage"].get(name, 0) for name in ("input", "output"))
