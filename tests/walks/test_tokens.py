"""Tokens of an OpenID provider in place of keys: who is let in, as whom, and that forged ones are not."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from gateways import ADMIN_KEY, KEY, running
from services import service


class Issuer:
    """An OpenID provider as far as a gateway sees it: a discovery document and keys, both changed at will."""

    def __init__(self):
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.asked, self.away, self.url = 0, False, ""

    def answer(self, path, headers, body):
        self.asked += 1
        if self.away:
            return 500, {}
        if path.startswith("/.well-known"):
            return 200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return 200, {"keys": [key.as_dict(private=False) for key in self.keys]}

    def token(self, key=None, header=None, **claims):
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": "headgate",
            "sub": "ann",
            "exp": now + 300,
            "iat": now,
            "groups": ["ml"],
            "allowed": ["small", "large"],
            **claims,
        }
        key = key or self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid, **(header or {})}, said, key)


@pytest.fixture(scope="module")
def issuer():
    made = Issuer()
    with service(made.answer) as made.url:
        yield made


PLUGIN = '''
"""Knows callers by a signature with a shared secret."""
import hashlib
import hmac

from headgate.core.errors import Unauthenticated
from headgate.identity.mapping import Mapped


class Signed:
    def __init__(self, secret: str) -> None:
        self.secret = secret.encode()

    async def __call__(self, asked):
        said = dict(asked.headers)
        if b"x-signature" not in said:
            return None
        text = said.get(b"x-time", b"") + b" " + asked.path.encode()
        right = hmac.new(self.secret, text, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(right, said[b"x-signature"]) or abs(float(said[b"x-time"]) - asked.now) > 60:
            raise Unauthenticated("the signature is not right")
        return Mapped("robot", teams=("research",))
'''


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, issuer):
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "signed_callers.py").write_text(PLUGIN)
    config = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{small: simulator/s, large: simulator/l}}
organisations: {{acme: }}
teams: {{research: {{organisation: acme, models: [small]}}, sales: }}
users: {{ann: {{role: auditor, email: Ann@acme.example}}, off: {{enabled: false}}}}
keys: [{{name: test, key: {KEY}}}]
authentication:
  issuers:
    - name: sso
      issuer: {issuer.url}
      audiences: [headgate]
      operations: [chat, admin]
      limits: [{{requests: 1000, every: month}}]
      claims: {{team: {{claim: groups, table: {{ml: research, crm: sales}}}}, models: allowed}}
  custom: [{{name: robots, use: "signed_callers:Signed", with: {{secret: a-shared-secret}}}}]
"""
    with running(folder, config.replace("claims: {{team", "claims: {team")) as made:
        yield made


def ask(gateway, token, model="small", path="/v1/chat/completions"):
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    return gateway.post(body, path, key=token)


def test_a_token_is_taken_in_place_of_a_key_and_told_apart_from_one(gateway, issuer):
    status, headers, _ = ask(gateway, issuer.token())
    assert status == 200
    record = gateway.record_of(headers["x-request-id"])
    assert (record["key"], record["user"], record["team"], record["organisation"]) == ("sso", "ann", "research", "acme")
    assert ask(gateway, issuer.token(), "large")[0] == 403
    assert ask(gateway, issuer.token(groups=["crm"]), "large")[0] == 200
    assert ask(gateway, issuer.token(groups=["crm"], allowed=["small"]), "large")[0] == 403
    status, headers, _ = ask(gateway, issuer.token(), path="/v1/messages")
    assert (status, headers["x-ratelimit-limit-requests"]) == (200, "1000")


def test_its_user_is_known_by_name_or_address_and_has_a_role(gateway, issuer):
    for claims in ({}, {"sub": "8f1c", "email": "ann@ACME.example"}):
        status, _, body = gateway.get("/admin/api/me", {"authorization": f"Bearer {issuer.token(**claims)}"})
        assert (status, body["user"], body["role"]) == (200, "ann", "auditor")
    assert gateway.get("/admin/api/me", {"authorization": f"Bearer {issuer.token(sub='eve')}"})[0] == 403
    unverified = issuer.token(sub="eve", email="ann@acme.example", email_verified=False)
    assert gateway.get("/admin/api/me", {"authorization": f"Bearer {unverified}"})[0] == 403
    assert ask(gateway, issuer.token(sub="off"))[1]["x-headgate-error-code"] == "key_disabled"


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "another"}, "another audience"),
        ({"iss": "https://evil.example"}, "not one of this gateway's"),
        ({"exp": 1_000_000_000}, "ended at"),
        ({"nbf": int(time.time()) + 9999}, "does not hold yet"),
        ({"groups": ["strangers"]}, "in no team"),
        ({"sub": ""}, "nothing says who this is"),
    ],
)
def test_what_is_not_meant_for_us_is_refused_and_told_why(gateway, issuer, claims, words):
    token = issuer.token(**claims)
    status, _, body = ask(gateway, token)
    assert status == 401
    assert words in body["error"]["message"]
    assert token not in json.dumps(body)


def test_forged_tokens_are_not_taken(gateway, issuer):
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    header, claims, signature = issuer.token().split(".")

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    public = issuer.keys[0].as_pem(private=False)
    now = int(time.time())
    said = {"iss": issuer.url, "aud": "headgate", "sub": "ann", "exp": now + 300, "groups": ["ml"]}

    def by_public_key(head):
        text = f"{part(head)}.{part(said)}"
        digest = hmac.new(public, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    forged = [
        issuer.token(key=stranger),
        issuer.token(key=stranger, header={"jwk": stranger.as_dict(private=False)}),
        issuer.token(key=stranger, header={"jku": "http://127.0.0.1:1/keys"}),
        issuer.token(key=stranger, header={"kid": "../../one"}),
        f"{part({'alg': 'none'})}.{claims}.",
        f"{part({'alg': 'none', 'kid': 'one'})}.{claims}.{signature}",
        by_public_key({"alg": "HS256", "kid": "one"}),
        f"{header}.{part({**said, 'sub': 'owner'})}.{signature}",
        f"{header}.{claims}.{signature[:-6]}AAAAAA",
    ]
    for token in forged:
        assert ask(gateway, token)[0] == 401, token


def test_the_issuer_is_not_asked_for_each_token_and_may_be_away(gateway, issuer):
    assert ask(gateway, issuer.token())[0] == 200
    asked = issuer.asked
    for _ in range(20):
        assert ask(gateway, issuer.token())[0] == 200
    assert issuer.asked == asked
    issuer.away = True
    try:
        assert ask(gateway, issuer.token())[0] == 200
    finally:
        issuer.away = False


def test_a_class_of_ones_own_knows_callers_by_a_signature(gateway):
    def signed(path, moment):
        signature = hmac.new(b"a-shared-secret", f"{moment} {path}".encode(), hashlib.sha256).hexdigest()
        headers = {"x-time": str(moment), "x-signature": signature, "content-type": "application/json"}
        body = json.dumps({"model": "small", "messages": [{"role": "user", "content": "x"}]}).encode()
        return gateway.request("POST", "/v1/chat/completions", body, headers)

    status, headers, _ = signed("/v1/chat/completions", int(time.time()))
    assert status == 200
    record = gateway.record_of(headers["x-request-id"])
    assert (record["key"], record["user"], record["team"]) == ("robots", "robot", "research")
    assert signed("/v1/embeddings", int(time.time()))[0] == 401
    assert signed("/v1/chat/completions", int(time.time()) - 3600)[0] == 401


def test_the_configuration_says_nothing_of_its_secrets(gateway):
    status, _, body = gateway.get("/admin/api/providers", {"authorization": f"Bearer {ADMIN_KEY}"})
    assert status == 200
    assert "a-shared-secret" not in json.dumps(body)
