"""Turns what pydantic says of a value into what a person reads: what was expected, what is there, what to write."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any

import pydantic
from pydantic_core import ErrorDetails

from headgate.config.document import Node
from headgate.config.redaction import masked, shown
from headgate.config.secrets import SECRET_NAME
from headgate.core.plugin import suggestion

SHOWN = 24
"""Characters of text shown in a message; keys and tokens are longer."""

EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "network": "an IP address or network (10.0.0.0/8)",
    "moment": "a day (2027-01-31) or a time (2027-01-31T12:00Z)",
    "path": "a path that begins with `/`, with a `*` at its end at most",
    "amounts": "exactly one of requests, tokens, input_tokens, output_tokens, money, concurrency",
    "date_type": "a date (2027-01-31)",
    "date_parsing": "a date (2027-01-31)",
    "date_from_datetime_parsing": "a date (2027-01-31)",
    "date_from_datetime_inexact": "a date (2027-01-31)",
    "list_type": "a list",
    "dict_type": "a mapping (`name: value`)",
    "model_type": "a mapping (`name: value`)",
    "model_attributes_type": "a mapping (`name: value`)",
}
LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def explain(error: ErrorDetails, model: Any, node: Node | None) -> tuple[str, str]:
    """A message and a hint for one error of validating `model`; `node` is what stands at the error's place."""
    kind, context = error["type"], error.get("ctx", {})
    last = str(error["loc"][-1]) if error["loc"] else ""
    secret = bool(SECRET_NAME.search(last)) or "headers" in error["loc"] or (not error["loc"] and holds_secret(model))
    if kind == "extra_forbidden":
        return f"unknown key `{shown(last)}`", suggestion(last, keys_at(model, error["loc"][:-1]))
    if kind == "missing":
        return f"`{last}` is missing", _lowered(description_at(model, error["loc"]))
    if kind in EXPECTED:
        hint = "put it in quotes" if kind == "string_type" and node and isinstance(node.value, int | float) else ""
        return f"expected {EXPECTED[kind]}, found {found(node, secret)}", hint
    if kind == "literal_error":
        return f"expected {context['expected']}, found {found(node, secret)}", ""
    if kind in LIMITS:
        words, key = LIMITS[kind]
        return f"must be {words} {context[key]}, found {found(node, secret)}", ""
    if kind == "too_short" or (kind == "string_too_short" and context["min_length"] == 1):
        return "must not be empty", ""
    if kind == "string_too_short":
        return f"must have at least {context['min_length']} characters", ""
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters", ""
    if kind == "string_pattern_mismatch":
        return "not of the right form", _lowered(description_at(model, error["loc"]))
    if kind == "value_error":
        return str(context["error"]), ""
    return error["msg"][:1].lower() + error["msg"][1:], ""


def _lowered(sentence: str) -> str:
    """A description as the second half of a message; `PEM` and `TLS` stay as they are."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def holds_secret(model: Any) -> bool:
    """Whether a text in place of this whole model may be the secret that belongs inside it."""
    fields: Mapping[str, Any] = getattr(model, "model_fields", {})
    return any(SECRET_NAME.search(name) for name, field in fields.items() if bare(field.annotation) is not bool)


def found(node: Node | None, secret: bool = False) -> str:
    """What stands there, in words; text only where it is too short to be a secret, and as it was written."""
    value = node.value if node else None
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "a number" if secret else f"the number {value}"[:60]
    text = node.text if node else ""
    if secret or len(text) > SHOWN or not text.isprintable() or masked(text) != text:
        return "text"
    return f'the text "{text}"'


def keys_at(model: Any, path: Sequence[str | int]) -> list[str]:
    """The keys that the model at a place inside `model` knows."""
    place = type_at(model, path)
    if isinstance(place, type) and issubclass(place, pydantic.BaseModel):
        return [field.alias or name for name, field in place.model_fields.items()]
    return []


def description_at(model: Any, path: Sequence[str | int]) -> str:
    """What a field is for, in its own description's words; empty where there is none."""
    place = type_at(model, path[:-1])
    if not (isinstance(place, type) and issubclass(place, pydantic.BaseModel)):
        return ""
    for name, field in place.model_fields.items():
        if path[-1] in (name, field.alias):
            return (field.description or "").rstrip(".")
    return ""


def type_at(model: Any, path: Sequence[str | int]) -> Any:
    """The type of what stands at a place inside a model."""
    place = bare(model)
    for part in path:
        arguments = typing.get_args(place)
        if isinstance(place, type) and issubclass(place, pydantic.BaseModel):
            fields: Mapping[str | int, Any] = {field.alias or name: field for name, field in place.model_fields.items()}
            place = bare(fields[part].annotation) if part in fields else None
        elif arguments:
            place = bare(arguments[-1])
        else:
            return None
    return place


def bare(kind: Any) -> Any:
    """`X` of `X | None` and of `Annotated[X, …]`."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return bare(typing.get_args(kind)[0])
    if origin is typing.Union or origin is UnionType:
        others = [part for part in typing.get_args(kind) if part is not type(None)]
        return bare(others[0]) if len(others) == 1 else kind
    return kind
