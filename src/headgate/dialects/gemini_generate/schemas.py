"""Gemini's OpenAPI-like schemas and JSON Schema, the one said as the other; a part of `gemini_generate`.

Fields of `Schema`: https://ai.google.dev/api/caching#Schema. What the JSON Schema fields of the API read:
https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.dialects.gemini_generate.words import camel

_TYPES = (None, "string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_RENAMED = {"example": "examples", "ref": "$ref", "defs": "$defs"}
_MAPS = frozenset({"properties", "defs"})
_LEFT = frozenset({"propertyOrdering", "nullable"})
# fmt: off
READ = frozenset({
    "$id", "$defs", "$ref", "$anchor", "$schema", "$comment", "definitions", "type", "format", "title", "description",
    "enum", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf",
    "properties", "additionalProperties", "required", "propertyOrdering", "default", "examples", "deprecated",
})
# fmt: on
"""Keywords of JSON Schema that `responseJsonSchema` heeds, or that constrain nothing."""


def to_json_schema(schema: Any) -> Any:
    """A `Schema` (types in upper case or as numbers, `nullable`) as JSON Schema; anything else as it is."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    fields = camel(schema)
    for key, value in fields.items():
        if key == "type":
            found["type"] = _type(value)
        elif key in _MAPS and isinstance(value, dict):
            found[_RENAMED.get(key, key)] = {name: to_json_schema(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = to_json_schema(value)
        elif key == "anyOf" and isinstance(value, list):
            found["anyOf"] = [to_json_schema(inner) for inner in value]
        elif key in _COUNTS and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            found[key] = int(value)  # an int64, which Google's JSON has as a string
        elif key == "example":
            found["examples"] = [value]
        elif key == "format" and value == "enum":
            continue
        elif key not in _LEFT:
            found[_RENAMED.get(key, key)] = value
    return _nullable(found) if fields.get("nullable") is True else found


def _type(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower()
    if type(value) is int and 0 < value < len(_TYPES):
        return _TYPES[value]
    return value


def _nullable(found: dict[str, Any]) -> dict[str, Any]:
    kind = found.get("type")
    if isinstance(kind, str):
        found["type"] = [kind, "null"]
        if isinstance(found.get("enum"), list) and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
    elif isinstance(found.get("anyOf"), list):
        found["anyOf"] = [*found["anyOf"], {"type": "null"}]
    return found


_WITHIN = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_WITHIN_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_WITHIN_MAPS = frozenset({"properties", "$defs", "definitions", "patternProperties"})


def unheeded(schema: Any) -> list[str]:
    """The keywords of a JSON Schema, by name, that a Gemini model is not held to."""
    return sorted(set(_unheeded(schema)))


def _unheeded(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key not in READ:
            yield key
        if key in _WITHIN:
            yield from _unheeded(value)
        elif key in _WITHIN_LISTS and isinstance(value, list):
            for inner in value:
                yield from _unheeded(inner)
        elif key in _WITHIN_MAPS and isinstance(value, dict):
            for inner in value.values():
                yield from _unheeded(inner)
