"""watsonx.ai: a token for the key, the stream in the address, and who pays in the body."""

import json

import pytest

from headgate.core.errors import NoCredentials
from headgate.dialects import openai_chat
from headgate.dialects.dialect import decode, patch
from headgate.providers.watsonx import Watsonx, WatsonxSettings
from headgate.upstream.client import Client
from providers.test_contract import exchange
from upstreams import ScriptedUpstream, json_reply

KEY = "ibm-key-0123456789"


def made(**settings):
    return Watsonx("watsonx", WatsonxSettings(**{"api_key": KEY, "project_id": "p-1", **settings}))


@pytest.mark.parametrize(
    ("settings", "model", "stream", "expected"),
    [
        ({}, "ibm/granite", False, "https://us-south.ml.cloud.ibm.com/ml/v1/text/chat?version=2025-02-11"),
        ({"region": "eu-de"}, "m", True, "https://eu-de.ml.cloud.ibm.com/ml/v1/text/chat_stream?version=2025-02-11"),
        (
            {"base_url": "https://cpd.example/", "api_version": "2024-05-31"},
            "deployment/my model",
            True,
            "https://cpd.example/ml/v1/deployments/my%20model/text/chat_stream?version=2024-05-31",
        ),
    ],
)
def test_where_it_is_asked(settings, model, stream, expected):
    assert made(**settings).url(openai_chat, model, stream, {}) == expected


@pytest.mark.parametrize("region", ["a.evil.example/", "", "US", "a/b"])
def test_a_region_is_one(region):
    with pytest.raises(ValueError, match="region"):
        made(region=region)


@pytest.mark.parametrize(
    ("settings", "model", "sent", "expected"),
    [
        (
            {},
            "ibm/granite",
            {"model": "chat", "messages": [], "stream": True, "stream_options": {}},
            {"messages": [], "model_id": "ibm/granite", "project_id": "p-1"},
        ),
        (
            {"project_id": None, "space_id": "s-1"},
            "m",
            {"model": "m", "tool_choice": "required"},
            {"model_id": "m", "space_id": "s-1", "tool_choice_option": "required"},
        ),
        (
            {},
            "deployment/d",
            {"model": "m", "tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
    ],
)
def test_what_it_is_asked_with(settings, model, sent, expected):
    body = json.dumps(sent).encode()
    fields = decode(body)
    changes = made(**settings).adjust(fields, openai_chat, model)
    assert json.loads(patch(body, changes, fields)) == expected


@pytest.fixture
async def client(few_authorities):
    found = Client(ca_file=few_authorities)
    yield found
    await found.close()


async def test_a_token_is_had_for_the_key(client, monkeypatch):
    token = json_reply({"access_token": "iam-token-0123456789", "expires_in": 3600, "expiration": 1})
    with ScriptedUpstream(token) as iam, ScriptedUpstream(json_reply({"choices": []})) as models:
        monkeypatch.setenv("WATSONX_IAM_URL", f"{iam.url}/identity/token")
        provider = made(base_url=models.url)
        for _ in range(2):
            asked = exchange(provider, openai_chat)
            await provider.send(asked, client)
            await asked.ending.aclose()
    [request] = iam.requests
    assert request.path == "/identity/token"
    assert request.body == f"grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey={KEY}".encode()
    assert {request.headers["authorization"] for request in models.requests} == {"Bearer iam-token-0123456789"}
    assert KEY.encode() not in b"".join(request.body for request in models.requests)


async def test_a_key_that_is_wrong_is_told_without_it(client, monkeypatch):
    refusal = json_reply({"errorCode": "BXNIM0415E", "errorMessage": f"{KEY} could not be found"}, status=400)
    with ScriptedUpstream(refusal) as iam:
        monkeypatch.setenv("WATSONX_IAM_URL", iam.url)
        asked = exchange(made(), openai_chat)
        with pytest.raises(NoCredentials, match="IBM's IAM answered 400 \\(BXNIM0415E: ") as caught:
            await asked.target.provider.send(asked, client)
        await asked.ending.aclose()
    assert KEY not in caught.value.message


def test_it_is_found_with_who_pays_only():
    environ = {"WATSONX_APIKEY": KEY}
    assert Watsonx.found(environ) is None
    assert Watsonx.found({**environ, "WATSONX_PROJECT_ID": "p"}) == (
        {"api_key": "env:WATSONX_APIKEY"},
        "WATSONX_APIKEY",
    )
