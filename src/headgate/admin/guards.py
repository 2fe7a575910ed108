"""Policies tried out on a text, with nobody being asked and nothing of it kept; and what they keep of sessions,
forgotten."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from pydantic import Field

from headgate.admin.call import Answer, Call, read
from headgate.admin.problems import Problem
from headgate.config.identities import callers
from headgate.config.section import Section
from headgate.core.cached import Which
from headgate.core.caller import Caller
from headgate.governance.rehearsal import on_text, policies
from headgate.store.objects import Objects


class Trying(Section):
    """A text, and as what policies are to see it."""

    text: str = Field(max_length=1_000_000, description="What is said.")
    side: Literal["request", "reply"] = Field("request", description="Whether a model is asked it, or answers it.")
    role: Literal["user", "system", "assistant", "tool"] = Field("user", description="Who says it.")
    model: str = Field("", max_length=2048, description="The name that is asked for.")
    key: str | None = Field(None, max_length=1000, description="The key that asks, by its name.")
    policies: list[str] | None = Field(None, description="Only these. Left out: all.")


class Forgetting(Section):
    """Which sessions: those of which all is so that is said; all, where nothing is."""

    key: str | None = Field(None, max_length=1000, description="Begun by this key, by its name.")
    team: str | None = Field(None, max_length=1000, description="Of this team.")
    organisation: str | None = Field(None, max_length=1000, description="Of this organisation.")
    user: str | None = Field(None, max_length=1000, description="Of this user's keys.")
    end_user: str | None = Field(None, max_length=1000, description="Of requests that name this end user.")
    older_than: float = Field(0.0, ge=0, le=1e9, description="Begun so many seconds ago, or longer.")


async def forget_sessions(call: Call) -> Answer:
    """What was hidden in them does not come back any more, on any machine that shares them."""
    said = read(Forgetting, call.body)
    which = Which(None, said.key, said.team, said.organisation, time.time() - said.older_than)
    which = which._replace(user=said.user, end_user=said.end_user)
    told = said.model_dump(exclude_defaults=True)
    await Objects(await call.control.database()).note("clear", "sessions", "*", call.actor, told)
    try:
        return 200, {"forgotten": await call.control.running.vaults.clear(which)}
    except OSError as error:
        detail = f"not all of it could be done, do it again: {error}"
        raise Problem(503, "sessions_away", detail, retry_after="2") from error


async def test_guards(call: Call) -> Answer:
    """What the policies in force find in it, and how it would go on."""
    said = read(Trying, call.body)
    config = call.control.running.loaded.config
    unknown = set(said.policies or ()) - config.guards.keys()
    if unknown:
        raise Problem(404, "not_found", f"there is no policy {min(unknown)!r}")
    caller = Caller("")
    if said.key is not None:
        found = [each for _, each in callers(config.keys, config.people) if each.key == said.key]
        if not found:
            raise Problem(404, "not_found", f"there is no key {said.key!r}")
        caller = found[0]
    named = {name: each for name, each in config.guards.items() if said.policies is None or name in said.policies}
    tried = await on_text(
        policies(named), said.text, side=said.side, role=said.role, model=said.model, caller=caller
    )  # fmt: skip
    return 200, msgspec.to_builtins(tried)
