"""Between whole and streamed: a client gets the form it asks for from a provider that has only the other one."""

import json

import pytest

from gateways import KEY, running
from headgate.core import events as ev
from headgate.core import plugin
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings
from upstreams import Close, ScriptedUpstream, as_chunk, chunked_head, json_reply
from walks.vendors import WEATHER, Said, error_body, events_of, stream, whole

ASK = [{"role": "user", "content": "Say hello in three languages."}]
VENDORS = ["openai", "anthropic", "cohere", "ollama"]
MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-sonnet-4-5",
    "cohere": "command-a-03-2025",
    "ollama": "llama3.2",
}
REQUESTS = {
    "openai_chat": {"messages": ASK, "stream_options": {"include_usage": True}},
    "openai_completions": {
        "prompt": "Say hello in three languages.",
        "stream_options": {"include_usage": True},
    },
    "openai_responses": {"input": "Say hello in three languages."},
    "anthropic_messages": {"messages": ASK, "max_tokens": 99},
    "anthropic_invoke": {"messages": ASK, "max_tokens": 99, "anthropic_version": "bedrock-2023-05-31"},
    "cohere_chat": {"messages": ASK},
    "ollama_chat": {"messages": ASK},
    "ollama_generate": {"prompt": "Say hello in three languages."},
    "gemini_generate": {"contents": [{"role": "user", "parts": [{"text": "Say hello in three languages."}]}]},
    "bedrock_converse": {"messages": [{"role": "user", "content": [{"text": "Say hello in three languages."}]}]},
}
"""A request of each chat dialect, without its model and without saying whether to stream."""
PROMPTS = {"ollama_generate", "openai_completions"}
"""Those that call no tools."""


SHAPES = {"openai_chat": "openai", "anthropic_messages": "anthropic", "cohere_chat": "cohere", "ollama_chat": "ollama"}
"""Whose replies `vendors` can make: by the dialect a provider is asked in."""


def faces():
    modules = [plugin.module("dialects", name) for name in plugin.names("dialects")]
    found = [dialect for module in modules for dialect in (module, *getattr(module, "more", ()))]
    return [dialect for dialect in found if hasattr(dialect, "paths") and dialect.operation == "chat"]


def shape(face, vendor):
    """In whose words the vendor's provider is asked by a client of this dialect."""
    spoken = plugin.load("providers", vendor, Provider)(vendor, ProviderSettings()).dialect_for(face, MODELS[vendor])
    if spoken.name not in SHAPES:
        pytest.skip(f"no replies of {spoken.name} are at hand here; its own walks have them")
    return SHAPES[spoken.name]


each_face = pytest.mark.parametrize("face", faces(), ids=lambda face: face.name)
each_vendor = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture(scope="module")
def upstream():
    with ScriptedUpstream() as started:
        yield started


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    lines = [
        "server: {host: 127.0.0.1, port: {PORT}}",
        "data_dir: {DATA}",
        "retry: {attempts: 1}",
        "breaker: {enabled: false}",
        "providers:",
    ]
    for vendor in VENDORS:
        base = upstream.url + ("/v1" if vendor == "openai" else "")
        given = f"kind: {vendor}, api_key: sk-secret-{vendor}, base_url: '{base}'"
        lines += [f"  {vendor}_{way}: {{{given}, streams: {way}}}" for way in ("never", "always")]
    lines.append("models:")
    lines += [f"  {vendor}-{way}: {vendor}_{way}/{MODELS[vendor]}" for vendor in VENDORS for way in ("never", "always")]
    lines.append(f"keys: [{{name: test, key: {KEY}}}]")
    with running(tmp_path_factory.mktemp("gateway"), "\n".join(lines) + "\n") as started:
        yield started
        assert "Traceback" not in started.output()


def ask(gateway, face, model, streamed):
    """(status, headers, body as bytes) of a request in this dialect."""
    body = dict(REQUESTS[face.name])
    if face.in_url:
        word = "stream" if streamed else ""
        path = next(path for path in face.paths if ("stream" in path.lower()) == bool(word)).replace("{model}", model)
        if face.name == "gemini_generate" and streamed:
            path += "?alt=sse"
    else:
        path, body = face.paths[0], {**body, "model": model, "stream": streamed}
    if not streamed:
        body.pop("stream_options", None)
    status, headers, answer = gateway.post(body, path=path)
    return status, headers, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def asked_for_a_stream(upstream):
    [request] = upstream.requests
    default = request.path.startswith("/api/")
    return json.loads(request.body).get("stream", default)


def said(events):
    text = "".join(event.text for event in events if isinstance(event, ev.Text))
    names = [event.name for event in events if isinstance(event, ev.ToolCall)]
    given = "".join(event.json for event in events if isinstance(event, ev.ToolInput))
    return text, names, given.replace(" ", "").replace("1.0", "1")


def check(gateway, upstream, face, vendor, streamed, what):
    way = "never" if streamed else "always"
    upstream.requests.clear()
    words = shape(face, vendor)
    upstream.script = whole(words, what) if streamed else stream(words, what)
    status, headers, body = ask(gateway, face, f"{vendor}-{way}", streamed)
    assert status == 200, body
    assert headers["content-type"].encode() == face.content_type(streamed, {"alt": "sse"})
    assert asked_for_a_stream(upstream) is not streamed
    reader = face.reader(streamed)
    events = reader.feed(body) + reader.end()
    arguments = "".join(arguments for _, _, arguments in what.calls).replace(" ", "").replace("1.0", "1")
    assert said(events) == (what.text, [name for _, name, _ in what.calls], arguments)
    assert events[-1].reason == ("tool_use" if what.calls else "stop")
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    assert used[-1].completion == 20
    record = gateway.newest()
    assert (record["dialect"], record.get("stream", False), record["status"]) == (face.name, streamed, 200)
    assert record["usage"]["output"] in (15, 20)


@each_face
@each_vendor
@pytest.mark.parametrize("streamed", [True, False], ids=["stream of a whole reply", "whole of a stream"])
def test_text(gateway, upstream, face, vendor, streamed):
    check(gateway, upstream, face, vendor, streamed, Said())


@each_face
@each_vendor
@pytest.mark.parametrize("streamed", [True, False], ids=["stream of a whole reply", "whole of a stream"])
def test_tools(gateway, upstream, face, vendor, streamed):
    if face.name not in PROMPTS:
        check(gateway, upstream, face, vendor, streamed, Said(text="I will look.", calls=WEATHER, stop="tools"))


@each_face
@each_vendor
def test_a_stream_that_breaks_off_is_no_whole_reply(gateway, upstream, face, vendor):
    upstream.requests.clear()
    words = shape(face, vendor)
    kind = "application/x-ndjson" if words == "ollama" else "text/event-stream"
    upstream.script = (chunked_head(content_type=kind), *map(as_chunk, events_of(words, Said())[:4]), Close())
    status, _, body = ask(gateway, face, f"{vendor}-always", False)
    assert status == 502
    assert Said().text.encode() not in body
    assert gateway.newest()["error"] == "provider_cut"


@each_face
@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [True, False])
def test_an_error_is_an_error_in_either_form(gateway, upstream, face, vendor, streamed):
    upstream.requests.clear()
    upstream.script = json_reply(error_body(vendor, 429, "Too fast."), status=429)
    way = "never" if streamed else "always"
    status, _, body = ask(gateway, face, f"{vendor}-{way}", streamed)
    assert status == 429
    assert b"Too fast." in body
