"""Requests of Ollama's chat, read into the core's types and written back without loss; a part of `ollama_chat`.

Format: https://docs.ollama.com/api/chat and the types of the `ollama` Python package. Calls of tools may come without
ids: they get one of their place, and results are paired with them by the tool's name, else in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from headgate.core.chat import (
    Bytes,
    ChatRequest,
    Image,
    Message,
    Part,
    Reasoning,
    ResponseFormat,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from headgate.core.errors import Unsupported
from headgate.dialects.fields import object_, optional, others, string, wrong
from headgate.dialects.ollama_chat.words import CHAT, media_type_of, object_of

Fields = dict[str, Any]
_encode = msgspec.json.Encoder().encode


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in this API; `said` is its `stream`, which is true where it says nothing."""

    said: bool | None = None


class Call(ToolCall):
    """A call as this API says it: perhaps without an id (`own` is then the id of its place), its arguments an object
    (or, of clients that took them from another API, a text)."""

    own: bool = False
    text: bool = False


class Result(ToolResult):
    """A tool message: perhaps named by its tool (`tool`), not by the id of a call (`paired`: it was found)."""

    tool: str | None = None
    paired: bool = False


ROLES = frozenset({"system", "user", "assistant", "tool"})
SHARED = frozenset({"model", "stream", "format", "options", "think", "logprobs", "top_logprobs"})
"""Fields of both of this API's ways to ask."""
_REQUEST = SHARED | {"messages", "tools"}
_MESSAGE = frozenset({"role", "content", "images", "thinking", "tool_calls"})
_TOOL = frozenset({"role", "content", "images", "tool_name", "tool_call_id"})
OPTIONS: dict[str, tuple[str, type]] = {
    "temperature": ("temperature", float),
    "top_p": ("top_p", float),
    "top_k": ("top_k", int),
    "seed": ("seed", int),
    "num_predict": ("max_tokens", int),
    "frequency_penalty": ("frequency_penalty", float),
    "presence_penalty": ("presence_penalty", float),
}
"""Of `options`, those that other APIs have too: their names there and their types."""


# --- a request, read -------------------------------------------------------------------------------------------------


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded body → the request. `null` counts as absent. Raises InvalidRequest."""
    messages = [
        _message(object_(entry, f"messages[{i}]"), f"messages[{i}]", i)
        for i, entry in enumerate(optional(fields, "messages", list) or ())
    ]
    _pair(messages)
    request = OwnRequest(
        dialect=CHAT,
        model=string(fields.get("model"), "model"),
        messages=messages,
        tools=[
            _tool(object_(entry, f"tools[{i}]"), f"tools[{i}]")
            for i, entry in enumerate(optional(fields, "tools", list) or ())
        ],
        native=others(fields, _REQUEST),
    )
    read_shared(request, fields)
    return request


def read_shared(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    """What both of this API's ways to ask have: `SHARED`."""
    request.said = optional(fields, "stream", bool)
    request.stream = request.said is not False
    request.logprobs = optional(fields, "logprobs", bool)
    request.top_logprobs = optional(fields, "top_logprobs", int)
    _read_options(request, optional(fields, "options", dict) or {})
    form = fields.get("format")
    if form == "json":
        request.format = ResponseFormat(kind="json")
    elif isinstance(form, dict):
        request.format = ResponseFormat(kind="schema", schema=form, strict=True)
    elif form not in (None, ""):
        raise wrong("format", '"json" or a JSON schema', form)
    think = fields.get("think")
    if isinstance(think, bool):
        request.reasoning = Reasoning(mode="enabled" if think else "disabled")
    elif isinstance(think, str) and think:
        request.reasoning = Reasoning(effort=think)
    elif think not in (None, ""):
        raise wrong("think", "true, false or a level", think)


def _read_options(request: OwnRequest, options: Fields) -> None:
    rest = dict(options)
    for name, (field, kind) in OPTIONS.items():
        value = optional(options, name, kind, "options.")
        if value is not None and not (name == "num_predict" and value < 0):  # -1: without end, -2: fill the context
            setattr(request, field, value)
            del rest[name]
    stop = rest.get("stop")
    if isinstance(stop, list):
        request.stop = [string(one, f"options.stop[{i}]") for i, one in enumerate(stop)]
        del rest["stop"]
    rest = {key: value for key, value in rest.items() if value is not None}
    if rest:
        request.native["options"] = rest


def _message(entry: Fields, path: str, place: int) -> Message:
    role = entry.get("role")
    if type(role) is not str or role not in ROLES:
        raise wrong(path + ".role", "one of " + ", ".join(sorted(ROLES)), role)
    content = optional(entry, "content", str, path + ".")
    parts: list[Part] = read_images(entry, path + ".")
    if content:
        parts.append(Text(text=content))
    native = others(entry, _TOOL if role == "tool" else _MESSAGE)
    if role == "tool":
        id, tool = optional(entry, "tool_call_id", str, path + "."), optional(entry, "tool_name", str, path + ".")
        parts = [Result(id=id or "", parts=parts, plain=True, tool=tool, paired=not id)]
    else:
        thought = optional(entry, "thinking", str, path + ".")
        if thought is not None:
            parts.insert(0, Thinking(text=thought))
        parts += [
            _call(object_(call, f"{path}.tool_calls[{i}]"), f"{path}.tool_calls[{i}]", f"call_{place}_{i}")
            for i, call in enumerate(optional(entry, "tool_calls", list, path + ".") or ())
        ]
    return Message(role=cast(Role, role), parts=parts, plain=content is not None, native=native)


def read_images(entry: Mapping[str, Any], path: str = "") -> list[Part]:
    """The `images` of a message or request: bare base64, their types told by their beginnings."""
    images = optional(entry, "images", list, path) or ()
    data = [string(image, f"{path}images[{i}]") for i, image in enumerate(images)]
    return [Image(source=Bytes(base64=image, media_type=media_type_of(image))) for image in data]


def _call(entry: Fields, path: str, id: str) -> ToolCall:
    inner = object_(entry.get("function"), path + ".function")
    native = others(entry, frozenset({"id", "function"}))
    rest = others(inner, frozenset({"name", "arguments"}))
    if rest:
        native["function"] = rest
    given = inner.get("arguments")
    text = isinstance(given, str)
    arguments = (
        given if isinstance(given, str) else _encode(object_(given or {}, path + ".function.arguments")).decode()
    )
    own = optional(entry, "id", str, path + ".") or None
    return Call(
        id=own or id,
        name=string(inner.get("name"), path + ".function.name"),
        arguments=arguments,
        own=own is None,
        text=text,
        native=native,
    )


def _pair(messages: list[Message]) -> None:
    """Give each result without an id that of a call before it which has none yet: of its tool, else the next one."""
    open: list[ToolCall] = []
    for place, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCall):
                open.append(part)
            elif isinstance(part, Result):
                if part.paired:
                    named = (call for call in open if part.tool is None or call.name == part.tool)
                    found = next(named, open[0] if open else None)
                    part.id = found.id if found is not None else f"call_{place}"
                open = [call for call in open if call.id != part.id]


def _tool(entry: Fields, path: str) -> Tool:
    kind = entry.get("type", "function")
    if kind != "function":
        return Tool(name=string(kind, path + ".type"), builtin=entry)
    inner = object_(entry.get("function"), path + ".function")
    native = others(entry, frozenset({"type", "function"}))
    rest = others(inner, frozenset({"name", "description", "parameters"}))
    if rest:
        native["function"] = rest
    return Tool(
        name=string(inner.get("name"), path + ".function.name"),
        description=optional(inner, "description", str, path + ".function."),
        schema=optional(inner, "parameters", dict, path + ".function."),
        native=native,
    )


# --- a request, written ----------------------------------------------------------------------------------------------


def write_own(request: ChatRequest) -> Fields:
    """A request of this dialect: everything as it was, the unknown with the known."""
    fields: Fields = {"model": request.model, "messages": [_write_message(message) for message in request.messages]}
    if request.tools:
        fields["tools"] = [tool.builtin or write_tool(tool) for tool in request.tools]
    fields.update(write_shared(request))
    fields.update((key, value) for key, value in request.native.items() if key != "options")
    return fields


def write_shared(request: ChatRequest) -> Fields:
    """`SHARED`, but for the model."""
    options = dict(request.native.get("options", {})) if request.dialect.startswith("ollama") else {}
    for name, (field, _) in OPTIONS.items():
        value = getattr(request, field)
        if value is not None:
            options[name] = value
    if request.stop:
        options["stop"] = request.stop
    optional = {
        "stream": None if request.stream and getattr(request, "said", None) is None else request.stream,
        "logprobs": request.logprobs,
        "top_logprobs": request.top_logprobs,
        "options": options or None,
        "format": None if request.format is None else request.format.schema or "json",
        "think": _write_think(request.reasoning),
    }
    return {key: value for key, value in optional.items() if value is not None}


def _write_think(reasoning: Reasoning | None) -> bool | str | None:
    if reasoning is None:
        return None
    return reasoning.effort if reasoning.mode is None else reasoning.mode != "disabled"


def _write_message(message: Message) -> Fields:
    entry: Fields = {"role": message.role}
    parts: list[Part] = []
    for part in message.parts:
        match part:
            case Result():
                if part.tool is not None:
                    entry["tool_name"] = part.tool
                if not part.paired:
                    entry["tool_call_id"] = part.id
                parts += part.parts
            case Thinking():
                entry["thinking"] = part.text
            case ToolCall():
                entry.setdefault("tool_calls", []).append(_write_call(part))
            case _:
                parts.append(part)
    text = "".join(part.text for part in parts if isinstance(part, Text))
    if text or message.plain:
        entry["content"] = text
    images = write_images(parts)
    if images:
        entry["images"] = images
    return {**entry, **message.native}


def write_images(parts: list[Part]) -> list[str]:
    images = []
    for part in parts:
        if isinstance(part, Image):
            if not isinstance(part.source, Bytes):
                raise Unsupported("Ollama takes images as base64 data only", param="messages")
            images.append(part.source.base64)
    return images


def _write_call(call: ToolCall) -> Fields:
    text = isinstance(call, Call) and call.text
    given = call.arguments if text else object_of(call.arguments) or {}
    inner = {**call.native.get("function", {}), "name": call.name, "arguments": given}
    entry = {**call.native, "function": inner}
    return entry if isinstance(call, Call) and call.own else {"id": call.id, **entry}


def write_tool(tool: Tool) -> Fields:
    inner: Fields = {"name": tool.name, **tool.native.get("function", {})}
    if tool.description is not None:
        inner["description"] = tool.description
    if tool.schema is not None:
        inner["parameters"] = tool.schema
    return {**tool.native, "type": "function", "function": inner}
