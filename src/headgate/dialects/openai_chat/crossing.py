"""Writes requests of OpenAI's Chat Completions API from the core's types; a part of the dialect `openai_chat`.

What came in this dialect goes out as it came, nulls left out. What came in another is said as far as it can be:

- tool results become `tool` messages before the rest of their turn; their images and files move to the user message
  after them, each behind a line that names the call, and the move is reported; a failed result begins with "Error: "
- a thinking budget becomes `reasoning_effort`: up to 4,096 tokens low, up to 16,384 medium, above high
- thinking in the history that no vendor signed came from a host of this dialect and becomes `reasoning_content`:
  DeepSeek refuses the history of a tool call without it (https://api-docs.deepseek.com/guides/thinking_mode)
- a `user_id` of more than 64 characters is sent as its SHA-256; a choice of tools without tools is left out
- left out and reported: `top_k`, cache marks, signed thinking in the history, citations, what only the other dialect
  knows
- refused: tools the provider runs, `mcp_servers`, `container`, more than four stop sequences, files by URL or by
  another provider's id, a last message of the assistant that is to be continued
"""

from __future__ import annotations

import hashlib
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
    Video,
    fold,
)
from headgate.core.errors import Unsupported
from headgate.dialects.narrow_schemas import said_strictly
from headgate.dialects.openai_chat.requests import (
    GOOGLE,
    NAME,
    Breakpoint,
    FunctionCall,
    FunctionResult,
    LinkedDocument,
    MessageRefusal,
    OwnRequest,
    PlainImage,
    PlainVideo,
    Proof,
    Reasoned,
    ThinkChunk,
    google_proof,
)

LOW, MEDIUM = 4096, 16_384
"""Thinking budgets (tokens) up to which the effort is low and medium."""
LONGEST_USER = 64
"""Characters of `user`: what OpenAI gives for `safety_identifier`, which replaces it; hosts refuse more than 128."""
MEANINGFUL = frozenset({"mcp_servers", "container"})
"""Fields of other dialects without which a request would mean something else."""
_SAME = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "n", "logprobs", "top_logprobs")
FOREIGN_PROOF = "the proof of another vendor's model"
NO_MARKS = "not needed: OpenAI caches long prompts by itself"
_HOLDERS = frozenset({"metadata", "options", "output_config", "output_format", "source", "thinking"})
"""Objects that are carried but for the fields named as native."""
_TIERS = {"standard_only": "default"}
_OWN_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_encode = msgspec.json.Encoder().encode


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as a body of Chat Completions. Raises Unsupported."""
    own = request.dialect == NAME
    said: list[Loss] = []
    write = _Own(request, said) if own else _Crossing(request, said)
    fields: dict[str, Any] = {"model": request.model, "messages": write.messages()}
    for name in _SAME:
        value = getattr(request, name)
        if value is not None:
            fields[name] = value
    for name in ("parallel_tool_calls", "user"):
        value = getattr(request, name)
        if value is not None:
            fields[name] = value
    if request.metadata:
        fields["metadata"] = request.metadata
    if request.tools:
        fields["tools"] = [write.tool(tool, f"tools[{place}]") for place, tool in enumerate(request.tools)]
    if request.tool_choice is not None:
        choice = request.tool_choice
        fields["tool_choice"] = _choice(choice, request.tools, choice.native if own else {})
    if request.format is not None:
        fields["response_format"] = _format(write.format(request.format), own)
    write.rest(fields)
    lost += fold(said)
    return _encode(fields)


def _choice(choice: ToolChoice, tools: list[Tool], native: Native) -> Any:
    match choice.kind:
        case "tool":
            kind = "custom" if choice.custom else "function"
            return {"type": kind, kind: {"name": choice.name}, **native}
        case "allowed":
            custom = {tool.name for tool in tools if tool.builtin is not None}
            entries = [
                {"type": "custom", "custom": {"name": name}}
                if name in custom
                else {"type": "function", "function": {"name": name}}
                for name in choice.names
            ]
            inner = {"mode": choice.mode, "tools": native.get("tools", entries)}
            return {"type": "allowed_tools", "allowed_tools": inner}
        case _:
            return native.get("type", choice.kind)


def _format(format: ResponseFormat, own: bool) -> dict[str, Any]:
    native = format.native if own else {}
    if format.kind != "schema":
        return {**native, "type": "text" if format.kind == "text" else "json_object"}
    inner = dict(native.get("json_schema", {}))
    name = format.name if own else format.name or "response"  # required here
    given = {"name": name, "description": format.description, "schema": format.schema, "strict": format.strict}
    inner.update({key: value for key, value in given.items() if value is not None})
    return {**native, "type": "json_schema", "json_schema": inner}


def _function(tool: Tool, rest: Native) -> dict[str, Any]:
    inner: dict[str, Any] = {"name": tool.name, **rest}
    if tool.description is not None:
        inner["description"] = tool.description
    if tool.schema is not None:
        inner["parameters"] = tool.schema
    if tool.strict is not None:
        inner["strict"] = tool.strict
    return inner


def _call(call: ToolCall, native: Native) -> dict[str, Any]:
    kind, text = ("custom", "input") if call.custom else ("function", "arguments")
    inner = {**native.get(kind, {}), "name": call.name, text: call.arguments}
    return {**native, "id": call.id, "type": kind, kind: inner}


def _beside_native(parts: list[Part]) -> list[Part]:
    """Without what stands among the message's native fields too."""
    return [part for part in parts if not isinstance(part, Proof)]


def is_googles(model: str) -> bool:
    """Whether Google serves this model, and so takes its own proofs back."""
    return "gemini" in model.lower()


def _extra(proof: str) -> dict[str, Any]:
    return {"google": {"thought_signature": proof}}


def _url(source: Source) -> str:
    if isinstance(source, Bytes):
        return f"data:{source.media_type or ''};base64,{source.base64}"
    assert isinstance(source, Link)
    return source.url


def _image(image: Image) -> dict[str, Any]:
    if isinstance(image, PlainImage):
        return {"type": "image_url", "image_url": _url(image.source)}
    inner = {"url": _url(image.source)}
    if image.detail is not None:
        inner["detail"] = image.detail
    return {"type": "image_url", "image_url": inner}


def _video(video: Video) -> dict[str, Any]:
    source = video.source
    if isinstance(source, Bytes) and source.media_type is None:
        source = Bytes(base64=source.base64, media_type="video/mp4")
    url = _url(source)
    return {"type": "video_url", "video_url": url if isinstance(video, PlainVideo) else {"url": url}}


class _Own:
    """Parts and messages that came in this dialect, as they came."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self._request = request
        self._lost = lost
        self._google = is_googles(request.model)

    def messages(self) -> list[dict[str, Any]]:
        entries = [self._message(message) for message in self._request.messages]
        if not self._google:
            for place, entry in enumerate(entries):
                self._without_proofs(entry, f"messages[{place}]")
        return entries

    def _without_proofs(self, entry: dict[str, Any], path: str) -> None:
        """Google's proofs taken out: they are nobody else's, and OpenAI refuses what it does not know."""
        for number, call in enumerate(entry.get("tool_calls", ())):
            if google_proof(call.get("extra_content")) is not None:
                del call["extra_content"]
                self._lost.append(Loss(f"{path}.tool_calls[{number}].extra_content", FOREIGN_PROOF))
        if google_proof(entry.get("extra_content")) is not None:
            del entry["extra_content"]
            self._lost.append(Loss(f"{path}.extra_content", FOREIGN_PROOF))

    def _message(self, message: Message) -> dict[str, Any]:
        entry: dict[str, Any] = {"role": message.role}
        if message.name is not None:
            entry["name"] = message.name
        parts: list[Part] = []
        for part in _beside_native(message.parts):
            match part:
                case FunctionResult():
                    entry["role"] = "function"
                    parts += part.parts
                case ToolResult():
                    entry["tool_call_id"] = part.id
                    parts += part.parts
                case ThinkChunk():
                    parts.append(part)
                case Thinking():
                    entry[part.field if isinstance(part, Reasoned) else "reasoning_content"] = part.text
                case FunctionCall():
                    entry["function_call"] = {"name": part.name, "arguments": part.arguments}
                case ToolCall():
                    entry.setdefault("tool_calls", []).append(_call(part, part.native))
                case MessageRefusal():
                    entry["refusal"] = part.text
                case _:
                    parts.append(part)
        entry.update(message.native)
        if message.plain and len(parts) == 1 and isinstance(parts[0], Text):
            entry["content"] = parts[0].text
            if parts[0].cache is not None:
                entry.update(_mark(parts[0].cache))
        else:
            absent = not parts and (message.role == "assistant" or entry["role"] == "function")
            entry["content"] = None if absent else [self._part(part) for part in parts]
        return entry

    def _part(self, part: Part) -> dict[str, Any]:
        match part:
            case NativePart() | ThinkChunk() | LinkedDocument():
                return part.value
            case Text():
                entry: dict[str, Any] = {"type": "text", "text": part.text}
            case Refusal():
                entry = {"type": "refusal", "refusal": part.text}
            case Image():
                entry = _image(part)
            case Audio():
                assert isinstance(part.source, Bytes)
                entry = {"type": "input_audio", "input_audio": {"data": part.source.base64}}
                if part.format is not None:
                    entry["input_audio"]["format"] = part.format
            case Video():
                entry = _video(part)
            case Document():
                entry = {"type": "file", "file": _file(part)}
            case _:
                raise Unsupported(f"{type(part).__name__} cannot stand here in Chat Completions", param="messages")
        inner = entry[entry["type"]]
        for key, value in part.native.items():
            if key == entry["type"] and isinstance(inner, dict):
                inner.update(value)
            else:
                entry[key] = value
        if part.cache is not None:
            entry.update(_mark(part.cache))
        return entry

    def tool(self, tool: Tool, _path: str) -> dict[str, Any]:
        if tool.builtin is not None:
            return tool.builtin
        inner = _function(tool, tool.native.get("function", {}))
        if isinstance(self._request, OwnRequest) and self._request.legacy:
            return inner
        entry = {**tool.native, "type": "function", "function": inner}
        if tool.cache is not None:
            entry.update(_mark(tool.cache))
        return entry

    def format(self, format: ResponseFormat) -> ResponseFormat:
        return format

    def rest(self, fields: dict[str, Any]) -> None:
        """What this dialect says in ways of its own."""
        request = self._request
        own = request if isinstance(request, OwnRequest) else None
        if own and request.seed is not None:
            fields[own.seed_name] = fields.pop("seed")
        if request.max_tokens is not None:
            fields[own.limit_name if own else "max_completion_tokens"] = request.max_tokens
        if request.stop:
            fields["stop"] = request.stop[0] if own and own.stop_plain and len(request.stop) == 1 else request.stop
        if request.top_k is not None:
            fields["top_k"] = request.top_k
        if request.reasoning is not None and request.reasoning.effort is not None:
            fields["reasoning_effort"] = request.reasoning.effort
        if request.service_tier is not None:
            fields["service_tier"] = request.service_tier
        fields.update(request.native)
        if request.stream:
            fields["stream"] = True
            if request.stream_usage is not None:
                fields["stream_options"] = {**fields.get("stream_options", {}), "include_usage": request.stream_usage}
        else:
            fields.pop("stream_options", None)  # refused without a stream
        if own and own.legacy:
            if "tools" in fields:
                fields["functions"] = fields.pop("tools")
            choice = fields.pop("tool_choice", None)
            if choice is not None:
                fields["function_call"] = choice["function"] if isinstance(choice, dict) else choice


def _mark(mark: CacheMark) -> dict[str, Any]:
    if isinstance(mark, Breakpoint):
        return {"prompt_cache_breakpoint": mark.value}
    return {"cache_control": {"type": "ephemeral"} | ({"ttl": mark.ttl} if mark.ttl else {})}


def _file(part: Document) -> dict[str, Any]:
    inner: dict[str, Any] = {} if part.title is None else {"filename": part.title}
    match part.source:
        case Stored(file_id=id):
            inner["file_id"] = id
        case Bytes(base64=data, media_type=None):
            inner["file_data"] = data
        case PlainText(text=text):
            raise Unsupported(f"a document of plain text ({text[:20]!r} …) is no file; send a text part")
        case source:
            inner["file_data"] = _url(source)
    return inner


class _Crossing:
    """Parts and messages that came in another dialect."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self._request = request
        self._lost = lost
        self._google = is_googles(request.model)

    def _lose(self, path: str, why: str = "Chat Completions has no such field") -> None:
        self._lost.append(Loss(path, why))

    def _lose_native(self, native: Native, path: str) -> None:
        """What only the other dialect knows; of an object that is carried, each of the fields that are not."""
        for key, value in native.items():
            where = f"{path}.{key}" if path else key
            if key == "cache_control":
                self._lose(where, NO_MARKS)
            elif key in _HOLDERS and isinstance(value, dict):
                self._lose_native(value, where)
            elif value not in (None, {}, []):
                self._lose(where)

    def messages(self) -> list[dict[str, Any]]:
        """Paths are in the client's terms: a leading system message is its `system` field."""
        messages = self._request.messages
        offset = 1 if messages and messages[0].role == "system" else 0
        entries: list[dict[str, Any]] = []
        for place, message in enumerate(messages):
            path = f"messages[{place - offset}]" if place >= offset else "system"
            self._lose_native(message.native, path)
            if message.role == "assistant":
                if place == len(messages) - 1:
                    raise Unsupported(
                        "the last message is the assistant's, to be continued; Chat Completions would answer it "
                        "instead: end with a user message, or use a model of a provider that continues",
                        param=path,
                    )
                entries.append(self._assistant(message, path))
            else:
                entries += self._turn(message, path)
        return entries

    def _assistant(self, message: Message, path: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"role": "assistant", "content": None}
        if message.name is not None:
            entry["name"] = message.name
        texts: list[Part] = []
        proof: str | None = None
        for place, part in enumerate(message.parts):
            where = f"{path}.content[{place}]"
            match part:
                case Text():
                    texts.append(part)
                    self._lose_marks(part, where)
                case Thinking():
                    proof = self._thought(part, entry, where) or proof
                case Refusal():
                    entry["refusal"] = entry.get("refusal", "") + part.text
                case ToolCall():
                    entry.setdefault("tool_calls", []).append(self._call(part, where, proof))
                    proof = None
                    self._lose_marks(part, where)
                case NativePart():
                    self._lose(where, f"only {part.dialect} knows it")
                case _:
                    raise Unsupported(
                        f"Chat Completions has only text in the assistant's messages, not {type(part).__name__}",
                        param=where,
                    )
        if proof is not None:
            entry["extra_content"] = _extra(proof)
        if texts:
            entry["content"] = self._texts(texts)
        elif not entry.keys() & {"tool_calls", "refusal"}:
            entry["content"] = ""  # null needs one of these beside it
        return entry

    def _thought(self, part: Thinking, entry: dict[str, Any], where: str) -> str | None:
        """Thinking nobody signed came from a host of this dialect: DeepSeek wants it back. Of Google's, the proof."""
        if not part.signature and part.redacted is None:
            if part.text:
                entry["reasoning_content"] = entry.get("reasoning_content", "") + part.text
            self._lose_marks(part, where)
            return None
        if part.signer == GOOGLE and self._google:
            return part.signature
        self._lose(where, "Chat Completions does not take reasoning back")
        return None

    def _call(self, call: ToolCall, where: str, before: str | None) -> dict[str, Any]:
        """A call with its proof, where the model takes it; `before` is that of the thinking before it."""
        proof = call.signature if call.signature and call.signer == GOOGLE else before
        if proof and self._google:
            return _call(call, {"extra_content": _extra(proof)})
        if call.signature:
            self._lose(f"{where}.thought_signature", FOREIGN_PROOF)
        return _call(call, {})

    def _turn(self, message: Message, path: str) -> list[dict[str, Any]]:
        """A system, user or tool message: the tool results first, then the rest as one message."""
        entries: list[dict[str, Any]] = []
        moved: list[dict[str, Any]] = []
        content: list[dict[str, Any]] = []
        within = path if path == "system" else f"{path}.content"
        for place, part in enumerate(message.parts):
            where = f"{within}[{place}]"
            if isinstance(part, ToolResult):
                entries.append(self._result(part, where, moved))
                self._lose_marks(part, where)
            else:
                content.append(self._part(part, where))
        content = moved + content
        if content or not message.parts:
            role = "user" if message.role == "tool" else message.role
            entry: dict[str, Any] = {"role": role, "content": content}
            if len(content) == 1 and content[0]["type"] == "text":
                entry["content"] = content[0]["text"]
            elif not content:
                entry["content"] = ""
            if message.name is not None:
                entry["name"] = message.name
            entries.append(entry)
        return entries

    def _result(self, result: ToolResult, path: str, moved: list[dict[str, Any]]) -> dict[str, Any]:
        texts: list[Part] = []
        for place, part in enumerate(result.parts):
            where = f"{path}.content[{place}]"
            if isinstance(part, Text):
                texts.append(part)
                self._lose_marks(part, where)
                continue
            entry = self._part(part, where)
            if entry["type"] == "text":
                texts.append(Text(text=entry["text"]))
                continue
            moved += ({"type": "text", "text": f"From the result of tool call {result.id}:"}, entry)
            self._lose(where, "moved to the user message after the tool results: they hold only text")
        if result.error:
            first = texts[0].text if texts and isinstance(texts[0], Text) else ""
            texts[:1] = [Text(text="Error: " + first)]
            self._lose(f"{path}.is_error", 'said as "Error: " at the start of the text')
        return {"role": "tool", "tool_call_id": result.id, "content": self._texts(texts)}

    @staticmethod
    def _texts(parts: list[Part]) -> str | list[dict[str, Any]]:
        texts = [part.text for part in parts if isinstance(part, Text)]
        if len(texts) == 1:
            return texts[0]
        return [{"type": "text", "text": text} for text in texts] if texts else ""

    def _lose_marks(self, part: Part, path: str) -> None:
        if part.cache is not None:
            self._lose(f"{path}.cache_control", NO_MARKS)
        if isinstance(part, Text) and part.citations:
            self._lose(f"{path}.citations", "Chat Completions does not take citations back")
        self._lose_native(part.native, path)

    def _part(self, part: Part, path: str) -> dict[str, Any]:
        self._lose_marks(part, path)
        match part:
            case Text():
                return {"type": "text", "text": part.text}
            case Image(source=Bytes() | Link()):
                return _image(part)
            case Video(source=Bytes() | Link()):
                return _video(part)
            case Document():
                return self._document(part, path)
            case Audio(source=Bytes(base64=data, media_type=media)):
                format = part.format or (media or "").removeprefix("audio/").removeprefix("x-").replace("mpeg", "mp3")
                return {"type": "input_audio", "input_audio": {"data": data, "format": format}}
            case Image():
                raise Unsupported(
                    "Chat Completions takes an image as base64 data or by URL; a file id of another provider means "
                    "nothing there",
                    param=path,
                )
            case Audio():
                raise Unsupported("Chat Completions takes audio as base64 data only", param=path)
            case NativePart(value={"type": "image" | "document" as kind}):
                raise Unsupported(f"Chat Completions takes no {kind} given like this; send it as base64", param=path)
            case Refusal() | Thinking():
                return {"type": "text", "text": part.text}
            case _:
                kind = part.value.get("type") if isinstance(part, NativePart) else type(part).__name__
                raise Unsupported(f"Chat Completions has no block of type {kind!r}; leave it out", param=path)

    def _document(self, part: Document, path: str) -> dict[str, Any]:
        if part.context is not None:
            self._lose(f"{path}.context")
        if part.citations:
            self._lose(f"{path}.citations", "Chat Completions does not cite documents")
        match part.source:
            case PlainText(text=text):
                if part.title is not None:
                    self._lose(f"{path}.title")
                return {"type": "text", "text": text}
            case Bytes(base64=data, media_type=media):
                url = f"data:{media or 'application/pdf'};base64,{data}"
                return {"type": "file", "file": {"filename": part.title or "document.pdf", "file_data": url}}
            case _:
                raise Unsupported(
                    "Chat Completions takes no file by URL or by another provider's id; send it as base64 data",
                    param=f"{path}.source",
                )

    def tool(self, tool: Tool, path: str) -> dict[str, Any]:
        if tool.builtin is not None:
            raise Unsupported(
                f"the tool {tool.name!r} is run or defined by the provider of {self._request.dialect}; "
                "leave it out, or use a model of that provider",
                param=path,
            )
        if tool.cache is not None:
            self._lose(f"{path}.cache_control", NO_MARKS)
        self._lose_native(tool.native, path)
        return {"type": "function", "function": _function(said_strictly(tool, path, self._lose), {})}

    def format(self, format: ResponseFormat) -> ResponseFormat:
        return said_strictly(format, "response_format.json_schema", self._lose)

    def rest(self, fields: dict[str, Any]) -> None:
        """What the dialects say differently."""
        request = self._request
        self._refuse(request)
        self._lose_fields(request)
        if not request.tools:  # refused where there are none to choose from
            fields.pop("tool_choice", None)
            fields.pop("parallel_tool_calls", None)
        if request.user is not None and len(request.user) > LONGEST_USER:
            fields["user"] = hashlib.sha256(request.user.encode()).hexdigest()
            self._lose("metadata.user_id", f"longer than {LONGEST_USER} characters: its SHA-256 is sent instead")
        if request.stop:
            fields["stop"] = request.stop
        if request.max_tokens is not None:
            fields["max_completion_tokens"] = request.max_tokens
        if request.service_tier is not None:
            self._tier(request.service_tier, fields)
        if request.reasoning is not None:
            self._reasoning(request.reasoning, fields)
        if request.stream:
            fields["stream"] = True

    @staticmethod
    def _refuse(request: ChatRequest) -> None:
        for key in request.native:
            if key in MEANINGFUL:
                raise Unsupported(
                    f"Chat Completions has no `{key}`; leave it out, or use a model of a provider that has", param=key
                )
        if len(request.stop) > 4:
            raise Unsupported(
                f"Chat Completions takes up to 4 stop sequences, not {len(request.stop)}", param="stop_sequences"
            )

    def _lose_fields(self, request: ChatRequest) -> None:
        self._lose_native(request.native, "")
        if request.top_k is not None:
            self._lose("top_k")
        if request.cache is not None:
            self._lose("cache_control", NO_MARKS)
        if request.tool_choice is not None:
            self._lose_native(request.tool_choice.native, "tool_choice")
        if request.format is not None:
            native = request.format.native
            self._lose_native(native, "" if "output_format" in native else "output_config.format")

    def _tier(self, tier: str, fields: dict[str, Any]) -> None:
        tier = _TIERS.get(tier, tier)
        if tier in _OWN_TIERS:
            fields["service_tier"] = tier
        else:
            self._lose("service_tier", f"Chat Completions has no tier {tier!r}")

    def _reasoning(self, reasoning: Reasoning, fields: dict[str, Any]) -> None:
        effort = reasoning.effort
        if effort is None and reasoning.budget is not None and reasoning.mode != "disabled":
            effort = "low" if reasoning.budget <= LOW else "medium" if reasoning.budget <= MEDIUM else "high"
            self._lose("thinking.budget_tokens", f"said as reasoning_effort {effort}")
        elif reasoning.mode == "disabled":
            effort = effort if effort == "none" else None
            self._lose("thinking", "not every model of Chat Completions can be told not to think; its default stands")
        if effort is not None:
            fields["reasoning_effort"] = effort
        if reasoning.display is not None:
            self._lose("thinking.display")
        self._lose_native(reasoning.native, "")
