"""Makes the providers, names and rules of a configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from math import inf
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from headgate.catalog.catalogue import Catalogue
from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.config.targets import Canary as ConfiguredCanary
from headgate.config.targets import Model, ProviderEntry
from headgate.config.targets import Policy as ConfiguredPolicy
from headgate.config.targets import Target as ConfiguredTarget
from headgate.core import plugin
from headgate.core.canary import Canary
from headgate.core.credential import Arm
from headgate.core.kept import Classes
from headgate.core.quality import Judged
from headgate.core.standing import Board
from headgate.core.target import PLAIN, Manner, Shape, Target, Terms
from headgate.core.together import Together
from headgate.core.trial import Course
from headgate.providers.provider import Provider
from headgate.providers.settings import KeySettings
from headgate.stages.policies.policy import Policy, arguments
from headgate.stages.route import Alias
from headgate.stages.rules.expression import Compiler
from headgate.stages.rules.rule import Rule, Rules
from headgate.stages.rules.subject import Settings, variables
from headgate.stages.rules.topic import Topics

T = TypeVar("T")


def settings_of(config: Config) -> Settings:
    """What rules and clauses go by."""
    zone = UTC if config.matching.time_zone == "UTC" else ZoneInfo(config.matching.time_zone)
    return Settings(zone, config.matching.lists, classes=classes_of(config))


def classes_of(config: Config) -> Classes:
    """Of data, by the names that clients ask for."""
    return Classes({name: each.data_class for name, each in config.models.items() if each.data_class is not None})


@dataclass(slots=True, frozen=True)
class Maker:
    """Makes the providers of a configuration, and what is behind its names and rules."""

    config: Config
    board: Board
    known: Catalogue
    providers: dict[str, Provider] = field(default_factory=dict)

    def host(self) -> dict[str, Provider]:
        """Every provider by its name; targets are at these. Raises PluginNotFound, or ValueError when one cannot be
        made."""
        for name, entry in self.config.providers.items():
            self.providers[name] = self.provider(name, entry)
        return self.providers

    def provider(self, name: str, entry: ProviderEntry) -> Provider:
        """It is made once with each of its keys; the first stands for all."""
        what, settings, config = f"the provider {name}", entry.settings, self.config
        several = settings.api_keys or [KeySettings(api_key=settings.api_key or SecretStr(""), name="key")]
        made: list[Provider] = []
        arms: list[Arm] = []
        for number, key in enumerate(several, 1):
            own = settings.model_copy(update={"api_key": key.api_key}) if settings.api_keys else settings
            one = instance(what, entry.type, name, own, max_reply_bytes=config.server.max_reply_bytes)
            digest = hash_key(key.api_key.get_secret_value())
            one.credential = self.board.credential(
                name, key.name or f"key-{number}", digest, enabled=key.enabled, trusting=not config.breaker.enabled
            )
            one.arms = arms
            made.append(one)
            arms.append(Arm(one, one.credential, key.weight))
        return made[0]

    def alias(self, name: str, model: Model) -> Alias:
        """A name to ask for, with its targets and its manner of asking them."""
        targets, fallbacks = (self._targets(name, entries) for entries in (model.targets, model.fallbacks))
        special = {why: self._targets(name, entries) for why, entries in model.fallbacks_on.each.items() if entries}
        hedge = 0.0 if model.hedge == "p95" else model.hedge
        manner = Manner(
            model.first_token or inf,
            model.whole_answer or inf,
            model.deadline or inf,
            special,
            hedge,
            model.resume,
            model.marks,
        )
        manner = manner if manner != PLAIN else PLAIN
        canary = None
        if model.canary is not None:
            [new] = self._targets(name, [model.canary.target])
            trial = self.board.trials.of(name, new.name, _course(model.canary), time.monotonic())
            canary = Canary(new, trial, Together(model.canary.by))
        [shade] = self._targets(name, [model.shadow.target]) if model.shadow is not None else [None]
        judge = judged = None
        if model.judge is not None:
            [judge] = self._targets(name, [model.judge.target])
            judged = Judged(self.board.scores(name), model.judge.least, model.judge.enough, time.monotonic)
        policy = _policy(model.policy)
        return Alias(name, model.policy.use, policy, targets, fallbacks, manner, canary, shade, judge, judged)

    def rules(self, aliases: Mapping[str, Alias], topics: Topics | None) -> Rules | None:
        """What is compiled here has been checked with the configuration."""
        config = self.config
        if not config.rules:
            return None
        settings = settings_of(config)
        by: Compiler | None = None
        rules = []
        for rule in config.rules:
            gives = {}
            for name in rule.models:
                given = config.given(rule, name)
                if rule.use is not None and rule.use in aliases and rule.policy is None:
                    gives[name] = aliases[rule.use]
                elif given is not None:
                    gives[name] = self.alias(rule.use or name, given)
            if rule.when is not None and by is None:
                kinds = {name: each.kind for name, each in variables().items()}
                by = Compiler(kinds, settings.lists, config.matching.topics)
            when = by.compile(rule.when) if by is not None and rule.when is not None else None
            rules.append(Rule(rule.name, gives, when, rule.use))
        return Rules(rules, settings, topics)

    def _targets(self, alias: str, entries: Iterable[ConfiguredTarget]) -> list[Target]:
        return [self._target(alias, entry) for entry in entries]

    def _target(self, alias: str, entry: ConfiguredTarget) -> Target:
        host, _, rest = entry.model.partition("/")
        provider = self.provider(host, entry.provider) if entry.provider else self.providers[host]
        shape = Shape(entry.set, entry.defaults, tuple(entry.drop), entry.system, entry.effort)
        made = provider.target(rest, shape if shape != Shape() else None)
        # one with settings of its own may be another host altogether
        standing = self.board.standing(f"{alias}: {made.name}" if entry.provider else made.name, named=True)
        found = self.known.find(host, rest)
        requests, tokens = entry.requests_per_minute, entry.tokens_per_minute
        terms = Terms(
            weight=entry.weight,
            quality=entry.quality,
            prices=found.prices if found is not None else (),
            slow_after=entry.slow_after or inf,
            requests_per_minute=requests or inf,
            tokens_per_minute=tokens or inf,
            concurrency=entry.concurrency,
            queue=entry.queue,
            queue_seconds=entry.queue_seconds,
            traits=frozenset(entry.traits),
        )
        return replace(made, terms=terms, standing=standing)


def _course(canary: ConfiguredCanary) -> Course:
    about = hash_key(canary.model_dump_json())  # there may be a key among the settings of its target
    return Course(canary.steps, canary.every, canary.least, canary.error_margin, canary.max_slowdown, about)


def _policy(configured: ConfiguredPolicy) -> Policy:
    kind = plugin.load("stages.policies", configured.use, Policy)  # type: ignore[type-abstract]
    return instance(f"the policy {configured.use}", kind, **arguments(kind, configured.settings))


def instance(what: str, kind: Callable[..., T], *args: Any, **settings: Any) -> T:
    """An instance of what may be somebody else's class. Raises ValueError, whatever that class raises."""
    try:
        return kind(*args, **settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} does not take these settings: {error}") from error
    except plugin.BROKEN as error:
        # only the type: a message of a stranger's may hold a value
        raise ValueError(f"{what} fails with {type(error).__name__} when it is made") from error
