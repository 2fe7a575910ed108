"""How much thinking a prompt asks for, between 0 and 1, by what can be seen of it without understanding it.

What counts: length; questions and steps; code; mathematics; words that bound the answer; words that ask for reasoning,
and those that ask for something small (tasks.txt, in some twenty languages); how long the conversation is; tools. The
weights were fitted to one half of the prompts in tests/stages/rules/prompts and to sixty each of two public sets
(GSM8K; Banking77 and CLINC150), and are measured on others.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path

from headgate.stages.rules.words import Words

FILE = Path(__file__).with_name("tasks.txt")
LOOKED_AT = 5000
"""Characters: half of them at the beginning, half at the end. Of what lies between only the length counts."""
LETTERS_PER_WORD = 6
COMPLEX = 0.5
"""From here on a prompt is complex."""

# blanks at a beginning end with the line: of a text of empty ones, all would be tried from each
STEP = re.compile(
    r"^[^\S\n]*(?:[-*•]|\d+[.)])\s|[;\uff1b]|\b(?:then|and then|danach|dann|puis|luego|poi)\b",
    re.MULTILINE | re.IGNORECASE,
)
QUESTION = re.compile("[?\uff1f\u061f]")
CLAUSE = re.compile("[,:\uff0c\u3001\uff1a\u060c]")
CODE = re.compile(
    r"```|^[^\S\n]*(?:def|class|import|from|function|const|let|var|public|#include|SELECT|Traceback|at )\b|[{};]\s*$"
    r"|\w\(\w*\)|->|=>|==|!=|\+=|&&|\|\||\.(?:py|js|ts|go|rs|java|cpp?)\b"
    r"|\b(?:SQL|Python|Java|JavaScript|TypeScript|Rust|Go|C\+\+|React|Kubernetes|Postgres|MySQL|bash|JSON|API|regex)\b",
    re.MULTILINE,
)
MATHS = re.compile(
    r"[∫∑√∞≤≥≠±∂∇∈∀∃]|\\(?:frac|int|sum|sqrt|begin)|\$[^$\n]{1,200}\$"
    r"|\b[a-z]\^|\b[a-z]\([a-z]\)\s*=|\d\s*[a-z]\s*[-+*/=]|[=<>]\s*-?\d"
)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
SPACED = re.compile(r"\S+")
UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff]")

WEIGHTS: Mapping[str, float] = {
    "length": 1.65, "steps": 0.41, "clauses": 0.81, "code": 0.13, "maths": 0.17, "numbers": 1.75, "bounds": 0.88,
    "hard": 2.41, "easy": -0.73,
    # not fitted, as the prompts have neither: a long conversation and many tools make it a little harder
    "turns": 0.2, "tools": 0.3,
}  # fmt: skip
BIAS = -4.08


def score(prompt: str, turns: int = 1, tools: int = 0) -> float:
    """`turns`: how often the user has spoken. From 0 (simple) to 1."""
    found = features(prompt, turns, tools)
    return 1 / (1 + math.exp(-BIAS - sum(WEIGHTS[name] * value for name, value in found.items())))


def features(prompt: str, turns: int = 1, tools: int = 0) -> dict[str, float]:
    """What is seen of a prompt; counts are damped, so that no one of them decides alone."""
    more = len(prompt) - LOOKED_AT
    text = prompt if more <= 0 else f"{prompt[: LOOKED_AT // 2]}\n{prompt[-LOOKED_AT // 2 :]}"
    words = len(SPACED.findall(text)) + len(UNSPACED.findall(text)) / 2 + max(more, 0) / LETTERS_PER_WORD
    tasks = _tasks()
    return {
        "length": math.log1p(words / 10),
        "steps": _damped(len(STEP.findall(text)) + max(len(QUESTION.findall(text)) - 1, 0)),
        "clauses": _damped(len(CLAUSE.findall(text))),
        "code": _damped(len(CODE.findall(text))),
        "maths": _damped(len(MATHS.findall(text))),
        "numbers": _damped(len(NUMBER.findall(text))),
        "bounds": _damped(tasks["bound"].count(text)),
        "hard": _damped(tasks["hard"].count(text)),
        "easy": _damped(tasks["easy"].count(text)),
        "turns": _damped(turns - 1),
        "tools": _damped(tools),
    }


@functools.cache
def _tasks() -> Mapping[str, Words]:
    """Read when the first prompt is looked at."""
    found: dict[str, list[str]] = {}
    for line in FILE.read_text("utf-8").splitlines():
        kind, words = line.split("\t")
        found.setdefault(kind, []).extend(words.split(", "))
    return {kind: Words(words) for kind, words in found.items()}


def _damped(count: int) -> float:
    return math.log2(1 + min(max(count, 0), 15))
