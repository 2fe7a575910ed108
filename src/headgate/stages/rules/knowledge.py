"""Which knowledge bases a request names: vector stores, indexes, corpora, libraries, connectors.

https://platform.openai.com/docs/guides/tools-file-search, https://ai.google.dev/gemini-api/docs/file-search,
https://learn.microsoft.com/azure/ai-services/openai/references/on-your-data,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_RetrieveAndGenerate.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from json import detect_encoding
from typing import Any
from urllib.parse import unquote

from headgate.core.errors import InvalidJSON
from headgate.dialects.dialect import decode

_NAMING = """
vectorstoreid vectorstoreids filesearchstorenames indexname containername datastore engine ragcorpus ragcorpora
libraryids collectionids knowledgebaseid knowledgebaseids connectorid collectionname indexassetid
"""
NAMING = frozenset(_NAMING.split())
"""Fields, in small letters and without `_`, whose values are names of knowledge bases."""
CONNECTORS = "connectors"
"""Cohere's: objects with an `id`."""
SAID = frozenset({"messages", "input", "contents", "prompt", "system", "instructions"})
"""Fields of a body in which something is said, and no knowledge base is named."""
PLACES = frozenset({"vector_stores", "filesearchstores", "knowledgebases", "indexes", "ragcorpora", "libraries"})
"""Segments of a path, in small letters, behind which the name of one stands."""
_CALLED = re.compile(r"(\w+)\('(.*)'\)")
"""The same as one segment: https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html."""
_EXCERPT = 64
"""Bytes that tell how a body is encoded, and whether it is JSON."""


def bodies(data: bytes) -> Sequence[Mapping[str, Any]]:
    """What a body says that is forwarded, as objects: one, or one in each line; none where it is no JSON.

    Raises InvalidJSON for JSON that parsers differ about.
    """
    begin = data[:_EXCERPT].decode(detect_encoding(data), "replace").lstrip("\ufeff \t\r\n")
    if begin[:1] not in ("{", "["):
        return []
    try:
        return [_body(data)]
    except InvalidJSON:
        lines = [line for line in data.split(b"\n") if line.strip()]
        if len(lines) == 1 or any(line.strip()[:1] not in (b"{", b"[") for line in lines):
            raise
        return [_body(line) for line in lines]


def _body(data: bytes) -> Mapping[str, Any]:
    """As strictly as it is read elsewhere; a list, too, is an object then."""
    return decode(data if data.strip()[:1] == b"{" else b'{"":%b}' % data)


def in_fields(fields: Mapping[str, Any]) -> Iterator[str]:
    """Names in a body."""
    waiting: list[Any] = [{key: value for key, value in fields.items() if key not in SAID}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            for key, each in value.items():
                yield from _listed(key, each)
                if isinstance(each, dict | list):
                    waiting.append(each)
        elif isinstance(value, list):
            waiting += [each for each in value if isinstance(each, dict | list)]


def in_path(path: bytes) -> Iterator[str]:
    """Names in a path that is forwarded."""
    segments = [unquote(each.decode("latin-1")).partition(";")[0] for each in path.partition(b"?")[0].split(b"/")]
    pairs = [*pairwise(segments), *(called.groups() for each in segments if (called := _CALLED.fullmatch(each)))]
    for place, name in pairs:
        if place.lower() in PLACES and name:
            yield name


def _names(key: str, value: Any) -> bool:
    return key.replace("_", "").lower() in NAMING and not isinstance(value, dict)


def _listed(key: str, value: Any) -> list[str]:
    if key == CONNECTORS and isinstance(value, list):
        return [each["id"] for each in value if isinstance(each, dict) and isinstance(each.get("id"), str)]
    if not _names(key, value):
        return []
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
