"""A call is of a tool that the request offers, with arguments as its schema has them; what is nearly that is mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.fitting import OBJECT, Foreign
from headgate.stages.guard.foreign import Clock
from headgate.stages.guards.guard import Guard, GuardSettings

REMEMBERED = 4 << 20
"""Bytes of schemas of tools that are kept as they have been read."""
LARGEST = 1 << 18
"""Bytes of a schema that is gone by."""
AGAIN = """This call was not made: its arguments have to be JSON that fits the schema of the tool. What is wrong:
{}
Call the tool again, with that put right."""
_encode = msgspec.json.Encoder().encode


class ToolCallsSettings(GuardSettings):
    mend: bool = pydantic.Field(
        True,
        description="Give what is meant where arguments are JSON in a fence or among words, have a comma too many, or "
        "lack their last bracket, if what comes of it fits the schema. What may have broken off within a value is not "
        "mended: no tool is given half a text.",
    )
    retry: int = pydantic.Field(
        0,
        ge=0,
        le=5,
        description="How often the model is asked again, with its call and what is wrong with it, before `then` "
        "follows. Each answer is paid for. Nothing of an answer is given before its end.",
    )


class ToolCalls(Guard):
    """By the tools that the request declares, in whatever API. Of a stream what stands before the first call goes on as
    it comes."""

    Settings = ToolCallsSettings
    needs = {"jsonschema": "schema", "re2": "guard"}
    sides = frozenset({"reply"})
    usual = "block"
    changes = True
    calls = True
    hold = None

    def __init__(self, settings: ToolCallsSettings) -> None:
        self._mend = settings.mend
        self.retries = settings.retry
        self._clock = Clock()
        self._known: dict[bytes, Foreign] = {}
        self._size = 0
        self._fitting(None)  # what it takes is loaded now, and not within the time that the first call has

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterator[Finding]:
        self._clock.start()
        for index, passage in enumerate(passages):
            if passage.part == "tool_argument" and asked.tools is not None:
                yield from self._looked(index, passage, asked.tools)

    def _looked(self, index: int, passage: Passage, tools: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Finding]:
        text, size = passage.text, len(passage.text)
        if passage.tool not in tools and "" not in tools:
            told = f"This call was not made: there is no such tool. There are: {', '.join(tools) or 'none'}."
            yield Finding(index, 0, size, "unknown_tool", reason="no tool of this name is offered", advice=told)
            return
        wrong, mended = self._fitting(tools.get(passage.tool)).looked(text, mend=self._mend)
        if mended is not None:
            why = f"mended: {wrong[0].why}"
            yield Finding(index, 0, size, "mended", reason=why, action="replace", instead=mended)
        elif wrong:
            told = AGAIN.format("\n".join(f"- {each.told}" for each in wrong))
            yield Finding(index, 0, size, "not_as_schema", reason=wrong[0].why, advice=told)

    def _fitting(self, schema: Mapping[str, Any] | None) -> Foreign:
        key = _encode(schema or OBJECT)
        if len(key) > LARGEST:
            schema, key = OBJECT, _encode(OBJECT)
        found = self._known.get(key)
        if found is None:
            self._size += len(key)
            if self._size > REMEMBERED:
                self._known.clear()
                self._size = len(key)
            found = self._known[key] = Foreign(schema or OBJECT, self._clock)
        return found
