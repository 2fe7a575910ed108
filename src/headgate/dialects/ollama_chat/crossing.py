"""Requests of other dialects, said to Ollama; a part of `ollama_chat`.

How requests of other dialects are said here, beyond the obvious:

- A message holds one text: each piece of text becomes a message of its own, with the images before it, as in Ollama's
  own OpenAI-compatible API. Results of tools become `tool` messages, which name their tool.
- There is no choice of tools: `none` sends no tools, of `allowed_tools` in the mode auto only these are sent.
- An effort becomes the level `think`, of low, medium and high; none becomes false, a budget of thinking true.
- Thinking in the history that no vendor signed goes along; signed thinking is another vendor's.
- Refused, for leaving it out would change the meaning: a tool that must be called, n > 1, images by URL, audio, video,
  files, free-form and foreign built-in tools, tool arguments that are no JSON object, and `MEANINGFUL` fields.
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
    ToolResult,
)
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.dialects.ollama_chat.requests import Fields, write_shared, write_tool
from headgate.dialects.ollama_chat.words import object_of

LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""https://docs.ollama.com/capabilities/thinking"""
MEANINGFUL = frozenset({"mcp_servers", "container", "audio", "web_search_options", "functions", "function_call"})
"""Fields of other dialects without which a request would mean something else."""
NO_FIELD = "Ollama has no such field"
NO_MARKS = "Ollama has no cache marks: it keeps the last prompt by itself"
EMPTY: tuple[Any, ...] = (None, [], {})
_HOLDERS = frozenset(
    {"file", "function", "image_url", "input_audio", "json_schema", "metadata", "output_config", "output_format"}
    | {"source", "stream_options", "thinking", "video_url"}
)
"""Objects that are carried but for the fields named as native."""


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.entries: list[Fields] = []
        self.tools: dict[str, str] = {}
        """The name of each call's tool."""

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        self._lose_fields()
        for i, message in enumerate(request.messages):
            self._message(message, f"messages[{i}]")
        fields: Fields = {"model": request.model, "messages": self.entries}
        tools = [write_tool(tool) for tool in self._tools()]
        if tools:
            fields["tools"] = tools
        fields.update(write_shared(request))
        fields["stream"] = request.stream
        fields.pop("think", None)
        think = self._think(request.reasoning)
        if think is not None:
            fields["think"] = think
        if "format" in fields and request.format is not None and request.format.kind == "text":
            del fields["format"]
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
            raise Unsupported("Ollama gives one answer per request; send n requests instead", param="n")
        for key, value in request.native.items():
            if key in MEANINGFUL and value not in EMPTY:
                raise Unsupported(
                    f"Ollama has no `{key}`; leave it out, or use a model of a provider that has", param=key
                )
            if key == "modalities" and isinstance(value, list) and value != ["text"]:
                raise Unsupported("Ollama answers in text; ask for text only", param=key)

    def _lose_fields(self) -> None:
        request = self.request
        self.lose_native({key: value for key, value in request.native.items() if key != "modalities"}, "")
        for name in ("user", "service_tier"):
            if getattr(request, name) is not None:
                self.lose(name)
        if request.metadata:
            self.lose("metadata")
        if request.cache is not None:
            self.lose("cache_control", NO_MARKS)
        form = request.format
        if form is None or form.kind == "text":
            return
        for key in ("name", "description"):
            if getattr(form, key) is not None:
                self.lose(f"response_format.json_schema.{key}", "Ollama names no schemas")
        if form.kind == "schema" and form.strict is False:
            self.lose("response_format.json_schema.strict", "Ollama keeps to every schema strictly")
        self.lose_native(form.native, "response_format")

    def _think(self, reasoning: Reasoning | None) -> bool | str | None:
        if reasoning is None:
            return None
        self.lose_native(reasoning.native, "")
        if reasoning.display is not None:
            self.lose("thinking.display")
        effort = reasoning.effort
        if effort == "none" or reasoning.mode == "disabled":
            return False
        if effort is not None:
            level = LEVELS.get(effort, "high")
            if level != effort:
                self.lose("reasoning_effort", f"said as {level}: Ollama knows low, medium and high")
            return level
        if reasoning.budget is not None:
            self.lose("thinking.budget_tokens", "said as think: Ollama has no budgets of thinking")
        return True if reasoning.budget is not None or reasoning.mode is not None else None

    def _tools(self) -> list[Tool]:
        request, choice = self.request, self.request.tool_choice
        allowed = None
        if choice is not None:
            self.lose_native({key: value for key, value in choice.native.items() if key != "type"}, "tool_choice")
            if choice.kind in ("required", "tool") or (choice.kind == "allowed" and choice.mode == "required"):
                raise Unsupported(
                    "Ollama's models cannot be made to call a tool; leave `tool_choice` out, or ask for a format",
                    param="tool_choice",
                )
            allowed = set(choice.names) if choice.kind == "allowed" else set() if choice.kind == "none" else None
        if request.parallel_tool_calls is False and request.tools:
            self.lose("parallel_tool_calls", "Ollama's models may call several tools at once")
        tools = []
        for i, tool in enumerate(request.tools):
            path = f"tools[{i}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(
                    f"the tool {tool.name!r} is not a function: only the provider of {request.dialect} has it; "
                    "leave it out, or use a model of that provider",
                    param=path,
                )
            if allowed is not None and tool.name not in allowed:
                self.lose(path, "left out: not one of those that may be called")
                continue
            if tool.cache is not None:
                self.lose(f"{path}.cache_control", NO_MARKS)
            if tool.strict:
                self.lose(f"{path}.function.strict", "Ollama does not hold calls to their schema")
            self.lose_native(tool.native, path)
            tools.append(Tool(name=tool.name, description=tool.description, schema=tool.schema))
        return tools

    # messages

    def _message(self, message: Message, path: str) -> None:
        if message.name is not None:
            self.lose(f"{path}.name", "Ollama has no names of participants")
        if message.native.get("audio") is not None:
            raise Unsupported("Ollama takes no audio; send the text", param=f"{path}.audio")
        self.lose_native(message.native, path)
        if message.role == "assistant":
            self._assistant(message, path)
            return
        images: list[str] = []
        role = "system" if message.role in ("system", "developer") else "user"
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            if isinstance(part, ToolResult):
                self._result(part, where, images)
                continue
            text = self._piece(part, where, images)
            if images and role == "system":
                raise Unsupported("Ollama's system prompt takes text only", param=where)
            if text:
                self._put(role, text, images)
                images = []
        if images:
            self._put(role, "", images)

    def _put(self, role: str, text: str, images: list[str]) -> None:
        entry: Fields = {"role": role, "content": text}
        if images:
            entry["images"] = images
        self.entries.append(entry)

    def _assistant(self, message: Message, path: str) -> None:
        thoughts: list[str] = []
        texts: list[str] = []
        calls: list[Fields] = []
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            self._lose_marks(part, where)
            match part:
                case Text(text=text) | Refusal(text=text):
                    if isinstance(part, Refusal):
                        self.lose(f"{where}.refusal", "written as text: Ollama has no refusals")
                    texts += [text] if text else []
                case Thinking(redacted=None, signature=None | ""):
                    thoughts.append(part.text)
                case Thinking():
                    self.lose(where, "thinking that another vendor signed")
                case ToolCall():
                    calls.append(self._call(part, where))
                case NativePart():
                    self.lose(where, f"only {part.dialect} knows it")
                case _:
                    raise Unsupported(f"Ollama's assistant speaks text only, not {type(part).__name__}", param=where)
        if not (thoughts or texts or calls):
            return
        entries: list[Fields] = [{"role": "assistant", "content": text} for text in texts or [""]]
        if thoughts:
            entries[0]["thinking"] = "".join(thoughts)
        if calls:
            entries[-1]["tool_calls"] = calls
        self.entries += entries

    def _call(self, call: ToolCall, path: str) -> Fields:
        if call.custom:
            raise Unsupported("Ollama has no free-form tools; use a function", param=path)
        arguments = object_of(call.arguments)
        if arguments is None:
            raise Unsupported(
                "the arguments must be the JSON text of an object; mend or leave out the call", param=path
            )
        self.tools[call.id] = call.name
        return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}

    def _result(self, result: ToolResult, path: str, images: list[str]) -> None:
        self._lose_marks(result, path)
        texts = []
        for i, part in enumerate(result.parts):
            where = f"{path}.content[{i}]"
            before = len(images)
            text = self._piece(part, where, images)
            if len(images) > before:
                self.lose(where, "moved to the user message after the tool results")
            texts += [text] if text else []
        if result.error:
            texts[:1] = ["Error: " + "".join(texts[:1])]
            self.lose(f"{path}.is_error", 'said as "Error: " at the start of the text')
        if len(texts) > 1:
            self.lose(f"{path}.content", "its pieces are said as one text, apart by blank lines")
        entry: Fields = {"role": "tool", "content": "\n\n".join(texts)}
        if result.id in self.tools:
            entry["tool_name"] = self.tools[result.id]
        entry["tool_call_id"] = result.id
        self.entries.append(entry)

    def _lose_marks(self, part: Part, path: str) -> None:
        if part.cache is not None:
            self.lose(f"{path}.cache_control", NO_MARKS)
        if isinstance(part, Text) and part.citations:
            self.lose(f"{path}.citations", "citations of another vendor")
        self.lose_native(part.native, path)

    def _piece(self, part: Part, path: str, images: list[str]) -> str:
        """The text of a part of a user's or system message or of a tool's result; an image joins `images`."""
        self._lose_marks(part, path)
        match part:
            case Text(text=text) | Refusal(text=text) | Thinking(text=text):
                return text
            case Image(source=Bytes(base64=data)):
                if part.detail not in (None, "auto"):
                    self.lose(f"{path}.image_url.detail", "Ollama has no detail of images")
                images.append(data)
                return ""
            case Image():
                raise Unsupported("Ollama takes images as base64 data only, and fetches none", param=path)
            case Document():
                return self._document(part, path)
            case NativePart(dialect=dialect, value=value):
                raise Unsupported(f"{value.get('type', 'this')!r} is known to {dialect} only; leave it out", param=path)
            case _:
                raise Unsupported(f"Ollama takes no {type(part).__name__.lower()}; send the text", param=path)

    def _document(self, part: Document, path: str) -> str:
        for name in ("title", "context"):
            if getattr(part, name) is not None:
                self.lose(f"{path}.{name}", "said as text, which has none")
        if part.citations:
            self.lose(f"{path}.citations", "Ollama does not cite documents")
        source = part.source
        if isinstance(source, PlainText):
            return source.text
        if isinstance(source, Bytes) and (source.media_type or "").startswith("text/"):
            return _text_of(source.base64, path)
        raise Unsupported("Ollama takes documents as text only; send the file's text", param=path)


def _text_of(data: str, place: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest("the data must be base64 of UTF-8 text", param=place) from None
