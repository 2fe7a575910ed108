"""Opaque tokens that a server is asked about, and clients by certificates that a proxy has checked."""

import json
from urllib.parse import parse_qs

import pytest

from gateways import KEY, running
from services import service


class Server:
    """An OAuth 2.0 server's introspection endpoint."""

    def __init__(self):
        self.answers, self.asked, self.status, self.url = {}, [], 200, ""

    def answer(self, path, headers, body):
        token = parse_qs(body.decode())["token"][0]
        self.asked.append((token, headers["authorization"]))
        return self.status, self.answers.get(token, {"active": False})


@pytest.fixture(scope="module")
def server():
    made = Server()
    with service(made.answer) as url:
        made.url = f"{url}/introspect"
        yield made


CONFIG = """
server: {{host: 127.0.0.1, port: {{PORT}}, trusted_proxies: {proxies}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s, large: simulator/l}}
teams: {{research: {{models: [small]}}}}
keys: [{{name: test, key: KEY}}]
authentication:
  introspection:
    - {{name: opaque, url: '{url}', client_id: gateway, client_secret: planted-secret-0123, audiences: [headgate],
       claims: {{team: {{claim: groups, table: {{ml: research}}}}}}}}
  certificates:
    - {{name: mesh, models: [large], claims: {{user: uri}}}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, server):
    config = CONFIG.format(url=server.url, proxies="[127.0.0.1]").replace("KEY", KEY)
    with running(tmp_path_factory.mktemp("vouched"), config) as made:
        yield made


def ask(gateway, token=None, model="small", **headers):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}]}).encode()
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token:
        sent["authorization"] = f"Bearer {token}"
    return gateway.request("POST", "/v1/chat/completions", body, sent)


def test_a_server_is_asked_once_about_a_token_and_what_it_says_counts(gateway, server):
    server.answers["good"] = {"active": True, "sub": "ann", "aud": "headgate", "groups": ["ml"]}
    for _ in range(3):
        status, headers, body = ask(gateway, "good")
        assert status == 200, body
    record = gateway.record_of(headers["x-request-id"])
    assert (record["key"], record["user"], record["team"]) == ("opaque", "ann", "research")
    assert [token for token, _ in server.asked].count("good") == 1
    assert server.asked[-1][1].startswith("Basic ")
    assert ask(gateway, "good", "large")[0] == 403


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {"active": True, "sub": "ann", "aud": "other", "groups": ["ml"]},
        {"active": True, "sub": "ann", "aud": "headgate", "groups": ["strangers"]},
        {"active": True, "sub": "ann", "aud": "headgate", "groups": ["ml"], "exp": 1_000_000_000},
        {"active": "true", "sub": "ann", "aud": "headgate", "groups": ["ml"]},
    ],
)
def test_what_does_not_count_is_refused(gateway, server, answer):
    token = f"bad-{hash(json.dumps(answer))}"
    server.answers[token] = answer
    status, _, body = ask(gateway, token)
    assert status == (503 if answer["active"] == "true" else 401)
    assert token not in json.dumps(body)


def test_a_server_that_cannot_say_makes_nobody_a_stranger_and_nobody_known(gateway, server):
    server.status = 500
    try:
        assert ask(gateway, "whoever")[1]["x-headgate-error-code"] == "identity_unavailable"
        assert gateway.post({"model": "small", "messages": [{"role": "user", "content": "x"}]})[0] == 200
        for path in ("/admin/api/me", "/admin/api/targets", "/v1/models"):
            status, _, body = gateway.get(path, {"authorization": "Bearer whoever"})
            said = body.decode() if isinstance(body, bytes) else json.dumps(body)
            assert (status, "identity_unavailable" in said) == (503, True)
    finally:
        server.status = 200


def test_keys_of_ours_are_told_to_nobody_else(gateway, server):
    ask(gateway, "hg-a-key-that-is-not-known-0123456789")
    assert not any(token.startswith("hg-") for token, _ in server.asked)
    assert "planted-secret" not in gateway.output()


CERTIFICATE = "Hash=" + "ab" * 32 + ';URI=spiffe://acme/billing;Subject="CN=billing,O=Acme"'


def test_a_client_is_known_by_the_certificate_that_its_proxy_has_checked(gateway):
    status, headers, body = ask(gateway, model="large", x_forwarded_client_cert=CERTIFICATE)
    assert status == 200, body
    record = gateway.record_of(headers["x-request-id"])
    assert (record["key"], record["user"]) == ("mesh", "spiffe://acme/billing")
    assert ask(gateway, model="small", x_forwarded_client_cert=CERTIFICATE)[0] == 403
    assert ask(gateway, model="large")[0] == 401


def test_nobody_else_is_believed_to_have_checked_one(tmp_path, server):
    config = CONFIG.format(url=server.url, proxies="[10.9.9.9]").replace("KEY", KEY)
    with running(tmp_path, config) as gateway:
        assert ask(gateway, model="large", x_forwarded_client_cert=CERTIFICATE)[0] == 401
