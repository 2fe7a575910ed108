"""A chat request as the gateway understands it, whichever dialect it came in.

The types name what more than one vendor can say. What only one dialect knows stays in `native` of the thing it
belongs to, under the vendor's own field names: written back when the request is spoken in that dialect, named as
a `Loss` when it crosses into another. So reading a request and writing it in the same dialect loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from headgate.core.request import Request

Native = dict[str, Any]
Role = Literal["system", "developer", "user", "assistant", "tool"]


class Loss(msgspec.Struct, frozen=True):
    """Something a crossing did not carry, and why.

    `path` names what this module names as OpenAI's Chat Completions do (`messages[2].name`; a system prompt comes
    first), and what only the client's API has as the client did.
    """

    path: str
    why: str


_PLACE = re.compile(r"\[\d+\]")
ALIKE = 3
"""Losses of one kind that are named one by one."""


def fold(lost: Iterable[Loss]) -> list[Loss]:
    """Of the losses that differ only in their place, more than `ALIKE` become one: a long conversation has hundreds."""
    kinds: dict[Loss, list[Loss]] = {}
    for loss in lost:
        kinds.setdefault(Loss(_PLACE.sub("[*]", loss.path), loss.why), []).append(loss)
    folded: list[Loss] = []
    for kind, alike in kinds.items():
        folded += alike if len(alike) <= ALIKE else [Loss(kind.path, f"{kind.why} ({len(alike)} times)")]
    return folded


class CacheMark(msgspec.Struct, frozen=True):
    """The prompt up to here is worth caching. `ttl` is "5m" or "1h"; None is the vendor's default."""

    ttl: str | None = None


class Bytes(msgspec.Struct, frozen=True):
    """Data in the request itself: standard base64, as it came."""

    base64: str
    media_type: str | None = None


class Link(msgspec.Struct, frozen=True):
    """Data the provider fetches."""

    url: str


class Stored(msgspec.Struct, frozen=True):
    """Data uploaded to the provider earlier, by the provider's own id."""

    file_id: str


class PlainText(msgspec.Struct, frozen=True):
    """A document given as plain text."""

    text: str


Source = Bytes | Link | Stored | PlainText


class Part(msgspec.Struct, kw_only=True):
    """A piece of a message."""

    cache: CacheMark | None = None
    native: Native = {}


class Text(Part):
    text: str
    citations: list[dict[str, Any]] = []
    """Citations the assistant gave with this text, in the vendor's shape (`dialect` of the request says whose)."""


class Image(Part):
    source: Source
    detail: str | None = None


class Audio(Part):
    source: Source
    format: str | None = None


class Video(Part):
    source: Source


class Document(Part):
    source: Source
    title: str | None = None
    context: str | None = None
    citations: bool = False


class Thinking(Part):
    """The model's reasoning. `signature` is the vendor's proof that it is genuine; `redacted` replaces the text.

    `signer` is the dialect the proof (or the redacted text) was given in: only there may it be sent again.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    signer: str = ""


class Refusal(Part):
    text: str


class ToolCall(Part):
    """The assistant asks for a tool. `arguments` is the JSON text as the model wrote it (it may be invalid)."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    """A free-form tool of OpenAI's `custom` type: `arguments` is then plain text, not JSON."""
    signature: str | None = None
    """A vendor's proof attached to the call (Gemini's `thoughtSignature`), to be sent back with it."""
    signer: str = ""
    """The dialect it was given in: only there may it be sent again."""


class ToolResult(Part):
    """What a tool gave back, for the call `id`."""

    id: str
    parts: list[Part]
    error: bool = False
    plain: bool = False
    """The content was one bare string."""


class NativePart(Part):
    """A block only one dialect knows (a server tool's call or result); `value` is the whole block as it came."""

    dialect: str
    value: dict[str, Any]


class Message(msgspec.Struct, kw_only=True):
    """One turn. A `tool` role holds only ToolResult parts; a `user` turn may hold them too (Anthropic's shape)."""

    role: Role
    parts: list[Part]
    name: str | None = None
    plain: bool = False
    """The content was one bare string (and goes out as one where the dialect has both forms)."""
    native: Native = {}


class Tool(msgspec.Struct, kw_only=True):
    """A tool the model may call. `schema` is JSON Schema for the arguments; None means it takes none."""

    name: str
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache: CacheMark | None = None
    native: Native = {}
    builtin: dict[str, Any] | None = None
    """A tool the provider itself runs or defines (web search, bash …): the whole entry as it came."""


class ToolChoice(msgspec.Struct, kw_only=True):
    """`auto`, `none`, `required` (some tool), `tool` (the named one), or `allowed` (one of `names`, in `mode`)."""

    kind: Literal["auto", "none", "required", "tool", "allowed"]
    name: str | None = None
    names: list[str] = []
    mode: Literal["auto", "required"] = "auto"
    custom: bool = False
    native: Native = {}


class ResponseFormat(msgspec.Struct, kw_only=True):
    """`text`, `json` (any JSON object) or `schema` (JSON that fits `schema`)."""

    kind: Literal["text", "json", "schema"]
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    native: Native = {}


class Reasoning(msgspec.Struct, kw_only=True):
    """How much the model may think first.

    `effort` is the level (none, minimal, low, medium, high, xhigh, max); `budget` is in tokens; `mode` is
    Anthropic's `enabled`, `disabled` or `adaptive`; `display` says how thinking is shown (summarized, omitted).
    """

    effort: str | None = None
    budget: int | None = None
    mode: Literal["enabled", "disabled", "adaptive"] | None = None
    display: str | None = None
    imposed: bool = False
    """The gateway's own wish (an effort in the model's name or of the target): said as the model takes it, also where
    the client spoke the same dialect."""
    native: Native = {}


class ChatRequest(Request, kw_only=True):
    """A chat request in whichever dialect it was said."""

    messages: list[Message]
    """All turns in order; a system prompt is a `system` (or `developer`) message at its place."""
    stream_usage: bool | None = None
    """OpenAI's `stream_options.include_usage`: None where the client did not say."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    n: int | None = None
    stop: list[str] = []
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    user: str | None = None
    metadata: dict[str, str] = {}
    told: list[Loss] = []
    """What reading had to say in other words than the client's: lost wherever the request is not written as it came."""
    bound: dict[str, str] = {}
    """Fields that only an API of the client's own dialect can honour (what it keeps, what it runs), and what to do
    about each: field → advice. `dialects.dialect.crossed` refuses to say such a request in another dialect."""
    service_tier: str | None = None
    cache: CacheMark | None = None
    """A mark on the request as a whole (Anthropic's top-level `cache_control`)."""


SYSTEM: frozenset[Role] = frozenset({"system", "developer"})


def instructed(messages: list[Message], system: str) -> list[Message]:
    """The conversation with a system prompt before its own."""
    first = messages[0] if messages else None
    if first is None or first.role not in SYSTEM:
        return [Message(role="system", parts=[Text(text=system)], plain=True), *messages]
    parts: list[Part] = [Text(text=system), *first.parts]
    own = first.parts[0] if len(first.parts) == 1 else None
    if first.plain and isinstance(own, Text):
        parts = [Text(text=f"{system}\n\n{own.text}")]
    return [msgspec.structs.replace(first, parts=parts), *messages[1:]]
