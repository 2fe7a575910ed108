"""One model as each vendor's list of models says it.

https://platform.openai.com/docs/api-reference/models, https://docs.claude.com/en/api/models-list,
https://ai.google.dev/api/models, https://docs.cohere.com/reference/list-models,
https://docs.mistral.ai/api/#tag/models, https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from headgate.catalog.entry import Entry

Shape = Callable[[str, Entry | None, int], dict[str, Any]]
"""Says a model: its name, what the catalogue knows of it, and when the gateway started (seconds since 1970)."""
METHODS = {"chat": ("generateContent", "countTokens"), "embeddings": ("embedContent",), "images": ("predict",)}
"""Google's words for operations."""
ENDPOINTS = {"chat": "chat", "embeddings": "embed", "rerank": "rerank"}
"""Cohere's."""


def openai(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """OpenAI's four fields, and beside them, where known, what the model takes, can and costs.

    The names of the others are those that several gateways and hosts use; OpenAI's SDKs keep fields they do not know.
    """
    shown: dict[str, Any] = {
        "id": name,
        "object": "model",
        "created": _created(entry, started),
        "owned_by": "headgate",
    }
    if entry is None:
        return shown
    if entry.retires is not None:
        shown["shutdown_date"] = entry.retires
    facts: dict[str, Any] = {
        "operations": entry.ops.split(),
        "context_window": entry.context,
        "max_input_tokens": entry.prompt_limit,
        "max_output_tokens": entry.max_output,
        "dimensions": entry.dimensions,
        "input_modalities": entry.takes.split(),
        "output_modalities": entry.gives.split(),
        "capabilities": _abilities(entry),
        "pricing": dict(entry.rates(datetime.now(UTC))),
    }
    return {**shown, **{key: value for key, value in facts.items() if value}}


def anthropic(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """Anthropic's ModelInfo; of a capability of which nothing is known it says that it is not supported."""
    entry = entry or Entry()
    now = datetime.now(UTC)
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": _time(_created(entry, started)),
        "lifecycle": entry.lifecycle(now.date()),
        "deprecated_at": None,
        "retires_at": f"{entry.retires}T00:00:00Z" if entry.retires else None,
        "line": None,
        "max_input_tokens": entry.prompt_limit,
        "max_tokens": entry.max_output,
        "capabilities": _capabilities(entry) if entry.can or entry.takes else None,
    }


def gemini(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """Google's Model; its SDK's `supported_actions` are `supportedGenerationMethods`."""
    entry = entry or Entry(ops="chat")
    methods = [method for operation in entry.ops.split() for method in METHODS.get(operation, ())]
    facts: dict[str, Any] = {
        "name": f"models/{name}",
        "baseModelId": name,
        "version": entry.released or "1",
        "displayName": name,
        "inputTokenLimit": entry.prompt_limit,
        "outputTokenLimit": entry.max_output,
        "supportedGenerationMethods": methods,
        "thinking": entry.known_to("reasoning"),
    }
    return {key: value for key, value in facts.items() if value is not None}


def cohere(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """Cohere's model."""
    entry = entry or Entry(ops="chat")
    return {
        "name": name,
        "is_deprecated": entry.lifecycle(datetime.now(UTC).date()) != "active",
        "endpoints": [ENDPOINTS[operation] for operation in entry.ops.split() if operation in ENDPOINTS],
        "finetuned": False,
        "context_length": entry.prompt_limit,
        "tokenizer_url": None,
        "default_endpoints": [],
        "features": entry.can.split() or None,
    }


def mistral(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """OpenAI's with what Mistral's SDK cannot do without: a type, and its own names of what the model can."""
    shown = openai(name, entry, started)
    entry = entry or Entry(ops="chat")
    serves = entry.ops.split()
    shown["type"] = "base"
    shown["max_context_length"] = entry.context or entry.prompt_limit
    shown["capabilities"] = {
        "completion_chat": "chat" in serves,
        "completion_fim": False,
        "function_calling": entry.known_to("tools") is True,
        "reasoning": entry.known_to("reasoning") is True,
        "vision": entry.known_to("image") is True,
        "audio": entry.known_to("audio") is True,
        "audio_transcription": "transcription" in serves,
        "audio_speech": "speech" in serves,
        "moderation": "moderation" in serves,
        "classification": False,
        "fine_tuning": False,
    }
    return {key: value for key, value in shown.items() if value is not None}


def ollama(name: str, entry: Entry | None, started: int) -> dict[str, Any]:
    """An entry of Ollama's `/api/tags`; nothing here has a size on disk."""
    return {
        "name": name,
        "model": name,
        "modified_at": _time(_created(entry, started)),
        "size": 0,
        "digest": "",
        "details": {
            "parent_model": "",
            "format": "",
            "family": "",
            "families": None,
            "parameter_size": "",
            "quantization_level": "",
        },
    }


def _created(entry: Entry | None, started: int) -> int:
    if entry is None or entry.released is None:
        return started
    return int(datetime.fromisoformat(entry.released).replace(tzinfo=UTC).timestamp())


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _abilities(entry: Entry) -> dict[str, bool]:
    return {**dict.fromkeys(entry.can.split(), True), **dict.fromkeys(sorted(entry.cannot.split()), False)}


def _capabilities(entry: Entry) -> dict[str, Any]:
    def known(word: str) -> dict[str, bool]:
        return {"supported": entry.known_to(word) is True}

    effort = known("adaptive_thinking")
    no = {"supported": False}
    return {
        "batch": no,
        "citations": no,
        "code_execution": no,
        "context_management": no,
        "effort": {**effort, "low": effort, "medium": effort, "high": effort, "max": no},
        "image_input": known("image"),
        "pdf_input": known("document"),
        "server_tools": {**known("web_search"), "web_search": known("web_search"), "code_execution": no},
        "structured_outputs": known("schema"),
        "thinking": {
            **known("reasoning"),
            "types": {
                "enabled": known("reasoning"),
                "disabled": {"supported": True},
                "adaptive": known("adaptive_thinking"),
                "between_tools": no,
            },
        },
    }
