"""People log in at an OpenID provider and come back; who comes back otherwise does not get in."""

import contextlib
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from headgate.core.errors import IdentityUnavailable, Unauthenticated
from headgate.identity.login import Login, Settings
from headgate.identity.mapping import Rule, Rules
from issuers import NOW, Clock, TestProvider, made
from openid import openid_provider
from upstreams import Close, json_reply, reply

KEY = made("P-256", "one")
BACK = "https://gateway.example/console/login/back"
SECRET = "s3cret/+ &"


@pytest.fixture
def provider():
    with TestProvider(KEY) as server:
        yield server


@contextlib.asynccontextmanager
async def logging_in(provider, client, **settings):
    settings = {"client_secret": SECRET, **settings}
    login = Login(Settings(provider.url, "gate way", BACK, **settings), client, Clock())
    yield login
    await login.close()


@pytest.fixture
async def login(provider, client):
    async with logging_in(provider, client) as made:
        yield made


async def refused(login, begun, returned, words, now=NOW):
    with pytest.raises(Unauthenticated, match=words) as failure:
        await login.finish(begun, returned, now)
    assert SECRET not in failure.value.message


async def test_whoever_logs_in_comes_back_with_a_name(provider, login):
    begun = await login.begin(NOW)
    query = dict(parse_qsl(urlsplit(begun.url).query))
    assert (query["client_id"], query["redirect_uri"], query["scope"]) == ("gate way", BACK, "openid profile email")
    assert begun.verifier not in begun.url
    found = await login.finish(begun, provider.visit(begun.url), NOW + 30)
    assert found.mapped.user == "ann"
    header, form = provider.forms[0]
    assert header == "Basic Z2F0ZSUyMHdheTpzM2NyZXQlMkYlMkIlMjAlMjY="
    assert "client_secret" not in form
    again = await login.begin(NOW)
    assert not {again.state, again.nonce, again.verifier} & {begun.state, begun.nonce, begun.verifier}


async def test_the_secret_is_sent_as_the_provider_takes_it(provider, client):
    for settings, sent in [({"method": "client_secret_post"}, SECRET), ({"client_secret": None}, None)]:
        async with logging_in(provider, client, **settings) as login:
            begun = await login.begin(NOW)
            await login.finish(begun, provider.visit(begun.url), NOW)
        header, form = provider.forms[-1]
        assert (header, form["client_id"], form.get("client_secret")) == (None, "gate way", sent)
    assert SECRET not in repr(Settings(provider.url, "a", BACK, client_secret=SECRET))


async def test_a_login_that_was_not_begun_here_is_refused(provider, login):
    mine, others = await login.begin(NOW), await login.begin(NOW)
    returned = provider.visit(others.url)
    for state in (returned["state"], None, "", mine.state[:-1], f"{mine.state}\ud800"):
        given = {"code": returned["code"]} if state is None else {**returned, "state": state}
        await refused(login, mine, given, "state")
    assert not provider.forms
    # somebody else's code under one's own state: the proof is missing
    await refused(login, mine, {**returned, "state": mine.state}, "does not know the code")


async def test_a_code_counts_once_and_not_for_long(provider, login):
    begun = await login.begin(NOW)
    returned = provider.visit(begun.url)
    await refused(login, begun, returned, "too long", NOW + 600)
    await refused(login, begun, returned, "too long", NOW - 1)
    await login.finish(begun, returned, NOW)
    await refused(login, begun, returned, "does not know the code")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"nonce": None}, "nonce"),
        ({"nonce": "other"}, "nonce"),
        ({"nonce": 1}, "nonce"),
        ({"aud": "other"}, "audience"),
        ({"aud": ["gate way", "other"]}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": NOW - 100}, "ended"),
        ({"sub": None}, "who this is"),
    ],
)
async def test_an_id_token_that_is_not_for_this_login_is_refused(provider, login, told, words):
    provider.told = told
    begun = await login.begin(NOW)
    await refused(login, begun, provider.visit(begun.url), words)


async def test_an_id_token_for_several_is_taken_where_it_names_this_client(provider, login):
    provider.told = {"aud": ["gate way", "other"], "azp": "gate way"}
    begun = await login.begin(NOW)
    await login.finish(begun, provider.visit(begun.url), NOW)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ({"error": "access_denied"}, "'access_denied'"),
        ({"error": "a\r\n\x1b[31m" + "x" * 500}, r"'a\\r\\n"),
        ({}, "no code"),
        ({"code": ""}, "no code"),
        ({"code": "x" * 5000}, "no code"),
        ({"code": "c", "iss": "https://evil.example"}, "another provider"),
    ],
)
async def test_what_a_provider_sends_back_is_told(provider, login, returned, words):
    begun = await login.begin(NOW)
    await refused(login, begun, {"state": begun.state, **returned}, words)
    assert not provider.forms


async def test_a_provider_that_says_who_it_is_has_to(provider, login):
    provider.changed = {"authorization_response_iss_parameter_supported": True}
    begun = await login.begin(NOW)
    returned = provider.visit(begun.url)
    await refused(login, begun, returned, "`iss`")
    await login.finish(begun, {**returned, "iss": provider.url}, NOW)


@pytest.mark.parametrize(
    "instead",
    [
        (Close(),),
        json_reply({"error": "invalid_client"}, status=401),
        json_reply({"error": "server_error"}, status=500),
        json_reply({"error": "temporarily_unavailable"}),
        reply(b"<html>"),
        reply(b"", status=302, headers=[("location", "/elsewhere")]),
    ],
)
async def test_a_provider_that_fails_is_an_outage(provider, login, instead):
    begun = await login.begin(NOW)
    provider.instead["/token"] = instead
    with pytest.raises(IdentityUnavailable) as failure:
        await login.finish(begun, provider.visit(begun.url), NOW)
    assert SECRET not in failure.value.message


async def test_a_provider_without_a_token_gives_none(provider, login):
    begun = await login.begin(NOW)
    provider.instead["/token"] = json_reply({"access_token": "access"})
    await refused(login, begun, provider.visit(begun.url), "no ID token")


async def test_more_claims_are_asked_for_where_it_is_said(provider, client):
    rules = Rules(team=Rule("groups", {"eng": "engineering"}), name=Rule("name"))
    provider.told = {"name": "Ann"}
    provider.more["name"] = "Root"
    async with logging_in(provider, client, userinfo=True, rules=rules) as login:
        begun = await login.begin(NOW)
        found = await login.finish(begun, provider.visit(begun.url), NOW)
        assert (found.mapped.user, found.mapped.team, found.mapped.name) == ("ann", "engineering", "Ann")
        for person in ({"sub": "bob"}, {}):
            provider.more = person
            begun = await login.begin(NOW)
            await refused(login, begun, provider.visit(begun.url), "somebody else")
        provider.instead["/userinfo"] = json_reply({}, status=500)
        begun = await login.begin(NOW)
        with pytest.raises(IdentityUnavailable):
            await login.finish(begun, provider.visit(begun.url), NOW)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example", "ftp://evil.example", "", None, 1])
async def test_nobody_is_sent_to_an_address_that_is_none(provider, login, address):
    provider.changed = {"authorization_endpoint": address}
    with pytest.raises(IdentityUnavailable, match="authorization_endpoint"):
        await login.begin(NOW)


async def test_a_provider_of_somebody_elses_lets_people_in(client):
    with openid_provider("--user-claims", '{"sub": "ann", "email": "ann@acme.example", "groups": ["eng"]}') as other:
        rules = Rules(user=Rule("email"), team=Rule("groups", {"eng": "engineering"}))
        async with logging_in(other, client, userinfo=True, rules=rules) as login:
            begun = await login.begin(time.time())
            found = await login.finish(begun, other.visit(begun.url, "ann"), time.time())
    assert (found.mapped.user, found.mapped.team) == ("ann@acme.example", "engineering")
