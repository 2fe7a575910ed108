"""What the walks share: one gateway and one scripted provider for a file, and the vendors' own clients."""

import contextlib
import inspect
import ssl

import anthropic
import openai
import pytest

from gateways import KEY, OTHER_KEY, free_port, running
from upstreams import ScriptedUpstream

UPSTREAM_KEYS = {"openai": "sk-upstream-openai-secret", "anthropic": "sk-ant-upstream-secret"}


def configured(upstream, second, dead):
    """Every provider is a scripted one: `second` is another, `dead` a port where nobody listens."""
    quick = "timeouts: {connect: 1, first_byte: 0.3, idle: 0.3}"
    return f"""
server: {{host: 127.0.0.1, port: {{PORT}}, max_body_bytes: 8388608}}
data_dir: {{DATA}}
retry: {{attempts: 1}}
breaker: {{enabled: false}}
providers:
  openai: {{api_key: {UPSTREAM_KEYS["openai"]}, base_url: '{upstream}/v1'}}
  anthropic: {{api_key: {UPSTREAM_KEYS["anthropic"]}, base_url: '{upstream}'}}
  openai_second: {{kind: openai, api_key: sk-second-secret, base_url: '{second}/v1'}}
  anthropic_second: {{kind: anthropic, api_key: sk-second-secret, base_url: '{second}'}}
  openai_quick: {{kind: openai, api_key: sk-quick-secret, base_url: '{upstream}/v1', {quick}}}
  anthropic_quick: {{kind: anthropic, api_key: sk-quick-secret, base_url: '{upstream}', {quick}}}
  openai_dead: {{kind: openai, api_key: sk-dead-secret, base_url: 'http://127.0.0.1:{dead}/v1'}}
  anthropic_dead: {{kind: anthropic, api_key: sk-dead-secret, base_url: 'http://127.0.0.1:{dead}'}}
  cohere: {{api_key: co-upstream-secret, base_url: '{upstream}'}}
  ollama: {{base_url: '{upstream}'}}
  google: {{api_key: google-upstream-secret, base_url: '{upstream}'}}
  mistral: {{api_key: mistral-upstream-secret, base_url: '{upstream}/v1'}}
  bedrock: {{api_key: bedrock-upstream-secret, base_url: '{upstream}', region: eu-west-1}}
  bedrock_signed: {{kind: bedrock, base_url: '{upstream}', region: eu-west-1, access_key_id: AKIDEXAMPLE,
    secret_access_key: bedrock-signing-secret}}
  chats: {{kind: openai_compatible, api_key: chats-upstream-secret, base_url: '{upstream}/v1', speaks: [openai_chat]}}
  answers: {{kind: openai, api_key: answers-upstream-secret, base_url: '{upstream}/v1', speaks: [openai_responses]}}
  simulator: {{}}
models:
  responses: openai/gpt-5.1
  answers: answers/gpt-5.1
  chats: chats/gpt-oss-120b
  instruct: openai/gpt-3.5-turbo-instruct
  openai: openai/gpt-4o-mini
  anthropic: anthropic/claude-sonnet-4-5
  openai-spare: {{targets: [openai/gpt-4o-mini, openai_second/gpt-4o-mini]}}
  anthropic-spare: {{targets: [anthropic/claude-sonnet-4-5, anthropic_second/claude-sonnet-4-5]}}
  mixed-spare: {{targets: [openai/gpt-4o-mini], fallbacks: [anthropic_second/claude-sonnet-4-5]}}
  openai-quick: openai_quick/gpt-4o-mini
  anthropic-quick: anthropic_quick/claude-sonnet-4-5
  openai-dead: openai_dead/gpt-4o-mini
  anthropic-dead: anthropic_dead/claude-sonnet-4-5
  openai-revived: {{targets: [openai_dead/gpt-4o-mini, openai_second/gpt-4o-mini]}}
  anthropic-revived: {{targets: [anthropic_dead/claude-sonnet-4-5, anthropic_second/claude-sonnet-4-5]}}
  cohere: cohere/command-a-03-2025
  ollama: ollama/llama3.2
  gemini: google/gemini-3-flash
  mistral: mistral/mistral-small-latest
  bedrock: bedrock/amazon.nova-pro-v1:0
  bedrock-oss: bedrock/openai.gpt-oss-120b-1:0
  bedrock-claude: bedrock_signed/us.anthropic.claude-sonnet-4-5-20250929-v1:0
  gpt-4o-mini: openai/gpt-4o-mini
  claude-sonnet-4-5: anthropic/claude-sonnet-4-5
  sim: simulator/sim
keys:
  - {{name: test, key: {KEY}}}
  - {{name: limited, key: {OTHER_KEY}, models: [sim]}}
"""


@pytest.fixture(scope="module")
def first():
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def second_upstream():
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(first, second_upstream, tmp_path_factory):
    config = configured(first.url, second_upstream.url, free_port())
    with running(tmp_path_factory.mktemp("gateway"), config) as started:
        yield started
        assert "Traceback" not in started.output()


@pytest.fixture
def upstream(first):
    """The provider, with an empty memory; set its `script`."""
    first.requests.clear()
    first.script = b""
    return first


@pytest.fixture
def second(second_upstream):
    second_upstream.requests.clear()
    second_upstream.script = b""
    return second_upstream


@pytest.fixture(params=["sync", "async"])
def flavour(request):
    return request.param


@pytest.fixture(scope="session")
def authorities():
    """Loaded once: the SDKs would do it for each client, which takes longer than the tests."""
    return ssl.create_default_context()


@pytest.fixture
async def openai_client(gateway, flavour, authorities):
    """OpenAI's SDK with only its base URL and key changed, and no retries of its own."""
    kind, http = openai.OpenAI, openai.DefaultHttpxClient
    if flavour == "async":
        kind, http = openai.AsyncOpenAI, openai.DefaultAsyncHttpxClient
    given = {"http_client": http(verify=authorities), "max_retries": 0, "timeout": 20}
    client = kind(base_url=f"{gateway.url}/v1", api_key=KEY, **given)
    yield client
    await settle(client.close())


@pytest.fixture
async def anthropic_client(gateway, flavour, authorities):
    """Anthropic's SDK with only its base URL and key changed, and no retries of its own."""
    kind, http = anthropic.Anthropic, anthropic.DefaultHttpxClient
    if flavour == "async":
        kind, http = anthropic.AsyncAnthropic, anthropic.DefaultAsyncHttpxClient
    given = {"http_client": http(verify=authorities), "max_retries": 0, "timeout": 20}
    client = kind(base_url=gateway.url, api_key=KEY, **given)
    yield client
    await settle(client.close())


async def settle(value):
    """What a call of either flavour gives."""
    return await value if inspect.isawaitable(value) else value


async def each(stream):
    """The items of a stream of either flavour."""
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


async def collect(stream, into):
    """Append its items; what came before an error is there then too."""
    async for item in each(stream):
        into.append(item)  # a comprehension would lose them all


@contextlib.asynccontextmanager
async def opened(manager):
    """A `with` of either flavour."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value
