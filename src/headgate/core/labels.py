"""What a caller says of a request beside the request itself: metadata, tags, how urgent it is, for whom it is.

It stands in headers of the gateway's own (`x-headgate-metadata: {"tier": "free"}`, `x-headgate-tags: batch, nightly`,
`x-headgate-priority: low`) or in the body, where the vendors' APIs have a place for it. Headers count more. What makes
no sense is passed over: it is no reason to refuse a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

Priority = Literal["low", "normal", "high"]

EXPLAIN = b"x-headgate-explain"
METADATA, TAGS, PRIORITY = b"x-headgate-metadata", b"x-headgate-tags", b"x-headgate-priority"
USER = b"x-headgate-user"
DATA_CLASS = b"x-headgate-data-class"
REQUIRES = b"x-headgate-requires"
HEADERS = frozenset({METADATA, TAGS, PRIORITY, REQUIRES, USER, DATA_CLASS})
PLACES = ("metadata", "labels", "requestMetadata")
"""Where a body has it: most APIs, Google's, Bedrock's."""
USERS = ("user", "safety_identifier")
"""Where bodies name the caller's own user; Anthropic's do in `metadata.user_id`."""
SAID = frozenset({*PLACES, *USERS})
"""Fields of a body without which it says nothing."""
PRIORITIES: Mapping[str, Priority] = {"low": "low", "normal": "normal", "high": "high"}
URGENCY: Mapping[Priority, int] = {"low": -1, "normal": 0, "high": 1}
"""As those who wait in line are told apart by."""
MOST = 64
"""Entries of metadata, and tags, that are looked at."""
LONGEST = 512
"""Characters of each."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Labels(NamedTuple):
    metadata: Mapping[str, str]
    tags: Sequence[str]
    priority: Priority
    requires: frozenset[str] = frozenset()
    """In lower case. These are read as they are: what a client requires is not passed over."""
    user: str = ""
    """For whom the caller asks: a user of its own."""
    data_class: str = ""
    """In lower case."""
    """Of what is said."""


NOTHING = Labels(MappingProxyType({}), (), "normal")
"""What nearly every request says."""


def read(headers: Sequence[tuple[bytes, bytes]], fields: Mapping[str, Any]) -> Labels:
    """The labels of a request with these headers and this body."""
    said = {name: value for name, value in headers if name in HEADERS}
    found = [inner for inner in map(fields.get, PLACES) if type(inner) is dict] if fields else []
    named = [fields[name] for name in USERS if name in fields] if fields else []
    if not said and not found and not named:
        return NOTHING
    if METADATA in said:
        found.append(_object(said[METADATA]))
    merged: dict[str, Any] = {}
    for inner in reversed(found):  # the last counts most: others neither stand over it nor crowd it out
        for name, value in inner.items():
            merged.setdefault(name, value)
    metadata = {key[:LONGEST]: _text(value) for key, value in list(merged.items())[:MOST]}
    tags = [*_listed(said.get(TAGS, b"").decode("utf-8", "replace")), *_listed(merged.get("tags"))]
    tags = list(dict.fromkeys(tags))[:MOST]
    wanted = said.get(PRIORITY, b"").decode("latin-1").strip().lower()
    tagged = next((tag[9:] for tag in tags if tag.startswith("priority:")), "")
    words = (wanted, tagged, metadata.get("priority", ""))
    priority: Priority = next((PRIORITIES[word] for word in words if word in PRIORITIES), "normal")
    named = [said.get(USER, b"").decode("utf-8", "replace").strip(), *named, metadata.get("user_id")]
    user = next((text[:LONGEST] for text in named if isinstance(text, str) and text), "")
    required = _required(headers) if REQUIRES in said else NOTHING.requires
    data_class = said.get(DATA_CLASS, b"").decode("utf-8", "replace").strip().lower()[:LONGEST]
    return Labels(metadata, tags, priority, required, user, data_class)


def _required(headers: Sequence[tuple[bytes, bytes]]) -> frozenset[str]:
    """What all headers of that name say together: who adds one takes nothing back."""
    said = b",".join(value for name, value in headers if name == REQUIRES).decode("utf-8", "replace")
    return frozenset(filter(None, (part.strip().lower() for part in said.split(","))))


def _object(value: bytes) -> dict[str, Any]:
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _listed(value: Any) -> list[str]:
    """`"a, b"` or `["a", "b"]`."""
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return [text for text in (_text(entry).strip() for entry in entries[: MOST * 2]) if text]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:LONGEST]
    return _encode(value).decode()[:LONGEST]
