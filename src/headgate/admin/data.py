"""What is kept about one person, given out or deleted; and what is older than it is kept, purged at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pydantic import Field, model_validator

from headgate.admin.access import READ_PAYLOADS
from headgate.admin.call import Answer, Body, Call, moment, read
from headgate.admin.problems import Problem
from headgate.config.section import Section
from headgate.core.cached import Which, hidden
from headgate.governance.evidence import Asked, evidence
from headgate.governance.fairness.report import answers
from headgate.governance.fairness.rounds import PERIODS, rows_of
from headgate.governance.person import Held, Person, erase
from headgate.governance.purging import Purge
from headgate.store.objects import Objects

MONTH = 30 * 86400.0
MOST = 20_000
"""Lines of an answer: of more, the command writes a file (`headgate records --export`)."""


class Whose(Section):
    """A person: exactly one of both."""

    user: str | None = Field(None, min_length=1, max_length=1000, description="A user whose keys have asked.")
    end_user: str | None = Field(None, min_length=1, max_length=1000, description="Whom requests name as end user.")

    @model_validator(mode="after")
    def _one(self) -> Whose:
        if (self.user is None) == (self.end_user is None):
            raise ValueError("give either `user` or `end_user`")
        return self

    @property
    def person(self) -> Person:
        return Person("user", self.user) if self.user is not None else Person("end_user", self.end_user or "")


class Purging(Section):
    """A purge, made at once."""

    dry_run: bool = Field(False, description="Only count what would go.")


async def export_data(call: Call) -> Answer:
    """A file of evidence: its lines."""
    person, control = read(Whose, call.body).person, call.control
    databases, lines = control.databases(), list[Any]()
    asked = Asked(person.filter, {person.what: person.name}, call.who.role in READ_PAYLOADS)
    async for line in evidence(databases, asked, time.time()):
        lines.append(line)
        if len(lines) > MOST:
            told = (
                f"there are more than {MOST} lines; on its machine, `headgate records --export` writes them to a file"
            )
            raise Problem(413, "too_much", told)
    told_: Body = {"records": lines[-1]["end"], "payloads": sum("payload" in line for line in lines)}
    await Objects(await control.database()).note("export", "data", person.digest, call.actor, told_)
    return 200, {"lines": lines}


async def delete_data(call: Call) -> Answer:
    """Raises Problem where some of it is held: then nothing is deleted."""
    person, config = read(Whose, call.body).person, call.control.running.loaded.config
    try:
        done = await erase(call.control.databases(), config, person, call.actor)
    except Held as held:
        raise Problem(409, "held", f"nothing was deleted, as some of it is {held}") from None
    away = await _away(call, person)
    return 200, {
        **done._asdict(),
        "out_of_reach": [
            "what providers keep", "backups and replicas of the databases", "what sinks were given",
            "journals of other machines, until their segments go (ten minutes after they were written last)",
            *(f"{what}, which could not be reached: {do} once it can be" for what, do in away),
        ],
    }  # fmt: skip


async def _away(call: Call, person: Person) -> list[tuple[str, str]]:
    """Have answers and sessions taken out, too: of those that cannot be reached, what they are, and what to do."""
    running, away = call.control.running, []
    which = Which(**{person.what: hidden(person.name)}, before=time.time())
    try:
        if running.loaded.config.caches:
            await running.answers.clear(which)
    except OSError:
        away.append(("answers in the cache", "clear it"))
    try:
        await running.vaults.clear(which)
    except OSError:
        away.append(("sessions in which guards hid something", "forget them"))
    return away


async def purge(call: Call) -> Answer:
    """What is older than `retention` says."""
    dry = read(Purging, call.body).dry_run
    run = Purge(call.control.databases(), call.control.running.loaded.config, time.time(), dry=dry)
    return 200, {"dry_run": dry, "purged": [each._asdict() for each in await run.run(call.actor)]}


async def fairness(call: Call) -> Answer:
    """By `since`, `until`, `model`, and each `by` month or week."""
    since, until, by = moment(call, "since"), moment(call, "until"), call.query.get("by")
    if by is not None and by not in PERIODS:
        raise Problem(400, "invalid_query", f"`by` is {' or '.join(PERIODS)}")
    now = time.time()
    since, until = now - MONTH if since is None else since, now if until is None else until
    database = await call.control.databases().records()
    found = await answers(database, since, until, call.query.get("model")) if database is not None else []
    return 200, {"items": await asyncio.to_thread(rows_of, found, by)}
