"""The keys an issuer publishes: renewed, replaced, taken back; and an issuer that misbehaves is an outage."""

import asyncio

import pytest
import trustme

from headgate.core.errors import IdentityUnavailable, Unauthenticated
from headgate.identity.jwt import Issuer, Settings
from headgate.identity.published import read_keys
from headgate.upstream.client import Client
from headgate.upstream.proxy import Proxies
from issuers import AUDIENCE, NOW, Clock, TestIssuer, made
from upstreams import Close, Stall, json_reply, reply

OLD, NEW = made("P-256", "old"), made("P-256", "new")
DOWN = (Close(),)
DISCOVERY = "/.well-known/openid-configuration"


class Verifying:
    """A verifier with a clock that tests move."""

    def __init__(self, issuer, client, **settings):
        self.clock = Clock()
        self.issuer = Issuer(Settings(issuer.url, [AUDIENCE], **settings), client, self.clock)

    async def __call__(self, token):
        return (await self.issuer.verify(token, NOW)).mapped.user


@pytest.fixture
def issuer():
    with TestIssuer(OLD) as server:
        yield server


@pytest.fixture
async def verify(issuer, client):
    made = Verifying(issuer, client)
    yield made
    await made.issuer.close()


async def settled(verify):
    while verify.issuer.published._task is not None:
        await asyncio.sleep(0.002)


async def test_a_new_key_is_fetched_when_a_token_names_it(issuer, verify):
    await verify(issuer.token())
    issuer.keys = [OLD, NEW]
    verify.clock.now += 11
    assert await verify(issuer.token(NEW)) == "ann"
    assert issuer.fetches == 2


async def test_invented_ids_of_keys_cause_no_more_than_a_fetch_in_ten_seconds(issuer, verify):
    await verify(issuer.token())
    for second in range(30):
        verify.clock.now += 1
        for number in range(5):
            with pytest.raises(Unauthenticated):
                await verify(issuer.token(NEW, header={"kid": f"{second}-{number}"}))
    assert issuer.fetches == 4


async def test_keys_are_renewed_beside_the_requests(issuer, verify):
    await verify(issuer.token())
    issuer.instead["/keys"] = (Stall(),)
    verify.clock.now += 601
    await asyncio.wait_for(verify(issuer.token(sub="bob")), 1)
    await asyncio.sleep(0.02)
    assert issuer.fetches == 2


async def test_a_key_that_is_taken_back_verifies_nothing_more_not_even_what_is_remembered(issuer, verify):
    token = issuer.token()
    assert await verify(token) == "ann"
    issuer.keys = [NEW]
    verify.clock.now += 601
    assert await verify(issuer.token(OLD, sub="bob")) == "bob"  # which has them renewed
    await settled(verify)
    with pytest.raises(Unauthenticated, match="does not publish"):
        await verify(token)
    issuer.keys = []
    verify.clock.now += 601
    await verify(issuer.token(NEW))
    await settled(verify)
    with pytest.raises(Unauthenticated, match="does not publish"):
        await verify(issuer.token(NEW))


async def test_another_key_under_the_same_id_replaces_it(issuer, verify):
    await verify(issuer.token())
    other = made("P-256", "old")
    with pytest.raises(Unauthenticated, match="signature"):
        await verify(issuer.token(other))
    issuer.keys = [other]
    verify.clock.now += 601
    with pytest.raises(Unauthenticated, match="signature"):
        await verify(issuer.token(other))
    await settled(verify)
    assert await verify(issuer.token(other)) == "ann"
    with pytest.raises(Unauthenticated, match="signature"):
        await verify(issuer.token(OLD))


async def test_keys_are_used_for_a_day_while_the_issuer_does_not_answer(issuer, verify):
    await verify(issuer.token())
    issuer.instead[DISCOVERY] = DOWN
    for hours in range(1, 24):
        verify.clock.now += 3600
        assert await verify(issuer.token(sub=f"user-{hours}")) == f"user-{hours}"
        await settled(verify)
    verify.clock.now += 3601
    with pytest.raises(IdentityUnavailable, match="does not answer"):
        await verify(issuer.token())
    del issuer.instead[DISCOVERY]
    verify.clock.now += 11
    assert await verify(issuer.token()) == "ann"


async def test_an_unknown_key_is_an_outage_while_the_issuer_cannot_be_asked(issuer, verify):
    await verify(issuer.token())
    issuer.instead["/keys"] = json_reply({}, status=500)
    verify.clock.now += 11
    with pytest.raises(IdentityUnavailable, match="500"):
        await verify(issuer.token(NEW))
    assert await verify(issuer.token(sub="bob")) == "bob"


@pytest.mark.parametrize(
    ("path", "instead", "words"),
    [
        (DISCOVERY, DOWN, "does not answer"),
        (
            DISCOVERY,
            json_reply({"issuer": "https://evil.example", "jwks_uri": "https://evil.example"}),
            "another issuer",
        ),
        (DISCOVERY, json_reply({}), "another issuer"),
        (DISCOVERY, json_reply([]), "no JSON object"),
        (DISCOVERY, reply(b"<html>", content_type="text/html"), "no JSON"),
        (DISCOVERY, reply(b'{"issuer": "a", "issuer": "b"}'), "twice"),
        (DISCOVERY, reply(b"[" * 100_000), "deeply"),
        (
            DISCOVERY,
            reply(b"", status=302, headers=[("location", "http://127.0.0.1:1/")]),
            "redirects are not followed",
        ),
        ("/keys", json_reply({}, status=503), "503"),
        ("/keys", json_reply({"keys": {}}), "key set is none"),
        ("/keys", reply(b"x" * (1 << 20)), "does not answer"),
        ("/keys", reply(b"", status=301, headers=[("location", "/other")]), "redirects are not followed"),
        ("/keys", (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}", Close()), "does not answer"),
    ],
)
async def test_an_issuer_that_misbehaves_is_an_outage_not_a_refusal(issuer, verify, path, instead, words):
    issuer.instead[path] = instead
    with pytest.raises(IdentityUnavailable, match=words) as failure:
        await verify(issuer.token())
    assert failure.value.status == 503
    assert failure.value.retry_after
    with pytest.raises(IdentityUnavailable, match=words):  # told again without asking again
        await verify(issuer.token())
    assert issuer.asked.count(DISCOVERY) == 1
    issuer.instead.clear()
    verify.clock.now += 11
    assert await verify(issuer.token()) == "ann"


async def test_no_more_is_waited_for_than_is_right(issuer, verify):
    issuer.instead[DISCOVERY] = (Stall(),)
    waiting = asyncio.create_task(verify(issuer.token()))
    await asyncio.sleep(0.02)
    waiting.cancel()  # who gives up does not take it from the others
    assert not verify.issuer.published._task.done()
    assert verify.issuer.published._tried == verify.clock.now


async def test_the_issuer_of_a_document_counts_letter_for_letter(issuer, client):
    verify = Verifying(issuer, client)
    verify.issuer.published.issuer = f"{issuer.url}/"
    with pytest.raises(IdentityUnavailable, match="another issuer"):
        await verify(issuer.token())


async def test_of_tls_nothing_leads_to_plain_http(few_authorities, tmp_path):
    import ssl

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    client = Client(proxies=Proxies({}), ca_file=str(tmp_path / "ca.pem"))
    stranger = Client(proxies=Proxies({}), ca_file=few_authorities)
    with TestIssuer(OLD, tls=tls) as issuer, TestIssuer(OLD) as bare:
        assert await Verifying(issuer, client)(issuer.token()) == "ann"
        with pytest.raises(IdentityUnavailable, match="does not answer"):
            await Verifying(issuer, stranger)(issuer.token())
        issuer.changed = {"jwks_uri": f"{bare.url}/keys"}
        with pytest.raises(IdentityUnavailable, match="less protected"):
            await Verifying(issuer, client)(issuer.token())
        assert not bare.asked
    await client.close()
    await stranger.close()


async def test_an_issuer_without_discovery_is_asked_for_its_keys_alone(issuer, client):
    verify = Verifying(issuer, client, keys_url=f"{issuer.url}/keys")
    assert await verify(issuer.token()) == "ann"
    assert issuer.asked == ["/keys"]


def test_only_public_keys_for_signatures_count():
    public = OLD.as_dict(private=False)
    rsa = made("RSA", "rsa").as_dict(private=False)
    bad = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "old"},
        {**rsa, "n": rsa["n"][:171]},
        {**rsa, "n": rsa["n"] * 6},
        {**rsa, "n": 5},
        {**rsa, "use": "enc"},
        {**rsa, "key_ops": ["encrypt"]},
        {**public, "crv": "secp256k1"},
        {**public, "crv": []},
        {**public, "y": public["x"]},
        {**public, "x": "!"},
        {"kty": "OKP", "crv": "X25519", "x": public["x"]},
        {"kty": "RSA"},
        {"kty": ["RSA"]},
        {},
        "key",
        None,
    ]
    assert read_keys({"keys": bad}) == {}
    nameless = {name: value for name, value in rsa.items() if name != "kid"}
    found = read_keys({"keys": [*bad, OLD.as_dict(private=True), nameless]})
    assert set(found) == {"old", None}
    assert not found["old"][0].is_private
