"""What is exported reads the same on another machine, and holds no secret."""

import json

import pytest
import yaml

from headgate.config.export import export
from headgate.config.load import load

SECRETS = {"OPENAI_API_KEY": "sk-0123456789abcdef", "HG_DEMO": "hg-demo-0123456789abcdef"}
LITERAL, SHORT, CLIENT = "sk-ant-literal-0123456789", "s3", "hg-client-0123456789abcdef"
CONFIG = f"""
server: {{port: 4100}}
providers:
  openai: {{api_key: "${{OPENAI_API_KEY}}", headers: {{x-team: "a$$b", x-api-token: t0}}}}
  claude: {{kind: anthropic, api_key: {LITERAL}, set: {{stop_sequences: ["on", "1e3", "12:30"], max_tokens: 5}}}}
  bedrock: {{region: us-east-1, access_key_id: AKIA, secret_access_key: {SHORT}}}
  local: {{kind: openai_compatible, base_url: "http://127.0.0.1:9/v1", api_key: none}}
models:
  chat: openai/gpt-4o-mini
  smart:
    targets: [{{model: claude/claude-sonnet-4-5, with: {{api_key: "{LITERAL}2"}}}}]
guards:
  house: {{use: webhook, with: {{url: "https://guard.example/look", signing_secret: "{LITERAL}3", token: t1}}}}
keys:
  - {{name: written, key: {CLIENT}, models: [chat]}}
  - {{name: varied, key: "${{HG_DEMO}}"}}
  - {{name: filed, key: "file:client.key"}}
"""


@pytest.fixture
def loaded(tmp_path):
    (tmp_path / "client.key").write_text("hg-filed-0123456789abcdef\n")
    path = tmp_path / "headgate.yaml"
    path.write_text(CONFIG)
    return load(path, SECRETS)


def test_no_secret_is_in_it_and_all_that_is_needed_is_named(loaded):
    found = export(loaded, SECRETS)
    for text in (found.yaml(), found.json()):
        for secret in (*SECRETS.values(), LITERAL, CLIENT, "t0", "t1", "guard.example"):
            assert secret not in text
    assert found.document["providers"]["bedrock"]["secret_access_key"] == "${PROVIDERS_BEDROCK_SECRET_ACCESS_KEY}"
    assert found.variables == [
        "OPENAI_API_KEY",
        "PROVIDERS_OPENAI_HEADERS_X_API_TOKEN",
        "PROVIDERS_CLAUDE_API_KEY",
        "PROVIDERS_BEDROCK_SECRET_ACCESS_KEY",
        "MODELS_SMART_TARGETS_0_WITH_API_KEY",
        "GUARDS_HOUSE_WITH_URL",
        "GUARDS_HOUSE_WITH_SIGNING_SECRET",
        "GUARDS_HOUSE_WITH_TOKEN",
        "HG_DEMO",
    ]
    assert found.named == found.variables[1:-1]
    assert found.files == ["client.key"]


def test_a_secret_is_found_however_it_is_written(tmp_path):
    path = tmp_path / "headgate.yaml"
    path.write_text("""
providers:
  a-b: {kind: openai, api_key: "sk-one$$two-0123456789"}
  a_b: {kind: openai, api_key: "s2", headers: {authorization: "Bearer ${TOKEN}", x-auth: "${AUTH:-fallback}"}}
  a.b: {kind: openai, api_key: "${OWN:-sk-default-0123456789}"}
keys:
  - {name: dollar, key: "hg-one$$two-0123456789"}
  - {name: default, key: "${CLIENT:-hg-default-0123456789}"}
""")
    environ = {"TOKEN": "t-0123456789", "PROVIDERS_A_B_API_KEY": "x"}
    loaded = load(path, environ)
    found = export(loaded, environ)
    document = found.document
    for secret in ("two", "s2", "default-", "fallback"):
        assert secret not in found.json()
    assert [document["providers"][name]["api_key"] for name in ("a-b", "a_b", "a.b")] == [
        "${PROVIDERS_A_B_API_KEY}",
        "${PROVIDERS_A_B_API_KEY_2}",
        "${OWN}",
    ]
    assert document["providers"]["a_b"]["headers"] == {"authorization": "Bearer ${TOKEN}", "x-auth": "${AUTH}"}
    assert document["keys"][0]["key_hash"] == f"sha256:{loaded.config.keys[0].digest}"
    assert document["keys"][1]["key"] == "${CLIENT}"
    assert found.named == ["PROVIDERS_A_B_API_KEY", "PROVIDERS_A_B_API_KEY_2"]
    assert found.variables == [*found.named, "TOKEN", "AUTH", "OWN", "CLIENT"]


def test_another_instance_reads_the_same(loaded, tmp_path):
    found = export(loaded, SECRETS)
    assert yaml.safe_load(found.json()) == found.document
    there = tmp_path / "there"
    there.mkdir()
    (there / "client.key").write_text("hg-filed-0123456789abcdef\n")
    values = {
        "PROVIDERS_OPENAI_HEADERS_X_API_TOKEN": "t0",
        "PROVIDERS_CLAUDE_API_KEY": LITERAL,
        "PROVIDERS_BEDROCK_SECRET_ACCESS_KEY": SHORT,
        "MODELS_SMART_TARGETS_0_WITH_API_KEY": LITERAL + "2",
        "GUARDS_HOUSE_WITH_URL": "https://guard.example/look",
        "GUARDS_HOUSE_WITH_SIGNING_SECRET": LITERAL + "3",
        "GUARDS_HOUSE_WITH_TOKEN": "t1",
    }
    for text in (found.yaml(), found.json()):
        (there / "headgate.yaml").write_text(text)
        again = load(there / "headgate.yaml", {**SECRETS, **values})
        assert again.config.server == loaded.config.server
        assert again.config.models == loaded.config.models
        assert {name: entry.settings for name, entry in again.config.providers.items()} == {
            name: entry.settings for name, entry in loaded.config.providers.items()
        }
        assert [(key.name, key.digest, key.models) for key in again.config.keys] == [
            (key.name, key.digest, key.models) for key in loaded.config.keys
        ]
        assert again.config.guards["house"].read == loaded.config.guards["house"].read
        assert export(again, SECRETS).document == found.document


def test_what_was_found_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"OPENAI_API_KEY": "sk-0123456789abcdef", "OLLAMA_HOST": "ftp://nowhere"}
    found = export(load(None, environ), environ)
    assert (list(found.document["providers"]), found.variables) == (["openai"], ["OPENAI_API_KEY"])
    (tmp_path / "headgate.yaml").write_text(found.yaml())
    assert list(load(None, environ).config.providers) == ["openai"]
    assert json.loads(found.json()) == found.document
