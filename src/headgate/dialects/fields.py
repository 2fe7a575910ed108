"""Fields of a decoded body, checked for their type or given the names a host knows, for OpenAI's family of APIs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from headgate.core.chat import Native
from headgate.core.errors import InvalidRequest

_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
_WANTED = {**_KINDS, bool: "true or false", int: "an integer"}


def wrong(path: str, wanted: str, value: Any) -> InvalidRequest:
    """The error for a field of the wrong type, or with a word that is not `wanted`: "one of …"."""
    if value is None:
        return InvalidRequest(f"`{path}` is missing: it must be {wanted}.", param=path)
    a_word = isinstance(value, str) and wanted.startswith("one of ")
    got = repr(value[:40]) if a_word else _KINDS.get(type(value), type(value).__name__)
    return InvalidRequest(f"`{path}` must be {wanted}, not {got}.", param=path)


def string(value: Any, path: str) -> str:
    if type(value) is str:
        return value
    raise wrong(path, "a string", value)


def object_(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise wrong(path, "an object", value)


def array(value: Any, path: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise wrong(path, "an array", value)


def optional(fields: Mapping[str, Any], key: str, kind: type, path: str = "") -> Any:
    """The field, None where it is absent or null. Integers are numbers, booleans are not."""
    value = fields.get(key)
    if value is None or type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return value
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    raise wrong(path + key, _WANTED[kind], value)


def others(fields: Mapping[str, Any], known: frozenset[str]) -> Native:
    return {key: value for key, value in fields.items() if key not in known and value is not None}


def reworded(
    fields: Mapping[str, Any], renames: Mapping[str, str], roles: Mapping[str, str], turns: str = "messages"
) -> dict[str, Any]:
    """The changes that give fields of a request, and roles in the field of its `turns`, the names a host knows."""
    changes: dict[str, Any] = {}
    for name, theirs in renames.items():
        if name in fields and theirs not in fields:
            changes |= {name: None, theirs: fields[name]}
    messages = fields.get(turns) if roles else None
    if isinstance(messages, list) and any(_role(message) in roles for message in messages):
        changes[turns] = [
            {**message, "role": roles[role]} if (role := _role(message)) in roles else message for message in messages
        ]
    return changes


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""


def text_of(data: str, place: str) -> str:
    """The text of a document in base64. Raises InvalidRequest."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest("the data must be base64 of UTF-8 text", param=place) from None
