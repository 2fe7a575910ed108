"""Reads requests of OpenAI's Responses API into the core's types; a part of the dialect `openai_responses`.

Format: https://platform.openai.com/docs/api-reference/responses/create and the types of the `openai` Python package.

- The items of a model's turn (reasoning, message, calls) become one assistant message; each part remembers its item.
- `instructions` is the first system message. Items of built-in tools stay whole (`NativeItem`).
- Custom tools and the local shell become functions, so that a model of any API can be offered them; the parts and tools
  remember what they were. So do those of a namespace, whose names get the namespace's before them. What the model may
  leave out anyway (`_OPTIONAL`) is native beside such tools.
- What only an API of this dialect can honour (`bound`) is what OpenAI keeps: earlier responses, conversations, prompts,
  items by reference, background responses, storing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import (
    Audio,
    Bytes,
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Link,
    Loss,
    Message,
    Native,
    NativePart,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Source,
    Stored,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.core.errors import InvalidRequest
from headgate.dialects.fields import array, object_, optional, others, string, wrong
from headgate.dialects.openai_responses.words import (
    LOCAL_SHELL,
    NAME,
    as_arguments,
    input_schema,
    qualified,
    shell_function,
    unwrap_kind,
)


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in the Responses API."""

    plain: bool = False
    """`input` was one bare string."""
    own: Native = {}
    """Fields that mean nothing elsewhere, so that leaving them out loses nothing."""
    extras: dict[int, dict[str, Any]] = {}
    """Tools a model of another API does without, by their place."""
    user_field: str = "user"
    shown: Native = {}
    """What `reasoning` holds beside the effort, which the gateway may want to be another."""


class Head(msgspec.Struct):
    """What a message item of the assistant has beside its content; all its parts share one."""

    fields: Native
    plain: bool


class Instructions(Message):
    """`instructions`."""


class OwnMessage(Message):
    """A message item; `head` is its `id` and `status`."""

    head: Native = {}


class Breakpoint(CacheMark, frozen=True):
    """A cache mark; `value` is the `prompt_cache_breakpoint` as it came."""

    value: Any = None


class OwnText(Text, kw_only=True):
    """Text of an assistant's message item; `empty` where the item has no content at all."""

    head: Head
    kind: str = "output_text"
    rest: Native = {}
    empty: bool = False


class OwnRefusal(Refusal, kw_only=True):
    """A refusal in an assistant's message item."""

    head: Head


class OwnPart(NativePart, kw_only=True):
    """Content of an assistant's message item that the core has no word for."""

    head: Head


class NativeItem(NativePart):
    """A whole item of a type the core has no word for."""


class OwnThinking(Thinking):
    """A reasoning item, whole."""

    item: Native = {}


class OwnCall(ToolCall):
    """A call of a function, of a custom tool or of the local shell; `item` as it came."""

    item: Native = {}


class OwnResult(ToolResult):
    """The output of such a call; `head` is what the item has beside its call and output."""

    kind: str = "function_call_output"
    head: Native = {}


class OwnTool(Tool):
    """A custom tool or the local shell; `entry` as it came."""

    entry: Native = {}


class Namespaced(OwnTool):
    """A tool of a namespace; `entry` is the namespace with all its tools, as it came."""


class OwnChoice(ToolChoice):
    """A choice of a custom tool or the local shell; `given` as it came."""

    given: Native = {}


# fmt: off
_REQUEST = frozenset({
    "model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p", "top_logprobs", "tools",
    "tool_choice", "parallel_tool_calls", "text", "reasoning", "user", "safety_identifier", "metadata", "service_tier",
    "include", "store", "background", "truncation", "stream_options", "previous_response_id", "conversation", "prompt",
    "moderation",
})
_OWN_OUTPUTS = {
    "function_call_output": "call_id", "custom_tool_call_output": "call_id", "local_shell_call_output": "id",
}
# fmt: on
_CALL = frozenset({"type", "id", "call_id", "name", "namespace", "status"})
ROLES = frozenset({"user", "system", "developer", "assistant"})
LOGPROBS = "message.output_text.logprobs"
_CONTENT = frozenset({"type", "text", "annotations", "prompt_cache_breakpoint"})
_OPTIONAL = ("web_search", "web_search_preview", "tool_search", "image_generation")
_HISTORY = (
    "send the whole conversation as `input` (with `store: false` most SDKs do), or use a model of a provider that "
    "speaks the Responses API"
)
_BOUND = {
    "previous_response_id": f"no earlier response is kept here; {_HISTORY}",
    "conversation": f"no conversation is kept here; {_HISTORY}",
    "prompt": "the prompt template is kept by OpenAI; send its text as `instructions` and `input`, or use a model of a "
    "provider that speaks the Responses API",
    "background": "the provider answers while the client waits; send `background: false`, or use a model of a "
    "provider that speaks the Responses API",
    "store": "the response cannot be stored; send `store: false` and keep the conversation yourself, or use a model of "
    "a provider that speaks the Responses API",
    "moderation": "the provider has no moderation of this kind; leave it out, or use a model of a provider that speaks "
    "the Responses API",
}


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded JSON body → the request; a null stands for an absent field."""
    request = OwnRequest(
        dialect=NAME,
        model=string(fields.get("model"), "model"),
        messages=[],
        stream=bool(optional(fields, "stream", bool)),
        max_tokens=optional(fields, "max_output_tokens", int),
        temperature=optional(fields, "temperature", float),
        top_p=optional(fields, "top_p", float),
        parallel_tool_calls=optional(fields, "parallel_tool_calls", bool),
        service_tier=optional(fields, "service_tier", str),
        native=others(fields, _REQUEST),
    )
    _read_bound(request, fields)
    instructions = optional(fields, "instructions", str)
    if instructions is not None:
        request.messages.append(Instructions(role="system", parts=[Text(text=instructions)], plain=True))
    _read_input(request, fields.get("input"))
    _read_tools(request, fields)
    _read_text(request, fields)
    _read_rest(request, fields)
    return request


def _read_bound(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    bound: dict[str, str] = {}
    for name, advice in _BOUND.items():
        value = fields.get(name)
        if value is None:
            continue
        request.own[name] = value
        if value is not False:
            bound[name] = advice
    request.bound = bound


def _read_input(request: OwnRequest, given: Any) -> None:
    if isinstance(given, str):
        request.plain = True
        request.messages.append(Message(role="user", parts=[Text(text=given)], plain=True))
    elif given is not None:
        turns = _Turns(request)
        for place, item in enumerate(array(given, "input")):
            turns.add(object_(item, f"input[{place}]"), f"input[{place}]")
        turns.end()
    elif not request.bound.keys() & {"prompt", "previous_response_id", "conversation"}:
        raise wrong("input", "a string or an array of items", None)


class _Turns:
    """Items → messages."""

    def __init__(self, request: OwnRequest) -> None:
        self._request = request
        self._messages = request.messages
        self._turn: list[Part] = []
        self._proof: tuple[str, str] | None = None

    def add(self, item: dict[str, Any], path: str) -> None:
        kind = item.get("type")
        if kind is None:
            kind = "item_reference" if "role" not in item and "id" in item else "message"
        match string(kind, path + ".type"):
            case "message":
                self._message(item, path)
            case "reasoning":
                self._reasoning(item, path)
            case "function_call" | "custom_tool_call" | "local_shell_call":
                self._call(item, kind, path)
            case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
                self._say(Message(role="tool", parts=[_result(item, kind, path)]))
            case "item_reference":
                self._request.bound[path] = f"the item is kept by OpenAI; {_HISTORY}"
                self._say(Message(role="user", parts=[NativeItem(dialect=NAME, value=item)]))
            case _ if kind.endswith("_call") or kind in ("mcp_list_tools", "mcp_approval_request", "compaction"):
                self._turn.append(NativeItem(dialect=NAME, value=item))
            case _:
                self._say(Message(role="user", parts=[NativeItem(dialect=NAME, value=item)]))

    def end(self) -> None:
        if self._turn:
            self._messages.append(Message(role="assistant", parts=self._turn))
            self._turn = []

    def _say(self, message: Message) -> None:
        self.end()
        self._messages.append(message)

    def _message(self, item: dict[str, Any], path: str) -> None:
        role = item.get("role")
        if type(role) is not str or role not in ROLES:
            raise wrong(path + ".role", "one of " + ", ".join(sorted(ROLES)), role)
        content = item.get("content")
        if role == "assistant":
            self._turn += _spoken(item, content, path)
            return
        head = {key: item[key] for key in ("id", "status") if item.get(key) is not None}
        rest = others(item, frozenset({"type", "role", "content", "id", "status"}))
        plain = isinstance(content, str)
        parts: list[Part] = [Text(text=content)] if isinstance(content, str) else _content(content, path + ".content")
        self._say(OwnMessage(role=role, parts=parts, plain=plain, native=rest, head=head))  # type: ignore[arg-type]

    def _reasoning(self, item: dict[str, Any], path: str) -> None:
        """A reasoning item of this API, or one that holds another vendor's proof."""
        sealed = optional(item, "encrypted_content", str, path + ".")
        kind, signer, proof = unwrap_kind(sealed) if sealed is not None else ("thinking", NAME, None)
        if kind == "call" and proof is not None:
            self._proof = (signer, proof)
            return
        text = _thoughts(item, path)
        if kind == "redacted":
            self._turn.append(OwnThinking(text=text, redacted=proof, signer=signer, item=item))
        else:
            self._turn.append(OwnThinking(text=text, signature=proof, signer=signer, item=item))

    def _call(self, item: dict[str, Any], kind: str, path: str) -> None:
        id = string(item.get("call_id"), path + ".call_id")
        native: Native = {}
        if kind == "function_call":
            name = string(item.get("name"), path + ".name")
            arguments = string(item.get("arguments"), path + ".arguments")
            native = others(item, _CALL | {"arguments"})
        elif kind == "custom_tool_call":
            name = string(item.get("name"), path + ".name")
            arguments = as_arguments(string(item.get("input"), path + ".input"))
            native = others(item, _CALL | {"input"})
        else:
            name = LOCAL_SHELL
            action = object_(item.get("action"), path + ".action")
            arguments = msgspec.json.encode(others(action, frozenset({"type", "env"}))).decode()
        namespace = optional(item, "namespace", str, path + ".")
        name = name if namespace is None else qualified(namespace, name)
        call = OwnCall(id=id, name=name, arguments=arguments, native=native, item=item)
        if self._proof is not None:
            call.signer, call.signature = self._proof
            self._proof = None
        self._turn.append(call)


def _thoughts(item: dict[str, Any], path: str) -> str:
    """The text of a reasoning item: its content where there is some, else its summary."""
    for key in ("content", "summary"):
        entries = item.get(key)
        if entries:
            texts = [
                string(object_(entry, f"{path}.{key}[{place}]").get("text"), f"{path}.{key}[{place}].text")
                for place, entry in enumerate(array(entries, f"{path}.{key}"))
            ]
            return "\n\n".join(texts)
    return ""


def _spoken(item: dict[str, Any], content: Any, path: str) -> list[Part]:
    """The parts of an assistant's message item."""
    head = Head(others(item, frozenset({"type", "role", "content"})), isinstance(content, str))
    native = {"phase": item["phase"]} if item.get("phase") is not None else {}
    if isinstance(content, str):
        return [OwnText(text=content, head=head, native=native)]
    if not content:
        array([] if content is None else content, path + ".content")
        return [OwnText(text="", head=head, native=native, empty=True)]
    parts: list[Part] = []
    for place, given in enumerate(array(content, path + ".content")):
        where = f"{path}.content[{place}]"
        entry = object_(given, where)
        kind = string(entry.get("type"), where + ".type")
        if kind in ("output_text", "input_text", "text"):
            text = string(entry.get("text"), where + ".text")
            said = optional(entry, "annotations", list, where + ".")
            citations = [object_(one, where + ".annotations") for one in said or ()]
            rest = others(entry, _CONTENT)
            part = OwnText(text=text, citations=citations, head=head, kind=kind, rest=rest, native=native)
            part.cache = _mark(entry)
            parts.append(part)
        elif kind == "refusal":
            parts.append(OwnRefusal(text=string(entry.get("refusal"), where + ".refusal"), head=head, native=native))
        else:
            parts.append(OwnPart(dialect=NAME, value=entry, head=head))
        native = {}
    return parts


def _content(content: Any, path: str) -> list[Part]:
    return [
        _part(object_(entry, f"{path}[{place}]"), f"{path}[{place}]")
        for place, entry in enumerate(array(content, path))
    ]


def _mark(entry: dict[str, Any]) -> CacheMark | None:
    own = entry.get("prompt_cache_breakpoint")
    return Breakpoint(value=own) if isinstance(own, dict) else None


def _part(entry: dict[str, Any], path: str) -> Part:
    kind = string(entry.get("type"), path + ".type")
    known = {"type", "prompt_cache_breakpoint"}
    part: Part
    if kind in ("input_text", "output_text", "text"):
        part = Text(text=string(entry.get("text"), path + ".text"))
        known.add("text")
    elif kind == "input_image":
        place = _source(entry, "image", path)
        part = Image(source=place, detail=optional(entry, "detail", str, path + "."))
        known |= {"detail", "file_id" if isinstance(place, Stored) else "image_url"}
    elif kind == "input_file":
        place = _source(entry, "file", path)
        part = Document(source=place, title=optional(entry, "filename", str, path + "."))
        said = "file_id" if isinstance(place, Stored) else "file_data" if isinstance(place, Bytes) else "file_url"
        known |= {"filename", said}
    elif kind == "input_audio":
        inner = object_(entry.get("input_audio"), path + ".input_audio")
        data = string(inner.get("data"), path + ".input_audio.data")
        part = Audio(source=Bytes(base64=data), format=optional(inner, "format", str, path + ".input_audio."))
        known.add("input_audio")
    else:
        return NativePart(dialect=NAME, value=entry)
    part.cache = _mark(entry)
    part.native = others(entry, frozenset(known))
    return part


def source(url: str) -> Source:
    """A base64 data URL → its bytes, any other URL → a link."""
    if url.startswith("data:"):
        head, comma, data = url[5:].partition(",")
        if comma and head.endswith(";base64"):
            return Bytes(base64=data, media_type=head[:-7])
    return Link(url=url)


def _source(entry: dict[str, Any], kind: str, path: str) -> Source:
    id = optional(entry, "file_id", str, path + ".")
    data = optional(entry, "file_data", str, path + ".") if kind == "file" else None
    url = optional(entry, f"{kind}_url", str, path + ".")
    if data is not None:
        found = source(data)
        return found if isinstance(found, Bytes) else Bytes(base64=data)
    if url is not None:
        return source(url) if kind == "image" else Link(url=url)
    if id is not None:
        return Stored(file_id=id)
    names = "`file_data`, `file_url` or `file_id`" if kind == "file" else "`image_url` or `file_id`"
    raise InvalidRequest(f"`{path}` needs {names}.", param=path)


def _result(item: dict[str, Any], kind: str, path: str) -> OwnResult:
    key = _OWN_OUTPUTS[kind]
    id = string(item.get(key) or item.get("call_id"), f"{path}.{key}")
    output = item.get("output")
    plain = isinstance(output, str)
    parts: list[Part] = [Text(text=output)] if isinstance(output, str) else _content(output, path + ".output")
    head = others(item, frozenset({"type", key, "output"}))
    return OwnResult(id=id, parts=parts, plain=plain, kind=kind, head=head)


# --- tools


def _read_tools(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    given = fields.get("tools")
    entries = [] if given is None else array(given, "tools")
    for place, entry in enumerate(entries):
        request.tools += _tools(object_(entry, f"tools[{place}]"), f"tools[{place}]")
    choice = fields.get("tool_choice")
    if choice is not None:
        request.tool_choice = _choice(choice)
        if request.tool_choice is None:
            request.native["tool_choice"] = choice
    free = choice is None or isinstance(choice, str)
    if free and any(tool.builtin is None for tool in request.tools):
        for place, entry in enumerate(entries):
            if entry.get("type") in _OPTIONAL:
                request.extras[place] = request.native[f"tools[{place}]"] = entry
        extras = request.extras.values()
        request.tools = [tool for tool in request.tools if not any(tool.builtin is entry for entry in extras)]
    for place, entry in enumerate(entries):
        _tell(request, entry, f"tools[{place}]")


def _tell(request: OwnRequest, entry: dict[str, Any], path: str) -> None:
    """What becomes of a tool that is no function, where there are only functions."""
    kind, form = entry.get("type"), entry.get("format")
    if kind == "namespace" and entry.get("tools"):
        why = "its tools are offered each by itself, with the namespace in its name and without its description"
        request.told.append(Loss(path, why))
        for place, inner in enumerate(entry["tools"]):
            _tell(request, inner, f"{path}.tools[{place}]")
    elif kind in ("custom", LOCAL_SHELL) and "custom" not in entry:
        request.told.append(Loss(path + ".type", "offered to the model as a function"))
        if isinstance(form, dict) and form.get("type") == "grammar":
            why = "told to the model in words; it does not have to keep to it"
            request.told.append(Loss(path + ".format", why))


def _tools(entry: dict[str, Any], path: str) -> list[Tool]:
    """What an entry offers: one tool, or those of a namespace."""
    if entry.get("type") != "namespace" or not entry.get("tools"):
        return [_tool(entry, path)]
    namespace = string(entry.get("name"), path + ".name")
    tools: list[Tool] = []
    for place, inner in enumerate(array(entry.get("tools"), path + ".tools")):
        where = f"{path}.tools[{place}]"
        # all are offered at once
        given = others(object_(inner, where), frozenset({"defer_loading"}))
        tool = _tool(given, where)
        name = qualified(namespace, tool.name)
        tools.append(
            Namespaced(
                name=name,
                description=tool.description,
                schema=tool.schema,
                strict=tool.strict,
                builtin=tool.builtin,
                native=tool.native,
                entry=entry,
            )
        )
    return tools


def _tool(entry: dict[str, Any], path: str) -> Tool:
    kind = string(entry.get("type", "function"), path + ".type")
    if kind == "function" and "function" not in entry:
        schema = entry.get("parameters")
        return Tool(
            name=string(entry.get("name"), path + ".name"),
            description=optional(entry, "description", str, path + "."),
            schema=None if schema is None else object_(schema, path + ".parameters"),
            strict=optional(entry, "strict", bool, path + "."),
            native=others(entry, frozenset({"type", "name", "description", "parameters", "strict"})),
        )
    if kind == "custom" and "custom" not in entry:
        rest = others(entry, frozenset({"type", "name", "description", "format"}))
        return OwnTool(
            name=string(entry.get("name"), path + ".name"),
            description=optional(entry, "description", str, path + "."),
            schema=input_schema(entry.get("format")),
            native=rest,
            entry=entry,
        )
    if kind == LOCAL_SHELL:
        description, schema = shell_function()
        return OwnTool(name=LOCAL_SHELL, description=description, schema=schema, entry=entry)
    name = entry.get("name")
    return Tool(name=name if isinstance(name, str) else kind, builtin=entry)


def _choice(given: Any) -> ToolChoice | None:
    """The choice; None for one of a tool that only this API has."""
    if isinstance(given, str):
        if given in ("auto", "none", "required"):
            return ToolChoice(kind=given)  # type: ignore[arg-type]
        raise wrong("tool_choice", '"none", "auto", "required" or an object', given)
    given = object_(given, "tool_choice")
    kind = given.get("type", "function")
    if kind == "function":
        inner = given.get("function")  # as Chat Completions has it: some hosts take it
        name = inner.get("name") if isinstance(inner, dict) else given.get("name")
        native = others(given, frozenset({"type", "name"}))
        return ToolChoice(kind="tool", name=string(name, "tool_choice.name"), native=native)
    if kind == "custom":
        return OwnChoice(kind="tool", name=string(given.get("name"), "tool_choice.name"), given=given)
    if kind == LOCAL_SHELL:
        return OwnChoice(kind="tool", name=LOCAL_SHELL, given=given)
    if kind == "allowed_tools":
        return _allowed(given)
    return None


def _allowed(given: dict[str, Any]) -> ToolChoice:
    mode = given.get("mode")
    if mode not in ("auto", "required"):
        raise wrong("tool_choice.mode", '"auto" or "required"', mode)
    names = []
    for place, entry in enumerate(array(given.get("tools"), "tool_choice.tools")):
        entry = object_(entry, f"tool_choice.tools[{place}]")
        name = entry.get("name") or entry.get("type")
        names.append(string(name, f"tool_choice.tools[{place}].name"))
    native: Native = {}
    if any(entry != {"type": "function", "name": name} for entry, name in zip(given["tools"], names, strict=True)):
        native = {"tools": given["tools"]}
    return ToolChoice(kind="allowed", names=names, mode=mode, native=native)


# --- the rest


def _read_text(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    text = fields.get("text")
    if text is None:
        return
    text = object_(text, "text")
    given = text.get("format")
    rest = others(text, frozenset({"format"}))
    if given is not None:
        request.format = _format(object_(given, "text.format"))
        if request.format is None:
            rest["format"] = given
    if rest:
        request.native["text"] = rest


def _format(given: dict[str, Any]) -> ResponseFormat | None:
    kind = string(given.get("type"), "text.format.type")
    if kind == "json_schema":
        schema = given.get("schema")
        return ResponseFormat(
            kind="schema",
            name=optional(given, "name", str, "text.format."),
            description=optional(given, "description", str, "text.format."),
            schema=None if schema is None else object_(schema, "text.format.schema"),
            strict=optional(given, "strict", bool, "text.format."),
            native=others(given, frozenset({"type", "name", "description", "schema", "strict"})),
        )
    if kind in ("text", "json_object"):
        native = others(given, frozenset({"type"}))
        return ResponseFormat(kind="text" if kind == "text" else "json", native=native)
    return None


def _read_rest(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    reasoning = fields.get("reasoning")
    if reasoning is not None:
        reasoning = object_(reasoning, "reasoning")
        request.shown = others(reasoning, frozenset({"effort"}))
        shown = "summarized" if request.shown.keys() & {"summary", "generate_summary"} else None
        effort = optional(reasoning, "effort", str, "reasoning.")
        request.reasoning = Reasoning(effort=effort, display=shown)
    for name in ("user", "safety_identifier"):
        value = optional(fields, name, str)
        if value is not None and request.user is None:
            request.user, request.user_field = value, name
        elif value is not None:
            request.own[name] = value
    metadata = fields.get("metadata")
    if metadata is not None:
        metadata = object_(metadata, "metadata")
        if all(isinstance(value, str) for value in metadata.values()):
            request.metadata = metadata
        else:
            request.native["metadata"] = metadata
    _read_logprobs(request, fields)
    for name in ("stream_options", "truncation"):
        if fields.get(name) is not None:
            request.own[name] = fields[name]
    if fields.get("truncation") == "auto":
        request.native["truncation"] = request.own.pop("truncation")


def _read_logprobs(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    """They come only where `include` asks for them, however many `top_logprobs` says."""
    include = fields.get("include")
    if include is not None:
        include = array(include, "include")
        request.own["include"] = include
        request.logprobs = True if LOGPROBS in include else None
    top = optional(fields, "top_logprobs", int)
    if top is not None and request.logprobs:
        request.top_logprobs = top
    elif top is not None:
        request.own["top_logprobs"] = top
