"""Rules by topic, seen from outside: what an embedding model is asked, and that requests go on when it is not there."""

import json
import signal
import time

import pytest

from gateways import KEY, OTHER_KEY, running
from upstreams import ScriptedUpstream, json_reply

WORDS = ["money", "invoice", "python", "bug", "weather"]
TIMEOUT = 0.4
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
providers:
  simulator: {{traits: [eu]}}
  openai: {{api_key: sk-upstream-openai-secret, base_url: 'URL/v1'}}
models:
  near: openai/text-embedding-3-small
matching:
  embedding_model: near
  topic_threshold: 0.6
  topic_timeout: {TIMEOUT}
  topics:
    billing: [money money, money invoice]
    code: [python bug]
rules:
  - {{name: vip billing, when: key == "vip" && topic == "billing", use: simulator/vip}}
  - {{name: plain, when: 'metadata.plain == "yes"', use: simulator/plain}}
  - {{name: billing, when: topic == "billing", use: simulator/billing}}
  - {{name: sure, when: topic == "code" && topic_score > 0.9, use: simulator/sure}}
  - {{name: code, when: 'topic in ["code"]', use: simulator/code}}
  - {{name: near itself, models: near, when: topic == "code", use: simulator/never}}
  - {{name: rest, use: simulator/rest}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: [auto, "simulator/*"]}}
"""


class Model:
    """Counts words; `mood` is what it does instead."""

    def __init__(self):
        self.mood = None
        self.inputs = []

    async def __call__(self, asked):
        fields = json.loads(asked.request.body)
        self.inputs.append(fields["input"])
        if self.mood == "hang":
            await asked.stall()
        elif self.mood is not None:
            await asked.send(self.mood)
        else:
            vectors = [[text.count(word) + 0.001 for word in WORDS] for text in fields["input"]]
            data = [
                {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
            ]
            answer = {"object": "list", "data": data[::-1], "model": "m"}
            await asked.send(json_reply(answer | {"usage": {"prompt_tokens": 7, "total_tokens": 7}}))

    def asked(self):
        """What was since the last time."""
        found, self.inputs = self.inputs, []
        return found


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, model):
    with (
        ScriptedUpstream(model) as upstream,
        running(tmp_path_factory.mktemp("gateway"), CONFIG.replace("URL", upstream.url)) as started,
    ):
        yield started
        assert "Traceback" not in started.output()
        assert started.output().count("topics cannot be told at the moment") <= 1


@pytest.fixture(autouse=True)
def well(model):
    model.mood = None
    model.asked()


def ask(gateway, prompt, *, key=KEY, model="auto", headers=None, **more):
    """(the model that answered, why)."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **more}
    status, answered, answer = gateway.post(body, key=key, headers=headers)
    assert status == 200, answer
    return answered["x-headgate-model"].partition("/")[2], gateway.record_of(answered["x-request-id"])["decision"][
        "why"
    ]


def test_nothing_is_asked_where_no_rule_needs_a_topic(gateway, model):
    assert ask(gateway, "money", metadata={"plain": "yes"})[0] == "plain"
    assert ask(gateway, "")[0] == "rest"
    assert model.asked() == []


def test_each_prompt_goes_by_its_topic(gateway, model):
    target, why = ask(gateway, "where is the money, and the money, and my invoice?")
    assert (target, why.partition("; ")[2]) == ("billing", "topic billing (0.95)")
    assert model.asked()[0] == ["where is the money, and the money, and my invoice?"]
    assert ask(gateway, "a python bug")[0] == "sure"
    assert ask(gateway, "a bug, a bug, and another bug, in python")[0] == "code"
    target, why = ask(gateway, "weather, weather, a bug")
    assert target == "rest"
    assert "no topic, the nearest is code (0." in why
    assert ask(gateway, "a python bug", key=OTHER_KEY)[0] == "sure"  # it was asked already


def test_a_dry_run_asks_for_the_topic_too(gateway, model):
    body = {"model": "auto", "messages": [{"role": "user", "content": "money, but dry"}]}
    status, _, told = gateway.post(body, headers={"x-headgate-explain": "true"})
    assert (status, told["target"], told["rule"]) == (200, "simulator/billing", "billing")
    assert ["money, but dry"] in model.asked()


def test_questions_are_recorded_as_the_gateway_s_own(gateway):
    ask(gateway, "money is asked for here")
    record = gateway.records(1, path="topic", model="near")[-1]
    assert record["target"] == "openai/text-embedding-3-small"
    assert record["usage"]["input"] == 7
    assert "key" not in record


def test_a_model_that_may_not_see_the_prompt_is_not_asked(gateway, model):
    for number in range(4):
        target, why = ask(gateway, f"money that stays here {number}", headers={"x-headgate-requires": "eu"})
        assert target == "rest"
        assert "the topic could not be told: x-headgate-requires requires eu" in why
    assert model.asked() == []
    assert ask(gateway, "money that may be seen")[0] == "billing"


def test_examples_are_not_asked_again_after_a_reload(gateway, model):
    ask(gateway, "money before the reload")
    model.asked()
    before = gateway.output().count("the configuration was reloaded")
    config = gateway.config.read_text()
    gateway.config.write_text(config.replace("use: simulator/rest", "use: simulator/remainder"))
    gateway.signal(signal.SIGHUP)
    gateway.says("the configuration was reloaded", before + 1)
    assert ask(gateway, "weather after the reload")[0] == "remainder"
    assert model.asked() == [["weather after the reload"]]
    gateway.config.write_text(config)
    gateway.signal(signal.SIGHUP)
    gateway.says("the configuration was reloaded", before + 2)


def test_rules_about_the_embedding_model_do_not_ask_it_for_itself(gateway, model):
    ask(gateway, "weather, after which the examples are known")
    model.asked()
    status, _, answer = gateway.post({"model": "near", "input": "weather by itself"}, "/v1/embeddings")
    assert (status, len(answer["data"][0]["embedding"])) == (200, 5)
    assert model.asked() == [["weather by itself"], "weather by itself"]  # for its topic, and for the client


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        (json_reply({"error": {"message": "out of order"}}, status=500), "out of order"),
        (json_reply({"data": [], "usage": {"prompt_tokens": 1}}), "gave 0 vectors for 1 texts"),
    ],
)
def test_a_failure_costs_the_topic_alone(gateway, model, mood, why):
    model.mood = mood
    target, told = ask(gateway, f"money that nobody sees: {why}")
    assert target == "rest"
    assert "the topic could not be told: " in told
    assert why in told
    model.mood = None
    assert ask(gateway, f"money that is seen: {why}")[0] == "billing"


def test_who_does_not_answer_is_not_waited_for_long(gateway, model):
    model.mood = "hang"
    started = time.monotonic()
    target, why = ask(gateway, "money that takes its time")
    assert target == "rest"
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT + 1
    assert "the topic could not be told: openai/text-embedding-3-small had not" in why
    [record] = gateway.records(1, path="topic", error="provider_timeout")
    assert (record["ending"], record["attempts"][0]["error"]) == ("failed", "provider_timeout")
