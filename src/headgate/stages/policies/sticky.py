"""Keep a user, a session or a conversation at the same target, as long as it is there."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from math import inf, log
from typing import Annotated, Any

import pydantic
from pydantic_core import PydanticCustomError

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.policies.policy import Weighing

SESSION_HEADERS = frozenset({
    b"x-headgate-session",
    b"x-claude-code-session-id",
    b"session_id", b"session-id",  # Codex
    b"x-session-id", b"x-session-affinity",  # OpenCode and others
    b"x-litellm-session-id", b"helicone-session-id",
})  # fmt: skip
TURNS = 2.0**20
WAYS = r"^(key|user|session|prompt|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$"


def _known(by: str) -> str:
    if re.match(WAYS, by) is None:
        wrong = "nothing to be kept together by: write `session`, `user`, `key`, `prompt` or `header:NAME`"
        raise PydanticCustomError("sticky", wrong)
    return by


By = Annotated[str, pydantic.AfterValidator(_known), pydantic.WithJsonSchema({"type": "string", "pattern": WAYS})]


class StickySettings(Weighing):
    by: list[By] = pydantic.Field(
        default_factory=lambda: ["session", "user", "prompt"],
        min_length=1,
        description="What is kept together; the first that a request has: `session`, `user`, `key`, `prompt` or "
        "`header:NAME`. A single one needs no list.",
    )
    prefix: int = pydantic.Field(
        16384,
        ge=1,
        description="Characters of the system prompt and the first message by which, after the names of the tools, a "
        "`prompt` is known.",
    )

    @pydantic.field_validator("by", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Sticky:
    """Which target it is follows from the name of what is kept together alone (rendezvous hashing, by weight): every
    process and every gateway of the same configuration chooses the same one, shares follow the weights, and a target
    that goes away or comes moves its own share only. A request that has nothing of it goes to any target, by weight.

    `session` is what the client says in a header (`x-headgate-session`, or one of those that coding agents send) or as
    `prompt_cache_key`; `user` is `user`, `safety_identifier` or Anthropic's `metadata.user_id`; `key` the name of the
    client's key; `prompt` the beginning of the conversation, which stays the same as it grows.
    """

    Settings = StickySettings

    def __init__(self, settings: StickySettings) -> None:
        self._ways = [(each, _way(each, settings.prefix)) for each in settings.by]
        self._remarks = {each: f"kept together by {each}" for each in settings.by}
        self._marks: dict[Target, tuple[float, float]] = {}
        self._taken: dict[str, int] = {}

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        place = self._place(exchange)
        marks = self._marks
        turns: dict[Target, float] = {}
        for target in targets:
            mark, weight = marks.get(target) or self._mark(target)
            # uniform in each target, and of each independent of the others: as the place goes from 0 to 1, the point
            # of all targets' values winds a million times through the whole cube
            turns[target] = -log(1.0 - place * mark % 1.0) / weight if weight else inf
        return sorted(targets, key=turns.__getitem__)

    def _place(self, exchange: Exchange) -> float:
        """From 0 to 1, the same for what is kept together."""
        for by, way in self._ways:
            name = way(exchange)
            if name:
                exchange.decision.said.append(self._remarks[by])
                return _share(f"{by}\n{name}")
        return random.random()  # noqa: S311  # luck, not a secret

    def _mark(self, target: Target) -> tuple[float, float]:
        """A large number of the target's own, and its weight; a second target of the same name has another number."""
        count = self._taken[target.name] = self._taken.get(target.name, 0) + 1
        share = _share(target.name if count == 1 else f"{target.name}\n{count}")
        mark = self._marks[target] = TURNS * (1.0 + share), target.terms.weight
        return mark


def _share(text: str) -> float:
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
    metadata = fields.get("metadata")
    named = (fields.get("safety_identifier"), fields.get("user"))
    held = metadata.get("user_id") if isinstance(metadata, dict) else None
    return next((name for name in (*named, held) if name and isinstance(name, str)), "")


def _session(exchange: Exchange) -> str:
    said = _header(exchange, SESSION_HEADERS) or exchange.fields.get("prompt_cache_key")
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
