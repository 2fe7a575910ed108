"""What is wrong with limits that only the whole configuration shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headgate.config import authentication
from headgate.config.document import Path
from headgate.config.identities import NAMES, Key, own_limits
from headgate.config.limits import Amount, Limit
from headgate.config.schema import Config
from headgate.core.limits.rule import OF_TARGET
from headgate.core.plugin import suggestion

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
Known = Callable[[Path, str], None]
"""Tells of a model that is not there."""


def check(
    config: Config,
    limits: Sequence[tuple[Path, Limit]],
    keys: Sequence[tuple[Path, Key]],
    tell: Tell,
    known: Known,
) -> None:
    """Tell what makes no sense, of the section and of limits that stand with whom they concern."""
    taken: dict[str, Path] = {}
    for path, limit in limits:
        if limit.name in taken:
            tell((*path, "name"), "the name is taken by another limit", "names must differ")
        taken[limit.name] = (*path, "name")
        _amount(path, limit, tell, known)
        _concerned(config, path, limit, tell)
        if limit.then == "downgrade" and OF_TARGET in (*limit.match, *limit.per):
            hint = "say `deny`, and give the models further `targets` or `fallbacks`: the next one is asked"
            tell((*path, "then"), "what a provider is asked for is not asked of another model", hint)
    owned = [*own_limits(config.people, keys), *authentication.own_limits(config.authentication)]
    if config.server.workers > 1 and config.state.url is None and (limits or owned):
        place = limits[0][0] if limits else owned[0].path
        hint = "set `state.url` to a Redis or Valkey, where workers count together, or `server.workers: 1`"
        tell(place, "each worker would count limits by itself", hint)
    for own in owned:
        if own.title in taken:
            tell(taken[own.title], f"the limit of the {own.what} has this name", "names must differ")
        _amount(own.path, own.amount, tell, known)


def _concerned(config: Config, path: Path, limit: Limit, tell: Tell) -> None:
    """Whom it is for is there."""
    there: dict[str, list[str]] = {what: list(getattr(config, section)) for what, section in NAMES.items()}
    there["provider"] = list(config.providers)
    there["key"] = [*(key.name for key in config.keys), *(name for _, name in config.authentication.names())]
    for dimension, names in limit.match.items():
        known = there.get(dimension)
        for position, name in enumerate(names if known is not None else ()):
            if known is not None and name not in known:
                said = f"there is no {dimension} of this name"
                tell((*path, "for", dimension, position), said, suggestion(name, known))


def _amount(path: Path, amount: Amount, tell: Tell, known: Known) -> None:
    if amount.every is None and amount.what != "concurrency":
        tell(path, "`every` is missing", "say in which time: second, minute, hour, day, week or month")
    elif amount.every is not None and amount.what == "concurrency":
        tell((*path, "every"), "`concurrency` is counted at any time", "leave `every` out")
    if amount.burst is not None and amount.what in ("concurrency", "money"):
        tell((*path, "burst"), f"`{amount.what}` has no burst", "leave it out, or limit requests or tokens")
    elif amount.burst is not None and not getattr(amount, amount.what):
        tell((*path, "burst"), "a rate of nothing has no burst", "leave `burst` out")
    if amount.then == "downgrade" and amount.use is None:
        tell(path, "`use` is missing", "name the model to ask instead")
    elif amount.then != "downgrade" and amount.use is not None:
        tell((*path, "use"), "another model is asked only where `then` is `downgrade`", "set it, or leave `use` out")
    elif amount.use is not None:
        known((*path, "use"), amount.use)
