"""Amazon Bedrock: where it is asked, in what, and who signs."""

import base64
import datetime
import json
import time
from unittest import mock
from urllib.parse import quote, unquote

import botocore.auth
import pydantic
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from headgate.core.errors import NoCredentials, ProviderNonsense
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.target import Target
from headgate.dialects import (
    anthropic_messages,
    bedrock_converse,
    cohere_embed,
    cohere_rerank,
    jina_rerank,
    openai_chat,
    openai_embeddings,
    titan_embed,
)
from headgate.dialects.anthropic_messages import count_tokens as anthropic_count_tokens
from headgate.dialects.anthropic_messages import invoke
from headgate.dialects.bedrock_converse import count_tokens
from headgate.dialects.dialect import decode
from headgate.dialects.gemini_generate import count_tokens as gemini_count_tokens
from headgate.providers.bedrock import Bedrock, BedrockSettings
from headgate.upstream.client import Client
from together import together

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"
KEYS = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI", "region": "eu-west-1"}
ASKED = {"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No keys of the machine the tests run on."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def made(**settings):
    return Bedrock("bedrock", BedrockSettings(**settings))


def exchange_of(provider, model, body, headers=()):
    record = Record(id="i", time=0, client=None, dialect="d", path="/", worker=0)
    exchange = Exchange("i", anthropic_messages, "/", list(headers), None, 0.0, record)
    exchange.body = exchange.outgoing = json.dumps(body).encode()
    exchange.fields = body
    exchange.target = Target(provider, model)
    return exchange


@pytest.mark.parametrize(
    ("settings", "environ", "address"),
    [
        ({"region": "eu-west-1"}, {}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ({}, {}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ({}, {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "x"}, "https://bedrock-runtime.us-west-2.amazonaws.com"),
        ({}, {"AWS_DEFAULT_REGION": "us-west-2"}, "https://bedrock-runtime.us-west-2.amazonaws.com"),
        ({"profile": "work"}, {}, "https://bedrock-runtime.ap-south-1.amazonaws.com"),
        ({}, {"AWS_PROFILE": "work"}, "https://bedrock-runtime.ap-south-1.amazonaws.com"),
        ({"region": "us-east-1", "fips": True}, {}, "https://bedrock-runtime-fips.us-east-1.amazonaws.com"),
        ({"region": "cn-north-1"}, {}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"base_url": "https://vpce-1.vpce.amazonaws.com/", "region": "x"}, {}, "https://vpce-1.vpce.amazonaws.com"),
    ],
)
def test_the_regions_address(settings, environ, address, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile work]\nregion = ap-south-1\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    url = made(**settings).url(bedrock_converse, NOVA, False, {})
    assert url == f"{address}/model/amazon.nova-pro-v1%3A0/converse"


def test_anthropics_messages_are_asked_for_through_invoke_model():
    provider = made(region="us-east-1")
    path = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    assert provider.url(anthropic_messages, CLAUDE, False, {}) == f"{path}/invoke"
    assert provider.url(anthropic_messages, CLAUDE, True, {}) == f"{path}/invoke-with-response-stream"
    first = provider.endpoint(anthropic_messages, CLAUDE, True, {})
    assert first is provider.endpoint(anthropic_messages, CLAUDE, True, {})
    assert first is not provider.endpoint(anthropic_messages, CLAUDE, False, {})


@together(
    ("client", "model", "spoken"),
    [
        (anthropic_messages, CLAUDE, anthropic_messages),
        (anthropic_messages, NOVA, bedrock_converse),
        (invoke, CLAUDE, invoke),
        (invoke, NOVA, bedrock_converse),
        (bedrock_converse, CLAUDE, bedrock_converse),
        (openai_chat, CLAUDE, bedrock_converse),
        (openai_chat, NOVA, bedrock_converse),
        (anthropic_count_tokens, CLAUDE, anthropic_count_tokens),
        (anthropic_count_tokens, NOVA, count_tokens),
        (gemini_count_tokens, CLAUDE, count_tokens),
    ],
)
def test_what_is_spoken_about_a_model(client, model, spoken):
    assert made(region="us-east-1").dialect_for(client, model) is spoken


def test_anthropics_body_goes_into_the_envelope():
    provider = made(region="us-east-1")
    headers = [
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"context-1m-2025-08-07, files-api-2025-04-14,interleaved-thinking-2025-05-14"),
        (b"anthropic-user-profile-id", b"u1"),
    ]
    exchange = exchange_of(provider, CLAUDE, ASKED)
    assert provider.pack(exchange, anthropic_messages, headers) == []
    assert decode(exchange.outgoing) == {
        "max_tokens": 5,
        "messages": ASKED["messages"],
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07", "interleaved-thinking-2025-05-14"],
        "user_profile_id": "u1",
    }
    assert [loss.path for loss in exchange.lost] == ["anthropic-beta: files-api-2025-04-14"]


def test_betas_of_the_body_and_of_the_configuration():
    provider = made(region="us-east-1", betas=["files-api-2025-04-14"])
    exchange = exchange_of(provider, CLAUDE, {**ASKED, "anthropic_beta": ["x"], "anthropic_version": "y"})
    provider.pack(exchange, anthropic_messages, [(b"anthropic-beta", b"context-1m-2025-08-07")])
    assert decode(exchange.outgoing)["anthropic_beta"] == ["x"]
    assert decode(exchange.outgoing)["anthropic_version"] == "bedrock-2023-05-31"
    exchange = exchange_of(provider, CLAUDE, ASKED)
    provider.pack(exchange, anthropic_messages, [(b"anthropic-beta", b"files-api-2025-04-14,effort-2025-11-24")])
    assert decode(exchange.outgoing)["anthropic_beta"] == ["files-api-2025-04-14"]
    exchange = exchange_of(provider, CLAUDE, ASKED)
    provider.pack(exchange, anthropic_messages, [(b"anthropic-beta", b"effort-2025-11-24")])
    assert "anthropic_beta" not in decode(exchange.outgoing)


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (CLAUDE, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("global.anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"),
        ("us-gov.anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"),
        ("anthropic.claude-sonnet-5", "anthropic.claude-sonnet-5"),
        ("us.deepseek", "us.deepseek"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",) * 2,
    ],
)
def test_tokens_are_counted_by_the_model_itself(model, asked):
    provider = made(base_url="http://h")
    for dialect in (count_tokens, anthropic_count_tokens):
        url = provider.url(dialect, model, False, {})
        assert unquote(url) == f"http://h/model/{asked}/count-tokens"


@pytest.mark.parametrize(
    ("thinking", "room"),
    [
        (None, 1),
        ({"type": "enabled", "budget_tokens": 2048}, 2049),
        ({"type": "adaptive"}, 1),
        ("wrong", 1),
    ],
)
def test_anthropics_count_is_one_of_the_body_for_invoke_model(thinking, room):
    provider = made(region="us-east-1")
    asked = {"model": "claude", "messages": ASKED["messages"], **({"thinking": thinking} if thinking else {})}
    exchange = exchange_of(provider, CLAUDE, asked)
    headers = [(b"anthropic-beta", b"context-1m-2025-08-07")]
    assert provider.pack(exchange, anthropic_count_tokens, headers) == []
    body = decode(exchange.outgoing)["input"]["invokeModel"]["body"]
    del asked["model"]
    assert decode(base64.b64decode(body)) == {
        **asked,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07"],
        "max_tokens": room,
    }
    unpacker = provider.unpack(anthropic_count_tokens, False)
    assert unpacker.feed(b'{"inputTokens": 12}') == b'{"input_tokens":12}'
    for nonsense in (b"", b"[]", b'{"inputTokens":"x"}', b"<html>"):
        with pytest.raises(ProviderNonsense):
            unpacker.feed(nonsense)


def test_other_dialects_go_as_they_are():
    provider = made(region="us-east-1")
    exchange = exchange_of(provider, NOVA, {"messages": []})
    assert provider.pack(exchange, bedrock_converse, [(b"x-amzn-trace-id", b"1")]) == [(b"x-amzn-trace-id", b"1")]
    assert exchange.outgoing == b'{"messages": []}'
    assert provider.unpack(bedrock_converse, True) is None


async def test_a_request_is_signed_as_botocore_signs_it():
    provider = made(**KEYS, session_token="the-token", headers={"x-amz-meta-team": "research"})
    exchange = exchange_of(provider, CLAUDE, ASKED)
    endpoint = provider.endpoint(bedrock_converse, CLAUDE, True, {})
    before = time.time()
    found = dict(await provider.prove(exchange, endpoint, None))
    stamp = datetime.datetime.strptime(found[b"x-amz-date"].decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    assert before - 2 < stamp.timestamp() < time.time() + 2
    request = AWSRequest(
        method="POST",
        url=provider.url(bedrock_converse, CLAUDE, True, {}),
        headers={"content-type": "application/json", "x-amz-meta-team": "research"},
        data=exchange.outgoing,
    )
    credentials = Credentials(KEYS["access_key_id"], KEYS["secret_access_key"], "the-token")
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=stamp):  # its only clock
        botocore.auth.SigV4Auth(credentials, "bedrock", "eu-west-1").add_auth(request)
    assert found[b"authorization"].decode() == request.headers["Authorization"]
    assert found[b"x-amz-security-token"] == b"the-token"
    assert b"authorization" not in endpoint.head


async def test_what_has_no_body_is_signed_too():
    provider = made(**KEYS)
    exchange = exchange_of(provider, CLAUDE, ASKED)
    exchange.outgoing = None
    endpoint = provider.endpoint(bedrock_converse, CLAUDE, False, {})
    found = dict(await provider.prove(exchange, endpoint, None))
    assert found[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert provider.secrecy.scrub(b"by wJalrXUtnFEMI") == b"by [redacted]"


def test_what_a_url_names_is_fetched_for_it():
    assert made().inline_links
    assert not made(inline_links=False).inline_links


async def test_an_api_key_is_a_bearer_token_and_nothing_is_signed():
    provider = made(api_key="bedrock-api-key-abc", **KEYS)
    endpoint = provider.endpoint(bedrock_converse, NOVA, False, {})
    assert b"authorization: Bearer bedrock-api-key-abc\r\n" in endpoint.head
    assert await provider.prove(exchange_of(provider, NOVA, {}), endpoint, None) == ()


async def test_without_any_keys_it_says_what_to_set(few_authorities):
    provider = made(region="us-east-1")
    client = Client(ca_file=few_authorities)
    endpoint = provider.endpoint(bedrock_converse, NOVA, False, {})
    with pytest.raises(NoCredentials, match="no AWS credentials were found"):
        await provider.prove(exchange_of(provider, NOVA, {}), endpoint, client)
    await client.close()


def test_its_secrets_are_hidden():
    provider = made(**KEYS, session_token="the-session-token")
    told = provider.secrecy.scrub(b"AKIDEXAMPLE wJalrXUtnFEMI the-session-token")
    assert told == b"AKIDEXAMPLE [redacted] [redacted]"
    assert "wJalrXUtnFEMI" not in repr(provider.settings)


@pytest.mark.parametrize("settings", [{"access_key_id": "a"}, {"secret_access_key": "b"}, {"region": "eu west"}])
def test_settings_that_cannot_be(settings):
    with pytest.raises(pydantic.ValidationError):
        BedrockSettings(**settings)


def test_errors_are_bedrocks_whatever_was_spoken():
    provider = made(region="us-east-1")
    body = b'{"message":"This model version has reached the end of its life."}'
    error = provider.read_error(anthropic_messages, 404, body)
    assert (error.kind, error.message) == ("ResourceNotFoundException", json.loads(body)["message"])
    assert error.dialect is not anthropic_messages  # so its body is not passed on as Anthropic's
    assert provider.read_error(bedrock_converse, 404, body).dialect is None


@pytest.mark.parametrize(
    ("client", "model", "spoken"),
    [
        (openai_embeddings, "amazon.titan-embed-text-v2:0", titan_embed),
        (cohere_embed, "amazon.titan-embed-text-v2:0", titan_embed),
        (openai_embeddings, "us.cohere.embed-v4:0", cohere_embed),
        (cohere_embed, "cohere.embed-english-v3", cohere_embed),
        (jina_rerank, "cohere.rerank-v3-5:0", cohere_rerank),
    ],
)
def test_embeddings_and_ranks_are_asked_for_in_the_makers_words(client, model, spoken):
    provider = made(region="us-east-1")
    assert provider.dialect_for(client, model) is spoken
    assert provider.url(spoken, model, False, {}).endswith(f"/model/{quote(model, safe='')}/invoke")


@pytest.mark.parametrize(
    ("dialect", "model", "expected"),
    [
        (cohere_embed, "cohere.embed-v4:0", {"texts": ["a"]}),
        (cohere_rerank, "cohere.rerank-v3-5:0", {"texts": ["a"], "api_version": 2}),
        (cohere_rerank, "amazon.rerank-v1:0", {"texts": ["a"]}),
    ],
)
def test_coheres_bodies_go_without_their_model(dialect, model, expected):
    provider = made(region="us-east-1")
    exchange = exchange_of(provider, model, {"model": model, "texts": ["a"]})
    assert provider.pack(exchange, dialect, [(b"x-client-name", b"n")]) == []
    assert decode(exchange.outgoing) == expected


def test_an_error_about_coheres_body_is_amazons():
    error = made(region="us-east-1").read_error(cohere_embed, 400, b'{"message":"Malformed input request"}')
    assert (error.dialect, error.message) == (bedrock_converse, "Malformed input request")
