"""Reads requests of OpenAI's Chat Completions API into the core's types; a part of the dialect `openai_chat`.

Format: https://platform.openai.com/docs/api-reference/chat/create and the types of the `openai` Python package,
plus what compatible hosts added and clients send: `reasoning_content` and `reasoning` (DeepSeek, OpenRouter),
`cache_control` (OpenRouter, LiteLLM), `top_k`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headgate.core.chat import (
    Audio,
    Bytes,
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Link,
    Message,
    Native,
    NativePart,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Source,
    Stored,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
)
from headgate.core.errors import InvalidRequest
from headgate.dialects.fields import array, object_, optional, others, string, wrong

NAME = "openai_chat"
GOOGLE = "gemini_generate"
"""The dialect in which Google's proofs are given; its OpenAI face says them as `extra_content`."""


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in Chat Completions, with the forms it was said in where there is more than one."""

    limit_name: str = "max_completion_tokens"
    seed_name: str = "seed"
    """Mistral's is `random_seed`."""
    stop_plain: bool = False
    legacy: bool = False
    """The tools were said as `functions`, the choice as `function_call`."""


class Breakpoint(CacheMark, frozen=True):
    """A cache mark said as `prompt_cache_breakpoint`; `value` is that object."""

    value: Any = None


class PlainImage(Image):
    """An image whose `image_url` is a bare string (Mistral)."""


class PlainVideo(Video):
    """A video whose `video_url` is a bare string (Perplexity)."""


class Reasoned(Thinking):
    """An assistant message's `reasoning_content` or `reasoning` (`field`)."""

    field: str = "reasoning_content"


class ThinkChunk(Thinking):
    """Thinking as a part of the content (Mistral); `value` is the whole part."""

    value: dict[str, Any] = {}


class LinkedDocument(Document):
    """A document by its address (Mistral's `document_url`); `value` is the whole part."""

    value: dict[str, Any] = {}


class Proof(Thinking):
    """An assistant message's `extra_content` of Google's: the proof of its text."""


class MessageRefusal(Refusal):
    """A refusal that is a field of the message, not a part of its content."""


class FunctionCall(ToolCall):
    """A call said as the deprecated `function_call`, which has no id: the id here is made up from its place."""


class FunctionResult(ToolResult):
    """A message of the deprecated role `function`."""


ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
# fmt: off
_REQUEST = frozenset({
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "top_k", "frequency_penalty", "presence_penalty", "n", "stop", "logprobs", "top_logprobs", "tools",
    "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format", "reasoning_effort",
    "user", "metadata", "service_tier",
})
# fmt: on
_MESSAGE = frozenset({"role", "content", "name"})
_ASSISTANT = _MESSAGE | {"tool_calls", "function_call", "refusal", "reasoning_content", "reasoning"}
_TOOL = _MESSAGE | {"tool_call_id"}


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded body → the request. `null` counts as absent. Raises InvalidRequest."""
    request = OwnRequest(
        dialect=NAME,
        model=string(fields.get("model"), "model"),
        messages=[
            _message(object_(entry, f"messages[{place}]"), f"messages[{place}]", place)
            for place, entry in enumerate(array(fields.get("messages"), "messages"))
        ],
        stream=bool(optional(fields, "stream", bool)),
        temperature=optional(fields, "temperature", float),
        top_p=optional(fields, "top_p", float),
        top_k=optional(fields, "top_k", int),
        frequency_penalty=optional(fields, "frequency_penalty", float),
        presence_penalty=optional(fields, "presence_penalty", float),
        n=optional(fields, "n", int),
        logprobs=optional(fields, "logprobs", bool),
        top_logprobs=optional(fields, "top_logprobs", int),
        parallel_tool_calls=optional(fields, "parallel_tool_calls", bool),
        user=optional(fields, "user", str),
        service_tier=optional(fields, "service_tier", str),
        native=others(fields, _REQUEST),
    )
    _pair_functions(request.messages)
    _read_limits(request, fields)
    _read_tools(request, fields)
    _read_rest(request, fields)
    return request


def _read_limits(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    for name in ("seed", "random_seed"):
        if request.seed is None and fields.get(name) is not None:
            request.seed, request.seed_name = optional(fields, name, int), name
            request.native.pop(name, None)
    request.max_tokens = optional(fields, "max_completion_tokens", int)
    old = optional(fields, "max_tokens", int)
    if request.max_tokens is None and old is not None:
        request.max_tokens, request.limit_name = old, "max_tokens"
    elif old is not None:
        request.native["max_tokens"] = old
    stop = fields.get("stop")
    if isinstance(stop, str):
        request.stop, request.stop_plain = [stop], True
    elif stop is not None:
        if not isinstance(stop, list):
            raise wrong("stop", "a string or an array of strings", stop)
        request.stop = [string(one, f"stop[{place}]") for place, one in enumerate(stop)]
    options = fields.get("stream_options")
    if options is not None:
        options = object_(options, "stream_options")
        request.stream_usage = optional(options, "include_usage", bool, "stream_options.")
        rest = others(options, frozenset({"include_usage"}))
        if rest:
            request.native["stream_options"] = rest


def _read_rest(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    effort = optional(fields, "reasoning_effort", str)
    if effort is not None:
        request.reasoning = Reasoning(effort=effort)
    metadata = fields.get("metadata")
    if metadata is not None:
        metadata = object_(metadata, "metadata")
        if all(isinstance(value, str) for value in metadata.values()):
            request.metadata = metadata
        else:
            request.native["metadata"] = metadata
    given = fields.get("response_format")
    if given is not None:
        request.format = _format(object_(given, "response_format"))
        if request.format is None:
            request.native["response_format"] = given


def _format(given: dict[str, Any]) -> ResponseFormat | None:
    kind = string(given.get("type"), "response_format.type")
    if kind == "json_schema":
        path = "response_format.json_schema"
        inner = object_(given.get("json_schema"), path)
        native = others(given, frozenset({"type", "json_schema"}))
        rest = others(inner, frozenset({"name", "description", "schema", "strict"}))
        if rest:
            native["json_schema"] = rest
        schema = inner.get("schema")
        return ResponseFormat(
            kind="schema",
            name=optional(inner, "name", str, path + "."),
            description=optional(inner, "description", str, path + "."),
            schema=None if schema is None else object_(schema, path + ".schema"),
            strict=optional(inner, "strict", bool, path + "."),
            native=native,
        )
    if kind in ("text", "json_object"):
        native = others(given, frozenset({"type"}))
        return ResponseFormat(kind="text" if kind == "text" else "json", native=native)
    return None


def _read_tools(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    tools, functions = fields.get("tools"), fields.get("functions")
    if tools is not None:
        request.tools = [
            _tool(object_(entry, f"tools[{place}]"), f"tools[{place}]")
            for place, entry in enumerate(array(tools, "tools"))
        ]
    if functions is not None:
        functions = array(functions, "functions")
        if tools is None:
            request.legacy = True
            request.tools = [
                _function(object_(entry, f"functions[{place}]"), f"functions[{place}]", {})
                for place, entry in enumerate(functions)
            ]
        else:
            request.native["functions"] = functions
    choice, call = fields.get("tool_choice"), fields.get("function_call")
    if choice is not None:
        request.tool_choice = _choice(choice)
        if request.tool_choice is None:
            request.native["tool_choice"] = choice
    if call is not None and choice is None and tools is None:
        request.legacy = True
        if isinstance(call, dict):
            request.tool_choice = ToolChoice(kind="tool", name=string(call.get("name"), "function_call.name"))
        elif call in ("auto", "none"):
            request.tool_choice = ToolChoice(kind=call)
        else:
            raise wrong("function_call", '"auto", "none" or {"name": …}', call)
    elif call is not None:
        request.native["function_call"] = call


def _tool(entry: dict[str, Any], path: str) -> Tool:
    kind = entry.get("type", "function")
    if kind == "function":
        mark, marked = _mark(entry)
        outer = others(entry, frozenset({"type", "function"}) | marked)
        tool = _function(object_(entry.get("function"), path + ".function"), path + ".function", outer)
        tool.cache = mark
        return tool
    kind = string(kind, path + ".type")
    inner = entry.get(kind)
    named = inner if isinstance(inner, dict) else entry
    name = named.get("name")
    return Tool(name=name if isinstance(name, str) else kind, builtin=entry)


def _function(inner: dict[str, Any], path: str, outer: Native) -> Tool:
    rest = others(inner, frozenset({"name", "description", "parameters", "strict"}))
    if rest:
        outer["function"] = rest
    schema = inner.get("parameters")
    return Tool(
        name=string(inner.get("name"), path + ".name"),
        description=optional(inner, "description", str, path + "."),
        schema=None if schema is None else object_(schema, path + ".parameters"),
        strict=optional(inner, "strict", bool, path + "."),
        native=outer,
    )


def _choice(given: Any) -> ToolChoice | None:
    """The choice; None for an object of a type that is not OpenAI's."""
    if isinstance(given, str):
        if given in ("auto", "none", "required"):
            return ToolChoice(kind=cast(Any, given))
        if given == "any":  # Mistral's older word for required
            return ToolChoice(kind="required", native={"type": given})
        raise wrong("tool_choice", '"none", "auto", "required" or an object', given)
    given = object_(given, "tool_choice")
    kind = given.get("type", "function")
    if kind in ("function", "custom"):
        inner = object_(given.get(kind), f"tool_choice.{kind}")
        name = string(inner.get("name"), f"tool_choice.{kind}.name")
        native = others(given, frozenset({"type", kind}))
        return ToolChoice(kind="tool", name=name, custom=kind == "custom", native=native)
    if kind == "allowed_tools":
        return _allowed(object_(given.get(kind), "tool_choice.allowed_tools"))
    return None


def _allowed(inner: dict[str, Any]) -> ToolChoice:
    path = "tool_choice.allowed_tools"
    mode = inner.get("mode")
    if mode not in ("auto", "required"):
        raise wrong(path + ".mode", '"auto" or "required"', mode)
    names = []
    native: Native = {}
    tools = array(inner.get("tools"), path + ".tools")
    for place, entry in enumerate(tools):
        entry = object_(entry, f"{path}.tools[{place}]")
        kind = entry.get("type")
        name = entry[kind].get("name") if isinstance(kind, str) and isinstance(entry.get(kind), dict) else None
        names.append(name if isinstance(name, str) else str(kind))
        if entry != {"type": "function", "function": {"name": name}}:
            native = {"tools": tools}
    return ToolChoice(kind="allowed", names=names, mode=mode, native=native)


def _message(entry: dict[str, Any], path: str, place: int) -> Message:
    role = entry.get("role")
    if type(role) is not str or role not in ROLES:
        raise wrong(path + ".role", "one of " + ", ".join(sorted(ROLES)), role)
    name = optional(entry, "name", str, path + ".")
    content = entry.get("content")
    plain = isinstance(content, str)
    known = _ASSISTANT if role == "assistant" else _TOOL if role == "tool" else _MESSAGE
    native = others(entry, known)
    parts = _content(content, path + ".content")
    if plain and "cache_control" in native:  # LiteLLM: a mark on the message is a mark on its content
        mark, marked = _mark(native)
        if mark is not None and not isinstance(mark, Breakpoint):
            parts[0].cache = mark
            native = others(native, marked)
    if role == "assistant":
        parts = _assistant(entry, parts, path, native, place)
    elif role == "tool":
        id = string(entry.get("tool_call_id"), path + ".tool_call_id")
        parts = [ToolResult(id=id, parts=parts)]
    elif role == "function":
        string(name, path + ".name")
        role, parts = "tool", [FunctionResult(id="", parts=parts)]
    elif content is None:
        raise wrong(path + ".content", "a string or an array of parts", None)
    return Message(role=cast(Role, role), parts=parts, name=name, plain=plain, native=native)


def _assistant(entry: dict[str, Any], content: list[Part], path: str, native: Native, place: int) -> list[Part]:
    parts: list[Part] = []
    for field in ("reasoning_content", "reasoning"):
        text = entry.get(field)
        if isinstance(text, str) and not parts:
            parts.append(Reasoned(text=text, field=field))
        elif text is not None:
            native[field] = text
    parts += content
    refusal = optional(entry, "refusal", str, path + ".")
    if refusal is not None:
        parts.append(MessageRefusal(text=refusal))
    proof = google_proof(entry.get("extra_content"))
    if proof is not None:
        parts.append(Proof(signature=proof, signer=GOOGLE))
    calls = entry.get("tool_calls")
    if calls is not None:
        parts += [
            _call(object_(call, f"{path}.tool_calls[{number}]"), f"{path}.tool_calls[{number}]")
            for number, call in enumerate(array(calls, path + ".tool_calls"))
        ]
    old = entry.get("function_call")
    if old is not None:
        inner = object_(old, path + ".function_call")
        name = string(inner.get("name"), path + ".function_call.name")
        arguments = string(inner.get("arguments"), path + ".function_call.arguments")
        parts.append(FunctionCall(id=f"call_function_{place}", name=name, arguments=arguments))
    return parts


def google_proof(extra: Any) -> str | None:
    """The `thought_signature` in an `extra_content`: https://ai.google.dev/gemini-api/docs/thought-signatures."""
    found = extra.get("google") if isinstance(extra, dict) else None
    proof = found.get("thought_signature") if isinstance(found, dict) else None
    return proof if isinstance(proof, str) and proof else None


def _call(entry: dict[str, Any], path: str) -> ToolCall:
    kind = entry.get("type", "function")
    if kind not in ("function", "custom"):
        raise wrong(path + ".type", '"function" or "custom"', kind)
    inner = object_(entry.get(kind), f"{path}.{kind}")
    text = "input" if kind == "custom" else "arguments"
    native = others(entry, frozenset({"id", "type", kind}))
    rest = others(inner, frozenset({"name", text}))
    if rest:
        native[kind] = rest
    proof = google_proof(entry.get("extra_content"))
    arguments = inner.get(text)
    if type(arguments) is not str:
        raise wrong(f"{path}.{kind}.{text}", "a string" if text == "input" else "a string of JSON", arguments)
    return ToolCall(
        id=string(entry.get("id"), path + ".id"),
        name=string(inner.get("name"), f"{path}.{kind}.name"),
        arguments=arguments,
        custom=kind == "custom",
        signature=proof,
        signer=GOOGLE if proof else "",
        native=native,
    )


def _pair_functions(messages: list[Message]) -> None:
    """Give each result of a `function` message the made-up id of the last call of that function."""
    last: dict[str, str] = {}
    for place, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, FunctionCall):
                last[part.name] = part.id
            elif isinstance(part, FunctionResult):
                part.id = last.get(message.name or "", f"call_function_{place}")


def _content(content: Any, path: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(text=content)]
    if not isinstance(content, list):
        raise wrong(path, "a string or an array of parts", content)
    return [_part(object_(entry, f"{path}[{place}]"), f"{path}[{place}]") for place, entry in enumerate(content)]


def _mark(entry: dict[str, Any]) -> tuple[CacheMark | None, frozenset[str]]:
    """The cache mark of a part or tool, and which of its keys said it."""
    own = entry.get("prompt_cache_breakpoint")
    if isinstance(own, dict):
        ttl = own.get("ttl")
        return Breakpoint(ttl="1h" if ttl else None, value=own), frozenset({"prompt_cache_breakpoint"})
    mark = entry.get("cache_control")
    if isinstance(mark, dict) and mark.get("type") == "ephemeral" and mark.keys() <= {"type", "ttl"}:
        ttl = mark.get("ttl")
        if ttl is None or isinstance(ttl, str):
            return CacheMark(ttl=ttl), frozenset({"cache_control"})
    return None, frozenset()


def _part(entry: dict[str, Any], path: str) -> Part:
    kind = string(entry.get("type"), path + ".type")
    part: Part
    if kind == "text":
        part = Text(text=string(entry.get("text"), path + ".text"))
    elif kind == "refusal":
        part = Refusal(text=string(entry.get("refusal"), path + ".refusal"))
    elif kind == "image_url":
        part = _image(entry.get("image_url"), path + ".image_url")
    elif kind == "input_audio" and not isinstance(entry.get("input_audio"), str):  # Mistral has it as a string too
        part = _audio(object_(entry.get("input_audio"), path + ".input_audio"), path + ".input_audio")
    elif kind == "video_url" and (video := _video(entry.get("video_url"))) is not None:
        part = video
    elif kind == "file":
        part = _file(object_(entry.get("file"), path + ".file"), path + ".file")
    elif kind == "thinking" and isinstance(entry.get("thinking"), list | str):
        return ThinkChunk(text=thought(entry["thinking"]), value=entry)
    elif kind == "document_url":
        url = string(entry.get("document_url"), path + ".document_url")
        title = optional(entry, "document_name", str, path + ".")
        return LinkedDocument(source=source(url), title=title, value=entry)
    else:
        return NativePart(dialect=NAME, value=entry)
    part.cache, marked = _mark(entry)
    rest = others(entry, frozenset({"type", kind}) | marked)
    if rest:
        part.native = {**rest, **part.native}
    return part


def thought(chunks: Any) -> str:
    """The text of Mistral's thinking: https://docs.mistral.ai/capabilities/reasoning."""
    if isinstance(chunks, str):
        return chunks
    texts = [chunk.get("text") for chunk in chunks if isinstance(chunk, dict)] if isinstance(chunks, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def source(url: str) -> Source:
    """A base64 data URL → its bytes, any other URL → a link."""
    if url.startswith("data:"):
        head, comma, data = url[5:].partition(",")
        if comma and head.endswith(";base64"):
            return Bytes(base64=data, media_type=head[:-7])
    return Link(url=url)


def _image(given: Any, path: str) -> Image:
    if isinstance(given, str):
        return PlainImage(source=source(given))
    given = object_(given, path)
    rest = others(given, frozenset({"url", "detail"}))
    return Image(
        source=source(string(given.get("url"), path + ".url")),
        detail=optional(given, "detail", str, path + "."),
        native={"image_url": rest} if rest else {},
    )


def _video(given: Any) -> Video | None:
    """OpenRouter's, vLLM's and Qwen's, not OpenAI's: https://openrouter.ai/docs/guides/overview/multimodal/videos.

    None for a host's form of its own (vLLM's null beside a `uuid`).
    """
    if isinstance(given, str):
        return PlainVideo(source=source(given))
    if not isinstance(given, dict) or not isinstance(given.get("url"), str):
        return None
    rest = others(given, frozenset({"url"}))
    return Video(source=source(given["url"]), native={"video_url": rest} if rest else {})


def _audio(given: dict[str, Any], path: str) -> Audio:
    rest = others(given, frozenset({"data", "format"}))
    return Audio(
        source=Bytes(base64=string(given.get("data"), path + ".data")),
        format=optional(given, "format", str, path + "."),
        native={"input_audio": rest} if rest else {},
    )


def _file(given: dict[str, Any], path: str) -> Document:
    data = optional(given, "file_data", str, path + ".")
    id = optional(given, "file_id", str, path + ".")
    known = {"filename", "file_data" if data is not None else "file_id"}
    place: Source
    if data is None:
        if id is None:
            raise InvalidRequest(f"`{path}` needs `file_data` or `file_id`.", param=path)
        place = Stored(file_id=id)
    elif data.startswith(("data:", "http://", "https://")):  # OpenRouter takes URLs here
        place = source(data)
    else:
        place = Bytes(base64=data)
    rest = others(given, frozenset(known))
    title = optional(given, "filename", str, path + ".")
    return Document(source=place, title=title, native={"file": rest} if rest else {})
