"""Which knowledge bases a request names: vector stores, indexes, corpora, libraries, connectors.

https://platform.openai.com/docs/guides/tools-file-search, https://ai.google.dev/gemini-api/docs/file-search,
https://learn.microsoft.com/azure/ai-services/openai/references/on-your-data,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_RetrieveAndGenerate.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

_NAMING = """
vectorstoreid vectorstoreids filesearchstorenames indexname containername datastore engine ragcorpus ragcorpora
libraryids collectionids knowledgebaseid knowledgebaseids connectorid
"""
NAMING = frozenset(_NAMING.split())
"""Fields, in small letters and without `_`, whose values are names of knowledge bases."""
CONNECTORS = "connectors"
"""Cohere's: objects with an `id`."""
SAID = frozenset({"messages", "input", "contents", "prompt", "system", "instructions"})
"""Fields of a body in which something is said, and no knowledge base is named."""
PLACES = frozenset({b"vector_stores", b"fileSearchStores", b"knowledgebases", b"indexes", b"ragCorpora", b"libraries"})
"""Segments of a path behind which the name of one stands."""


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
    segments = path.split(b"?")[0].split(b"/")
    for place, name in pairwise(segments):
        if place in PLACES and name:
            yield unquote(name.decode("latin-1"))


def _names(key: str, value: Any) -> bool:
    return key.replace("_", "").lower() in NAMING and not isinstance(value, dict)


def _listed(key: str, value: Any) -> list[str]:
    if key == CONNECTORS and isinstance(value, list):
        return [each["id"] for each in value if isinstance(each, dict) and isinstance(each.get("id"), str)]
    if not _names(key, value):
        return []
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
