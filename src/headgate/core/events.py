"""What a model says, as a sequence of events: one vocabulary for streamed and whole replies.

`choice` is the index of the alternative answer (OpenAI's `n`; 0 elsewhere). `block` numbers the pieces of content
within a choice in the order they began: consecutive events of one piece share it, a new piece takes the next number.
Order of a well-formed reply: Start, then pieces, Used any number of times (the last one counts, it is cumulative),
and at the very end, when the vendor has said that nothing more follows, one Stop per choice in ascending order.
A reply that broke off ends in Stop("cut") or Failed instead. So whoever sees a Stop has seen everything.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from headgate.core.errors import GatewayError
from headgate.core.usage import Usage

StopReason = Literal[
    "stop",  # the model was done
    "stop_sequence",  # one of the request's stop sequences came up
    "length",  # max_tokens
    "context",  # the context window is full
    "tool_use",
    "refusal",  # the model declined, or a provider's filter stepped in
    "pause",  # the provider paused a long turn; send the reply back to go on
    "cut",  # the reply ended without an end
]


class _Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    choice: int = 0
    block: int = 0


class Start(_Event, tag="start", frozen=True):
    """The reply begins. `created` is in Unix seconds, 0 where the vendor does not say."""

    id: str = ""
    model: str = ""
    created: int = 0
    native: dict[str, Any] = {}


class Text(_Event, tag="text", frozen=True):
    """More text of the answer. `logprobs` is OpenAI's list of token entries for just this text."""

    text: str
    logprobs: list[dict[str, Any]] | None = None


class Refusal(_Event, tag="refusal", frozen=True):
    """More text of a refusal (OpenAI's `refusal` field)."""

    text: str
    logprobs: list[dict[str, Any]] | None = None


class Thinking(_Event, tag="thinking", frozen=True):
    """More of the model's reasoning: text, a signature at its end, or a redacted block whole.

    `signer` is the dialect a signature or redacted text was given in.
    """

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    signer: str = ""


class ToolCall(_Event, tag="tool_call", frozen=True):
    """The model begins to call a tool; its arguments follow as ToolInput of the same block."""

    id: str
    name: str
    custom: bool = False
    signature: str | None = None
    """A vendor's proof attached to the call (Gemini's `thoughtSignature`)."""
    signer: str = ""
    """The dialect it was given in."""


class Image(_Event, tag="image", frozen=True):
    """A picture in the answer, whole: standard base64."""

    base64: str
    media_type: str


class Audio(_Event, tag="audio", frozen=True):
    """More of the spoken answer, in the format that was asked for (any split)."""

    data: bytes


class ToolInput(_Event, tag="tool_input", frozen=True):
    """More of the JSON text of a tool call's arguments (any split, not valid by itself)."""

    json: str


class Citation(_Event, tag="citation", frozen=True):
    """A source for text of this block, in `dialect`'s own shape."""

    dialect: str
    value: dict[str, Any]


class Result(_Event, tag="result", frozen=True):
    """The whole answer of an operation other than chat, as that operation's own type (`core.embeddings.Embeddings`)."""

    value: Any


class Used(_Event, tag="used", frozen=True):
    """Tokens so far."""

    usage: Usage


class Stop(_Event, tag="stop", frozen=True):
    """The choice is complete. `vendor` is the vendor's own word for the reason; `sequence` the stop sequence met."""

    reason: StopReason
    vendor: str | None = None
    sequence: str | None = None
    native: dict[str, Any] = {}


class Failed(_Event, tag="failed", frozen=True):
    """The provider reported an error inside the reply."""

    error: GatewayError


class Native(_Event, tag="native", frozen=True):
    """Something only `dialect` knows: a whole content block, stream event or field, as it came."""

    dialect: str
    name: str
    value: Any


Event = (
    Start
    | Text
    | Refusal
    | Thinking
    | ToolCall
    | ToolInput
    | Image
    | Audio
    | Citation
    | Result
    | Used
    | Stop
    | Failed
    | Native
)
