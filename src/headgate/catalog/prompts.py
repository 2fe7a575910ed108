"""How many tokens a chat request has: for OpenAI's models by the rules OpenAI gives, for all others an estimate.

The rules: sections 6 and 7 of https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken. For messages of
text to the models they are about they agree with what the API bills. That for functions comes near it, and so does the
one for messages with models that reason. All else (pictures, calls in a conversation, schemas with objects in them)
they do not speak of. All that is called an estimate; what cannot even be estimated is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.catalog import tokens
from headgate.core.chat import (
    ChatRequest,
    Document,
    Image,
    Loss,
    Message,
    Part,
    PlainText,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from headgate.core.tokens import BareText, TokenCount

ESTIMATE = "estimate"
PER_MESSAGE, PER_NAME, REPLY = 3, 1, 3
"""Tokens around a message, for a participant's name, and with which the answer begins."""
PER_FUNCTION = {"o200k_base": 7, "cl100k_base": 10}
PROPERTIES, PER_PROPERTY, ENUM, PER_VALUE, FUNCTIONS_END = 3, 3, -3, 3, 12
PICTURE = 765
"""Of 1024 by 1024 pixels: https://platform.openai.com/docs/guides/images-vision#calculating-costs"""
HARMONY = 60
"""Of the system message that gpt-oss's template begins with: https://cookbook.openai.com/articles/openai-harmony"""
_RULED = re.compile(r"(?:gpt-3\.?5|gpt-4|chatgpt-4o)(?!.*(?:audio|search|realtime))")
_PLAIN = frozenset({"type", "description", "enum"})
"""What the rules know of a property."""
_encode = msgspec.json.Encoder().encode


def count(request: ChatRequest, model: str, lost: list[Loss]) -> TokenCount:
    """Blocks, for half a second where the vocabulary is not loaded yet. What is left out is appended to `lost`."""
    if isinstance(request, BareText):
        found = tokens.count(request.text, model)
        return TokenCount(tokens=found.tokens, ids=found.ids, by=found.by)
    counting = _Counting(model, lost)
    total = REPLY + sum(counting.message(message, place) for place, message in enumerate(request.messages))
    total += counting.tools(request.tools) + (HARMONY if "gpt-oss" in model else 0)
    if request.format is not None and request.format.schema is not None:
        total += counting.roughly(request.format.schema)
    return TokenCount(tokens=total, by=counting.by)


class _Counting:
    """One request; `by` is what has been counted with so far."""

    def __init__(self, model: str, lost: list[Loss]) -> None:
        self.model = model
        self.lost = lost
        name = tokens.encoding_of(model)
        ruled = name is not None and _RULED.match(model.rpartition("/")[2].lower())
        self.by = name if name is not None and ruled and tokens.load(name) is not None else ESTIMATE
        self.per_function = PER_FUNCTION[name or "o200k_base"]

    def text(self, text: str) -> int:
        return tokens.count(text, self.model).tokens

    def roughly(self, value: Any) -> int:
        """Something in a form of which only the length tells."""
        self.by = ESTIMATE
        return self.text(value if isinstance(value, str) else _encode(value).decode())

    def message(self, message: Message, place: int) -> int:
        total = PER_MESSAGE + self.text(message.role)
        if message.name is not None:
            total += PER_NAME + self.text(message.name)
        return total + self.parts(message.parts, f"messages[{place}].content")

    def parts(self, parts: Sequence[Part], path: str) -> int:
        total = 0
        for place, part in enumerate(parts):
            where = f"{path}[{place}]"
            match part:
                case Text(text=text) | Refusal(text=text):
                    total += self.text(text)
                case Document(source=PlainText(text=text)):
                    total += self.roughly(text)
                case ToolCall(name=name, arguments=arguments):
                    total += PER_MESSAGE + self.roughly(name) + self.roughly(arguments)
                case ToolResult(parts=inner):
                    self.by = ESTIMATE
                    total += PER_MESSAGE + self.parts(inner, f"{where}.content")
                case Image():
                    self.by = ESTIMATE
                    self.lost.append(Loss(where, f"a picture is counted as {PICTURE} tokens, whatever its size"))
                    total += PICTURE
                case Thinking():
                    self.by = ESTIMATE  # mostly not sent again, or not counted
                case _:
                    self.by = ESTIMATE
                    self.lost.append(Loss(where, f"{type(part).__name__.lower()} content is not counted"))
        return total

    def tools(self, tools: Sequence[Tool]) -> int:
        if not tools:
            return 0
        self.by = ESTIMATE
        return FUNCTIONS_END + sum(self.tool(tool) for tool in tools)

    def tool(self, tool: Tool) -> int:
        if tool.builtin is not None:
            return self.roughly(tool.builtin)
        total = self.per_function + self.text(f"{tool.name}:{_unpointed(tool.description)}")
        schema = tool.schema or {}
        properties = schema.get("properties")
        if not properties:
            return total
        if not (isinstance(properties, dict) and all(map(_is_plain, properties.values()))):
            return total + self.roughly(schema)
        return total + PROPERTIES + sum(self.property(name, said) for name, said in properties.items())

    def property(self, name: str, said: Mapping[str, Any]) -> int:
        total = PER_PROPERTY
        if said.get("enum"):
            total += ENUM + sum(PER_VALUE + self.text(value) for value in said["enum"])
        return total + self.text(f"{name}:{said.get('type', '')}:{_unpointed(said.get('description'))}")


def _is_plain(said: Any) -> bool:
    """Whether the rules know all of what a property says."""
    if not (isinstance(said, dict) and said.keys() <= _PLAIN):
        return False
    values = said.get("enum", [])
    texts = (said.get("type", ""), said.get("description", ""))
    listed = isinstance(values, list) and all(isinstance(value, str) for value in values)
    return listed and all(isinstance(text, str) for text in texts) and said.get("type") != "object"


def _unpointed(text: str | None) -> str:
    return (text or "").removesuffix(".")
