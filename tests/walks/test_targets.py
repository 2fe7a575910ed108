"""Settings of a target, and an effort in a model's name, seen from the provider's side."""

import json

import pytest

from gateways import KEY, running
from headgate.config.load import load
from headgate.config.problems import ConfigError
from traffic import answering
from upstreams import ScriptedUpstream
from walks.vendors import Said, whole

CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai:
    {{api_key: sk-of-the-provider, base_url: '{url}/v1', drop: [logit_bias], models: {{mini: gpt-4o-mini-2024-07-18}}}}
  reasoner: {{kind: openai, api_key: sk-of-the-provider, base_url: '{url}/v1', speaks: [openai_responses]}}
models:
  plain: openai/gpt-5.1
  smart: reasoner/gpt-5.1
  tuned:
    - model: openai/gpt-5.1
      set: {{temperature: 0, extra: {{a: 1}}}}
      defaults: {{max_completion_tokens: 77, seed: 5}}
      drop: [user]
      system: Answer in French.
      effort: low
      with:
        {{api_key: 'file:{secret}', headers: {{x-team: blue}}, base_url: '{url}/other/v1', timeouts: {{first_byte: 7}}}}
  mini-alias: openai/mini
keys:
  - {{name: test, key: {key}}}
"""
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def upstream():
    chat = answering()

    async def answer(asked):
        if asked.request.path.endswith("/responses"):
            await asked.send(whole("responses", Said()))
        else:
            await chat(asked)

    with ScriptedUpstream(answer) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    folder = tmp_path_factory.mktemp("targets")
    (folder / "secret").write_text("sk-of-the-target-0123456789")
    config = CONFIG.format(url=upstream.url, key=KEY, secret=folder / "secret")
    with running(folder, config) as started:
        yield started
        assert "sk-of-the-target" not in started.output()


@pytest.fixture
def ask(gateway, upstream):
    """What reaches the provider: path, headers, body."""

    def ask(path="/v1/chat/completions", **fields):
        upstream.requests.clear()
        status, _, body = gateway.post({"messages": HELLO, **fields}, path=path)
        assert status == 200, body
        (request,) = upstream.requests
        return request.path, request.headers, json.loads(request.body)

    return ask


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_target_sets_adds_leaves_out_and_instructs(ask, path):
    where, headers, body = ask(path, model="tuned", temperature=1, max_tokens=9, logit_bias={"1": 2}, user="u")
    assert where == "/other/v1/chat/completions"
    assert (headers["authorization"], headers["x-team"]) == ("Bearer sk-of-the-target-0123456789", "blue")
    assert (body["model"], body["temperature"], body["extra"], body["seed"]) == ("gpt-5.1", 0, {"a": 1}, 5)
    assert body["messages"] == [{"role": "system", "content": "Answer in French."}, *HELLO]
    assert body["reasoning_effort"] == "low"
    assert not {"user", "logit_bias"} & body.keys()


def test_what_the_client_says_counts_more_than_a_default(ask):
    _, _, body = ask(model="tuned", seed=6, max_completion_tokens=3, reasoning_effort="high")
    assert (body["seed"], body["max_completion_tokens"], body["reasoning_effort"]) == (6, 3, "high")


def test_a_system_prompt_goes_before_the_clients_own(ask):
    system = {"role": "system", "content": "Be brief."}
    _, _, body = ask(model="tuned", messages=[system, *HELLO])
    assert body["messages"] == [{"role": "system", "content": "Answer in French.\n\nBe brief."}, *HELLO]


@pytest.mark.parametrize("model", ["mini-alias", "openai/mini"])
def test_a_model_may_have_another_name_at_its_host(ask, model):
    assert ask(model=model)[2]["model"] == "gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize("model", ["plain", "openai/gpt-5.1"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_an_effort_in_the_models_name(ask, gateway, model, path):
    _, _, body = ask(path, model=f"{model}:high", max_tokens=9)
    assert (body["model"], body["reasoning_effort"]) == ("gpt-5.1", "high")
    (record,) = gateway.records(1, model=f"{model}:high", path=path)
    assert record["target"] == "openai/gpt-5.1"


SMART = {"model": "smart:high"}
FACES = {
    "/v1/chat/completions": {**SMART, "messages": HELLO},
    "/v1/messages": {**SMART, "messages": HELLO, "max_tokens": 9},
    "/v1/responses": {**SMART, "input": HELLO},
    "/v1/completions": {**SMART, "prompt": "Hello"},
    "/v2/chat": {**SMART, "messages": HELLO},
    "/api/chat": {**SMART, "messages": HELLO, "stream": False},
    "/model/smart%3Ahigh/converse": {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]},
}


@pytest.mark.parametrize("path", FACES)
def test_an_effort_in_the_models_name_from_every_face_in_the_responses_api(gateway, upstream, path):
    upstream.requests.clear()
    status, _, body = gateway.post(FACES[path], path=path)
    assert status == 200, body
    (request,) = upstream.requests
    sent = json.loads(request.body)
    assert (request.path, sent["model"], sent["reasoning"]["effort"]) == ("/v1/responses", "gpt-5.1", "high")


def test_an_effort_in_the_models_name_leaves_how_reasoning_is_shown_to_the_client(gateway, upstream):
    given = {"input": "Hello", "reasoning": {"effort": "low", "summary": "auto"}, "prompt_cache_key": "k"}
    upstream.requests.clear()
    assert gateway.post({**given, **SMART}, path="/v1/responses")[0] == 200
    (request,) = upstream.requests
    reasoning = {"effort": "high", "summary": "auto"}
    assert json.loads(request.body) == {**given, "model": "gpt-5.1", "reasoning": reasoning}


def test_a_name_with_no_effort_in_it_is_a_name(ask, gateway):
    assert ask(model="openai/gpt-5.1:free")[2]["model"] == "gpt-5.1:free"
    status, _, body = gateway.post({"model": "plain:hgih", "messages": HELLO})
    assert (status, body["error"]["code"]) == (404, "model_not_found")


def test_a_bad_setting_of_a_target_is_told_where_it_stands(tmp_path):
    text = CONFIG.format(url="http://127.0.0.1:9", key=KEY, secret="/none").replace("first_byte: 7", "first_bite: 7")
    (tmp_path / "headgate.yaml").write_text(text.replace("{PORT}", "4000").replace("{DATA}", str(tmp_path)))
    with pytest.raises(ConfigError) as told:
        load(tmp_path / "headgate.yaml", {})
    words = str(told.value)
    assert "models.tuned[0].with.timeouts.first_bite" in words
    assert "models.tuned[0].with.api_key" in words


def test_an_address_of_a_target_is_checked(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("sk-of-the-target-0123456789")
    text = CONFIG.format(url="http://127.0.0.1:9", key=KEY, secret=secret).replace("/other/v1", "/v1/chat/completions")
    (tmp_path / "headgate.yaml").write_text(text.replace("{PORT}", "4000").replace("{DATA}", str(tmp_path)))
    with pytest.raises(ConfigError, match=r"models.tuned\[0\].with.base_url: base_url ends before /chat/completions"):
        load(tmp_path / "headgate.yaml", {})
