"""Secrets that are kept elsewhere, from outside: had at the start, changed while requests go on, away without harm."""

import json
import re
import signal
from functools import partial

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, Gateway, running
from headgate.cli import cli
from keepers import NAMESPACE, VAULT_TOKEN, Keepers
from upstreams import ScriptedUpstream, json_reply
from waiting import wait_for

CHAT = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}  # fmt: skip
SEALING = {"HEADGATE_SECRET_KEY": "vault-transit:transit/headgate"}
CLIENT = "hg-kept-key-0123456789abcdef"
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
secrets: {{refresh: 0.2, timeout: 2, vault: {{address: 'VAULT', namespace: {NAMESPACE}, token: 'file:token'}}}}
providers: {{kept: {{kind: openai, base_url: 'UPSTREAM/v1', api_key: 'vault:secret/llm#key'}}}}
models: {{chat: kept/m}}
users: {{admin: {{role: admin}}}}
keys:
  - {{name: kept, key: 'vault:secret/clients#first'}}
  - {{name: k-admin, key: hg-admin-key-0123456789abcdef, user: admin, operations: [admin]}}
"""


@pytest.fixture(scope="module")
def keepers():
    with Keepers() as made:
        made.secrets = {
            "vault:secret/llm": {"key": "sk-first-0123456789abcdef"},
            "vault:secret/clients": {"first": CLIENT},
            "vault:secret/more": {"key": "sk-more-0123456789abcdef"},
        }
        yield made


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream(json_reply(CHAT)) as made:
        yield made


@pytest.fixture(scope="module")
def config(keepers, upstream):
    return CONFIG.replace("VAULT'", f"{keepers.url}'").replace("UPSTREAM", upstream.url)


@pytest.fixture(scope="module")
def gateway(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "token").write_text(VAULT_TOKEN + "\n")
    with running(folder, config, environ=SEALING) as made:
        yield made


def ask(gateway, key=CLIENT, model="chat"):
    return gateway.post({"model": model, "messages": [{"role": "user", "content": "x"}]}, key=key)[0]


def sent(upstream):
    return upstream.requests[-1].headers["authorization"].removeprefix("Bearer ")


def test_a_changed_secret_is_used_and_no_request_fails(gateway, keepers, upstream):
    assert ask(gateway) == 200
    assert sent(upstream) == "sk-first-0123456789abcdef"
    keepers.secrets["vault:secret/llm"] = {"key": "sk-second-0123456789abcdef"}
    wait_for(lambda: ask(gateway) != 200 or sent(upstream) == "sk-second-0123456789abcdef")
    assert ask(gateway) == 200
    keepers.secrets["vault:secret/clients"] = {"first": CLIENT[::-1]}
    wait_for(lambda: ask(gateway) == 401)
    assert ask(gateway, CLIENT[::-1]) == 200
    keepers.secrets["vault:secret/clients"] = {"first": CLIENT}
    wait_for(lambda: ask(gateway) == 200)


def test_a_key_that_its_provider_refuses_is_asked_for_anew_at_once_but_not_by_every_refusal(config, keepers, tmp_path):
    looks, taken = ("vault", "/v1/secret/data/refused"), ["sk-revoked-0123456789abcdef"]
    keepers.secrets["vault:secret/refused"] = {"key": taken[0]}
    (tmp_path / "token").write_text(VAULT_TOKEN + "\n")

    async def provider(asked):
        right = asked.request.headers["authorization"] == f"Bearer {taken[0]}"
        await asked.send(json_reply(CHAT) if right else json_reply({"error": {"message": "revoked"}}, status=401))

    with ScriptedUpstream(provider) as choosy:
        text = config.replace("refresh: 0.2", "refresh: 600").replace("secret/llm", "secret/refused")
        text = re.sub(r"base_url: '[^']*'", f"base_url: '{choosy.url}/v1'", text) + "breaker: {enabled: false}\n"
        with running(tmp_path, text) as gateway:
            assert ask(gateway) == 200
            taken[0] = "sk-third-0123456789abcdef"
            keepers.secrets["vault:secret/refused"] = {"key": taken[0]}
            assert ask(gateway) == 401
            wait_for(lambda: ask(gateway) == 200, 3)
            assert keepers.asked.count(looks) == 2  # at the start, and now
            taken[0] = "sk-fourth-0123456789abcdef"
            assert [ask(gateway) for _ in range(20)] == [401] * 20
            assert keepers.asked.count(looks) == 2


def test_while_the_place_is_away_what_was_there_stays_through_a_reload(gateway, keepers):
    keepers.instead = {"vault": json_reply({"errors": [VAULT_TOKEN]}, status=503)}
    gateway.wait_for_metric(1, "headgate_secrets_away", source="vault")
    gateway.says("what they were stays in force")
    gateway.change(gateway.config.read_text() + "rules: []\n")
    gateway.says("the configuration was reloaded", times=gateway.output().count("the configuration was reloaded") + 1)
    assert ask(gateway) == 200
    keepers.instead = {}
    gateway.says("are there again")
    gateway.wait_for_metric(0, "headgate_secrets_away", source="vault")
    assert gateway.metric("headgate_secrets_failures_total") >= 1
    assert VAULT_TOKEN not in gateway.output()


def test_a_token_that_an_agent_renews_is_taken(gateway, keepers):
    keepers.tokens = {"hvs.renewed-0123456789"}
    gateway.wait_for_metric(1, "headgate_secrets_away", source="vault")
    (gateway.folder / "token").write_text("hvs.renewed-0123456789\n")
    gateway.wait_for_metric(0, "headgate_secrets_away", source="vault")
    keepers.tokens = {VAULT_TOKEN, "hvs.renewed-0123456789"}


def administer(gateway, method, path, body, key=ADMIN_KEY):
    sent = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    status, _, answer = gateway.request(method, f"/admin/api{path}", json.dumps(body).encode(), sent)
    return status, json.loads(answer) if isinstance(answer, bytes) and answer else answer


def test_only_an_owner_refers_to_what_is_elsewhere_and_it_is_shown_as_written(gateway, keepers, upstream):
    call = partial(administer, gateway)
    more = {"name": "more", "kind": "openai", "base_url": f"{upstream.url}/v1", "api_key": "vault:secret/more#key"}
    assert call("POST", "/providers", more, "hg-admin-key-0123456789abcdef")[0] == 403
    status, made = call("POST", "/providers", more)
    assert (status, made["body"]["api_key"]) == (201, "vault:secret/more#key")
    assert ask(gateway, model="more/m") == 200
    assert sent(upstream) == "sk-more-0123456789abcdef"
    elsewhere = {"base_url": "http://127.0.0.1:9/v1"}
    assert call("PATCH", "/providers/more", elsewhere, "hg-admin-key-0123456789abcdef")[0] == 403
    status, problem = call("POST", "/providers", {**more, "name": "none", "api_key": "vault:secret/none#key"})
    assert (status, problem["code"]) == (422, "invalid")
    assert "there is no such secret" in problem["detail"] + json.dumps(problem["errors"])
    assert call("DELETE", "/providers/more", {})[0] == 204


def test_a_key_that_vault_keeps_seals_and_is_asked_once_by_each_process(gateway, keepers, upstream):
    def crypted():
        return [what.split("/")[3] for _, what in keepers.asked if "transit" in what]

    provider = {"kind": "openai", "base_url": f"{upstream.url}/v1", "api_key": "sk-planted-0123456789abcdef"}
    keepers.instead = {"/v1/transit/encrypt/headgate": json_reply({"errors": [VAULT_TOKEN]}, status=500)}
    status, problem = administer(gateway, "POST", "/providers", {"name": "sealed", **provider})
    assert (status, problem["code"]) == (503, "key_away")
    keepers.instead = {}
    keepers.asked.clear()
    assert administer(gateway, "POST", "/providers", {"name": "sealed", **provider})[0] == 201
    keepers.instead = {f"/v1/transit/{what}/headgate": json_reply({}, status=500) for what in ("encrypt", "decrypt")}
    assert administer(gateway, "POST", "/providers", {"name": "another", **provider})[0] == 201
    assert crypted() == ["encrypt"]
    gateway.kill()
    assert "vault-transit:transit/headgate, cannot be used" in " ".join(
        problem["message"] for problem in check(gateway.folder, "--follow")[1]["problems"]
    )
    keepers.instead = {}
    keepers.asked.clear()
    gateway.start()
    assert [ask(gateway, model=f"{name}/m") for name in ("sealed", "another")] == [200, 200]
    assert sent(upstream) == "sk-planted-0123456789abcdef"
    assert administer(gateway, "DELETE", "/providers/another", {})[0] == 204
    assert crypted() == ["decrypt"]
    assert all(b"planted" not in path.read_bytes() for path in gateway.data.rglob("*") if path.is_file())


def check(folder, *words):
    command = ["check", "--config", str(folder / "headgate.yaml"), "--json", *words]
    done = CliRunner(env={"NO_PROXY": "*", **SEALING}).invoke(cli, command, standalone_mode=False)
    return done.return_value, json.loads(done.stdout)


def test_a_check_asks_nobody_unless_it_is_told_to(gateway, keepers):
    gateway.signal(signal.SIGSTOP)  # so that nobody but the check could ask
    try:
        count = len(keepers.asked)
        code, told = check(gateway.folder)
        key = SEALING["HEADGATE_SECRET_KEY"]
        assert (code, told["not_followed"]) == (0, [key, "vault:secret/clients#first", "vault:secret/llm#key"])
        assert len(keepers.asked) == count
        code, told = check(gateway.folder, "--follow")
        assert (code, told["not_followed"]) == (0, [])
        assert len(keepers.asked) > count
        keepers.instead = {"/v1/secret/data/llm": json_reply({}, status=403)}
        code, told = check(gateway.folder, "--follow")
        [problem] = told["problems"]
        assert (code, problem["path"], problem["line"]) == (2, "providers.kept.api_key", 5)
        assert "its policy does not allow it" in problem["message"]
    finally:
        keepers.instead = {}
        gateway.signal(signal.SIGCONT)


@pytest.mark.parametrize("reference", ["vault:", "vault: secret/llm#key", "aws:ssm:x#"])
def test_what_is_no_reference_is_told_without_asking(tmp_path, reference):
    text = f"data_dir: data\nproviders: {{kept: {{kind: openai, api_key: '{reference}'}}}}\n"
    (tmp_path / "headgate.yaml").write_text(text)
    code, told = check(tmp_path)
    [problem] = told["problems"]
    assert (code, problem["path"]) == (2, "providers.kept.api_key")
    assert "not complete" in problem["message"]


def test_a_start_without_what_it_needs_says_what_is_missing(config, tmp_path, keepers):
    (tmp_path / "token").write_text("hvs.of-nobody-0123456789\n")
    gateway = Gateway(tmp_path, config).start(wait=False)
    assert gateway.process.wait(20) == 2
    output = gateway.output()
    assert "providers.kept.api_key: Vault refused sys/internal/ui/mounts/secret/llm (403)" in output
    assert "hvs.of-nobody" not in output
    assert "Traceback" not in output
