"""Answers that are kept, taken out before their time."""

from __future__ import annotations

import time

import msgspec
from pydantic import Field

from headgate.admin.call import Answer, Call, read, time_told
from headgate.admin.problems import Problem, away_told, missing
from headgate.config.section import Section
from headgate.core.cached import NotGiven, Verdict, Which
from headgate.store.database import StoreAway
from headgate.store.objects import Objects


class Clearing(Section):
    """Which answers: those of which all is so that is said; all, where nothing is."""

    alias: str | None = Field(None, max_length=2048, description="Answers of this name.")
    key: str | None = Field(None, max_length=1000, description="To requests of this key, by its name.")
    team: str | None = Field(None, max_length=1000, description="To requests of this team.")
    organisation: str | None = Field(None, max_length=1000, description="To requests of this organisation.")
    user: str | None = Field(None, max_length=1000, description="To requests of this user's keys.")
    end_user: str | None = Field(None, max_length=1000, description="That were asked for first for this end user.")
    tag: str | None = Field(None, max_length=128, description="Of requests that said this in `x-headgate-cache-tags`.")
    entry: str | None = Field(
        None, pattern=r"^([0-9a-f]{2}){1,64}$", description="The one whose `x-headgate-cache-entry` this is."
    )
    older_than: float = Field(0.0, ge=0, le=1e9, description="Asked for so many seconds ago, or longer.")


class Report(Section):
    """What is said of the answer that a request got from the cache."""

    request: str = Field(min_length=1, max_length=200, description="The request's id.")
    verdict: Verdict = Field(description="A `wrong` one is taken out, and more like a question has to be there.")


async def report(call: Call) -> Answer:
    """By the record of the request, whoever made it."""
    said = read(Report, call.body)
    try:
        found = await call.control.records.one(said.request, None)
        if found is None:
            raise missing("requests", said.request)
        outcome = await call.control.running.answers.verdicts.report(found.record, said.verdict, call.actor.name)
    except StoreAway as away:
        raise away_told(away) from None
    except NotGiven:
        detail = "this request was given no answer from the cache"
        raise Problem(409, "not_cached", detail) from None
    except OSError as error:
        raise _away(error) from error
    told = {"verdict": said.verdict, "taken_out": outcome.taken_out, "threshold": outcome.threshold}
    await Objects(await call.control.database()).note("report", "cache", said.request, call.actor, told)
    return 200, msgspec.to_builtins(outcome)


async def thresholds(call: Call) -> Answer:
    """Those that reports have raised."""
    try:
        raised = await call.control.running.answers.verdicts.raised()
    except OSError as error:
        raise _away(error) from error
    return 200, {"items": [{**msgspec.to_builtins(each), "time": time_told(each.time)} for each in raised]}


async def reset_thresholds(call: Call) -> Answer:
    await Objects(await call.control.database()).note("reset", "cache", "thresholds", call.actor, {})
    try:
        await call.control.running.answers.verdicts.forget()
    except OSError as error:
        raise _away(error) from error
    return 200, {"reset": True}


async def clear_cache(call: Call) -> Answer:
    """In every process of this machine; in the state, where answers are there."""
    said = read(Clearing, call.body)
    which = Which(said.alias, said.key, said.team, said.organisation, time.time() - said.older_than)
    which = which._replace(user=said.user, tag=said.tag, id=said.entry, end_user=said.end_user)
    told = said.model_dump(exclude_defaults=True)
    await Objects(await call.control.database()).note("clear", "cache", said.alias or "*", call.actor, told)
    try:
        return 200, {"cleared": await call.control.running.answers.clear(which)}
    except OSError as error:
        raise _away(error) from error


def _away(error: OSError) -> Problem:
    return Problem(503, "cache_away", f"not all of it could be done, do it again: {error}", retry_after="2")
