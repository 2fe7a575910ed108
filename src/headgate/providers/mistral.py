"""Mistral: https://docs.mistral.ai/api/endpoint/chat."""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_audio, openai_chat, openai_embeddings, openai_moderations
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

NAMES = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}
"""What Mistral calls by other names than OpenAI."""
UNKNOWN = ("stream_options", "user", "safety_identifier", "store")
"""Fields that tell nothing of the answer, and which Mistral refuses like all it does not know: 422, extra_forbidden."""
ID = re.compile(r"[A-Za-z0-9]{9}")
"""https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py"""
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Mistral(Provider):
    base_url = "https://api.mistral.ai/v1"
    env_key: ClassVar[str | None] = "MISTRAL_API_KEY"
    sample_model: ClassVar[str | None] = "mistral-small-latest"
    # https://docs.mistral.ai/capabilities/audio_transcription
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings, openai_moderations, openai_audio)

    def __init__(self, name: str, settings: ProviderSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        self.asks_for_usage = False  # every stream tells it

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """Says `max_completion_tokens` and `seed` by Mistral's names, `developer` as system, reasoning of earlier turns
        as its `thinking`, and ids of tool calls in its form; leaves out what it refuses and does not need."""
        changes: dict[str, Any] = {}
        for theirs, own in NAMES.items():
            if theirs in fields:
                changes[theirs] = None
                if fields[theirs] is not None and fields.get(own) is None:
                    changes[own] = fields[theirs]
        changes.update((name, None) for name in UNKNOWN if name in fields)
        messages = fields.get("messages")
        if isinstance(messages, list):
            thinks = "magistral" in model or fields.get("reasoning_effort") not in (None, "none")
            said = [_said(message, thinks) if isinstance(message, dict) else message for message in messages]
            if said != messages:
                changes["messages"] = said
        return changes


def _said(message: dict[str, Any], thinks: bool) -> dict[str, Any]:
    """The message as Mistral takes it, the same object where there is nothing to change."""
    role = message.get("role")
    if role == "developer":
        return {**message, "role": "system"}
    if role == "tool":
        return {**message, "tool_call_id": _id(message.get("tool_call_id"))}
    if role == "user" and "name" in message:
        return {key: value for key, value in message.items() if key != "name"}
    return _answer(message, thinks) if role == "assistant" else message


def _answer(message: dict[str, Any], thinks: bool) -> dict[str, Any]:
    """A turn of the assistant: what OpenAI's own have beside content and calls is left out if it is empty."""
    said = {
        key: value
        for key, value in message.items()
        if key not in ("reasoning_content", "reasoning") and not (key in _EMPTY and not value)
    }
    calls = said.get("tool_calls")
    if isinstance(calls, list):
        said["tool_calls"] = [{**call, "id": _id(call.get("id"))} if isinstance(call, dict) else call for call in calls]
    thought = message.get("reasoning_content") or message.get("reasoning")
    content = said.get("content")
    if thinks and isinstance(thought, str) and not (isinstance(content, list) and _has_thinking(content)):
        # https://docs.mistral.ai/capabilities/reasoning
        chunk = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
        texts = content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []
        said["content"] = [chunk, *texts]
    return said


_EMPTY = ("refusal", "annotations", "audio", "function_call", "tool_calls")


def _has_thinking(content: list[Any]) -> bool:
    return any(isinstance(part, dict) and part.get("type") == "thinking" for part in content)


def _id(id: Any) -> Any:
    """An id of nine letters and digits; the same for the same id, by chance also for another in 10¹⁶."""
    if not isinstance(id, str) or ID.fullmatch(id):
        return id
    number = int.from_bytes(hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()[:8])
    letters = []
    for _ in range(9):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
