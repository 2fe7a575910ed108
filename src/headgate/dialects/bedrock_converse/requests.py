"""Requests of the Converse API, read into the core's types and written back; a part of `bedrock_converse`.

A cache point is the mark of the piece before it; one with nothing before it is kept as it is. Guarded text is text
whose guard only this API knows. JSON that a tool gave is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from headgate.core.chat import (
    Audio,
    Bytes,
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Loss,
    Message,
    NativePart,
    Part,
    PlainText,
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
from headgate.dialects.bedrock_converse.families import Said, family_of, read_additional, write_additional
from headgate.dialects.bedrock_converse.words import DIALECT, DOCUMENTS, IMAGES, VIDEOS
from headgate.dialects.fields import array, object_, optional, others, string, wrong
from headgate.dialects.signatures import unwrap

Fields = dict[str, Any]

UNSIGNED = "thinking that no vendor signed, or another"
JSON = "json"
GUARD = "guardContent"
CITED = "citationsContent"
"""In `native` of a text: a tool gave it as JSON; a guardrail looks at it; how it was cut where it is cited."""
BOUND = {
    "guardrailConfig": "a guardrail runs at Amazon Bedrock alone; ask for a model there, or leave it out",
    "promptVariables": "a prompt of Amazon Bedrock's prompt management is known there alone; send its text instead",
}
_FORMATS = {"image": IMAGES, "document": DOCUMENTS, "video": VIDEOS}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


# --- a request, read -------------------------------------------------------------------------------------------------


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded JSON body and what the URL says → the request. Raises InvalidRequest with `param` naming the place
    as `messages[2].content[0].image.source`."""
    native = {key: value for key, value in fields.items() if key not in _KNOWN and value is not None}
    config = _member(fields, "inferenceConfig")
    additional = dict(_member(fields, "additionalModelRequestFields"))
    form, effort = _read_output(fields, native)
    top_k, reasoning = read_additional(additional, effort)
    if additional:
        native["additionalModelRequestFields"] = additional
    tools, choice = _read_tools(fields, native)
    metadata = _member(fields, "requestMetadata")
    if not all(isinstance(value, str) for value in metadata.values()):
        raise wrong("requestMetadata", "an object of strings", None if not metadata else next(iter(metadata.values())))
    left = others(config, frozenset({"maxTokens", "temperature", "topP", "stopSequences"}))
    if left:
        native["inferenceConfig"] = left
    return ChatRequest(
        dialect=DIALECT,
        model=string(fields.get("model"), "model"),
        stream=bool(fields.get("stream")),
        messages=_read_messages(fields),
        max_tokens=optional(config, "maxTokens", int, "inferenceConfig."),
        temperature=optional(config, "temperature", float, "inferenceConfig."),
        top_p=optional(config, "topP", float, "inferenceConfig."),
        top_k=top_k,
        stop=_read_stop(config),
        tools=tools,
        tool_choice=choice,
        format=form,
        reasoning=reasoning,
        metadata=metadata,
        service_tier=_read_tier(fields, native),
        bound={key: advice for key, advice in BOUND.items() if fields.get(key)},
        native=native,
    )


_KNOWN = frozenset(
    {
        "model",
        "stream",
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "additionalModelRequestFields",
        "requestMetadata",
        "outputConfig",
        "serviceTier",
    }
)


def _member(holder: Mapping[str, Any], key: str, path: str = "") -> Fields:
    """An object inside another; {} where it is absent or null."""
    value = holder.get(key)
    return {} if value is None else object_(value, path + key)


def _read_stop(config: Fields) -> list[str]:
    found = config.get("stopSequences")
    stop = [] if found is None else array(found, "inferenceConfig.stopSequences")
    return [string(one, f"inferenceConfig.stopSequences[{i}]") for i, one in enumerate(stop)]


def _read_tier(fields: Mapping[str, Any], native: Fields) -> str | None:
    tier = _member(fields, "serviceTier")
    if tier.keys() == {"type"} and isinstance(tier["type"], str):
        return str(tier["type"])
    if tier:
        native["serviceTier"] = tier
    return None


def _read_output(fields: Mapping[str, Any], native: Fields) -> tuple[ResponseFormat | None, str | None]:
    config = dict(_member(fields, "outputConfig"))
    effort = optional(config, "effort", str, "outputConfig.")
    form = _read_format(config.get("textFormat"))
    if form is not None:
        del config["textFormat"]
    config.pop("effort", None)
    config = {key: value for key, value in config.items() if value is not None}
    if config:
        native["outputConfig"] = config
    return form, effort


def _read_format(value: Any) -> ResponseFormat | None:
    """`{"type": "json_schema", "structure": {"jsonSchema": {"schema": "the schema's JSON", "name", "description"}}}`"""
    if not isinstance(value, dict) or value.keys() != {"type", "structure"} or value["type"] != "json_schema":
        return None
    structure = value["structure"]
    if not isinstance(structure, dict) or structure.keys() != {"jsonSchema"}:
        return None
    found = {key: item for key, item in object_(structure["jsonSchema"], "outputConfig.textFormat").items() if item}
    text = found.get("schema")
    schema = _object_of(text) if isinstance(text, str) else None
    if schema is None:
        raise wrong("outputConfig.textFormat.structure.jsonSchema.schema", "the JSON text of a JSON Schema", text)
    return ResponseFormat(
        kind="schema",
        schema=schema,
        name=optional(found, "name", str, "outputConfig.textFormat.structure.jsonSchema."),
        description=optional(found, "description", str, "outputConfig.textFormat.structure.jsonSchema."),
        strict=True,
        native=others(found, frozenset({"schema", "name", "description"})),
    )


def _object_of(text: str) -> Fields | None:
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read_messages(fields: Mapping[str, Any]) -> list[Message]:
    messages = []
    system = fields.get("system")
    if system:
        messages.append(Message(role="system", parts=read_content(system, "system")))
    turns = fields.get("messages")
    for i, turn in enumerate([] if turns is None else array(turns, "messages")):
        path = f"messages[{i}]"
        turn = object_(turn, path)
        role = turn.get("role")
        if role not in ("user", "assistant", "system"):
            raise wrong(f"{path}.role", "user, assistant or system", role)
        parts = read_content(turn.get("content"), f"{path}.content")
        messages.append(Message(role=role, parts=parts, native=others(turn, frozenset({"role", "content"}))))
    return messages


def read_content(content: Any, path: str) -> list[Part]:
    parts: list[Part] = []
    for i, block in enumerate(array(content, path)):
        where = f"{path}[{i}]"
        mark = _read_mark(object_(block, where))
        if mark is not None and parts and parts[-1].cache is None and not isinstance(parts[-1], NativePart):
            parts[-1].cache = mark
        else:
            parts.append(_read_block(block, where))
    return parts


def _read_mark(block: Fields) -> CacheMark | None:
    """The mark of a cache point; None for other blocks and for points of a form the core has no word for."""
    point = block.get("cachePoint")
    if len(block) != 1 or not isinstance(point, dict) or point.get("type") != "default":
        return None
    ttl = point.get("ttl")
    return CacheMark(ttl=ttl) if point.keys() <= {"type", "ttl"} and isinstance(ttl, str | None) else None


def _read_block(block: Fields, path: str) -> Part:
    """A block is an object of one member, its kind; what is said otherwise is kept whole."""
    found = {key: value for key, value in block.items() if value is not None}
    if len(found) == 1:
        kind, value = next(iter(found.items()))
        if kind == "text":
            return Text(text=string(value, f"{path}.text"))
        if kind == JSON:
            return Text(text=_encode(value).decode(), native={JSON: True})
        read = _BLOCKS.get(kind)
        if read is not None:
            return read(object_(value, f"{path}.{kind}"), f"{path}.{kind}") or NativePart(dialect=DIALECT, value=block)
    return NativePart(dialect=DIALECT, value=block)


def _read_image(value: Fields, path: str) -> Part | None:
    source, native = _read_source(value, path, "image")
    return None if source is None else Image(source=source, native=native)


def _read_video(value: Fields, path: str) -> Part | None:
    source, native = _read_source(value, path, "video")
    return None if source is None else Video(source=source, native=native)


def _read_audio(value: Fields, path: str) -> Part | None:
    source, native = _read_source(value, path, "audio")
    if source is None:
        return None
    form = native.pop("format", None)
    return Audio(source=source, format=form if isinstance(form, str) else None, native=native)


def _read_document(value: Fields, path: str) -> Part | None:
    source, native = _read_source(value, path, "document")
    if source is None:
        return None
    citations = native.pop("citations", None)
    if citations not in (None, {"enabled": True}):
        native["citations"] = citations
    for key in ("name", "context"):
        native.pop(key, None)
    return Document(
        source=source,
        title=optional(value, "name", str, f"{path}."),
        context=optional(value, "context", str, f"{path}."),
        citations=citations == {"enabled": True},
        native=native,
    )


def _read_source(value: Fields, path: str, kind: str) -> tuple[Source | None, Fields]:
    """The source of an image, document, video or sound, and what stands beside it; None for one of another form."""
    native = others(value, frozenset({"source"}))
    source = object_(value.get("source"), f"{path}.source")
    form = value.get("format")
    if source.keys() == {"bytes"}:
        data = string(source["bytes"], f"{path}.source.bytes")
        media_type = _FORMATS.get(kind, {}).get(form) if isinstance(form, str) else None
        if media_type is not None:
            del native["format"]
        return Bytes(base64=data, media_type=media_type), native
    if source.keys() == {"text"} and kind == "document":
        return PlainText(text=string(source["text"], f"{path}.source.text")), native
    place = source.get("s3Location")
    if source.keys() == {"s3Location"} and isinstance(place, dict) and isinstance(place.get("uri"), str):
        owner = others(place, frozenset({"uri"}))
        return Stored(file_id=place["uri"]), native | ({"s3Location": owner} if owner else {})
    return None, native


def _read_tool_use(value: Fields, path: str) -> Part | None:
    if value.get("type") is not None:
        return None  # a tool that Amazon runs
    return ToolCall(
        id=string(value.get("toolUseId"), f"{path}.toolUseId"),
        name=string(value.get("name"), f"{path}.name"),
        arguments=_encode(value.get("input", {})).decode(),
        native=others(value, frozenset({"toolUseId", "name", "input"})),
    )


def _read_tool_result(value: Fields, path: str) -> Part | None:
    if value.get("type") is not None:
        return None
    status = value.get("status")
    native = others(value, frozenset({"toolUseId", "content", "status"}))
    if status not in (None, "error"):
        native["status"] = status
    return ToolResult(
        id=string(value.get("toolUseId"), f"{path}.toolUseId"),
        parts=read_content(value.get("content"), f"{path}.content"),
        error=status == "error",
        native=native,
    )


def _read_reasoning(value: Fields, path: str) -> Part | None:
    if value.keys() == {"redactedContent"}:
        redacted = string(value["redactedContent"], f"{path}.redactedContent")
        return Thinking(redacted=redacted, signer=DIALECT)
    if value.keys() != {"reasoningText"}:
        return None
    found = object_(value["reasoningText"], f"{path}.reasoningText")
    native = others(found, frozenset({"text", "signature"}))
    text = string(found.get("text"), f"{path}.reasoningText.text")
    proof = optional(found, "signature", str, f"{path}.reasoningText.")
    if proof is None:
        return Thinking(text=text, native=native)
    signer, signature = unwrap(proof, DIALECT)
    return Thinking(text=text, signature=signature, signer=signer, native=native)


def _read_guarded(value: Fields, path: str) -> Part | None:
    """What a guardrail is to look at; the guard itself is this API's."""
    if value.keys() == {"text"} and isinstance(value["text"], dict) and isinstance(value["text"].get("text"), str):
        return Text(text=value["text"]["text"], native={GUARD: others(value["text"], frozenset({"text"}))})
    return None


def _read_cited(value: Fields, path: str) -> Part | None:
    content, citations = value.get("content") or [], value.get("citations") or []
    texts = [piece.get("text") if isinstance(piece, dict) else None for piece in array(content, f"{path}.content")]
    if not all(isinstance(text, str) for text in texts):
        return None
    for i, citation in enumerate(array(citations, f"{path}.citations")):
        object_(citation, f"{path}.citations[{i}]")
    text = "".join(str(text) for text in texts)
    if value.keys() - {"content", "citations"}:
        return None
    native = {} if citations and content == [{"text": text}] else {CITED: value.get("content")}
    return Text(text=text, citations=citations, native=native)


_BLOCKS: dict[str, Callable[[Fields, str], Part | None]] = {
    "image": _read_image,
    "document": _read_document,
    "video": _read_video,
    "audio": _read_audio,
    "toolUse": _read_tool_use,
    "toolResult": _read_tool_result,
    "reasoningContent": _read_reasoning,
    "guardContent": _read_guarded,
    "citationsContent": _read_cited,
}


def _read_tools(fields: Mapping[str, Any], native: Fields) -> tuple[list[Tool], ToolChoice | None]:
    config = _member(fields, "toolConfig")
    left = others(config, frozenset({"tools", "toolChoice"}))
    if left:
        native["toolConfig"] = left
    tools: list[Tool] = []
    for i, entry in enumerate(array(config.get("tools") or [], "toolConfig.tools")):
        entry = object_(entry, f"toolConfig.tools[{i}]")
        mark = _read_mark(entry)
        if mark is not None and tools and tools[-1].cache is None and tools[-1].builtin is None:
            tools[-1].cache = mark
        else:
            tools.append(_read_tool(entry, f"toolConfig.tools[{i}]"))
    return tools, _read_choice(config)


def _read_tool(entry: Fields, path: str) -> Tool:
    spec = entry.get("toolSpec")
    if len(entry) != 1 or spec is None:
        kind, value = next(iter(entry.items()), ("", None))
        name = value.get("name") if isinstance(value, dict) else None
        return Tool(name=name if isinstance(name, str) else kind, builtin=entry)
    path = f"{path}.toolSpec"
    spec = object_(spec, path)
    native = others(spec, frozenset({"name", "description", "inputSchema", "strict"}))
    schema = object_(spec.get("inputSchema"), f"{path}.inputSchema")
    return Tool(
        name=string(spec.get("name"), f"{path}.name"),
        description=optional(spec, "description", str, f"{path}."),
        schema=object_(schema.get("json"), f"{path}.inputSchema.json"),
        strict=optional(spec, "strict", bool, f"{path}."),
        native=native,
    )


def _read_choice(config: Fields) -> ToolChoice | None:
    choice = {key: value for key, value in _member(config, "toolChoice", "toolConfig.").items() if value is not None}
    if not choice:
        return None
    kind, value = next(iter(choice.items()))
    value = object_(value, f"toolConfig.toolChoice.{kind}")
    if len(choice) == 1 and kind == "tool":
        name = string(value.get("name"), "toolConfig.toolChoice.tool.name")
        return ToolChoice(kind="tool", name=name, native=others(value, frozenset({"name"})))
    if len(choice) == 1 and kind in ("auto", "any"):
        return ToolChoice(kind="auto" if kind == "auto" else "required", native=value)
    raise wrong("toolConfig.toolChoice", "an object with one of auto, any and tool", choice)


# --- a request, written ----------------------------------------------------------------------------------------------


def write_own(request: ChatRequest, lost: list[Loss]) -> Fields:
    """A request of this dialect: everything as it was, the unknown with the known.

    But for thinking whose proof is another vendor's or this gateway's own: a model would refuse it.
    """
    messages = request.messages
    native = dict(request.native)
    fields: Fields = {}
    if messages and messages[0].role == "system":
        fields["system"] = write_content(messages[0].parts)
        messages = messages[1:]
    fields["messages"] = _turns(messages, lost)
    config = {
        "maxTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": request.stop or None,
        **native.pop("inferenceConfig", {}),
    }
    fill(fields, "inferenceConfig", config)
    tools = write_tools(request.tools)
    choice = write_choice(request.tool_choice)
    fill(fields, "toolConfig", {"tools": tools or None, "toolChoice": choice, **native.pop("toolConfig", {})})
    additional, effort = write_additional(request, family_of(request.model))
    fill(fields, "additionalModelRequestFields", merged(additional, native.pop("additionalModelRequestFields", {})))
    output = {"textFormat": write_format(request.format), "effort": effort, **native.pop("outputConfig", {})}
    fill(fields, "outputConfig", output)
    fill(fields, "requestMetadata", request.metadata)
    if request.service_tier is not None:
        fields["serviceTier"] = {"type": request.service_tier}
    return {**fields, **native}


def fill(fields: Fields, key: str, value: Mapping[str, Any]) -> None:
    """An object of what is not None, where there is any."""
    value = {name: item for name, item in value.items() if item is not None}
    if value:
        fields[key] = value


def merged(first: Fields, second: Fields) -> Fields:
    """Both, objects that stand in both member by member."""
    found = dict(first)
    for key, value in second.items():
        before = found.get(key)
        found[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def _turns(messages: list[Message], lost: list[Loss]) -> list[Fields]:
    turns: list[Fields] = []
    for i, turn in enumerate(messages):
        unsigned = [j for j, part in enumerate(turn.parts) if _unsigned(part)]
        lost += [Loss(f"messages[{i}].content[{j}]", UNSIGNED) for j in unsigned]
        parts = [part for part in turn.parts if not _unsigned(part)] if unsigned else turn.parts
        if parts or not unsigned:
            turns.append({"role": turn.role, "content": write_content(parts), **turn.native})
    return turns


def _unsigned(part: Part) -> bool:
    return isinstance(part, Thinking) and (part.signature == "" or part.signer not in ("", DIALECT))


def write_content(parts: list[Part]) -> list[Fields]:
    """Blocks, a cache point after each part that has a mark."""
    blocks = []
    for part in parts:
        blocks.append(write_block(part))
        if part.cache is not None:
            blocks.append(write_mark(part.cache))
    return blocks


def write_mark(mark: CacheMark) -> Fields:
    return {"cachePoint": {"type": "default"} if mark.ttl is None else {"type": "default", "ttl": mark.ttl}}


def write_block(part: Part) -> Fields:
    """A part of a kind this API has."""
    native = part.native
    match part:
        case NativePart(value=value):
            return value
        case Text():
            return _write_text(part)
        case Document():
            return {"document": _write_document(part)}
        case Thinking(redacted=str() as data):
            return {"reasoningContent": {"redactedContent": data}}
        case Thinking(text=text, signature=signature):
            signed = {} if signature is None else {"signature": signature}
            return {"reasoningContent": {"reasoningText": {"text": text, **signed, **native}}}
        case ToolCall(id=id, name=name, arguments=arguments):
            given = _decode(arguments) if arguments.strip() else {}
            return {"toolUse": {"toolUseId": id, "name": name, "input": given, **native}}
        case ToolResult(id=id, parts=parts, error=error):
            status = {"status": "error"} if error else {}
            return {"toolResult": {"toolUseId": id, "content": write_content(parts), **status, **native}}
    return _write_medium(part)


def _write_text(part: Text) -> Fields:
    native = part.native
    if GUARD in native:
        return {GUARD: {"text": {"text": part.text, **native[GUARD]}}}
    if JSON in native:
        try:
            return {JSON: _decode(part.text)}
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {"text": part.text}  # a stage changed it
    if not part.citations and CITED not in native:
        return {"text": part.text}
    cut = native.get(CITED, [{"text": part.text}])
    if "".join(piece["text"] for piece in cut or ()) != part.text:
        cut = [{"text": part.text}]  # a stage changed it
    return {CITED: {**({} if cut is None else {"content": cut}), "citations": part.citations}}


def _write_medium(part: Part) -> Fields:
    match part:
        case Image(source=source):
            return {"image": _write_media("image", source, part.native)}
        case Video(source=source):
            return {"video": _write_media("video", source, part.native)}
        case Audio(source=source, format=form):
            return {"audio": {"format": form, **_write_media("audio", source, part.native)}}
    raise AssertionError(f"{type(part).__name__} was to be said otherwise")


def _write_document(part: Document) -> Fields:
    fields = _write_media("document", part.source, part.native)
    more = {"name": part.title, "context": part.context, "citations": {"enabled": True} if part.citations else None}
    return fields | {key: value for key, value in more.items() if value is not None}


def _write_media(kind: str, source: Source, native: Fields) -> Fields:
    extra = {key: value for key, value in native.items() if key != "s3Location"}
    match source:
        case Bytes(base64=data, media_type=media_type):
            form = form_of(kind, media_type)
            return {**({} if form is None else {"format": form}), "source": {"bytes": data}, **extra}
        case PlainText(text=text):
            return {"source": {"text": text}, **extra}
        case Stored(file_id=uri):
            return {"source": {"s3Location": {"uri": uri, **native.get("s3Location", {})}}, **extra}
    raise AssertionError("this API has no links")


def form_of(kind: str, media_type: str | None) -> str | None:
    """The API's word for a media type."""
    return next((form for form, known in _FORMATS.get(kind, {}).items() if known == media_type), None)


def write_tools(tools: list[Tool]) -> list[Fields]:
    entries = []
    for tool in tools:
        entries.append(_write_tool(tool))
        if tool.cache is not None:
            entries.append(write_mark(tool.cache))
    return entries


def _write_tool(tool: Tool) -> Fields:
    if tool.builtin is not None:
        return tool.builtin
    spec: Fields = {"name": tool.name}
    if tool.description is not None:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": {"type": "object", "properties": {}} if tool.schema is None else tool.schema}
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return {"toolSpec": {**spec, **tool.native}}


def write_choice(choice: ToolChoice | None) -> Fields | None:
    if choice is None or choice.kind == "none":
        return None
    if choice.kind == "tool":
        return {"tool": {"name": choice.name, **choice.native}}
    kind = choice.mode if choice.kind == "allowed" else choice.kind
    return {"auto" if kind == "auto" else "any": choice.native}


def write_format(form: ResponseFormat | None) -> Fields | None:
    if form is None or form.kind != "schema":
        return None
    schema: Fields = {"schema": _encode(form.schema or {"type": "object"}).decode()}
    for key in ("name", "description"):
        if getattr(form, key) is not None:
            schema[key] = getattr(form, key)
    return {"type": "json_schema", "structure": {"jsonSchema": {**schema, **form.native}}}


__all__ = ["Said", "read_request", "write_own"]
