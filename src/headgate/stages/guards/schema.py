"""An answer is JSON, as a schema has it; what is nearly that is mended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
TRAILING = re.compile(r",(?=\s*[}\]])")
COMMA = re.compile(r",\s*\Z")
MEMBER = re.compile(r'(?:,\s*|(?<=\{)\s*)(?:"(?:[^"\\]|\\.)*"\s*:?\s*)?\Z')
CLOSING = {"{": "}", "[": "]"}
_decode = msgspec.json.Decoder().decode


class SchemaSettings(GuardSettings):
    json_schema: dict[str, Any] = pydantic.Field(
        alias="schema",
        description="The [JSON schema](https://json-schema.org) that an answer has to fit; `{}` takes any JSON.",
    )
    mend: bool = pydantic.Field(
        True,
        description="Give what is meant where an answer is JSON in a fence or among words, has a comma too many, or "
        "breaks off: brackets are closed, if what comes of it fits the schema.",
    )


class Schema(Guard):
    """Of answers, whole or streamed: nothing of a stream is given before its end. What was mended takes the answer's
    place; what cannot be is blocked."""

    Settings = SchemaSettings
    needs = {"jsonschema": "schema"}
    sides = frozenset({"reply"})
    usual = "block"
    changes = True
    hold = None

    def __init__(self, settings: SchemaSettings) -> None:
        import jsonschema  # type: ignore[import-untyped]

        kind = jsonschema.validators.validator_for(settings.json_schema)
        try:
            kind.check_schema(settings.json_schema)
        except jsonschema.SchemaError as error:
            raise ValueError(f"it is no JSON schema: {error.message}") from None
        self._validator = kind(settings.json_schema)
        self._mend = settings.mend

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        for index, passage in enumerate(passages):
            if passage.part != "text" or not passage.text.strip():
                continue
            text, why = passage.text, self._wrong(passage.text)
            if why is None:
                continue
            mended = (
                next((each for each in candidates(text) if self._wrong(each) is None), None) if self._mend else None
            )
            if mended is None:
                yield Finding(index, 0, len(text), "not_as_schema", reason=why)
            else:
                yield Finding(index, 0, len(text), "mended", reason=f"mended: {why}", action="replace", instead=mended)

    def _wrong(self, text: str) -> str | None:
        """What is wrong with it; nothing of its own words."""
        try:
            value = _decode(text)
        except (msgspec.DecodeError, RecursionError):
            return "it is no JSON"
        error = next(iter(self._validator.iter_errors(value)), None)
        return None if error is None else f"{error.json_path} is not as its `{error.validator}` says"


def candidates(text: str) -> Iterable[str]:
    """What may have been meant, the likeliest first."""
    found = [each.group(1) for each in FENCE.finditer(text)]
    begin = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if begin >= 0:
        end = max(text.rfind("}"), text.rfind("]")) + 1
        found += [text[begin:end]] if end > begin else []
        found.append(text[begin:])
    for each in found:
        for said in (each.strip(), TRAILING.sub("", each.strip())):
            yield said
            yield closed(said)


def closed(text: str) -> str:
    """With what is left open closed: a string, lists and objects; what hangs before that (a comma, a name without a
    value) is left out."""
    open_: list[str] = []
    inside = escaped = False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in CLOSING:
            open_.append(CLOSING[letter])
        elif open_ and letter == open_[-1]:
            open_.pop()
    said = (text[:-1] if escaped else text) + ('"' if inside else "")
    hanging = MEMBER if open_ and open_[-1] == "}" else COMMA
    return hanging.sub("", said.rstrip()) + "".join(reversed(open_))
