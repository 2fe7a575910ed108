"""Which models a request names besides the one it asks for: fallbacks, advisers, models that work a host's own tools.

A key that may use some models only must not reach others by such a field. So a field is looked for at every host,
whoever's it is, and one that does not say what it should is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from headgate.core.errors import InvalidRequest, too_deep
from headgate.core.printable import printable

Path = tuple[str, ...]
"""Fields inside each other; `EACH` stands for every entry, `ANYWHERE`, at the end, for every depth."""
EACH = "*"
ANYWHERE = "**"
ANY = "*"
"""For a model that the request leaves to the host, or to the model itself, to choose."""
PRESET = "@preset/"
LONGEST = 100
"""Characters of a field's path after which no more of it is told."""

KNOWN: tuple[Path, ...] = (
    # OpenRouter: https://openrouter.ai/docs/guides/routing/model-fallbacks,
    # Perplexity: https://docs.perplexity.ai/docs/agent-api/model-fallback,
    # ngrok: https://ngrok.com/docs/ai-gateway/guides/configure-fallback-models
    ("models",),
    # Anthropic: https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback,
    # LiteLLM: https://docs.litellm.ai/docs/proxy/client_side_fallbacks
    ("fallbacks",),
    ("context_window_fallbacks",),
    ("content_policy_fallbacks",),
    # Respan: https://docs.keywordsai.co/documentation/products/gateway/traffic_management/fallbacks
    ("fallback_models",),
    # the adviser of Anthropic, the picture tool of OpenAI's Responses, OpenRouter's server tools and those inside them:
    # https://openrouter.ai/docs/guides/features/server-tools/subagent
    ("tools", ANYWHERE),
    ("input", EACH, "tools", ANYWHERE),
    # https://openrouter.ai/docs/guides/features/plugins/fusion
    ("plugins", ANYWHERE),
    # https://vercel.com/docs/ai-gateway/models-and-providers/model-fallbacks
    ("providerOptions", ANYWHERE),
    # OpenAI's moderated completions, and its pictures as SVG; there the second also as a field of a form:
    # https://platform.openai.com/docs/api-reference
    ("moderation", "model"),
    ("svg", "model"),
    ("svg[model]",),
    # what a proxy, or Bedrock's Converse, hands on to the model's own API
    ("extra_body", ANYWHERE),
    ("additionalModelRequestFields", ANYWHERE),
)
"""Wherever it is known from: the `base_url` of any provider may lead to a proxy or an aggregator."""

WORDS = frozenset(
    {
        "model", "models", "model_id", "modelId", "model_name", "modelName", "analysis_models", "judge_model",
        "fallbacks", "fallback_models", "context_window_fallbacks", "content_policy_fallbacks",
    }
)  # fmt: skip
"""What fields are called that name models `ANYWHERE`. Not `allowed_models`: it only narrows a choice."""

FUNCTIONS = (None, "function", "custom")
"""Types of tools that the client works itself; a schema in one may speak of models."""

CHOOSERS: Mapping[str, tuple[str, ...]] = {
    "openrouter:advisor": ("model",),
    "openrouter:subagent": ("model",),
    "openrouter:fusion": ("analysis_models", "model"),
    "fusion": ("analysis_models", "model"),
}
"""Tools by `type` and plug-ins by `id` that ask any model where these fields of theirs do not say which:
https://openrouter.ai/docs/guides/features/server-tools/advisor"""


class Named(NamedTuple):
    """A model that a request names, and where."""

    field: str
    model: str


def parts(model: str) -> list[str]:
    """The models in one name: LiteLLM takes several with commas between them, OpenRouter one with a preset behind it,
    which may hold others of its own.

    https://docs.litellm.ai/docs/completion/batching, https://openrouter.ai/docs/guides/features/presets
    """
    found = []
    for each in model.split(","):
        name, mark, preset = each.partition(PRESET)
        found += [name.strip()] if name or not mark else []
        found += [mark + preset] if mark else []
    return found


def named(fields: Mapping[str, Any], paths: Sequence[Path]) -> list[Named]:
    """All that stand at these paths, and a preset. Raises InvalidRequest for what does not say a name."""
    found: list[Named] = []
    try:
        for path in paths:
            if path[0] in fields:
                _follow(fields[path[0]], path[1:], path[0], found)
    except RecursionError:
        raise too_deep() from None
    preset = fields.get("preset")
    if preset is not None:
        _collect(preset, "preset", found, PRESET)
    return found


def _follow(value: Any, rest: Path, field: str, found: list[Named]) -> None:
    if not rest:
        _collect(value, field, found)
    elif rest[0] == ANYWHERE:
        _search(value, field, found, tools=field.endswith("tools"))
    elif rest[0] == EACH:
        for key, item in _entries(value):
            if isinstance(item, list | dict):
                _follow(item, rest[1:], _inside(field, key), found)
    elif isinstance(value, dict) and rest[0] in value:
        _follow(value[rest[0]], rest[1:], f"{field}.{rest[0]}", found)


def _entries(value: list[Any] | dict[str, Any]) -> Iterable[tuple[int | str, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def _inside(field: str, key: int | str) -> str:
    """For people to read, so no longer than they can."""
    if len(field) > LONGEST:
        return field
    return f"{field}[{key}]" if isinstance(key, int) else f"{field}.{key[:LONGEST]}"


def _collect(value: Any, field: str, found: list[Named], before: str = "") -> None:
    """Names: one, a list of them, or of objects whose `model` is one; an object without is LiteLLM's (`{of: [to]}`)."""
    if isinstance(value, str):
        found.append(Named(field, before + value))
    elif isinstance(value, dict) and "model" in value:
        _collect(value["model"], f"{field}.model", found)
    elif isinstance(value, list | dict):
        for key, item in _entries(value):
            _collect(item, _inside(field, key), found)
    elif value is not None:
        raise InvalidRequest(f"`{printable(field)}` must name models, as texts", param=printable(field))


def _search(value: list[Any] | dict[str, Any], field: str, found: list[Named], *, tools: bool) -> None:
    """What is called as names of models are, but for what the client's own functions say in a list of `tools`."""
    if isinstance(value, dict):
        _choice(value, field, found)
    for key, item in _entries(value):
        if tools and isinstance(item, dict) and item.get("type") in FUNCTIONS:
            continue
        if key in WORDS and not isinstance(item, dict):
            _collect(item, _inside(field, key), found)
        elif isinstance(item, list | dict):
            _search(item, _inside(field, key), found, tools=key == "tools")


def _choice(tool: Mapping[str, Any], field: str, found: list[Named]) -> None:
    """A tool that leaves the choice open."""
    kind = tool.get("type", tool.get("id"))
    wanted = CHOOSERS.get(kind) if isinstance(kind, str) else None
    if wanted is None or tool.get("enabled") is False:
        return
    said = tool.get("parameters", tool)
    if not isinstance(said, dict) or not all(map(said.get, wanted)):
        found.append(Named(field, ANY))
