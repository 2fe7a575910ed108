"""An issuer of tokens on a real socket, which can be told to misbehave."""

import base64
import hashlib
import json
from urllib.parse import parse_qsl, urlsplit

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from upstreams import ScriptedUpstream, json_reply

NOW = 1_800_000_000.0
AUDIENCE = "headgate"


def encoded(value) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def made(kind="RSA", kid="one", **parameters):
    """A private key."""
    parameters = {"kid": kid, **parameters}
    match kind:
        case "RSA":
            return RSAKey.generate_key(2048, parameters)
        case "Ed25519":
            return OKPKey.generate_key("Ed25519", parameters)
        case curve:
            return ECKey.generate_key(curve, parameters)


ALGORITHM = {"RSA": "RS256", "P-256": "ES256", "P-384": "ES384", "Ed25519": "EdDSA"}


def signed(claims, key, algorithm=None, header=()) -> bytes:
    """A token; `claims` are taken as they are where they are bytes. `header`: changes of it, None takes away."""
    algorithm = algorithm or {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}[key.key_type]
    header = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **dict(header)}
    start = encoded({name: value for name, value in header.items() if value is not None}) + b"." + encoded(claims)
    return start + b"." + encoded(JWSRegistry.algorithms[algorithm].sign(start, key))


class TestIssuer:
    """Use it with `with`. Its attributes are read at each request."""

    __test__ = False

    def __init__(self, *keys, tls=None):
        self.keys = list(keys)
        self.asked = []
        self.instead = {}
        """By path: a reply of its own."""
        self.changed = {}
        """Of its discovery document."""
        self.upstream = ScriptedUpstream(self._answer, tls=tls)

    def __enter__(self):
        self.upstream.__enter__()
        self.url = self.upstream.url
        return self

    def __exit__(self, *error):
        self.upstream.__exit__(*error)

    async def _answer(self, asked):
        path = asked.request.path
        self.asked.append(path)
        instead = self.instead.get(path)
        if callable(instead):
            await instead(asked)
        elif instead is not None:
            await asked.play([instead] if isinstance(instead, bytes) else instead)
        elif path == "/.well-known/openid-configuration":
            await asked.send(json_reply({**self.discovery(), **self.changed}))
        elif path == "/keys":
            public = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]
            await asked.send(json_reply({"keys": public}))
        else:
            await asked.send(json_reply({"error": "not found"}, status=404))

    def discovery(self):
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    @property
    def fetches(self):
        return self.asked.count("/keys")

    def claims(self, **changes):
        """Those of a good token; None takes one away."""
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": NOW - 10, "exp": NOW + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, algorithm=None, header=(), **changes) -> bytes:
        return signed(self.claims(**changes), key or self.keys[0], algorithm, header)


class TestProvider(TestIssuer):
    """An issuer where people log in; whoever comes is let in as `person`, with the claims of `told` beside."""

    __test__ = False

    def __init__(self, *keys):
        super().__init__(*keys)
        self.person = "ann"
        self.told = {}
        """Changes of what the ID token claims."""
        self.more = {"sub": "ann", "groups": ["eng"]}
        """What is told of the person at another address."""
        self.codes = {}
        self.forms = []

    def discovery(self):
        addresses = {
            "authorization_endpoint": f"{self.url}/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
        }
        return {**super().discovery(), **addresses}

    def visit(self, url):
        """A person follows the address and agrees; what they are sent back with."""
        query = dict(parse_qsl(urlsplit(url).query))
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["tenant"] == "1"
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"]}

    async def _answer(self, asked):
        path = asked.request.path
        if path in self.instead or path not in ("/token", "/userinfo"):
            await super()._answer(asked)
        elif path == "/token":
            await asked.send(self._token(asked.request))
        else:
            assert asked.request.headers["authorization"] == "Bearer access"
            await asked.send(json_reply(self.more))

    def _token(self, request):
        form = dict(parse_qsl(request.body.decode()))
        self.forms.append((request.headers.get("authorization"), form))
        query = self.codes.pop(form["code"], None)
        challenge = encoded(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if not query or challenge != query["code_challenge"] or form["redirect_uri"] != query["redirect_uri"]:
            return json_reply({"error": "invalid_grant"}, status=400)
        claims = {"aud": query["client_id"], "nonce": query["nonce"], "sub": self.person, **self.told}
        return json_reply({"access_token": "access", "id_token": self.token(**claims).decode(), "token_type": "Bearer"})


class Clock:
    """Monotonic seconds that tests move."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now
