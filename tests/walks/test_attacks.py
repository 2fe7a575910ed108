"""Attacks on a running gateway of two workers: injected SQL, spawned processes, other tenants' objects, stolen hashes,
keys withdrawn, canary secrets in the admin API (rows S1, S2, S8, S10, S11, S16, V3, V5 of the reliability list)."""

import concurrent.futures
import hashlib
import json
import sqlite3
import time
import urllib.parse

import pytest

from gateways import ADMIN_KEY, KEY, rounds, running
from waiting import wait_for

HOOK = '''
"""Writes down each process that the gateway starts."""

import os
import sys

STARTS = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn")


def heard(event, _):
    if event.startswith(STARTS):
        with open(os.environ["HEARD"], "a") as file:
            file.write(event + "\\n")


if not hasattr(sys, "heard"):  # a hook stays for good, and a reload loads this file again
    sys.heard = heard
    sys.addaudithook(heard)


class Watch:
    async def __call__(self, exchange, proceed):
        if "prove that the hook hears" in str(exchange.fields.get("messages")):
            sys.audit("os.system", b"true")
        return await proceed(exchange)
'''


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


TENANTS = ("acme", "globex")
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, workers: 2}}
data_dir: {{DATA}}
state: {{}}
log: {{level: debug}}
stages: [{{use: "hook:Watch"}}]
providers: {{simulator: }}
models: {{small: simulator/s}}
organisations: {{acme: , globex: }}
teams: {{acme-team: {{organisation: acme}}, globex-team: {{organisation: globex}}}}
users:
  acme-lead: {{role: team_admin, teams: [acme-team]}}
  globex-lead: {{role: team_admin, teams: [globex-team]}}
keys:
  - {{name: test, key: {KEY}}}
""" + "".join(
    f"  - {{name: {each}-lead, key: {key(each)}, user: {each}-lead, operations: [admin]}}\n"
    f"  - {{name: {each}-app, key: {key(each + '-app')}, team: {each}-team}}\n"
    for each in TENANTS
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "hook.py").write_text(HOOK)
    heard = folder / "heard.txt"
    with running(folder, CONFIG, environ={"HEARD": str(heard), "PYTHONPATH": str(folder)}) as made:
        made.heard = heard
        made.before = heard.read_text() if heard.exists() else ""  # its own workers
        yield made
        assert "Traceback" not in made.output()


def call(gateway, method, path, body=None, secret=ADMIN_KEY, headers=None):
    sent = {"authorization": f"Bearer {secret}", "content-type": "application/json", **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    status, _, answer = gateway.request(method, f"/admin/api{path}", data, sent)
    return status, json.loads(answer) if isinstance(answer, bytes) and answer else answer


def chat(gateway, secret, text="x"):
    return gateway.post({"model": "small", "messages": [{"role": "user", "content": text}]}, key=secret)


INJECTED = [
    "' OR '1'='1", '" OR ""="', "'; DROP TABLE objects; --", "x' UNION SELECT body FROM objects --",
    "') OR ('a'='a", "\\'; --", "$1", "?", "%s", "x' AND randomblob(999999999) --", "%",
]  # fmt: skip


@pytest.mark.parametrize("text", INJECTED)
def test_sql_is_text_like_any_other(gateway, text):
    """S1: a canary stays unread and in place, whatever is put where a key, a name or a filter stands."""
    call(gateway, "POST", "/teams", {"name": "canary", "description": "unread-canary"})
    for header in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
        value = f"Bearer {text}" if header == "authorization" else text
        for path in ("/v1/models", "/admin/api/teams/canary"):
            status, _, answer = gateway.request("GET", path, None, {header: value})
            assert status in (401, 429), (header, path, status)
            assert b"unread-canary" not in json.dumps(str(answer)).encode()
    quoted = urllib.parse.quote(text, safe="")
    for path in (
        f"/teams/{quoted}", f"/teams?after={quoted}%00", f"/teams?description={quoted}", f"/teams?limit={quoted}",
        f"/teams?{quoted}=1", f"/audit?name={quoted}", f"/audit?kind={quoted}", f"/audit?before={quoted}",
    ):  # fmt: skip
        status, answer = call(gateway, "GET", path)
        assert status in (200, 400, 404, 422), (path, status)
        if status == 200 and "after" not in path:
            assert answer["items"] == [], path
    assert call(gateway, "DELETE", f"/teams/{quoted}")[0] in (404, 422)
    assert call(gateway, "GET", "/teams/canary")[1]["body"]["description"] == "unread-canary"


def test_a_name_of_sql_is_a_name(gateway):
    for text in (f"{each} name" for each in INJECTED[:6]):
        path = f"/teams/{urllib.parse.quote(text, safe='')}"
        assert call(gateway, "POST", "/teams", {"name": text, "description": text})[0] == 201
        assert call(gateway, "GET", path)[1]["body"]["description"] == text
        assert call(gateway, "DELETE", path)[0] == 204


IDS = [("GET", ""), ("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/revoke")]


@pytest.mark.parametrize("tenant", TENANTS)
@pytest.mark.parametrize("kind", ["teams", "applications", "keys", "users"])
def test_another_tenants_objects_are_as_if_not_there(gateway, tenant, kind):
    """S8: nobody learns by an id whether another's object exists, let alone what it is."""
    other = next(each for each in TENANTS if each != tenant)
    body = {"users": {"teams": [f"{other}-team"]}, "teams": {"organisation": other}}.get(
        kind, {"team": f"{other}-team"}
    )
    assert call(gateway, "POST", f"/{kind}", {"name": f"of-{other}", **body})[0] == 201
    for method, behind in IDS if kind == "keys" else IDS[:4]:
        sent = None if method in ("GET", "DELETE") else {}
        there = call(gateway, method, f"/{kind}/of-{other}{behind}", sent, key(tenant))
        absent = call(gateway, method, f"/{kind}/of-nobody{behind}", sent, key(tenant))
        assert there[0] == absent[0] == 404, (method, kind, behind)
        assert json.dumps(there[1]).replace(f"of-{other}", "") == json.dumps(absent[1]).replace("of-nobody", "")
    listed = call(gateway, "GET", f"/{kind}?limit=1000", None, key(tenant))[1]["items"]
    assert other not in json.dumps(listed)
    assert call(gateway, "GET", f"/{kind}/of-{other}")[0] == 200


def test_a_stored_hash_is_nowhere_told_and_opens_nothing(gateway):
    """S10: whoever reads the store can log in with nothing that stands there."""
    secret = call(gateway, "POST", "/keys", {"name": "hashed", "models": ["small"]})[1]["key"]
    stored = hashlib.sha256(secret.encode()).hexdigest()
    database = gateway.data / "headgate.db"
    with sqlite3.connect(database) as connection:
        [(body,)] = connection.execute("SELECT body FROM objects WHERE kind = 'keys' AND name = 'hashed'").fetchall()
    assert stored in body
    for presented in (stored, f"sha256:{stored}", stored.upper(), bytes.fromhex(stored).hex()):
        assert chat(gateway, presented)[0] == 401
        assert call(gateway, "GET", "/me", None, presented)[0] in (401, 429)
    for path in ("/keys/hashed", "/keys?limit=1000", "/audit", "/levels", "/openapi.json"):
        assert stored not in json.dumps(call(gateway, "GET", path)[1]), path
    assert stored not in gateway.output()


WITHDRAWN = {
    "revoked": ("POST", "/keys/{name}/revoke", {}),
    "deleted": ("DELETE", "/keys/{name}", None),
    "user-off": ("PATCH", "/users/{name}", {"enabled": False}),
    "team-off": ("PATCH", "/teams/{name}", {"enabled": False}),
    "role-lost": ("PATCH", "/users/{name}", {"role": "member"}),
}


def used(gateway, how, secret):
    if how == "role-lost":  # what an auditor sees and a member does not
        return call(gateway, "GET", "/audit", None, secret)[0]
    return chat(gateway, secret)[0]


def test_what_is_withdrawn_is_refused_within_a_second_by_every_worker(gateway):
    """S11."""
    made = {}
    for how in WITHDRAWN:
        assert call(gateway, "POST", "/teams", {"name": how})[0] == 201
        assert call(gateway, "POST", "/users", {"name": how, "teams": [how], "role": "auditor"})[0] == 201
        may = {"operations": ["admin"]} if how == "role-lost" else {"models": ["small"], "operations": ["chat"]}
        owner = {"team": how} if how == "team-off" else {"user": how}
        made[how] = call(gateway, "POST", "/keys", {"name": how, **may, **owner})[1]["key"]
    for how, secret in made.items():
        wait_for(lambda how=how, secret=secret: {used(gateway, how, secret) for _ in range(8)} == {200})
    for how, (method, path, body) in WITHDRAWN.items():
        assert call(gateway, method, path.format(name=how), body)[0] in (200, 204)
    time.sleep(1.0)
    after = {how: {used(gateway, how, secret) for _ in range(12)} for how, secret in made.items()}
    assert all(statuses <= {401, 403} for statuses in after.values()), after


def test_no_secret_given_to_the_admin_api_is_found_anywhere(gateway):
    """S16, V3: 40 secrets, in what succeeds and in what is refused, at log level debug."""
    canaries, answers = [f"Canary{number:02}Qx7Zt9Lw3Kp5" for number in range(40)], []
    for number, canary in enumerate(canaries):
        name, headers = f"p{number}", {"x-token": canary}
        good = {"kind": "simulator", "api_key": canary}
        ways = [
            ("POST", "/providers", {"name": name, **good}),
            ("POST", "/providers", {"name": name, "kind": "simulator", "headers": headers}),
            ("POST", "/providers", {"name": name, **good, "nothing_like_it": 1}),
            ("POST", "/providers", {"name": name, "kind": "no-such-kind", "api_key": canary}),
            ("POST", "/apply", {"document": {"providers": {name: {**good, "wrong": True}}}}),
        ]
        method, path, body = ways[number % len(ways)]
        answers.append(call(gateway, method, path, body))
        answers.append(call(gateway, "GET", f"/providers/{name}"))
        answers.append(chat(gateway, canary)[2])
    answers.append(call(gateway, "GET", "/providers?limit=1000"))
    answers.append(call(gateway, "GET", "/audit"))
    answers.append(gateway.metrics())
    files = [path.read_bytes() for path in gateway.data.rglob("*") if path.is_file()]
    everything = b"".join([*files, gateway.output().encode(), json.dumps(answers).encode()])
    assert [canary for canary in canaries if canary.encode() in everything] == []


def test_nobody_gets_another_tenants_answer(gateway):
    """V5: two tenants at once over two workers."""

    def asked(number):
        tenant = TENANTS[number % 2]
        nonce = f"{tenant}{number:06}"
        answer = chat(gateway, key(f"{tenant}-app"), f'[sim text="{nonce}"]')
        return answer[0], answer[2]["choices"][0]["message"]["content"] == nonce

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(asked, range(rounds(500, 1_000_000)))) == {(200, True)}


def test_nothing_starts_a_process(gateway):
    """S2: the last test of the file, so that the hook has watched all others."""
    assert chat(gateway, KEY, "$(touch x); `id` | sh")[0] == 200
    now = gateway.heard.read_text() if gateway.heard.exists() else ""
    assert now == gateway.before
    assert chat(gateway, KEY, "prove that the hook hears")[0] == 200
    assert gateway.heard.read_text() == f"{gateway.before}os.system\n"
