"""What requests of other dialects lose, or are refused for, alike at the APIs that take text, images and functions."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any, ClassVar

from headgate.core.chat import (
    ChatRequest,
    Loss,
    Message,
    Native,
    NativePart,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
)
from headgate.core.errors import Unsupported

Fields = dict[str, Any]
_MEANINGFUL = frozenset({"mcp_servers", "container", "audio", "web_search_options", "functions", "function_call"})
"""Fields of other dialects without which a request would mean something else."""
_HOLDERS = frozenset(
    {"file", "function", "image_url", "input_audio", "json_schema", "metadata", "options", "output_config"}
    | {"output_format", "source", "stream_options", "thinking", "video_url"}
)
"""Objects that are carried but for the fields named as native."""
_EMPTY: tuple[Any, ...] = (None, [], {})


class PlainCrossing:
    """Another dialect's request, said in a plainer one. Places are named as `messages[2].content[0]`."""

    vendor: ClassVar[str]
    api: ClassVar[str]
    """What has no such field, as a sentence names it."""
    caches: ClassVar[str]
    """What it does without marks of what to cache."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.entries: list[Fields] = []

    def lose(self, path: str, why: str | None = None) -> None:
        self.lost.append(Loss(path, why or f"{self.api} has no such field"))

    def lose_native(self, native: Native, path: str) -> None:
        """What only the other dialect knows; of an object that is carried, each of the fields that are not."""
        for key, value in native.items():
            where = f"{path}.{key}" if path else key
            if key in _HOLDERS and isinstance(value, dict):
                self.lose_native(value, where)
            elif value not in _EMPTY:
                self.lose(where, self._no_marks() if key == "cache_control" else None)

    def lose_marks(self, part: Part, path: str) -> None:
        """What surrounds a part's content."""
        if part.cache is not None:
            self.lose(f"{path}.cache_control", self._no_marks())
        if isinstance(part, Text) and part.citations:
            self.lose(f"{path}.citations", "citations of another vendor")
        self.lose_native(part.native, path)

    def _no_marks(self) -> str:
        return f"{self.api} has no cache marks: it {self.caches}"

    # the whole request

    def refuse_fields(self) -> None:
        """Raises Unsupported for what must not be left out."""
        request = self.request
        if request.n is not None and request.n > 1:
            raise Unsupported(f"{self.vendor} gives one answer per request; send n requests instead", param="n")
        for key, value in request.native.items():
            if key in _MEANINGFUL and value not in _EMPTY:
                raise Unsupported(
                    f"{self.api} has no `{key}`; leave it out, or use a model of a provider that has", param=key
                )
            if key == "modalities" and isinstance(value, list) and value != ["text"]:
                raise Unsupported(f"{self.vendor} answers in text; ask for text only", param=key)

    def lose_fields(self) -> None:
        request = self.request
        self.lose_native({key: value for key, value in request.native.items() if key != "modalities"}, "")
        for name in ("user", "metadata", "service_tier"):
            if getattr(request, name) not in _EMPTY:
                self.lose(name)
        if request.cache is not None:
            self.lose("cache_control", self._no_marks())

    def lose_of_format(self, form: ResponseFormat) -> None:
        for key in ("name", "description"):
            if getattr(form, key) is not None:
                self.lose(f"response_format.json_schema.{key}", f"{self.vendor} names no schemas")
        if form.kind == "schema" and form.strict is False:
            self.lose("response_format.json_schema.strict", f"{self.vendor} keeps to every schema strictly")
        self.lose_native(form.native, "response_format")

    def lose_of_reasoning(self, reasoning: Reasoning) -> None:
        self.lose_native(reasoning.native, "")
        if reasoning.display is not None:
            self.lose("thinking.display")

    def functions(self, only: Set[str] | None) -> Iterator[tuple[str, Tool]]:
        """The tools that may be called, with their places. Raises Unsupported for one that is no function."""
        for i, tool in enumerate(self.request.tools):
            path = f"tools[{i}]"
            if tool.builtin is not None or "custom" in tool.native:
                raise Unsupported(
                    f"the tool {tool.name!r} is not a function: only the provider of {self.request.dialect} has it; "
                    "leave it out, or use a model of that provider",
                    param=path,
                )
            if only is not None and tool.name not in only:
                self.lose(path, "left out: not one of those that may be called")
                continue
            if tool.cache is not None:
                self.lose(f"{path}.cache_control", self._no_marks())
            self.lose_native(tool.native, path)
            yield path, tool

    # messages

    def lose_of_message(self, message: Message, path: str) -> None:
        """Raises Unsupported for audio."""
        if message.name is not None:
            self.lose(f"{path}.name", f"{self.api} has no names of participants")
        if message.native.get("audio") is not None:
            raise Unsupported(f"{self.vendor} takes no audio; send the text", param=f"{path}.audio")
        self.lose_native(message.native, path)

    def spoken(self, message: Message, path: str) -> tuple[list[str], list[str], list[tuple[str, ToolCall]]]:
        """Thoughts, texts and calls (with their places) of the assistant. Raises Unsupported for anything else."""
        thoughts: list[str] = []
        texts: list[str] = []
        calls: list[tuple[str, ToolCall]] = []
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            self.lose_marks(part, where)
            match part:
                case Text(text=text) | Refusal(text=text):
                    if isinstance(part, Refusal):
                        self.lose(f"{where}.refusal", f"written as text: {self.api} has no refusals")
                    texts += [text] if text else []
                case Thinking(redacted=None, signature=None | ""):
                    thoughts.append(part.text)
                case Thinking():
                    self.lose(where, "thinking that another vendor signed")
                case ToolCall():
                    if part.custom:
                        raise Unsupported(f"{self.vendor} has no free-form tools; use a function", param=where)
                    calls.append((where, part))
                case NativePart():
                    self.lose(where, f"only {part.dialect} knows it")
                case _:
                    what = type(part).__name__
                    raise Unsupported(f"{self.vendor}'s assistant speaks text only, not {what}", param=where)
        return thoughts, texts, calls

    def refused(self, part: Part, path: str) -> Unsupported:
        """For a part of a user's message that cannot be said."""
        if isinstance(part, NativePart):
            what = part.value.get("type", "this")
            return Unsupported(f"{what!r} is known to {part.dialect} only; leave it out", param=path)
        return Unsupported(f"{self.vendor} takes no {type(part).__name__.lower()}; send the text", param=path)
