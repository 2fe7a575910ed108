"""What belongs together: requests of one session, user, key or conversation, and the name of that in a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from headgate.core.exchange import Exchange

SESSION_HEADERS = frozenset({
    b"x-headgate-session",
    b"x-claude-code-session-id",
    b"session_id", b"session-id",  # Codex
    b"x-session-id", b"x-session-affinity",  # OpenCode and others
    b"x-litellm-session-id", b"helicone-session-id",
})  # fmt: skip
WAYS = r"^(key|user|session|prompt|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$"
"""As the configuration names them."""


class Together:
    """The first of several ways that a request can be told by."""

    def __init__(self, ways: Sequence[str], prefix: int = 16384) -> None:
        """`prefix`: characters by which a conversation is known."""
        self._ways = [(each, _way(each, prefix)) for each in ways]

    def of(self, exchange: Exchange) -> tuple[str, str]:
        """The way and the name; ("", "") where the request has nothing of it."""
        for by, way in self._ways:
            name = way(exchange)
            if name:
                return by, name
        return "", ""


def share(text: str) -> float:
    """From 0 to 1, as if by lot, and always the same."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def _way(by: str, prefix: int) -> Callable[[Exchange], str]:
    """What gives the name of what is kept together; "" where a request has none."""
    kind, _, name = by.partition(":")
    if kind == "header":
        wanted = frozenset({name.lower().encode()})
        return lambda exchange: _header(exchange, wanted)
    if kind == "prompt":
        return lambda exchange: _beginning(exchange.fields, prefix)
    return {"key": _key, "user": _user, "session": _session}[kind]


def _header(exchange: Exchange, wanted: frozenset[bytes]) -> str:
    for name, value in exchange.headers:
        if name in wanted and value:
            return value.decode("latin-1")
    return ""


def _key(exchange: Exchange) -> str:
    return exchange.caller.key if exchange.caller is not None else ""


def _user(exchange: Exchange) -> str:
    fields = exchange.fields
    for field in ("safety_identifier", "user"):
        name = fields.get(field)
        if name and isinstance(name, str):
            return name
    metadata = fields.get("metadata")
    held = metadata.get("user_id") if isinstance(metadata, dict) else None
    return held if isinstance(held, str) else ""


def session(exchange: Exchange) -> str:
    """What a client calls its session in a header; "" where it does not."""
    return _header(exchange, SESSION_HEADERS)


def _session(exchange: Exchange) -> str:
    said = session(exchange) or exchange.fields.get("prompt_cache_key")
    return said if isinstance(said, str) else ""


def _beginning(fields: Mapping[str, Any], room: int) -> str:
    """What stands first in a conversation and does not change as it goes on, in whatever dialect: tools, system
    prompt, the first message."""
    found = _tools(fields.get("tools"))
    for name in ("system", "instructions", "systemInstruction", "system_instruction"):
        room = _collect(fields.get(name), found, room)
    for name in ("messages", "contents", "input", "prompt", "texts"):
        turns = fields.get(name)
        if isinstance(turns, list):
            for turn in turns:
                room = _collect(turn, found, room)
                if not (isinstance(turn, dict) and turn.get("role") in ("system", "developer")):
                    break
        else:
            room = _collect(turns, found, room)
    return "\n".join(found)


def _tools(tools: Any) -> list[str]:
    """Their names."""
    found = []
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            named = tool.get("function") or tool.get("toolSpec") or tool
            name = named.get("name") if isinstance(named, dict) else None
            if isinstance(name, str):
                found.append(name)
    return found


def _collect(value: Any, found: list[str], room: int, depth: int = 5) -> int:
    """The texts in a message or a part; gives the room that is left."""
    if room <= 0 or depth == 0:
        return room
    if isinstance(value, str):
        found.append(value[:room])
        return room - len(value)
    if isinstance(value, list):
        for each in value:
            room = _collect(each, found, room, depth - 1)
    elif isinstance(value, dict):
        for name in ("text", "content", "parts"):
            if name in value:
                room = _collect(value[name], found, room, depth - 1)
    return room
