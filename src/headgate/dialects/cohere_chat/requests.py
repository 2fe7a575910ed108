"""Requests of Cohere's v2 chat, read into the core's types and written back without loss; a part of `cohere_chat`.

Format: https://docs.cohere.com/reference/chat and the types of the `cohere` Python package. The request's `documents`
are what the last question is about, so they are read as the first parts of the last user message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from headgate.core.chat import (
    Bytes,
    ChatRequest,
    Document,
    Image,
    Link,
    Message,
    NativePart,
    Part,
    PlainText,
    Reasoning,
    ResponseFormat,
    Role,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.core.errors import Unsupported
from headgate.dialects.cohere_chat.words import DIALECT
from headgate.dialects.fields import array, object_, optional, others, string, wrong

Fields = dict[str, Any]
_encode = msgspec.json.Encoder().encode


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in this dialect; `strict_tools` is one word for all tools here."""

    strict_tools: bool | None = None


class OwnDocument(Document):
    """A document as this API has them: `value` is a string, or an object with `data` and `id`."""

    value: Any = None
    beside: Fields = {}
    """What stands beside it in its block."""


class Given(OwnDocument):
    """One of the request's own `documents`."""


class Plan(Text):
    """An assistant message's `tool_plan`."""


class Own(ResponseFormat):
    """A schema, and the field it was said in: `json_schema`, or `schema` as in the API before."""

    field: str = "json_schema"


class Carrier(Message):
    """A message made up to hold the request's documents where there is no user message."""


ROLES = frozenset({"system", "user", "assistant", "tool"})
# fmt: off
_REQUEST = frozenset({
    "model", "messages", "stream", "max_tokens", "temperature", "p", "k", "frequency_penalty", "presence_penalty",
    "seed", "stop_sequences", "logprobs", "tools", "strict_tools", "tool_choice", "documents", "response_format",
    "thinking",
})
# fmt: on
_MESSAGE = frozenset({"role", "content"})
_ASSISTANT = _MESSAGE | {"tool_plan", "tool_calls"}
_TOOL = _MESSAGE | {"tool_call_id"}


# --- a request, read -------------------------------------------------------------------------------------------------


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded body → the request. `null` counts as absent. Raises InvalidRequest."""
    request = OwnRequest(
        dialect=DIALECT,
        model=string(fields.get("model"), "model"),
        messages=[
            _message(object_(entry, f"messages[{i}]"), f"messages[{i}]")
            for i, entry in enumerate(array(fields.get("messages"), "messages"))
        ],
        stream=bool(optional(fields, "stream", bool)),
        max_tokens=optional(fields, "max_tokens", int),
        temperature=optional(fields, "temperature", float),
        top_p=optional(fields, "p", float),
        top_k=optional(fields, "k", int),
        frequency_penalty=optional(fields, "frequency_penalty", float),
        presence_penalty=optional(fields, "presence_penalty", float),
        seed=optional(fields, "seed", int),
        logprobs=optional(fields, "logprobs", bool),
        stop=[
            string(one, f"stop_sequences[{i}]") for i, one in enumerate(optional(fields, "stop_sequences", list) or ())
        ],
        strict_tools=optional(fields, "strict_tools", bool),
        native=others(fields, _REQUEST),
    )
    request.tools = [
        _tool(object_(entry, f"tools[{i}]"), f"tools[{i}]", request.strict_tools)
        for i, entry in enumerate(optional(fields, "tools", list) or ())
    ]
    request.tool_choice = _choice(optional(fields, "tool_choice", str))
    request.format = _format(fields, request.native)
    request.reasoning = _thinking(fields, request.native)
    if request.native.get("raw_prompting") is True:
        request.bound = {"raw_prompting": "only Cohere takes a prompt as it is; send messages without `raw_prompting`"}
    _place_documents(request, optional(fields, "documents", list) or [])
    return request


def _place_documents(request: OwnRequest, entries: list[Any]) -> None:
    if not entries:
        return
    mode = request.native.get("citation_options")
    mode = mode.get("mode") if isinstance(mode, dict) else None
    cited = not (isinstance(mode, str) and mode.upper() in ("OFF", "DISABLED"))
    given: list[Part] = [_document(Given, entry, f"documents[{i}]", cited) for i, entry in enumerate(entries)]
    for message in reversed(request.messages):
        if message.role == "user":
            message.parts = given + message.parts
            return
    request.messages.append(Carrier(role="user", parts=given))


def _document(kind: type[OwnDocument], entry: Any, path: str, cited: bool) -> OwnDocument:
    """The words of a document: its `text`, or all its data where it holds more than a text and a title."""
    if isinstance(entry, str):
        return kind(source=PlainText(text=entry), citations=cited, value=entry)
    data = object_(object_(entry, path).get("data"), path + ".data")
    native = others(entry, frozenset({"data"}))
    text, title = data.get("text"), data.get("title")
    if data.keys() <= {"text", "title"} and isinstance(text, str) and isinstance(title, str | None):
        return kind(source=PlainText(text=text), title=title, citations=cited, value=entry, native=native)
    return kind(source=PlainText(text=_encode(data).decode()), citations=cited, value=entry, native=native)


def _message(entry: Fields, path: str) -> Message:
    role = entry.get("role")
    if type(role) is not str or role not in ROLES:
        raise wrong(path + ".role", "one of " + ", ".join(sorted(ROLES)), role)
    content = entry.get("content")
    plain = isinstance(content, str)
    parts = _content(content, path + ".content")
    known = _ASSISTANT if role == "assistant" else _TOOL if role == "tool" else _MESSAGE
    native = others(entry, known)
    if role == "assistant":
        parts = _assistant(entry, parts, path, native)
    elif role == "tool":
        id = string(entry.get("tool_call_id"), path + ".tool_call_id")
        parts = [ToolResult(id=id, parts=parts, plain=plain)]
    elif content is None:
        raise wrong(path + ".content", "a string or an array of parts", None)
    return Message(role=cast(Role, role), parts=parts, plain=plain, native=native)


def _assistant(entry: Fields, parts: list[Part], path: str, native: Fields) -> list[Part]:
    """Thinking comes before the plan, the plan before the rest: the order in which the model said them."""
    plan = optional(entry, "tool_plan", str, path + ".")
    if plan:
        at = next((i for i, part in enumerate(parts) if not isinstance(part, Thinking)), len(parts))
        parts = [*parts[:at], Plan(text=plan), *parts[at:]]
    elif plan is not None:
        native["tool_plan"] = plan
    calls = optional(entry, "tool_calls", list, path + ".")
    for i, call in enumerate(calls or ()):
        parts.append(_call(object_(call, f"{path}.tool_calls[{i}]"), f"{path}.tool_calls[{i}]"))
    native.update((key, []) for key in ("content", "tool_calls") if entry.get(key) == [])
    return parts


def _call(entry: Fields, path: str) -> ToolCall:
    inner = object_(entry.get("function"), path + ".function")
    native = others(entry, frozenset({"id", "type", "function"}))
    rest = others(inner, frozenset({"name", "arguments"}))
    if rest:
        native["function"] = rest
    return ToolCall(
        id=string(entry.get("id"), path + ".id"),
        name=string(inner.get("name"), path + ".function.name"),
        arguments=optional(inner, "arguments", str, path + ".function.") or "",
        native=native,
    )


def _content(content: Any, path: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        raise wrong(path, "a string or an array of parts", content)
    return [_part(object_(entry, f"{path}[{i}]"), f"{path}[{i}]") for i, entry in enumerate(content)]


def _part(entry: Fields, path: str) -> Part:
    kind = string(entry.get("type"), path + ".type")
    part: Part
    if kind == "text":
        part = Text(text=string(entry.get("text"), path + ".text"))
    elif kind == "thinking":
        part = Thinking(text=string(entry.get("thinking"), path + ".thinking"))
    elif kind == "image_url":
        part = _image(object_(entry.get("image_url"), path + ".image_url"), path + ".image_url")
    elif kind == "document":
        document = _document(OwnDocument, entry.get("document"), path + ".document", True)
        document.beside = others(entry, frozenset({"type", kind}))
        return document
    else:
        return NativePart(dialect=DIALECT, value=entry)
    rest = others(entry, frozenset({"type", kind}))
    if rest:
        part.native = {**rest, **part.native}
    return part


def _image(given: Fields, path: str) -> Image:
    url = string(given.get("url"), path + ".url")
    source: Source = Link(url=url)
    if url.startswith("data:"):
        head, comma, data = url[5:].partition(",")
        if comma and head.endswith(";base64"):
            source = Bytes(base64=data, media_type=head[:-7])
    rest = others(given, frozenset({"url", "detail"}))
    detail = optional(given, "detail", str, path + ".")
    return Image(source=source, detail=detail, native={"image_url": rest} if rest else {})


def _tool(entry: Fields, path: str, strict: bool | None) -> Tool:
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
        strict=strict,
        native=native,
    )


def _choice(given: str | None) -> ToolChoice | None:
    if given is None:
        return None
    word = given.upper()
    if word not in ("REQUIRED", "NONE"):
        raise wrong("tool_choice", '"REQUIRED" or "NONE" (leave it out to let the model choose)', {})
    native = {} if word == given else {"type": given}
    return ToolChoice(kind="required" if word == "REQUIRED" else "none", native=native)


def _format(fields: Mapping[str, Any], native: Fields) -> ResponseFormat | None:
    given = optional(fields, "response_format", dict)
    if given is None:
        return None
    kind = string(given.get("type"), "response_format.type")
    if kind not in ("text", "json_object"):
        native["response_format"] = given
        return None
    field = "schema" if given.get("json_schema") is None else "json_schema"
    schema = optional(given, field, dict, "response_format.") if kind == "json_object" else None
    rest = others(given, frozenset({"type", field} if schema is not None else {"type"}))
    if schema is None:
        return ResponseFormat(kind="text" if kind == "text" else "json", native=rest)
    return Own(kind="schema", schema=schema, strict=True, field=field, native=rest)


def _thinking(fields: Mapping[str, Any], native: Fields) -> Reasoning | None:
    given = optional(fields, "thinking", dict)
    if given is None:
        return None
    mode = string(given.get("type"), "thinking.type")
    if mode not in ("enabled", "disabled"):
        native["thinking"] = given
        return None
    rest = others(given, frozenset({"type", "token_budget"}))
    budget = optional(given, "token_budget", int, "thinking.")
    return Reasoning(mode=cast(Any, mode), budget=budget, native={"thinking": rest} if rest else {})


# --- a request, written ----------------------------------------------------------------------------------------------


def write_own(request: ChatRequest) -> Fields:
    """A request of this dialect: everything as it was, the unknown with the known."""
    strict = request.strict_tools if isinstance(request, OwnRequest) else None
    fields: Fields = {"model": request.model}
    fields["messages"] = [write_message(message) for message in request.messages if not isinstance(message, Carrier)]
    documents = [part.value for message in request.messages for part in message.parts if isinstance(part, Given)]
    fields.update(same_fields(request))
    choice, form = request.tool_choice, request.format
    optional = {
        "stop_sequences": request.stop or None,
        "tools": [tool.builtin or write_tool(tool) for tool in request.tools] or None,
        "strict_tools": strict,
        "tool_choice": None if choice is None else choice.native.get("type", choice.kind.upper()),
        "documents": documents or None,
        "response_format": None if form is None else write_format(form),
        "thinking": _write_thinking(request.reasoning),
    }
    fields.update((key, value) for key, value in optional.items() if value is not None)
    fields.update(request.native)
    return fields


def same_fields(request: ChatRequest) -> Fields:
    """The plain fields, under this API's names."""
    plain = {
        "stream": request.stream or None,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "p": request.top_p,
        "k": request.top_k,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "logprobs": request.logprobs,
    }
    return {key: value for key, value in plain.items() if value is not None}


def write_message(message: Message) -> Fields:
    """A message in this API's form; its parts must be such as this API has."""
    entry: Fields = {"role": message.role}
    parts: list[Part] = []
    plain = message.plain
    for part in message.parts:
        match part:
            case ToolResult():
                entry["tool_call_id"] = part.id
                parts += part.parts
                plain = part.plain
            case Plan():
                entry["tool_plan"] = part.text
            case ToolCall():
                entry.setdefault("tool_calls", []).append(write_call(part))
            case Given():
                pass
            case _:
                parts.append(part)
    entry.update(message.native)
    if plain and len(parts) == 1 and isinstance(parts[0], Text):
        entry["content"] = parts[0].text
    elif parts or message.role != "assistant":
        entry["content"] = [write_part(part) for part in parts]
    return entry


def write_call(call: ToolCall) -> Fields:
    inner = {**call.native.get("function", {}), "name": call.name, "arguments": call.arguments}
    return {**call.native, "id": call.id, "type": "function", "function": inner}


def write_part(part: Part) -> Fields:
    match part:
        case NativePart():
            return part.value
        case Text():
            entry: Fields = {"type": "text", "text": part.text}
        case Thinking():
            entry = {"type": "thinking", "thinking": part.text}
        case Image():
            entry = {"type": "image_url", "image_url": _write_image(part)}
        case OwnDocument():
            entry = {"type": "document", "document": part.value}
        case Document(source=PlainText(text=text), title=title):
            entry = {"type": "document", "document": {"data": document_data(text, title)}}
        case _:
            raise Unsupported(
                f"Cohere's chat has no {type(part).__name__.lower()} here; leave it out", param="messages"
            )
    inner = entry[entry["type"]]
    beside = part.beside if isinstance(part, OwnDocument) else part.native
    for key, value in beside.items():
        if key == entry["type"] and isinstance(inner, dict):
            inner.update(value)
        else:
            entry[key] = value
    return entry


def document_data(text: str, title: str | None) -> Fields:
    return {"text": text} if title is None else {"title": title, "text": text}


def _write_image(image: Image) -> Fields:
    source = image.source
    if isinstance(source, Bytes):
        url = f"data:{source.media_type or ''};base64,{source.base64}"
    elif isinstance(source, Link):
        url = source.url
    else:
        raise Unsupported("Cohere takes an image as base64 data or by URL", param="messages")
    return {"url": url} if image.detail is None else {"url": url, "detail": image.detail}


def write_tool(tool: Tool) -> Fields:
    inner: Fields = {"name": tool.name, **tool.native.get("function", {})}
    if tool.description is not None:
        inner["description"] = tool.description
    if tool.schema is not None:
        inner["parameters"] = tool.schema
    return {**tool.native, "type": "function", "function": inner}


def write_format(form: ResponseFormat) -> Fields:
    if form.kind == "text":
        return {"type": "text", **form.native}
    if form.schema is None:
        return {"type": "json_object", **form.native}
    return {"type": "json_object", form.field if isinstance(form, Own) else "json_schema": form.schema, **form.native}


def _write_thinking(reasoning: Reasoning | None) -> Fields | None:
    if reasoning is None or reasoning.mode is None:
        return None
    fields: Fields = {"type": reasoning.mode, **reasoning.native.get("thinking", {})}
    if reasoning.budget is not None:
        fields["token_budget"] = reasoning.budget
    return fields
