"""Tokens of Google Cloud are found where Google's own SDKs find them, over real sockets to fakes of them."""

import base64
import json
import time
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from headgate.core.errors import NoCredentials
from headgate.providers.auth.google import NONE, Google, Wanted
from headgate.upstream.client import Client
from upstreams import ScriptedUpstream, json_reply, reply

NOW = 1_700_000_000.0
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key=KEY):
    kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*kind).decode()


def given(**fields):
    return json_reply({"access_token": "ya29.t", "token_type": "Bearer", "expires_in": 3599, **fields})


def form_of(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


@pytest.fixture
async def fetch(tmp_path, few_authorities):
    """Runs the search, with an empty home unless the test fills it."""
    client = Client(ca_file=few_authorities)

    async def run(info=None, environ=None, *, named=True, **more):
        home = {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "GCE_METADATA_HOST": "127.0.0.1:1"}
        file = tmp_path / "credentials.json"
        if info is not None:
            file.write_text(info if isinstance(info, str) else json.dumps(info))
        wanted = Wanted(str(file) if info is not None and named else None, **more)
        return await Google(wanted, {**home, **(environ or {})}, lambda: NOW)(client)

    yield run
    await client.close()


def account(url, **fields):
    return {
        "type": "service_account",
        "client_email": "gw@acme.iam.gserviceaccount.com",
        "private_key_id": "kid-1",
        "private_key": pem(),
        "token_uri": url,
        **fields,
    }


def unpadded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_a_service_accounts_assertion(fetch):
    with ScriptedUpstream(given()) as google:
        grant = await fetch(account(f"{google.url}/token"))
    assert (grant.value, grant.until) == ("ya29.t", NOW + 3599)
    [asked] = google.requests
    form = form_of(asked)
    assert (asked.path, form["grant_type"]) == ("/token", "urn:ietf:params:oauth:grant-type:jwt-bearer")
    head, claims, signature = form["assertion"].split(".")
    assert json.loads(unpadded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert json.loads(unpadded(claims)) == {
        "iss": "gw@acme.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": f"{google.url}/token",
        "iat": int(NOW),
        "exp": int(NOW) + 3600,
    }
    KEY.public_key().verify(unpadded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_the_assertion_is_what_googles_own_library_makes():
    """google-auth as the oracle: it verifies what is signed here."""
    from google.auth import jwt  # slow to import, and needed here only

    from headgate.providers.auth.google import signed

    info = account("https://oauth2.googleapis.com/token")
    now = int(time.time())
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(signed(info, info["token_uri"], now), certs=public, audience=info["token_uri"])
    assert claims["iss"] == info["client_email"]


async def test_a_user_who_logged_in(fetch, tmp_path):
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "1//r"}
    (tmp_path / "gcloud").mkdir()
    (tmp_path / "gcloud" / "application_default_credentials.json").write_text(json.dumps(user))
    with ScriptedUpstream(given()) as google:
        assert (await fetch(tokens=google.url)).value == "ya29.t"
    assert form_of(google.requests[0]) == {
        "grant_type": "refresh_token",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "1//r",
    }


async def test_the_metadata_server(fetch):
    with ScriptedUpstream(given()) as metadata:
        grant = await fetch(environ={"GCE_METADATA_HOST": f"127.0.0.1:{metadata.port}"})
    assert (grant.value, grant.until) == ("ya29.t", NOW + 3599)
    [asked] = metadata.requests
    assert asked.method == "GET"
    assert asked.path == "/computeMetadata/v1/instance/service-accounts/default/token"
    assert asked.headers["metadata-flavor"] == "Google"


async def test_nothing_at_all_says_what_to_set(fetch):
    with pytest.raises(NoCredentials) as caught:
        await fetch()
    assert caught.value.message == NONE


async def test_a_file_of_the_environment(fetch, tmp_path):
    with ScriptedUpstream(given()) as google:
        environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "credentials.json")}
        assert (await fetch(account(google.url), environ, named=False)).value == "ya29.t"


def federated(google, source, **fields):
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/v1/token",
        "credential_source": source,
        **fields,
    }


async def test_a_federated_identity_by_its_file(fetch, tmp_path):
    (tmp_path / "subject").write_text("k8s-token\n")
    with ScriptedUpstream(given()) as google:
        info = federated(google, {"file": str(tmp_path / "subject")})
        assert (await fetch(info)).value == "ya29.t"
    form = form_of(google.requests[0])
    assert (google.requests[0].path, form["subject_token"]) == ("/v1/token", "k8s-token")
    assert form["audience"] == info["audience"]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"


async def test_a_federated_identity_by_a_url_that_takes_on_a_service_account(fetch):
    taken_on = json_reply({"accessToken": "ya29.impersonated", "expireTime": "2099-01-01T00:00:00Z"})
    with ScriptedUpstream([json_reply({"value": "az-token"}), given(), taken_on]) as google:
        source = {
            "url": f"{google.url}/identity?x=1",
            "headers": {"Metadata": "true"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        }
        url = f"{google.url}/v1/projects/-/serviceAccounts/gw:generateAccessToken"
        grant = await fetch(federated(google, source, service_account_impersonation_url=url))
    assert (grant.value, grant.until) == ("ya29.impersonated", 4070908800)
    identity, exchange, impersonation = google.requests
    assert (identity.path, identity.headers["metadata"]) == ("/identity?x=1", "true")
    assert form_of(exchange)["subject_token"] == "az-token"
    assert impersonation.headers["authorization"] == "Bearer ya29.t"
    assert json.loads(impersonation.body) == {
        "scope": ["https://www.googleapis.com/auth/cloud-platform"],
        "lifetime": "3600s",
    }


async def test_a_service_account_that_is_taken_on(fetch):
    taken_on = json_reply({"accessToken": "ya29.other", "expireTime": "2099-01-01T00:00:00Z"})
    with ScriptedUpstream([given(), taken_on]) as google:
        info = {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": f"{google.url}/generateAccessToken",
            "source_credentials": account(google.url),
        }
        assert (await fetch(info)).value == "ya29.other"


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ("not json", "gave no JSON"),
        ("[]", "gave no JSON"),
        ({"type": "odd"}, "type 'odd' are not known"),
        ({"type": "service_account"}, "`client_email` is missing"),
        ({"type": "service_account", "client_email": "a", "private_key": "x"}, "no key in the PEM format"),
        ({"type": "service_account", "client_email": "a", "token_uri": 3}, "`token_uri` is no text"),
        ({"type": "authorized_user", "client_id": "c"}, "`client_secret` is missing"),
        ({"type": "external_account", "audience": "a"}, "`subject_token_type` is missing"),
        (
            {"type": "external_account", "audience": "a", "subject_token_type": "t", "credential_source": {"aws": 1}},
            "only a `credential_source` with a `file` or a `url`",
        ),
        ({"type": "impersonated_service_account"}, "`source_credentials` is missing"),
    ],
)
async def test_a_file_that_is_wrong_is_told(fetch, info, why):
    with pytest.raises(NoCredentials, match=why):
        await fetch(info)


async def test_a_key_of_another_kind_is_told(fetch):
    with pytest.raises(NoCredentials, match="no RSA key"):
        await fetch(account("http://127.0.0.1:1", private_key=pem(ec.generate_private_key(ec.SECP256R1()))))


async def test_a_file_that_is_not_there_is_told(fetch, tmp_path):
    with pytest.raises(NoCredentials, match="cannot be read: FileNotFoundError"):
        await fetch(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none.json")})


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            json_reply({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, status=400),
            r"Google's token service answered 400 \(invalid_grant: Invalid JWT Signature\.\)",
        ),
        (reply(b"<html>", status=502), r"answered 502$"),
        (json_reply({"expires_in": 1}), "gave no token"),
    ],
)
async def test_a_service_that_fails_is_named(fetch, script, why):
    with ScriptedUpstream(script) as google, pytest.raises(NoCredentials, match=why) as caught:
        await fetch(account(google.url))
    assert "PRIVATE" not in caught.value.message


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            json_reply({"error": {"code": 403, "message": "denied", "status": "PERMISSION_DENIED"}}, status=403),
            "denied",
        ),
        (json_reply({"accessToken": "t", "expireTime": "soon"}), "no time"),
        (json_reply({"expireTime": "2099-01-01T00:00:00Z"}), "`accessToken` is missing"),
    ],
)
async def test_an_account_that_is_not_given_is_told(fetch, answer, why):
    with ScriptedUpstream([given(), answer]) as google:
        info = {"type": "impersonated_service_account", "source_credentials": account(google.url)}
        info["service_account_impersonation_url"] = google.url
        with pytest.raises(NoCredentials, match=why):
            await fetch(info)
