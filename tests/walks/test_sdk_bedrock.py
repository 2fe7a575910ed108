"""Amazon's SDK against the gateway with several vendors behind it, and Bedrock behind other vendors' SDKs.

All over TLS, because Amazon's SDK sends a bearer token over nothing else.
"""

import base64
import contextlib
import datetime
import json
import ssl
import urllib.request
from unittest import mock

import anthropic
import boto3
import botocore.auth
import botocore.exceptions
import pytest
import trustme
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from gateways import KEY, free_port, running
from headgate.dialects.event_stream import write_exception
from upstreams import LAST_CHUNK, Close, Sleep, as_chunk, chunked_head, json_reply
from walks.conftest import configured, each, settle
from walks.vendors import (
    AMAZON_STREAM,
    ANTHROPIC_USAGE,
    BEDROCK_USAGE,
    IDS,
    RECORDED_USAGE,
    WEATHER,
    Said,
    amazon_stream,
    anthropic_body,
    bedrock_events,
    error_body,
    invoked_events,
    stream,
    whole,
)

ASK = [{"role": "user", "content": [{"text": "Say hello in three languages."}]}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"toolSpec": {"name": name, "description": f"The {name}.", "inputSchema": {"json": SCHEMA}}}
    for name in ("get_weather", "get_time")
]
CLAUDE = {"max_tokens": 300, "messages": [{"role": "user", "content": "Hello"}]}
PATH = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"
SIGNING = Credentials("AKIDEXAMPLE", "bedrock-signing-secret")
vendors = pytest.mark.parametrize("vendor", ["bedrock", "openai", "anthropic"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the gateway runs, with a certificate."""
    made = tmp_path_factory.mktemp("gateway")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(made / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(made / "cert.pem")
    certificate.private_key_pem.write_to_path(made / "key.pem")
    return made


@pytest.fixture(scope="module")
def authorities(folder):
    return ssl.create_default_context(cafile=folder / "ca.pem")


@pytest.fixture(scope="module")
def gateway(first, second_upstream, folder, authorities):
    config = configured(first.url, second_upstream.url, free_port())
    config = config.replace("server: {", "server: {tls: {cert: cert.pem, key: key.pem}, ", 1)
    with running(folder, config, trust=authorities) as started:
        yield started
        assert "Traceback" not in started.output()


def made(gateway, monkeypatch, **given):
    """Amazon's SDK with only its endpoint changed, and the gateway's key as a Bedrock API key."""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    if not given:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    return boto3.session.Session().client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=gateway.url,
        verify=str(gateway.folder / "ca.pem"),
        config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        **given,
    )


@pytest.fixture
def client(gateway, monkeypatch):
    made_one = made(gateway, monkeypatch)
    yield made_one
    made_one.close()


def sent(upstream):
    [request] = upstream.requests
    return json.loads(request.body)


def drained(stream, into):
    """Append a stream's items; what came before an error is there then too."""
    with contextlib.closing(stream):
        into.extend(stream)
    return into


def record_of(gateway, **wanted):
    record = gateway.newest()
    assert {name: record.get(name, False) for name in wanted} == wanted
    return record


@vendors
def test_plain_converse(client, gateway, upstream, vendor):
    upstream.script = whole(vendor, Said())
    asked = {"messages": ASK, "system": [{"text": "Be brief."}], "inferenceConfig": {"maxTokens": 99}}
    reply = client.converse(modelId=vendor, **asked)
    assert reply["output"]["message"] == {"role": "assistant", "content": [{"text": Said().text}]}
    assert reply["stopReason"] == "end_turn"
    assert reply["usage"]["totalTokens"] == 120
    assert reply["usage"]["cacheReadInputTokens"] == 60
    assert reply["metrics"]["latencyMs"] >= 0
    record = record_of(gateway, dialect="bedrock_converse", path=f"/model/{vendor}/converse", status=200, stream=False)
    if vendor == "bedrock":
        assert sent(upstream) == asked
        assert upstream.requests[0].path == "/model/amazon.nova-pro-v1%3A0/converse"
        assert upstream.requests[0].headers["authorization"] == "Bearer bedrock-upstream-secret"
        usage = {"input": 30, "output": 20, "cache_read": 60, "cache_write": 4, "cache_write_1h": 6}
        assert record["usage"] == {**usage, "reported": BEDROCK_USAGE}


@vendors
def test_converse_stream(client, gateway, upstream, vendor):
    upstream.script = stream(vendor, Said(thinking="Hm."))
    reply = client.converse_stream(modelId=vendor, messages=ASK)
    events = drained(reply["stream"], [])
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "messageStart"
    assert kinds[-2:] == ["messageStop", "metadata"]
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta.get("text", "") for delta in deltas) == Said().text
    thoughts = [delta["reasoningContent"] for delta in deltas if "reasoningContent" in delta]
    assert "".join(thought.get("text", "") for thought in thoughts) == "Hm."
    assert events[-1]["metadata"]["usage"]["totalTokens"] == 120
    assert reply["ResponseMetadata"]["HTTPHeaders"]["content-type"] == AMAZON_STREAM
    record_of(gateway, status=200, stream=True, dialect="bedrock_converse")
    if vendor == "bedrock":
        assert upstream.requests[0].path == "/model/amazon.nova-pro-v1%3A0/converse-stream"


@vendors
def test_tools_whole_and_streamed(client, upstream, vendor):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, said), stream(vendor, said)]
    asked = {"modelId": vendor, "messages": ASK, "toolConfig": {"tools": TOOLS, "toolChoice": {"any": {}}}}
    reply = client.converse(**asked)
    calls = [block["toolUse"] for block in reply["output"]["message"]["content"] if "toolUse" in block]
    wanted = [(id, name, json.loads(arguments)) for id, name, arguments in WEATHER]
    assert [(call["toolUseId"], call["name"], call["input"]) for call in calls] == wanted
    assert reply["stopReason"] == "tool_use"
    given = {}
    for event in drained(client.converse_stream(**asked)["stream"], []):
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]["start"]["toolUse"]
            given[event["contentBlockStart"]["contentBlockIndex"]] = [start["toolUseId"], start["name"], ""]
        elif "toolUse" in event.get("contentBlockDelta", {}).get("delta", {}):
            delta = event["contentBlockDelta"]
            given[delta["contentBlockIndex"]][2] += delta["delta"]["toolUse"]["input"]
    assert [(id, name, json.loads(text)) for id, name, text in given.values()] == wanted


@vendors
def test_a_tool_turn_goes_on(client, upstream, vendor):
    upstream.script = whole(vendor, Said())
    id, name, arguments = WEATHER[0]
    turns = [
        *ASK,
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": id, "name": name, "input": json.loads(arguments)}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": [{"json": {"sky": "sunny"}}]}}]},
    ]
    client.converse(modelId=vendor, messages=turns, toolConfig={"tools": TOOLS}, inferenceConfig={"maxTokens": 99})
    body = json.dumps(sent(upstream), ensure_ascii=False)
    for word in ("sunny", id, name, "Zürich"):
        assert word in body


def test_bytes_reach_another_vendor(client, upstream):
    upstream.script = whole("anthropic", Said())
    parts = [
        {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n"}}},
        {"document": {"format": "pdf", "name": "paper", "source": {"bytes": b"%PDF-1.7\n"}}},
        {"text": "What is this?"},
    ]
    client.converse(
        modelId="anthropic", messages=[{"role": "user", "content": parts}], inferenceConfig={"maxTokens": 9}
    )
    image, document, _ = sent(upstream)["messages"][0]["content"]
    assert image["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
    assert (document["title"], document["source"]["media_type"]) == ("paper", "application/pdf")


def test_a_model_of_a_provider_is_asked_for_directly(client, gateway, upstream):
    upstream.script = whole("bedrock", Said())
    client.converse(modelId="bedrock/eu.amazon.nova-lite-v1:0", messages=ASK)
    assert upstream.requests[0].path == "/model/eu.amazon.nova-lite-v1%3A0/converse"
    record_of(gateway, target="bedrock/eu.amazon.nova-lite-v1:0")


# --- errors


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "ValidationException"), (403, "AccessDeniedException"), (429, "ThrottlingException")],
)
def test_an_error_of_bedrock_passes_as_it_came(client, gateway, upstream, status, name):
    headers = [("x-amzn-ErrorType", f"{name}:http://internal.amazon.com/coral/")]
    upstream.script = json_reply({"message": "No."}, status=status, headers=headers)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        client.converse(modelId="bedrock", messages=ASK)
    response = caught.value.response
    assert (response["Error"]["Code"], response["Error"]["Message"]) == (name, "No.")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    record_of(gateway, status=status, error="provider_refused")


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_an_error_of_another_vendor_is_said_in_amazons_words(client, upstream, vendor):
    upstream.script = json_reply(error_body(vendor, 429, "Too fast."), status=429)
    with pytest.raises(client.exceptions.ThrottlingException) as caught:
        client.converse(modelId=vendor, messages=ASK)
    assert caught.value.response["Error"]["Message"] == "Too fast."


def test_the_gateways_own_errors(client, gateway, monkeypatch):
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="there is no model"):
        client.converse(modelId="no-such-model", messages=ASK)
    config = {"guardrailIdentifier": "gr1", "guardrailVersion": "1"}
    with pytest.raises(client.exceptions.ValidationException, match="guardrail"):
        client.converse(modelId="openai", messages=ASK, guardrailConfig=config)
    signing = made(gateway, monkeypatch, aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret")
    with pytest.raises(botocore.exceptions.ClientError, match="AWS_BEARER_TOKEN_BEDROCK") as caught:
        signing.converse(modelId="bedrock", messages=ASK)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401
    signing.close()


def test_an_exception_in_the_middle_of_a_stream(client, gateway, upstream):
    begun = map(as_chunk, bedrock_events(Said())[:3])
    exception = as_chunk(write_exception("throttlingException", b'{"message":"Too many tokens."}'))
    upstream.script = (chunked_head(content_type=AMAZON_STREAM), *begun, Sleep(0.2), exception, LAST_CHUNK)
    events = []
    with pytest.raises(botocore.exceptions.EventStreamError, match="Too many tokens"):
        drained(client.converse_stream(modelId="bedrock", messages=ASK)["stream"], events)
    record_of(gateway, ending="cut", error="provider_refused")


def test_a_stream_that_breaks_off_ends_in_an_exception(client, gateway, upstream):
    upstream.script = (chunked_head(content_type=AMAZON_STREAM), *map(as_chunk, bedrock_events(Said())[:3]), Close())
    events = []
    with pytest.raises(botocore.exceptions.EventStreamError):
        drained(client.converse_stream(modelId="bedrock", messages=ASK)["stream"], events)
    assert [next(iter(event)) for event in events] == ["messageStart", "contentBlockDelta", "contentBlockDelta"]
    record_of(gateway, ending="cut", error="provider_cut")


def test_an_exception_instead_of_a_stream_has_a_status(client, gateway, upstream):
    upstream.script = amazon_stream([write_exception("serviceUnavailableException", b'{"message":"Busy."}')])
    with pytest.raises(client.exceptions.ServiceUnavailableException, match="Busy"):
        client.converse_stream(modelId="bedrock", messages=ASK)
    record_of(gateway, status=503)


# --- Anthropic's messages in InvokeModel


def invoked(client, model, body, *, streamed=False):
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", **body})
    if not streamed:
        with contextlib.closing(client.invoke_model(modelId=model, body=body)["body"]) as reply:
            return json.loads(reply.read())
    reply = client.invoke_model_with_response_stream(modelId=model, body=body)
    return [json.loads(event["chunk"]["bytes"]) for event in drained(reply["body"], [])]


@pytest.mark.parametrize("model", ["bedrock-claude", "anthropic", "openai"])
def test_invoke_model(client, gateway, upstream, model):
    vendor = "openai" if model == "openai" else "anthropic"
    said = Said(thinking="Hm.", calls=WEATHER, stop="tools")
    upstream.script = [whole(vendor, said)]
    reply = invoked(client, model, CLAUDE)
    assert [block["type"] for block in reply["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert reply["stop_reason"] == "tool_use"
    record_of(gateway, dialect="anthropic_invoke", status=200, stream=False)
    if model == "bedrock-claude":
        assert reply == anthropic_body(said)
        assert sent(upstream) == {"anthropic_version": "bedrock-2023-05-31", **CLAUDE}
        assert upstream.requests[0].path == f"{PATH}/invoke"
    elif vendor == "anthropic":
        assert sent(upstream) == {"model": "claude-sonnet-4-5", **CLAUDE}


@pytest.mark.parametrize("model", ["bedrock-claude", "anthropic", "openai"])
def test_invoke_model_streamed(client, gateway, upstream, model):
    said = Said(thinking="Hm.")
    upstream.script = amazon_stream(invoked_events(said)) if model == "bedrock-claude" else stream(model, said)
    events = invoked(client, model, CLAUDE, streamed=True)
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == said.text
    record_of(gateway, dialect="anthropic_invoke", status=200, stream=True)


@pytest.mark.parametrize("model", ["bedrock-claude", "anthropic", "openai"])
@pytest.mark.parametrize("streamed", [True, False])
def test_anthropics_sdk_for_bedrock(gateway, upstream, authorities, model, streamed):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    if streamed and model == "bedrock-claude":
        upstream.script = amazon_stream(invoked_events(said))
    else:
        upstream.script = (stream if streamed else whole)("openai" if model == "openai" else "anthropic", said)
    http = anthropic.DefaultHttpxClient(verify=authorities)
    given = {"api_key": KEY, "aws_region": "eu-west-1", "base_url": gateway.url, "http_client": http, "max_retries": 0}
    asked = {"model": model, "extra_headers": {"anthropic-beta": "context-1m-2025-08-07"}, **CLAUDE}
    with anthropic.AnthropicBedrock(**given) as sdk:
        if streamed:
            with sdk.messages.stream(**asked) as events:
                reply = events.get_final_message()
        else:
            reply = sdk.messages.create(**asked)
    assert [block.type for block in reply.content] == ["text", "tool_use", "tool_use"]
    assert [block.input for block in reply.content[1:]] == [json.loads(arguments) for _, _, arguments in WEATHER]
    assert reply.stop_reason == "tool_use"
    record_of(gateway, dialect="anthropic_invoke", status=200, stream=streamed)
    if model == "bedrock-claude":
        assert sent(upstream)["anthropic_beta"] == ["context-1m-2025-08-07"]
    elif model == "anthropic":
        assert upstream.requests[0].headers["anthropic-beta"] == "context-1m-2025-08-07"
        assert "anthropic_beta" not in sent(upstream)


def test_what_is_not_understood_is_forwarded_signed(gateway, upstream):
    body = b'{"inputText":"Hello","dimensions":256}'
    upstream.script = json_reply({"embedding": [0.5], "inputTextTokenCount": 1})
    path = "/model/amazon.titan-embed-text-v2%3A0/invoke"
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/bedrock_signed{path}", body, headers)
    with urllib.request.urlopen(request, timeout=20, context=gateway.trust) as reply:
        assert json.load(reply)["embedding"] == [0.5]
    [asked] = upstream.requests
    assert (asked.path, asked.body) == (path, body)
    stamp = datetime.datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    again = AWSRequest(method="POST", url=f"{upstream.url}{path}", data=body)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=stamp):  # its only clock
        botocore.auth.SigV4Auth(SIGNING, "bedrock", "eu-west-1").add_auth(again)
    assert asked.headers["authorization"] == again.headers["Authorization"]


def test_another_models_body_is_refused(client):
    with pytest.raises(client.exceptions.ValidationException, match="anthropic_version"):
        client.invoke_model(modelId="bedrock", body=json.dumps({"inputText": "hi"}))


# --- counting tokens


@pytest.mark.parametrize(
    ("model", "answer"),
    [("bedrock", {"inputTokens": 12}), ("anthropic", {"input_tokens": 12})],
)
def test_count_tokens(client, gateway, upstream, model, answer):
    upstream.script = json_reply(answer)
    asked = {"messages": ASK, "system": [{"text": "Be brief."}]}
    assert client.count_tokens(modelId=model, input={"converse": asked})["inputTokens"] == 12
    path = "/v1/messages/count_tokens" if model == "anthropic" else "/model/amazon.nova-pro-v1%3A0/count-tokens"
    assert upstream.requests[0].path == path
    assert "Be brief." in json.dumps(sent(upstream))
    record_of(gateway, dialect="bedrock_count_tokens", status=200)


async def test_anthropics_sdk_counts_tokens(anthropic_client, gateway, upstream):
    upstream.script = json_reply({"inputTokens": 12})
    messages = CLAUDE["messages"]
    for model in ("bedrock-claude", "bedrock"):
        count = await settle(anthropic_client.messages.count_tokens(model=model, messages=messages))
        assert count.input_tokens == 12
    claude, nova = upstream.requests
    assert claude.path == f"{PATH.replace('us.', '')}/count-tokens"
    assert claude.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    counted = base64.b64decode(json.loads(claude.body)["input"]["invokeModel"]["body"])
    assert json.loads(counted) == {
        "messages": messages,
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1,
    }
    assert nova.path == "/model/amazon.nova-pro-v1%3A0/count-tokens"
    assert json.loads(nova.body)["input"]["converse"]["messages"][0]["content"] == [{"text": "Hello"}]


# --- Bedrock behind other vendors' SDKs


async def test_anthropics_sdk_reaches_claude_with_nothing_lost(anthropic_client, gateway, upstream):
    said = Said(thinking="Hm.", calls=WEATHER, stop="tools")
    body = anthropic_body(said, container={"id": "c1", "expires_at": "2027-01-01T00:00:00Z"})
    upstream.script = [json_reply(body), amazon_stream(invoked_events(said))]
    asked = {
        "model": "bedrock-claude",
        "extra_headers": {"anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14"},
    }
    raw = await settle(anthropic_client.messages.with_raw_response.create(**asked, **CLAUDE))
    assert json.loads(raw.http_response.content) == body
    assert raw.headers["x-headgate-lost"] == "anthropic-beta: files-api-2025-04-14"
    reply = raw.parse()
    reply = await settle(reply)
    assert (reply.content[0].thinking, reply.content[0].signature) == ("Hm.", said.signature)
    assert reply.usage.cache_read_input_tokens == ANTHROPIC_USAGE["cache_read_input_tokens"]
    first = upstream.requests[0]
    assert first.path == f"{PATH}/invoke"
    assert json.loads(first.body) == {
        **CLAUDE,
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07"],
    }
    proof = first.headers["authorization"]
    assert proof.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=" in proof
    assert not {name for name in first.headers if name.startswith("anthropic-")}
    events = await settle(anthropic_client.messages.create(**asked, **CLAUDE, stream=True))
    signatures, kinds = [], []
    async for event in each(events):
        kinds.append(event.type)
        if event.type == "content_block_delta" and event.delta.type == "signature_delta":
            signatures.append(event.delta.signature)
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert signatures == [said.signature]
    assert upstream.requests[1].path == f"{PATH}/invoke-with-response-stream"
    assert "stream" not in json.loads(upstream.requests[1].body)
    record = record_of(gateway, dialect="anthropic_messages", upstream_id=IDS["anthropic"], stream=True)
    usage = {name: count for name, count in record["usage"].items() if name != "reported"}
    assert usage == RECORDED_USAGE["anthropic"]


async def test_errors_of_claude_at_bedrock_are_said_in_anthropics_words(anthropic_client, upstream):
    upstream.script = json_reply({"message": "Too many requests."}, status=429)
    with pytest.raises(anthropic.RateLimitError) as caught:
        await settle(anthropic_client.messages.create(model="bedrock-claude", **CLAUDE))
    assert caught.value.body["error"]["type"] == "rate_limit_error"
    assert caught.value.body["error"]["message"] == "Too many requests."
    exception = write_exception("throttlingException", b'{"message":"Too many tokens."}')
    upstream.script = amazon_stream([*invoked_events(Said())[:4], exception])
    with pytest.raises(anthropic.APIStatusError, match="Too many tokens"):
        async for _ in each(
            await settle(anthropic_client.messages.create(model="bedrock-claude", **CLAUDE, stream=True))
        ):
            pass
    broken = invoked_events(Said())[:4]
    upstream.script = (chunked_head(content_type=AMAZON_STREAM), *map(as_chunk, broken), LAST_CHUNK)
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async for _ in each(
            await settle(anthropic_client.messages.create(model="bedrock-claude", **CLAUDE, stream=True))
        ):
            pass


async def test_anthropics_sdk_reaches_other_models(anthropic_client, upstream):
    upstream.script = [whole("bedrock", Said()), stream("bedrock", Said())]
    reply = await settle(anthropic_client.messages.create(model="bedrock", **CLAUDE))
    assert (reply.content[0].text, reply.stop_reason, reply.model) == (Said().text, "end_turn", "amazon.nova-pro-v1:0")
    assert (reply.usage.input_tokens, reply.usage.cache_creation_input_tokens) == (30, 10)
    events = [
        event
        async for event in each(await settle(anthropic_client.messages.create(model="bedrock", **CLAUDE, stream=True)))
    ]
    assert events[-1].type == "message_stop"


async def test_openais_sdk_reaches_bedrock(openai_client, gateway, upstream):
    said = Said(text="I will look.", calls=WEATHER, stop="tools")
    upstream.script = [whole("bedrock", said), stream("bedrock", said)]
    ask = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
    function = {"name": "get_weather", "parameters": SCHEMA}
    asked = {"model": "bedrock-claude", "messages": ask, "tools": [{"type": "function", "function": function}]}
    reply = await settle(openai_client.chat.completions.create(**asked))
    [choice] = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "I will look.")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (100, 20)
    assert reply.usage.prompt_tokens_details.cached_tokens == 60
    assert upstream.requests[0].path == f"{PATH}/converse"
    assert json.loads(upstream.requests[0].body)["system"] == [{"text": "Be brief."}]
    chunks = await settle(openai_client.chat.completions.create(**asked, stream=True))
    texts = [chunk.choices[0].delta.content or "" async for chunk in each(chunks) if chunk.choices]
    assert "".join(texts) == "I will look."
    record_of(gateway, status=200, stream=True, target="bedrock_signed/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
