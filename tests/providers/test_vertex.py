"""Vertex AI: each family of models in its own words and at its own place, proved by token or key."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateways import KEY, running
from headgate.core.errors import NoCredentials, ProviderRefused, Unsupported
from headgate.dialects import anthropic_messages, cohere_chat, gemini_generate, openai_chat, openai_embeddings
from headgate.dialects.anthropic_messages import count_tokens as count_for_claude
from headgate.dialects.anthropic_messages import invoke
from headgate.dialects.gemini_generate import count_tokens as count_for_gemini
from headgate.dialects.gemini_generate import embed, predict
from headgate.providers.vertex import Vertex, VertexSettings
from headgate.upstream.client import Client
from providers.test_contract import exchange
from together import together
from traffic import whole
from upstreams import ScriptedUpstream, json_reply

EAST = "https://us-east5-aiplatform.googleapis.com"
PLACE = "/projects/acme/locations/us-east5"


def made(**settings):
    return Vertex("vertex", VertexSettings(**{"project": "acme", "location": "us-east5", **settings}))


@together(
    ("client", "model", "stream", "expected"),
    [
        (
            gemini_generate,
            "gemini-2.5-flash",
            False,
            "v1beta1{}/publishers/google/models/gemini-2.5-flash:generateContent",
        ),
        (
            openai_chat,
            "google/gemini-2.5-pro",
            False,
            "v1beta1{}/publishers/google/models/gemini-2.5-pro:generateContent",
        ),
        (
            anthropic_messages,
            "gemini-2.5-pro",
            True,
            "v1beta1{}/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        ),
        (gemini_generate, "4567890", False, "v1beta1{}/endpoints/4567890:generateContent"),
        (
            anthropic_messages,
            "claude-3-7-sonnet@20250219",
            False,
            "v1{}/publishers/anthropic/models/claude-3-7-sonnet@20250219:rawPredict",
        ),
        (
            openai_chat,
            "anthropic/claude-opus-5",
            True,
            "v1{}/publishers/anthropic/models/claude-opus-5:streamRawPredict",
        ),
        (openai_chat, "meta/llama-4-maverick-17b-128e-instruct-maas", True, "v1{}/endpoints/openapi/chat/completions"),
        (anthropic_messages, "deepseek-ai/deepseek-v3.2-maas", False, "v1{}/endpoints/openapi/chat/completions"),
        (cohere_chat, "qwen/qwen3-next-80b-a3b-instruct-maas", False, "v1{}/endpoints/openapi/chat/completions"),
        (count_for_gemini, "gemini-2.5-pro", False, "v1beta1{}/publishers/google/models/gemini-2.5-pro:countTokens"),
        (count_for_claude, "gemini-2.5-pro", False, "v1beta1{}/publishers/google/models/gemini-2.5-pro:countTokens"),
        (count_for_gemini, "claude-opus-5", False, "v1{}/publishers/anthropic/models/count-tokens:rawPredict"),
        (
            openai_embeddings,
            "text-embedding-005",
            False,
            "v1beta1{}/publishers/google/models/text-embedding-005:predict",
        ),
        (predict, "gemini-embedding-001", False, "v1beta1{}/publishers/google/models/gemini-embedding-001:predict"),
        (
            predict,
            "gemini-embedding-2",
            False,
            "v1beta1{}/publishers/google/models/gemini-embedding-2:batchEmbedContents",
        ),
        (embed, "4567890", False, "v1beta1{}/endpoints/4567890:predict"),
        (
            predict,
            "google/gemini-embedding-2",
            False,
            "v1beta1{}/publishers/google/models/gemini-embedding-2:batchEmbedContents",
        ),
        (embed, "intfloat/multilingual-e5-large-instruct-maas", False, "v1{}/endpoints/openapi/embeddings"),
        (gemini_generate, "claude/x?y", False, "v1{}/publishers/anthropic/models/claude%2Fx%3Fy:rawPredict"),
    ],
)
def test_where_a_model_is_asked(client, model, stream, expected):
    provider = made()
    dialect = provider.dialect_for(client, model)
    assert provider.url(dialect, model, stream, {}) == f"{EAST}/{expected.format(PLACE)}"


def test_tokens_of_open_models_are_not_counted_there():
    with pytest.raises(Unsupported, match="count tokens"):
        made().dialect_for(count_for_claude, "meta/llama-4-maverick-17b-128e-instruct-maas")


def test_embeddings_of_pictures_have_instances_of_their_own():
    with pytest.raises(Unsupported, match="embeddings"):
        made().dialect_for(openai_embeddings, "multimodalembedding@001")
    asked_in = made(speaks=["vertex_predict"])
    assert asked_in.dialect_for(openai_embeddings, "multimodalembedding@001") is predict


def test_one_content_goes_by_itself():
    entry = {"model": "models/smart", "content": {"parts": [{"text": "a"}]}, "taskType": "CLUSTERING"}
    there = {"content": entry["content"], "embedContentConfig": {"taskType": "CLUSTERING"}}
    provider = made()
    for client, entries, path, body in (
        (
            openai_embeddings,
            [entry],
            f"/v1beta1{PLACE}/publishers/google/models/gemini-embedding-2:embedContent",
            there,
        ),
        (openai_embeddings, [entry] * 2, None, {"requests": [there] * 2}),
        (embed, [entry], None, {"requests": [there]}),
    ):
        asked = exchange(provider, embed)
        asked.dialect, asked.target = client, provider.target("gemini-embedding-2")
        asked.outgoing = json.dumps({"requests": entries}).encode()
        assert provider.pack(asked, embed, []) == []
        assert getattr(asked.outgoing, "path", None) == path
        assert json.loads(getattr(asked.outgoing, "data", asked.outgoing)) == body


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_where_a_location_is(location, host):
    provider = made(location=location)
    place = f"https://{host}/v1/projects/acme/locations/{location}"
    assert provider.url(openai_chat, "a/b", False, {}) == f"{place}/endpoints/openapi/chat/completions"


@pytest.mark.parametrize("setting", ["project", "location"])
def test_a_setting_does_not_lead_elsewhere(setting):
    for value in ("a/../../b", "a?b", "evil.example/", "", "A B"):
        with pytest.raises(ValueError, match=setting):
            made(**{setting: value})


def test_express_mode_needs_a_key_only():
    provider = made(project=None, location="global", api_key="AQ.0123456789")
    place = "https://aiplatform.googleapis.com/v1beta1/publishers/google/models"
    assert provider.url(gemini_generate, "gemini-2.5-flash", False, {}) == f"{place}/gemini-2.5-flash:generateContent"
    assert provider.auth(gemini_generate) == {"x-goog-api-key": "AQ.0123456789"}
    assert not provider.proves
    assert Vertex.needed() == ["project"]
    assert Vertex.needed(provider.settings) == []


@pytest.mark.parametrize(
    ("dialect", "model", "sent", "expected"),
    [
        (
            anthropic_messages,
            "claude-opus-5",
            {"model": "smart", "max_tokens": 5, "stream": True},
            {"max_tokens": 5, "stream": True, "anthropic_version": "vertex-2023-10-16"},
        ),
        (
            anthropic_messages,
            "claude-opus-5",
            {"model": "m", "anthropic_version": "vertex-later"},
            {"anthropic_version": "vertex-later"},
        ),
        (
            count_for_claude,
            "anthropic/claude-opus-5",
            {"model": "smart", "messages": []},
            {"model": "claude-opus-5", "messages": [], "anthropic_version": "vertex-2023-10-16"},
        ),
        (openai_chat, "meta/llama", {"model": "meta/llama"}, {"model": "meta/llama"}),
    ],
)
def test_what_a_body_holds(dialect, model, sent, expected):
    assert packed(made(), dialect, model, sent) == expected


def packed(provider, dialect, model, sent):
    """What of a request of this dialect goes to a model."""
    asked = exchange(provider, dialect)
    asked.target = provider.target(model)
    asked.outgoing = json.dumps(sent).encode()
    headers = [(b"anthropic-beta", b"context-1m-2025-08-07")]
    assert provider.pack(asked, dialect, headers) == headers
    return json.loads(asked.outgoing)


def test_betas_of_invoke_models_clients_go_into_their_header():
    asked = exchange(made(), anthropic_messages)
    asked.dialect, asked.target = invoke, made().target("claude-opus-5")
    asked.outgoing = b'{"anthropic_beta":["context-1m-2025-08-07"],"max_tokens":5}'
    headers = made().pack(asked, anthropic_messages, [])
    assert headers == [(b"anthropic-beta", b"context-1m-2025-08-07")]
    assert json.loads(asked.outgoing) == {"max_tokens": 5, "anthropic_version": "vertex-2023-10-16"}


RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges" / "vertex"
WHERE = re.compile(
    r"/v1(?:beta1)?(?:/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+))?/publishers/(?:google|anthropic)"
    r"/models/(?P<model>[^/:]+):(?P<verb>\w+)"
)


@pytest.mark.parametrize("api", ["generateContent", "messages", "countTokens"])
def test_recorded_requests_went_to_the_same_places(api):
    """Those of Google's and Anthropic's SDKs, of other people's, and of express mode."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded traffic is not there")
    dialects = {"generateContent": gemini_generate, "messages": anthropic_messages, "countTokens": count_for_gemini}
    seen = 0
    for path in sorted(RECORDED.glob("*.json")):
        recorded = json.loads(path.read_text())
        found = WHERE.fullmatch(urlsplit(recorded["request"].get("url") or "").path)
        if recorded["api"] != api or found is None or found["location"] == "test-location":
            continue
        if (found["project"] or "").isupper():  # a project that was taken out
            continue
        stream = found["verb"].startswith("stream")
        settings = {"project": found["project"], "location": found["location"] or "global"}
        provider = made(**settings, api_key=None if found["project"] else "AQ.0123456789")
        fields = {"stream": True, "alt": "sse"} if stream else {}
        url = urlsplit(provider.url(dialects[api], unquote(found["model"]), stream, fields))
        theirs = urlsplit(recorded["request"]["url"])
        assert url.path.partition("/publishers/")[2] == theirs.path.partition("/publishers/")[2], path.name
        if found["project"] and not theirs.netloc.startswith("aiplatform."):
            assert url.netloc == theirs.netloc, path.name
        if api == "messages" and recorded["request"].get("body"):
            body = recorded["request"]["body"]
            asked = {"model": found["model"], **{key: body[key] for key in body if key != "anthropic_version"}}
            assert packed(provider, anthropic_messages, found["model"], asked) == body, path.name
        seen += 1
    assert seen


def test_it_is_found_where_the_environment_means_it():
    project = {"GOOGLE_CLOUD_PROJECT": "acme"}
    assert Vertex.found({}) is None
    assert Vertex.found(project) is None
    assert Vertex.found({"GOOGLE_APPLICATION_CREDENTIALS": "/x.json"}) is None
    for said in ({"GOOGLE_APPLICATION_CREDENTIALS": "/x.json"}, {"GOOGLE_GENAI_USE_VERTEXAI": "True"}):
        assert Vertex.found({**project, **said}) == ({}, "GOOGLE_CLOUD_PROJECT")


@pytest.fixture
async def client(few_authorities):
    found = Client(ca_file=few_authorities)
    yield found
    await found.close()


@pytest.fixture
def account(tmp_path):
    """Writes the file of a service account whose tokens come from a URL."""
    kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*kind).decode()

    def write(url):
        file = tmp_path / "account.json"
        info = {"type": "service_account", "client_email": "gw@acme", "private_key": key, "token_uri": url}
        file.write_text(json.dumps(info))
        return str(file)

    return write


async def test_a_token_is_asked_for_once_and_sent_with_every_request(client, account):
    token = json_reply({"access_token": "ya29.canary-0123456789", "expires_in": 3599})
    echo = json_reply({"error": {"message": "who is ya29.canary-0123456789?", "status": "UNAUTHENTICATED"}}, status=401)
    with ScriptedUpstream(token) as google, ScriptedUpstream(echo) as models:
        provider = made(base_url=models.url, credentials_file=account(google.url))
        for dialect in (anthropic_messages, openai_chat, gemini_generate):
            asked = exchange(provider, dialect)
            with pytest.raises(ProviderRefused) as caught:
                await provider.send(asked, client)
            await asked.ending.aclose()
            assert "canary" not in caught.value.message
            assert b"canary" not in caught.value.body
    assert len(google.requests) == 1
    assert {request.headers["authorization"] for request in models.requests} == {"Bearer ya29.canary-0123456789"}


async def test_without_credentials_the_error_says_what_to_set(client, tmp_path):
    provider = made(credentials_file=str(tmp_path / "none.json"))
    asked = exchange(provider, openai_chat)
    with pytest.raises(NoCredentials, match=r"none\.json cannot be read"):
        await provider.send(asked, client)
    await asked.ending.aclose()


def test_over_every_face(tmp_path, account):
    """A client of Anthropic's, one of OpenAI's and one of Google's, to a Claude and to a model of Meta's."""
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 3, "output_tokens": 2},
    }  # fmt: skip
    completion = whole("Hello")

    async def reply(asked):
        claude = asked.request.path.endswith("rawPredict")
        await asked.send(json_reply(message) if claude else completion)

    config = (
        "server: {{host: 127.0.0.1, port: {{PORT}}}}\ndata_dir: {{DATA}}\nproviders:\n"
        "  vertex: {{base_url: '{url}', project: acme, location: us-east5, credentials_file: '{file}'}}\n"
        "models: {{claude: vertex/claude-opus-5, llama: vertex/meta/llama-4}}\nkeys: [{{name: test, key: {key}}}]\n"
    )
    messages = [{"role": "user", "content": "Hi"}]
    token = json_reply({"access_token": "ya29.t", "expires_in": 3599})
    with (
        ScriptedUpstream(token) as google,
        ScriptedUpstream(reply) as upstream,
        running(tmp_path, config.format(url=upstream.url, file=account(google.url), key=KEY)) as gateway,
    ):
        own = gateway.post({"model": "claude", "max_tokens": 9, "messages": messages, "x": 1}, path="/v1/messages")
        crossed = gateway.post({"model": "claude", "messages": messages})
        third = gateway.post(
            {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}, path="/v1beta/models/llama:generateContent"
        )
        vectors = "/v1/projects/acme/locations/us-east5/publishers/google/models/text-embedding-005:predict"
        unread = gateway.post({"instances": [{"content": "Hi"}]}, path=f"/vertex{vectors}")
        assert (own[0], crossed[0], third[0], unread[0]) == (200, 200, 200, 200)
        assert [record["usage"]["input"] for record in gateway.records(4)[:2]] == [3, 3]
    first, second, last, other = upstream.requests
    assert (other.path, other.headers["authorization"]) == (vectors, "Bearer ya29.t")
    assert json.loads(other.body) == {"instances": [{"content": "Hi"}]}
    place = "/v1/projects/acme/locations/us-east5"
    assert first.path == second.path == f"{place}/publishers/anthropic/models/claude-opus-5:rawPredict"
    assert json.loads(first.body) == {
        "max_tokens": 9, "messages": messages, "x": 1, "anthropic_version": "vertex-2023-10-16"
    }  # fmt: skip
    assert json.loads(second.body)["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in json.loads(second.body)
    assert (last.path, json.loads(last.body)["model"]) == (
        f"{place}/endpoints/openapi/chat/completions",
        "meta/llama-4",
    )
