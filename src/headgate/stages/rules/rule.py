"""Rules in their order: the first that fits a request decides which targets it gets, and who ranks them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.route import Alias
from headgate.stages.rules.expression import TOPIC, Expression, Undecided
from headgate.stages.rules.subject import Settings, Subject
from headgate.stages.rules.topic import Topics

log = logging.getLogger("headgate.stages.rules")


@dataclass(slots=True, frozen=True)
class Rule:
    """`gives` says what a request gets instead of each name that the rule is about."""

    name: str
    gives: Mapping[str, Alias]
    when: Expression | None = None
    """None: always."""
    needs: str | None = None
    """What a key that is limited must be allowed; None: only the name that was asked for."""


class Rules:
    """Asked by the stage `route`, for the names in `names` alone."""

    def __init__(self, rules: Sequence[Rule], settings: Settings, topics: Topics | None = None) -> None:
        self.names: Mapping[str, Sequence[Rule]] = {
            name: [rule for rule in rules if name in rule.gives]
            for name in dict.fromkeys(name for rule in rules for name in rule.gives)
        }
        self._settings = settings
        self._topics = topics
        self._told: set[str] = set()

    async def choose(self, exchange: Exchange, model: str) -> Alias | None:
        """What the first rule gives that fits; None where none does."""
        subject = Subject(exchange, model, self._settings)
        for rule in self.names[model]:
            if await self._fits(rule, exchange, subject) and self._may(rule, exchange):
                exchange.decision.rule = rule.name
                return rule.gives[model]
        return None

    def behind(self, model: str) -> Sequence[Target]:
        """All targets that may be chosen for a name."""
        return [target for rule in self.names[model] for target in rule.gives[model].all]

    def hint(self, model: str) -> str:
        """What is said where none fits."""
        tried = ", ".join(rule.name for rule in self.names[model][:20])
        if any(rule.when is None for rule in self.names[model]):
            return f"no rule for {model!r} fits the key (tried {tried}); add what they `use` to the key's `models`"
        return f"no rule for {model!r} fits this request (tried {tried}); add a last one without `when` to `rules`"

    async def _fits(self, rule: Rule, exchange: Exchange, subject: Subject) -> bool:
        if rule.when is None:
            return True
        if self._topics is not None and "topic" not in subject and not TOPIC.isdisjoint(rule.when.names):
            try:
                return rule.when.holds(subject, TOPIC)  # `key == "acme" && topic == "x"` of another key
            except Undecided:
                await self._find_topic(self._topics, exchange, subject)
        try:
            return rule.when.holds(subject)
        except Undecided as undecided:
            exchange.decision.said.append(f"the rule {rule.name} could not be decided: {undecided}")
            if rule.name not in self._told:
                self._told.add(rule.name)
                log.warning(
                    "the rule %s could not be decided for %s, and is passed over: %s", rule.name, exchange.id, undecided
                )
            return False

    async def _find_topic(self, topics: Topics, exchange: Exchange, subject: Subject) -> None:
        found = await topics.find(subject["prompt"], exchange.record.worker, exchange.needs)
        subject["topic"], subject["topic_score"] = found.topic, found.score
        if found.said:
            exchange.decision.said.append(found.said)

    def _may(self, rule: Rule, exchange: Exchange) -> bool:
        caller = exchange.caller
        if caller is None or rule.needs is None or caller.may_use(rule.needs):
            return True
        exchange.decision.said.append(f"the rule {rule.name} fits, but the key {caller.key} may not use {rule.needs}")
        return False
