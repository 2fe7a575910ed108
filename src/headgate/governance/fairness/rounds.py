"""Rounds of questions from their begin to their end, for the command and for the gateway that asks by itself."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from headgate.config.load import Loaded
from headgate.config.remote import address
from headgate.config.schema import Config
from headgate.governance.databases import Databases
from headgate.governance.fairness.asking import Round, ask_all, claim, keep
from headgate.governance.fairness.probes import chosen
from headgate.governance.fairness.report import LIKELY, Answer, answers, report
from headgate.store.database import Database, StoreAway

log = logging.getLogger("headgate.governance")

Tell = Callable[[int, int], object]
NONE = "outcomes are kept in the database of records: set records.store"
PATIENCE = 15.0
"""Seconds until there is a database, where these were the first requests ever."""
PERIODS = {"month": "%Y-%m", "week": "%G-W%V"}


def key_of(config: Config) -> str:
    """Raises click.ClickException where there is none."""
    key = config.fairness.key
    if key is None:
        raise click.ClickException("say with which key it is asked: `fairness: {key: …}`")
    return key.get_secret_value()


def hold(
    loaded: Loaded, environ: Mapping[str, str], models: Sequence[str], seed: int | None, url: str | None, tell: Tell
) -> Round:
    """Raises click.ClickException."""
    config = loaded.config
    asked = tuple(models) or tuple(config.fairness.models)
    if not asked:
        raise click.ClickException("say who is asked: `fairness: {models: […]}`, or --model")
    key, url = key_of(config), url or clients(config)
    if next(chosen(config.fairness, 0), None) is None:
        raise click.ClickException("no question is left of `fairness`: see its subjects, dimensions and most_requests")
    databases = Databases(config, environ, loaded.references)
    if not config.records.store:
        raise click.ClickException(NONE)  # before anything is paid for
    drawn = random.randrange(1 << 32) if seed is None else seed  # noqa: S311  # which questions, no secret
    held = ask_all(config.fairness, asked, url, key, drawn, tell)
    until = time.monotonic() + PATIENCE
    while held.answers and not databases.has_records and time.monotonic() < until:
        time.sleep(0.1)  # the first records, those of these questions, are on their way there
    if held.answers and not databases.has_records:
        raise click.ClickException(f"there is no database of records after {PATIENCE:g} s: {NONE}")
    _run(databases, lambda database: keep(database, held.answers))
    return held


def reported(
    loaded: Loaded,
    environ: Mapping[str, str],
    since: datetime,
    until: datetime | None,
    model: str | None,
    by: str | None,
) -> list[dict[str, Any]]:
    """Raises click.ClickException."""
    databases = Databases(loaded.config, environ, loaded.references)
    end = until.timestamp() if until is not None else time.time()
    found = _run(databases, lambda database: answers(database, since.timestamp(), end, model))
    return rows_of(found or [], by)


def rows_of(found: Sequence[Answer], by: str | None) -> list[dict[str, Any]]:
    """Each period by itself, where one is said."""
    if by is None:
        return report(found)
    parts: dict[str, list[Answer]] = {}
    for each in found:
        parts.setdefault(datetime.fromtimestamp(each.time, UTC).strftime(PERIODS[by]), []).append(each)
    return [{"period": period, **row} for period, those in parts.items() for row in report(those)]


def clients(config: Config) -> str:
    """Where clients ask. Raises click.ClickException."""
    if config.fairness.url is not None:
        return config.fairness.url
    return address(config.model_copy(update={"server": config.server.model_copy(update={"admin": None})}))


def _run(databases: Databases, ask: Callable[[Database], Any]) -> Any:
    async def asked() -> Any:
        try:
            database = await databases.records()
            return None if database is None else await ask(database)
        finally:
            await databases.close()

    try:
        return asyncio.run(asked())
    except StoreAway as error:
        raise click.ClickException(f"the database of records is away: {error}") from error


async def due(loaded: Loaded, databases: Databases, now: float) -> Round | None:
    """The round that is due now, if nobody else holds it. What goes wrong is told in the log. Raises StoreAway."""
    config = loaded.config
    every, database = config.fairness.every, await databases.records()
    if every is None or database is None or not await claim(database, every, now):
        return None
    try:
        url, key, said = clients(config), key_of(config), config.fairness
        held = await asyncio.to_thread(ask_all, said, said.models, url, key, int(now // every), lambda done, of: None)
    except click.ClickException as error:
        log.warning("the questions of `fairness` cannot be asked: %s", error.message)
        return None
    await keep(database, held.answers)
    if held.failed:
        log.warning("%d of the questions of `fairness` had no answer, the last: %s", held.failed, held.why)
    found = await answers(database, now - 4 * every, now + every)
    for row in await asyncio.to_thread(report, found):
        if row["telling"]:
            log.warning(
                "answers of %s differ by %s: %s of %s, %.3g apart, which chance would bring in %.3g of 1 (below %g)",
                row["model"], row["dimension"], row["measure"], row["subject"], row["gap"], row["chance"], LIKELY,
            )  # fmt: skip
    return held
