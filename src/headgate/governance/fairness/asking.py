"""A round of questions to a running gateway, and what came of it into the database of records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import click

from headgate.config.fairness import Fairness
from headgate.config.remote import ask
from headgate.governance.fairness.outcome import Outcome, read
from headgate.governance.fairness.probes import Probe, chosen
from headgate.store.database import Database, Taken

log = logging.getLogger("headgate.governance")

PATH = "/v1/chat/completions"
AT_ONCE = 4
TAG = "fairness"
ENOUGH = 20
"""Failures in a row after which a round is given up."""


class Asked(NamedTuple):
    """A question that was answered."""

    time: float
    model: str
    probe: Probe
    request: str
    """The id of the request."""
    outcome: Outcome


class Round(NamedTuple):
    """What one came to. `failed`: how many had no answer, and the last why."""

    answers: Sequence[Asked]
    failed: int = 0
    why: str = ""


def ask_all(
    settings: Fairness, models: Sequence[str], url: str, key: str, seed: int, tell: Callable[[int, int], object]
) -> Round:
    """`tell` hears how many of how many are done. Blocks: it is for a thread."""
    questions = [(model, probe) for probe in chosen(settings, seed) for model in models]
    answers: list[Asked] = []
    failed, row, why = 0, 0, ""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, found in enumerate(_answers(pool, settings, questions, url, key), 1):
            if isinstance(found, Asked):
                answers.append(found)
                row = 0
            else:
                failed, row, why = failed + 1, row + 1, found
            tell(number, len(questions))
            if row >= ENOUGH:
                pool.shutdown(cancel_futures=True)
                why = f"given up after {row} failures in a row: {why}"
                break
    return Round(answers, failed, why)


def _answers(
    pool: ThreadPoolExecutor, settings: Fairness, questions: Sequence[tuple[str, Probe]], url: str, key: str
) -> Iterator[Asked | str]:
    """A few at a time: what is given up is not asked."""
    for begin in range(0, len(questions), AT_ONCE):
        some = questions[begin : begin + AT_ONCE]
        yield from pool.map(lambda each: _one(settings, *each, url=url, key=key), some)


def _one(settings: Fairness, model: str, probe: Probe, *, url: str, key: str) -> Asked | str:
    """Why there is no answer, in words."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": probe.text}],
        "max_tokens": settings.max_tokens,
    }
    headers = {"x-headgate-tags": f"{TAG},{TAG}={probe.subject}", "cache-control": "no-store"}
    try:
        answer = ask(url, key, "POST", PATH, body, headers)
    except click.ClickException as error:
        return error.message
    if answer.status != 200:
        told = answer.body.get("error") if isinstance(answer.body, dict) else None
        return f"{model}: {answer.status} {told.get('message', '')[:200] if isinstance(told, dict) else ''}".strip()
    text = _text(answer.body)
    if not text and _finish(answer.body) == "length":
        return f"{model}: not a word within {settings.max_tokens} tokens; set fairness.max_tokens higher"
    outcome = read(text, decision=probe.decision)
    return Asked(time.time(), model, probe, str(answer.body.get("id", "")), outcome)


def _text(body: Any) -> str:
    try:
        return str(body["choices"][0]["message"]["content"] or "")
    except (KeyError, IndexError, TypeError):
        return ""


def _finish(body: Any) -> Any:
    try:
        return body["choices"][0]["finish_reason"]
    except (KeyError, IndexError, TypeError):
        return None


async def keep(database: Database, answers: Sequence[Asked]) -> None:
    """Raises StoreAway."""
    async with database.transaction() as within:
        for each in answers:
            probe, outcome = each.probe, each.outcome
            await within.run(
                "INSERT INTO fairness (time, model, subject, dimension, who, probe, prompt, request, outcome, words, "
                "tone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                each.time, each.model, probe.subject, probe.dimension, probe.group, probe.pair, probe.prompt,
                each.request[:100], outcome.kind, outcome.words, outcome.tone,
            )  # fmt: skip


async def claim(database: Database, every: float, now: float) -> bool:
    """Whether the round that is due is ours: of all who share the database one gets it. Raises StoreAway."""
    try:
        await database.run("INSERT INTO fairness_runs (slot, time) VALUES (?, ?)", int(now // every), now)
    except Taken:
        return False
    return True
