"""Reads LiteLLM's table of models (MIT, Berri AI): the authority on limits, abilities and dates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from catalogue_model import LITELLM, Model, Rates, exact

TOKENS = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "citation_cost_per_token": "citations",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "input_audio",
    "output_cost_per_audio_token": "output_audio",
    "cache_read_input_audio_token_cost": "cache_read_audio",
    "input_cost_per_image_token": "input_image",
    "output_cost_per_image_token": "output_image",
    "cache_read_input_image_token_cost": "cache_read_image",
    "input_cost_per_video_token": "input_video",
    "output_cost_per_video_token": "output_video",
}
"""Per token there, per million tokens here."""
OTHERS = {
    "input_cost_per_character": "characters",
    "output_cost_per_character": "output_characters",
    "input_cost_per_second": "seconds",
    "output_cost_per_second": "output_seconds",
    "input_cost_per_audio_per_second": "audio_seconds",
    "input_cost_per_video_per_second": "video_seconds",
    "output_cost_per_video_per_second": "output_seconds",
    "output_cost_per_image": "images",
    "input_cost_per_image": "input_images",
    "input_cost_per_query": "searches",
    "input_cost_per_request": "requests",
    "input_cost_per_text_message": "messages",
    "ocr_cost_per_page": "pages",
    "annotation_cost_per_page": "annotated_pages",
}
TIERS = {"batches": "batch", "priority": "priority", "flex": "flex", "ultrafast": "fast"}
COST = re.compile(r"(?P<name>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>batches|priority|flex|ultrafast))?\Z")

MODES = {
    "chat": "chat", "completion": "chat", "responses": "chat", "embedding": "embeddings", "rerank": "rerank",
    "image_generation": "images", "image_edit": "images", "audio_transcription": "transcription",
    "audio_speech": "speech", "moderation": "moderation", "realtime": "realtime", "video_generation": "video",
    "ocr": "ocr", "search": "search",
}  # fmt: skip
ENDPOINTS = {
    "chat/completions": "chat", "completions": "chat", "responses": "chat", "messages": "chat",
    "embeddings": "embeddings", "rerank": "rerank", "images/generations": "images", "images/edits": "images",
    "audio/transcriptions": "transcription", "audio/speech": "speech", "moderations": "moderation",
    "realtime": "realtime", "videos": "video",
}  # fmt: skip
ABILITIES = {
    "supports_function_calling": "tools",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_response_schema": "schema",
    "supports_reasoning": "reasoning",
    "supports_adaptive_thinking": "adaptive_thinking",
    "supports_prompt_caching": "caching",
    "supports_web_search": "web_search",
    "supports_computer_use": "computer_use",
}
MODALITIES = {
    "supports_vision": "image",
    "supports_pdf_input": "document",
    "supports_audio_input": "audio",
    "supports_video_input": "video",
}
DESCRIBED = "supports_function_calling"
"""A chat model without this has not been looked at: what else it lacks says nothing."""


HEADS = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "text-completion-codestral": "codestral",
}
"""What stands before the slash where it is not the label itself."""


def own_id(id: str, label: str) -> str:
    """The id the provider itself uses: LiteLLM puts its own name for the provider before many."""
    head = "vertex_ai" if label.startswith("vertex_ai") else HEADS.get(label, label)
    return id.removeprefix(f"{label}/").removeprefix(f"{head}/")


def describe(entry: Mapping[str, Any], into: Model, plain: list[str]) -> None:
    """What the table says of a model, less its prices."""
    into.say("ops", _operations(entry), LITELLM)
    _limits(entry, into)
    for key, word in {**ABILITIES, **MODALITIES}.items():
        yes = entry.get(key)
        if word == "schema" and "claude" in into.id:
            # what LiteLLM calls a schema there may be a tool that it calls instead
            yes = entry.get("supports_native_structured_output")
        _ability(into, word, yes, is_modality=key in MODALITIES)
    takes, gives = entry.get("supported_modalities", []), entry.get("supported_output_modalities", [])
    into.say("takes", [word for word in takes if word not in into.words("cannot")], LITELLM)
    into.say("gives", gives, LITELLM)
    if entry.get("mode") in ("chat", "responses"):
        into.say("takes", ["text"], LITELLM)
        into.say("gives", ["text"], LITELLM)
        if DESCRIBED in entry:
            known = into.words("can") | into.words("takes")
            into.say("cannot", [word for word in plain if word not in known], LITELLM)
    into.put("retires", entry.get("deprecation_date"), LITELLM)
    successor = str(entry.get("successor_model") or "")
    into.put("successor", own_id(successor, str(entry.get("litellm_provider"))), LITELLM)
    into.page = entry.get("source")


def _ability(into: Model, word: str, yes: bool | None, *, is_modality: bool) -> None:
    if yes is True:
        into.say("takes" if is_modality else "can", [word], LITELLM)
    elif yes is False:
        into.say("cannot", [word], LITELLM)


def _operations(entry: Mapping[str, Any]) -> list[str]:
    found = {MODES[entry["mode"]]} if entry.get("mode") in MODES else set()
    for endpoint in entry.get("supported_endpoints", []):
        name = endpoint.strip("/").removeprefix("v1/")
        if name in ENDPOINTS:
            found.add(ENDPOINTS[name])
    return sorted(found)


def _limits(entry: Mapping[str, Any], into: Model) -> None:
    for name, key in (
        ("max_input", "max_input_tokens"),
        ("max_output", "max_output_tokens"),
        ("dimensions", "output_vector_size"),
    ):
        value = entry.get(key)
        if isinstance(value, Decimal):
            value = int(value)
        if isinstance(value, int) and value > 0 and not (name == "max_output" and "chat" not in into.words("ops")):
            into.put(name, value, LITELLM)


def rates(entry: Mapping[str, Any], left_out: set[str]) -> Rates:
    """The prices of a model."""
    found: Rates = {}
    for key, value in entry.items():
        if not isinstance(value, Decimal | int) or isinstance(value, bool) or "cost" not in key:
            continue
        match = COST.fullmatch(key)
        name = match["name"] if match else key
        above = f">{int(match['above']) * 1000}" if match and match["above"] else ""
        tier = f"{TIERS[match['tier']]}." if match and match["tier"] else ""
        if name in TOKENS:
            found[f"{tier}{TOKENS[name]}{above}"] = exact(Decimal(value) * 1_000_000)
        elif name in OTHERS:
            found.setdefault(f"{tier}{OTHERS[name]}{above}", exact(Decimal(value)))
        elif value:
            left_out.add(key)
    found |= _ranges(entry.get("tiered_pricing"))
    searches = entry.get("search_context_cost_per_query") or {}
    if "search_context_size_medium" in searches:
        found["web_searches"] = exact(Decimal(searches["search_context_size_medium"]))
    return _plain(found)


def _ranges(ranges: Any) -> Rates:
    """`tiered_pricing`: the lowest range is the base, the others begin above its end."""
    found: Rates = {}
    priced = [entry for entry in ranges or [] if "range" in entry]
    for number, entry in enumerate(sorted(priced, key=lambda entry: entry["range"][0])):
        above = f">{int(entry['range'][0])}" if number else ""
        for key, name in TOKENS.items():
            if key in entry:
                found[f"{name}{above}"] = exact(Decimal(entry[key]) * 1_000_000)
    return found


def _plain(found: Rates) -> Rates:
    """Without zeros that only fill a column, and without seconds said twice."""
    if found.get("output_seconds") == found.get("seconds"):
        found.pop("output_seconds", None)
    priced = {name for name, rate in found.items() if rate != "0"}
    if not priced:  # free, or not priced: only tokens can be free
        return {name: rate for name, rate in found.items() if name in ("input", "output")}
    return {
        name: rate
        for name, rate in found.items()
        if rate != "0" or (name in ("input", "output") and priced & {"input", "output"})
    }
