"""The stages in which guards look, made of a configuration's policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.core.caller import Caller
from headgate.core.dialect import Dialect
from headgate.core.guard import Question
from headgate.core.ids import Ids
from headgate.core.kept import Classes
from headgate.dialects import openai_chat, openai_moderations
from headgate.runtime.gateway import Ports
from headgate.stages.guard import Aim, Aimed, Guard, changes
from headgate.stages.guard.again import Again, Room, Used, asks
from headgate.stages.guard.changing import Hashes, stretched
from headgate.stages.guard.outside import Outside
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.sessions import Sessions
from headgate.stages.rules.topic import Topics
from headgate.stages.send import Send
from headgate.stages.stage import Stage, chain


@dataclass(slots=True)
class Guarding:
    """What there is of it; nothing without policies."""

    policies: Sequence[Policy] = ()
    classes: Classes = field(default_factory=lambda: Classes({}))
    hashes: Hashes = field(default_factory=lambda: Hashes(b""))
    outside: Outside | None = None
    guard: Sequence[Stage] = ()
    """The stage that has guards look at what is asked and answered."""
    aim: Sequence[Stage] = ()
    """The one for who is asked, where there are policies for them."""
    aimed: Aimed | None = None
    """Tells for whom these are."""
    apart: Aimed | None = None
    """The same, and for whom those are that have a model asked again: what is kept for others is not for them."""

    def again(self, used: Used, room: Room) -> list[Stage]:
        """The stage that asks a model again, where any policy may have it asked."""
        if not any(asks(policy) for policy in self.policies):
            return []
        return [Again(self.policies, self.classes, self.hashes, self.outside, used, room)]


def guarding(
    config: Config,
    classes: Classes,
    secret: str,
    ports: Ports,
    asking: Sequence[Stage],
    topics: Topics | None,
    whose: Mapping[bytes, Caller],
) -> Guarding:
    """`asking`: the stages of a question of a guard's."""
    policies = [each.made(name, ports.board) for name, each in config.guards.items()]
    if not policies:
        return Guarding()
    hashes = Hashes(stretched(secret))
    told = {each: hash_key(repr(config.guards[each.name])).encode() for each in policies}
    aimed = {each: said for each, said in told.items() if each.by_target and "before" in each.at}
    apart = {each: said for each, said in told.items() if each in aimed or asks(each)}
    outside = None
    if any(each.guard.outside for each in policies):
        ask = chain(asking, Send(ports.upstream))
        faces: dict[Question, Dialect] = {"chat": openai_chat, "moderation": openai_moderations}
        # who is asked by a policy that changes nothing is shown what that policy is about
        hiding = {each: said for each, said in aimed.items() if changes(each) or not each.guard.outside}
        shown = Aimed(hiding, classes) if hiding else None
        outside = Outside(ports.upstream, ask, faces, Ids(), shown, topics, {each.key: each for each in whose.values()})
    sessions, kept = None, config.surrogates
    if ports.vaults is not None and kept.per == "session":
        sessions = Sessions(ports.vaults, kept.by, most=kept.max_values, patience=kept.patience)
    return Guarding(
        policies,
        classes,
        hashes,
        outside,
        [Guard(policies, classes, hashes, outside, sessions)],
        [Aim(list(aimed), classes, hashes, outside)] if aimed else [],
        Aimed(aimed, classes) if aimed else None,
        Aimed(apart, classes) if apart else None,
    )
