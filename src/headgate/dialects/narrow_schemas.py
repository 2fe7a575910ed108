"""JSON Schemas as the vendors take them that hold a model to every word of them: none reads all of JSON Schema.

- Claude, and every model behind Converse's `outputConfig`, refuses what bounds numbers, texts and lists, and wants each
  object closed: https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations and
  https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html. Bounds become words of the description,
  as Anthropic's own SDKs say them.
- OpenAI's `strict` wants each object closed and each of its properties required:
  https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from headgate.core.chat import ResponseFormat, Tool
from headgate.core.errors import Unsupported

Schema = dict[str, Any]
_encode = msgspec.json.Encoder().encode
DEEPEST = 64
Lose = Callable[[str, str], None]
"""Names a field as lost, and why."""

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_PLAIN = frozenset({"type", "title", "description", "enum", "const", "required"})
_LISTS = frozenset({"anyOf", "allOf", "oneOf"})
_MAPS = frozenset({"properties", "$defs", "definitions"})
_REMARKS = frozenset({"$schema", "$id", "$comment", "$anchor", "examples", "deprecated", "readOnly", "writeOnly"})
"""Keywords that hold nobody to anything."""
_STRICT = _PLAIN | _MAPS | {
    "anyOf", "additionalProperties", "items", "$ref", "$schema", "pattern", "format", "multipleOf", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems",
}  # fmt: skip
"""What OpenAI reads of a schema that is strict."""
_HARD = re.compile(r"\(\?|\\[1-9bB]")
"""Of a pattern: look-around, references back, bounds of words."""


def narrowed(schema: Schema, path: str, lose: Lose) -> Schema:
    """A schema with what Claude reads of it alone. What it is not held to is named once, under `path`.

    Raises Unsupported for an object whose properties have no names: it would come back empty.
    """
    narrow = _Narrow(path)
    found: Schema = narrow.schema(schema)
    if narrow.told:
        lose(path, f"the model is told of, not held to: {', '.join(sorted(narrow.told))}")
    if narrow.closed:
        lose(path, "no other properties than those with names are given")
    if narrow.left:
        lose(path, f"left out: {', '.join(sorted(narrow.left))}")
    return found


def narrowed_tool(tool: Tool, path: str, lose: Lose) -> Tool:
    """A tool whose calls Claude is held to, where it is strict; else as it is."""
    if not tool.strict or tool.schema is None:
        return tool
    try:
        return msgspec.structs.replace(tool, schema=narrowed(tool.schema, path, lose))
    except Unsupported as error:
        lose(f"{path}.strict", f"not held to its schema: {error.message}")
        return msgspec.structs.replace(tool, strict=None)


class _Narrow:
    def __init__(self, path: str) -> None:
        self.path = path
        self.told: set[str] = set()
        """Keywords that became words of a description."""
        self.left: set[str] = set()
        self.closed = False

    def schema(self, schema: Any, depth: int = 0) -> Any:
        if not isinstance(schema, dict):
            return schema
        if depth > DEEPEST:
            raise Unsupported(f"the schema is more than {DEEPEST} levels deep", param=self.path)
        if "$ref" in schema:  # nothing may stand beside it but what is referred to
            self.left.update(schema.keys() - {"$ref", *_MAPS})
            kept = {key: schema[key] for key in schema if key == "$ref" or key in _MAPS}
            return {key: self._inner(key, value, depth) for key, value in kept.items()}
        found: Schema = {}
        told: Schema = {}
        for key, value in schema.items():
            if key in _REMARKS:
                self.left.add(key)
            elif _reads(key, value):
                found[key] = self._inner(key, value, depth)
            elif key == "oneOf" and "anyOf" not in schema:
                found["anyOf"] = self._inner(key, value, depth)
                self.told.add(key)
            elif key != "additionalProperties":
                told[key] = value
        if told:
            self.told.update(told)
            words = ", ".join(f"{key}: {_encode(value).decode()}" for key, value in told.items())
            found["description"] = "\n\n".join(filter(None, (found.get("description"), f"{{{words}}}")))
        if _is_object(schema):
            self._close(schema)
            found["additionalProperties"] = False
        return found

    def _inner(self, key: str, value: Any, depth: int) -> Any:
        if key in _MAPS and isinstance(value, dict):
            return {name: self.schema(inner, depth + 1) for name, inner in value.items()}
        if key in _LISTS and isinstance(value, list):
            return [self.schema(inner, depth + 1) for inner in value]
        return self.schema(value, depth + 1) if key == "items" else value

    def _close(self, schema: Schema) -> None:
        others = schema.get("additionalProperties")
        if others is False:
            return
        if "properties" not in schema or (others is not None and not schema["properties"]):
            raise Unsupported(
                "this model answers only with properties that have names; give this object `properties`, or set its "
                "`additionalProperties` to false",
                param=self.path,
            )
        self.closed = self.closed or others is not None


def _reads(key: str, value: Any) -> bool:
    """Whether Claude reads a keyword of this value."""
    match key:
        case "format":
            return isinstance(value, str) and (value in _FORMATS or value == "uri")
        case "pattern":
            return isinstance(value, str) and not _HARD.search(value)
        case "minItems":
            return value in (0, 1)
        case "enum":
            return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)
        case "description":
            return isinstance(value, str)
    return key in _PLAIN or key in _MAPS or key in ("anyOf", "allOf", "items", "default")


def strictly(schema: Schema) -> Schema | None:
    """A schema as OpenAI takes it where it is to be strict, its objects closed; None where it cannot be."""
    found = _strict(schema) if _is_object(schema) and "anyOf" not in schema else None
    return found if isinstance(found, dict) else None


Said = TypeVar("Said", Tool, ResponseFormat)


def said_strictly(said: Said, path: str, lose: Lose) -> Said:
    """A tool or a format as OpenAI takes it: no longer strict where its schema is not for that."""
    if not said.strict or said.schema is None:
        return said
    schema = strictly(said.schema)
    if schema is None:
        lose(f"{path}.strict", "OpenAI is strict only with closed objects whose properties are all required")
        return msgspec.structs.replace(said, strict=False)
    return msgspec.structs.replace(said, schema=schema)


def _strict(schema: Any, depth: int = 0) -> Any:
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT or depth > DEEPEST:
        return None
    found = dict(schema)
    if _is_object(schema):
        names, required = schema.get("properties"), schema.get("required", [])
        if schema.get("additionalProperties", False) is not False or not _lists(required, names):
            return None
        found["additionalProperties"] = False
    elif "additionalProperties" in schema or schema.get("format") not in (None, *_FORMATS):
        return None
    for key in (_MAPS | {"anyOf", "items"}) & schema.keys():
        found[key] = _strict_all(schema[key], depth + 1) if key != "items" else _strict(schema[key], depth + 1)
        if found[key] is None:
            return None
    return found


def _strict_all(schemas: Any, depth: int) -> Any:
    if isinstance(schemas, dict):
        found = {name: _strict(inner, depth) for name, inner in schemas.items()}
        return None if None in found.values() else found
    each = [_strict(inner, depth) for inner in schemas] if isinstance(schemas, list) else [None]
    return None if None in each else each


def _lists(required: Any, names: Any) -> bool:
    """Whether all properties are required."""
    return isinstance(required, list) and isinstance(names, dict) and all(name in required for name in names)


def _is_object(schema: Schema) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )
