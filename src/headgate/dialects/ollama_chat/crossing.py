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

from headgate.core.chat import (
    Bytes,
    ChatRequest,
    Document,
    Image,
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
    ToolResult,
)
from headgate.core.errors import Unsupported
from headgate.dialects.fields import text_of
from headgate.dialects.ollama_chat.requests import Fields, write_shared, write_tool
from headgate.dialects.ollama_chat.words import object_of
from headgate.dialects.plain_crossing import PlainCrossing

LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""https://docs.ollama.com/capabilities/thinking"""


class Crossing(PlainCrossing):
    """Another dialect's request, said in this one."""

    vendor = api = "Ollama"
    caches = "keeps the last prompt by itself"

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        super().__init__(request, lost)
        self.tools: dict[str, str] = {}
        """The name of each call's tool."""

    def fields(self) -> Fields:
        request = self.request
        self.refuse_fields()
        self.lose_fields()
        if request.format is not None and request.format.kind != "text":
            self.lose_of_format(request.format)
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

    def _think(self, reasoning: Reasoning | None) -> bool | str | None:
        if reasoning is None:
            return None
        self.lose_of_reasoning(reasoning)
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
        for path, tool in self.functions(allowed):
            if tool.strict:
                self.lose(f"{path}.function.strict", "Ollama does not hold calls to their schema")
            tools.append(Tool(name=tool.name, description=tool.description, schema=tool.schema))
        return tools

    # messages

    def _message(self, message: Message, path: str) -> None:
        self.lose_of_message(message, path)
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
        thoughts, texts, found = self.spoken(message, path)
        calls = [self._call(call, where) for where, call in found]
        if not (thoughts or texts or calls):
            return
        entries: list[Fields] = [{"role": "assistant", "content": text} for text in texts or [""]]
        if thoughts:
            entries[0]["thinking"] = "".join(thoughts)
        if calls:
            entries[-1]["tool_calls"] = calls
        self.entries += entries

    def _call(self, call: ToolCall, path: str) -> Fields:
        arguments = object_of(call.arguments)
        if arguments is None:
            raise Unsupported(
                "the arguments must be the JSON text of an object; mend or leave out the call", param=path
            )
        self.tools[call.id] = call.name
        return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}

    def _result(self, result: ToolResult, path: str, images: list[str]) -> None:
        self.lose_marks(result, path)
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

    def _piece(self, part: Part, path: str, images: list[str]) -> str:
        """The text of a part of a user's or system message or of a tool's result; an image joins `images`."""
        self.lose_marks(part, path)
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
            case _:
                raise self.refused(part, path)

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
            return text_of(source.base64, path)
        raise Unsupported("Ollama takes documents as text only; send the file's text", param=path)
