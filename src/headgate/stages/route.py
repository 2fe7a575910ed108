"""Find the targets of the model that is asked for, and put them in order."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Protocol

from headgate.catalog.catalogue import Catalogue
from headgate.core.caller import Caller
from headgate.core.canary import Canary
from headgate.core.effort import parted
from headgate.core.errors import Forbidden, Incapable, InternalError, NoTarget, UnknownModel
from headgate.core.exchange import Exchange
from headgate.core.named import ANY, parts
from headgate.core.needs import Needs
from headgate.core.printable import printable
from headgate.core.quality import Judged
from headgate.core.reply import Reply
from headgate.core.standing import Board
from headgate.core.target import PLAIN, Manner, Provider, Target
from headgate.stages.filters.filter import Filter
from headgate.stages.policies.policy import Policy, twin
from headgate.stages.stage import Proceed

log = logging.getLogger("headgate.stages")

REMEMBERED = 4000
"""Models that only clients name: of each a target is held, and its standing, some five kilobytes."""


@dataclass(slots=True, frozen=True)
class Alias:
    """A name of the configuration: targets in the policy's order, then the fallbacks in their own."""

    name: str
    use: str
    """The policy as the configuration names it."""
    policy: Policy
    targets: Sequence[Target]
    fallbacks: Sequence[Target] = ()
    manner: Manner = PLAIN
    canary: Canary | None = None
    shade: Target | None = None
    """Who gets copies of its requests."""
    judge: Target | None = None
    judged: Judged | None = None
    """Where answers are judged: by whom, and what follows."""
    all: Sequence[Target] = field(init=False)
    everyone: Sequence[Target] = field(init=False)
    """With those that are asked for a certain cause only."""
    spare: frozenset[Target] = field(init=False)
    """The fallbacks."""

    def __post_init__(self) -> None:
        new = (self.canary.target,) if self.canary is not None else ()
        object.__setattr__(self, "targets", tuple(self.targets))  # as filters and policies remember tuples
        object.__setattr__(
            self, "all", (*self.targets, *self.fallbacks, *new) if self.fallbacks or new else self.targets
        )
        special = chain.from_iterable(self.manner.instead.values())
        beside = (each for each in (self.shade, self.judge) if each is not None)
        object.__setattr__(self, "everyone", (*self.all, *special, *beside))
        object.__setattr__(self, "spare", frozenset(self.fallbacks))


class Rules(Protocol):
    """What decides, by the request itself, for which alias a name stands this time."""

    @property
    def names(self) -> Collection[str]:
        """The names that it decides about."""

    async def choose(self, exchange: Exchange, model: str) -> Alias | None:
        """The alias, or one made up for the occasion; None: the name stands for what it stands for without rules."""

    def behind(self, model: str) -> Sequence[Target]:
        """All targets that rules may choose for a name."""

    def hint(self, model: str) -> str:
        """What is said where none was chosen, and the name stands for nothing by itself."""


class Route:
    """An alias of the configuration, or `provider/model` asked for directly: filters leave out the targets that may
    not be asked, the alias's policy says in which order the others are."""

    def __init__(
        self,
        aliases: Mapping[str, Alias],
        providers: Mapping[str, Provider],
        filters: Sequence[Filter] = (),
        board: Board | None = None,
        rules: Rules | None = None,
        catalogue: Catalogue | None = None,
        kept: bool = False,
    ) -> None:
        """`kept`: there may be an answer that is kept where nobody can be asked, which a stage behind sees to."""
        self.aliases = aliases
        self.rules = rules
        self.ruled: Collection[str] = rules.names if rules is not None else ()
        self.names = dict.fromkeys([*aliases, *self.ruled])
        self.providers = providers
        self.filters = filters
        self.board = board or Board()
        self.catalogue = catalogue
        self.kept = kept
        self._direct: dict[str, tuple[Target, ...]] = {}

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append(("route", time.perf_counter()))
        model, caller = exchange.model, exchange.caller
        alias = self.aliases.get(model)
        if alias is None and exchange.dialect.operation == "chat":
            model, effort = parted(model, self.ruled)
            if effort is not None:  # of a question, or of a name that is asked instead
                exchange.model, exchange.effort = model, effort
                alias = self.aliases.get(model)
        targets = None if alias else self._directly(model)
        if caller is not None and not caller.may_use(model):
            if alias is None and targets is None and model not in self.ruled:
                raise self._unknown(model, caller)
            raise self._forbidden(exchange, caller, model)
        asked = alias
        if self.rules is not None and model in self.ruled:
            chosen = await self.rules.choose(exchange, model)
            if chosen is not None:
                alias, model = chosen, chosen.name
            elif alias is None and targets is None:
                raise UnknownModel("; ".join([self.rules.hint(model), *exchange.decision.said]), param="model")
        if alias is not None:
            exchange.decision.among = (asked or alias).all
            exchange.targets = self._ranked(exchange, alias)
            exchange.manner = _meeting(alias.manner, exchange.needs) if alias.manner.instead else alias.manner
        elif targets is not None:
            exchange.targets = self._left(exchange, targets)
        else:
            raise self._unknown(model, caller)
        exchange.decision.ranked = exchange.targets
        if caller is not None and caller.models is not None:
            self._permit(exchange, caller, model)
        return await proceed(exchange)

    def _forbidden(self, exchange: Exchange, caller: Caller, model: str) -> Forbidden:
        what = f"the model {_short(model)}"
        if exchange.dialect.operation == "opaque":
            what = f"what is forwarded unread, which takes {model!r} among its models"
        may = _listed(self.allowed(caller))
        return Forbidden(f"the key {caller.key!r} may not use {what}; it may use {may}", param="model")

    def _permit(self, exchange: Exchange, caller: Caller, model: str) -> None:
        """Raises Forbidden where a provider would ask a model besides `model` that the key may not use."""
        for target in (*exchange.targets, *chain.from_iterable(exchange.manner.instead.values())):
            provider, fields = target.provider, exchange.fields
            if target.shape is not None and target.shape.drop:
                fields = {name: value for name, value in fields.items() if name not in target.shape.drop}
            for place, name in provider.further(fields):
                if name != target.model and not _permitted(caller, provider, name):
                    raise self._beyond(caller, provider, place, name)
            # a name that the configuration gives, or that of an alias, stands for what the configuration says
            if target.name == model and model not in self.aliases and not _permitted(caller, provider, target.model):
                raise self._beyond(caller, provider, "model", target.model)

    def _beyond(self, caller: Caller, provider: Provider, place: str, name: str) -> Forbidden:
        place, model = printable(place), f"{provider.name}/{name}"
        who = f"the key {caller.key!r} may not use"
        if name == ANY:
            what = f"whichever model {provider.name} chooses for `{place}`; name there one that it may use"
        else:
            what = f"the model {_short(model)}, which `{place}` names; leave it out there"
        message = f"{who} {what}, or have {_short(model)} added to its models"
        return Forbidden(f"{message}; it may use {_listed(self.allowed(caller))}", param=place)

    def _left(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        try:
            for leave in self.filters:
                targets = leave(exchange, targets)
        except NoTarget as error:
            if not self.kept or exchange.dry:
                raise
            exchange.nobody = error
        return targets

    def _ranked(self, exchange: Exchange, alias: Alias) -> Sequence[Target]:
        """Targets as the policy has them, then fallbacks; those that answer less than was asked for come last."""
        decision = exchange.decision
        decision.alias, decision.policy = alias.name, alias.use
        try:
            left = self._left(exchange, alias.all)
        except Incapable as error:
            longer = alias.manner.instead.get("context_overflow") if error.too_long else None
            if longer is None:
                raise
            decision.said.append(error.message)
            return self._left(exchange, longer)
        first: Sequence[Target] = ()
        if alias.canary is not None:
            left, first = _tried(exchange, alias.canary, left)
        spare = alias.spare
        if left is alias.all:
            targets = alias.targets
        else:
            targets = [target for target in left if target not in spare] if spare else left
        if targets:
            policy = twin(alias.policy) if exchange.dry else alias.policy
            ranked = policy.rank(exchange, targets)
            if not ranked and len(targets) == len(left):
                raise InternalError(f"the policy of {_short(alias.name)} left no target")
            targets = ranked
        if spare:
            targets = [*targets, *(target for target in left if target in spare)]
        if alias.judged is not None:
            targets = alias.judged.sort(exchange, targets)
        if first:
            targets = [*first, *targets]
        return sorted(targets, key=exchange.ceilings.__contains__) if exchange.ceilings else targets

    def allowed(self, caller: Caller) -> list[str]:
        """What stands in the list of a caller's key: aliases in the configuration's order, then models of providers
        asked for directly, and whole providers (`openai/*`)."""
        named = sorted(name for name in caller.models or () if name not in self.names)
        aliases = [name for name in self.names if caller.may_use(name)]
        return [*aliases, *named, *(f"{family}*" for family in caller.families)]

    def behind(self, model: str) -> Sequence[Target]:
        """All who may be asked for a name, whatever the request; none where it stands for nothing."""
        found = list(self.rules.behind(model)) if self.rules is not None and model in self.ruled else []
        alias = self.aliases.get(model) or self.aliases.get(model.rpartition(":")[0])
        if alias is not None:
            return [*found, *alias.all, *chain.from_iterable(alias.manner.instead.values())]
        return found or self._directly(model) or ()

    def offers(self, model: str, caller: Caller) -> bool:
        """Whether the caller may ask for this name, be it an alias or provider/model."""
        return caller.may_use(model) and (model in self.names or self._directly(model) is not None)

    def _directly(self, model: str) -> tuple[Target, ...] | None:
        known = self._direct.get(model)
        if known is not None:
            return known
        name, _, rest = model.partition("/")
        provider = self.providers.get(name)
        if provider is None or not rest:
            return None
        if len(self._direct) >= REMEMBERED:
            self._direct.clear()
        target = provider.target(rest)
        entry = self.catalogue.find(name, rest) if self.catalogue is not None else None
        terms = replace(target.terms, prices=entry.prices) if entry is not None else target.terms
        known = self._direct[model] = (replace(target, standing=self.board.standing(target.name), terms=terms),)
        return known

    def _unknown(self, model: str, caller: Caller | None) -> UnknownModel:
        names = list(self.names) if caller is None else self.allowed(caller)
        names = [name for name in names if not name.endswith("/*")]
        provider, slash, rest = model[:200].partition("/")
        near = difflib.get_close_matches(model[:200], names, n=3, cutoff=0.5)
        if slash and rest:
            near += [f"{name}/{rest}" for name in difflib.get_close_matches(provider, list(self.providers), n=1)]
        near = [name for name in dict.fromkeys(near) if caller is None or caller.may_use(name)]
        if near:
            hint = f"did you mean {_listed(near)}?"
        elif slash and provider not in self.providers and caller is not None and caller.models is None:
            hint = f"no provider is called {provider[:50]!r}; there are {_listed(list(self.providers))}"
        else:
            hint = "GET /v1/models lists what there is, or ask for provider/model"
        return UnknownModel(f"there is no model {_short(model)}; {hint}", param="model")


def _meeting(manner: Manner, needs: Needs) -> Manner:
    """Asked for a certain cause are only those who may be."""
    if not manner.instead or not needs.any:
        return manner
    left = {why: [one for one in targets if needs.lacking(one) is None] for why, targets in manner.instead.items()}
    return replace(manner, instead=left)


def _tried(exchange: Exchange, canary: Canary, left: Sequence[Target]) -> tuple[Sequence[Target], Sequence[Target]]:
    """The other targets, and the one on trial where it is to be asked first (or nobody else is left)."""
    drawn = canary.draws(exchange)
    if not exchange.dry:
        exchange.ending.callback(_heard, exchange, canary, drawn)
    others = [target for target in left if target is not canary.target]
    first = (canary.target,) if len(others) < len(left) and (drawn or not others) else ()
    return others, first


def _heard(exchange: Exchange, canary: Canary, drawn: bool) -> None:
    news = canary.hear(exchange, time.monotonic(), drawn=drawn)
    if news:
        log.warning("%s", news) if canary.trial.state == "back" else log.info("%s", news)


def _permitted(caller: Caller, provider: Provider, name: str) -> bool:
    """Whether a key may use all that a name stands for, be it because its list holds the very name."""
    listed = caller.models or ()
    if any(f"{provider.name}/{known}" in listed for known in provider.known_as(name)):
        return True
    return all(
        any(caller.may_use(f"{provider.name}/{known}") for known in provider.known_as(part)) for part in parts(name)
    )


def _short(model: str) -> str:
    return repr(model if len(model) <= 100 else model[:100] + "…")


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none, as `models` of the key and its owners leave none"
    return ", ".join(repr(name) for name in names[:10]) + (" …" if len(names) > 10 else "")
