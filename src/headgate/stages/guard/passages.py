"""The passages of a body: every text that stands in it, whatever API it is of, and the body with some said otherwise.

Nothing needs to understand the API: where a text stands is told by the names that all of them have in common, and what
none of them knows is a text like any other, so nothing is overlooked.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from headgate.core.guard import Part, Passage, Side

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

PARTS: Mapping[str, Part] = {
    "system": "system",
    "instructions": "system",
    "systemInstruction": "system",
    "system_instruction": "system",
    "preamble": "system",
    "tool_calls": "tool_argument",
    "function_call": "tool_argument",
    "functionCall": "tool_argument",
    "toolUse": "tool_argument",
    "functionResponse": "tool_result",
    "toolResult": "tool_result",
    "tool_results": "tool_result",
    "thinking": "thinking",
    "reasoning": "thinking",
    "reasoning_content": "thinking",
    "reasoningContent": "thinking",
    "documents": "document",
    "document": "document",
    "tools": "definition",
    "functions": "definition",
    "toolConfig": "definition",
    "response_format": "definition",
    "responseSchema": "definition",
    "metadata": "other",
    **dict.fromkeys(
        (
            "id", "model", "object", "user", "responseId", "response_id", "modelVersion", "system_fingerprint",
            "safety_identifier", "prompt_cache_key", "previous_response_id", "item_id", "tool_call_id", "tool_use_id",
        ),
        "other",
    ),
}  # fmt: skip
"""Names of fields that tell what is in them."""
KINDS: Mapping[str, Part] = {
    "tool_use": "tool_argument",
    "server_tool_use": "tool_argument",
    "mcp_tool_use": "tool_argument",
    "function_call": "tool_argument",
    "custom_tool_call": "tool_argument",
    "mcp_call": "tool_argument",
    "tool_result": "tool_result",
    "function_call_output": "tool_result",
    "custom_tool_call_output": "tool_result",
    "mcp_tool_result": "tool_result",
    "web_search_tool_result": "tool_result",
    "thinking": "thinking",
    "reasoning": "thinking",
    "document": "document",
    "file": "document",
    "input_file": "document",
    "search_result": "document",
}
"""The `type` of a part of a message."""
ROLES: Mapping[str, tuple[str, Part]] = {
    "system": ("system", "system"),
    "developer": ("system", "system"),
    "user": ("user", "text"),
    "assistant": ("assistant", "text"),
    "model": ("assistant", "text"),
    "tool": ("tool", "tool_result"),
    "function": ("tool", "tool_result"),
}
FREE = frozenset({"input", "args", "arguments", "partial_json", "response", "json", "metadata", "labels"})
"""Fields in which names and numbers, too, are somebody's words, in calls of tools and their results."""
CALLS: frozenset[Part] = frozenset({"tool_argument", "tool_result", "other"})
TELLING = PARTS.keys() | FREE
"""Fields that tell more of what stands in them than where they stand does."""
WIRE = frozenset({
    "type", "role", "object", "finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "media_type",
    "mime_type", "mimeType", "format", "detail", "encoding_format", "service_tier", "status", "created_at", "effort",
    "system_fingerprint", "response_format", "tool_choice", "truncation", "verbosity", "signature", "thoughtSignature",
})  # fmt: skip
"""Fields whose text is a word of the API, where it looks like one."""
WORD = re.compile(r"[A-Za-z0-9_.:/+-]{0,64}\Z")
DATA = frozenset({
    "data", "url", "image_url", "imageUrl", "b64_json", "file_data", "bytes", "image", "images", "image_base64",
    "audio", "video", "signature", "thoughtSignature", "thought_signature", "encrypted_content", "encrypted_index",
    "redactedContent", "partial_image_b64", "result", "bytesBase64Encoded", "imageBytes", "videoBytes",
})  # fmt: skip
"""Fields that hold pictures, sounds, files and vendors' proofs. Elsewhere what looks like them is read by models."""
ENCODED = re.compile(r"(?:data:[^,]{0,200},)?[A-Za-z0-9+/_=\r\n-]{16,}\Z")
URLSAFE = str.maketrans("-_", "+/")
UTF8 = codecs.getincrementaldecoder("utf-8")
SHORT = 64
"""Characters that no picture and no file does with: the number of a card has sixteen."""
PEEK = 88
"""Characters of base64 that tell whether it is text."""
ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[0-9a-fA-F]{4})|.)", re.DOTALL)
KEPT = frozenset({'"', "\\"})
"""Letters that JSON needs escapes for; and those below the blank."""
ARGUMENTS = frozenset({"arguments", "partial_json"})
"""Fields that hold JSON as a text."""
JSON_TEXT = re.compile(r"\s*(?:```(?:json)?\s*)?(?:\{|\[\s*[\"{\[])")
"""How what a model says begins that is JSON."""
DIGITS = 10**7
"""Numbers from here on may be somebody's."""
NUMBERS = frozenset({int, float})
SCORES = frozenset({"logprobs", "logprobsResult"})
INNER, NAME, CODED = "{}", "#", "="
"""In a path: what follows is inside a text that is JSON; it is the name of the field that is meant; what is meant is
written in base64."""


def passages(value: Any, side: Side) -> list[Passage]:
    """All of a decoded body, in the order in which they stand."""
    found: list[Passage] = []
    _walk(value, (), Context(side, "user" if side == "request" else "assistant"), found)
    return found


def arguments(value: Any, path: tuple[Any, ...], tool: str) -> list[Passage]:
    """Those of the arguments that a model calls a tool with, which stand at this path of a reply."""
    found: list[Passage] = []
    _walk(value, path, Context("reply", "assistant", "tool_argument", tool, free=True), found)
    return found


class Context(msgspec.Struct, frozen=True, gc=False):
    """What is known of a place from where it is."""

    side: Side
    role: str
    part: Part = "text"
    tool: str = ""
    free: bool = False
    """Names of fields and numbers are somebody's words."""


def _walk(value: Any, path: tuple[Any, ...], here: Context, found: list[Passage]) -> None:
    kind = type(value)
    if kind is str:
        _text(value, path, here, found)
    elif kind is dict:
        _members(value, path, _entered(value, here), found)
    elif kind is list:
        for index, each in enumerate(value):
            inner = type(each)
            if inner is str or inner is dict or inner is list or (here.free and inner in NUMBERS):
                _walk(each, (*path, index), here, found)
    elif kind in NUMBERS and here.free and abs(value) >= DIGITS:
        text = str(value) if kind is int or not value.is_integer() else str(int(value))
        found.append(Passage(text, here.side, here.role, here.part, here.tool, path))


def _members(value: dict[str, Any], path: tuple[Any, ...], here: Context, found: list[Passage]) -> None:
    free = here.free
    named = free or path[-1:] == ("properties",)  # of a schema
    for key, each in value.items():
        if named or not key.isidentifier():
            found.append(Passage(key, here.side, here.role, here.part, here.tool, (*path, key, NAME)))
        kind = type(each)
        if kind is str:
            if not free and key in WIRE and WORD.match(each):
                continue
            if key in ARGUMENTS and _inner(each, (*path, key), here, found):
                continue
            at = _at(key, here) if key in TELLING else here
            if key in DATA and not free and ENCODED.match(each) and value.get("type") != "text":
                _coded(each, (*path, key), at, found)
            else:
                _text(each, (*path, key), at, found)
        elif each and (kind is dict or kind is list or (kind in NUMBERS and (free or key in FREE))):
            _walk(each, (*path, key), _at(key, here) if key in TELLING else here, found)


def _at(key: str, here: Context) -> Context:
    """What is known of what stands in this field."""
    part = None if here.free else PARTS.get(key)
    free = here.free or (key in FREE and (part or here.part) in CALLS)
    if part is None and free is here.free:
        return here
    part = part or here.part
    role = "system" if part == "system" else "tool" if part == "tool_result" else here.role
    return Context(here.side, role, part, here.tool, free) if here.tool else _context(here.side, role, part, free)


@cache  # there are few of them
def _context(side: Side, role: str, part: Part, free: bool = False) -> Context:
    """Outside of calls of tools that have a name."""
    return Context(side, role, part, "", free)


def _entered(value: dict[str, Any], here: Context) -> Context:
    """What is known within a mapping."""
    if here.free:
        return here
    role, kind = value.get("role"), value.get("type")
    who, part, tool = here.role, here.part, here.tool
    if role is kind is None and part not in CALLS:
        return here
    if type(role) is str and role in ROLES:
        who, part = ROLES[role]
    if type(kind) is str and kind in KINDS:
        part = KINDS[kind]
        who = "tool" if part == "tool_result" else who
    if part in CALLS:
        name = value.get("name")
        tool = name if type(name) is str and len(name) <= 200 else tool
    if (who, part, tool) == (here.role, here.part, here.tool):
        return here
    return Context(here.side, who, part, tool) if tool else _context(here.side, who, part)


def _text(text: str, path: tuple[Any, ...], here: Context, found: list[Passage]) -> None:
    if not text:
        return
    if not here.free and type(path[-1]) is int and path[-2:-1] and path[-2] in DATA and ENCODED.match(text):
        _coded(text, path, here, found)
        return
    if "\\u" in text and (here.part == "tool_result" or text.lstrip()[:1] in ("{", "[")):
        text = unescaped(text)
    found.append(Passage(text, here.side, here.role, here.part, here.tool, path))


def unescaped(text: str) -> str:
    """JSON, or what may pass for it, with letters in place of their escapes, where that says the same."""
    return ESCAPE.sub(_letter, text)


def _letter(escape: re.Match[str]) -> str:
    """What an escape in JSON stands for, where JSON may say it so, too."""
    code = escape[1]
    if code is None:
        return escape[0]
    letter = chr(int(code, 16)) if len(code) == 4 else _decode(f'"{escape[0]}"')
    return escape[0] if letter in KEPT or letter < " " or "\ud800" <= letter <= "\udfff" else letter


def _coded(text: str, path: tuple[Any, ...], here: Context, found: list[Passage]) -> None:
    """Of data: nothing, unless it is a text in base64, or so short that it may be anything."""
    at = text.find(",", 0, 206) + 1
    said = _plain(text[at:]) if _plain(text[at : at + PEEK]) is not None else None
    if said:
        found.append(Passage(said, here.side, here.role, here.part, here.tool, (*path, CODED)))
    if len(text) < SHORT and (not said or text.isdigit()):
        found.append(Passage(text, here.side, here.role, here.part, here.tool, path))


def _plain(coded: str) -> str | None:
    """The text that is written so, or its beginning, where it is cut; None where it is none."""
    coded = coded.rstrip("=\r\n").translate(URLSAFE)
    try:
        return UTF8().decode(binascii.a2b_base64(coded + "=" * (-len(coded) % 4)))
    except (binascii.Error, UnicodeDecodeError):
        return None


def _inner(text: str, path: tuple[Any, ...], here: Context, found: list[Passage]) -> bool:
    """The texts of a text that is JSON; False where it is not."""
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        value = _decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
    if repeats(text.encode(), value):
        return False
    _walk(value, (*path, INNER), Context(here.side, here.role, "tool_argument", here.tool, True), found)
    return True


def repeats(data: bytes, value: Any) -> bool:
    """Whether a name stands twice in an object of the JSON that the value was read from, which has the last of them."""
    return _quotes(_encode(value)) < _quotes(data)


def _quotes(data: bytes) -> int:
    """Those at the ends of strings."""
    return data.count(b'"') - (data.replace(rb"\\", b"").count(rb"\"") if b"\\" in data else 0)


def escaped(text: str) -> str:
    """As it stands in a string of JSON."""
    return _encode(text)[1:-1].decode()


def changed(value: Any, texts: Mapping[tuple[Any, ...], str]) -> Any:
    """The value with other texts at these places; what is on the way to one is copied."""
    for path in sorted(texts, key=lambda path: (path[-1:] == (NAME,), -len(path))):  # names last, inner ones first
        value = _changed(value, path, texts[path])
    return value


def _changed(value: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    step, rest = path[0], path[1:]
    if step == INNER and isinstance(value, str):
        return _encode(_changed(_decode(value), rest, text)).decode()
    if step == CODED and isinstance(value, str):
        at = value.find(",", 0, 206) + 1
        return value[:at] + base64.b64encode(text.encode()).decode()
    if isinstance(value, list):
        return [*value[:step], _changed(value[step], rest, text), *value[step + 1 :]]
    if rest == (NAME,):
        return {text if key == step else key: each for key, each in value.items()}
    return {**value, step: _changed(value[step], rest, text)}


def unscored(value: Any) -> Any:
    """A reply without the scores of its tokens, which say it once more, piece by piece."""
    if isinstance(value, dict):
        return {key: _no_scores(each) if key in SCORES else unscored(each) for key, each in value.items()}
    return [unscored(each) for each in value] if isinstance(value, list) else value


def _no_scores(value: Any) -> Any:
    return [] if isinstance(value, list) else None


def written(path: tuple[Any, ...]) -> str:
    """`messages[2].content`; without names that are somebody's own."""
    said = ""
    for step in path:
        if isinstance(step, int):
            said += f"[{step}]"
        elif step in (NAME, INNER, CODED) or not step.isidentifier():
            return f"{said}.*"
        else:
            said += f".{step}" if said else step
        if step in FREE:
            return said if step is path[-1] else f"{said}.*"
    return said[:200]
