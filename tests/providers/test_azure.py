"""Azure OpenAI and Foundry: the addresses of their APIs, and who is let in by key and by token."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from headgate.core.errors import NoCredentials, ProviderRefused, Unsupported
from headgate.dialects import anthropic_messages, cohere_chat, openai_chat, openai_embeddings, openai_responses
from headgate.dialects.anthropic_messages import count_tokens
from headgate.dialects.gemini_generate import count_tokens as count_for_gemini
from headgate.providers.azure import Azure, AzureSettings
from headgate.providers.azure_foundry import AzureFoundry, AzureFoundrySettings
from headgate.upstream.client import Client
from providers.test_contract import exchange
from together import together
from upstreams import ScriptedUpstream, json_reply

RESOURCE = "https://acme.openai.azure.com"
FOUNDRY = "https://acme.services.ai.azure.com"


def azure(**settings):
    return Azure("azure", AzureSettings(**{"base_url": RESOURCE, **settings}))


def foundry(**settings):
    return AzureFoundry("foundry", AzureFoundrySettings(**{"base_url": FOUNDRY, **settings}))


@together(
    ("version", "dialect", "expected"),
    [
        (None, openai_chat, "/openai/v1/chat/completions"),
        (None, openai_responses, "/openai/v1/responses"),
        (None, openai_embeddings, "/openai/v1/embeddings"),
        ("preview", openai_chat, "/openai/v1/chat/completions?api-version=preview"),
        ("2024-10-21", openai_chat, "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21"),
        ("2024-10-21", openai_embeddings, "/openai/deployments/my%20gpt%2F4/embeddings?api-version=2024-10-21"),
        ("2025-04-01-preview", openai_responses, "/openai/responses?api-version=2025-04-01-preview"),
    ],
)
@together("ending", ["", "/", "/openai", "/openai/v1/"])
def test_where_a_deployment_is_asked(version, dialect, expected, ending):
    provider = azure(base_url=RESOURCE + ending, api_version=version)
    assert provider.url(dialect, "my gpt/4", False, {}) == RESOURCE + expected


@pytest.mark.parametrize("version", ["2024-10-21&x=1", "2024/10", "a b", "", "2024\n"])
def test_a_version_is_one(version):
    with pytest.raises(ValueError, match="api_version"):
        azure(api_version=version)


@pytest.mark.parametrize(
    ("version", "old"),
    [(None, False), ("preview", False), ("2024-09-01-preview", False), ("2024-10-21", False), ("2024-06-01", True)],
)
def test_old_versions_are_asked_in_old_words(version, old):
    provider = azure(api_version=version)
    assert provider.asks_for_usage is not old
    changes = provider.adjust({"max_completion_tokens": 7}, openai_chat, "m")
    assert changes == ({"max_completion_tokens": None, "max_tokens": 7} if old else {})


@together(
    ("version", "model", "client", "expected"),
    [
        (None, "gpt-5", openai_chat, "/openai/v1/chat/completions"),
        (None, "gpt-5", openai_responses, "/openai/v1/responses"),
        (None, "gpt-5", anthropic_messages, "/openai/v1/chat/completions"),
        (None, "claude-sonnet-5", anthropic_messages, "/anthropic/v1/messages"),
        (None, "claude-sonnet-5", openai_chat, "/anthropic/v1/messages"),
        (None, "claude-sonnet-5", cohere_chat, "/anthropic/v1/messages"),
        ("2024-05-01-preview", "grok-3", openai_chat, "/models/chat/completions?api-version=2024-05-01-preview"),
        ("2024-05-01-preview", "cohere", openai_embeddings, "/models/embeddings?api-version=2024-05-01-preview"),
        ("2024-05-01-preview", "gpt-5", openai_responses, "/openai/v1/responses"),
        ("2024-05-01-preview", "claude-opus-5", anthropic_messages, "/anthropic/v1/messages"),
    ],
)
@together("ending", ["", "/anthropic/", "/models", "/openai/v1"])
def test_where_foundrys_models_are_asked(version, model, client, expected, ending):
    provider = foundry(base_url=FOUNDRY + ending, api_version=version)
    assert provider.url(provider.dialect_for(client, model), model, False, {}) == FOUNDRY + expected


def test_a_key_goes_where_each_api_looks_for_it():
    assert azure(api_key="k-0123456789").auth(openai_chat) == {"api-key": "k-0123456789"}
    assert foundry(api_key="k-0123456789").auth(openai_chat) == {"api-key": "k-0123456789"}
    assert foundry(api_key="k-0123456789").auth(anthropic_messages) == {"x-api-key": "k-0123456789"}


def test_foundry_counts_the_tokens_of_claude_only():
    provider = foundry(api_key="k-0123456789")
    assert provider.dialect_for(count_for_gemini, "claude-sonnet-5") is count_tokens
    assert provider.url(count_tokens, "claude-sonnet-5", False, {}) == f"{FOUNDRY}/anthropic/v1/messages/count_tokens"
    assert provider.auth(count_tokens) == {"x-api-key": "k-0123456789"}
    with pytest.raises(Unsupported, match="count tokens"):
        provider.dialect_for(count_tokens, "grok-4")
    assert not azure(api_key="k-0123456789").proves


TOKEN = "entra-token-0123456789"


@pytest.fixture
async def client(monkeypatch, few_authorities):
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = Client(ca_file=few_authorities)
    yield found
    await found.close()


def given(**more):
    return json_reply({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN, **more})


async def test_a_token_is_asked_for_once_and_sent_with_every_request(client, monkeypatch):
    answer = json_reply({"id": "c", "choices": []})
    with ScriptedUpstream(given()) as entra, ScriptedUpstream(answer) as resource:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
        provider = azure(
            base_url=resource.url, tenant_id="acme", client_id="app-1", client_secret="s-0123456789"
        )  # made once the authority is known
        for _ in range(3):
            asked = exchange(provider, openai_chat)
            await provider.send(asked, client)
            await asked.ending.aclose()
    assert len(entra.requests) == 1
    assert entra.requests[0].path == "/acme/oauth2/v2.0/token"
    assert b"scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default" in entra.requests[0].body
    assert [request.headers["authorization"] for request in resource.requests] == [f"Bearer {TOKEN}"] * 3
    assert not [request for request in resource.requests if "api-key" in request.headers]


async def test_a_token_that_the_host_repeats_does_not_get_through(client, monkeypatch):
    echo = json_reply({"error": {"message": f"bad token {TOKEN}", "code": "401"}}, status=401)
    with ScriptedUpstream(given()) as entra, ScriptedUpstream(echo) as resource:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
        provider = azure(base_url=resource.url, tenant_id="acme", client_id="app-1", client_secret="s-0123456789")
        asked = exchange(provider, openai_chat)
        with pytest.raises(ProviderRefused) as caught:
            await provider.send(asked, client)
        await asked.ending.aclose()
    assert TOKEN not in caught.value.message
    assert TOKEN.encode() not in caught.value.body


async def test_a_secret_that_entra_repeats_does_not_get_through(client, monkeypatch):
    secret = "s-0123456789-canary"
    refusal = json_reply({"error": "invalid_client", "error_description": f"AADSTS7000215: not {secret}"}, status=401)
    with ScriptedUpstream(refusal) as entra:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
        provider = azure(tenant_id="acme", client_id="app-1", client_secret=secret)
        asked = exchange(provider, openai_chat)
        with pytest.raises(NoCredentials, match="Entra ID answered 401 \\(invalid_client: AADSTS7000215") as caught:
            await provider.send(asked, client)
        await asked.ending.aclose()
    assert secret not in caught.value.message
    assert caught.value.status == 502


async def test_a_header_of_ones_own_proves_who_asks(client):
    with ScriptedUpstream(json_reply({"id": "c", "choices": []})) as resource:
        provider = azure(base_url=resource.url, headers={"Authorization": "Bearer mine"})
        asked = exchange(provider, openai_chat)
        await provider.send(asked, client)
        await asked.ending.aclose()
    assert resource.requests[0].headers["authorization"] == "Bearer mine"


async def test_content_filters_pass_as_they_came(client):
    body = {
        "id": "c",
        "choices": [
            {
                "index": 0,
                "finish_reason": "content_filter",
                "message": {"role": "assistant", "content": None},
                "content_filter_results": {"hate": {"filtered": True, "severity": "high"}},
            }
        ],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    }
    with ScriptedUpstream(json_reply(body)) as resource:
        provider = azure(base_url=resource.url, api_key="k-0123456789")
        asked = exchange(provider, openai_chat)
        reply = await provider.send(asked, client)
        await asked.ending.aclose()
    assert json.loads(reply.body) == body
    reader = openai_chat.reader(False)
    events = reader.feed(reply.body) + reader.end()
    assert events[-1].reason == "refusal"


def test_a_filtered_prompt_is_an_error_that_says_so():
    body = {
        "error": {
            "message": "The prompt triggered Azure OpenAI's content management policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
        }
    }
    error = openai_chat.read_error(400, json.dumps(body).encode())
    assert (error.vendor_code, error.param) == ("content_filter", "prompt")
    assert "content management policy" in error.message


RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges" / "azure"
APIS = {"chat_completions": openai_chat, "responses": openai_responses, "embeddings": openai_embeddings}


def test_recorded_requests_went_to_the_same_places():
    """Those of OpenAI's SDK and of other people's, to every one of the addresses."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded traffic is not there")
    seen = set()
    for path in sorted(RECORDED.glob("*.json")):
        recorded = json.loads(path.read_text())
        url = urlsplit((recorded["request"].get("url") or "").replace("com//", "com/"))
        version = dict(parse_qsl(url.query)).get("api-version")
        kind = re.match(r"/(openai/v1|openai/deployments|openai/responses|models)/?", url.path)
        dialect = APIS.get(recorded["api"])
        if dialect is None or kind is None or (kind[1] == "openai/deployments" and version is None):
            continue
        model = unquote(url.path.split("/")[3]) if kind[1] == "openai/deployments" else "m"
        make = foundry if kind[1] == "models" else azure
        provider = make(base_url=f"{url.scheme}://{url.netloc}", api_version=version)
        assert provider.url(dialect, model, False, {}) == url.geturl(), path.name
        seen.add(kind[1])
    assert seen == {"openai/v1", "openai/deployments", "openai/responses", "models"}
