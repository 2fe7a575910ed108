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

from typing import Any

from headgate.core.chat import (
    Bytes,
    ChatRequest,
    Document,
    Image,
    Link,
    Loss,
    Message,
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
from headgate.core.errors import Unsupported
from headgate.dialects.cohere_chat.requests import (
    Fields,
    document_data,
    same_fields,
    write_call,
    write_format,
    write_part,
    write_tool,
)
from headgate.dialects.fields import text_of
from headgate.dialects.plain_crossing import PlainCrossing

BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192}
"""Tokens of thinking for an effort; above medium the model decides."""
BOUNDS = {"p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0.0, 1.0), "presence_penalty": (0.0, 1.0)}
"""https://docs.cohere.com/reference/chat"""
NAMES = {"p": "top_p", "k": "top_k"}
MOST_STOPS = 5


class Crossing(PlainCrossing):
    """Another dialect's request, said in this one."""

    vendor = "Cohere"
    api = "Cohere's chat"
    caches = "caches by itself"

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        super().__init__(request, lost)
        self.documents: list[Fields] = []

    def fields(self) -> Fields:
        request = self.request
        self.refuse_fields()
        if len(request.stop) > MOST_STOPS:
            raise Unsupported(f"Cohere takes up to 5 stop sequences, not {len(request.stop)}", param="stop")
        self.lose_fields()
        if request.top_logprobs:
            self.lose("top_logprobs", "Cohere tells of the tokens it chose only")
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
        self.lose_of_format(form)
        form = type(form)(kind=form.kind, schema=form.schema)
        return write_format(form)

    def _thinking(self, reasoning: Reasoning | None) -> Fields | None:
        if reasoning is None:
            return None
        self.lose_of_reasoning(reasoning)
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
        only = {choice.name or ""} if choice.kind == "tool" else set(choice.names) if choice.kind == "allowed" else None
        tools = []
        for _, tool in self.functions(only):
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
        self.lose_of_message(message, path)
        if message.role == "assistant":
            self._assistant(message, path)
        else:
            self._turn(message, path)

    def _assistant(self, message: Message, path: str) -> None:
        thoughts, texts, calls = self.spoken(message, path)
        said: list[Fields] = [{"type": "thinking", "thinking": text} for text in thoughts]
        self._said(said, texts, [self._call(call) for _, call in calls])

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

    def _call(self, call: ToolCall) -> Fields:
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
        self.lose_marks(result, path)
        said: list[Fields] = []
        for i, part in enumerate(result.parts):
            where = f"{path}.content[{i}]"
            if isinstance(part, Document):
                self.lose_marks(part, where)
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

    def _part(self, part: Part, path: str) -> Fields | None:
        """A part of a user's or system message or of a tool's result; None where it stands elsewhere."""
        self.lose_marks(part, path)
        match part:
            case Text(text=text) | Refusal(text=text) | Thinking(text=text):
                return {"type": "text", "text": text} if text else None
            case Image(source=Bytes() | Link()):
                return write_part(Image(source=part.source, detail=part.detail))
            case Image():
                raise Unsupported("Cohere cannot open another vendor's file; send its data", param=path)
            case Document():
                return self._document(self._plain(part, path), path)
            case _:
                raise self.refused(part, path)

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
            source = PlainText(text=text_of(source.base64, path))
        if not isinstance(source, PlainText):
            raise Unsupported("Cohere takes documents as text only; send the file's text", param=path)
        return Document(source=source, title=part.title, citations=part.citations)
