"""Requests of other dialects, said in Cohere's v2 chat; a part of `cohere_chat`.

How requests of other dialects are said here, beyond the obvious:

- Tool results become `tool` messages before the rest of their turn; their images move to the user message after them,
  each behind a line that names the call. A failed result begins with "Error: ".
- Text of the assistant beside tool calls becomes `tool_plan`, the place this API has for it.
- A document to be cited becomes one of the request's `documents`, another one is text; within a tool result both stay
  documents. Files that are not text are refused.
- A tool that is forced by name is the only one sent, and required; of `allowed_tools` only these are sent.
- Strict tools: all or none here, and none where a tool has no required parameter, which this API refuses.
- An effort becomes a budget of thinking (`BUDGETS`); none means disabled.
- Numbers beyond this API's bounds (`BOUNDS`) are set to the bound, which is named as lost.
- Thinking in the history that no vendor signed goes along; signed thinking is another vendor's.
- Refused, for leaving it out would change the meaning: n > 1, more than five stop sequences, audio, video, files,
  another vendor's file ids, free-form and foreign built-in tools, and `MEANINGFUL` fields.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from headgate.core.chat import (
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
    PlainText,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.dialects.cohere_chat.requests import (
    Fields,
    document_data,
    same_fields,
    write_call,
    write_format,
    write_part,
    write_tool,
)

BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192}
"""Tokens of thinking for an effort; above medium the model decides."""
BOUNDS = {"p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0.0, 1.0), "presence_penalty": (0.0, 1.0)}
"""https://docs.cohere.com/reference/chat"""
NAMES = {"p": "top_p", "k": "top_k"}
MOST_STOPS = 5
MEANINGFUL = frozenset({"mcp_servers", "container", "audio", "web_search_options", "functions", "function_call"})
"""Fields of other dialects without which a request would mean something else."""
NO_FIELD = "Cohere's chat has no such field"
NO_MARKS = "Cohere's chat has no cache marks: it caches by itself"
EMPTY: tuple[Any, ...] = (None, [], {})
_HOLDERS = frozenset(
    {"file", "function", "image_url", "input_audio", "json_schema", "metadata", "options", "output_config"}
    | {"output_format", "source", "stream_options", "thinking", "video_url"}
)
"""Objects that are carried but for the fields named as native."""


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.entries: list[Fields] = []
        self.documents: list[Fields] = []

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        self._lose_fields()
        for i, message in enumerate(request.messages):
            self._message(message, f"messages[{i}]")
        plain = same_fields(request)
        self._bound(plain)
        tools, choice = self._tools()
        fields: Fields = {"model": request.model, "messages": self.entries, **plain}
        optional = {
            "stop_sequences": request.stop or None,
            "tools": [write_tool(tool) for tool in tools] or None,
            "strict_tools": self._strict(tools),
            "tool_choice": choice,
            "documents": self.documents or None,
            "response_format": self._format(),
            "thinking": self._thinking(request.reasoning),
        }
        fields.update((key, value) for key, value in optional.items() if value is not None)
        return fields

    def lose(self, path: str, why: str = NO_FIELD) -> None:
        self.lost.append(Loss(path, why))

    def lose_native(self, native: Native, path: str) -> None:
        """What only the other dialect knows; of an object that is carried, each of the fields that are not."""
        for key, value in native.items():
            where = f"{path}.{key}" if path else key
            if key in _HOLDERS and isinstance(value, dict):
                self.lose_native(value, where)
            elif value not in EMPTY:
                self.lose(where, NO_MARKS if key == "cache_control" else NO_FIELD)

    # the whole request

    def _refuse(self) -> None:
        request = self.request
        if request.n is not None and request.n > 1:
            raise Unsupported("Cohere gives one answer per request; send n requests instead", param="n")
        if len(request.stop) > MOST_STOPS:
            raise Unsupported(f"Cohere takes up to 5 stop sequences, not {len(request.stop)}", param="stop")
        for key, value in request.native.items():
            if key in MEANINGFUL and value not in EMPTY:
                raise Unsupported(
                    f"Cohere's chat has no `{key}`; leave it out, or use a model of a provider that has", param=key
                )
            if key == "modalities" and isinstance(value, list) and value != ["text"]:
                raise Unsupported("Cohere answers in text; ask for text only", param=key)

    def _lose_fields(self) -> None:
        request = self.request
        native = {key: value for key, value in request.native.items() if key != "modalities"}
        self.lose_native(native, "")
        if request.top_logprobs:
            self.lose("top_logprobs", "Cohere tells of the tokens it chose only")
        if request.user is not None:
            self.lose("user")
        if request.metadata:
            self.lose("metadata")
        if request.service_tier is not None:
            self.lose("service_tier")
        if request.cache is not None:
            self.lose("cache_control", NO_MARKS)

    def _bound(self, fields: Fields) -> None:
        for name, (low, high) in BOUNDS.items():
            value = fields.get(name)
            if value is not None and not low <= value <= high:
                fields[name] = bound = low if value < low else high
                self.lose(NAMES.get(name, name), f"set to {bound}, the nearest that Cohere takes")

    def _format(self) -> Fields | None:
        form = self.request.format
        if form is None or form.kind == "text":
            return None
        for key in ("name", "description"):
            if getattr(form, key) is not None:
                self.lose(f"response_format.json_schema.{key}", "Cohere names no schemas")
        if form.kind == "schema" and form.strict is False:
            self.lose("response_format.json_schema.strict", "Cohere keeps to every schema strictly")
        self.lose_native(form.native, "response_format")
        form = type(form)(kind=form.kind, schema=form.schema)
        return write_format(form)

    def _thinking(self, reasoning: Reasoning | None) -> Fields | None:
        if reasoning is None:
            return None
        self.lose_native(reasoning.native, "")
        if reasoning.display is not None:
            self.lose("thinking.display")
        effort, budget = reasoning.effort, reasoning.budget
        if effort == "none" or reasoning.mode == "disabled":
            return {"type": "disabled"}
        if effort is None and budget is None and reasoning.mode is None:
            return None
        if budget is None and effort is not None:
            budget = BUDGETS.get(effort)
            said = "without a limit" if budget is None else f"with {budget} tokens"
            self.lose("reasoning_effort", f"said as thinking {said}: Cohere has no levels of effort")
        return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}

    # tools

    def _tools(self) -> tuple[list[Tool], str | None]:
        """The tools to send, and the choice among them."""
        request = self.request
        choice = request.tool_choice or ToolChoice(kind="auto")
        if choice.custom:
            raise Unsupported("Cohere has no free-form tools; use a function", param="tool_choice")
        only = {choice.name} if choice.kind == "tool" else set(choice.names) if choice.kind == "allowed" else None
        tools = []
        for i, tool in enumerate(request.tools):
            path = f"tools[{i}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(
                    f"the tool {tool.name!r} is not a function: only the provider of {request.dialect} has it; "
                    "leave it out, or use a model of that provider",
                    param=path,
                )
            if only is not None and tool.name not in only:
                self.lose(path, "left out: not one of those that may be called")
                continue
            if tool.cache is not None:
                self.lose(f"{path}.cache_control", NO_MARKS)
            self.lose_native(tool.native, path)
            schema = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
            tools.append(Tool(name=tool.name, description=tool.description, schema=schema, strict=tool.strict))
        self.lose_native({key: value for key, value in choice.native.items() if key != "type"}, "tool_choice")
        forced = choice.kind in ("required", "tool") or (choice.kind == "allowed" and choice.mode == "required")
        if forced and not tools:
            raise Unsupported("there is no such tool to choose; send it in `tools`", param="tool_choice")
        if request.parallel_tool_calls is False and tools:
            self.lose("parallel_tool_calls", "Cohere's models may call several tools at once")
        if not tools:
            return tools, None
        return tools, "REQUIRED" if forced else "NONE" if choice.kind == "none" else None

    def _strict(self, tools: list[Tool]) -> bool | None:
        strict = [tool.strict is True for tool in tools]
        if not any(strict):
            return None
        # https://docs.cohere.com/docs/tool-use-parameter-types: every tool needs a required parameter then
        if all(strict) and all(tool.schema and tool.schema.get("required") for tool in tools):
            return True
        why = "Cohere is strict with all tools or with none, and only where each has a required parameter"
        for i, tool in enumerate(tools):
            if tool.strict:
                self.lose(f"tools[{i}].function.strict", why)
        return None

    # messages

    def _message(self, message: Message, path: str) -> None:
        if message.name is not None:
            self.lose(f"{path}.name", "Cohere's chat has no names of participants")
        if message.native.get("audio") is not None:
            raise Unsupported("Cohere takes no audio; send the text", param=f"{path}.audio")
        self.lose_native(message.native, path)
        if message.role == "assistant":
            self._assistant(message, path)
        else:
            self._turn(message, path)

    def _assistant(self, message: Message, path: str) -> None:
        thoughts: list[Fields] = []
        texts: list[str] = []
        calls: list[Fields] = []
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            self._lose_marks(part, where)
            match part:
                case Text(text=text) | Refusal(text=text):
                    if isinstance(part, Refusal):
                        self.lose(f"{where}.refusal", "written as text: Cohere's chat has no refusals")
                    texts += [text] if text else []
                case Thinking(redacted=None, signature=None | ""):
                    thoughts.append({"type": "thinking", "thinking": part.text})
                case Thinking():
                    self.lose(where, "thinking that another vendor signed")
                case ToolCall():
                    calls.append(self._call(part, where))
                case NativePart():
                    self.lose(where, f"only {part.dialect} knows it")
                case _:
                    raise Unsupported(f"Cohere's assistant speaks text only, not {type(part).__name__}", param=where)
        self._said(thoughts, texts, calls)

    def _said(self, thoughts: list[Fields], texts: list[str], calls: list[Fields]) -> None:
        """The assistant's message of these, if there are any."""
        entry: Fields = {"role": "assistant"}
        if len(texts) == 1 and not (calls or thoughts):
            entry["content"] = texts[0]
        else:
            content = thoughts + [{"type": "text", "text": text} for text in texts if not calls]
            if content:
                entry["content"] = content
        if calls:
            if texts:
                entry["tool_plan"] = "".join(texts)
            entry["tool_calls"] = calls
        if len(entry) > 1:
            self.entries.append(entry)

    def _call(self, call: ToolCall, path: str) -> Fields:
        if call.custom:
            raise Unsupported("Cohere has no free-form tools; use a function", param=path)
        return write_call(ToolCall(id=call.id, name=call.name, arguments=call.arguments or "{}"))

    def _turn(self, message: Message, path: str) -> None:
        """A system, user or tool message: the tool results first, then the rest as one message."""
        moved: list[Fields] = []
        content: list[Fields] = []
        role = "system" if message.role in ("system", "developer") else "user"
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            if isinstance(part, ToolResult):
                self.entries.append(self._result(part, where, moved))
                continue
            said = self._part(part, where)
            if role == "system" and said is not None and said["type"] != "text":
                raise Unsupported("Cohere's system prompt takes text only", param=where)
            content += [] if said is None else [said]
        content = moved + content
        if len(content) == 1 and content[0]["type"] == "text":
            self.entries.append({"role": role, "content": content[0]["text"]})
        elif content:
            self.entries.append({"role": role, "content": content})

    def _result(self, result: ToolResult, path: str, moved: list[Fields]) -> Fields:
        self._lose_marks(result, path)
        said: list[Fields] = []
        for i, part in enumerate(result.parts):
            where = f"{path}.content[{i}]"
            if isinstance(part, Document):
                self._lose_marks(part, where)
                said.append(write_part(self._plain(part, where)))
                continue
            entry = self._part(part, where)
            if entry is not None and entry["type"] == "image_url":
                moved += ({"type": "text", "text": f"From the result of tool call {result.id}:"}, entry)
                self.lose(where, "moved to the user message after the tool results: they hold only text")
            elif entry is not None:
                said.append(entry)
        if result.error:
            if said and said[0]["type"] == "text":
                said[0]["text"] = "Error: " + said[0]["text"]
            else:
                said.insert(0, {"type": "text", "text": "Error: "})
            self.lose(f"{path}.is_error", 'said as "Error: " at the start of the text')
        content: Any = said
        if len(said) == 1 and said[0]["type"] == "text":
            content = said[0]["text"]
        return {"role": "tool", "tool_call_id": result.id, "content": content or ""}

    def _lose_marks(self, part: Part, path: str) -> None:
        if part.cache is not None:
            self.lose(f"{path}.cache_control", NO_MARKS)
        if isinstance(part, Text) and part.citations:
            self.lose(f"{path}.citations", "citations of another vendor")
        self.lose_native(part.native, path)

    def _part(self, part: Part, path: str) -> Fields | None:
        """A part of a user's or system message or of a tool's result; None where it stands elsewhere."""
        self._lose_marks(part, path)
        match part:
            case Text(text=text) | Refusal(text=text) | Thinking(text=text):
                return {"type": "text", "text": text} if text else None
            case Image(source=Bytes() | Link()):
                return write_part(Image(source=part.source, detail=part.detail))
            case Image():
                raise Unsupported("Cohere cannot open another vendor's file; send its data", param=path)
            case Document():
                return self._document(self._plain(part, path), path)
            case NativePart(dialect=dialect, value=value):
                raise Unsupported(f"{value.get('type', 'this')!r} is known to {dialect} only; leave it out", param=path)
            case _:
                raise Unsupported(f"Cohere takes no {type(part).__name__.lower()}; send the text", param=path)

    def _document(self, part: Document, path: str) -> Fields | None:
        assert isinstance(part.source, PlainText)
        if part.citations:
            self.documents.append({"data": document_data(part.source.text, part.title)})
            self.lose(path, "said as one of `documents`: its place among the messages is lost")
            return None
        if part.title is not None:
            self.lose(f"{path}.title", "said as text, which has no title")
        return {"type": "text", "text": part.source.text}

    def _plain(self, part: Document, path: str) -> Document:
        """The document as text, without what this API has no field for."""
        if part.context is not None:
            self.lose(f"{path}.context", "Cohere's documents have none")
        media = (part.source.media_type or "") if isinstance(part.source, Bytes) else ""
        source = part.source
        if isinstance(source, Bytes) and media.startswith("text/"):
            source = PlainText(text=_text_of(source.base64, path))
        if not isinstance(source, PlainText):
            raise Unsupported("Cohere takes documents as text only; send the file's text", param=path)
        return Document(source=source, title=part.title, citations=part.citations)


def _text_of(data: str, place: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest("the data must be base64 of UTF-8 text", param=place) from None
