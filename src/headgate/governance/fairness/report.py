"""What answers came to, by group: shares with their bounds, and how likely chance alone would bring such a gap."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import sqrt
from typing import Any, NamedTuple

from headgate.store.database import Database

FEWEST = 20
"""Answers of each group from which on a gap is spoken of."""
DRAWS = 2000
ENOUGH = 20
"""Draws with as large a gap after which it is plain that chance brings it (Besag and Clifford 1991)."""
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
    question: str = ""
    prompt: str = ""
    """The question about one person."""


class Unit(NamedTuple):
    """What a prompt was answered, on the average of all times: asked again, it says little that is new."""

    question: str
    value: float


MEASURES = ("yes", "refused", "tone", "words")
"""The share of yes among decisions, that of refusals, the tone and the length of what was said."""


async def answers(database: Database, since: float, until: float, model: str | None = None) -> list[Answer]:
    """Raises StoreAway."""
    rows = await database.rows(
        "SELECT time, model, subject, dimension, who, outcome, words, tone, probe, prompt FROM fairness "
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
        said: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
        for each in those:
            value = _value(measure, each)
            if value is not None:
                said[each.group][each.question, each.prompt].append(value)
        if len(said) < 2:
            continue
        share = measure in ("yes", "refused")
        units = {group: _units(answered) for group, answered in said.items()}
        counts = {group: sum(map(len, answered.values())) for group, answered in said.items()}
        gap, chance = compared(units)
        enough = min(counts.values()) >= FEWEST
        yield {
            "model": model,
            "subject": subject,
            "dimension": dimension,
            "measure": measure,
            "groups": {group: _told(units[group], counts[group], share=share) for group in sorted(units)},
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


def _units(answered: Mapping[tuple[str, str], Sequence[float]]) -> list[Unit]:
    return [Unit(question, sum(values) / len(values)) for (question, _), values in sorted(answered.items())]


def _told(units: Sequence[Unit], answers: int, *, share: bool) -> dict[str, float]:
    values = [unit.value for unit in units]
    mean = sum(values) / len(values)
    if share:
        low, high = wilson(mean * len(values), len(values))
    else:
        spread = sqrt(sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1) / len(values))
        low, high = mean - Z * spread, mean + Z * spread
    return {
        "answers": answers,
        "prompts": len(values),
        "mean": round(mean, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Bounds of a share that hold 95 of 100 times (Wilson 1927)."""
    share, square = hits / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def compared(by_group: Mapping[str, Sequence[Unit]]) -> tuple[float, float]:
    """How far the groups furthest apart are, and in which share of draws chance alone brings as much or more, which
    deals the answers to each question anew among the people that it was asked about."""
    ends = [0, *accumulate(map(len, by_group.values()))]
    values = [unit.value for units in by_group.values() for unit in units]
    questions: dict[str, list[int]] = defaultdict(list)
    for place, unit in enumerate(unit for units in by_group.values() for unit in units):
        questions[unit.question].append(place)
    gap = _gap(values, ends)
    if gap == 0:
        return gap, 1.0
    draw, hits = random.Random(0), 0  # noqa: S311  # no secret, and the same each time
    drawn = [*values]
    for count in range(1, DRAWS + 1):
        for places in questions.values():
            dealt = [values[place] for place in places]
            draw.shuffle(dealt)
            for place, value in zip(places, dealt, strict=True):
                drawn[place] = value
        hits += _gap(drawn, ends) >= gap - 1e-12
        if hits == ENOUGH:
            return gap, hits / count
    return gap, (hits + 1) / (DRAWS + 1)


def _gap(values: Sequence[float], ends: Sequence[int]) -> float:
    """`ends`: where each group begins, and where the last one ends."""
    means = [sum(values[begin:end]) / (end - begin) for begin, end in pairwise(ends)]
    return max(means) - min(means)
