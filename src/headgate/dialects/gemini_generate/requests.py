"""Requests of the Gemini API, read into the core's types and written back without loss; a part of `gemini_generate`.

Format: https://ai.google.dev/api/generate-content, for Vertex AI the same with a few fields more. Google reads its own
names (`generationConfig`) and those of the proto files (`generation_config`), enums as words or numbers, one object
where a list stands, and base64 of both alphabets: so does this. Written are Google's own names.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import (
    Audio,
    Bytes,
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
    ResponseFormat,
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
from headgate.dialects.gemini_generate.schemas import to_json_schema
from headgate.dialects.gemini_generate.thinking import thinking
from headgate.dialects.gemini_generate.words import (
    CHECKS,
    DIALECT,
    SKIPS_CHECK,
    Fields,
    camel,
    made_id,
    open_signature,
    version_of,
)


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in the Gemini API."""

    bound: dict[str, str] = {}
    """Fields that only Gemini can honour, and what to do about each."""


class Turn(Message, kw_only=True):
    """A content, with the role as it was said (None: not at all, which is the user's)."""

    said: str | None = None


class Called(ToolCall, kw_only=True):
    """A `functionCall`; `unnamed` where it had no id, and the one it has here is made of its place."""

    unnamed: bool = False


class Answered(ToolResult, kw_only=True):
    """A `functionResponse`: the function's name, and the object it gave."""

    name: str
    response: Any = None
    unnamed: bool = False


class Declared(Tool, kw_only=True):
    """A tool, and the place of the entry of `tools` it stood in; `field` says how its parameters were said."""

    entry: int = 0
    field: str | None = None
    parameters: Any = None


class SchemaFormat(ResponseFormat, kw_only=True):
    """JSON that fits a schema: `field` says how that was said, `said` is as it came."""

    field: str = "responseJsonSchema"
    said: Any = None


class Thought(Reasoning, kw_only=True):
    """`thinkingConfig` as it came."""

    said: Fields = {}


class Chosen(ToolChoice, kw_only=True):
    """A `functionCallingConfig` as it came."""

    said: Fields = {}


_LEVELS = (None, "low", "high", "medium", "minimal")
_MODES = (None, "AUTO", "ANY", "NONE", "VALIDATED")
_JSON = "application/json"
_encode = msgspec.json.Encoder().encode
_STANDARD = str.maketrans("-_", "+/")


# --- a request, read -------------------------------------------------------------------------------------------------


def read_request(fields: Mapping[str, Any]) -> OwnRequest:
    """The decoded body, and `model` and `stream` of the URL → the request; a null stands for an absent field.

    Raises InvalidRequest with `param` as the API names places: `contents[2].parts[0].inlineData.data`.
    """
    rest = _known(fields, "")
    model, stream = rest.pop("model", None), bool(rest.pop("stream", False))
    if not isinstance(model, str) or not model:
        raise _invalid("model", "is required: it stands in the path")
    rest.pop("alt", None)
    messages = joined_thoughts(_Contents(rest).messages)
    config = _known(rest.pop("generationConfig", None) or {}, "generationConfig")
    request = OwnRequest(dialect=DIALECT, model=model, messages=messages, stream=stream)
    _read_config(request, config)
    request.tools = _read_tools(rest)
    request.tool_choice = _read_choice(rest)
    labels = rest.pop("labels", None)
    if labels is not None:
        labels = _object(labels, "labels")
        if any(not isinstance(value, str) for value in labels.values()):
            raise _invalid("labels", "must hold strings")
        request.metadata = labels
    tier = _maybe(rest, "serviceTier", str, "")
    request.service_tier = tier
    if config:
        rest["generationConfig"] = config
    if "cachedContent" in rest:
        request.bound = {**request.bound, "cachedContent": "only Gemini can open its cached content; send the content"}
    request.native = rest
    return request


class _Contents:
    """The turns of a request, with calls and results paired."""

    def __init__(self, rest: Fields) -> None:
        self.messages: list[Message] = []
        self._open: dict[str, list[str]] = {}
        """Function → ids of its calls that have no result yet."""
        system = rest.pop("systemInstruction", None)
        if system is not None:
            self._turn(system, "systemInstruction", "system", 0)
        contents = rest.pop("contents", None)
        if contents is None:
            raise _invalid("contents", "is required: an array of contents")
        for place, content in enumerate(_list(contents)):
            self._turn(content, f"contents[{place}]", "", place)
        if len(self.messages) == (system is not None):
            raise _invalid("contents", "must hold at least one content")

    def _turn(self, content: Any, path: str, role: Any, place: int) -> None:
        if isinstance(content, str) and role == "system":  # what some clients send, and Google takes
            content = {"parts": [{"text": content}]}
        rest = _known(content, path)
        said = _maybe(rest, "role", str, path)
        if not role:
            if said not in (None, "", "user", "model", "function"):
                raise _invalid(f"{path}.role", f"must be user or model, not {said[:40]!r}")
            role = "assistant" if said == "model" else "user"
        parts = rest.pop("parts", None)
        found = [
            self._part(part, f"{path}.parts[{number}]", place, number) for number, part in enumerate(_list(parts or []))
        ]
        self.messages.append(Turn(role=role, parts=found, said=said, native=rest))

    def _part(self, part: Any, path: str, turn: int, place: int) -> Part:
        rest = _known(part, path)
        if "functionCall" in rest:
            return self._call(rest, path, turn, place)
        if "functionResponse" in rest:
            return self._result(rest, path)
        if "text" in rest and not rest.keys() & {"executableCode", "codeExecutionResult", "toolCall", "toolResponse"}:
            return _text(rest, path)
        return _media(rest, path) or NativePart(dialect=DIALECT, value=rest)

    def _call(self, rest: Fields, path: str, turn: int, place: int) -> Part:
        path = f"{path}.functionCall"
        call = _known(rest.pop("functionCall"), path)
        name = _take(call, "name", str, path)
        id = _maybe(call, "id", str, path)
        args = _maybe(call, "args", dict, path)
        signer, signature = _signature(rest, path)
        if call:
            rest["functionCall"] = call
        used = id or made_id(turn, place)
        self._open.setdefault(name, []).append(used)
        return Called(
            id=used,
            name=name,
            arguments="{}" if args is None else _encode(args).decode(),
            signature=signature,
            signer=signer,
            unnamed=not id,
            native=rest,
        )

    def _result(self, rest: Fields, path: str) -> Part:
        path = f"{path}.functionResponse"
        given = _known(rest.pop("functionResponse"), path)
        name = _take(given, "name", str, path)
        id = _maybe(given, "id", str, path)
        response = _maybe(given, "response", dict, path)
        parts: list[Part] = [Text(text=answer_text(response))] if response else []
        for number, part in enumerate(_list(given.pop("parts", None) or [])):
            where = f"{path}.parts[{number}]"
            inner = _known(part, where)
            parts.append(_media(inner, where) or NativePart(dialect=DIALECT, value=inner))
        waiting = self._open.get(name, [])
        used = id or (waiting[0] if waiting else f"call_{name}")
        if used in waiting:
            waiting.remove(used)
        if given:
            rest["functionResponse"] = given
        error = bool(response) and response.keys() == {"error"}
        return Answered(
            id=used, name=name, parts=parts, error=error, plain=len(parts) == 1, response=response,
            unnamed=not id, native=rest,
        )  # fmt: skip


def joined_thoughts(messages: list[Message]) -> list[Message]:
    """Thinking of another vendor in one piece again: to a client of this API its stream was given piece by piece, the
    proof at the end, and clients keep each piece as a part or even as a content of its own."""
    pieces: list[Thinking] = []
    changed = False
    for message in messages:
        if message.role != "assistant":
            pieces = []
        for part in message.parts:
            if not isinstance(part, Thinking):
                pieces = []
            elif not part.signature:
                pieces.append(part)
            else:
                if part.signer not in ("", DIALECT) and pieces:
                    part.text = "".join(piece.text for piece in (*pieces, part))
                    for piece in pieces:
                        piece.text, piece.redacted = "", _GONE
                    changed = True
                pieces = []
    if not changed:
        return messages
    for message in messages:
        message.parts = [part for part in message.parts if not (isinstance(part, Thinking) and part.redacted is _GONE)]
    return [message for message in messages if message.parts]


_GONE = "joined to what follows"


def answer_text(response: Fields) -> str:
    """What a function gave, as text: its `output` (or `error`) where it is that alone and a string, else all as JSON.

    https://ai.google.dev/api/caching#FunctionResponse
    """
    if len(response) == 1:
        for key in ("output", "error"):
            value = response.get(key)
            if isinstance(value, str):
                return value
    return _encode(response).decode()


def _signature(rest: Fields, path: str) -> tuple[str, str | None]:
    """The signer and the proof of a `thoughtSignature`: "" where this gateway marked that there is none."""
    given = _maybe(rest, "thoughtSignature", str, path)
    return open_signature(given) if given else ("", None)


def _text(rest: Fields, path: str) -> Part:
    text = _take(rest, "text", str, path)
    if _maybe(rest, "thought", bool, path):
        signer, signature = _signature(rest, path)
        return Thinking(text=text, signature=signature, signer=signer, native=rest)
    return Text(text=text, native=rest)


def _media(rest: Fields, path: str) -> Part | None:
    """A part with data: `inlineData` or `fileData`; None for any other."""
    source: Source
    if "inlineData" in rest:
        path = f"{path}.inlineData"
        given = _known(rest.pop("inlineData"), path)
        kind = _take(given, "mimeType", str, path)
        data = _take(given, "data", str, path)
        source = Bytes(base64=data.translate(_STANDARD), media_type=kind)
        if given:
            rest["inlineData"] = given
    elif "fileData" in rest:
        path = f"{path}.fileData"
        given = _known(rest.pop("fileData"), path)
        url = _take(given, "fileUri", str, path)
        kind = given.get("mimeType") if isinstance(given.get("mimeType"), str) else None
        kind = kind or mimetypes.guess_type(url.partition("?")[0])[0] or ("video/*" if _is_video(url) else "")
        source = Link(url=url) if is_link(url) else Stored(file_id=url)
        if given:
            rest["fileData"] = given
    else:
        return None
    title = given.get("displayName")
    match kind.partition("/")[0]:
        case "image":
            return Image(source=source, native=rest)
        case "audio":
            return Audio(source=source, native=rest)
        case "video":
            return Video(source=source, native=rest)
    return Document(source=source, title=title if isinstance(title, str) else None, native=rest)


def is_link(url: str) -> bool:
    """Whether a `fileUri` is an address anybody can read, and not a file stored at Google."""
    return url.startswith(("http://", "https://")) and not url.startswith("https://generativelanguage.googleapis.com/")


def _is_video(url: str) -> bool:
    return url.startswith(("https://www.youtube.com/", "https://youtu.be/", "https://youtube.com/"))


def _read_config(request: OwnRequest, config: Fields) -> None:
    """`generationConfig`; what the core has no word for stays in `config`."""
    path = "generationConfig"
    request.max_tokens = _maybe(config, "maxOutputTokens", int, path)
    request.temperature = _maybe(config, "temperature", float, path)
    request.top_p = _maybe(config, "topP", float, path)
    request.top_k = _maybe(config, "topK", int, path)
    request.presence_penalty = _maybe(config, "presencePenalty", float, path)
    request.frequency_penalty = _maybe(config, "frequencyPenalty", float, path)
    request.seed = _maybe(config, "seed", int, path)
    request.n = _maybe(config, "candidateCount", int, path)
    request.logprobs = _maybe(config, "responseLogprobs", bool, path)
    request.top_logprobs = _maybe(config, "logprobs", int, path)
    stop = config.pop("stopSequences", None)
    for place, one in enumerate(_list(stop or [])):
        if not isinstance(one, str):
            raise _invalid(f"{path}.stopSequences[{place}]", "must be a string")
        request.stop = [*request.stop, one]
    request.format = _read_format(config)
    request.reasoning = _read_thinking(config)
    kinds = _list(config.get("responseModalities") or [])
    if any(kind not in ("TEXT", "text", "Text", 1, "MODALITY_UNSPECIFIED") for kind in kinds):
        advice = "the model of another provider answers in text here; ask for TEXT, or use a Gemini model"
        request.bound = {**request.bound, f"{path}.responseModalities": advice}
    if "responseFormat" in config or config.get("responseMimeType") not in (None, "text/plain"):
        key = "responseFormat" if "responseFormat" in config else "responseMimeType"
        request.bound = {**request.bound, f"{path}.{key}": "only Gemini knows this form; ask for application/json"}


def _read_format(config: Fields) -> ResponseFormat | None:
    kind = config.get("responseMimeType")
    if kind == "text/plain":
        del config["responseMimeType"]
        return ResponseFormat(kind="text")
    if kind != _JSON:
        return None
    del config["responseMimeType"]
    for field in ("responseJsonSchema", "responseSchema"):
        said = config.get(field)
        if isinstance(said, dict) and said:
            del config[field]
            schema = said if field == "responseJsonSchema" else to_json_schema(said)
            return SchemaFormat(kind="schema", schema=schema, strict=True, field=field, said=said)
    return ResponseFormat(kind="json")


def _read_thinking(config: Fields) -> Reasoning | None:
    path = "generationConfig.thinkingConfig"
    given = config.pop("thinkingConfig", None)
    if given is None:
        return None
    said = _known(given, path)
    left = dict(said)
    budget = _maybe(left, "thinkingBudget", int, path)
    level = left.pop("thinkingLevel", None)
    if type(level) is int and 0 <= level < len(_LEVELS):
        level = _LEVELS[level]
    if level is not None and not isinstance(level, str):
        raise _invalid(f"{path}.thinkingLevel", "must be LOW, MEDIUM, HIGH or another level of the model")
    effort = None if level is None or level.upper() == "THINKING_LEVEL_UNSPECIFIED" else level.lower()
    shown = _maybe(left, "includeThoughts", bool, path)
    thought = Thought(effort=effort, said=said, native={"thinkingConfig": left} if left else {})
    if budget is not None and budget > 0:
        thought.budget, thought.mode = budget, "enabled"
    elif budget is not None:
        thought.mode = "disabled" if budget == 0 else "adaptive"
    if shown is not None:
        thought.display = "summarized" if shown else "omitted"
    return thought


def _read_tools(rest: Fields) -> list[Tool]:
    tools: list[Tool] = []
    for entry, given in enumerate(_list(rest.pop("tools", None) or [])):
        path = f"tools[{entry}]"
        held = _known(given, path)
        for place, declared in enumerate(_list(held.pop("functionDeclarations", None) or [])):
            tools.append(_declaration(declared, f"{path}.functionDeclarations[{place}]", entry))
        tools += [Declared(name=key, builtin={key: value}, entry=entry) for key, value in held.items()]
    return tools


def _declaration(declared: Any, path: str, entry: int) -> Tool:
    rest = _known(declared, path)
    name = _take(rest, "name", str, path)
    description = _maybe(rest, "description", str, path)
    tool = Declared(name=name, description=description, entry=entry)
    for field in ("parametersJsonSchema", "parameters"):
        if field in rest:
            said = _object(rest.pop(field), f"{path}.{field}")
            tool.field, tool.parameters = field, said
            tool.schema = said if field == "parametersJsonSchema" else to_json_schema(said)
            break
    tool.native = rest
    return tool


def _read_choice(rest: Fields) -> ToolChoice | None:
    path = "toolConfig"
    given = rest.pop("toolConfig", None)
    if given is None:
        return None
    config = _known(given, path)
    calling = config.pop("functionCallingConfig", None)
    if config:
        rest["toolConfig"] = config
    if calling is None:
        return None
    path = f"{path}.functionCallingConfig"
    said = _known(calling, path)
    left = dict(said)
    mode = left.pop("mode", None)
    if type(mode) is int and 0 <= mode < len(_MODES):
        mode = _MODES[mode]
    names = _list(left.pop("allowedFunctionNames", None) or [])
    if any(not isinstance(name, str) for name in names):
        raise _invalid(f"{path}.allowedFunctionNames", "must hold strings")
    word = mode.upper() if isinstance(mode, str) else "AUTO" if mode is None else ""
    if word not in ("AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"):
        raise _invalid(f"{path}.mode", "must be AUTO, ANY, NONE or VALIDATED")
    choice = Chosen(kind="auto", said=said, native=left)
    if word == "NONE":
        choice.kind = "none"
    elif word == "ANY" and len(names) == 1:
        choice.kind, choice.name = "tool", names[0]
    elif names:
        choice.kind, choice.names, choice.mode = "allowed", names, "required" if word == "ANY" else "auto"
    elif word == "ANY":
        choice.kind = "required"
    return choice


# --- places and types ------------------------------------------------------------------------------------------------

_WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", dict: "an object"}


def _known(value: Any, path: str) -> Fields:
    """The fields of an object under Google's own names, nulls left out; a copy that may be taken apart."""
    if not isinstance(value, Mapping):
        raise _invalid(path or "the body", "must be an object")
    return {key: item for key, item in camel(dict(value)).items() if item is not None}


def _object(value: Any, path: str) -> Fields:
    if not isinstance(value, dict):
        raise _invalid(path, "must be an object")
    return value


def _list(value: Any) -> list[Any]:
    """A list; one thing alone stands for a list of it, as Google's parser has it."""
    return value if isinstance(value, list) else [value]


def _take(fields: Fields, key: str, kind: type, path: str) -> Any:
    value = _maybe(fields, key, kind, path)
    if value is None:
        raise _invalid(f"{path}.{key}" if path else key, f"is required: {_WORDS[kind]}")
    return value


def _maybe(fields: Fields, key: str, kind: type, path: str) -> Any:
    """A field out of `fields`; None where it is absent. A whole number may be said as a string or with a point."""
    value = fields.pop(key, None)
    if value is None or type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return value
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if kind is int and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    raise _invalid(f"{path}.{key}" if path else key, f"must be {_WORDS[kind]}")


def _invalid(path: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: {what}", param=path)


# --- a request, written ----------------------------------------------------------------------------------------------


def write_own(request: ChatRequest, lost: list[Loss]) -> Fields:
    """A request of this dialect: everything as it was, the unknown with the known; the model stands in the URL.

    But for proofs of other vendors: the thinking they belong to is left out, calls get what Google takes instead.
    """
    fields: Fields = {}
    messages = request.messages
    if messages and messages[0].role == "system":
        fields["systemInstruction"] = _content(messages[0])
        messages = messages[1:]
    fields["contents"] = _contents(messages, request.model, lost)
    if request.tools:
        fields["tools"] = _tools(request.tools)
    config = _config(request, lost)
    choice = request.tool_choice
    tool_config = dict(request.native.get("toolConfig", {}))
    if choice is not None:
        tool_config["functionCallingConfig"] = choice.said if isinstance(choice, Chosen) else write_choice(choice)
    if request.metadata:
        fields["labels"] = request.metadata
    if request.service_tier is not None:
        fields["serviceTier"] = request.service_tier
    fields.update(request.native)
    if config:
        fields["generationConfig"] = config
    if tool_config:
        fields["toolConfig"] = tool_config
    return fields


def _contents(messages: list[Message], model: str, lost: list[Loss]) -> list[Fields]:
    checked = version_of(model) >= CHECKS
    contents = []
    for place, message in enumerate(messages):
        content = _content(message)
        for number, part in reversed(list(enumerate(message.parts))):
            if isinstance(part, Thinking) and (part.signature == "" or part.signer not in ("", DIALECT)):
                lost.append(Loss(f"contents[{place}].parts[{number}]", "thinking of another vendor's model"))
                del content["parts"][number]
            elif isinstance(part, ToolCall) and part.signature == "" and checked:
                content["parts"][number]["thoughtSignature"] = SKIPS_CHECK
        if content["parts"] or not message.parts:
            contents.append(content)
    return contents


def _content(message: Message) -> Fields:
    said = message.said if isinstance(message, Turn) else {"assistant": "model"}.get(message.role, "user")
    content: Fields = {} if said is None else {"role": said}
    return {**content, "parts": [write_part(part) for part in message.parts], **message.native}


def write_part(part: Part) -> Fields:
    """A part in this API's form, with what only this API knows of it."""
    match part:
        case NativePart(value=value):
            return value
        case Text(text=text):
            return {"text": text, **part.native}
        case Thinking(text=text):
            fields: Fields = {"text": text, "thought": True, **part.native}
            return _signed(fields, part.signature, part.signer)
        case ToolCall():
            fields = {"functionCall": _call(part), **_beside(part.native, "functionCall")}
            return _signed(fields, part.signature, part.signer)
        case ToolResult():
            return {"functionResponse": _result(part), **_beside(part.native, "functionResponse")}
        case Image(source=source) | Audio(source=source) | Video(source=source) | Document(source=source):
            return write_media(source, part.native)
    raise InvalidRequest(f"the Gemini API has no {type(part).__name__.lower()} content; leave it out", param="contents")


def _signed(fields: Fields, signature: str | None, signer: str) -> Fields:
    """With the model's own proof; another vendor's never reaches Google."""
    if signature and signer in ("", DIALECT):
        fields["thoughtSignature"] = signature
    return fields


def _beside(native: Native, key: str) -> Fields:
    return {name: value for name, value in native.items() if name != key}


def _call(call: ToolCall) -> Fields:
    fields: Fields = {} if isinstance(call, Called) and call.unnamed else {"id": call.id}
    given = msgspec.json.decode(call.arguments) if call.arguments.strip() else {}
    return {**fields, "name": call.name, "args": given, **call.native.get("functionCall", {})}


def _result(result: ToolResult) -> Fields:
    assert isinstance(result, Answered)
    fields: Fields = {} if result.unnamed else {"id": result.id}
    fields["name"] = result.name
    response, parts = result.response, result.parts
    if parts and isinstance(parts[0], Text):
        if not response or answer_text(response) != parts[0].text:  # a stage has changed it
            response = {"error" if result.error else "output": parts[0].text}
        parts = parts[1:]
    if response is not None:
        fields["response"] = response
    if parts:
        fields["parts"] = [write_part(part) for part in parts]
    return {**fields, **result.native.get("functionResponse", {})}


def write_media(source: Source, native: Native) -> Fields:
    """Data as `inlineData`, an address as `fileData`."""
    match source:
        case Bytes(base64=data, media_type=kind):
            inner = {"mimeType": kind or "application/octet-stream", "data": data, **native.get("inlineData", {})}
            return {"inlineData": inner, **_beside(native, "inlineData")}
        case Link(url=url) | Stored(file_id=url):
            return {"fileData": {"fileUri": url, **native.get("fileData", {})}, **_beside(native, "fileData")}
    raise InvalidRequest("the Gemini API takes a plain text document as a text part", param="contents")


def _tools(tools: list[Tool]) -> list[Fields]:
    entries: dict[int, Fields] = {}
    for tool in tools:
        entry = entries.setdefault(tool.entry if isinstance(tool, Declared) else 0, {})
        if tool.builtin is not None:
            entry.update(tool.builtin)
        else:
            entry.setdefault("functionDeclarations", []).append(write_tool(tool))
    return list(entries.values())


def write_tool(tool: Tool) -> Fields:
    """A declaration of a function. JSON Schema goes where JSON Schema is read: `parameters` knows far less."""
    fields: Fields = {"name": tool.name}
    if tool.description is not None:
        fields["description"] = tool.description
    own = tool if isinstance(tool, Declared) and tool.field is not None else None
    if own is not None and own.field is not None and own.schema == to_json_schema_of(own):
        fields[own.field] = own.parameters
    elif tool.schema is not None:
        fields["parametersJsonSchema"] = tool.schema
    return {**fields, **tool.native}


def to_json_schema_of(tool: Declared) -> Any:
    """What the parameters were read as, to see whether a stage has changed them since."""
    return tool.parameters if tool.field == "parametersJsonSchema" else to_json_schema(tool.parameters)


def write_choice(choice: ToolChoice) -> Fields:
    """A `functionCallingConfig`. `allowedFunctionNames` are for the modes ANY and VALIDATED alone."""
    match choice.kind:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "tool":
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        case "allowed":
            mode = "ANY" if choice.mode == "required" else "VALIDATED"
            return {"mode": mode, "allowedFunctionNames": choice.names}
    return {"mode": "AUTO"}


def sampling(request: ChatRequest) -> Fields:
    """What `generationConfig` says in the same words as other APIs."""
    found = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "topK": request.top_k,
        "presencePenalty": request.presence_penalty,
        "frequencyPenalty": request.frequency_penalty,
        "seed": request.seed,
        "candidateCount": request.n,
        "responseLogprobs": request.logprobs,
        "logprobs": request.top_logprobs,
        "stopSequences": request.stop or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _config(request: ChatRequest, lost: list[Loss]) -> Fields:
    config = sampling(request)
    form = request.format
    if form is not None:
        config["responseMimeType"] = "text/plain" if form.kind == "text" else _JSON
    if isinstance(form, SchemaFormat):
        config[form.field] = form.said
    reasoning = request.reasoning
    if isinstance(reasoning, Thought):
        config["thinkingConfig"] = reasoning.said
    elif reasoning is not None:  # the gateway's own wish
        shown = reasoning.display == "summarized"
        said = thinking(reasoning, request.model, lambda path, why: lost.append(Loss(path, why)), shown=shown)
        if said is not None:
            config["thinkingConfig"] = said
    return {**config, **request.native.get("generationConfig", {})}
