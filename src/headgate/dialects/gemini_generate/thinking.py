"""How much a Gemini model is to think first, as its generation takes it; a part of `gemini_generate`.

Gemini 2.5 takes a number of tokens, newer models a level: https://ai.google.dev/gemini-api/docs/thinking.
"""

from __future__ import annotations

from collections.abc import Callable

from headgate.core.chat import Reasoning
from headgate.dialects.gemini_generate.words import Fields, version_of

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
"""Tokens of thinking for an effort."""
LOW, MEDIUM = 2048, 12_288
"""Budgets up to which the level of a model that knows no budget is low and medium."""


def thinking(reasoning: Reasoning, model: str, lose: Callable[[str, str], None], *, shown: bool) -> Fields | None:
    """A `thinkingConfig`; None where nothing is to be said. `shown`: thoughts come with the answer."""
    version = version_of(model)
    off = reasoning.effort == "none" or reasoning.mode == "disabled"
    asked = reasoning.effort is not None or reasoning.budget is not None or reasoning.mode == "adaptive"
    if version < (2, 5):
        if asked and not off:
            lose("reasoning_effort", "the model does not think: Gemini 2.5 and newer do")
        return None
    if off:
        return _least(model, lose)
    if not asked:
        return None
    fields: Fields = {"includeThoughts": True} if shown else {}
    if version < (3, 0):
        return {**fields, "thinkingBudget": _budget(reasoning, model, lose)}
    level = _level(reasoning, model, lose)
    return {**fields, "thinkingLevel": level.upper()} if level else fields


def _least(model: str, lose: Callable[[str, str], None]) -> Fields:
    """As little thinking as the model can be told."""
    if version_of(model) < (3, 0):
        if "pro" not in model:
            return {"thinkingBudget": 0}
        lose("reasoning_effort", "said as 128 tokens: the model cannot be told not to think")
        return {"thinkingBudget": 128}
    level = "minimal" if _knows_minimal(model) else "low"
    lose("reasoning_effort", f"said as {level}: the model cannot be told not to think")
    return {"thinkingLevel": level.upper()}


def _knows_minimal(model: str) -> bool:
    return (3, 0) <= version_of(model) < (3, 7) and "flash" in model


def _budget(reasoning: Reasoning, model: str, lose: Callable[[str, str], None]) -> int:
    """Tokens within what Gemini 2.5 takes: Pro from 128 to 32,768, Flash up to 24,576, Flash-Lite from 512."""
    if reasoning.budget is None:
        return BUDGETS.get(reasoning.effort or "", -1)
    least, most = (128, 32_768) if "pro" in model else (512 if "lite" in model else 1, 24_576)
    budget = min(max(reasoning.budget, least), most)
    if budget != reasoning.budget:
        lose("thinking.budget_tokens", f"said as {budget}: the model takes from {least} to {most}")
    return budget


def _level(reasoning: Reasoning, model: str, lose: Callable[[str, str], None]) -> str | None:
    effort = reasoning.effort
    if effort is None and reasoning.budget is not None:
        effort = "low" if reasoning.budget <= LOW else "medium" if reasoning.budget <= MEDIUM else "high"
        said = _known(effort, model)
        lose("thinking.budget_tokens", f"said as the level {said}")
        return said
    if effort is None:
        return None  # as much as the model finds right, which is its default
    said = _known(effort, model)
    if said != effort:
        lose("reasoning_effort", f"{effort} is said as {said}")
    return said


def _known(effort: str, model: str) -> str:
    """The nearest level that the model knows."""
    if effort == "minimal":
        return "minimal" if _knows_minimal(model) else "low"
    if effort == "medium" and version_of(model) == (3, 0) and "pro" in model:
        return "high"
    return effort if effort in ("low", "medium") else "high"
