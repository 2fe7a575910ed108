"""Tokens of Entra ID are found where Azure's own SDKs find them, over real sockets to services that play Azure's."""

import time
from urllib.parse import parse_qs

import pytest

from headgate.core.errors import NoCredentials
from headgate.providers.auth.entra import NONE, Entra, EntraSettings, Wanted
from headgate.upstream.client import Client
from upstreams import ScriptedUpstream, json_reply, reply

SCOPE = "https://cognitiveservices.azure.com/.default"
NOWHERE = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"}
NOW = 1_700_000_000.0


def given(**fields):
    return json_reply({"access_token": "t-1", "token_type": "Bearer", **fields})


@pytest.fixture
async def fetch(few_authorities):
    client = Client(ca_file=few_authorities)

    async def run(environ, **wanted):
        return await Entra(Wanted(SCOPE, **wanted), {**NOWHERE, **environ}, lambda: NOW)(client)

    yield run
    await client.close()


def form_of(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


async def test_a_clients_secret(fetch):
    with ScriptedUpstream(given(expires_in=3599)) as entra:
        environ = {"AZURE_AUTHORITY_HOST": entra.url + "/"}
        grant = await fetch(environ, tenant_id="acme.example", client_id="app", client_secret="s&=1")
    assert (grant.value, grant.until) == ("t-1", NOW + 3599)
    [asked] = entra.requests
    assert (asked.method, asked.path) == ("POST", "/acme.example/oauth2/v2.0/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form_of(asked) == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "s&=1",
        "scope": SCOPE,
    }


async def test_everything_from_the_environment(fetch):
    with ScriptedUpstream(given(expires_in=60)) as entra:
        environ = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}
        await fetch({**environ, "AZURE_AUTHORITY_HOST": entra.url})
    assert form_of(entra.requests[0])["client_secret"] == "s"


async def test_the_environments_secret_is_not_another_clients(fetch):
    environ = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}
    with pytest.raises(NoCredentials, match="no credentials for Azure"):
        await fetch(environ, client_id="other")


async def test_a_workloads_token_is_read_anew_each_time(fetch, tmp_path):
    file = tmp_path / "token"
    with ScriptedUpstream(given(expires_in=60)) as entra:
        environ = {
            "AZURE_AUTHORITY_HOST": entra.url,
            "AZURE_FEDERATED_TOKEN_FILE": str(file),
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_ID": "c",
        }
        for text in ("first\n", "second\n"):
            file.write_text(text)
            await fetch(environ)
    forms = [form_of(request) for request in entra.requests]
    assert [form["client_assertion"] for form in forms] == ["first", "second"]
    assert {form["client_assertion_type"] for form in forms} == {
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    }
    assert "client_secret" not in forms[0]


async def test_an_app_services_identity(fetch):
    with ScriptedUpstream(given(expires_on=str(int(NOW) + 80_000))) as service:
        environ = {"IDENTITY_ENDPOINT": f"{service.url}/msi/token/", "IDENTITY_HEADER": "h-1"}
        grant = await fetch(environ, client_id="user-assigned")
    assert (grant.value, grant.until) == ("t-1", NOW + 80_000)
    [asked] = service.requests
    path, _, query = asked.path.partition("?")
    assert (asked.method, path, asked.headers["x-identity-header"]) == ("GET", "/msi/token/", "h-1")
    assert parse_qs(query) == {
        "api-version": ["2019-08-01"],
        "resource": ["https://cognitiveservices.azure.com"],
        "client_id": ["user-assigned"],
    }


async def test_a_machines_identity(fetch):
    with ScriptedUpstream(given(expires_in="86399", expires_on="1700086399")) as machine:
        grant = await fetch({"AZURE_POD_IDENTITY_AUTHORITY_HOST": machine.url})
    assert (grant.value, grant.until) == ("t-1", NOW + 86399)
    [asked] = machine.requests
    assert asked.path == (
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com"
    )
    assert asked.headers["metadata"] == "true"


async def test_nothing_at_all_says_what_to_set(fetch):
    started = time.perf_counter()
    with pytest.raises(NoCredentials) as caught:
        await fetch({})
    assert caught.value.message == NONE
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            json_reply(
                {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid.\r\nTrace: 1"}, status=401
            ),
            r"Entra ID answered 401 \(invalid_client: AADSTS7000215: Invalid\.\)$",
        ),
        (json_reply({"error": {"code": 1, "message": "odd"}}, status=400), r"answered 400 \(odd\)"),
        (reply(b"<html>", status=503), r"Entra ID answered 503$"),
        (reply(b"<html>"), "gave no JSON"),
        (json_reply([]), "gave no JSON"),
        (json_reply({"expires_in": 3}), "gave no token"),
        (json_reply({"access_token": "", "expires_in": 3}), "gave no token"),
        (json_reply({"access_token": "t", "expires_in": "soon"}), "no time"),
        (json_reply({"access_token": "t", "expires_in": [1]}), "no time"),
    ],
)
async def test_a_service_that_fails_is_named(fetch, script, why):
    wanted = {"tenant_id": "t", "client_id": "c", "client_secret": "s-canary-0123456789"}
    with ScriptedUpstream(script) as entra, pytest.raises(NoCredentials, match=why) as caught:
        await fetch({"AZURE_AUTHORITY_HOST": entra.url}, **wanted)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("wanted", "missing"), [({"client_id": "c"}, "tenant_id"), ({"tenant_id": "t"}, "client_id"), ({}, "tenant_id")]
)
async def test_a_secret_alone_is_not_enough(fetch, wanted, missing):
    with pytest.raises(NoCredentials, match=f"needs a `{missing}`"):
        await fetch({}, client_secret="s", **wanted)


async def test_a_tenant_does_not_lead_elsewhere(fetch):
    with ScriptedUpstream(given(expires_in=60)) as entra:
        environ = {"AZURE_AUTHORITY_HOST": entra.url}
        await fetch(environ, tenant_id="../evil?x=", client_id="c", client_secret="s")
    assert entra.requests[0].path == "/..%2Fevil%3Fx%3D/oauth2/v2.0/token"


def test_what_is_wanted_does_not_show_its_secret():
    wanted = EntraSettings(client_secret="s-canary").wanted(SCOPE)
    assert wanted.client_secret == "s-canary"
    assert "canary" not in repr(wanted)
    assert EntraSettings(scope="api://x/.default").wanted(SCOPE).scope == "api://x/.default"
