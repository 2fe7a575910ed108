"""Says requests of other dialects in the Responses API; a part of the dialect `openai_responses`.

- Nothing is stored: `store` is false where the client did not say. Reasoning is asked for with its proof
  (`include: ["reasoning.encrypted_content"]`) where the client asks for reasoning, and with a summary where it is to be
  shown; models that do not reason refuse both.
- A leading system message that is text becomes `instructions`; later ones keep their place and role.
- A tool's results come before the rest of their turn; a failed one begins with "Error: ".
- Functions are strict by default here and nowhere else: `strict` is false where the client did not say.
- A thinking budget becomes an effort: up to 4,096 tokens low, up to 16,384 medium, above high.
- Fewer than 16 output tokens are refused by the API and said as 16.
- Left out and named: what samples otherwise (top_k, seed, penalties), cache marks, reasoning without this API's proof.
- Refused: stop sequences, several answers, files of another provider, tools another provider runs, audio, video.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from headgate.core.chat import (
    Audio,
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
    Stored,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from headgate.core.errors import Unsupported
from headgate.dialects.narrow_schemas import said_strictly
from headgate.dialects.openai_responses.own import (
    Fields,
    write_call,
    write_choice,
    write_format,
    write_part,
    write_thinking,
    write_tool,
)
from headgate.dialects.openai_responses.requests import LOGPROBS
from headgate.dialects.openai_responses.words import NAME

LOW, MEDIUM = 4096, 16_384
"""Thinking budgets (tokens) up to which the effort is low and medium."""
LEAST_OUTPUT = 16
LONGEST_USER = 64
ENCRYPTED = "reasoning.encrypted_content"
NO_FIELD = "the Responses API has no such field"
NO_MARKS = "not needed: OpenAI caches long prompts by itself"
_TIERS = {"standard_only": "default"}
_OWN_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_CARRIED = frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store"})
"""Fields of OpenAI's other APIs that are the same here."""
_MEANINGFUL = {
    "audio": "the Responses API gives no audio; ask for text only",
    "functions": "`functions` cannot stand beside `tools`; send all of them as `tools`",
    "function_call": "`function_call` cannot stand beside `tools`; send it as `tool_choice`",
    "web_search_options": "say the search as a tool of the Responses API, or leave it out",
    "mcp_servers": "the servers are called by the provider of the client's API; leave them out",
    "container": "the container is kept by the provider of the client's API; leave it out",
}


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.items: list[Fields] = []
        self.proven = False
        messages = request.messages
        self.offset = 1 if messages and messages[0].role == "system" else 0

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        fields: Fields = {"model": request.model}
        instructions = self._messages()
        if instructions is not None:
            fields["instructions"] = instructions
        fields["input"] = self.items
        self._put_tools(fields)
        self._put_text(fields)
        self._put_plain(fields)
        include = [LOGPROBS] if request.logprobs else []
        wanted = request.reasoning is not None and self._reasoning(request.reasoning, fields)
        if wanted or self.proven:
            include.append(ENCRYPTED)
        if include:
            fields["include"] = include
        fields.setdefault("store", False)
        if request.stream:
            fields["stream"] = True
        return fields

    def lose(self, path: str, why: str = NO_FIELD) -> None:
        self.lost.append(Loss(path, why))

    def lose_native(self, native: Native, path: str) -> None:
        for key, value in native.items():
            if value not in (None, {}, []):
                self.lose(f"{path}.{key}" if path else key)

    def _refuse(self) -> None:
        request = self.request
        if request.n is not None and request.n > 1:
            raise Unsupported("the Responses API gives one answer per request; send n requests instead", param="n")
        if request.stop:
            raise Unsupported(
                "the Responses API has no stop sequences; leave them out and cut the answer yourself, or use a model "
                "of a provider that has them",
                param="stop",
            )
        for key, value in request.native.items():
            if key in _MEANINGFUL and value is not None:
                raise Unsupported(_MEANINGFUL[key], param=key)
            if key == "modalities" and isinstance(value, list) and "audio" in value:
                raise Unsupported("the Responses API gives no audio; ask for text only", param=key)
        for name in ("top_k", "seed", "frequency_penalty", "presence_penalty"):
            if getattr(request, name):
                self.lose(name)
        if request.cache is not None:
            self.lose("cache_control", NO_MARKS)

    # messages

    def _messages(self) -> str | None:
        """Fills `items`; gives the instructions."""
        messages = self.request.messages
        instructions = None
        for place, message in enumerate(messages):
            path = f"messages[{place - self.offset}]" if place >= self.offset else "system"
            if message.name is not None:
                self.lose(f"{path}.name", "the Responses API has no names of participants")
            self.lose_native(message.native, path)
            if place == 0 and len(messages) > 1 and message.role in ("system", "developer") and _only_text(message):
                self._lose_marks(message.parts[0], path)
                instructions = message.parts[0].text  # type: ignore[attr-defined]
            elif message.role == "assistant":
                self._assistant(message, path, last=place == len(messages) - 1)
            else:
                self._turn(message, path)
        return instructions

    def _assistant(self, message: Message, path: str, *, last: bool) -> None:
        if last:
            raise Unsupported(
                "the last message is the assistant's, to be continued; the Responses API would answer it instead: end "
                "with a user message, or use a model of a provider that continues",
                param=path,
            )
        said: Fields | None = None
        for place, part in enumerate(message.parts):
            where = f"{path}.content[{place}]"
            self._lose_marks(part, where)
            if isinstance(part, Text):
                if part.citations:
                    self.lose(f"{where}.citations", "citations of another vendor")
                if said is None:
                    said = {"type": "message", "role": "assistant", "content": ""}
                    self.items.append(said)
                said["content"] += part.text
                continue
            items = len(self.items)
            self._spoken(part, where)
            if len(self.items) > items:
                said = None

    def _spoken(self, part: Part, where: str) -> None:
        match part:
            case Thinking(signature=str() as proof, signer=signer) if proof and signer == NAME:
                self.proven = True
                self.items.append(write_thinking(part))
            case Thinking():
                self.lose(where, "reasoning without a proof of OpenAI's")
            case ToolCall():
                if part.signature is not None:
                    self.lose(f"{where}.signature", "a proof that another vendor gave for a call")
                arguments = part.arguments if part.custom or part.arguments.strip() else "{}"
                self.items.append(write_call(msgspec.structs.replace(part, arguments=arguments)))
            case Refusal(text=text):  # only an item with an id may hold one
                head = {"type": "message", "id": f"msg_{len(self.items)}", "status": "completed"}
                self.items.append({**head, "role": "assistant", "content": [{"type": "refusal", "refusal": text}]})
            case NativePart(dialect=dialect):
                self.lose(where, f"only {dialect} knows it")
            case _:
                raise Unsupported(
                    f"a model's turn has only text, reasoning and calls here, not {type(part).__name__}", param=where
                )

    def _turn(self, message: Message, path: str) -> None:
        """A system, user or tool message: the tool results first, then the rest as one item."""
        content: list[Fields] = []
        within = path if path == "system" else f"{path}.content"
        for place, part in enumerate(message.parts):
            where = f"{within}[{place}]"
            self._lose_marks(part, where)
            if isinstance(part, ToolResult):
                self.items.append(self._result(part, where))
            else:
                content.append(self._part(part, where))
        if content or not message.parts:
            role = "user" if message.role == "tool" else message.role
            self.items.append({"type": "message", "role": role, "content": content})

    def _result(self, result: ToolResult, where: str) -> Fields:
        parts = []
        for place, part in enumerate(result.parts):
            self._lose_marks(part, f"{where}.content[{place}]")
            parts.append(self._part(part, f"{where}.content[{place}]"))
        if result.error:
            self.lose(f"{where}.is_error", 'said as "Error: " at the start of the text')
            if parts and parts[0]["type"] == "input_text":
                parts[0] = {**parts[0], "text": "Error: " + parts[0]["text"]}
            else:
                parts.insert(0, {"type": "input_text", "text": "Error: "})
        texts = [part["text"] for part in parts if part["type"] == "input_text"]
        plain = len(parts) == len(texts) <= 1
        output: Any = "".join(texts) if plain else parts
        return {"type": "function_call_output", "call_id": result.id, "output": output}

    def _part(self, part: Part, where: str) -> Fields:
        match part:
            case Image(source=Stored()) | Document(source=Stored()):
                raise Unsupported("a file id of another provider means nothing there; send the data", param=where)
            case Image(source=PlainText()):
                raise Unsupported("an image is given as base64 data or by URL", param=where)
            case Image(detail=None):
                part = msgspec.structs.replace(part, detail="auto")  # required here
            case Document():
                part = self._document(part, where)
            case Audio():
                raise Unsupported("the Responses API takes no audio; send the text", param=where)
            case NativePart(value=value):
                kind = value.get("type")
                raise Unsupported(f"the Responses API has no content of type {kind!r}; leave it out", param=where)
            case Refusal() | Thinking():
                part = Text(text=part.text)
        try:
            return write_part(msgspec.structs.replace(part, native={}, cache=None))
        except Unsupported as error:
            raise Unsupported(error.message, param=where) from None

    def _document(self, part: Document, where: str) -> Document:
        if part.context is not None:
            self.lose(f"{where}.context")
        if part.citations:
            self.lose(f"{where}.citations", "the Responses API does not cite documents given like this")
        if isinstance(part.source, PlainText):
            if part.title is not None:
                self.lose(f"{where}.title")
        elif isinstance(part.source, Bytes):
            media = part.source.media_type or "application/pdf"
            source = Bytes(base64=part.source.base64, media_type=media)
            return msgspec.structs.replace(part, source=source, title=part.title or "document.pdf")
        return part

    def _lose_marks(self, part: Part, where: str) -> None:
        if part.cache is not None:
            self.lose(f"{where}.cache_control", NO_MARKS)
        if not isinstance(part, NativePart):
            self.lose_native(part.native, where)

    # the rest

    def _put_tools(self, fields: Fields) -> None:
        request = self.request
        if request.tools:
            fields["tools"] = [self._tool(tool, f"tools[{place}]") for place, tool in enumerate(request.tools)]
            if request.parallel_tool_calls is not None:
                fields["parallel_tool_calls"] = request.parallel_tool_calls
        choice = request.tool_choice
        if choice is None or not request.tools:
            if choice is not None and choice.kind in ("required", "tool"):
                raise Unsupported("there are no tools to choose from; send `tools`", param="tool_choice")
            return
        written = write_choice(choice, {})
        if choice.kind == "allowed":
            custom = {tool["name"] for tool in fields["tools"] if tool["type"] == "custom"}
            written["tools"] = [
                {"type": "custom" if name in custom else "function", "name": name} for name in choice.names
            ]
        fields["tool_choice"] = written

    def _tool(self, tool: Tool, path: str) -> Fields:
        if tool.builtin is not None:
            inner = tool.builtin.get("custom")
            if tool.builtin.get("type") == "custom" and isinstance(inner, dict):
                return self._custom(inner, path)
            raise Unsupported(
                f"the tool {tool.name!r} is run or defined by the provider of {self.request.dialect}; leave it out, or "
                "use a model of that provider",
                param=path,
            )
        if tool.cache is not None:
            self.lose(f"{path}.cache_control", NO_MARKS)
        self.lose_native(tool.native, path)
        schema = {"type": "object", "properties": {}} if tool.schema is None else tool.schema
        said = msgspec.structs.replace(tool, schema=schema, strict=bool(tool.strict))
        return write_tool(said_strictly(said, path, self.lose), {})

    def _custom(self, inner: dict[str, Any], path: str) -> Fields:
        """A custom tool of Chat Completions, whose grammar stands one level deeper."""
        fields = {"type": "custom", **inner}
        form = inner.get("format")
        if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
            fields["format"] = {"type": "grammar", **form["grammar"]}
        return fields

    def _put_text(self, fields: Fields) -> None:
        form, text = self.request.format, {}
        if form is not None:
            self.lose_native(form.native, "")
            if form.kind == "schema":
                form = msgspec.structs.replace(
                    form, name=form.name or "response", schema=form.schema or {"type": "object"}
                )
                form = said_strictly(form, "response_format.json_schema", self.lose)
            text["format"] = write_format(form, {})
        if isinstance(self.request.native.get("verbosity"), str):
            text["verbosity"] = self.request.native["verbosity"]
        if text:
            fields["text"] = text

    def _put_plain(self, fields: Fields) -> None:
        request = self.request
        for name in ("temperature", "top_p"):
            if getattr(request, name) is not None:
                fields[name] = getattr(request, name)
        if request.logprobs and request.top_logprobs is not None:
            fields["top_logprobs"] = request.top_logprobs
        if request.max_tokens is not None:
            fields["max_output_tokens"] = max(request.max_tokens, LEAST_OUTPUT)
            if request.max_tokens < LEAST_OUTPUT:
                self.lose("max_tokens", f"set to {LEAST_OUTPUT}, the least the Responses API takes")
        if request.metadata:
            fields["metadata"] = request.metadata
        self._put_account(fields)

    def _put_account(self, fields: Fields) -> None:
        request = self.request
        if request.user is not None:
            fields["user"] = request.user
            if len(request.user) > LONGEST_USER:
                fields["user"] = hashlib.sha256(request.user.encode()).hexdigest()
                self.lose("user", f"longer than {LONGEST_USER} characters: its SHA-256 is sent instead")
        for key, value in request.native.items():
            if key in _CARRIED:
                fields[key] = value
            elif key != "verbosity" and not (key == "modalities" and value == ["text"]):
                self.lose_native({key: value}, "")
        tier = _TIERS.get(request.service_tier or "", request.service_tier)
        if tier in _OWN_TIERS:
            fields["service_tier"] = tier
        elif tier is not None:
            self.lose("service_tier", f"the Responses API has no tier {tier!r}")

    def _reasoning(self, reasoning: Reasoning, fields: Fields) -> bool:
        """Writes `reasoning`; gives whether the model will be asked to reason."""
        effort = reasoning.effort
        self.lose_native(reasoning.native, "reasoning")
        if reasoning.mode == "disabled":
            if effort != "none":
                effort = None
                self.lose("reasoning", "not every model can be told not to reason; its default stands")
        elif effort is None and reasoning.budget is not None:
            effort = "low" if reasoning.budget <= LOW else "medium" if reasoning.budget <= MEDIUM else "high"
            self.lose("reasoning.budget", f"said as the effort {effort}")
        wanted = effort not in (None, "none") or reasoning.mode in ("enabled", "adaptive")
        shown = reasoning.display == "summarized" or (reasoning.mode == "enabled" and reasoning.display is None)
        written = {} if effort is None else {"effort": effort}
        if wanted and shown:
            written["summary"] = "auto"
        if written:
            fields["reasoning"] = written
        return wanted


def _only_text(message: Message) -> bool:
    return len(message.parts) == 1 and isinstance(message.parts[0], Text)
