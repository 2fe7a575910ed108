"""Tokens that the server which issued them is asked about: what it says counts, and what it does not say does not."""

import asyncio
import contextlib
import hashlib
from urllib.parse import parse_qsl

import pytest

from headgate.core.errors import IdentityUnavailable, KeyExpired, Unauthenticated
from headgate.identity.introspection import AT_ONCE, Introspection, Settings
from headgate.identity.mapping import Rule, Rules
from issuers import NOW
from upstreams import Close, ScriptedUpstream, Sleep, Stall, json_reply, reply

SECRET = "s3cret"
TOKEN = b"mF_9.B5f-4.1JqM~+/=="
ACTIVE = {"active": True, "sub": "ann", "exp": NOW + 300, "scope": "chat embed", "aud": "headgate", "iss": "https://as"}


class Server(ScriptedUpstream):
    """Answers with what stands in `answer`."""

    def __init__(self):
        super().__init__(self._say)
        self.answer = ACTIVE

    async def _say(self, asked):
        answer = self.answer if isinstance(self.answer, tuple | bytes) else json_reply(self.answer)
        await asked.play(answer if isinstance(answer, tuple) else [answer])


@pytest.fixture
def server():
    with Server() as running:
        yield running


@contextlib.asynccontextmanager
async def asking(server, client, **settings):
    made = Introspection(Settings(f"{server.url}/introspect?v=1", "gateway", SECRET, **settings), client)
    yield made
    await made.close()


@pytest.fixture
async def verifier(server, client):
    async with asking(server, client) as made:
        yield made


async def test_an_active_token_says_who_it_is(server, client):
    rules = Rules(team=Rule("client", {"app": "engineering"}), models=Rule("scope"))
    settings = {"audiences": ["other", "headgate"], "scopes": ["chat"], "issuer": "https://as", "rules": rules}
    async with asking(server, client, **settings) as verifier:
        server.answer = {**ACTIVE, "client": "app"}
        found = await verifier.verify(TOKEN, NOW)
    assert (found.mapped.user, found.mapped.team, found.mapped.models, found.until) == (
        "ann", "engineering", ("chat", "embed"), NOW + 300,
    )  # fmt: skip
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/introspect?v=1")
    assert request.headers["authorization"] == "Basic Z2F0ZXdheTpzM2NyZXQ="
    assert dict(parse_qsl(request.body.decode())) == {"token": TOKEN.decode(), "token_type_hint": "access_token"}


async def test_credentials_are_sent_as_the_server_takes_them(server, client):
    async with asking(server, client, method="client_secret_post") as verifier:
        await verifier.verify(TOKEN, NOW)
    assert "authorization" not in server.requests[0].headers
    form = dict(parse_qsl(server.requests[0].body.decode()))
    assert (form["client_id"], form["client_secret"]) == ("gateway", SECRET)
    assert SECRET not in repr(verifier.settings)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"active": False}, "does not count"),
        ({**ACTIVE, "exp": NOW - 61}, "has ended"),
        ({**ACTIVE, "exp": "soon"}, "`exp` is no time"),
        ({**ACTIVE, "nbf": NOW + 61}, "not hold yet"),
        ({**ACTIVE, "aud": "other"}, "another audience"),
        ({**ACTIVE, "aud": ["other", ["headgate"]]}, "another audience"),
        ({**ACTIVE, "aud": {"headgate": 1}}, "another audience"),
        ({**ACTIVE, "aud": None}, "another audience"),
        ({**ACTIVE, "scope": "chats"}, "the scope 'chat'"),
        ({**ACTIVE, "scope": None}, "the scope 'chat'"),
        ({**ACTIVE, "iss": "https://evil.example"}, "another issuer"),
        ({**ACTIVE, "cnf": {"jkt": "a"}}, "bound to a key"),
        ({**ACTIVE, "token_type": "DPoP"}, "bound to a key"),
        ({**ACTIVE, "sub": None}, "nothing says who"),
        ({**ACTIVE, "sub": "ann\nroot"}, "can be no name"),
    ],
)
async def test_what_does_not_count_is_refused_and_asked_about_again(server, client, answer, words):
    settings = {"audiences": ["headgate"], "scopes": ["chat"], "issuer": "https://as"}
    async with asking(server, client, **settings) as verifier:
        server.answer = answer
        for _ in range(2):
            with pytest.raises(Unauthenticated, match=words) as failure:
                await verifier.verify(TOKEN, NOW)
            assert TOKEN.decode() not in failure.value.message
        assert len(server.requests) == 2
        server.answer = ACTIVE
        assert (await verifier.verify(TOKEN, NOW)).mapped.user == "ann"


@pytest.mark.parametrize(
    "answer",
    [
        (Close(),),
        json_reply({"active": False}, status=401),
        json_reply({"active": True, "sub": "ann"}, status=403),
        json_reply(ACTIVE, status=500),
        reply(b"", status=302, headers=[("location", "/other")]),
        reply(b"<html>"),
        reply(b'{"active": false, "active": true, "sub": "ann"}'),
        reply(b"x" * (1 << 20)),
        {"sub": "ann"},
        {**ACTIVE, "active": "true"},
        {**ACTIVE, "active": 1},
        {**ACTIVE, "active": None},
        [ACTIVE],
    ],
)
async def test_an_outage_is_no_word_about_the_token(server, verifier, answer):
    server.answer = json_reply(answer) if isinstance(answer, list) else answer
    with pytest.raises(IdentityUnavailable) as failure:
        await verifier.verify(TOKEN, NOW)
    assert failure.value.status == 503
    assert SECRET not in failure.value.message
    assert TOKEN.decode() not in failure.value.message
    assert verifier.known(hashlib.sha256(TOKEN).digest(), NOW) is None


async def test_no_more_is_waited_for_than_is_set(server, client):
    server.answer = (Stall(),)
    async with asking(server, client, wait=0.2) as verifier:
        with pytest.raises(IdentityUnavailable):
            await asyncio.wait_for(verifier.verify(TOKEN, NOW), 2)


async def test_an_answer_counts_for_a_while_and_no_longer_than_the_token(server, verifier):
    found = await verifier.verify(TOKEN, NOW)
    assert verifier.known(hashlib.sha256(TOKEN).digest(), NOW + 59) is found
    server.answer = {"active": False}
    assert await verifier.verify(TOKEN, NOW + 59) is found
    with pytest.raises(Unauthenticated):
        await verifier.verify(TOKEN, NOW + 60)
    server.answer = {"active": True, "sub": "ann"}
    assert (await verifier.verify(b"endless", NOW)).until == NOW + 60
    server.answer = {**ACTIVE, "exp": NOW - 50}
    await verifier.verify(b"short", NOW)
    assert verifier.known(hashlib.sha256(b"short").digest(), NOW + 11) is None
    with pytest.raises(KeyExpired):
        await verifier.verify(b"short", NOW + 11)


async def test_a_token_that_many_bring_is_asked_about_once(server, verifier):
    server.answer = (Sleep(0.05), json_reply(ACTIVE))
    found = await asyncio.gather(*(verifier.verify(TOKEN, NOW) for _ in range(50)))
    assert {each.mapped.user for each in found} == {"ann"}
    assert len(server.requests) == 1


async def test_who_gives_up_does_not_take_the_answer_from_the_others(server, verifier):
    server.answer = (Sleep(0.05), json_reply(ACTIVE))
    first, second = (asyncio.create_task(verifier.verify(TOKEN, NOW)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second).mapped.user == "ann"


async def test_only_so_many_questions_are_asked_at_a_time(server, client):
    server.answer = (Stall(),)
    async with asking(server, client, wait=0.3) as verifier:
        asked = [verifier.verify(b"token-%d" % number, NOW) for number in range(AT_ONCE + 10)]
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, IdentityUnavailable) for each in found)
    assert sum("too many" in each.message for each in found) == 10


async def test_what_is_no_token_is_not_asked_about(server, verifier):
    for token in [b"", b"a b", b"a\r\nb", b"\xff", b"a&active=true", b"x" * 20_000, b"=", b"a=b"]:
        with pytest.raises(Unauthenticated):
            await verifier.verify(token, NOW)
    assert not server.requests


@pytest.mark.parametrize("settings", [{"url": "as.example"}, {"url": "ftp://as"}, {"audiences": "a"}, {"scopes": "a"}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises((ValueError, TypeError)):
        Settings(**{"url": "https://as.example", "client_id": "a", "client_secret": "b", **settings})
