"""No secret of what keeps, sends and tells gets anywhere (S16): forty planted, through success and failure at debug."""

import base64
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import time
import urllib.parse
from pathlib import Path

import pytest

import forks
from catchers import HTTPCatcher, SyslogCatcher
from gateways import ADMIN_KEY, free_port, running
from headgate.admin.endpoints import ENDPOINTS
from traffic import answering
from upstreams import ScriptedUpstream, json_reply


class Canaries(dict):
    """Secrets by their names, made as they are asked for. None looks like a key: only who knows it can hide it."""

    def __missing__(self, name):
        self[name] = made = f"Cn{hashlib.sha256(name.encode()).hexdigest()[:22]}Yz"
        return made

    def found_in(self, data, *, but=()):
        """The names of those that are in it, in any of the ways a secret is usually written."""
        lower = data.lower()
        return sorted(
            name for name, secret in self.items() if name not in but and any(f in lower for f in forms(secret))
        )


def forms(secret):
    plain = secret.encode()
    inside = (base64.b64encode(bytes(by) + plain)[(by * 8 + 5) // 6 : -4] for by in range(3))  # wherever it begins
    quoted = urllib.parse.quote(secret, safe="").encode()
    return {each.lower() for each in (plain, *inside, quoted, plain.hex().encode(), plain[::-1])}


PLANTED = Canaries()
CLIENT, ADMIN = PLANTED["client's key"], {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}
PLANTED["admin key"] = ADMIN_KEY
PLANTED["e-mail"] = "canary.person.7261@example.com"
PLANTED["card"] = "4012888888881881"
SAID = ("e-mail", "card")
"""Of prompts: they go to the provider and come back in its answer."""
PLANTED["sealing key"] = base64.b64encode(hashlib.sha256(b"sealing").digest()).decode()
SIGNING = base64.b64encode(PLANTED["signing bytes"].encode()).decode()


def telling(asked_for):
    """An answer of a receiver that tells whatever it was told: its own secrets among it."""
    return json.dumps({"path": asked_for.path, "headers": {**asked_for.headers}}).encode()


def config(upstream, good, bad, syslog, collector):
    dead, secret = free_port(), PLANTED
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
log: {{level: debug}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
state: {{url: 'redis://:{secret["state"]}@127.0.0.1:{dead}'}}
providers:
  openai: {{api_key: {secret["provider"]}, base_url: '{upstream.url}/v1', headers: {{x-more-key: {secret["header"]}}}}}
  bad: {{kind: openai, api_key: {secret["bad provider"]}, base_url: '{upstream.url}/bad/v1'}}
  dead: {{kind: openai, api_key: {secret["dead provider"]}, base_url: 'http://127.0.0.1:{dead}/v1'}}
models: {{chat: openai/gpt-4o-mini, bad: bad/m, dead: dead/m}}
keys: [{{name: test, key: {CLIENT}}}, {{name: other, key: {secret["other client's key"]}, models: []}}]
payloads: {{keep: redacted}}
login:
  ldap: {{url: 'ldaps://127.0.0.1:{dead}', base: 'dc=x', account: 'cn=x', password: {secret["ldap"]}, wait: 1}}
  oidc: {{issuer: 'https://127.0.0.1:{dead}', client_id: x, client_secret: {secret["oidc"]},
          redirect_url: 'https://x.test/admin/api/login/oidc/callback'}}
authentication:
  introspection:
    - {{name: asked, url: 'http://127.0.0.1:{dead}/', client_id: x, client_secret: {secret["introspection"]}, wait: 1}}
audit: {{checkpoint_seconds: 1, checkpoint_url: '{good.url}/{secret["checkpoint url"]}'}}
traces:
  endpoint: '{collector.url}'
  headers: {{authorization: 'Bearer {secret["collector"]}'}}
  ratio: 1
records:
  store: true
  sinks:
    - {{kind: file, path: out.jsonl, batch_seconds: 0.1}}
    - {{kind: syslog, address: '{syslog.address}', batch_seconds: 0.1}}
    - {{kind: http, name: good, url: '{good.url}/?key={secret["good sink url"]}', secret: 'whsec_{SIGNING}',
        headers: {{authorization: 'Bearer {secret["good sink"]}'}}, batch_seconds: 0.1}}
    - {{kind: http, name: bad, url: '{bad.url}/?key={secret["bad sink url"]}', secret: {secret["bad sink secret"]},
        headers: {{authorization: 'Bearer {secret["bad sink"]}', x-key: 'env:SINK_KEY'}}, batch_seconds: 0.1}}
    - {{kind: http, name: dead, url: 'http://127.0.0.1:{dead}/?key={secret["dead sink url"]}',
        headers: {{x-key: 'file:key.txt'}}, batch_seconds: 0.1}}
    - {{kind: otlp, url: '{bad.url}/v1/logs?key={secret["otlp url"]}', headers: {{x-key: {secret["otlp"]}}},
        batch_seconds: 0.1}}
    - {{kind: clickhouse, url: '{bad.url}', user: u, password: {secret["clickhouse"]}, batch_seconds: 0.1}}
alerting: {{every: 0.1, group_wait: 0.1}}
channels:
  pd: {{kind: pagerduty, routing_key: {secret["pagerduty"]}, url: '{bad.url}/pd'}}
  slack: {{url: '{bad.url}/{secret["slack"]}'}}
  teams: {{url: 'http://127.0.0.1:{dead}/{secret["teams"]}'}}
  hook: {{kind: webhook, url: '{good.url}/{secret["hook url"]}', signing_secret: {secret["hook signing"]},
          token: {secret["hook token"]}}}
  mail: {{kind: email, host: 127.0.0.1, port: {dead}, tls: starttls, from: a@x.test, to: [b@x.test],
          username: u, password: {secret["smtp"]}}}
alert_rules:
  errors: {{measure: provider_error_rate, by: provider, above: 0.1, window: 60, min_requests: 1}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A gateway in the midst of servers that take what they are sent, and of those that do not."""
    good_answer = answering()

    async def provider(asked):
        if asked.request.path.startswith("/bad"):
            await asked.send(json_reply({"error": {"message": str(asked.request.headers)}}, status=401))
        else:
            await good_answer(asked)

    def refuse(caught):
        return (400 if len(refusing.caught) % 2 else 503), telling(caught)

    folder = tmp_path_factory.mktemp("canaries")
    (folder / "key.txt").write_text(PLANTED["secret of a file"] + "\n")
    environ = {"SINK_KEY": PLANTED["secret of a variable"], "HEADGATE_SECRET_KEY": PLANTED["sealing key"]}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(ScriptedUpstream(provider))
        taking, collector = (stack.enter_context(HTTPCatcher()) for _ in range(2))
        refusing = HTTPCatcher(refuse)
        stack.enter_context(refusing)
        syslog = stack.enter_context(SyslogCatcher("tcp"))
        told = config(upstream, taking, refusing, syslog, collector)
        gateway = stack.enter_context(running(folder, told, environ=environ))
        gateway.taking, gateway.collector, gateway.syslog = taking, collector, syslog
        gateway.answers = dict(work(gateway))
        yield gateway


def admin(gateway, method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    status, headers, answer = gateway.request(method, f"/admin/api{path}", data, ADMIN)
    shown = answer if isinstance(answer, bytes) else json.dumps(answer, ensure_ascii=False).encode()
    return status, json.dumps(headers).encode() + shown


def work(gateway):
    """Everything that has to do with a secret, once; the answers that people get of it by what was done."""
    made = {
        "/providers": {"kind": "openai", "name": "stored", "api_key": PLANTED["stored provider"],
                       "base_url": "https://example.com/v1", "headers": {"x-key": PLANTED["stored header"]}},
        "/channels": {"kind": "slack", "name": "kept", "url": f"https://hooks.slack.com/{PLANTED['stored channel']}"},
        "/users": {"name": "ann", "role": "auditor"},
    }  # fmt: skip
    for path, body in made.items():
        yield f"POST {path}", admin(gateway, "POST", path, body)
    status, answer = admin(gateway, "POST", "/keys", {"name": "minted", "models": ["chat"]})
    PLANTED["minted key"] = re.search(r'"key": "([^"]+)"', answer.decode())[1]
    yield "POST /keys/again", admin(gateway, "POST", "/keys", {"name": "minted"})
    yield "password", admin(gateway, "POST", "/users/ann/password", {"password": PLANTED["password"]})
    yield "log in", admin(gateway, "POST", "/login", {"user": "ann", "password": PLANTED["password"] + "x"})
    yield "log in elsewhere", admin(gateway, "GET", "/login/oidc")
    text = f"I am {PLANTED['e-mail']} and pay with {PLANTED['card']}"
    keys = {name: PLANTED[name] for name in ("client's key", "other client's key", "minted key")}
    for model in ("chat", "bad", "dead"):
        for name, key in {**keys, "unknown": PLANTED["unknown key"]}.items():
            for stream in (False, True):
                body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
                status, headers, answer = gateway.post(body, key=key)
                said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                yield f"{model} {name} {stream}", (status, json.dumps(headers).encode() + said)
    for channel in ("pd", "slack", "teams", "hook", "mail"):
        yield f"test {channel}", admin(gateway, "POST", f"/channels/{channel}/test")
    for kind in ("export", "delete"):
        yield f"data {kind}", admin(gateway, "POST", f"/data/{kind}", {"end_user": "nobody"})
    for name in ("bad", "dead", "otlp", "clickhouse"):
        gateway.wait_for_metric(1, "headgate_sink_away", sink=name)
    gateway.wait_for_metric(0, "headgate_records_behind_bytes")
    for name in ("file", "syslog", "good"):
        gateway.wait_for_metric(0, "headgate_sink_behind_bytes", sink=name)


def leaks(named, *, but=()):
    return {name: found for name, data in named.items() if (found := PLANTED.found_in(data, but=but))}


def test_enough_is_planted_and_would_be_found(world):
    assert len(PLANTED) >= 40
    for name, secret in PLANTED.items():
        for written in (
            secret,
            f"a: {secret}",
            base64.b64encode(f"ab:{secret}".encode()).decode(),
            secret.encode().hex(),
        ):
            assert name in PLANTED.found_in(b"x" + written.encode() + b"x")


def test_answers_tell_none(world):
    statuses = {name: status for name, (status, _) in world.answers.items()}
    assert {200, 201, 401, 403, 502} <= set(statuses.values()), statuses
    assert not leaks({name: said for name, (_, said) in world.answers.items()}, but=SAID)


def test_whatever_the_admin_api_shows_has_none(world):
    shown = {}
    id = world.records()[0]["id"]
    for each in ENDPOINTS:
        if each.method != "GET" or each.path.startswith("/login"):
            continue
        for kind in each.kinds if "{kind}" in each.path else [""]:
            path = each.path.replace("{kind}", kind).replace("{id}", id)
            names = (
                re.findall(r'"name": "([^"/]+)", "origin"', shown[f"/{kind}"][1].decode()) if "{name}" in path else [""]
            )
            for name in names:
                shown[path.replace("{name}", name)] = admin(world, "GET", path.replace("{name}", name))
    assert sum(status == 200 for status, _ in shown.values()) > 30, {path: each[0] for path, each in shown.items()}
    assert not leaks({path: said for path, (_, said) in shown.items()})
    assert any(b"[EMAIL]" in said for _, said in shown.values()), "what was said was not kept"


COMMANDS = [
    "config export", "export --all", "alerts list --json", "alerts history", "sinks --json", "report compliance",
    "report usage --html usage.html", "records --json", "audit security", "audit verify", "check",
]  # fmt: skip


@pytest.fixture(scope="module")
def printed(world):
    """What commands say, by command."""
    said = {}
    for each in COMMANDS:
        words = [*each.split(), "--config", str(world.config)]
        done = forks.run(words, environ=world.environ, folder=world.folder)
        said[each] = (done.stdout + done.stderr).encode()
    return said


def test_no_command_prints_one(printed):
    for each, said in printed.items():
        assert said.strip() or "--html" in each, each
        assert b"Traceback" not in said
    assert not leaks(printed)


@pytest.mark.usefixtures("printed")
def test_no_file_metric_or_process_has_one(world):
    with contextlib.closing(sqlite3.connect(world.data / "records.db")) as records:
        assert records.execute("SELECT COUNT(*) FROM requests").fetchone()[0] >= 18
    own = {world.config, world.folder / "key.txt"}
    files = {path for path in world.folder.rglob("*") if path.is_file() and path not in own}
    assert {"records.db-wal", "log.txt", "out.jsonl", "usage.html"} <= {path.name for path in files}
    named = {str(path.relative_to(world.folder)): path.read_bytes() for path in files}
    named["/metrics"] = "\n".join(world.metrics()).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(world.process.pid) in (process / "stat").read_text().rpartition(")")[2].split()[1]:
                named[f"process {process.name}"] = (process / "cmdline").read_bytes()
    assert not leaks(named)


def test_others_are_sent_no_secret_but_their_own(world):
    until = time.monotonic() + 20
    while not world.collector.caught or not any(
        "hook url" in PLANTED.found_in(c.path.encode()) for c in world.taking.caught
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    while not any("checkpoint url" in PLANTED.found_in(each.path.encode()) for each in world.taking.caught):
        assert time.monotonic() < until
        time.sleep(0.05)
    heads = {str(n): str((each.path, each.headers)).encode() for n, each in enumerate(world.taking.caught)}
    mine = ("good sink", "good sink url", "hook url", "hook token", "checkpoint url")
    assert not leaks(heads, but=mine)
    assert set(mine) <= {name for found in leaks(heads).values() for name in found}
    bodies = [each.body for each in (*world.taking.caught, *world.collector.caught)]
    assert not leaks(dict(enumerate([*bodies, *world.syslog.messages])))


def test_a_database_that_is_away_is_named_without_its_password(tmp_path):
    url = f"postgresql://headgate:{PLANTED['database']}@127.0.0.1:{free_port()}/x"
    (tmp_path / "headgate.yaml").write_text(f"data_dir: data\nproviders: {{simulator: }}\nrecords: {{url: '{url}'}}\n")
    for command in ("records", "usage"):
        done = forks.run([command, "--config", "headgate.yaml"], environ={**os.environ}, folder=tmp_path)
        assert "127.0.0.1" in done.stdout + done.stderr
        assert not PLANTED.found_in((done.stdout + done.stderr).encode())
