"""Requests of other dialects, said in the Messages API; a part of the dialect `anthropic_messages`.

How requests of other dialects are said here, beyond the obvious:

- `system` and `developer` messages before the first turn become the top-level `system`. Later ones keep their place
  for models that take them there (Claude 4.8 and newer), else they move to `system`, which is named as lost.
- Turns of one role in a row are merged; `tool` messages become tool_result blocks of one user turn. Text that is
  empty or only white space is left out, for the API refuses it.
- Images are JPEG, PNG, GIF or WebP; parameters of a media type are left out, and image/jpg is said as image/jpeg.
- `max_tokens` is required here: without one it is 4,096 and the thinking of the effort.
- Thinking and sampling: `dialects/claude.py`.
- `json_object` has no equivalent and is named as lost: OpenAI requires the prompt itself to ask for JSON, and an
  instruction of ours would change the prompt. A JSON schema becomes `output_config.format`, less what Claude cannot be
  held to (`narrow_schemas`); so do the schemas of strict tools.
- The tools of `allowed_tools` are the only ones sent.
- Ids of tool calls that break the API's pattern are written as `toolu_x` and their bytes in hex, everywhere alike.
- Refused, for leaving it out would change the meaning: n > 1, logprobs, audio, another vendor's file ids, custom
  (free-form) tools and foreign built-in tools, tool arguments in the history that are not a JSON object.
"""

from __future__ import annotations

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
    NativePart,
    Part,
    PlainText,
    Refusal,
    Source,
    Stored,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from headgate.core.errors import Unsupported
from headgate.dialects.anthropic_messages.requests import (
    Fields,
    answers_unsigned,
    write_block,
    write_choice,
    write_mark,
    write_tool,
)
from headgate.dialects.anthropic_messages.words import DIALECT, arguments_of
from headgate.dialects.claude import BUDGETS, Claude
from headgate.dialects.fields import text_of
from headgate.dialects.narrow_schemas import narrowed, narrowed_tool

DEFAULT_MAX_TOKENS = 4096
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""https://platform.claude.com/docs/en/build-with-claude/vision"""
SCHEMA = "response_format.json_schema.schema"
EMPTY: tuple[Any, ...] = (None, [], {})
_MEANINGFUL = {
    "audio": "Claude gives no audio; ask for text only",
    "functions": "`functions` cannot stand beside `tools`; send all of them as `tools`",
    "function_call": "`function_call` cannot stand beside `tools`; send it as `tool_choice`",
    "web_search_options": "Claude searches by a tool that Chat Completions has not; leave `web_search_options` out",
}
"""Fields of other dialects whose loss would change what is asked, and what to do about each."""

NO_FIELD = "the Messages API has no such field"
_ITS_OWN = "a field of the Messages API, which Chat Completions has not"
_WHY = {
    "max_tokens": "`max_completion_tokens` stands beside it, and counts",
    "metadata": "the Messages API keeps no metadata but the user",
    "tool_choice": "not a choice the Messages API knows",
    "response_format": "not a format the Messages API knows",
    "cache_control": "not a cache mark the Messages API knows",
    "reasoning": "thinking without Anthropic's signature",
    "reasoning_content": "thinking without Anthropic's signature",
    "reasoning_details": "thinking without Anthropic's signature",
    "thinking": "say it as `reasoning_effort`",
    **dict.fromkeys(("container", "context_management", "mcp_servers", "output_config", "stop_sequences"), _ITS_OWN),
}
"""Why a field is lost, where it is not for want of a field of this name."""
_HOLDERS = frozenset(
    {"file", "function", "image_url", "input_audio", "json_schema", "options", "stream_options", "video_url"}
)
"""Objects that are carried but for the fields named as native."""


class Crossing:
    """Another dialect's request, said in this one. Places are named as `messages[2].content[0]`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.claude = Claude(request, lost)
        self.turns: list[Fields] = []
        self.system: list[Fields] = []
        self.plain_system: str | None = None

    def fields(self) -> Fields:
        request = self.request
        self._refuse()
        self._messages()
        tools = self._tools()
        choice = self._tool_choice(bool(tools))
        fields: Fields = {"model": request.model}
        thinking, effort = self._reasoning(choice)
        budget = (thinking or {}).get("budget_tokens", 0 if effort is None else BUDGETS[effort])
        fields["max_tokens"] = DEFAULT_MAX_TOKENS + budget if request.max_tokens is None else request.max_tokens
        fields["messages"] = self.turns
        system = self.plain_system if self.plain_system is not None and len(self.system) == 1 else self.system
        config: Fields = {} if effort is None else {"effort": effort}
        form = self._format()
        if form is not None:
            config["format"] = form
        optional = {
            "system": system or None,
            "stream": request.stream or None,
            **self.claude.sampling(thinking is not None and thinking["type"] != "disabled"),
            "stop_sequences": self._stop() or None,
            "tools": tools or None,
            "tool_choice": choice,
            "thinking": thinking,
            "output_config": config or None,
            "metadata": None if request.user is None else {"user_id": request.user},
            "service_tier": self._service_tier(),
            "cache_control": write_mark(request.cache),
        }
        fields.update((key, value) for key, value in optional.items() if value is not None)
        return fields

    def lose(self, path: str, why: str) -> None:
        self.lost.append(Loss(path=path, why=why))

    def lose_native(self, path: str, value: Any) -> None:
        """A field that only the other dialect knows; of a known object, each of the fields that are not."""
        key = path.rpartition(".")[2]
        if key in _HOLDERS and isinstance(value, dict):
            for inner in value:
                self.lose(f"{path}.{inner}", NO_FIELD)
        elif value not in EMPTY:
            self.lose(path, _WHY.get(key, NO_FIELD))

    def _refuse(self) -> None:
        request = self.request
        if request.n is not None and request.n > 1:
            raise Unsupported("Claude gives one answer per request; send n requests instead", param="n")
        if request.logprobs:
            raise Unsupported("Claude gives no log probabilities; leave `logprobs` out", param="logprobs")
        for key in request.native:
            value = request.native[key]
            if key in _MEANINGFUL and value is not None:
                raise Unsupported(_MEANINGFUL[key], param=key)
            if key == "modalities":
                if isinstance(value, list) and "audio" in value:
                    raise Unsupported("Claude answers in text; ask for text only", param=key)
            else:
                self.lose_native(key, value)
        for key in ("seed", "frequency_penalty", "presence_penalty", "top_logprobs"):
            if getattr(request, key):
                self.lose(key, NO_FIELD)
        if request.metadata:
            self.lose("metadata", "the Messages API keeps no metadata but the user")

    # messages

    def _messages(self) -> None:
        messages = self.request.messages
        for i, message in enumerate(messages):
            path = f"messages[{i}]"
            if message.name is not None:
                self.lose(f"{path}.name", "the Messages API has no names of participants")
            for key, value in message.native.items():
                if key == "audio" and value is not None:
                    raise Unsupported("Claude takes no audio; send the text", param=f"{path}.audio")
                self.lose_native(f"{path}.{key}", value)
            blocks = self._blocks(message.parts, path, message.role)
            if message.role in ("system", "developer"):
                self._put_system(i, message, blocks)
            elif blocks:
                role = "assistant" if message.role == "assistant" else "user"
                self._put_turn(
                    role, blocks, message.plain and len(blocks) == 1 and blocks[0].keys() == {"type", "text"}
                )
        if self.turns and self.turns[-1]["role"] == "assistant":
            self._trim_prefill(self.turns[-1])
        if not self.turns:
            raise Unsupported(
                "the Messages API needs at least one user message; send the prompt as one", param="messages"
            )

    def _put_turn(self, role: str, blocks: list[Fields], plain: bool) -> None:
        if self.turns and self.turns[-1]["role"] == role:
            before = self.turns[-1]
            if isinstance(before["content"], str):
                before["content"] = [{"type": "text", "text": before["content"]}]
            before["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks[0]["text"] if plain else blocks})

    def _put_system(self, i: int, message: Message, blocks: list[Fields]) -> None:
        if not blocks:
            return
        if not self.turns:
            self.plain_system = blocks[0]["text"] if message.plain and "cache_control" not in blocks[0] else None
            self.system += blocks
            return
        later = [turn.role for turn in self.request.messages[i + 1 :] if turn.role not in ("system", "developer")]
        # https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
        placed = self.turns[-1]["role"] in ("user", "system") and (not later or later[0] == "assistant")
        if self.claude.version >= (4, 8) and placed:
            self._put_turn("system", blocks, plain=False)
            return
        self.system += blocks
        self.lose(f"messages[{i}].role", "moved to the top-level system prompt: its place in the conversation is lost")

    def _trim_prefill(self, turn: Fields) -> None:
        """The API refuses an answer to go on from that ends in white space."""
        if isinstance(turn["content"], str):
            turn["content"] = turn["content"].rstrip()
        elif turn["content"][-1]["type"] == "text":
            turn["content"][-1]["text"] = turn["content"][-1]["text"].rstrip()
            if not turn["content"][-1]["text"]:
                turn["content"].pop()
        if not turn["content"]:
            self.turns.pop()

    def _blocks(self, parts: list[Part], path: str, role: str) -> list[Fields]:
        blocks = []
        calls = contents = 0
        for part in parts:
            if isinstance(part, ToolCall):
                place, calls = f"{path}.tool_calls[{calls}]", calls + 1
            elif isinstance(part, ToolResult):
                place = path
            elif isinstance(part, Thinking):
                place = f"{path}.reasoning_content"
            else:
                place, contents = f"{path}.content[{contents}]", contents + 1
            if self._carried(part, place):
                if role in ("system", "developer") and not isinstance(part, Text):
                    raise Unsupported("a system prompt takes text only", param=place)
                blocks.append(write_block(self._adapted(part, place)))
        return blocks

    def _carried(self, part: Part, place: str) -> bool:
        """Whether there is a block for this part; names what goes, refuses what may not go."""
        for key, value in part.native.items():
            self.lose_native(f"{place}.{key}", value)
        match part:
            case Text(text=text, citations=citations):
                if citations:
                    self.lose(f"{place}.annotations", "citations of another vendor")
                return bool(text.strip())
            case Refusal(text=text):
                self.lose(f"{place}.refusal", "written as text: the Messages API has no refusal content")
                return bool(text.strip())
            case Thinking(signature=None | "", redacted=None):
                self.lose(place, "thinking without Anthropic's signature")
                return False
            case Thinking(signer=signer) if signer != DIALECT:
                self.lose(place, "thinking that another vendor signed")
                return False
            case NativePart(dialect=dialect, value=value):
                if dialect != DIALECT:
                    kind = value.get("type", "this content")
                    raise Unsupported(f"{kind} is known to {dialect} only; leave it out", param=place)
            case Audio() | Video():
                kind, field = ("audio", ".input_audio") if isinstance(part, Audio) else ("videos", "")
                raise Unsupported(f"Claude takes no {kind}; send the text", param=place + field)
            case ToolCall():
                self._check_call(part, place)
            case Image(detail=detail) if detail not in (None, "auto"):
                self.lose(f"{place}.image_url.detail", "the Messages API has no detail of images")
        return True

    def _check_call(self, call: ToolCall, place: str) -> None:
        if call.signature:
            self.lose(f"{place}.thought_signature", "the proof of another vendor's model")
        if call.custom:
            raise Unsupported("the Messages API has no free-form tools; use a function", param=place)
        if call.arguments.strip() and arguments_of(call.arguments) is None:
            where = f"{place}.function.arguments"
            raise Unsupported(
                "the arguments must be the JSON text of an object; mend or leave out the call", param=where
            )

    def _adapted(self, part: Part, place: str) -> Part:
        """The part without what only its own vendor can read, its data in the form this API takes."""
        match part:
            case Image(source=source) | Document(source=source):
                source = self._adapted_source(part, source, place)
                part = msgspec.structs.replace(part, source=source, native={})
            case ToolResult(parts=parts):
                inner = [piece for j, piece in enumerate(parts) if self._carried(piece, f"{place}.content[{j}]")]
                inner = [self._adapted(piece, f"{place}.content[{j}]") for j, piece in enumerate(inner)]
                plain = len(inner) == 1 and isinstance(inner[0], Text) and inner[0].cache is None
                part = msgspec.structs.replace(part, parts=inner, plain=plain, native={})
            case Text():
                part = msgspec.structs.replace(part, citations=[], native={})
            case _:
                part = msgspec.structs.replace(part, native={})
        return part

    def _adapted_source(self, part: Part, source: Source, place: str) -> Source:
        if isinstance(source, Stored):
            where = f"{place}.file.file_id"
            raise Unsupported("Anthropic cannot open another vendor's file; send its data", param=where)
        if isinstance(source, Link) and source.url[:5].lower() == "data:":
            raise Unsupported("a data: URL must say its media type and `;base64,` before its data", param=place)
        if not isinstance(source, Bytes):
            return source
        media_type = (source.media_type or "").partition(";")[0].strip().lower()
        if isinstance(part, Document):
            if media_type in ("", "application/pdf"):
                return Bytes(base64=source.base64, media_type="application/pdf")
            if media_type.startswith("text/"):
                return PlainText(text=text_of(source.base64, place))
            raise Unsupported(f"documents may be PDF or text, not {media_type}", param=place)
        if not media_type:
            raise Unsupported("the image's media type is missing; send a data: URL with one", param=place)
        media_type = "image/jpeg" if media_type == "image/jpg" else media_type
        if media_type not in IMAGES:
            raise Unsupported(f"images may be JPEG, PNG, GIF or WebP, not {media_type}", param=place)
        return Bytes(base64=source.base64, media_type=media_type)

    # the rest

    def _tools(self) -> list[Fields]:
        choice = self.request.tool_choice
        allowed = set(choice.names) if choice is not None and choice.kind == "allowed" else None
        tools = []
        for i, tool in enumerate(self.request.tools):
            path = f"tools[{i}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(f"{tool.name} is not a function; Claude cannot call it", param=path)
            if allowed is not None and tool.name not in allowed:
                self.lose(path, "left out: not one of the allowed tools")
                continue
            for key, value in tool.native.items():
                self.lose_native(f"{path}.{key}", value)
            schema = tool.schema
            if schema is not None and "type" not in schema:
                schema = {"type": "object", **schema}
            said = msgspec.structs.replace(tool, schema=schema, native={})
            tools.append(write_tool(narrowed_tool(said, path, self.lose)))
        return tools

    def _tool_choice(self, tools: bool) -> Fields | None:
        choice, parallel = self.request.tool_choice, self.request.parallel_tool_calls
        if choice is not None and choice.custom:
            raise Unsupported("the Messages API has no free-form tools", param="tool_choice")
        if not tools:
            if choice is not None and choice.kind in ("required", "tool"):
                raise Unsupported("there are no tools to choose from; send `tools`", param="tool_choice")
            return None
        for key in choice.native if choice is not None else ():
            if key != "type":  # another word for the same choice
                self.lose(f"tool_choice.{key}", NO_FIELD)
        if choice is not None and choice.native:
            choice = msgspec.structs.replace(choice, native={})
        return write_choice(choice, False if parallel is False else None)

    def _format(self) -> Fields | None:
        form = self.request.format
        if form is None or form.kind == "text":
            return None
        if form.kind == "json":
            self.lose("response_format", "Claude has no JSON mode without a schema: it is led by the prompt alone")
            return None
        for key in ("name", "description"):
            if getattr(form, key) is not None:
                self.lose(f"response_format.json_schema.{key}", "the Messages API names no schemas")
        if form.strict is not True:
            self.lose("response_format.json_schema.strict", "Claude keeps to every schema strictly")
        for key, value in form.native.items():
            self.lose_native(f"response_format.{key}", value)
        return {"type": "json_schema", "schema": narrowed(form.schema or {"type": "object"}, SCHEMA, self.lose)}

    def _reasoning(self, choice: Fields | None) -> tuple[Fields | None, str | None]:
        """What to write as `thinking` and as `output_config.effort`."""
        reasoning = self.request.reasoning
        for key in reasoning.native if reasoning is not None else ():
            self.lose(f"reasoning.{key}", NO_FIELD)
        forced = choice is not None and choice["type"] in ("any", "tool")
        return self.claude.reasoning(forced=forced, answers_unsigned=lambda: answers_unsigned(self.turns))

    def _stop(self) -> list[str]:
        for i, sequence in enumerate(self.request.stop):
            if not sequence.strip():
                self.lose(f"stop[{i}]", "the Messages API takes no stop sequence of white space")
        return [sequence for sequence in self.request.stop if sequence.strip()]

    def _service_tier(self) -> str | None:
        tier = self.request.service_tier
        if tier in (None, "auto", "standard_only"):
            return tier
        if tier == "default":
            return "standard_only"
        self.lose("service_tier", "the Messages API knows auto and standard only")
        return None
