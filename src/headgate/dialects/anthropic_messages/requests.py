"""Requests of the Messages API, read into the core's types and written back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import (
    Bytes,
    CacheMark,
    ChatRequest,
    Document,
    Image,
    Link,
    Loss,
    Message,
    NativePart,
    Part,
    PlainText,
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
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.dialects.anthropic_messages.words import DIALECT, safe_id
from headgate.dialects.claude import UNDER_WAY, Claude
from headgate.dialects.signatures import unwrap

Fields = dict[str, Any]

UNSIGNED = "thinking without Anthropic's signature"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


# --- a request, read -------------------------------------------------------------------------------------------------


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded JSON body → the request; a null stands for an absent field.

    Raises InvalidRequest with `param` as the API itself names places: `messages.2.content.0.source.data`.
    """
    rest = {key: value for key, value in fields.items() if value is not None}
    model = _take(rest, "model", str, "")
    max_tokens = _take(rest, "max_tokens", int, "")
    messages = _read_messages(_take(rest, "messages", list, ""), rest.pop("system", None))
    metadata = dict(_maybe(rest, "metadata", dict, "") or {})
    user = _maybe(metadata, "user_id", str, "metadata")
    if any(value is not None for value in metadata.values()):
        rest["metadata"] = metadata
    choice, parallel = _read_choice(rest)
    form, effort = _read_output(rest)
    return ChatRequest(
        dialect=DIALECT,
        model=model,
        messages=messages,
        max_tokens=max_tokens,
        stream=bool(_maybe(rest, "stream", bool, "")),
        temperature=_maybe(rest, "temperature", float, ""),
        top_p=_maybe(rest, "top_p", float, ""),
        top_k=_maybe(rest, "top_k", int, ""),
        stop=_read_stop(rest),
        tools=[_read_tool(tool, f"tools.{i}") for i, tool in enumerate(_maybe(rest, "tools", list, "") or [])],
        tool_choice=choice,
        parallel_tool_calls=parallel,
        format=form,
        reasoning=_read_thinking(rest, effort),
        user=user,
        service_tier=_maybe(rest, "service_tier", str, ""),
        cache=_read_mark(rest, ""),
        native=rest,
    )


def _read_messages(turns: list[Any], system: Any) -> list[Message]:
    messages = []
    if system is not None:
        parts, plain = _read_content(system, "system")
        messages.append(Message(role="system", parts=parts, plain=plain))
    if not turns:
        raise _invalid("messages", "must hold at least one message")
    for i, turn in enumerate(turns):
        path = f"messages.{i}"
        rest = dict(_object(turn, path))
        role = _take(rest, "role", str, path)
        if role not in ("user", "assistant", "system"):
            raise _invalid(f"{path}.role", f"must be user, assistant or system, not {role[:40]!r}")
        if rest.get("content") is None:
            raise _invalid(f"{path}.content", "is required: a string or an array of content blocks")
        parts, plain = _read_content(rest.pop("content"), f"{path}.content")
        messages.append(Message(role=role, parts=parts, plain=plain, native=rest))
    return messages


def _read_content(content: Any, path: str) -> tuple[list[Part], bool]:
    """The parts, and whether they were one bare string."""
    if isinstance(content, str):
        return [Text(text=content)], True
    if not isinstance(content, list):
        raise _invalid(path, f"must be a string or an array of content blocks, not {_kind(content)}")
    return [_read_block(block, f"{path}.{i}") for i, block in enumerate(content)], False


def _read_block(block: Any, path: str) -> Part:
    kind = _take(dict(_object(block, path)), "type", str, path)
    read = _BLOCKS.get(kind)
    if read is None:
        return NativePart(dialect=DIALECT, value=block)
    rest = {key: value for key, value in block.items() if value is not None and key != "type"}
    part: Part | None = read(rest, path)
    if part is None:
        return NativePart(dialect=DIALECT, value=block)
    part.cache = _read_mark(rest, path)
    part.native = rest
    return part


def _read_text(rest: Fields, path: str) -> Part:
    citations = _maybe(rest, "citations", list, path) or []
    for i, citation in enumerate(citations):
        _object(citation, f"{path}.citations.{i}")
    return Text(text=_take(rest, "text", str, path), citations=citations)


def _read_image(rest: Fields, path: str) -> Part | None:
    source = _read_source(rest, path)
    return None if source is None else Image(source=source)


def _read_document(rest: Fields, path: str) -> Part | None:
    source = _read_source(rest, path)
    if source is None:
        return None
    citations = _maybe(rest, "citations", dict, path)
    if citations and citations != {"enabled": True}:
        rest["citations"] = citations
        citations = None
    return Document(
        source=source,
        title=_maybe(rest, "title", str, path),
        context=_maybe(rest, "context", str, path),
        citations=bool(citations),
    )


def _read_source(rest: Fields, path: str) -> Source | None:
    """None for a kind of source the core has no word for: the block is then kept whole."""
    path = f"{path}.source"
    if rest.get("source") is None:
        raise _invalid(path, "is required: an object with `type` base64, url or file")
    source = dict(_object(rest["source"], path))
    kind = _take(source, "type", str, path)
    found: Source
    if kind == "base64":
        found = Bytes(base64=_take(source, "data", str, path), media_type=_take(source, "media_type", str, path))
    elif kind == "url":
        found = Link(url=_take(source, "url", str, path))
    elif kind == "file":
        found = Stored(file_id=_take(source, "file_id", str, path))
    elif kind == "text":
        found = PlainText(text=_take(source, "data", str, path))
        if source.get("media_type") == "text/plain":
            del source["media_type"]
    else:
        return None
    del rest["source"]
    if source:
        rest["source"] = source
    return found


def _read_thinking_block(rest: Fields, path: str) -> Part:
    text, signature = _take(rest, "thinking", str, path), _maybe(rest, "signature", str, path)
    if signature is None:
        return Thinking(text=text)
    signer, signature = unwrap(signature, DIALECT)
    return Thinking(text=text, signature=signature, signer=signer)


def _read_redacted(rest: Fields, path: str) -> Part:
    return Thinking(redacted=_take(rest, "data", str, path), signer=DIALECT)


def _read_tool_use(rest: Fields, path: str) -> Part:
    arguments = _encode(_take(rest, "input", dict, path)).decode()
    return ToolCall(id=_take(rest, "id", str, path), name=_take(rest, "name", str, path), arguments=arguments)


def _read_tool_result(rest: Fields, path: str) -> Part:
    parts, plain = _read_content(rest.pop("content", []), f"{path}.content")
    error = bool(_maybe(rest, "is_error", bool, path))
    return ToolResult(id=_take(rest, "tool_use_id", str, path), parts=parts, error=error, plain=plain)


_BLOCKS = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "thinking": _read_thinking_block,
    "redacted_thinking": _read_redacted,
    "tool_use": _read_tool_use,
    "tool_result": _read_tool_result,
}


def _read_mark(rest: Fields, path: str) -> CacheMark | None:
    """The cache mark; one of a form the core has no word for stays in `rest`."""
    mark = rest.get("cache_control")
    if mark is None:
        return None
    _object(mark, _join(path, "cache_control"))
    ttl = mark.get("ttl")
    if mark.get("type") != "ephemeral" or not mark.keys() <= {"type", "ttl"} or not isinstance(ttl, str | None):
        return None
    del rest["cache_control"]
    return CacheMark(ttl=ttl)


def _read_tool(tool: Any, path: str) -> Tool:
    rest = {key: value for key, value in _object(tool, path).items() if value is not None}
    kind = _maybe(dict(rest), "type", str, path)
    if kind not in (None, "custom"):
        label = rest.get("name")
        return Tool(name=label if isinstance(label, str) else kind, builtin=tool)
    rest.pop("type", None)
    return Tool(
        name=_take(rest, "name", str, path),
        description=_maybe(rest, "description", str, path),
        schema=_take(rest, "input_schema", dict, path),
        strict=_maybe(rest, "strict", bool, path),
        cache=_read_mark(rest, path),
        native=rest,
    )


def _read_choice(rest: Fields) -> tuple[ToolChoice | None, bool | None]:
    choice = _maybe(rest, "tool_choice", dict, "")
    if choice is None:
        return None, None
    choice = dict(choice)
    kind = _take(choice, "type", str, "tool_choice")
    single = _maybe(choice, "disable_parallel_tool_use", bool, "tool_choice")
    parallel = None if single is None else not single
    if kind == "tool":
        label = _take(choice, "name", str, "tool_choice")
        return ToolChoice(kind="tool", name=label, native=choice), parallel
    if kind == "any":
        return ToolChoice(kind="required", native=choice), parallel
    if kind == "none":
        return ToolChoice(kind="none", native=choice), parallel
    if kind == "auto":
        return ToolChoice(kind="auto", native=choice), parallel
    raise _invalid("tool_choice.type", f"must be auto, any, tool or none, not {kind[:40]!r}")


def _read_output(rest: Fields) -> tuple[ResponseFormat | None, str | None]:
    """The format of the answer and the effort: `output_config`, and the beta's earlier `output_format`."""
    config = dict(_maybe(rest, "output_config", dict, "") or {})
    effort = _maybe(config, "effort", str, "output_config")
    form = _read_format(config, "format", "output_config")
    if config:
        rest["output_config"] = config
    if form is None:
        form = _read_format(rest, "output_format", "")
        if form is not None:
            form.native = {"output_format": form.native}
    return form, effort


def _read_format(holder: Fields, key: str, path: str) -> ResponseFormat | None:
    value = _maybe(dict(holder), key, dict, path)
    if value is None or value.get("type") != "json_schema":
        return None
    form = {k: v for k, v in value.items() if k != "type"}
    del holder[key]
    return ResponseFormat(kind="schema", schema=_take(form, "schema", dict, _join(path, key)), strict=True, native=form)


def _read_thinking(rest: Fields, effort: str | None) -> Reasoning | None:
    thinking = _maybe(rest, "thinking", dict, "")
    if thinking is None:
        return None if effort is None else Reasoning(effort=effort)
    left = {key: value for key, value in thinking.items() if value is not None}
    mode = _take(left, "type", str, "thinking")
    if mode not in ("enabled", "disabled", "adaptive"):
        return Reasoning(effort=effort, native={"thinking": thinking})
    budget = _maybe(left, "budget_tokens", int, "thinking")
    if mode == "enabled" and budget is None:
        raise _invalid("thinking.budget_tokens", "is required when thinking is enabled: at least 1024 tokens")
    display = _maybe(left, "display", str, "thinking")
    native = {"thinking": left} if left else {}
    return Reasoning(effort=effort, budget=budget, mode=mode, display=display, native=native)


def _read_stop(rest: Fields) -> list[str]:
    stop = _maybe(rest, "stop_sequences", list, "") or []
    for i, sequence in enumerate(stop):
        if not isinstance(sequence, str):
            raise _invalid(f"stop_sequences.{i}", f"must be a string, not {_kind(sequence)}")
    return list(stop)


# --- places and types ------------------------------------------------------------------------------------------------

_WORDS = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "an object",
}


def _take(fields: Fields, key: str, kind: type, path: str) -> Any:
    """A required field out of `fields`."""
    value = _maybe(fields, key, kind, path)
    if value is None:
        raise _invalid(_join(path, key), f"is required: {_WORDS[kind]}")
    return value


def _maybe(fields: Fields, key: str, kind: type, path: str) -> Any:
    """A field out of `fields`; None where it is absent or null."""
    value = fields.pop(key, None)
    if value is None:
        return None
    found = type(value)
    if found is not kind and not (kind is float and found is int):
        raise _invalid(_join(path, key), f"must be {_WORDS[kind]}, not {_kind(value)}")
    return value


def _object(value: Any, path: str) -> Fields:
    if not isinstance(value, dict):
        raise _invalid(path, f"must be an object, not {_kind(value)}")
    return value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kind(value: object) -> str:
    return "null" if value is None else _WORDS.get(type(value), "a number")


def _invalid(path: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{path}: {what}", param=path)


# --- a request, written ----------------------------------------------------------------------------------------------


def write_own(request: ChatRequest, lost: list[Loss]) -> Fields:
    """A request of this dialect: everything as it was, the unknown with the known.

    But for thinking whose signature is empty or this gateway's own: the API would refuse it.
    """
    messages = request.messages
    fields: Fields = {"model": request.model, "max_tokens": request.max_tokens or 0}
    if messages and messages[0].role == "system":
        fields["system"] = _content(messages[0])
        messages = messages[1:]
    fields["messages"] = turns = _turns(messages, lost)
    choice = write_choice(request.tool_choice, request.parallel_tool_calls)
    thinking, effort, sampling = _mind(request, turns, choice, lost)
    plain = {
        "stream": request.stream or None,
        **sampling,
        "stop_sequences": request.stop or None,
        "service_tier": request.service_tier,
        "cache_control": write_mark(request.cache),
        "thinking": thinking,
        "tool_choice": choice,
        "tools": [write_tool(tool) for tool in request.tools] or None,
    }
    fields.update((key, value) for key, value in plain.items() if value is not None)
    fields.update(request.native)
    if request.user is not None:
        fields["metadata"] = {"user_id": request.user, **request.native.get("metadata", {})}
    _put_output(fields, request, effort)
    return fields


def _turns(messages: list[Message], lost: list[Loss]) -> list[Fields]:
    turns: list[Fields] = []
    for i, turn in enumerate(messages):
        unsigned = [j for j, part in enumerate(turn.parts) if _unsigned(part)]
        lost += [Loss(f"messages[{i}].content[{j}]", UNSIGNED) for j in unsigned]
        if unsigned and len(unsigned) == len(turn.parts):
            continue  # the API takes no empty turn, and joins the turns around it
        if unsigned:
            turn = msgspec.structs.replace(turn, parts=[part for part in turn.parts if not _unsigned(part)])
        turns.append({"role": turn.role, "content": _content(turn), **turn.native})
    return turns


def _unsigned(part: Part) -> bool:
    return isinstance(part, Thinking) and ((part.signature == "" and part.redacted is None) or foreign(part))


def foreign(part: Thinking) -> bool:
    """Whether its proof is another vendor's."""
    return part.signer not in ("", DIALECT)


def answers_unsigned(turns: list[Fields]) -> bool:
    """Whether the answer under way (its tools have just run) began without thinking: it cannot go on with a budget.

    https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
    """
    for turn in reversed(turns):
        content = turn["content"]
        kinds = ["text"] if isinstance(content, str) else [block.get("type") for block in content]
        if turn["role"] == "user" and "tool_result" not in kinds:
            return False
        if turn["role"] == "assistant" and (not kinds or kinds[0] not in ("thinking", "redacted_thinking")):
            return True
    return False


def _mind(
    request: ChatRequest, turns: list[Fields], choice: Fields | None, lost: list[Loss]
) -> tuple[Fields | None, str | None, Fields]:
    """`thinking`, the effort, and the sampling: the client's own, or what the model takes of an effort not its own."""
    reasoning = request.reasoning
    if reasoning is None or not reasoning.imposed:
        sampling = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
        return _thinking(reasoning, turns, lost), reasoning.effort if reasoning else None, sampling
    claude = Claude(request, lost)
    forced = choice is not None and choice["type"] in ("any", "tool")
    thinking, effort = claude.reasoning(forced=forced, answers_unsigned=lambda: answers_unsigned(turns))
    return thinking, effort, claude.sampling(thinking is not None and thinking["type"] != "disabled")


def _put_output(fields: Fields, request: ChatRequest, effort: str | None) -> None:
    config = dict(request.native.get("output_config", {}))
    if effort is not None:
        config["effort"] = effort
    form = request.format
    if form is not None and form.kind == "schema":
        if "output_format" in form.native:
            fields["output_format"] = {"type": "json_schema", "schema": form.schema, **form.native["output_format"]}
        else:
            config["format"] = {"type": "json_schema", "schema": form.schema, **form.native}
    if config:
        fields["output_config"] = config


def _thinking(reasoning: Reasoning | None, turns: list[Fields], lost: list[Loss]) -> Fields | None:
    if reasoning is None:
        return None
    if lost and reasoning.mode == "enabled" and answers_unsigned(turns):
        lost.append(Loss("thinking", UNDER_WAY))
        return None
    native: Fields = reasoning.native.get("thinking", {})
    if reasoning.mode is None:
        return native or None
    fields: Fields = {"type": reasoning.mode}
    if reasoning.budget is not None:
        fields["budget_tokens"] = reasoning.budget
    if reasoning.display is not None:
        fields["display"] = reasoning.display
    return {**fields, **native}


def _content(turn: Message) -> Any:
    if turn.plain and len(turn.parts) == 1 and isinstance(turn.parts[0], Text):
        return turn.parts[0].text
    return [write_block(part) for part in turn.parts]


def write_block(part: Part) -> Fields:
    """A part in this API's form, with what `native` and `cache` add."""
    if isinstance(part, NativePart):
        return part.value
    fields = _said(part)
    if part.cache is not None:
        fields["cache_control"] = write_mark(part.cache)
    if part.native:
        fields.update((key, value) for key, value in part.native.items() if key != "source")
    return fields


def _said(part: Part) -> Fields:
    match part:
        case Text(text=text, citations=[]) | Refusal(text=text):
            return {"type": "text", "text": text}
        case Text(text=text, citations=citations):
            return {"type": "text", "text": text, "citations": citations}
        case Image(source=source):
            return {"type": "image", "source": _source(source, part.native)}
        case Document():
            return _document(part)
        case Thinking(redacted=str() as data):
            return {"type": "redacted_thinking", "data": data}
        case Thinking(text=text, signature=signature):
            signed = {} if signature is None else {"signature": signature}
            return {"type": "thinking", "thinking": text, **signed}
        case ToolCall():
            given = _decode(part.arguments) if part.arguments.strip() else {}
            return {"type": "tool_use", "id": safe_id(part.id), "name": part.name, "input": given}
        case ToolResult():
            return _tool_result(part)
    raise Unsupported(f"the Messages API has no {type(part).__name__.lower()} content; leave it out")


def _document(part: Document) -> Fields:
    fields: Fields = {"type": "document", "source": _source(part.source, part.native)}
    if part.title is not None:
        fields["title"] = part.title
    if part.context is not None:
        fields["context"] = part.context
    if part.citations:
        fields["citations"] = {"enabled": True}
    return fields


def _tool_result(part: ToolResult) -> Fields:
    fields: Fields = {"type": "tool_result", "tool_use_id": safe_id(part.id)}
    only = part.parts[0] if len(part.parts) == 1 else None
    if part.plain and isinstance(only, Text):
        fields["content"] = only.text
    elif part.parts:
        fields["content"] = [write_block(piece) for piece in part.parts]
    if part.error:
        fields["is_error"] = True
    return fields


def _source(source: Source, native: Fields) -> Fields:
    extra: Fields = native.get("source", {})
    match source:
        case Bytes(base64=data, media_type=media_type):
            return {"type": "base64", "media_type": media_type, "data": data, **extra}
        case Link(url=url):
            return {"type": "url", "url": url, **extra}
        case Stored(file_id=file_id):
            return {"type": "file", "file_id": file_id, **extra}
        case PlainText(text=text):
            return {"type": "text", "media_type": "text/plain", "data": text, **extra}


def write_mark(mark: CacheMark | None) -> Fields | None:
    if mark is None:
        return None
    return {"type": "ephemeral"} if mark.ttl is None else {"type": "ephemeral", "ttl": mark.ttl}


def write_tool(tool: Tool) -> Fields:
    if tool.builtin is not None:
        return tool.builtin
    schema = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
    fields: Fields = {"name": tool.name, "input_schema": schema}
    if tool.description is not None:
        fields["description"] = tool.description
    if tool.strict is not None:
        fields["strict"] = tool.strict
    if tool.cache is not None:
        fields["cache_control"] = write_mark(tool.cache)
    return {**fields, **tool.native}


_KINDS = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}


def write_choice(choice: ToolChoice | None, parallel: bool | None) -> Fields | None:
    if choice is None:
        return None if parallel is None else {"type": "auto", "disable_parallel_tool_use": not parallel}
    kind = choice.mode if choice.kind == "allowed" else choice.kind
    fields: Fields = {"type": _KINDS[kind]}
    if choice.kind == "tool":
        fields["name"] = choice.name
    if parallel is not None and kind != "none":
        fields["disable_parallel_tool_use"] = not parallel
    return {**fields, **choice.native}
