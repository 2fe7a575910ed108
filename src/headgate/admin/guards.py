"""Policies tried out on a text, with nobody being asked; neither the text nor what is found in it is kept."""

from __future__ import annotations

from typing import Literal

import msgspec
from pydantic import Field

from headgate.admin.call import Answer, Call, read
from headgate.admin.problems import Problem
from headgate.config.identities import callers
from headgate.config.section import Section
from headgate.core.caller import Caller
from headgate.governance.rehearsal import on_text, policies


class Trying(Section):
    """A text, and as what policies are to see it."""

    text: str = Field(max_length=1_000_000, description="What is said.")
    side: Literal["request", "reply"] = Field("request", description="Whether a model is asked it, or answers it.")
    role: Literal["user", "system", "assistant", "tool"] = Field("user", description="Who says it.")
    model: str = Field("", max_length=2048, description="The name that is asked for.")
    key: str | None = Field(None, max_length=1000, description="The key that asks, by its name.")
    policies: list[str] | None = Field(None, description="Only these. Left out: all.")


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
