"""Alerts from outside: what goes wrong at a provider, with an application or a budget, people are told of, and that it
is over."""

import asyncio
import json
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import count, repeat

import pytest
from click.testing import CliRunner

from gateways import ADMIN_KEY, KEY, OTHER_KEY, Gateway, running
from headgate.cli import cli
from told import Catcher, mailbox
from traffic import whole
from upstreams import ScriptedUpstream, json_reply
from waiting import wait_for

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
QUESTIONS = repeat(QUESTION)
ADMIN = {"authorization": f"Bearer {ADMIN_KEY}", "content-type": "application/json"}


class Provider(ScriptedUpstream):
    """Answers, or fails, or is slow."""

    def __init__(self):
        super().__init__(self._answer)
        self.failing = False
        self.seconds = 0.0

    async def _answer(self, asked):
        await asyncio.sleep(self.seconds)
        await asked.send(json_reply({"error": "down"}, status=503) if self.failing else whole("Hi"))


def config(a, b, catcher, mail):
    hook = f"http://127.0.0.1:{catcher.port}"
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers:
  a: {{kind: openai, api_key: sk-secret-of-a, base_url: '{a.url}/v1'}}
  b: {{kind: openai, api_key: sk-secret-of-b, base_url: '{b.url}/v1'}}
models:
  chat: {{targets: [a/gpt-4o-mini], fallbacks: [b/gpt-4o-mini]}}
  slow: b/gpt-4o-mini
  kept: {{targets: b/gpt-4o-mini, cache: true}}
breaker: {{enabled: false}}
retry: {{budget: 100}}
applications: {{shop: , other: }}
keys:
  - {{name: test, key: {KEY}, application: shop}}
  - {{name: poor, key: {OTHER_KEY}, application: other, limits: [{{money: 0.00005, every: month}}]}}
alerting: {{every: 0.1, group_wait: 0.1, built_in: false}}
channels:
  pd: {{kind: pagerduty, routing_key: R0UTINGKEY0123456789, url: {hook}/pd, for: {{severity: critical}}}}
  hook: {{kind: webhook, url: {hook}/hook/s3cr3tpathsegment, signing_secret: whsec_c2VjcmV0LW9mLXRlc3Rz}}
  slack: {{url: {hook}/slack, for: {{severity: critical}}}}
  teams: {{url: {hook}/teams, for: {{rule: budget}}}}
  mail: {{kind: email, host: 127.0.0.1, port: {mail.port}, tls: none, from: Headgate <a@x.test>, to: ops@x.test,
          for: {{rule: budget}}}}
alert_rules:
  failing: {{measure: provider_error_rate, by: provider, above: 0.5, window: 1.5, min_requests: 5, severity: critical}}
  tokens: {{measure: tokens, by: application, above: 20, window: 1.5}}
  slow: {{measure: latency_p95, where: {{model: slow}}, above: 0.3, window: 3, min_requests: 3}}
  budget: {{measure: limit_used, where: {{what: money}}, above: 0.8}}
  memory: {{measure: memory, above: 1}}
  cold: {{measure: cache_hit_ratio, by: model, below: 0.5, window: 1, min_requests: 5}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with ExitStack() as stack:
        a, b, catcher, mail = map(stack.enter_context, (Provider(), Provider(), Catcher(), mailbox()))
        folder = tmp_path_factory.mktemp("alerts")
        yield stack.enter_context(running(folder, config(a, b, catcher, mail))), a, b, catcher, mail


def alerts(gateway, query=""):
    status, _, body = gateway.request("GET", f"/admin/api/alerts{query}", None, ADMIN)
    assert status == 200, body
    return body["items"]


@contextmanager
def asking(gateway, bodies=QUESTIONS):
    """Requests all the while."""
    over = threading.Event()

    def ask():
        while not over.wait(0.03):
            gateway.post(next(bodies))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def of(rule, event):
    return lambda body: body["rule"] == rule and any(each["event"] == event for each in body["alerts"])


HOOK = "/hook/s3cr3tpathsegment"


@pytest.fixture(scope="module")
def outage(world):
    """What PagerDuty and a webhook were told of a provider that failed and recovered."""
    gateway, a, _, catcher, _ = world
    with asking(gateway):
        a.failing = True
        fired = catcher.wait(HOOK, of("failing", "firing"))
        trigger = catcher.wait("/pd", lambda body: body["event_action"] == "trigger")
        a.failing = False
        resolve = catcher.wait("/pd", lambda body: body["event_action"] == "resolve")
        catcher.wait(HOOK, of("failing", "resolved"))
    return fired, trigger, resolve


def test_a_provider_that_fails_is_named_and_resolved_when_it_recovers(world, outage):
    _, _, _, catcher, _ = world
    fired, trigger, resolve = outage
    [alert] = fired["alerts"]
    assert alert["labels"]["provider"] == "a"
    assert "provider a" in alert["summary"]
    assert trigger["routing_key"] == "R0UTINGKEY0123456789"
    assert trigger["payload"]["component"] == "a"
    assert trigger["payload"]["severity"] == "critical"
    assert resolve["dedup_key"] == trigger["dedup_key"]
    assert catcher.wait("/slack", lambda body: "provider a" in body["text"])["blocks"]


def test_an_application_with_too_many_tokens_is_named(world):
    gateway, _, _, catcher, _ = world
    for _ in range(12):
        gateway.post(QUESTION)
    body = catcher.wait(HOOK, of("tokens", "firing"))
    assert [each["labels"]["application"] for each in body["alerts"]] == ["shop"]
    catcher.wait(HOOK, of("tokens", "resolved"))


def test_a_step_of_latency_is_noticed(world):
    gateway, _, b, catcher, _ = world
    body = {**QUESTION, "model": "slow"}
    for _ in range(4):
        gateway.post(body)
    assert not [each for each in catcher.got(HOOK) if each["rule"] == "slow"]
    b.seconds = 0.4
    with asking(gateway, repeat(body)):
        [alert] = catcher.wait(HOOK, of("slow", "firing"))["alerts"]
    b.seconds = 0.0
    assert alert["value"] > 0.35
    assert alert["limit"] == 0.3


def test_a_cache_that_is_flushed_under_load_is_noticed(world):
    """R129."""
    gateway, _, _, catcher, _ = world
    questions = ({"model": "kept", "messages": [{"role": "user", "content": str(number)}]} for number in count())
    bodies = [next(questions) for _ in range(25)]
    for body in bodies:
        for _ in range(4):
            gateway.post(body)
    for body in bodies:
        assert gateway.post(body)[1]["x-headgate-cache"] == "hit"
    assert not [each for each in catcher.got(HOOK) if each["rule"] == "cold"]
    gateway.post({}, path="/admin/api/cache/clear", key=ADMIN_KEY)
    for body in bodies:
        assert gateway.post(body)[1]["x-headgate-cache"] == "miss"
    with asking(gateway, questions):
        [alert] = catcher.wait(HOOK, of("cold", "firing"))["alerts"]
    assert alert["labels"]["model"] == "kept"
    with asking(gateway, repeat(bodies[0])):
        catcher.wait(HOOK, of("cold", "resolved"))


def test_a_budget_that_is_nearly_used_up_is_told_by_mail_and_in_teams(world):
    gateway, _, _, catcher, mail = world
    body = {**QUESTION, "max_tokens": 2}
    for _ in range(500):
        if gateway.post(body, key=OTHER_KEY)[0] == 429:
            break
    else:
        raise AssertionError("no budget stopped it")
    [alert] = catcher.wait(HOOK, of("budget", "firing"))["alerts"]
    assert alert["labels"]["limit"] == "key poor"
    assert alert["value"] > 0.8
    card = catcher.wait("/teams", lambda body: True)["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert "key poor" in json.dumps(card)
    until = time.monotonic() + 20
    while not mail.mail:
        assert time.monotonic() < until
        time.sleep(0.02)
    sender, to, written = mail.mail[0]
    assert (sender, to) == ("a@x.test", ["ops@x.test"])
    assert "[WARNING] budget" in written["subject"]
    assert "key poor" in written.get_content()


def test_what_uses_memory_is_named_by_worker_and_instance(world):
    _, _, _, catcher, _ = world
    [alert] = catcher.wait(HOOK, of("memory", "firing"))["alerts"]
    assert alert["value"] > 10 << 20
    assert alert["labels"]["worker"] == "0"
    assert alert["labels"]["instance"]


def command(gateway, *arguments, code=0):
    line = [*arguments, "--config", str(gateway.config)]
    done = CliRunner().invoke(cli, line, env={"HEADGATE_ADMIN_KEY": ADMIN_KEY})
    assert done.exit_code == code, done.output
    return done.stdout + done.stderr


def ask(gateway, method, path, body=None):
    status, _, answer = gateway.request(method, f"/admin/api{path}", json.dumps(body or {}).encode(), ADMIN)
    return status, json.loads(answer) if isinstance(answer, bytes) and answer else answer


@pytest.mark.usefixtures("outage")
def test_the_history_says_when_who_was_told_and_that_it_is_over(world):
    gateway, *_ = world
    resolved = [each for each in alerts(gateway, "?state=resolved") if each["rule"] == "failing"]
    [alert] = resolved
    assert set(alert["told"]) == {"pd", "hook", "slack"}
    until = time.monotonic() + 20
    while True:  # who is told by the slowest channel may have the message before the history says so
        _, found = ask(gateway, "GET", f"/alerts/{alert['id']}")
        whats = [each["what"] for each in found["events"]]
        if whats.count("told") == 6 or time.monotonic() > until:
            break
        time.sleep(0.02)
    assert (whats[0], whats.count("firing"), whats.count("resolved"), whats.count("told")) == ("firing", 1, 1, 6)
    assert found["limit"] == 0.5
    every = [each["id"] for each in alerts(gateway, "?state=all")]
    page = ask(gateway, "GET", "/alerts?state=all&limit=1")[1]
    next = ask(gateway, "GET", f"/alerts?state=all&limit=1&before={page['next']}")[1]
    assert [each["id"] for each in page["items"] + next["items"]] == every[:2]
    assert "a provider" not in command(gateway, "alerts")
    told = command(gateway, "alerts", "history", "--rule", "failing")
    assert "provider error rate" in told
    assert alert["id"] in told
    assert "told" in command(gateway, "alerts", "show", alert["id"])


def test_a_rule_is_made_changed_and_silenced_while_it_runs(world):
    """R127."""
    gateway, _, _, catcher, _ = world
    body = {"name": "busy", "measure": "requests", "above": 3, "window": 1.5, "for": 0}
    assert ask(gateway, "POST", "/alert_rules", body)[0] == 201
    with asking(gateway):
        catcher.wait(HOOK, of("busy", "firing"))
        [alert] = [each for each in alerts(gateway) if each["rule"] == "busy"]
        assert "silences/" in command(gateway, "alerts", "silence", alert["id"], "--for", "1h", "--reason", "a test")
        wait_for(lambda: any(each["silence"] for each in alerts(gateway) if each["rule"] == "busy"))
        _, found = ask(gateway, "GET", f"/alerts/{alert['id']}")
        assert "by admin: " in next(each["detail"] for each in found["events"] if each["what"] == "silenced")
        assert ask(gateway, "PATCH", "/alert_rules/busy", {"above": 10**6})[0] == 200
        catcher.wait(HOOK, of("busy", "resolved"))
    assert ask(gateway, "GET", "/alert_rules/busy")[1]["body"]["above"] == 10**6
    assert ask(gateway, "DELETE", "/alert_rules/busy")[0] == 204


def test_a_channel_is_tested_and_one_of_the_store_leads_to_public_addresses_only(world):
    gateway, _, _, catcher, _ = world
    assert "has taken it" in command(gateway, "alerts", "test", "hook")
    assert catcher.wait(HOOK, lambda body: body["rule"] == "test")["alerts"][0]["event"] == "firing"
    url = f"http://127.0.0.1:{catcher.port}/private"
    status, made = ask(gateway, "POST", "/channels", {"name": "mine", "kind": "slack", "url": url})
    assert status == 201, made
    assert made["body"]["url"] == "(sealed)"
    status, answer = ask(gateway, "POST", "/channels/mine/test")
    assert (status, answer["code"]) == (502, "undelivered")
    assert "alerting.networks" in answer["detail"]
    assert catcher.got("/private") == []
    assert ask(gateway, "PATCH", "/channels/mine", {"kind": "apprise", "url": "json://127.0.0.1"})[0] == 422
    body = {"name": "pd2", "kind": "pagerduty", "routing_key": "R0SECRET", "for": {"rule": "none"}}
    assert ask(gateway, "POST", "/channels", body)[0] == 201
    status, answer = ask(gateway, "PATCH", "/channels/pd2", {"url": "https://evil.test/enqueue"})
    assert (status, answer["code"]) == (422, "secret_needed"), "a key goes only where it was given for"
    for name in ("mine", "pd2"):
        assert ask(gateway, "DELETE", f"/channels/{name}")[0] == 204


@pytest.mark.usefixtures("outage")
def test_no_secret_is_said_anywhere(world):
    gateway, *_ = world
    said = (
        gateway.output() + json.dumps(ask(gateway, "GET", "/channels")[1]) + json.dumps(alerts(gateway, "?state=all"))
    )
    said += json.dumps(ask(gateway, "GET", "/audit")[1]) + str(gateway.metrics())
    for secret in ("R0UTINGKEY", "s3cr3tpathsegment", "c2VjcmV0", "R0SECRET"):
        assert secret not in said
    assert gateway.metric("headgate_alert_messages_total", channel="hook") >= 2


OWN = """
from pathlib import Path

from headgate.alerts.channels.channel import Channel, ChannelSettings


class Own(Channel):
    class Settings(ChannelSettings):
        number: str

    async def send(self, message):
        with Path(__file__).with_name("told.txt").open("a") as file:
            file.write(f"{self.settings.number}: {message.title}")
"""


def test_who_restarts_between_firing_and_delivery_tells_once_of_each(tmp_path):
    text = """
server: {host: 127.0.0.1, port: {PORT}}
data_dir: {DATA}
providers: {simulator: }
keys: [{name: test, key: KEY}]
alerting: {every: 0.1, group_wait: 0, built_in: false}
channels: {hook: {kind: webhook, url: "HOOK"}, own: {kind: "mine:Own", number: "7"}}
alert_rules: {busy: {measure: requests, above: 0.5, window: 600}}
"""
    (tmp_path / "mine.py").write_text(OWN)
    with Catcher() as catcher:
        catcher.refuse("/", 503)
        config = text.replace("KEY", KEY).replace("HOOK", f"http://127.0.0.1:{catcher.port}/")
        gateway = Gateway(tmp_path, config).start()
        gateway.post({**QUESTION, "model": "simulator/x"})
        wait_for(lambda: alerts(gateway) and alerts(gateway)[0]["told"] == ["hook", "own"])
        gateway.kill()
        catcher.refusing.clear()
        gateway.start()
        body = catcher.wait("/", lambda body: True)
        [alert] = alerts(gateway)
        assert [each["id"] for each in body["alerts"]] == [alert["id"]]
        gateway.post({**QUESTION, "model": "simulator/x"})
        gateway.wait_for_metric(0, "headgate_alert_waiting")
        assert gateway.stop() == 0
    assert len(catcher.got("/")) == 1
    assert (tmp_path / "told.txt").read_text().startswith("7: [WARNING] busy: requests is 1")
