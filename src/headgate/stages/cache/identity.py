"""Which requests are the same: a hash of all that can change the answer, which is another one for each tenant.

A conversation of nothing but words is the same in whichever dialect it is said. Everything else is told apart by the
client's own fields, less those that no answer depends on, so that nothing is missed that this gateway does not know.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec

from headgate.core.cached import Per, Terms
from headgate.core.chat import ChatRequest, Link, Part, Role, Stored, Text, ToolResult
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.labels import PLACES, USERS
from headgate.core.target import Target
from headgate.core.tenant import tenant
from headgate.stages.cache import beyond, items

NEUTRAL = frozenset(
    {
        "model", "stream", "stream_options", "prompt_cache_key", "prompt_cache_retention", *PLACES, *USERS,
    }
)  # fmt: skip
"""Fields that no answer depends on; the name that is asked for is told apart by what it stands for."""
ECHOED = tuple(sorted(NEUTRAL - {"model", "stream", "stream_options"}))
ECHOING = frozenset({"openai_responses"})
"""Dialects in which the answer says such fields again: who did not say the same is not to read them."""
LIVE = frozenset(
    {
        "web_search_options", "search_parameters", "enable_search", "plugins", "connectors", "data_sources",
        "mcp_servers", "container",
    }
)  # fmt: skip
"""Fields by which providers look things up, or run them, that are no tools."""
NEUTRAL_HEADERS = frozenset(
    {
        b"idempotency-key", b"x-amzn-trace-id", b"x-client-name", b"x-goog-api-client", b"x-server-timeout",
        b"anthropic-dangerous-direct-browser-access",
    }
)  # fmt: skip
"""The same of those that go on to providers."""
USUAL = (b"anthropic-version", b"2023-06-01")
"""What every client of that API sends."""
PLAIN = frozenset({"limit_name", "seed_name", "stop_plain", "legacy", "plain", "user_field"})
"""In which of two words the same was said."""
BESIDE = frozenset(
    {"dialect", "model", "stream", "native", "messages", "stream_usage", "user", "metadata", "told", "bound", "cache"}
)
LONGEST, EACH = 1024, 64
"""Bytes of the client's headers that are remembered with what a request is kept under, and of each beside its value."""
_said = attrgetter(*(name for name in ChatRequest.__struct_fields__ if name not in BESIDE))
_objects = attrgetter("native", "told", "bound", "tools", "tool_choice", "format", "reasoning", "cache")
"""What dialects have words of their own for."""
ALIKE = frozenset(
    {
        "openai_chat", "openai_responses", "anthropic_messages", "anthropic_invoke", "bedrock_converse",
        "gemini_generate", "cohere_chat", "ollama_chat",
    }
)  # fmt: skip
"""Dialects of conversations: words that one of them says go to a model as those of another do. What is said to complete
a text does not, nor what somebody else's dialect says."""
_encode = msgspec.json.Encoder().encode


def key(exchange: Exchange, meaning: bytes, per: Per, headers: frozenset[bytes]) -> bytes | None:
    """`meaning`: of the name, by the configuration; `headers`: those that go on to providers.
    None: it names what stands elsewhere, and may be something else by the next time.

    Raises GatewayError where the request is one that only its provider understands.
    """
    meant = _meant(exchange)
    return _hashed(exchange, meant, meaning, per, headers) if meant is not None else None


def depends(exchange: Exchange, meaning: bytes, terms: Terms, headers: frozenset[bytes]) -> tuple[Any, ...] | None:
    """All that `key`, and whether an answer is to be kept, depend on beside the caller and what the body says.
    None: it is not said in a few words."""
    if exchange.law is not None or exchange.manner.instead:
        return None
    own: tuple[tuple[bytes, bytes], ...] = ()
    if not headers.isdisjoint(exchange.named):
        own = tuple(each for each in exchange.headers if each[0] in headers)
        if sum(EACH + len(value) for _, value in own) > LONGEST:
            return None
    decision = exchange.decision
    return (
        meaning,
        decision.alias,
        decision.rule,
        exchange.effort,
        tuple(exchange.targets),
        exchange.requires,
        exchange.end_user,
        terms.per,
        terms.deterministic_only,
        terms.tool_calls,
        own,
    )


def part_key(
    exchange: Exchange, part: ChatRequest, meaning: bytes, per: Per, headers: frozenset[bytes]
) -> bytes | None:
    """The same of only a part of what is asked; no whole request has that key."""
    words = _words(part)
    if words is not None:
        return _hashed(exchange, ("part", "words", _said(part), words), meaning, per, headers)
    if any(_elsewhere(each) for message in part.messages for each in message.parts):
        return None
    said = repr(msgspec.structs.replace(part, stream=False, stream_usage=None, user=None, metadata={}))
    return _hashed(exchange, ("part", exchange.dialect.name, said), meaning, per, headers)


def _hashed(exchange: Exchange, meant: tuple[Any, ...], meaning: bytes, per: Per, headers: frozenset[bytes]) -> bytes:
    decision = exchange.decision
    alias = decision.alias
    told = (
        meaning,
        alias if alias is not None else exchange.targets[0].name,
        decision.rule,
        exchange.effort,
        sorted(exchange.requires),
        [header for header in exchange.headers if header[0] in headers and header != USUAL],
        meant,
        _echoed(exchange),
        _barred(exchange),
    )
    return blake2b(_encode(told), key=tenant(exchange.caller, per, exchange.end_user), digest_size=24).digest()


def _meant(exchange: Exchange) -> tuple[Any, ...] | None:
    if exchange.dialect.operation != "chat":
        if exchange.edited:
            return None
        if exchange.dialect.operation == "embeddings":
            alike = items.meant(exchange.request)
            if alike is not None:
                return alike
        return exchange.dialect.name, beyond.said(exchange, NEUTRAL)
    request: ChatRequest = exchange.request
    words = _words(request)
    if words is not None:
        return "words", _said(request), words
    if any(_elsewhere(part) for message in request.messages for part in message.parts):
        return None
    if exchange.edited:
        return "edited", repr(msgspec.structs.replace(request, stream=False, stream_usage=None, user=None, metadata={}))
    fields = exchange.fields
    return exchange.dialect.name, [(name, fields[name]) for name in sorted(fields.keys() - NEUTRAL)]


def _barred(exchange: Exchange) -> list[Any]:
    """Who may not be given it by a clause, and who may for a certain cause: whom the same clauses do not concern has
    answers of others."""
    if exchange.law is None:
        return []
    out = sorted({target.name for target, why, _ in exchange.decision.out if why == "requirement"})
    instead = exchange.manner.instead.items()
    return [out, *((why, [target.name for target in targets]) for why, targets in instead)]


def _echoed(exchange: Exchange) -> list[tuple[str, Any]]:
    """What somebody who may be asked would say again in the answer."""
    fields = exchange.fields
    said = [(name, fields[name]) for name in ECHOED if fields.get(name)]
    if said and any(_echoes(exchange, target) for target in chain(exchange.targets, *exchange.manner.instead.values())):
        return said
    return []


def _echoes(exchange: Exchange, target: Target) -> bool:
    try:
        return target.provider.dialect_for(exchange.dialect, target.model).name in ECHOING
    except GatewayError:  # it serves no chats
        return False


def _words(request: ChatRequest) -> list[tuple[Role, list[str]]] | None:
    """Who says what; None where anything else is said, or it is said in a way that only one dialect knows."""
    if request.dialect not in ALIKE or any(_objects(request)) or _own(request):
        return None
    found: list[tuple[Role, list[str]]] = []
    for message in request.messages:
        if message.name is not None or message.native:
            return None
        texts = []
        for part in message.parts:
            if type(part) is not Text or part.native or part.citations:
                return None
            texts.append(part.text)
        found.append((message.role, texts))
    return found


def _elsewhere(part: Part) -> bool:
    """Whether it is a URL, or the name of a file, whose content is not in the request."""
    if isinstance(part, ToolResult):
        return any(_elsewhere(each) for each in part.parts)
    return isinstance(getattr(part, "source", None), Link | Stored)


def _own(request: ChatRequest) -> bool:
    """Whether it says something in a field of its dialect's own."""
    names = type(request).__struct_fields__[len(ChatRequest.__struct_fields__) :]
    return any(name not in PLAIN and bool(getattr(request, name)) for name in names)
