"""Writes requests that came in the Responses API as they came; a part of the dialect `openai_responses`.

But for what would be refused there: reasoning whose proof is another vendor's, or was made up by this gateway.
"""

from __future__ import annotations

from typing import Any

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
from headgate.core.errors import Unsupported
from headgate.dialects.openai_responses.requests import (
    Breakpoint,
    Head,
    Instructions,
    Namespaced,
    NativeItem,
    OwnCall,
    OwnChoice,
    OwnMessage,
    OwnPart,
    OwnRefusal,
    OwnRequest,
    OwnResult,
    OwnText,
    OwnThinking,
    OwnTool,
)
from headgate.dialects.openai_responses.words import NAME
from headgate.dialects.signatures import UNSIGNED

Fields = dict[str, Any]

FOREIGN = "reasoning without a proof of this API's own"


def write_own(request: ChatRequest, lost: list[Loss]) -> Fields:
    """The fields of a request of this dialect. Raises Unsupported for what a stage put in and cannot be said."""
    own = request if isinstance(request, OwnRequest) else None
    fields: Fields = {"model": request.model}
    messages = request.messages
    if messages and isinstance(messages[0], Instructions):
        fields["instructions"] = "".join(part.text for part in messages[0].parts if isinstance(part, Text))
        messages = messages[1:]
    if own and own.plain and len(messages) == 1 and messages[0].plain and isinstance(messages[0].parts[0], Text):
        fields["input"] = messages[0].parts[0].text
    elif messages or not (own and own.bound):
        items = Items(lost)
        for message in messages:
            items.add(message)
        fields["input"] = items.written
    if own:
        fields |= own.own
    _put_tools(fields, request, own)
    _put_rest(fields, request)
    fields |= {key: value for key, value in request.native.items() if not key.startswith("tools[")}
    text = dict(request.native.get("text", {}))
    if request.format is not None:
        text["format"] = write_format(request.format, request.format.native)
    if text:
        fields["text"] = text
    return fields


def _put_tools(fields: Fields, request: ChatRequest, own: OwnRequest | None) -> None:
    tools: list[Fields] = []
    for tool in request.tools:
        said = write_tool(tool, tool.native)
        if not (isinstance(tool, Namespaced) and any(entry is said for entry in tools)):
            tools.append(said)
    for place, entry in sorted(own.extras.items()) if own else ():
        tools.insert(place, entry)
    if tools:
        fields["tools"] = tools
    if request.tool_choice is not None:
        fields["tool_choice"] = write_choice(request.tool_choice, request.tool_choice.native)


def _put_rest(fields: Fields, request: ChatRequest) -> None:
    plain = {
        "stream": request.stream or None,
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_logprobs": request.top_logprobs,
        "parallel_tool_calls": request.parallel_tool_calls,
        "service_tier": request.service_tier,
        "metadata": request.metadata or None,
    }
    fields.update((key, value) for key, value in plain.items() if value is not None)
    if request.user is not None:
        fields[request.user_field if isinstance(request, OwnRequest) else "user"] = request.user
    reasoning = request.reasoning
    if reasoning is not None:
        shown = request.shown if isinstance(request, OwnRequest) else {}
        effort = {} if reasoning.effort is None else {"effort": reasoning.effort}
        fields["reasoning"] = {**shown, **effort}


class Items:
    """Messages → items; parts of one message item of the assistant are put together again."""

    def __init__(self, lost: list[Loss]) -> None:
        self.written: list[Fields] = []
        self._lost = lost
        self._head: Head | None = None
        self._content: list[Fields] | None = None

    def add(self, message: Message) -> None:
        self._content = None
        if message.role == "assistant":
            for part in message.parts:
                self._spoken(part)
            self._content = None
            return
        content: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                self.written.append(_result(part))
            elif isinstance(part, NativeItem):
                self.written.append(part.value)
            else:
                content.append(part)
        if content or not message.parts:
            head = message.head if isinstance(message, OwnMessage) else {}
            plain = message.plain and len(content) == 1 and isinstance(content[0], Text)
            said: Any = content[0].text if plain else [write_part(part) for part in content]  # type: ignore[attr-defined]
            self.written.append({"type": "message", **head, "role": message.role, "content": said, **message.native})

    def _spoken(self, part: Part) -> None:
        match part:
            case OwnText() | OwnRefusal() | OwnPart():
                self._own(part, part.head)
            case Text() | Refusal():
                self._open(None).append(_said(part))
            case _:
                self._content = None
                self._item(part)

    def _item(self, part: Part) -> None:
        match part:
            case Thinking():
                self._thinking(part)
            case OwnCall():
                self._foreign_proof(part)
                self.written.append(part.item)
            case ToolCall():
                self._foreign_proof(part)
                self.written.append(write_call(part))
            case NativePart():
                self.written.append(part.value)
            case _:
                raise Unsupported(f"{type(part).__name__} cannot stand in a model's turn here", param="input")

    def _own(self, part: OwnText | OwnRefusal | OwnPart, head: Head) -> None:
        if head.plain and isinstance(part, OwnText):
            self._content = None
            message = {"type": "message", **head.fields, "role": "assistant", "content": part.text}
            self.written.append(message)
            return
        content = self._open(head)
        if not (isinstance(part, OwnText) and part.empty):
            content.append(_said(part))

    def _open(self, head: Head | None) -> list[Fields]:
        """The content of the message item that is open, or of a new one."""
        if self._content is None or self._head is not head:
            self._head, self._content = head, []
            fields = head.fields if head else {}
            self.written.append({"type": "message", **fields, "role": "assistant", "content": self._content})
        return self._content

    def _thinking(self, part: Thinking) -> None:
        where = f"input[{len(self.written)}]"
        if part.signer not in ("", NAME) or part.signature == "":
            self._lost.append(Loss(where, FOREIGN))
        elif isinstance(part, OwnThinking):
            self.written.append(part.item)
        else:
            self.written.append(write_thinking(part))

    def _foreign_proof(self, call: ToolCall) -> None:
        if call.signature is not None:
            self._lost.append(Loss(f"input[{len(self.written)}]", "a proof that another vendor gave for a call"))


def write_thinking(part: Thinking) -> Fields:
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    item: Fields = {"type": "reasoning", "summary": summary}
    if part.signature and part.signature != UNSIGNED:
        item["encrypted_content"] = part.signature
    return item


def _said(part: Part) -> Fields:
    """A piece of an assistant's message item."""
    match part:
        case OwnPart():
            return part.value
        case Refusal(text=text):
            return {"type": "refusal", "refusal": text}
        case Text():
            kind = part.kind if isinstance(part, OwnText) else "output_text"
            rest = part.rest if isinstance(part, OwnText) else {}
            fields: Fields = {"type": kind, "text": part.text, **rest, **_mark(part.cache)}
            if kind == "output_text":
                fields["annotations"] = part.citations
            return fields
    raise Unsupported(f"{type(part).__name__} cannot stand in a model's message here", param="input")


def _mark(mark: CacheMark | None) -> Fields:
    return {"prompt_cache_breakpoint": mark.value} if isinstance(mark, Breakpoint) else {}


def write_part(part: Part) -> Fields:
    """A piece of a user's, system's or developer's message, or of a tool's output."""
    match part:
        case NativePart():
            return part.value
        case Text(text=text):
            fields: Fields = {"type": "input_text", "text": text}
        case Image(source=source, detail=detail):
            fields = {"type": "input_image", **_image(source), **({} if detail is None else {"detail": detail})}
        case Document(source=PlainText(text=text)):
            fields = {"type": "input_text", "text": text}
        case Document(source=source, title=title):
            fields = {"type": "input_file", **({} if title is None else {"filename": title}), **_file(source)}
        case Audio(source=Bytes(base64=data), format=format):
            fields = {"type": "input_audio", "input_audio": {"data": data, "format": format}}
        case _:
            raise Unsupported(f"the Responses API takes no {type(part).__name__} here; leave it out", param="input")
    return {**fields, **part.native, **_mark(part.cache)}


def _image(source: Source) -> Fields:
    match source:
        case Stored(file_id=id):
            return {"file_id": id}
        case Link(url=url):
            return {"image_url": url}
        case Bytes(base64=data, media_type=media):
            return {"image_url": f"data:{media or ''};base64,{data}"}
    raise Unsupported("an image is given as data, by URL or by id", param="input")


def _file(source: Source) -> Fields:
    match source:
        case Stored(file_id=id):
            return {"file_id": id}
        case Link(url=url):
            return {"file_url": url}
        case Bytes(base64=data, media_type=None):
            return {"file_data": data}
        case Bytes(base64=data, media_type=media):
            return {"file_data": f"data:{media};base64,{data}"}
    raise Unsupported("a file is given as data, by URL or by id", param="input")


def _result(part: ToolResult) -> Fields:
    plain = part.plain and len(part.parts) == 1 and isinstance(part.parts[0], Text)
    output: Any = part.parts[0].text if plain else [write_part(piece) for piece in part.parts]  # type: ignore[attr-defined]
    kind = part.kind if isinstance(part, OwnResult) else "function_call_output"
    key = "id" if kind == "local_shell_call_output" else "call_id"
    head: Native = part.head if isinstance(part, OwnResult) else {}
    return {"type": kind, key: part.id, **head, "output": output}


def write_call(part: ToolCall) -> Fields:
    if part.custom:
        return {"type": "custom_tool_call", "call_id": part.id, "name": part.name, "input": part.arguments}
    return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}


def write_tool(tool: Tool, native: Native) -> Fields:
    if isinstance(tool, OwnTool):
        return tool.entry
    if tool.builtin is not None:
        return tool.builtin
    fields: Fields = {"type": "function", "name": tool.name}
    given = {"description": tool.description, "parameters": tool.schema, "strict": tool.strict}
    return {**fields, **{key: value for key, value in given.items() if value is not None}, **native}


def write_choice(choice: ToolChoice, native: Native) -> Any:
    if isinstance(choice, OwnChoice):
        return choice.given
    if choice.kind == "tool":
        named = {} if "function" in native else {"name": choice.name}
        return {"type": "custom" if choice.custom else "function", **named, **native}
    if choice.kind == "allowed":
        tools = native.get("tools") or [{"type": "function", "name": name} for name in choice.names]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": tools}
    return choice.kind


def write_format(form: ResponseFormat, native: Native) -> Fields:
    if form.kind != "schema":
        return {"type": "text" if form.kind == "text" else "json_object", **native}
    given = {"name": form.name, "description": form.description, "schema": form.schema, "strict": form.strict}
    return {"type": "json_schema", **{key: value for key, value in given.items() if value is not None}, **native}
