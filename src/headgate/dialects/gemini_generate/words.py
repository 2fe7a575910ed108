"""Words and forms of the Gemini API that its readers and writers share; a part of `gemini_generate`."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from headgate.core.events import StopReason
from headgate.core.usage import Usage
from headgate.dialects.dialect import segment
from headgate.dialects.signatures import UNSIGNED, unwrap, wrap

DIALECT = "gemini_generate"
Fields = dict[str, Any]

FINISHES: dict[str, StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "MODEL_ARMOR": "refusal",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_RECITATION": "refusal",
    "ESCALATION": "refusal",
    "CONTINUATION": "pause",
    "OTHER": "stop",
    "IMAGE_OTHER": "stop",
    "NO_IMAGE": "stop",
    "MALFORMED_FUNCTION_CALL": "stop",
    "MALFORMED_RESPONSE": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MISSING_THOUGHT_SIGNATURE": "stop",
    "PUP_LIMITED_DISABLED": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
}
"""https://ai.google.dev/api/generate-content#FinishReason and the enum of the google-genai package; a word that is new
stands for "stop". That the model stopped to have a tool run has no word of its own here."""
_NUMBERED = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Enums may come as numbers: clients of Google's gRPC-like libraries ask for that (`$alt=json;enum-encoding=int`)."""
_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    416: "OUT_OF_RANGE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""https://cloud.google.com/apis/design/errors: other 4xx are INVALID_ARGUMENT, other 5xx INTERNAL."""
CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "DATA_LOSS": 500,
    "UNKNOWN": 500,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

SKIPS_CHECK = "skip_thought_signature_validator"
"""What Google documents for calls in a history that no Gemini made, which therefore have no signature:
https://ai.google.dev/gemini-api/docs/thought-signatures"""
CHECKS = (3, 0)
"""The first version whose models check that the calls of the turn under way have their signatures."""
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_SNAKE = re.compile(r"_([a-z0-9])")
_decode = msgspec.json.Decoder().decode


_GOOGLE = "projects/{project}/locations/{location}/publishers/google/models/"
PLACES = (
    "/v1beta/models/",
    "/v1/models/",
    f"/v1/{_GOOGLE}",
    f"/v1beta1/{_GOOGLE}",
    "/v1/publishers/google/models/",
    "/v1beta1/publishers/google/models/",
)
"""What stands before the model: at Google AI, and at Vertex AI with and without a project."""
REQUEST_HEADERS = frozenset({b"x-goog-api-client", b"x-server-timeout"})
REPLY_HEADERS = frozenset({b"server-timing", b"x-gemini-service-tier", b"x-vertex-ai-llm-request-type"})


def model_path(model: str) -> str:
    """Where Google AI has a model; a tuned one stands in a place of its own."""
    kind, slash, rest = model.partition("/")
    if slash and kind in ("models", "tunedModels"):
        return f"/v1beta/{kind}/{segment(rest)}"
    return f"/v1beta/models/{segment(model)}"


def version_of(model: str) -> tuple[int, int]:
    """The generation of a Gemini model; (99, 0) where its name tells none ("gemini-flash-latest"): the newest."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def made_id(turn: int | str, place: int) -> str:
    """An id for a call that Gemini gave none: the same each time the same history is read."""
    return f"call_{turn}_{place}"


def camel(fields: Fields) -> Fields:
    """The object with its own keys (not those of objects in it) as Google writes them; it reads snake_case too."""
    for key in fields:
        if "_" in key:
            return {_SNAKE.sub(_upper, key): value for key, value in fields.items()}
    return fields


def _upper(found: re.Match[str]) -> str:
    return found[1].upper()


def finish_word(value: Any) -> str | None:
    """A finish reason as a word; None where it has none yet."""
    if isinstance(value, str):
        return value or None
    if type(value) is int:
        return _NUMBERED[value] if 0 <= value < len(_NUMBERED) else "OTHER"
    return None


def open_signature(signature: str) -> tuple[str, str]:
    """A `thoughtSignature` → the dialect whose proof it is, and the proof."""
    if not signature.startswith(SEALED):
        return DIALECT, signature
    try:
        text = base64.b64decode(signature, altchars=b"-_" if "-" in signature or "_" in signature else None).decode()
    except (binascii.Error, ValueError):
        return DIALECT, signature
    return unwrap(text, DIALECT)


UNSIGNED_CALL = base64.b64encode(UNSIGNED.encode()).decode()
"""Stands as the signature of a call that has none; clients send it back."""
SEALED = "aGVhZGdhdGU6"
"""Base64 of "headgate:": how another vendor's proof begins here, where only bytes may stand."""


def close_signature(signer: str, proof: str) -> str:
    """A proof as it stands in a `thoughtSignature`: Gemini's own as it came, another's wrapped, in base64."""
    if signer in ("", DIALECT):
        return proof
    return base64.b64encode(wrap(signer, proof).encode()).decode()


def arguments_of(text: str) -> Fields | None:
    """The JSON text of a call's arguments as an object (none at all is {}); None where it is not one."""
    if not text.strip():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def count(found: Any, key: str) -> int:
    """A count of tokens; 0 for what is none."""
    value = found.get(key) if isinstance(found, dict) else None
    return value if type(value) is int and value > 0 else 0


def by_modality(found: Fields, key: str) -> dict[str, int]:
    """A list of `{"modality", "tokenCount"}` as modality → tokens."""
    counts: dict[str, int] = {}
    details = found.get(key)
    for entry in details if isinstance(details, list) else ():
        if isinstance(entry, dict):
            word = entry.get("modality")
            if type(word) is int and 0 <= word < len(_MODALITIES):
                word = _MODALITIES[word]
            if isinstance(word, str):
                counts[word] = counts.get(word, 0) + count(entry, "tokenCount")
    return counts


def read_usage(found: Fields) -> Usage:
    """A `usageMetadata` → disjoint classes of tokens.

    `promptTokenCount` includes the cached tokens, `candidatesTokenCount` excludes the thoughts, and what built-in tools
    put into the prompt is counted beside both (https://ai.google.dev/api/generate-content#UsageMetadata). Documents are
    counted with the text. A stream's last count may lack the candidates: the total tells them.
    """
    prompt, tools = count(found, "promptTokenCount"), count(found, "toolUsePromptTokenCount")
    thoughts, output = count(found, "thoughtsTokenCount"), count(found, "candidatesTokenCount")
    total = count(found, "totalTokenCount")
    if not output and prompt and total > prompt + tools + thoughts and "candidatesTokenCount" not in found:
        output = total - prompt - tools - thoughts
    usage = Usage(input=prompt + tools, output=output, reasoning=thoughts, reported=found)
    tier = found.get("trafficType", found.get("serviceTier"))  # Vertex AI, Gemini API
    usage.tier = tier if isinstance(tier, str) else None
    usage.cache_read = min(count(found, "cachedContentTokenCount"), usage.input)
    usage.input -= usage.cache_read
    if "promptTokensDetails" in found or "toolUsePromptTokensDetails" in found:
        ins, cached = by_modality(found, "promptTokensDetails"), by_modality(found, "cacheTokensDetails")
        more = by_modality(found, "toolUsePromptTokensDetails")
        for word, name in (("AUDIO", "input_audio"), ("IMAGE", "input_image"), ("VIDEO", "input_video")):
            tokens = ins.get(word, 0) + more.get(word, 0) - cached.get(word, 0)
            _move(usage, "input", name, tokens)
    if "candidatesTokensDetails" in found:
        outs = by_modality(found, "candidatesTokensDetails")
        _move(usage, "output", "output_audio", outs.get("AUDIO", 0))
        _move(usage, "output", "output_image", outs.get("IMAGE", 0))
    return usage


def _move(usage: Usage, whole: str, name: str, tokens: int) -> None:
    """Tokens out of a class into one of their own, as far as it goes."""
    tokens = min(max(tokens, 0), getattr(usage, whole))
    if tokens:
        setattr(usage, name, tokens)
        setattr(usage, whole, getattr(usage, whole) - tokens)


_REPORTED = frozenset({"promptTokenCount", "candidatesTokenCount", "totalTokenCount", "trafficType"})


def write_usage(usage: Usage) -> Fields:
    """The `usageMetadata` of a reply; one that came from this API goes back as it came."""
    reported = usage.reported
    if reported.keys() & _REPORTED:
        return reported
    found: Fields = {"promptTokenCount": usage.prompt, "candidatesTokenCount": usage.completion - usage.reasoning}
    if usage.reasoning:
        found["thoughtsTokenCount"] = usage.reasoning
    if usage.cache_read:
        found["cachedContentTokenCount"] = usage.cache_read
    found["totalTokenCount"] = usage.prompt + usage.completion
    media = usage.input_audio + usage.input_image + usage.input_video
    ins = {"AUDIO": usage.input_audio, "IMAGE": usage.input_image, "VIDEO": usage.input_video}
    if media:
        found["promptTokensDetails"] = _details({"TEXT": usage.prompt - media, **ins})
    if usage.output_audio or usage.output_image:
        outs = {"TEXT": usage.output, "AUDIO": usage.output_audio, "IMAGE": usage.output_image}
        found["candidatesTokensDetails"] = _details(outs)
    return found


def _details(counts: dict[str, int]) -> list[Fields]:
    return [{"modality": word, "tokenCount": tokens} for word, tokens in counts.items() if tokens]
