"""What Claude's models take of thinking and sampling, whichever API they are asked through.

- Claude 4.6 and newer think adaptively, with an effort (minimal is said as low, xhigh before 4.7 as high). Older and
  other models get a budget (`BUDGETS`), at most half of `max_tokens`, and none where that leaves less than 1,024, where
  a tool is forced, or where the running tool turn has no signed thinking. Before 3.7 they do not think.
- Temperature is at most 1; temperature and top_p together, any of them beside thinking, and all of them for Claude 4.7
  and newer are refused by the API and so are named as lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from headgate.core.chat import ChatRequest, Loss

BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
"""Tokens of thinking for an effort, for models that know no effort."""
LEAST_BUDGET = 1024
UNDER_WAY = "the answer under way began without signed thinking, so it goes on without"
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")


def version(model: str) -> tuple[int, int]:
    """Of a model's name in any form (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`); (0, 0) where it tells none."""
    found = _VERSION.search(model)
    if found:
        return int(found[1]), int(found[2] or 0)
    return (4, 7) if "claude-mythos" in model else (0, 0)


class Claude:
    """One model, and what is said to it of a request; what it does not take is put down in `lost`."""

    def __init__(self, request: ChatRequest, lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.version = version(request.model)

    def lose(self, path: str, why: str) -> None:
        self.lost.append(Loss(path, why))

    def reasoning(
        self, *, forced: bool, answers_unsigned: Callable[[], bool]
    ) -> tuple[dict[str, Any] | None, str | None]:
        """The fields `thinking` and `output_config.effort`. `forced`: a tool must be called; `answers_unsigned`: the
        answer under way began without thinking."""
        reasoning = self.request.reasoning
        if reasoning is None:
            return None, None
        if (0, 0) < self.version < (3, 7):
            if reasoning.effort not in (None, "none") or reasoning.budget is not None:
                self.lose("reasoning_effort", "the model does not think: Claude 3.7 and newer do")
            return None, None
        if reasoning.effort == "none" or reasoning.mode == "disabled":
            return {"type": "disabled"}, None
        effort, budget = reasoning.effort, reasoning.budget
        if effort is None and budget is None:
            return None, None
        if effort is None:
            effort = next((word for word in ("low", "medium", "high") if (budget or 0) <= BUDGETS[word]), "xhigh")
        if self.version >= (4, 6):
            # newer models keep their thinking to themselves where nothing else is said
            shown = {} if reasoning.display is None else {"display": reasoning.display}
            return (None if forced else {"type": "adaptive", **shown}), self._effort(effort)
        if forced:
            self.lose("reasoning_effort", "Claude does not think where a tool is forced")
            return None, None
        budget = BUDGETS.get(effort, BUDGETS["high"]) if budget is None else budget
        return self._budget(budget, answers_unsigned), None

    def _effort(self, effort: str) -> str:
        known = ("low", "medium", "high", "max") if self.version < (4, 7) else ("low", "medium", "high", "xhigh", "max")
        if effort in known:
            return effort
        said = "low" if effort == "minimal" else "high"
        self.lose("reasoning_effort", f"{effort} is said as {said}: the model knows {', '.join(known)}")
        return said

    def _budget(self, budget: int, answers_unsigned: Callable[[], bool]) -> dict[str, Any] | None:
        """Thinking with a budget, where the conversation has room for it."""
        if self.request.max_tokens is not None:
            budget = min(budget, self.request.max_tokens // 2)
        if budget < LEAST_BUDGET and self.request.max_tokens is not None:
            self.lose("reasoning_effort", "max_tokens leaves no room for thinking: 2048 at least")
            return None
        if answers_unsigned():
            self.lose("reasoning_effort", UNDER_WAY)
            return None
        return {"type": "enabled", "budget_tokens": max(budget, LEAST_BUDGET)}

    def sampling(self, thinks: bool) -> dict[str, Any]:
        """`temperature`, `top_p` and `top_k` as far as the model takes them."""
        request = self.request
        wanted = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
        fields = {key: value for key, value in wanted.items() if value is not None}
        if fields.get("temperature") is not None and fields["temperature"] > 1:
            self.lose("temperature", "set to 1, the highest that Claude takes")
            fields["temperature"] = 1.0
        for key in list(fields):
            if self.version >= (4, 7):
                self.lose(key, "the model takes no sampling parameters")
            elif thinks:
                self.lose(key, "not taken while the model thinks")
            elif key == "top_p" and "temperature" in fields:
                self.lose(key, "the model takes temperature or top_p, not both")
            else:
                continue
            del fields[key]
        return fields
