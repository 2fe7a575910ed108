"""What every provider keeps to; they are found by listing the folder, so a new one is tested by being there."""

import contextlib
import re
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httptools
import pydantic
import pytest

from headgate.core import plugin
from headgate.core.errors import InvalidRequest, ProviderError, ProviderNonsense, Unsupported
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.target import Target
from headgate.dialects import openai_chat
from headgate.dialects.dialect import decode, dialects, patch
from headgate.providers.provider import ROOTED, Provider, retry_after
from headgate.providers.settings import ProviderSettings
from together import together

NAMES = plugin.names("providers")
KEY = "sk-contract-0123456789abcdef"
BASE = "https://host.example/base"
SAMPLES = {
    "account": "acme-eu",
    "account_id": "0123abcd",
    "host": "https://workspace.example",
    "project": "acme",
}
"""What stands for a setting that an address is made with."""
MODELS = {
    ("openai", "openai_completions"): "gpt-3.5-turbo-instruct",
    ("snowflake", "anthropic_messages"): "claude-sonnet-5",
    ("azure_foundry", "anthropic_messages"): "claude-sonnet-5",
    ("azure_foundry", "anthropic_count_tokens"): "claude-sonnet-5",
    ("bedrock", "anthropic_messages"): "us.anthropic.claude-sonnet-5",
    ("bedrock", "anthropic_invoke"): "us.anthropic.claude-sonnet-5",
    ("vertex", "anthropic_messages"): "claude-sonnet-5",
    ("vertex", "anthropic_count_tokens"): "claude-sonnet-5",
    ("vertex", "openai_chat"): "meta/llama-4",
    ("vertex", "gemini_embed"): "gemini-embedding-001",
    ("vertex", "openai_embeddings"): "intfloat/multilingual-e5-large-instruct-maas",
    ("bedrock", "cohere_embed"): "cohere.embed-v4:0",
    ("bedrock", "anthropic_count_tokens"): "us.anthropic.claude-sonnet-5",
}
"""A model for which a provider speaks a dialect, where it does not for all of them."""
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "providers.md"
BODIES = [
    b'{"model":"m","messages":[]}',
    b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":5,"stream":true}',
    b'{"model":"m","messages":[],"max_completion_tokens":5,"reasoning_effort":"low","temperature":0.5}',
]


def made(name, **settings):
    kind = plugin.load("providers", name, Provider)
    given = {"api_key": KEY, "base_url": BASE, **settings}
    return kind(name, kind.Settings(**{key: value for key, value in given.items() if value is not None}))


HOSTS = [name for name in NAMES if plugin.load("providers", name, Provider).send is Provider.send]
"""Those that are asked over HTTP in the common way."""
KEYED = [name for name in HOSTS if not made(name).proves]
"""Those whose key goes into a header as it is; how the others prove who asks, their own tests say."""


class Head:
    """An endpoint's head, read by the parser of a server."""

    def __init__(self, head):
        self.headers, self.url, self.done = [], b"", False
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(head + b"content-length: 0\r\n\r\n")
        self.method = parser.get_method()
        self.names = [name for name, _ in self.headers]

    def on_url(self, url):
        self.url += url

    def on_header(self, name, value):
        self.headers.append((name, value))

    def on_message_complete(self):
        self.done = True

    def value(self, wanted):
        [found] = [value for name, value in self.headers if name == wanted]
        return found


def under_version(provider, dialect):
    """The dialect's path brings its own version, where the address of the host ends in one."""
    return bool(ROOTED.match(dialect.upstream_path)) and not ROOTED.match(provider.dialects[0].upstream_path)


def heads(provider):
    for dialect in provider.dialects:
        yield dialect, provider.endpoint(dialect, "m", False, {}), Head(provider.endpoint(dialect, "m", False, {}).head)


@together("name", NAMES)
def test_it_loads_and_says_what_it_is(name):
    kind = plugin.load("providers", name, Provider)
    assert issubclass(kind.Settings, ProviderSettings)
    module = plugin.module("providers", name)
    assert module.__doc__
    assert kind.env_key is None or re.fullmatch("[A-Z0-9_]+_(KEY|APIKEY|TOKEN|PAT|CREDENTIAL)(_BEDROCK)?", kind.env_key)
    assert set(kind.usual) <= set(kind.Settings.model_fields)
    assert set(kind.needed()) <= set(SAMPLES) | {"base_url"}
    assert set(kind.beside) <= {dialect.name for dialect in kind.dialects} | {"opaque"}
    assert all(hasattr(dialect, "upstream_path") for dialect in kind.dialects)


@together("name", NAMES)
def test_its_settings_are_strict_and_described(name):
    kind = plugin.load("providers", name, Provider)
    with pytest.raises(pydantic.ValidationError, match="no_such_setting"):
        kind.Settings(base_url=BASE, no_such_setting=1)
    with pytest.raises(pydantic.ValidationError):
        kind.Settings(base_url=BASE, timeouts={"connect": -1})
    assert all(field.description for field in kind.Settings.model_fields.values())
    assert KEY not in repr(made(name).settings)


@together("name", NAMES)
def test_the_docs_mention_it(name):
    assert f"`{name}`" in DOCS.read_text()


def place_of(provider, dialect, base=BASE):
    """What stands behind `base` in the address, whatever the host's own rules for it are."""
    url = provider.url(dialect, "m", False, {})
    assert url.startswith(base), f"{url} does not stand under the address that was configured"
    if type(provider).url is Provider.url and not dialect.in_url and dialect.name not in provider.beside:
        assert url == base + dialect.upstream_path
    return url.removeprefix(base)


@together("host", HOSTS)
def test_its_own_address_is_one(host):
    """Without a `base_url`, where it needs none."""
    kind = plugin.load("providers", host, Provider)
    if "base_url" in kind.needed():
        return
    provider = made(host, base_url=None, **{name: SAMPLES[name] for name in kind.needed()})
    for dialect in provider.dialects:
        endpoint = provider.endpoint(dialect, "m", False, {})
        assert endpoint.origin.scheme == ("http" if endpoint.origin.host == "127.0.0.1" else "https")
        assert re.fullmatch(r"[a-z0-9.-]+", endpoint.origin.host)
        assert re.fullmatch(r"/[\w/.:-]+(\?\S+)?", Head(endpoint.head).url.decode())


@together("host", HOSTS)
def test_its_head_is_one_request(host):
    provider = made(host)
    for dialect, endpoint, head in heads(provider):
        assert head.done
        assert head.method == b"POST"
        assert head.url == (f"/base{place_of(provider, dialect)}").encode()
        assert head.value(b"host") == b"host.example"
        if dialect.takes == "json":
            assert head.value(b"content-type") == b"application/json"
        else:
            assert b"content-type" not in head.names
        assert len(head.names) == len(set(head.names))
        assert all(name == name.lower() for name in head.names)
        assert b"connection" not in head.names
        assert (endpoint.origin.scheme, endpoint.origin.host, endpoint.origin.port) == ("https", "host.example", 443)


@together("keyed_host", KEYED)
def test_its_key_goes_into_one_header_and_nowhere_else(keyed_host):
    provider = made(keyed_host)
    for dialect, endpoint, head in heads(provider):
        [(name, value)] = [header for header in head.headers if KEY.encode() in header[1]]
        assert {name.decode(): value.decode()} == {
            header: text for header, text in provider.auth(dialect).items() if KEY in text
        }
        assert endpoint.head.count(KEY.encode()) == 1
        assert name in (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"xi-api-key")


@together("host", HOSTS)
@together("key", [None, "none"])
def test_without_a_key_it_sends_none(host, key):
    for _, endpoint, head in heads(made(host, api_key=key)):
        assert not {b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"xi-api-key"} & set(head.names)
        assert b"none" not in endpoint.head.lower()


@together("host", HOSTS)
@together(
    ("base", "url", "host_header", "origin"),
    [
        ("https://h.example", "", b"h.example", ("https", "h.example", 443)),
        ("https://h.example/", "", b"h.example", ("https", "h.example", 443)),
        ("https://h.example/v1/", "/v1", b"h.example", ("https", "h.example", 443)),
        ("https://h.example/a/b/v1", "/a/b/v1", b"h.example", ("https", "h.example", 443)),
        ("http://127.0.0.1:8000/v1", "/v1", b"127.0.0.1:8000", ("http", "127.0.0.1", 8000)),
        ("http://h.example/v1", "/v1", b"h.example", ("http", "h.example", 80)),
        ("http://[::1]:9/v1", "/v1", b"[::1]:9", ("http", "::1", 9)),
        ("https://[fd00::1]/v1", "/v1", b"[fd00::1]", ("https", "fd00::1", 443)),
        ("HTTPS://H.Example:443/v1", "/v1", b"H.Example:443", ("https", "h.example", 443)),
    ],
)
def test_its_base_url_means_what_the_vendors_sdk_means(host, base, url, host_header, origin):
    provider = made(host, base_url=base)
    for dialect, endpoint, head in heads(provider):
        if dialect.name not in provider.beside and type(provider).url is Provider.url:
            under = url.removesuffix("/v1") if under_version(provider, dialect) else url
            assert head.url == (under + dialect.upstream_path.replace("{model}", "m")).encode()
        assert head.value(b"host") == host_header
        assert (endpoint.origin.scheme, endpoint.origin.host, endpoint.origin.port) == origin


@together("host", HOSTS)
def test_a_query_of_its_base_url_stays_a_query(host):
    """Azure's and some proxies' way: https://host/v1?api-version=1."""
    provider = made(host, base_url="https://h.example/base?api-version=1")
    for dialect, _, head in heads(provider):
        path = place_of(made(host), dialect)
        assert head.url == f"/base{path}{'&' if '?' in path else '?'}api-version=1".encode()


@together("host", HOSTS)
@together("model", [".", "..", "a/../..", "deployment/..", "../x", "%2e%2e", "a?b#c", "a b\r\nx: y"])
def test_no_models_name_leads_to_another_address(host, model):
    provider = made(host)
    for dialect in provider.speaks:
        with contextlib.suppress(InvalidRequest):
            url = urlsplit(provider.url(dialect, model, False, {}))
            assert not {".", ".."} & set(unquote(url.path).split("/"))
            assert (provider.url(dialect, model, False, {}).isprintable(), url.fragment) == (True, "")


@together("host", HOSTS)
def test_own_headers_win_and_stand_once(host):
    own = {"X-Own": "yes", "User-Agent": "mine", "Authorization": "Bearer other"}
    for _, _, head in heads(made(host, headers=own)):
        assert head.value(b"x-own") == b"yes"
        assert head.value(b"user-agent") == b"mine"
        assert head.value(b"authorization") == b"Bearer other"


@together("name", NAMES)
def test_it_speaks_the_clients_dialect_if_it_can(name):
    provider = made(name)
    for dialect in provider.dialects:
        assert provider.dialect_for(dialect, MODELS.get((name, dialect.name), "m")) is dialect
    for client in dialects():
        simulated = {"chat", "embeddings", "images", "moderation", "rerank", "speech", "transcription"}
        served = {dialect.operation for dialect in provider.dialects} or simulated
        if provider.dialects:
            served.add("opaque")  # forwarded unread to whoever is asked over HTTP
        if client.operation not in served:
            with pytest.raises(Unsupported, match=name):
                provider.dialect_for(client, "m")
            continue
        alike = [(name, dialect.name) for dialect in provider.dialects if dialect.operation == client.operation]
        spoken = provider.dialect_for(client, next((MODELS[key] for key in alike if key in MODELS), "m"))
        assert spoken is client or (spoken in provider.dialects and spoken.operation == client.operation)


@together("name", NAMES)
@together("body", BODIES)
def test_what_it_adjusts_is_a_patch(name, body):
    provider = made(name)
    fields = decode(body)
    before = dict(fields)
    changes = provider.adjust(fields, openai_chat, "m")
    assert fields == before, "it changed the client's own fields"
    assert changes == {} or provider.adjusts
    patched = decode(patch(body, changes, decode(body)))
    for key, value in changes.items():
        assert patched.get(key) == value
    assert {key: value for key, value in patched.items() if key not in changes} == {
        key: value for key, value in fields.items() if key not in changes
    }
    assert provider.adjust(patched, openai_chat, "m") == {}, "adjusting twice must change nothing more"


@together("name", NAMES)
def test_a_host_that_repeats_its_key_does_not_get_it_through(name):
    provider = made(name)
    scrubbed = provider.secrecy.scrub(f'{{"error":"wrong key {KEY}, I said {KEY}"}}'.encode())
    assert KEY.encode() not in scrubbed
    assert scrubbed.count(b"[redacted]") == 2
    assert made(name, api_key="none").secrecy.scrub(b"none of it") == b"none of it"


@together("host", HOSTS)
def test_its_endpoint_is_made_once(host):
    provider = made(host)
    for dialect in provider.dialects:
        assert provider.endpoint(dialect, "m", False, {}) is provider.endpoint(dialect, "m", False, {})


class Recorded:
    """An upstream that takes note of what it is asked."""

    def __init__(self, *headers, status=200, body=b"{}"):
        self.status, self.body = status, body
        self.headers = list(headers)
        self.closed = 0

    async def post(self, endpoint, body, headers=()):
        self.endpoint, self.sent, self.passed = endpoint, body, list(headers)
        return self

    def header(self, name):
        return next((value for other, value in self.headers if other == name), None)

    async def read(self, limit):
        assert limit > 0
        return self.body

    def close(self):
        self.closed += 1

    def finish(self):
        self.closed += 1


def exchange(provider, dialect, headers=(), *, stream=False):
    async def receive():
        return b""

    record = Record(id="req_1", time=time.time())
    asked = Exchange(
        "req_1", dialect, next(iter(dialect.paths), "/"), list(headers), receive, time.perf_counter(), record
    )
    asked.spoken, asked.target, asked.outgoing = dialect, Target(provider, "m"), b'{"model":"m"}'
    asked.stream = asked.streamed = stream
    return asked


CLIENTS = [
    (b"host", b"gateway.example"),
    (b"authorization", b"Bearer hg-client-key"),
    (b"x-api-key", b"hg-client-key"),
    (b"cookie", b"session=1"),
    (b"content-length", b"999"),
    (b"transfer-encoding", b"chunked"),
    (b"connection", b"upgrade"),
    (b"x-forwarded-for", b"10.0.0.1"),
    (b"x-forwarded-host", b"elsewhere.example"),
    (b"forwarded", b"for=10.0.0.1"),
    (b"accept-encoding", b"gzip"),
    (b"x-stainless-os", b"Linux"),
    (b"openai-organization", b"org-of-the-client"),
]


@pytest.mark.parametrize("keyed_host", KEYED)
async def test_only_named_headers_of_a_client_go_on(keyed_host):
    provider = made(keyed_host)
    for dialect in provider.dialects:
        upstream = Recorded()
        await provider.send(exchange(provider, dialect, CLIENTS), upstream)
        names = [name for name, _ in upstream.passed]
        assert set(names) <= dialect.request_headers | {name for name, _ in provider.defaults}
        assert not [value for _, value in upstream.passed if b"hg-client-key" in value]
        assert not {name for name, _ in CLIENTS} & set(names)


@pytest.mark.parametrize("keyed_host", KEYED)
async def test_a_host_that_answers_something_else_than_a_stream_is_told(keyed_host):
    provider = made(keyed_host)
    for dialect in provider.dialects:
        upstream = Recorded((b"content-type", b"text/html\x1b[31m"), body=b"<html>")
        asked = exchange(provider, dialect, stream=True)
        with pytest.raises(ProviderNonsense, match="text/html") as caught:
            await provider.send(asked, upstream)
        assert caught.value.message.isprintable()
        await asked.ending.aclose()
        assert upstream.closed


@pytest.mark.parametrize("keyed_host", KEYED)
@pytest.mark.parametrize(
    ("status", "code"), [(302, "provider_bad_reply"), (204, "provider_bad_reply"), (429, "provider_refused")]
)
async def test_what_is_not_200_is_an_error(keyed_host, status, code):
    provider = made(keyed_host)
    for dialect in provider.dialects:
        upstream = Recorded(
            (b"retry-after", b"7"), status=status, body=b'{"error":{"message":"' + KEY.encode() + b'"}}'
        )
        with pytest.raises(ProviderError) as caught:
            await provider.send(exchange(provider, dialect), upstream)
        assert caught.value.code == code
        assert KEY not in caught.value.message
        if status == 429:
            assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (429, 7, True)
            assert KEY.encode() not in caught.value.body


@together(
    ("value", "seconds"),
    [(b"7", 7.0), (b"0.5", 0.5), (b"0", 0.0), (b"", None), (None, None), (b"-1", None), (b"nan", None), (b"inf", None),
     (b"1e9", None), (b"Wed, 21 Oct 2026 07:28:00 GMT", None), (b"\xff", None)],
)  # fmt: skip
def test_retry_after_is_read_in_seconds(value, seconds):
    assert retry_after(value) == seconds
