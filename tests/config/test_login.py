"""How people log in, as it is configured: what makes no sense is told, and nothing of a password."""

import pytest

from headgate.config.load import load
from headgate.config.login import Directory, alone

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"
BASE = "providers: {simulator: }\n"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("users: {ann: {password_hash: hunter2hunter2}}", "users.ann.password_hash", "headgate user password"),
        (f"users: {{ann: {{password_hash: '{HASH}x '}}}}", "users.ann.password_hash", "letter outside ASCII"),
        ("users: {ann: {totp: 1BAD8SECRET}}", "users.ann.totp", "no base32; write what the app was given"),
        ("login: {session: 0}", "login.session", "greater than 0"),
        ("login: {hashing: {memory: 8}}", "login.hashing.memory", "7168"),
        ("login: {oidc: {issuer: x, client_id: g, redirect_url: 'https://g/admin/api/login/oidc/callback'}}",
            "login.oidc.issuer", "not a URL"),
        ("login: {oidc: {issuer: 'https://i', client_id: g, redirect_url: 'https://g/callback'}}",
            "login.oidc.redirect_url", "end it with /admin/api/login/oidc/callback"),
        ("login: {oidc: {issuer: 'https://i', client_id: g, redirect_url: 'https://g/admin/api/login/oidc/callback', "
            "claims: {role: {claim: groups, table: {ops: boss}}}}}", "login.oidc.claims.role", "there is no role"),
        ("login: {oidc: {issuer: 'https://i', client_id: g, redirect_url: 'https://g/admin/api/login/oidc/callback', "
            "algorithms: [none]}}", "login.oidc.algorithms[0]", "none of the algorithms of public keys"),
        ("login: {ldap: {url: 'http://d'}}", "login.ldap", "no address of a directory"),
        ("login: {ldap: {url: []}}", "login.ldap.url", "must not be empty"),
        ("login: {ldap: {url: 'ldaps://d', filter: '(uid=x)'}}", "login.ldap", "finds somebody by {user}"),
        ("login: {ldap: {url: 'ldaps://d', roles: {ops: boss}}}", "login.ldap.roles.ops", "owner"),
        ("login: {ldap: {url: 'ldaps://d', roles: {ops: admin}}}", "login.ldap.roles.ops", "set `groups_base`"),
        ("login: {ldap: {url: 'ldaps://d', roles: {'cn=ops,=': admin}}}", "login.ldap.roles.cn=ops,=", "no part of"),
        ("login: {ldap: {url: 'ldaps://d', teams: {'cn=e': eng}}}", "login.ldap.teams.cn=e", "there is no team `eng`"),
        ("login: {ldap: {url: 'ldaps://d', ca_file: missing.pem}}", "login.ldap.ca_file", "cannot be read"),
        ("login: {passwords: true}", "login.passwords", "did you mean `password`"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told(told, text, path, words):
    [(place, said)] = told(BASE + text)
    assert place == path
    assert words in said
    assert "hunter2hunter2" not in said


def test_who_rules_by_a_password_alone(tmp_path):
    file = tmp_path / "headgate.yaml"
    file.write_text(
        BASE
        + f"""
users:
  boss: {{role: owner, password_hash: '{HASH}'}}
  safe: {{role: admin, password_hash: '{HASH}', totp: JBSWY3DPEHPK3PXP}}
  off: {{role: admin, password_hash: '{HASH}', enabled: false}}
  none: {{role: owner}}
  reads: {{role: auditor, password_hash: '{HASH}'}}
"""
    )
    loaded = load(file, {})
    config = loaded.config
    assert [name for name, user in config.users.items() if alone(config.login, user)] == ["boss"]
    assert not alone(config.login.model_copy(update={"password": False}), config.users["boss"])
    by_directory = config.login.model_copy(update={"ldap": Directory(url="ldaps://directory")})
    assert [name for name, user in config.users.items() if alone(by_directory, user)] == ["boss", "none"]
    assert HASH not in repr(config)
    assert {HASH, "JBSWY3DPEHPK3PXP"} <= loaded.secrets
