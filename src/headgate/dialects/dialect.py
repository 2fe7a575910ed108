"""What every JSON dialect shares: reading a body strictly, and changing named fields of it byte by byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from headgate.core import plugin
from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError, InvalidJSON, InvalidRequest, ProviderRefused, Unsupported, too_deep

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The fields of a body, each as the bytes it is."""
_KEY = re.compile(rb'[ \t\n\r,{]*"(?:[^"\\]|\\.)*"[ \t\n\r]*:[ \t\n\r]*', re.DOTALL)
_STRING = re.compile(rb'[ \t\n\r]*:[ \t\n\r]*("(?:[^"\\]|\\.)*")')
_GAP = re.compile(rb"[ \t\n\r]*")
_DOTS = re.compile(r"(?:^|[/\\])\.\.?(?:$|[/\\])")


def dialects(own: Sequence[str] = ()) -> list[Dialect]:
    """Every dialect there is, ours and those of these dotted paths. Raises PluginNotFound."""
    modules: list[Any] = [plugin.module("dialects", name) for name in [*plugin.names("dialects"), *own]]
    found = [dialect for module in modules for dialect in (module, *getattr(module, "more", ()))]
    return [dialect for dialect in found if hasattr(dialect, "paths")]


def decode(body: bytes) -> dict[str, Any]:
    """A request's body → its fields. Strict, so that what the gateway reads is what any provider will read.

    Raises InvalidJSON for broken JSON, invalid UTF-8, lone surrogates, NaN, numbers out of range, too deep nesting
    and a key that stands twice in one object (parsers differ in which of the two they take); InvalidRequest when the
    body is not an object.
    """
    if not body:
        raise InvalidJSON("the body is empty; send a JSON object with at least `model`")
    try:
        fields = _decode(body)
        canonical = _encode(fields) == body
    except RecursionError:
        raise too_deep() from None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise InvalidJSON(_why(body, error)) from None
    if not isinstance(fields, dict):
        raise InvalidRequest(f"the body must be a JSON object, not {_kind(fields)}")
    if not canonical:
        _refuse_duplicates(body)
    return fields


def patch(body: bytes, changes: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    """Set top-level fields (or take them out, where the value is None); every other byte stays as it was.

    `body` is a JSON object that `decode` has accepted, `fields` what it gave.
    """
    plain = body.find(b"\\u") < 0  # `in` takes twice as long
    todo = {}
    added = []
    for key, value in changes.items():
        if value is None:
            body = _without(body, key)
        elif key not in fields:
            added.append(_encode(key) + b":" + _encode(value))
        else:
            quick = _quickly(body, key, value) if plain else None
            if quick is None:
                todo[key] = value
            else:
                body = quick
    if todo:
        body = _replaced(body, todo)
    if not added:
        return body
    at = body.rindex(b"}")
    comma = b"," if members(body) else b""
    return body[:at] + comma + b",".join(added) + body[at:]


def _quickly(body: bytes, key: str, value: Any) -> bytes | None:
    """The usual replacement, without parsing: of a string that stands under a key which stands nowhere else.

    A quotation mark inside a string is escaped, so `"model"` between two of them is a key or a whole string; where it
    stands once, and no `\\u` spells it otherwise, it is the top-level key that the decoded body has.
    """
    name = _encode(key)
    if body.count(name) != 1:
        return None
    found = _STRING.match(body, body.find(name) + len(name))
    return body[: found.start(1)] + _encode(value) + body[found.end(1) :] if found else None


def _replaced(body: bytes, changes: Mapping[str, Any]) -> bytes:
    pieces: list[bytes] = []
    kept = 0
    for key, _, value, end in _spans(body):
        if key in changes:
            pieces += (body[kept:value], _encode(changes[key]))
            kept = end
    return b"".join((*pieces, body[kept:]))


def _without(body: bytes, key: str) -> bytes:
    """The body less one member and the comma beside it."""
    for name, start, _, end in _spans(body):
        if name != key:
            continue
        after = _gap(body, end)
        if body[after : after + 1] == b",":
            return body[:start] + body[_gap(body, after + 1) :]
        before = body[:start].rstrip(b" \t\n\r")
        return before.removesuffix(b",") + body[end:]
    return body


def _gap(body: bytes, at: int) -> int:
    match = _GAP.match(body, at)
    return match.end() if match else at


def _spans(body: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Each member as (key, where its key begins, where its value begins, where its value ends)."""
    at = 0
    for key, raw in members(body).items():
        match = _KEY.match(body, at)
        assert match is not None
        value = match.end()
        start = body.index(b'"', match.start())
        at = value + len(memoryview(raw))
        yield key, start, value, at


def crossed(dialect: Dialect, request: Any, lost: list[Loss]) -> bytes | Body:
    """The request in a dialect that may not be the client's. Raises Unsupported where only the client's own will do."""
    if request.dialect != dialect.name:
        for field, advice in getattr(request, "bound", {}).items():
            raise Unsupported(advice, param=field)
        lost += getattr(request, "told", ())
    return dialect.write_request(request, lost)


def segment(name: str, safe: str = "") -> str:
    """A model's name as one segment of a path, encoded but for the characters of `safe`.

    Raises InvalidRequest for one with `.` or `..` in it as a part: no encoding keeps every server from going elsewhere
    by them.
    """
    if _DOTS.search(name):
        raise InvalidRequest("a model's name has no part that is `.` or `..`", param="model")
    return quote(name, safe=safe)


def message_of(error: GatewayError) -> str:
    """The message, and where it does not say so itself the place: not every client shows an error's `param`."""
    message, place = error.message, error.param
    if place is None or place in message or isinstance(error, ProviderRefused):
        return message
    return f"{message} (`{place}`)"


def _refuse_duplicates(body: bytes) -> None:
    """Only for bodies not written in canonical form; `json` is the parser that shows the pairs."""
    try:
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise too_deep() from None
    except InvalidJSON:
        raise
    except ValueError as error:
        raise InvalidJSON(_why(body, error)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidJSON(f"the key {key[:80]!a} stands twice in one object; send it once", param=key[:80])
            seen.add(key)
    return found


def _why(body: bytes, error: Exception) -> str:
    """What is wrong and where, in words that do not depend on the parser."""
    if isinstance(error, UnicodeDecodeError):
        return "the body is not valid UTF-8"
    try:
        json.loads(body.decode())
    except UnicodeDecodeError as bad:
        return f"the body is not valid UTF-8 (byte {bad.start})"
    except json.JSONDecodeError as bad:
        return f"the body is not valid JSON: {bad.msg} (line {bad.lineno}, column {bad.colno})"
    except (RecursionError, ValueError):
        return "the JSON holds a number or a nesting beyond what can be read"
    return "the JSON holds what no strict parser accepts: NaN, a number out of range or a lone surrogate escape"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")
