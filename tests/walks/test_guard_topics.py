"""Guards by topic: questions go to the models meant for them, are denied, or are of no topic that may be."""

import json

import pytest

from gateways import KEY, running
from traffic import whole
from upstreams import ScriptedUpstream, json_reply

WORDS = ["leave", "holiday", "laptop", "password", "lawsuit", "court", "election"]
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
providers:
  local: {{kind: openai_compatible, api_key: none, base_url: 'URL/local/v1', internal: true}}
  openai: {{api_key: sk-upstream, base_url: 'URL/v1'}}
models:
  assistant: openai/general
  staff: local/small
  secure: {{targets: [{{model: openai/premium, traits: [fair]}}]}}
  support: openai/support
  broken: openai/broken
matching:
  embedding_model: openai/embed
  topic_threshold: 0.6
  topics:
    hr: [leave leave, holiday leave]
    it: [laptop password]
    legal: [lawsuit court]
guards:
  hr and it:
    use: topics
    with: {{denied: [hr, it]}}
    for: {{model: [assistant]}}
    at: before
    then: route
    model: staff
  legal: {{use: topics, with: {{denied: [legal]}}, for: {{model: [assistant]}}, then: route, model: secure, at: before}}
  gender:
    use: topics
    with: {{denied: [gender], words: {{gender: ["gender*", women]}}}}
    for: {{model: [assistant]}}
    at: before
    then: route
    model: secure
  support only:
    use: topics
    with: {{allowed: [it, billing], words: {{billing: [invoice]}}}}
    for: {{model: [support]}}
    at: before
  none: {{use: topics, with: {{denied: [hr]}}, for: {{model: [broken]}}, at: before}}
keys: [{{name: test, key: {KEY}}}]
"""


class Model:
    """Answers with its name; embeds by counting words. `away`: it does not embed."""

    away = False

    async def __call__(self, asked):
        body = json.loads(asked.request.body)
        if "input" not in body:
            await asked.send(whole(body["model"]))
        elif self.away:
            await asked.send(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n")
        else:
            vectors = [[text.lower().count(word) + 0.001 for word in WORDS] + [0.2] for text in body["input"]]
            data = [{"object": "embedding", "index": n, "embedding": each} for n, each in enumerate(vectors)]
            await asked.send(json_reply({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1}}))


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, model):
    with ScriptedUpstream(model) as upstream:
        config = CONFIG.replace("URL", upstream.url)
        with running(tmp_path_factory.mktemp("topics"), config) as made:
            yield made
            assert "Traceback" not in made.output()


def ask(gateway, model, text):
    return gateway.post({"model": model, "messages": [{"role": "user", "content": text}]})


@pytest.mark.parametrize(
    ("text", "answered", "why"),
    [
        ("What is the leave policy?", "small", "'hr and it' has it: hr"),
        ("My laptop forgot its password", "small", "'hr and it' has it: it"),
        ("The pending lawsuit is in court", "premium", "'legal' has it: legal"),
        ("Do women earn less?", "premium", "'gender' has it: gender"),
        ("Write a poem about rain", "general", None),
    ],
)  # fmt: skip
def test_a_topic_goes_to_the_model_that_is_meant_for_it(gateway, text, answered, why):
    status, headers, body = ask(gateway, "assistant", text)
    assert (status, body["choices"][0]["message"]["content"]) == (200, answered)
    decision = gateway.record_of(headers["x-request-id"])["decision"]["why"]
    assert f"assistant, as the policy {why}" in decision if why else "instead of" not in decision


def test_what_is_of_none_of_the_topics_that_may_be_is_blocked(gateway):
    assert ask(gateway, "support", "My laptop needs a password")[0] == 200
    assert ask(gateway, "support", "There is a mistake in my last invoice")[0] == 200
    assert ask(gateway, "support", "Thank you")[0] == 200
    status, _, body = ask(gateway, "support", "Who wins the next election, please?")
    assert status == 400
    assert "'support only' blocks this: off_topic" in body["error"]["message"]


def test_what_nobody_can_tell_the_topic_of_is_not_let_through(gateway, model):
    assert ask(gateway, "broken", "something harmless and new")[0] == 200
    model.away = True
    status, _, body = ask(gateway, "broken", "something else, new again")
    assert (status, body["error"]["code"]) == (503, "guard_unavailable")
