"""The ids a model may stand under in the catalogue, from the one that was asked for to the plainest."""

from __future__ import annotations

import re
from collections.abc import Iterator

RESOURCE = re.compile(r"^(?:arn:[^/]+/|models/|publishers/[^/]+/models/)")
"""Amazon's ARNs, Google's resource names: https://ai.google.dev/api/models, https://cloud.google.com/vertex-ai/docs."""
TUNED = re.compile(r"^(ft:[^:]+):.*$")
"""OpenAI's fine-tuned models: https://platform.openai.com/docs/guides/fine-tuning."""
REGION = re.compile(r"^(?:us-gov|us|eu|apac|jp|au|in|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)")
"""https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html"""
VERSION = re.compile(r"@[^/@]*$")
"""Vertex: `claude-sonnet-4-5@20250929`."""
TAG = re.compile(r":[^/:]*$")
"""Ollama's `:70b`, OpenRouter's `:free`, Bedrock's `:0:200k`."""
BEDROCK_VERSION = re.compile(r"-v\d+$")
DATED = re.compile(r"-(?:20\d\d-?\d\d-?\d\d|latest|preview|preview-\d\d-(?:20)?\d\d|\d{3,4}|exp-\d{4})$")


def candidates(model: str) -> Iterator[str]:
    """Every one at most once; the first is the model itself."""
    seen: set[str] = set()
    for id in _peeled(model):
        for spelled in (id, f"{id}-latest"):
            if spelled not in seen:
                seen.add(spelled)
                yield spelled


def _peeled(model: str) -> Iterator[str]:
    """Less and less of it: each step takes off one thing that says where or which version."""
    yield model
    if tuned := TUNED.match(model):
        yield tuned[1]
        return
    for pattern in (RESOURCE, REGION):
        if (rest := pattern.sub("", model)) != model:
            model = rest
            yield model
    again = True
    while again:
        again = False
        for pattern in (VERSION, TAG, BEDROCK_VERSION, DATED):
            rest = pattern.sub("", model)
            if rest and rest != model:
                model, again = rest, True
                yield model
