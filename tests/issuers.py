"""An issuer of tokens on a real socket, which can be told to misbehave."""

import base64
import json
import time

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
            await asked.send(json_reply({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.changed}))
        elif path == "/keys":
            public = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]
            await asked.send(json_reply({"keys": public}))
        else:
            await asked.send(json_reply({"error": "not found"}, status=404))

    @property
    def fetches(self):
        return self.asked.count("/keys")

    def claims(self, **changes):
        """Those of a good token; None takes one away."""
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": NOW - 10, "exp": NOW + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, algorithm=None, header=(), **changes) -> bytes:
        return signed(self.claims(**changes), key or self.keys[0], algorithm, header)


class Clock:
    """Monotonic seconds that tests move."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.002)
