"""Who is let in, for what, at which path, from where, until when: seen from outside."""

from datetime import UTC, datetime, timedelta

import pytest

from gateways import ADMIN_KEY, KEY, running
from headgate.config.secrets import hash_key


def key(name):
    return f"hg-{name}-key-0123456789abcdef"


HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)
CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}, trusted_proxies: [127.0.0.1], addresses: {{deny: [203.0.113.66]}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s, large: simulator/l}}
organisations: {{acme: }}
teams:
  research: {{organisation: acme, models: [small, auto], tags: [science]}}
  closed: {{enabled: false}}
users: {{ann: {{teams: [research], role: admin}}}}
rules:
  - {{name: science, models: [auto], when: 'team == "research"', use: small}}
  - {{name: rest, models: [auto], use: large}}
keys:
  - {{name: test, key: {KEY}}}
  - {{name: team, key: {key("team")}, team: research, models: [small, large, auto]}}
  - {{name: chats, key: {key("chats")}, operations: [chat]}}
  - {{name: one-path, key: {key("path")}, paths: [/v1/messages, /simulator/v1/files*]}}
  - {{name: at-home, key: {key("home")}, addresses: {{allow: [10.0.0.0/8, '2001:db8::/32'], deny: [10.9.0.0/16]}}}}
  - {{name: past, key: {key("past")}, expires: '{NOW - HOUR}'}}
  - {{name: future, key: {key("future")}, expires: '{NOW + HOUR}',
      previous: [{{key_hash: 'sha256:{hash_key(key("older"))}', expires: '{NOW + HOUR}'}},
                 {{key_hash: 'sha256:{hash_key(key("oldest"))}', expires: '{NOW - HOUR}'}}]}}
  - {{name: off, key: {key("off")}, enabled: false}}
  - {{name: closed, key: {key("closed")}, team: closed}}
  - {{name: nothing, key: {key("nothing")}, models: []}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running(tmp_path_factory.mktemp("keys"), CONFIG) as made:
        yield made


def ask(gateway, name, model="small", path="/v1/chat/completions", address=None, **more):
    headers = {"x-forwarded-for": address} if address else {}
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5, **more}
    return gateway.post(body, path, key=name if name == KEY else key(name), headers=headers)


def code(answer):
    return answer[0], answer[1].get("x-headgate-error-code")


def test_a_key_of_a_team_may_what_both_allow_and_is_accounted_for_it(gateway):
    status, headers, _ = ask(gateway, "team", user="customer-7")
    assert status == 200
    record = gateway.record_of(headers["x-request-id"])
    found = {name: record[name] for name in ("key", "team", "organisation", "end_user", "tags")}
    assert found == {
        "key": "team", "team": "research", "organisation": "acme", "end_user": "customer-7", "tags": ["science"],
    }  # fmt: skip
    assert code(ask(gateway, "team", "large")) == (403, "model_not_allowed")


def test_rules_go_by_whose_the_key_is(gateway):
    assert ask(gateway, KEY, "auto")[1]["x-headgate-model"] == "simulator/l"
    assert ask(gateway, "team", "auto")[1]["x-headgate-model"] == "simulator/s"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "small", "messages": [{"role": "user", "content": "x"}]}, 200),
        ("/v1/messages", {"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}, 200),
        ("/v1/embeddings", {"model": "small", "input": "x"}, 403),
        ("/v1/images/generations", {"model": "small", "prompt": "x"}, 403),
        ("/v1/audio/speech", {"model": "small", "input": "x", "voice": "a"}, 403),
        ("/v1/messages/count_tokens", {"model": "small", "messages": [{"role": "user", "content": "x"}]}, 403),
        ("/simulator/v1/files", {}, 403),
        ("/admin/api/targets", {}, 403),
    ],
)
def test_a_key_does_only_what_it_is_for(gateway, path, body, status):
    answer = gateway.post(body, path, key=key("chats"))
    assert answer[0] == status
    if status == 403 and "admin" not in path:
        assert answer[1]["x-headgate-error-code"] == "operation_not_allowed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/messages", 200),
        ("/v1/chat/completions", 403),
        ("/simulator/v1/batches", 403),
        ("/simulator/v1/files/../batches", 403),
        ("/simulator/v1/files%2f..%2fbatches", 403),
        ("/simulator/v1/files/%252e%252e/batches", 403),
        ("/simulator/v1/files//x", 403),
    ],
)
def test_a_key_asks_only_at_its_paths(gateway, path, status):
    body = {"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    answer = gateway.post(body, path, key=key("path"))
    assert answer[0] == status
    if status == 403:
        assert answer[1]["x-headgate-error-code"] == "operation_not_allowed"


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("2001:db8::5", 200), ("10.9.2.3", 403), ("11.1.2.3", 403), (None, 403)],
)
def test_a_key_is_taken_only_from_its_addresses(gateway, address, status):
    assert ask(gateway, "home", address=address)[0] == status


def test_the_gateway_keeps_addresses_out_whatever_they_bring(gateway):
    assert code(ask(gateway, KEY, address="203.0.113.66")) == (403, "address_not_allowed")
    assert code(ask(gateway, KEY, address="203.0.113.66", path="/nowhere"))[0] in (403, 404)
    assert ask(gateway, KEY, address="203.0.113.67")[0] == 200
    forwarded = {"x-forwarded-for": "203.0.113.66"}
    assert gateway.get("/v1/models", {"x-api-key": KEY, **forwarded})[0] == 403
    assert gateway.get("/livez", forwarded)[0] == 200


def test_a_key_has_its_time(gateway):
    assert code(ask(gateway, "past")) == (401, "key_expired")
    assert ask(gateway, "future")[0] == 200
    assert ask(gateway, "older")[0] == 200
    assert code(ask(gateway, "oldest")) == (401, "key_expired")


def test_who_is_disabled_is_told_so(gateway):
    assert code(ask(gateway, "off")) == (401, "key_disabled")
    assert "belongs to the team 'closed', which is disabled" in ask(gateway, "closed")[2]["error"]["message"]


def test_a_key_without_grants_can_do_nothing(gateway):
    assert code(ask(gateway, "nothing")) == (403, "model_not_allowed")
    assert gateway.get("/v1/models", {"x-api-key": key("nothing")})[2]["data"] == []


def test_nothing_of_it_concerns_the_admin_key(gateway):
    assert gateway.post({"model": "large", "messages": [{"role": "user", "content": "x"}]}, key=ADMIN_KEY)[0] == 200
