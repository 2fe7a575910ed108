"""What guards look at and what they answer: passages of text with their places, findings in them, what follows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import msgspec

from headgate.core.errors import ProviderNonsense, ProviderRefused

if TYPE_CHECKING:
    from headgate.core.caller import Caller
    from headgate.core.ports import Upstream
    from headgate.core.reply import Reply

Side = Literal["request", "reply"]
Part = Literal[
    "text",  # what somebody says
    "system",  # instructions of the application
    "tool_argument",  # what a model hands to a tool
    "tool_result",  # what a tool gave back
    "document",
    "thinking",
    "definition",  # of tools and formats
    "other",  # labels, names, whatever else stands in a body
]
Action = Literal[
    "pass", "flag", "redact", "mask", "generalise", "hash", "replace", "tokenise", "surrogate", "route", "block"
]
"""What follows a finding: nothing; it is told; in its place stands `[CATEGORY]`, stars, what many have in common, a
keyed hash, what the guard says, or, until the reply, a label or something made up; another model is asked; nobody is
given it."""
ACTIONS: tuple[Action, ...] = get_args(Action)
CHANGES: frozenset[Action] = frozenset({"redact", "mask", "generalise", "hash", "replace", "tokenise", "surrogate"})
HIDES: frozenset[Action] = frozenset({"tokenise", "surrogate"})
"""Those whose change is undone for whoever asked. They are about what is asked only."""
EVERY = "*"
"""In place of a category: any other."""


Question = Literal["chat", "moderation"]
"""What a model behind the gateway can be asked by a guard."""


class Help(Protocol):
    """What a guard has that asks others, for one request."""

    @property
    def upstream(self) -> Upstream:
        """For servers of its own."""

    @property
    def kept(self) -> bool:
        """Policies keep something of what is looked at from providers that are not one's own."""

    @property
    def until(self) -> float:
        """When the policy takes what it asks for to have failed, by the loop's clock."""

    def within(self, until: float) -> Help:
        """The same, for one policy."""

    async def ask(self, about: Question, fields: Mapping[str, Any], key: str | None = None) -> bytes:
        """A model behind the gateway: the request and its answer in OpenAI's API. It is recorded like a request, and
        goes only where the request itself may go; with a `key` of the configuration, by its name, it is that one's: its
        models, its limits. Raises GatewayError."""

    async def topic(self, text: str) -> tuple[str, float, str]:
        """Of those in `matching.topics` the one that a text is about, "" for none; how like it is to it; and both in
        words. Raises GatewayError."""


class Passage(msgspec.Struct, gc=False):
    """A text, and where it stands."""

    text: str
    side: Side = "request"
    role: str = ""
    """`system`, `user`, `assistant`, `tool`; "" where nothing says it."""
    part: Part = "text"
    tool: str = ""
    """Of an argument or a result: the tool's name, where it is known."""
    path: tuple[Any, ...] = ()
    """Keys and places that lead to it in the body."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Something in a passage."""

    passage: int
    """Which one, of those looked at."""
    start: int
    end: int
    """Characters of its text."""
    category: str
    score: float = 1.0
    """How sure, from 0 to 1."""
    reason: str = ""
    """In plain words, without what was found."""
    action: Action | None = None
    """What should follow, where the policy says nothing of the category."""
    instead: str | None = None
    """What stands in its place, where that is to be `replace`."""
    advice: str = ""
    """What the model is told of its answer, where it is to be asked again (`Guard.retries`)."""


class Asked(msgspec.Struct):
    """What is known of the request whose passages are looked at."""

    id: str = ""
    caller: Caller | None = None
    model: str = ""
    """The name that was asked for."""
    operation: str = "chat"
    target: str | None = None
    """provider/model, once that is known."""
    stream: bool = False
    notes: dict[str, Any] = {}
    """What guards keep from the request to its reply."""
    tools: Mapping[str, Mapping[str, Any] | None] | None = None
    """Of guards that see calls whole (`Guard.calls`): the tools that the request offers, with the schemas of their
    arguments, where these are known; "": there are others."""
    help: Help | None = None
    """Of guards that ask others (`Guard.outside`); None where nobody is to be asked."""

    @property
    def instructions(self) -> str:
        """The system prompt of whose the key is, which is no passage: it is put in when guards have looked."""
        said = self.caller.instructions if self.caller is not None else None
        return said.text if said is not None else ""


class Verdict(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A finding as it stands in a record: never what was found."""

    policy: str
    guard: str
    category: str
    action: Action
    mode: Literal["enforce", "monitor"] = "enforce"
    """`monitor`: it would have followed."""
    score: float = 1.0
    side: Side = "request"
    part: Part = "text"
    path: str = ""
    start: int = 0
    end: int = 0
    hash: str = ""
    """Of what was found, keyed: the same for the same text, and nobody can compute it."""
    reason: str = ""


Quoting = ProviderRefused | ProviderNonsense
"""Errors with words of a provider."""


class Gatekeeper(Protocol):
    """What a reply goes through on its last step to its client, in that client's dialect."""

    async def whole(self, body: bytes, reply: Reply) -> bytes:
        """A reply in one piece, as it may be given. Raises Blocked, GuardUnavailable."""

    async def error(self, error: Quoting) -> None:
        """An error instead of a reply, or in its middle, is made to say what may be said. Raises Blocked,
        GuardUnavailable."""

    def through(self, frames: AsyncIterator[bytes], reply: Reply) -> AsyncIterator[bytes]:
        """A streamed reply, as it may be given; what is given once `reply.account.complete` is true is the last.

        Raises Blocked, GuardUnavailable, and what `frames` raises.
        """
