"""Why a request goes where it goes, asked from outside: dry runs, decisions, the state of targets, the command line."""

import json
import re

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, KEY, running
from headgate.cli import cli
from traffic import whole
from upstreams import ScriptedUpstream, json_reply

CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  good:
    kind: openai
    api_keys: [{{api_key: one-secret-key, name: main}}, {{api_key: other-secret-key, enabled: false}}]
    base_url: '{good}/v1'
  poor: {{kind: openai, api_key: poor-secret-key, base_url: '{poor}/v1'}}
  full: {{kind: openai, api_key: full-secret-key, base_url: '{full}/v1'}}
  bad: {{kind: openai, api_key: bad-secret-key, base_url: '{bad}/v1'}}
models:
  chat:
    policy: cheapest
    targets: [{{model: good/dear, concurrency: 5, requests_per_minute: 1000}}, good/cheap]
    first_token: 10
    deadline: 30
    hedge: p95
    fallbacks_on: {{context_overflow: good/long}}
  turns: {{policy: round_robin, targets: [good/a, good/b, good/c]}}
  shares: {{policy: weighted, targets: [good/a, good/b]}}
  trial: {{targets: [good/a], canary: {{target: bad/new, steps: [100], least: 1}}}}
  falls: {{targets: [bad/m], fallbacks: [good/a]}}
  told: {{targets: [bad/told], fallbacks: [good/a]}}
  broken: {{targets: [bad/dead]}}
  poor: {{targets: [poor/m]}}
  other: {{targets: [full/other]}}
  limited: {{targets: [full/m], fallbacks_on: {{rate_limit: [good/a]}}}}
rules:
  - {{name: batch work, when: '"batch" in tags', models: [chat], use: turns}}
retry: {{attempts: 1}}
breaker: {{failures: 2, rest: 100}}
catalogue:
  models:
    good/dear: {{prices: {{input: 10, output: 30}}}}
    good/cheap: {{prices: {{input: 1, output: 3}}}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: narrow, key: hg-narrow-key-0123456789, models: [turns]}}
"""
QUESTION = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}
DRY = {"x-headgate-explain": "true"}


@pytest.fixture(scope="module")
def upstreams():
    async def answer(asked):
        await asked.send(whole("Hi"))

    async def fail(asked):
        await asked.send(json_reply({"error": {"message": "down"}}, status=500))

    async def ask_for_money(asked):
        await asked.send(json_reply({"error": {"message": "pay first"}}, status=402))

    async def refuse(asked):
        await asked.send(json_reply({"error": {"message": "slow down"}}, status=429))

    with ScriptedUpstream() as good, ScriptedUpstream() as bad, ScriptedUpstream() as poor, ScriptedUpstream() as full:
        good.script, bad.script, poor.script, full.script = answer, fail, ask_for_money, refuse
        yield good, bad, poor, full


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstreams):
    urls = dict(zip(("good", "bad", "poor", "full"), (upstream.url for upstream in upstreams), strict=True))
    config = CONFIG.format(KEY=KEY, **urls)
    with running(tmp_path_factory.mktemp("why"), config) as made:
        yield made


def explained(gateway, model, **more):
    headers = more.pop("headers", {})
    status, _, body = gateway.post({"model": model, **QUESTION, **more}, headers={**DRY, **headers})
    assert status == 200, body
    return body


def operator(gateway, path, key=ADMIN_KEY, method="GET"):
    status, _, body = gateway.request(method, path, headers={"authorization": f"Bearer {key}"})
    return status, body


def test_a_dry_run_says_where_a_request_would_go(gateway):
    told = explained(gateway, "chat", stream=True)
    assert told["target"] == "good/cheap"
    assert (told["alias"], told["policy"], told["unit"], told["answer_tokens"]) == (
        "chat",
        "cheapest",
        "US dollars",
        100,
    )
    cheap, dear = told["candidates"]
    assert (cheap["target"], cheap["place"], dear["target"], dear["place"]) == ("good/cheap", 1, "good/dear", 2)
    tokens = told["prompt_tokens"]
    assert cheap["prompt_cost"] == pytest.approx(tokens * 1e-6, rel=1e-4)
    assert dear["most_cost"] == pytest.approx(tokens * 1e-5 + 100 * 3e-5, rel=1e-4)
    assert told["manner"] == {
        "first_token": 10,
        "deadline": 30,
        "hedge": "p95",
        "fallbacks_on": {"context_overflow": ["good/long"]},
    }
    assert "good/cheap has" in told["why"]
    record = gateway.record_of(told["id"])
    assert (record["ending"], record.get("attempts"), record.get("target")) == ("explained", None, None)
    said = operator(gateway, f"/admin/api/decisions/{told['id']}")[1]
    assert said["text"][-1] == "It was only explained: nobody was asked."


@pytest.mark.parametrize(("more", "most"), [({"n": 3}, 300), ({"max_tokens": 10**400}, None), ({"n": 10**400}, None)])
def test_all_answers_are_counted_as_long_as_that_makes_sense(gateway, more, most):
    told = explained(gateway, "good/cheap", **more)
    [candidate] = told["candidates"]
    assert told.get("answer_tokens") == most
    cost = None if most is None else pytest.approx(candidate["prompt_cost"] + most * 3e-6, rel=1e-4)
    assert candidate.get("most_cost") == cost


def test_a_rule_is_named_and_anthropics_clients_may_ask_too(gateway):
    assert explained(gateway, "chat", headers={"x-headgate-tags": "batch"})["rule"] == "batch work"
    status, _, body = gateway.post({"model": "turns", **QUESTION}, "/v1/messages", headers=DRY)
    assert (status, body["policy"]) == (200, "round_robin")


def test_every_kind_of_request_may_ask(gateway, upstreams):
    good = upstreams[0]
    before = len(good.requests)
    form = b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngood/whisper-1\r\n' + (
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        + bytes(3_000_000)
        + b"\r\n--b--\r\n"
    )
    sent = {"authorization": f"Bearer {KEY}", **DRY}
    for method, path, body, kind in (
        ("POST", "/v1/embeddings", b'{"model": "good/embed", "input": "Hello"}', "application/json"),
        ("POST", "/v1beta/models/turns:streamGenerateContent", b'{"contents": []}', "application/json"),
        ("POST", "/v1/audio/transcriptions", form, "multipart/form-data; boundary=b"),
        ("GET", "/good/files?limit=2", None, None),
        ("POST", "/good/files", bytes(3_000_000), "application/octet-stream"),
    ):
        headers = {**sent, "content-type": kind} if kind else sent
        status, said, told = gateway.request(method, path, body, headers)
        assert (status, said["content-type"], said["x-headgate-attempts"]) == (200, "application/json", "0"), (
            path,
            told,
        )
        assert told["target"].startswith("good/"), path
    assert len(good.requests) == before


@pytest.mark.parametrize("model", ["turns", "shares"])
def test_no_turn_is_taken(gateway, model):
    def asked():
        return gateway.post({"model": model, **QUESTION})[1]["x-headgate-model"]

    for _ in range(3):
        told = {explained(gateway, model)["target"] for _ in range(4)}
        assert len(told) == 1
        assert asked() in told


def test_a_canary_does_not_count_it(gateway):
    def percent():
        return gateway.metric("headgate_canary_percent", model="trial", target="bad/new")

    for _ in range(2):  # its circuit opens, which every request counts that it would have got
        gateway.post({"model": "bad/new", **QUESTION})
    for _ in range(3):
        assert explained(gateway, "trial")["target"] == "good/a"
    assert percent() == 100
    gateway.post({"model": "trial", **QUESTION})
    assert percent() == 0


def test_a_request_that_would_be_refused_is(gateway):
    status, _, body = gateway.post({"model": "chta", **QUESTION}, headers=DRY)
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    status, _, body = gateway.post({"model": "chat", **QUESTION}, headers=DRY, key="hg-narrow-key-0123456789")
    assert (status, body["error"]["code"]) == (403, "model_not_allowed")


@pytest.mark.parametrize("value", ["false", "0", "no", ""])
def test_who_says_no_is_answered(gateway, value):
    status, headers, _ = gateway.post({"model": "turns", **QUESTION}, headers={"x-headgate-explain": value})
    assert (status, headers["x-headgate-attempts"]) == (200, "1")


def test_an_open_circuit_is_told(gateway):
    for _ in range(2):
        gateway.post({"model": "broken", **QUESTION})
    told = explained(gateway, "broken")
    assert "target" not in told
    assert (told["error"]["status"], told["error"]["code"]) == (503, "no_target")
    [candidate] = told["candidates"]
    assert (candidate["by"], candidate["circuit"]) == ("health", "open")
    assert "2 failures in a row" in candidate["out"]


def test_the_decision_of_a_request(gateway):
    status, headers, _ = gateway.post({"model": "told", **QUESTION})
    assert (status, headers["x-headgate-model"]) == (200, "good/a")
    id = headers["x-request-id"]
    status, told = operator(gateway, f"/admin/api/decisions/{id}")
    assert (status, told["id"], told["key"], told["target"], told["ending"]) == (200, id, "test", "good/a", "complete")
    assert [attempt["target"] for attempt in told["attempts"]] == ["bad/told", "good/a"]
    assert [each["target"] for each in told["decision"]["candidates"]] == ["bad/told", "good/a"]
    assert "Asked for told by the key test." in told["text"]
    assert any("answered 500" in line for line in told["text"])
    assert told["text"][-2:] == [
        "It used 1 token of prompt and 2 of answer.",
        "What it cost is not known: no prices are known of good/a.",
    ]


def test_a_target_for_a_certain_cause_is_told_with_it(gateway):
    status, headers, _ = gateway.post({"model": "limited", **QUESTION})
    assert (status, headers["x-headgate-model"]) == (200, "good/a")
    told = operator(gateway, f"/admin/api/decisions/{headers['x-request-id']}")[1]
    assert "good/a is asked because of the rate limit" in told["decision"]["why"]


def test_decisions_and_targets_are_for_the_admin_key(gateway):
    for path in ("/admin/api/decisions/req_1", "/admin/api/targets"):
        assert operator(gateway, path, key=KEY)[0] == 403
        assert operator(gateway, path, key="wrong-key")[0] == 401
        status, told = operator(gateway, path, method="POST")
        assert (status, told["error"]["code"]) == (405, "method_not_allowed")
    status, told = operator(gateway, "/admin/api/decisions/req_nobody_has")
    assert (status, told["error"]["code"]) == (404, "unknown_request")


def test_how_the_targets_are(gateway):
    gateway.post({"model": "broken", **QUESTION})
    gateway.post({"model": "broken", **QUESTION})
    gateway.post({"model": "good/dear", **QUESTION})
    status, told = operator(gateway, "/admin/api/targets")
    assert status == 200
    targets = {each["target"]: each for each in told["targets"]}
    dead, dear = targets["bad/dead"], targets["good/dear"]
    assert (dead["circuit"]["state"], dead["models"]) == ("open", ["broken"])
    assert "2 failures in a row" in dead["circuit"]["why"]
    assert 0 < dead["circuit"]["asked_again_in"] <= 100
    assert dear["limits"]["concurrency"] == 5
    assert dear["limits"]["requests"]["most"] == 1000
    assert dear["limits"]["requests"]["of_this_minute"] >= 1
    assert dear["seconds"]["answer"] > 0
    assert 0 < dear["seconds"]["answer_p50"] <= dear["seconds"]["answer_p95"]
    assert [(key["name"], key["state"]) for key in dear["keys"]] == [("main", "active"), ("key-2", "disabled")]
    assert "secret" not in json.dumps(told)


def test_every_state_is_a_metric(gateway):
    for _ in range(2):
        gateway.post({"model": "broken", **QUESTION})
    for model in ("good/made-up", "good/a", "good/dear", "falls"):
        gateway.post({"model": model, **QUESTION})
    assert gateway.metric("headgate_circuits", target="bad/dead", state="open") == 1
    assert gateway.metric("headgate_circuits", target="good/a", state="closed") == 1
    assert gateway.metric("headgate_circuit_openings_total", target="bad/dead") >= 1
    assert gateway.metric("headgate_keys", provider="good", key="main", state="active") == 1
    assert gateway.metric("headgate_keys", provider="good", key="key-2", state="disabled") == 1
    series = gateway.metrics()
    for name in ("running", "waiting", "turned_away_total"):
        assert series[f'headgate_target_{name}{{target="good/dear"}}'] == 0
    for name in ("headgate_repetitions_total", "headgate_repetitions_denied_total"):
        assert series[f'{name}{{target="bad/dead"}}'] == 0
    assert gateway.metric("headgate_fallbacks_total", model="falls", cause="500") >= 1
    circuits = [name for name in series if name.startswith("headgate_circuits{")]
    assert not [name for name in circuits if "made-up" in name], "clients make up no series"
    idle = {name.partition("{")[0] for name in series if 'target="good/long"' in name}
    assert idle == {"headgate_circuits"}, "nobody has asked it yet"


def headgate(*arguments, key=ADMIN_KEY):
    """In this process: that the commands run in one of their own is tested elsewhere."""
    return CliRunner(env={"HEADGATE_ADMIN_KEY": key}).invoke(cli, arguments)


def test_the_command_line_explains(gateway):
    here = ("--data-dir", str(gateway.folder / "data"))
    id = gateway.post({"model": "falls", **QUESTION})[1]["x-request-id"]
    said = headgate("explain", id, *here)
    assert said.exit_code == 0, said.stderr
    assert "Why: alias falls" in said.stdout
    assert "bad/m" in said.stdout
    assert "It was answered by good/a" in said.stdout
    assert json.loads(headgate("explain", id, "--json", *here).stdout)["target"] == "good/a"
    nobody = headgate("explain", "req_nobody_has", *here)
    assert nobody.exit_code == 1
    assert "no request has this id" in nobody.stderr


def test_the_command_line_shows_the_targets(gateway):
    for _ in range(2):
        gateway.post({"model": "broken", **QUESTION})
    gateway.post({"model": "good/dear", **QUESTION})
    gateway.post({"model": "poor/m", **QUESTION})
    gateway.post({"model": "limited", **QUESTION})
    said = headgate("targets", "--config", str(gateway.config))
    assert said.exit_code == 0, said.stderr
    head, *lines = said.stdout.splitlines()
    assert head.split()[:2] == ["TARGET", "CIRCUIT"]
    rows = {line.split()[0]: line for line in lines}
    assert re.match(r"bad/dead +open [\d.]+ s +0 ", rows["bad/dead"])
    assert re.match(
        r"good/dear +closed +0/5 +0 +\d+ +0 .*\d/1000 requests +main: active, key-2: disabled$", rows["good/dear"]
    )
    assert any(line.startswith("bad/dead: its circuit is open: 2 failures in a row") for line in lines)
    assert "poor, key key: exhausted: poor/m answered 402" in lines
    assert any(re.match(r"full/m, key key: cooling for [\d.]+ s$", line) for line in lines)
    assert "cooling" in rows["full/m"]
    assert not [
        line for line in lines if "full/other" in line and line.split() != ["full/other", "closed", "0", "0", "0"]
    ]
    assert "good, key key-2: disabled" not in said.stdout, "as it was told to be"
    told = json.loads(headgate("targets", "--json", "--url", gateway.url).stdout)
    [poor] = [each for each in told["targets"] if each["target"] == "poor/m"]
    assert 0 < poor["keys"][0]["tried_again_in"] <= 300
    assert "secret" not in json.dumps(told) + said.stdout


@pytest.mark.parametrize(
    ("arguments", "key", "why"),
    [
        ((), KEY, "is not the admin key"),
        ((), "wrong", "is not the admin key"),
        (("--url", "http://127.0.0.1:9"), ADMIN_KEY, "no gateway answers at http://127.0.0.1:9: Connection refused"),
        (("--url", "127.0.0.1"), ADMIN_KEY, "that is no URL"),
        (("--url", "http://127.0.0.1:x"), ADMIN_KEY, "no gateway answers at http://127.0.0.1:x"),
        (("--url", "UPSTREAM"), ADMIN_KEY, "is no gateway"),
    ],
)
def test_who_cannot_be_shown_the_targets_is_told_why(gateway, upstreams, arguments, key, why):
    arguments = [argument.replace("UPSTREAM", upstreams[0].url) for argument in arguments]
    said = headgate("targets", *(arguments or ["--url", gateway.url]), key=key)
    assert (said.exit_code, said.stdout) == (1, "")
    assert why in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert key not in said.stderr
