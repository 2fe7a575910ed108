"""Tokens: who is let in by them, and every known way of forging one."""

import asyncio
import contextlib
import hashlib
import json

import pytest

from headgate.core.errors import KeyExpired, Unauthenticated
from headgate.identity.jwt import ALGORITHMS, LONGEST, Issuer, Settings, issuer_of, parse
from headgate.identity.mapping import Rule, Rules
from issuers import ALGORITHM, AUDIENCE, NOW, Clock, TestIssuer, encoded, made, signed

KEYS = {kind: made(kind, kind) for kind in ALGORITHM}
RSA = KEYS["RSA"]
STRANGER = made("RSA", "RSA")
"""Of the same id as the issuer's."""


@pytest.fixture(scope="module")
def issuer():
    with TestIssuer(*KEYS.values()) as server:
        yield server


@contextlib.asynccontextmanager
async def verifying(issuer, client, **settings):
    settings = {"algorithms": (*ALGORITHM.values(), "PS256"), "audiences": [AUDIENCE], **settings}
    verifier = Issuer(Settings(issuer.url, **settings), client, Clock())
    yield verifier
    await verifier.close()


@pytest.fixture
async def verifier(issuer, client):
    async with verifying(issuer, client) as made:
        yield made


async def refused(verifier, token, words, now=NOW):
    with pytest.raises(Unauthenticated) as failure:
        await verifier.verify(token, now)
    assert words in failure.value.message
    for part in token.split(b"."):  # nothing of the token is told
        assert len(part) < 8 or part.decode("latin-1") not in failure.value.message


@pytest.mark.parametrize("kind", KEYS)
async def test_a_token_of_the_issuer_says_who_it_is(issuer, verifier, kind):
    token = issuer.token(KEYS[kind], ALGORITHM[kind], email="ann@acme.example")
    found = await verifier.verify(token, NOW)
    assert (found.mapped.user, found.mapped.email, found.until) == ("ann", "ann@acme.example", NOW + 300)
    assert found.claims["iss"] == issuer.url


async def test_a_key_serves_its_family_of_algorithms_unless_it_names_one(issuer, verifier):
    assert (await verifier.verify(issuer.token(RSA, "PS256"), NOW)).mapped.user == "ann"
    bound = made("RSA", "bound", alg="RS256")
    with TestIssuer(bound) as other:
        async with verifying(other, verifier.published._upstream) as of_other:
            await of_other.verify(other.token(bound, "RS256"), NOW)
            await refused(of_other, other.token(bound, "PS256"), "signature")


async def test_audiences_types_and_times_within_bounds_are_taken(issuer, verifier):
    for changes in [
        {"aud": ["others", AUDIENCE]},
        {"exp": NOW - 59},
        {"nbf": NOW + 59},
        {"iat": None},
        {"exp": NOW + 0.5},
    ]:
        await verifier.verify(issuer.token(**changes), NOW)
    for kind in ["at+jwt", "application/at+jwt", "JWT", "jwt", None]:
        await verifier.verify(issuer.token(header={"typ": kind}), NOW)


async def test_a_token_without_the_id_of_a_key_is_tried_with_all_that_fit(issuer, verifier):
    for kind, key in KEYS.items():
        await verifier.verify(issuer.token(key, ALGORITHM[kind], header={"kid": None}), NOW)
    await refused(verifier, issuer.token(STRANGER, header={"kid": None}), "signature")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iss": ["https://evil.example"]}, "another issuer"),
        ({"aud": "others"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": ["others", {"headgate": 1}]}, "another audience"),
        ({"aud": "headgate "}, "another audience"),
        ({"aud": "he\u0430dgate"}, "another audience"),  # a Cyrillic letter
        ({"aud": {"headgate": True}}, "another audience"),
        ({"exp": NOW - 61}, "the token ended at 2027-01-15T07:58:59Z"),
        ({"exp": None}, "when it ends"),
        ({"exp": "2030-01-01"}, "`exp` is no time"),
        ({"exp": True}, "`exp` is no time"),
        ({"exp": 1e300}, "`exp` is no time"),
        ({"exp": -1}, "`exp` is no time"),
        ({"nbf": NOW + 61}, "not hold yet"),
        ({"iat": NOW + 61}, "not hold yet"),
        ({"nbf": "now"}, "`nbf` is no time"),
        ({"sub": None}, "nothing says who this is"),
        ({"sub": "ann\nroot"}, "can be no name"),
        ({"sub": "ann\u202eroot"}, "can be no name"),
        ({"sub": " ann"}, "can be no name"),
        ({"sub": "\ud800"}, "can be no name"),
        ({"sub": "a" * 257}, "can be no name"),
        ({"cnf": {"jkt": "x"}}, "bound to a key"),
    ],
)
async def test_claims_that_are_not_right_are_told(issuer, verifier, changes, words):
    await refused(verifier, issuer.token(**changes), words)


async def test_what_has_ended_is_told_by_a_code_of_its_own(issuer, verifier):
    with pytest.raises(KeyExpired):
        await verifier.verify(issuer.token(exp=NOW - 100), NOW)


async def test_algorithms_that_are_not_configured_are_refused_whatever_they_are(issuer, verifier):
    claims = issuer.claims()
    for name in ["none", "None", "NONE", "", "HS256", "HS512", "RS512", "ES512", None, 1, ["RS256"], {"RS256": 1}]:
        start = encoded({"alg": name, "kid": "RSA", "typ": "JWT"}) + b"." + encoded(claims)
        for signature in (b"AA", encoded(b"x" * 256)):
            await refused(verifier, start + b"." + signature, "algorithm")
    bare = encoded({"alg": "none"}) + b"." + encoded(claims) + b"."
    await refused(verifier, bare, "form")


async def test_a_public_key_is_nobodys_secret(issuer, client, verifier):
    """HS256 with whatever form of the public key a verifier might take for the secret."""
    import hmac

    start = encoded({"alg": "HS256", "kid": "RSA"}) + b"." + encoded(issuer.claims())
    public = RSA.as_dict(private=False)
    for secret in [
        RSA.as_pem(private=False),
        RSA.as_der(private=False),
        public["n"].encode(),
        json.dumps(public).encode(),
    ]:
        token = start + b"." + encoded(hmac.new(secret, start, hashlib.sha256).digest())
        await refused(verifier, token, "algorithm")
    with pytest.raises(ValueError, match="'HS256' is none of those of public keys"):
        Settings(issuer.url, [AUDIENCE], algorithms=["RS256", "HS256"])
    assert not {name for name in ALGORITHMS if name.startswith("HS") or name == "none"}


async def test_an_algorithm_of_another_family_than_the_key_is_refused(issuer, verifier):
    for name, kid in [("RS256", "P-256"), ("ES256", "RSA"), ("ES256", "P-384"), ("EdDSA", "RSA"), ("RS256", "Ed25519")]:
        token = signed(issuer.claims(), KEYS[{"RS256": "RSA", "ES256": "P-256", "EdDSA": "Ed25519"}[name]], name)
        head = encoded({"alg": name, "kid": kid, "typ": "JWT"})
        await refused(verifier, head + token[token.index(b".") :], "signature")


async def test_keys_that_a_token_brings_along_are_not_looked_at(issuer, verifier):
    with TestIssuer(STRANGER) as evil:
        before = list(issuer.asked)
        for header in [
            {"jwk": STRANGER.as_dict(private=False)},
            {"jku": f"{evil.url}/keys"},
            {"x5u": f"{evil.url}/keys"},
            {"x5c": ["AAAA"]},
        ]:
            await refused(verifier, issuer.token(STRANGER, header=header), "signature")
        assert not evil.asked
        assert issuer.asked in (before, [*before, "/.well-known/openid-configuration", "/keys"])


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "/etc/passwd", "' OR 1=1 --", "RSA\x00", "rsa", "http://127.0.0.1/keys", "", "RSA "]
)
async def test_the_id_of_a_key_is_only_ever_compared(issuer, verifier, kid):
    await refused(verifier, issuer.token(RSA, header={"kid": kid}), "a key that its issuer does not publish")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"kid": "x" * 257}, "`kid`"),
        ({"kid": ["RSA"]}, "`kid`"),
        ({"kid": {}}, "`kid`"),
        ({"crit": ["exp"]}, "crit"),
        ({"crit": []}, "crit"),
        ({"b64": False}, "b64"),
        ({"typ": "logout+jwt"}, "typ"),
        ({"typ": "dpop+jwt"}, "typ"),
        ({"typ": 1}, "typ"),
        ({"typ": "JW\u0422"}, "typ"),
    ],
)
async def test_headers_that_are_not_right_are_told(issuer, verifier, header, words):
    await refused(verifier, issuer.token(header=header), words)


async def test_the_signature_covers_all(issuer, verifier):
    token = issuer.token()
    head, claims, signature = token.split(b".")
    await refused(verifier, head + b"." + encoded(issuer.claims(sub="root")) + b"." + signature, "signature")
    longer = encoded({"alg": "RS256", "kid": "RSA", "typ": "JWT", "x": 1})
    await refused(verifier, longer + b"." + claims + b"." + signature, "signature")
    await refused(verifier, b".".join([head, claims, encoded(bytes(256))]), "signature")
    await refused(verifier, b".".join([head, claims, signature[:-6]]), "signature")
    elliptic = signed(issuer.claims(), KEYS["P-256"], "ES256").rpartition(b".")[0]
    await refused(verifier, elliptic + b"." + encoded(bytes(64)), "signature")  # r = s = 0
    await refused(verifier, elliptic + b"." + b"AA", "signature")


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"a.b",
        b"a.b.c.d",
        b"a.b.c.d.e",
        b"\xff\xfe.\xff.\xff",
        b"a.b.c",
        b"e30=.e30=.AA==",
        b"e30.e30.AB",
        b"e31.e30.AA",
        b"e30.e30.AA\n",
        b"e30.e30. AA",
        b"e3+.e30.AA",
        b"bnVsbA.e30.AA",
        b"W10.e30.AA",
        b"e30.MQ.AA",
        b"a" * (LONGEST + 1),
        b"a." * 500_000,
    ],
)
async def test_what_is_no_token_is_refused(verifier, token):
    with pytest.raises(Unauthenticated, match="the token is not taken"):
        await verifier.verify(token, NOW)
    assert issuer_of(token) is None


async def test_what_two_readers_could_understand_differently_is_refused(issuer, verifier):
    text = json.dumps(issuer.claims())[1:]
    for claims in ['{"sub": "root", ' + text, '{"a": {"b": 1, "b": 2}, ' + text, '{"s\\u0075b": "root", ' + text]:
        await refused(verifier, signed(claims.encode(), RSA), "twice")
    head = b'{"alg": "RS256", "alg": "none", "kid": "RSA"}'
    await refused(verifier, encoded(head) + b"." + encoded(issuer.claims()) + b".AA", "twice")
    for number in ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000]:
        await refused(verifier, signed(text.join(["{", ""]).replace(str(NOW + 300), number).encode(), RSA), "")
    for deep in [b"[" * 5000 + b"]" * 5000, b'{"a":' * 1500 + b"1" + b"}" * 1500]:
        await refused(verifier, signed(b'{"a": ' + deep + b", " + text.encode(), RSA), "deeply")
    await refused(verifier, signed(text.encode("utf-16"), RSA), "no JSON")
    await refused(verifier, signed(b"\xff" + text.encode(), RSA), "no JSON")


async def test_no_token_is_taken_for_another(issuer, verifier):
    """10,000 pairs that share all but the signature, or all but the end of what they say."""
    token = issuer.token()
    found = await verifier.verify(token, NOW)
    head, claims, signature = token.split(b".")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for number in range(10_000):
        place, letter = number // 60 % (len(signature) - 1), alphabet[number % 64]
        other = signature[:place] + bytes([letter]) + signature[place + 1 :]
        forged = b".".join([head, claims, other]) if number % 2 else token + b"%d" % number
        if forged != token:
            assert verifier.known(hashlib.sha256(forged).digest(), NOW) is None
    assert verifier.known(hashlib.sha256(token).digest(), NOW) is found
    others = [issuer.token(sub=f"user-{number}") for number in range(30)]
    for number, each in enumerate(others):
        assert (await verifier.verify(each, NOW)).mapped.user == f"user-{number}"
        swapped = each.rpartition(b".")[0] + b"." + others[number - 1].rpartition(b".")[2]
        await refused(verifier, swapped, "signature")
    for number, each in enumerate(others):
        assert (await verifier.verify(each, NOW)).mapped.user == f"user-{number}"


async def test_a_verified_token_is_remembered_until_it_ends_but_not_for_long(issuer, verifier):
    token = issuer.token(exp=NOW + 10)
    mark = hashlib.sha256(token).digest()
    found = await verifier.verify(token, NOW)
    assert await verifier.verify(token, NOW + 59) is found
    assert verifier.known(mark, NOW - 1) is None  # a clock set back
    assert (await verifier.verify(token, NOW + 65)).mapped.user == "ann"  # within the leeway
    assert verifier.known(mark, NOW + 70) is None
    with pytest.raises(KeyExpired):
        await verifier.verify(token, NOW + 70)


async def test_claims_are_mapped_by_the_rules(issuer, client):
    rules = Rules(
        user=Rule("email"),
        team=Rule("https://acme.example/groups", {"eng": "engineering", "ops": "operations"}),
        role=Rule("realm_access.roles", {"boss": "admin"}, "member"),
    )
    async with verifying(issuer, client, rules=rules) as verifier:
        claims = {"email": "ann@acme.example", "https://acme.example/groups": ["ops", "eng", "x"]}
        found = await verifier.verify(issuer.token(**claims, realm_access={"roles": ["boss"]}), NOW)
        assert (found.mapped.user, found.mapped.teams, found.mapped.role) == (
            "ann@acme.example", ("engineering", "operations"), "admin",
        )  # fmt: skip
        await refused(verifier, issuer.token(**claims, email_verified=False), "nothing says who this is")


async def test_the_issuer_of_a_token_is_found_before_it_is_believed(issuer):
    assert issuer_of(issuer.token()) == issuer.url
    assert issuer_of(issuer.token(iss=None)) is None
    assert parse(issuer.token()).header["kid"] == "RSA"


@pytest.mark.parametrize(
    "settings",
    [{"issuer": ""}, {"audiences": []}, {"audiences": "headgate"}, {"algorithms": "RS256"}, {"algorithms": ["none"]}],
)
def test_settings_that_would_believe_anything_are_refused(settings):
    with pytest.raises((ValueError, TypeError)):
        Settings(**{"issuer": "https://login.example", "audiences": [AUDIENCE], **settings})


async def test_a_hundred_at_once_are_verified_with_one_fetch(issuer, client):
    before = issuer.fetches
    async with verifying(issuer, client) as verifier:
        tokens = [issuer.token(sub=f"user-{number}") for number in range(100)]
        found = await asyncio.gather(*(verifier.verify(token, NOW) for token in tokens))
    assert [each.mapped.user for each in found] == [f"user-{number}" for number in range(100)]
    assert issuer.fetches == before + 1
