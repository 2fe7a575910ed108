"""What Bedrock's models take beside the fields that all of them share, by family; a part of `bedrock_converse`.

These stand in `additionalModelRequestFields`, each family's in its own words:

| family | reasoning | top_k |
|---|---|---|
| anthropic.claude | `thinking` (`reasoning_config` is the same), `output_config.effort` | `top_k` |
| amazon.nova | `reasoningConfig`: `type`, `maxReasoningEffort` | `inferenceConfig.topK` |
| openai.gpt-oss, moonshot | `reasoning_effort` | |
| openai | `reasoning.effort` | |
| others | | `top_k` (`k` of Cohere's) |

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html,
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
"""

from __future__ import annotations

import re
from typing import Any, Literal

from headgate.core.chat import ChatRequest, Reasoning
from headgate.core.marking import EVERYWHERE, Markable

Fields = dict[str, Any]
Family = Literal["claude", "nova", "gpt-oss", "openai", "moonshot", "cohere", "other"]

_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("anthropic.claude", "claude"),
    ("amazon.nova", "nova"),
    ("openai.gpt-oss", "gpt-oss"),
    ("openai.", "openai"),
    ("moonshot.", "moonshot"),
    ("moonshotai.", "moonshot"),
    ("cohere.", "cohere"),
)
_START = re.compile(r"(?:arn:[^/]*/)?(?:[a-z-]+\.(?=[a-z0-9]+\.))?")
"""What may stand before a family's name: an ARN up to its resource, and the regions of an inference profile."""
_KEYS = ("thinking", "reasoning_config", "reasoningConfig", "reasoning_effort", "reasoning", "output_config")
_MODES = ("enabled", "disabled", "adaptive")
_MARKABLE = {"claude": EVERYWHERE, "nova": Markable(frozenset({"system", "turns"}), hour=False)}


class Said(Reasoning, kw_only=True):
    """Reasoning as a client of this API asked for it: what it said goes out as it was, if nobody changed it."""

    additional: Fields = {}
    output_effort: str | None = None


def family_of(model: str) -> Family:
    """Of a model's id, an inference profile's or an ARN; "other" for an ARN that does not tell."""
    rest = model[_START.match(model).end() :]  # type: ignore[union-attr]  # it fits the empty text too
    return next((family for start, family in _FAMILIES if rest.startswith(start)), "other")


def markable_of(model: str) -> Markable:
    """Where cache points may stand: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"""
    return _MARKABLE.get(family_of(model), Markable(frozenset()))


def read_additional(additional: Fields, effort: str | None) -> tuple[int | None, Reasoning | None]:
    """`top_k` and the reasoning, taken out of the fields; `effort` is that of `outputConfig`."""
    top_k = _read_top_k(additional)
    said = {key: additional[key] for key in _KEYS if key in additional}
    reasoning = _reasoning(said, effort)
    if reasoning is None:
        return top_k, None
    for key in said:
        left = _beside_effort(key, said[key])
        if left:
            said[key] = {"effort": said[key]["effort"]}
            additional[key] = left
        else:
            del additional[key]
    found = Said(additional=said, output_effort=effort, **_fields(reasoning))
    return top_k, found


def _beside_effort(key: str, value: Any) -> Fields:
    """What stands in `output_config` or `reasoning` beside the effort."""
    if key not in ("output_config", "reasoning") or not isinstance(value, dict):
        return {}
    return {name: item for name, item in value.items() if name != "effort"}


def _fields(reasoning: Reasoning) -> Fields:
    return {name: getattr(reasoning, name) for name in ("effort", "budget", "mode", "display")}


def _read_top_k(additional: Fields) -> int | None:
    value = additional.get("top_k")
    if type(value) is int:
        del additional["top_k"]
        return value
    config = additional.get("inferenceConfig")
    if isinstance(config, dict) and type(config.get("topK")) is int:
        left = {key: item for key, item in config.items() if key != "topK"}
        if left:
            additional["inferenceConfig"] = left
        else:
            del additional["inferenceConfig"]
        return int(config["topK"])
    return None


def _reasoning(said: Fields, effort: str | None) -> Reasoning | None:
    """What the fields ask for, whichever family's words they are; None where they ask for nothing one knows."""
    found = Reasoning(effort=effort)
    for key, value in said.items():
        if key == "reasoning_effort" and isinstance(value, str):
            found.effort = value
        elif not isinstance(value, dict):
            return None
        elif key in ("output_config", "reasoning"):
            word = value.get("effort")
            if not isinstance(word, str):
                return None
            found.effort = word
        else:
            mode, budget, word = value.get("type"), value.get("budget_tokens"), value.get("maxReasoningEffort")
            if mode not in _MODES or type(budget) not in (int, type(None)) or not isinstance(word, str | None):
                return None
            found.mode, found.budget, found.effort = mode, budget, word or found.effort
            display = value.get("display")
            found.display = display if isinstance(display, str) else None
    return found if said or effort is not None else None


def write_additional(request: ChatRequest, family: Family) -> tuple[Fields, str | None]:
    """The additional fields for a request of this dialect, and `outputConfig.effort`."""
    fields = write_top_k(request.top_k, family)
    reasoning = request.reasoning
    if reasoning is None:
        return fields, None
    if isinstance(reasoning, Said):
        told = _reasoning(reasoning.additional, reasoning.output_effort)
        if told is not None and _fields(told) == _fields(reasoning):
            return {**fields, **reasoning.additional}, reasoning.output_effort
    if family == "claude":
        thinking = {"type": reasoning.mode, "budget_tokens": reasoning.budget, "display": reasoning.display}
        if reasoning.mode is not None:
            fields["thinking"] = {key: value for key, value in thinking.items() if value is not None}
        return fields, reasoning.effort
    return {**fields, **write_effort(reasoning.effort, family)}, None


def write_top_k(top_k: int | None, family: Family) -> Fields:
    if top_k is None:
        return {}
    if family == "nova":
        return {"inferenceConfig": {"topK": top_k}}
    return {"k" if family == "cohere" else "top_k": top_k}


def write_effort(effort: str | None, family: Family) -> Fields:
    """An effort the family knows, in its words."""
    match family:
        case "nova" if effort == "none":
            return {"reasoningConfig": {"type": "disabled"}}
        case "nova" if effort is not None:
            return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}
        case "gpt-oss" | "moonshot" if effort is not None:
            return {"reasoning_effort": effort}
        case "openai" if effort is not None:
            return {"reasoning": {"effort": effort}}
    return {}
