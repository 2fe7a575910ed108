"""The audit: each finding comes where it should, and not where what it is about has been mended."""

import asyncio
import json
from datetime import UTC, date, datetime
from importlib import metadata
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from headgate.cli import cli
from headgate.config.audit import exposure, software
from headgate.config.audit.finding import Places
from headgate.config.audit.security import audit
from headgate.config.load import load
from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.config.stored import url
from headgate.store.database import connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Change, Objects

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HASH = "sha256:" + hash_key("a-client-key-of-good-length")
SECRET = "plain-canary-4Xq9Zw2Lm8Tr5"
SAFE = f"""
providers: {{simulator: }}
keys:
  - {{name: app, key_hash: "{HASH}", models: [simulator/s], expires: 2027-06-30,
      limits: [{{requests: 9, every: day}}]}}
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVIDER_KEY", SECRET)

    def audited(text, mode=0o600):
        file = tmp_path / "headgate.yaml"
        file.write_text(text)
        file.chmod(mode)
        loaded = load(file, {"PROVIDER_KEY": SECRET, "CLIENT_KEY": SECRET + "-client"})
        findings = audit(loaded, NOW)
        assert SECRET not in str(findings)
        return [(each.severity, each.object or each.place.rpartition("/")[2], each.message) for each in findings]

    return audited


def test_of_what_is_safe_nothing_is_found(found):
    assert found(SAFE) == []


PUBLIC = "server: {host: 0.0.0.0, metrics: %s%s}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PUBLIC % ("key", ""), {("high", "server.host"), ("medium", "server.admin"), ("low", "server.addresses")}),
        (
            PUBLIC % ("open", ", admin: {}, trusted_proxies: [10.0.0.1], addresses: {allow: [10.0.0.0/8]}"),
            {("low", "server.host"), ("medium", "server.metrics")},
        ),
        ("server: {admin: {host: 192.0.2.1}}\n", {("high", "server.admin")}),
        ("server: {admin: {host: 127.0.0.1}}\n", set()),
        ("fetch: {enabled: true}\n", {("low", "fetch.hosts")}),
        ("fetch: {enabled: true, hosts: [a.example]}\n", set()),
        ("fetch: {enabled: false}\n", set()),
        ("state: {url: 'redis://10.0.0.1:6379'}\n", {("high", "state.url")}),
        ("secrets: {vault: {address: 'http://10.0.0.1:8200'}}\n", {("high", "secrets.vault.address")}),
        ("state: {url: 'redis://127.0.0.1:6379'}\n", set()),
        ("state: {url: 'rediss://10.0.0.1:6379'}\n", set()),
    ],
)
def test_what_others_reach_and_what_travels_in_clear(found, text, expected):
    assert {(severity, about) for severity, about, _ in found(text + SAFE)} == expected


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://192.0.2.1/v1", {("high", "providers.x")}),
        ("https://192.0.2.1/v1", set()),
        ("http://127.0.0.1:9/v1", set()),
    ],
)
def test_providers_over_http(found, base, expected):
    entry = f"providers: {{simulator: , x: {{kind: openai_compatible, base_url: '{base}', api_key: env:PROVIDER_KEY}}}}"
    assert {each[:2] for each in found(SAFE.replace("providers: {simulator: }", entry))} == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("models: [simulator/s], limits: [{requests: 9, every: day}]", {"medium never expires"}),
        ("expires: 2027-06-30, limits: [{requests: 9, every: day}]", {"low may ask every model"}),
        ("models: ['*'], expires: 2027-06-30, limits: [{requests: 9, every: day}]", {"low may ask every model"}),
        ("models: [simulator/s], expires: 2027-06-30", {"medium has no limit"}),
        (
            "models: [simulator/s], expires: 2027-06-30, limits: [{requests: 9, every: day, then: warn}]",
            {"medium has no limit"},
        ),
        ("models: [simulator/s], expires: 2027-06-30, team: bounded", set()),
        ("expires: 2027-06-30, team: bounded", set()),
        ("models: [simulator/s], expires: 2027-01-09, team: bounded", {"low expires on 2027-01-09"}),
        ("expires: 2026-12-31", set()),
        ("enabled: false", set()),
        ("team: off", set()),
        ("user: boss, operations: [admin]", {"high never expires, and opens the admin API as owner"}),
        ("user: boss, operations: [admin], expires: 2027-06-30", set()),
    ],
)
def test_keys(found, more, expected):
    text = f"""
providers: {{simulator: }}
teams:
  bounded: {{models: [simulator/s], limits: [{{requests: 9, every: day}}]}}
  off: {{enabled: false}}
users: {{boss: {{role: owner}}}}
keys: [{{name: app, key_hash: "{HASH}", {more}}}]
"""
    said = {f"{severity} {message}" for severity, about, message in found(text) if about == "keys.app"}
    assert len(said) == len(expected)
    assert all(any(each.startswith(start) for each in said) for start in expected), said


@pytest.mark.parametrize(
    ("match", "bounded"),
    [("{}", True), ("{key: app}", True), ("{key: other}", False), ("{model: simulator/s}", False)],
)
def test_a_limit_counts_that_holds_for_all_a_key_asks(found, match, bounded):
    text = SAFE.replace("limits: [{requests: 9, every: day}]", "tags: []")
    text += f'  - {{name: other, key_hash: "sha256:{"a" * 64}", enabled: false}}\n'
    text += f"limits: [{{name: all, for: {match}, requests: 9, every: day}}]\n"
    assert ([each[:2] for each in found(text)] == []) == bounded


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("postgresql://u:p@10.0.0.1/h", ["store.url"]),
        ("postgresql://u:p@10.0.0.1/h?sslmode=prefer", ["store.url"]),
        ("postgresql://u:p@10.0.0.1/h?sslmode=verify-full", []),
        ("postgresql://u:p@localhost/h", []),
        ("postgresql:///h?host=/run/postgresql", []),
        ("sqlite:///x.db", []),
    ],
)
def test_a_store_elsewhere(tmp_path, store, expected):
    config = Config.model_validate({"data_dir": tmp_path / "none", "store": {"url": store}})
    loaded = SimpleNamespace(config=config, path=None, secrets=frozenset())
    assert [each.object for each in exposure.findings(loaded, Places(loaded))] == expected


def test_secrets_that_stand_in_the_file(found):
    text = f"""
providers:
  simulator:
  plain: {{kind: openai, api_key: {SECRET}}}
  referred: {{kind: openai, api_key: env:PROVIDER_KEY}}
  put-in: {{kind: openai, api_key: "${{PROVIDER_KEY}}"}}
state: {{url: "redis://user:{SECRET}@127.0.0.1:6379"}}
"""
    plain = [about for severity, about, message in found(text) if "stands in the file" in message]
    assert plain == ["providers.plain.api_key", "state.url"]
    assert ("high", "headgate.yaml") in {each[:2] for each in found(text, 0o644)}


def test_files_that_others_read_or_write(found, tmp_path):
    assert [each[:2] for each in found(SAFE, 0o644)] == [("low", "headgate.yaml")]
    assert [each[:2] for each in found(SAFE, 0o602)] == [("high", "headgate.yaml")]
    data = tmp_path / ".headgate"
    data.mkdir(mode=0o755)
    (data / "admin_key").write_text("x")
    (data / "admin_key").chmod(0o604)
    data.chmod(0o755)
    assert [each[:2] for each in found(SAFE)] == [("high", "admin_key"), ("medium", ".headgate")]
    data.chmod(0o750)  # who cannot enter reads nothing below
    assert found(SAFE) == []


@pytest.mark.parametrize(
    ("python", "today", "bad"),
    [((3, 11), date(2027, 10, 31), False), ((3, 11), date(2027, 11, 1), True), ((3, 99), date(2099, 1, 1), False)],
)
def test_a_python_without_security_fixes(python, today, bad):
    assert any("security fixes" in each.message for each in software.findings(today, python)) == bad


def test_packages_that_are_too_old(monkeypatch):
    required = ["click>=8.2", "uvloop>=0.22; sys_platform != 'win32'", "starlette>=1.0; extra == 'admin'", "absent>=9"]
    versions = {"click": "8.10.1", "uvloop": "0.21.0", "starlette": "1"}
    monkeypatch.setattr(metadata, "requires", lambda name: required)

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    assert [each.object for each in software.findings(date(2027, 1, 1), (3, 14))] == ["uvloop"]


def test_what_is_in_the_store_is_looked_at_too(found, tmp_path):
    found(SAFE)
    data = tmp_path / ".headgate"
    data.mkdir(mode=0o700)

    async def put():
        database = connect(url(data, None))
        await migrate(database)
        body = {
            "key_hash": "sha256:" + "a" * 64,
            "models": ["simulator/s"],
            "limits": [{"requests": 1, "every": "day"}],
        }
        await Objects(database).apply([Change("create", "keys", "stored", body)], Actor("test"))
        await database.close()

    asyncio.run(put())
    [finding] = audit(load(tmp_path / "headgate.yaml", {}), NOW)
    assert (finding.severity, finding.place, finding.object) == ("medium", "store", "keys.stored")


def test_who_rules_by_a_password_alone_is_named(found):
    hashed = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
    users = f"users: {{boss: {{role: owner, password_hash: '{hashed}'}}, reads: {{role: auditor}}}}\n"
    assert found(SAFE + users) == [("high", "users.boss", "may log in as owner without a second factor")]


def test_groups_that_rule_by_a_password_alone_are_named(found):
    ldap = "login: {ldap: {url: 'ldaps://d', roles: {'cn=ops': admin, 'cn=money': billing}}}\n"
    [(severity, place, message)] = found(SAFE + ldap)
    assert (severity, place) == ("medium", "login.ldap.roles.cn=ops")
    assert "may log in as admin with a password alone" in message


@pytest.mark.parametrize("words", [["audit", "security"], ["security", "audit"]])
def test_the_command_says_where_and_its_exit_code_how_bad(tmp_path, words):
    file = tmp_path / "headgate.yaml"
    file.write_text(SAFE.replace(", expires: 2027-06-30", ""))
    file.chmod(0o600)
    said = CliRunner().invoke(cli, [*words, "-c", str(file)], standalone_mode=False)
    assert f"medium {file}:4: keys.app: never expires; set `expires`" in said.stdout
    codes = {}
    for bad in ("high", "medium", "low"):
        done = CliRunner().invoke(cli, [*words, "-c", str(file), "--json", "--fail-on", bad], standalone_mode=False)
        codes[bad] = done.return_value
        [finding] = json.loads(done.stdout)
        assert finding["severity"] == "medium"
    assert codes == {"high": 0, "medium": 1, "low": 1}
