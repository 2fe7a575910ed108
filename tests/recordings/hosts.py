"""Whose traffic it is: the providers of the recordings as a configuration has them, and the faces they are asked by."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from gateways import KEY
from headgate.core import plugin
from headgate.dialects.dialect import dialects
from headgate.providers.provider import Provider

KINDS = {"gemini": "google", "moonshotai": "moonshot", "alibaba": "qwen"}
"""Recorded providers that have another name here."""
COMPATIBLE = {
    "bedrock_mantle": ["openai_chat", "openai_responses"],
    "chatgpt": ["openai_responses"],
    "copilot": ["openai_chat", "openai_responses"],
    "gpustack": ["openai_chat"],
    "mistralrs": ["openai_chat", "openai_responses"],
    "openai_compatible": ["openai_chat", "openai_responses", "openai_completions"],
    "portkey": ["openai_chat"],
    "replicate": ["openai_chat"],
}
"""Hosts without a file of their own, and what they speak as OpenAI does."""
BASES = {
    "openai": "/v1",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
    "venice": "/api/v1",
    "snowflake": "/api/v2/cortex/v1",
    "databricks": "/serving-endpoints",
    "zai": "/api/paas/v4",
    "alibaba": "/compatible-mode/v1",
    "cloudflare": "/client/v4/accounts/38bc1f7f09483f93340d366546d47dcd/ai/v1",
    "ai21": "/studio/v1",
    "chatgpt": "/backend-api/codex",
    **dict.fromkeys(
        ("anthropic", "azure", "bedrock", "cohere", "copilot", "deepseek", "gemini", "ollama", "perplexity", "vertex"),
        "",
    ),
}
"""What stands in each one's base URL behind the host, as its own SDK means it; that of the others is /v1."""
SPOKEN = {
    "openai_chat": "openai_compatible",
    "openai_responses": "openai_compatible",
    "anthropic_messages": "anthropic",
    "gemini_generate": "google",
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
}
"""Chat dialects, and the kind of a provider that is asked in this one whatever its clients speak."""
CHATTING = ("ada", "curie", "text-curie-001", "text-embedding-3-small")
"""Models that OpenAI's Completions API had once, or never: the gateway takes them for ones that chat."""
OPTIONS = {"bedrock": {"region": "us-east-1"}, "vertex": {"project": "p", "location": "global"}}
DATED = re.compile(r"api-version=([0-9a-z-]+)")


@dataclass(frozen=True)
class Host:
    """A provider of the configuration."""

    name: str
    kind: str
    options: dict[str, Any]

    @cache  # noqa: B019 - there are some forty, for the length of a run
    def speaks(self):
        """The dialects it is asked in."""
        if "speaks" in self.options:
            return [dialect for dialect in dialects() if dialect.name in self.options["speaks"]]
        return list(plugin.load("providers", self.kind, Provider).dialects)

    def __hash__(self):
        return hash(self.name)


def host_of(found):
    """The provider of a recording as it is configured: Azure's addresses differ by the version of its API."""
    provider, url = found["provider"], urlsplit(found["request"]["url"])
    if provider == "azure":
        dated = DATED.search(url.query)
        kind = "azure_foundry" if url.path.startswith("/models/") else "azure"
        name = f"{kind}_{dated[1].replace('-', '_')}" if dated else kind
        return Host(name, kind, {"api_version": dated[1]} if dated else {})
    if provider in COMPATIBLE:
        return Host(provider, "openai_compatible", {"speaks": COMPATIBLE[provider]})
    return Host(provider, KINDS.get(provider, provider), OPTIONS.get(provider, {}))


def hosts(replay):
    """All of them, by name."""
    found = {}
    for listed in replay.store.by_id.values():
        if listed.provider not in found or listed.provider == "azure":
            host = host_of(replay.store.load(listed.id))
            found[listed.provider] = found[host.name] = host
    return list({host.name: host for host in found.values()}.values())


def served(host):
    """Whether there is such a provider."""
    return host.kind in plugin.names("providers")


def configured(replay):
    """The configuration of a gateway whose every provider is the replay server."""
    providers = {}
    for host in filter(served, hosts(replay)):
        base = f"http://127.0.0.1:{replay.port}{base_of(host)}"
        providers[host.name] = {"kind": host.kind, "api_key": "sk-test", "base_url": base, **host.options}
    for dialect, kind in SPOKEN.items():
        base = f"http://127.0.0.1:{replay.port}"
        providers[f"as_{dialect}"] = {"kind": kind, "api_key": "sk-test", "base_url": base, "speaks": [dialect]}
    providers["as_bedrock_converse"]["region"] = "us-east-1"
    config = {
        "server": {"host": "127.0.0.1", "port": "{PORT}", "compression": {"enabled": False}},
        "data_dir": "{DATA}",
        "retry": {"attempts": 1},
        "catalogue": {"enforce": False},  # errors of providers are among what is replayed
        "breaker": {"enabled": False},
        "providers": providers,
        "models": {dialect: f"as_{dialect}/any" for dialect in SPOKEN},
        "keys": [{"name": "test", "key": KEY}],
    }
    return json.dumps(config, indent=1).replace('"{PORT}"', "{PORT}")


@dataclass(frozen=True)
class Face:
    """How a client asks for a recording in the dialect of its request: `path` holds the model where the URL does."""

    dialect: Any
    path: str


def face_of(found, host):
    """The face through which the host is asked for this in its own words; None: it is forwarded unread."""
    request = found["request"]
    url = urlsplit(request["url"])
    if request["method"] != "POST" or request.get("text"):
        return None
    best, length = None, 0
    for dialect in host.speaks():
        own = (theirs(dialect, host),) if dialect.paths else ()
        for template in dialect.paths if dialect.in_url else own:
            fits = pattern(template).search(unquote(url.path))
            if fits and len(template) > length:
                best, length = placed(dialect, fits, host, found), len(template)
    return best


@cache
def pattern(template):
    """A path with placeholders, as the end of a recorded one."""
    fitting = re.escape(template).replace(r"\{model\}", "(?P<model>.+)")
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", fitting) + "$")


def placed(dialect, fits, host, found):
    """The face of a dialect whose path fits, None where the body is not in its words."""
    body = found["request"].get("body") or {}
    if ("__multipart__" in body) is not (dialect.takes == "form"):
        return None
    if dialect.name == "openai_completions" and host.name == "openai" and body.get("model") in CHATTING:
        return None
    if not dialect.in_url:
        return Face(dialect, dialect.paths[0])
    model = fits["model"]
    older = "prompt" in body or "completion" in (found["response"].get("body") or {})
    if dialect.name == "anthropic_invoke" and ("claude" not in model or older):
        return None  # InvokeModel takes every model's own words; only those of Claude's messages are a dialect
    start, end = fits.span("model")
    named = quote(f"{host.name}/{model}", safe="")
    path = quote(fits.string[fits.start() : start]) + named + quote(fits.string[end:], safe=":/")
    query = query_of(found)
    if dialect.name == "gemini_generate" and "sse" in found["response"] and "alt=" not in query:
        query = "alt=sse"  # taken out by who recorded it: a stream of events is not to be had otherwise
    return Face(dialect, f"{path}?{query}" if query else path)


def query_of(found):
    """The recorded query without the key."""
    query = urlsplit(found["request"]["url"]).query
    return "&".join(field for field in query.split("&") if field and not field.startswith("key="))


def theirs(dialect, host):
    """What the host's address of this dialect ends in."""
    if host.kind == "vertex" and dialect.name == "anthropic_messages":
        return "awPredict"
    return "/chat" if host.kind == "writer" and dialect.name == "openai_chat" else dialect.upstream_path


def unread(found, host):
    """Where what is forwarded unread is asked for."""
    path, query = urlsplit(found["request"]["url"]).path.replace("//", "/").removeprefix(base_of(host)), query_of(found)
    return f"/{host.name}{path}" + (f"?{query}" if query else "")


def base_of(host):
    """What stands in its base URL behind the host."""
    return BASES.get(re.sub(r"_foundry|_\d.*", "", host.name), "/v1")
