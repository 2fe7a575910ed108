"""Answers that are kept, taken out before their time."""

from __future__ import annotations

import time

from pydantic import Field

from headgate.admin.call import Answer, Call, read
from headgate.admin.problems import Problem
from headgate.config.section import Section
from headgate.core.cached import Which
from headgate.store.objects import Objects


class Clearing(Section):
    """Which answers: those of which all is so that is said; all, where nothing is."""

    alias: str | None = Field(None, max_length=2048, description="Answers of this name.")
    key: str | None = Field(None, max_length=1000, description="To requests of this key, by its name.")
    team: str | None = Field(None, max_length=1000, description="To requests of this team.")
    organisation: str | None = Field(None, max_length=1000, description="To requests of this organisation.")
    user: str | None = Field(None, max_length=1000, description="To requests of this user's keys.")
    tag: str | None = Field(None, max_length=128, description="Of requests that said this in `x-headgate-cache-tags`.")
    entry: str | None = Field(
        None, pattern=r"^([0-9a-f]{2}){1,64}$", description="The one whose `x-headgate-cache-entry` this is."
    )
    older_than: float = Field(0.0, ge=0, le=1e9, description="Asked for so many seconds ago, or longer.")


async def clear_cache(call: Call) -> Answer:
    """In every process of this machine; in the state, where answers are there."""
    said = read(Clearing, call.body)
    which = Which(said.alias, said.key, said.team, said.organisation, time.time() - said.older_than)
    which = which._replace(user=said.user, tag=said.tag, id=said.entry)
    told = said.model_dump(exclude_defaults=True)
    await Objects(await call.control.database()).note("clear", "cache", said.alias or "*", call.actor, told)
    try:
        return 200, {"cleared": await call.control.running.answers.clear(which)}
    except OSError as error:
        detail = f"not all answers could be taken out, do it again: {error}"
        raise Problem(503, "cache_away", detail, retry_after="2") from error
