"""What is wrong with policies that only the whole configuration shows, and which of them can never do anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from headgate.config.document import Path
from headgate.config.guards import GuardPolicy, missing
from headgate.config.identities import NAMES
from headgate.config.schema import Config
from headgate.core.guard import CHANGES
from headgate.core.plugin import BROKEN, suggestion

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
Known = Callable[[Path, str], None]
"""Tells of a model that is not there."""


def check(config: Config, tell: Tell, known: Known) -> None:
    """Tell what makes no sense."""
    for name, policy in config.guards.items():
        path: Path = ("guards", name)
        if not name.isprintable() or name != name.strip() or not name or "," in name or len(name) > 100:
            tell(path, "not a policy's name", "use up to 100 printable characters without a comma")
        makeable(path, policy, tell)
        _reachable(path, policy, tell)
        _follows(path, policy, tell, known)
        _concerned(config, path, policy, tell)
        for topic in policy.topics:
            if topic not in config.matching.topics:
                hint = "give it some example sentences there, or `words` here"
                tell((*path, "with"), f"there is no topic `{topic}` in `matching.topics`", hint)


def makeable(path: Path, policy: GuardPolicy, tell: Tell) -> None:
    """Tell why its guard cannot be made."""
    lacks = list(missing(policy.type))
    for extra in lacks:
        tell((*path, "use"), "it needs a package that is not there", f"install headgate[{extra}]")
    if lacks:
        return
    try:
        policy.guard  # noqa: B018  # it is made now
    except ValueError as error:
        tell((*path, "with"), str(error), "")
    except BROKEN as error:
        tell((*path, "use"), f"it cannot be made: {type(error).__name__}", "")


def _reachable(path: Path, policy: GuardPolicy, tell: Tell) -> None:
    can = {"before" if side == "request" else "after" for side in policy.type.sides}
    for position, at in enumerate(policy.at):
        if at not in can:
            tell((*path, "at", position), f"this guard is not asked `{at}` the model", f"leave it out: `{min(can)}`")
    if policy.type.compares:
        _compares(path, policy, tell)
    if policy.hides and "after" in policy.at:
        tell((*path, "at"), "a reply is shown to whoever asked: nothing is hidden in it", "say `before`, or `redact`")
    if policy.parallel and "before" not in policy.sides:
        tell((*path, "parallel"), "only what is asked is looked at beside the model", "leave it out")
    if policy.parallel and _by_target(policy):
        said = "it is known only later who is asked, and nothing is asked beside that"
        tell((*path, "parallel"), said, "leave it out, or `external_only`, `provider` and `trait`")


def _compares(path: Path, policy: GuardPolicy, tell: Tell) -> None:
    """Where it would not have seen of the request what it looks for in the reply, it would find nothing."""
    said = "this guard looks in replies for what it has seen in the request"
    if policy.sides != {"before", "after"}:
        tell((*path, "at"), said, "leave `at` out: it looks at both")
    if _by_target(policy):
        place = "external_only" if policy.external_only else "for"
        tell((*path, place), f"{said}, before it is known who is asked", "say for whose requests, or for which model")
    for narrow in ("parts", "roles"):
        if getattr(policy, narrow) is not None:
            tell((*path, narrow), said, f"leave `{narrow}` out")


def _follows(path: Path, policy: GuardPolicy, tell: Tell, known: Known) -> None:
    actions = set(policy.then.values())
    if policy.parallel and actions & (CHANGES | {"route"}):
        tell(
            (*path, "then"), "what is asked already cannot be changed", "say `block` or `flag`, or leave `parallel` out"
        )
    if policy.k is not None and "generalise" not in actions:
        tell((*path, "k"), "nothing is generalised", "say `then: generalise`, or leave it out")
    if "route" in actions and policy.model is None:
        tell(path, "`model` is missing", "name the one to ask instead")
    elif policy.model is not None and "route" not in actions:
        tell((*path, "model"), "another model is asked only where `then` is `route`", "set it, or leave `model` out")
    elif policy.model is not None:
        known((*path, "model"), policy.model)
    asks = policy.asks
    if asks is not None:
        known((*path, "with", "model"), asks)
    if "route" in actions and (policy.sides == {"after"} or _by_target(policy)):
        tell((*path, "then"), "it is too late to ask another model then", "look `before`, whoever is asked")


def _by_target(policy: GuardPolicy) -> bool:
    return policy.external_only or not {"provider", "trait"}.isdisjoint(policy.match)


def _concerned(config: Config, path: Path, policy: GuardPolicy, tell: Tell) -> None:
    """Whom it is for is there."""
    there: dict[str, list[str]] = {what: list(getattr(config, section)) for what, section in NAMES.items()}
    there["provider"] = list(config.providers)
    there["key"] = [*(key.name for key in config.keys), *(name for _, name in config.authentication.names())]
    if policy.pays is not None and policy.pays not in [key.name for key in config.keys]:
        said = "there is no key of this name"
        tell((*path, "with", "key"), said, suggestion(policy.pays, [key.name for key in config.keys]))
    for dimension, names in policy.match.items():
        known = there.get(dimension)
        for position, name in enumerate(names if known is not None else ()):
            if known is not None and name not in known:
                said = f"there is no {dimension} of this name"
                tell((*path, "for", dimension, position), said, suggestion(name, known))


def idle(config: Config) -> Iterator[str]:
    """Sentences about policies that can never do anything."""
    for name, policy in config.guards.items():
        actions = {*policy.then.values()}
        if actions == {"pass"}:
            yield f"the policy {name!r} does nothing: all that it finds is passed"
        if policy.mode == "monitor" and getattr(policy.read, "retry", None):
            yield f"the policy {name!r} has no model asked again: it only watches"
        internal = [entry.settings.internal for entry in config.providers.values()]
        if policy.external_only and internal and all(internal):
            yield f"the policy {name!r} does nothing: all providers are internal"
        for dimension, names in policy.match.items():
            if not names:
                yield f"the policy {name!r} is about nobody: no {dimension} is named"
        kept = _kept(config, name, policy)
        if kept is not None:
            yield (
                f"the policy {name!r} cannot look at what {kept!r} keeps from providers that are not internal, as its "
                "server is none: say `external_only: true`, or `internal: true` in its `with`"
            )


def _kept(config: Config, name: str, policy: GuardPolicy) -> str | None:
    """The policy that keeps something from who this one would have to ask about it."""
    if not policy.type.outside or getattr(policy.read, "internal", True) or _by_target(policy):
        return None
    others = config.guards.items()
    return next((each for each, one in others if each != name and _by_target(one) and "before" in one.sides), None)
