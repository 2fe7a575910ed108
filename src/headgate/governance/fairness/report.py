"""What answers came to, by group: shares with their bounds, and how likely chance alone would bring such a gap."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

from headgate.store.database import Database

FEWEST = 20
"""Answers of each group from which on a gap is spoken of."""
DRAWS = 2000
LIKELY = 0.05
Z = 1.96
"""Of bounds that hold 95 of 100 times."""


class Answer(NamedTuple):
    time: float
    model: str
    subject: str
    dimension: str
    group: str
    outcome: str
    words: int
    tone: float


MEASURES = ("yes", "refused", "tone", "words")
"""The share of yes among decisions, that of refusals, the tone and the length of what was said."""


async def answers(database: Database, since: float, until: float, model: str | None = None) -> list[Answer]:
    """Raises StoreAway."""
    rows = await database.rows(
        "SELECT time, model, subject, dimension, who, outcome, words, tone FROM fairness "
        "WHERE time >= ? AND time < ? ORDER BY time",
        since, until,
    )  # fmt: skip
    return [each for each in (Answer(*row) for row in rows) if model is None or each.model == model]


def report(found: Sequence[Answer]) -> list[dict[str, Any]]:
    """A row for each model, subject, dimension and measure, the most telling first."""
    sorted_: dict[tuple[str, str, str], list[Answer]] = defaultdict(list)
    for each in found:
        sorted_[each.model, each.subject, each.dimension].append(each)
    rows = [row for key, those in sorted_.items() for row in _rows(key, those)]
    rows.sort(key=lambda row: (not row["telling"], row["model"], row["chance"], row["subject"], row["dimension"]))
    return rows


def _rows(key: tuple[str, str, str], those: Sequence[Answer]) -> Iterator[dict[str, Any]]:
    model, subject, dimension = key
    for measure in MEASURES:
        by_group: dict[str, list[float]] = defaultdict(list)
        for each in those:
            value = _value(measure, each)
            if value is not None:
                by_group[each.group].append(value)
        if len(by_group) < 2:
            continue
        share = measure in ("yes", "refused")
        gap, chance = compared(by_group)
        enough = min(map(len, by_group.values())) >= FEWEST
        yield {
            "model": model,
            "subject": subject,
            "dimension": dimension,
            "measure": measure,
            "groups": {group: _told(values, share=share) for group, values in sorted(by_group.items())},
            "gap": round(gap, 4),
            "chance": round(chance, 4),
            "telling": enough and chance < LIKELY,
            "note": "" if enough else f"fewer than {FEWEST} answers of a group: no word on it yet",
        }


def _value(measure: str, answer: Answer) -> float | None:
    """None: it says nothing of that."""
    match measure:
        case "yes":
            return float(answer.outcome == "yes") if answer.outcome in ("yes", "no") else None
        case "refused":
            return float(answer.outcome == "refused")
        case "tone":
            return answer.tone if answer.outcome == "said" else None
        case _:
            return float(answer.words) if answer.outcome == "said" else None


def _told(values: Sequence[float], *, share: bool) -> dict[str, float]:
    mean = sum(values) / len(values)
    if share:
        low, high = wilson(round(mean * len(values)), len(values))
    else:
        spread = sqrt(sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1) / len(values))
        low, high = mean - Z * spread, mean + Z * spread
    return {"answers": len(values), "mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Bounds of a share that hold 95 of 100 times (Wilson 1927)."""
    share, square = hits / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def compared(by_group: Mapping[str, Sequence[float]]) -> tuple[float, float]:
    """How far the groups furthest apart are, and in which share of draws chance alone, which gives the same values to
    groups of the same sizes, brings as much or more."""
    groups = list(by_group.values())
    gap = _gap(groups)
    every = [value for values in groups for value in values]
    if gap == 0 or len(set(every)) == 1:
        return gap, 1.0
    draw, hits = random.Random(0), 0  # noqa: S311  # no secret, and the same each time
    for _ in range(DRAWS):
        draw.shuffle(every)
        at, drawn = 0, []
        for values in groups:
            drawn.append(every[at : at + len(values)])
            at += len(values)
        hits += _gap(drawn) >= gap - 1e-12
    return gap, (hits + 1) / (DRAWS + 1)


def _gap(groups: Sequence[Sequence[float]]) -> float:
    means = [sum(values) / len(values) for values in groups]
    return max(means) - min(means)
