"""Names, fallbacks and what happens when targets fail: `router_settings`, and the same words in `litellm_settings`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headgate.migrate.litellm.deployments import SHARES, SHORTEST, WEEK, Deployment, timeouts
from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.providers import Book
from headgate.migrate.litellm.report import Report, named
from headgate.migrate.litellm.source import Part, Source, Variables, literal, within

SECTIONS = ("router_settings", "litellm_settings")
"""Where the words may stand; the first counts: docs.litellm.ai/docs/proxy/config_settings."""
POLICIES = {
    "simple-shuffle": "weighted",
    "least-busy": "least_busy",
    "latency-based-routing": "fastest",
    "cost-based-routing": "cheapest",
    "usage-based-routing": "weighted",
    "usage-based-routing-v2": "weighted",
}
USUAL = "simple-shuffle"
MOST_WEIGHT = 10**6
CAUSES = {"context_window_fallbacks": "context_overflow", "content_policy_fallbacks": "refusal"}
ANY = "*"


class Routing:
    """Makes `models` of the deployments."""

    def __init__(
        self, source: Source, report: Report, variables: Variables, book: Book, deployments: Sequence[Deployment]
    ) -> None:
        self.source = source
        self.report = report
        self.variables = variables
        self.book = book
        self.deployments = deployments
        self.groups: dict[str, list[Deployment]] = {}
        for one in deployments:
            self.groups.setdefault(one.group, []).append(one)
        self.names = {host.name for host in book.hosts}
        self._aliases = self._read_aliases()
        self.served: dict[str, str] = {}
        """What clients may ask for, and what it is called here: names, and `provider/*`."""

    def said(self, name: str) -> Part | None:
        """A setting that may stand in either section."""
        for section in SECTIONS:
            part = self.source.section(section)
            found = part.at(name) if part is not None else None
            if found is not None:
                return found
        return None

    def write(self, draft: Draft) -> None:
        strategies = self._strategies()
        chains = {name: self._chains(name) for name in ("fallbacks", *CAUSES)}
        for name, group in self.groups.items():
            if ANY in name:
                self._wildcard(name, group, chains)
            elif self._may_be(name, group):
                entry = self._entry(group, strategies.get(name, strategies[ANY]))
                self._fall_back((name,), entry, chains)
                places = named([f"{Path(one.part.file).name}:{one.part.node.line}" for one in group])
                draft.put("models", {name: _short(entry)}, f"model_list, {places}")
                self.served[name] = name
        for alias, (target, part) in self._aliases.items():
            group = self.groups.get(target, [])
            if not group or ANY in target:
                self.report.lost(part, f"there is no model `{target}` for the alias", "name one of `models`")
            elif self._may_be(alias, group):
                entry = self._entry(group, strategies.get(target, strategies[ANY]))
                self._fall_back((alias, target), entry, chains)
                draft.put("models", {alias: _short(entry)}, f"model_group_alias of {target}")
                self.served[alias] = alias
        self._catalogue(draft)
        self._timeouts()

    def _may_be(self, name: str, group: list[Deployment]) -> bool:
        """Whether a name of `models` may be this; what is meant for a provider goes there by itself."""
        head, slash, rest = name.partition("/")
        if not name or name != name.strip() or not name.isprintable() or len(name) > 200:
            self.report.lost(group[0].part, "no name for a model here", "use up to 200 printable characters")
            return False
        if not slash or head not in self.names:
            return True
        self.served[name] = name
        direct = [one for one in group if one.name == name]
        if len(direct) < len(group) or any(one.target for one in group):
            what = f"`{name}` asks the provider `{head}` for `{rest}`, so what else is said of the name is left out"
            self.report.lost(group[0].part, what, "choose a name without the provider's name and a slash")
        return False

    def _wildcard(self, name: str, group: list[Deployment], chains: dict[str, dict[str, Part]]) -> None:
        head, slash, rest = name.partition("/")
        first = group[0]
        if slash and rest == ANY and first.host.name == head:
            self.served[name] = name
            if len(group) > 1:
                hint = "give the provider several `api_keys`"
                self.report.lost(group[1].part, f"`{name}` is asked at one host", hint)
            if first.target:
                self.report.lost(first.part, f"what is said of all of `{name}`", f"say it in `providers.{head}`")
            if chains["fallbacks"].get(name) or chains["fallbacks"].get(ANY):
                self.report.lost(first.part, f"fallbacks of `{name}`", "list the names in `models`, with `fallbacks`")
            return
        hint = f"ask for `{first.host.name}/MODEL`, or list the names in `models`"
        self.report.lost(first.part, f"names by a pattern (`{name}`)", hint)

    def _entry(self, group: list[Deployment], strategy: str) -> dict[str, Any]:
        orders = sorted({one.order for one in group})
        first = [one for one in group if one.order == orders[0]]
        later = [one for order in orders[1:] for one in group if one.order == order]
        weights = _weights(first) if POLICIES[strategy] == "weighted" else [None] * len(first)
        if strategy != USUAL and not all(weights):
            weights = [None] * len(first)  # there, who says no rate is asked like the others
        entry: dict[str, Any] = {}
        if len(first) > 1:
            entry["policy"] = POLICIES[strategy]
        pairs = zip(first, weights, strict=True)
        entry["targets"] = [one.written(weight) for one, weight in pairs]
        if later:
            entry["fallbacks"] = [one.written() for one in later]
        patience = self._first_token(group)
        if patience:
            entry["first_token"] = patience
        return entry

    def _first_token(self, group: list[Deployment]) -> Any:
        said = [one.first_token for one in group if one.first_token is not None]
        numbers = sorted({value for value in said if not isinstance(value, str)})
        if len(numbers) > 1:
            self.report.otherwise(group[0].part, "`stream_timeout` of the slowest counts for all of the name")
        everywhere = self.said("stream_timeout")
        if said:
            seconds = numbers[-1] if numbers else said[0]
        else:
            seconds = self.variables.number(everywhere) if everywhere is not None else None
        return within(seconds, SHORTEST, WEEK) if seconds else None

    def _strategies(self) -> dict[str, str]:
        """The strategy of each name, and under `*` that of all others."""
        found = {ANY: self._strategy(self.said("routing_strategy"))}
        groups = self.said("routing_groups")
        for group in groups.each() if groups is not None else ():
            models, strategy = group.at("models"), group.at("routing_strategy")
            if strategy is not None and strategy.text() == "priority":
                self.report.lost(group, "a group that is itself asked for", "make a name of `models` with its targets")
            elif models is not None:
                found |= dict.fromkeys(models.texts(), self._strategy(strategy))
        return found

    def _strategy(self, part: Part | None) -> str:
        if part is None:
            return USUAL
        strategy = part.text()
        if strategy not in POLICIES:
            self.report.lost(part, f"there is no policy like `{strategy}`; `weighted` is taken", "see balance-load.md")
            return USUAL
        if strategy.startswith("usage-based"):
            what = "targets are asked by weight, and others where one is at the end of its rate"
            self.report.otherwise(part, what, "see `requests_per_minute` and `tokens_per_minute` of targets")
        return strategy

    def _read_aliases(self) -> dict[str, tuple[str, Part]]:
        found: dict[str, tuple[str, Part]] = {}
        part = self.said("model_group_alias")
        for alias in part.each() if part is not None else ():
            target = alias.at("model") if alias.is_mapping else alias
            hidden = alias.at("hidden") if alias.is_mapping else None
            if hidden is not None and hidden.true():
                self.report.lost(hidden, "every name that a key may use is listed for it", "leave it out")
            if target is not None and target.text() != alias.name:
                found[alias.name] = (target.text(), alias)
        return found

    def _chains(self, name: str) -> dict[str, Part]:
        """Whom each name falls back to: `[{name: [other, …]}, …]`."""
        found: dict[str, Part] = {}
        part = self.said(name)
        for each in part.each() if part is not None else ():
            for chain in each.each() if each.is_mapping else ():
                found.setdefault(chain.name, chain)
                if chain.name != ANY and chain.name not in self.groups and chain.name not in self._aliases:
                    self.report.lost(chain, f"there is no model `{chain.name}`", "take it out")
            if not each.is_mapping:
                self.report.lost(each, "not a fallback of a name", "write {name: [other]}")
        default = self.said("default_fallbacks") if name == "fallbacks" else None
        if default is not None:
            found.setdefault(ANY, default)
        return found

    def _fall_back(self, names: tuple[str, ...], entry: dict[str, Any], chains: dict[str, dict[str, Part]]) -> None:
        """`names`: the one that is asked for, and that which it stands for."""
        for what, found in chains.items():
            chain = next((found[name] for name in (*names, ANY) if name in found), None)
            if chain is None:
                continue
            there = [*entry["targets"], *entry.get("fallbacks", ())] if what == "fallbacks" else []
            added = [one for one in self._expanded(names, chain) if one not in there]
            if what == "fallbacks" and added:
                entry["fallbacks"] = [*entry.get("fallbacks", ()), *added]
            elif added:
                entry.setdefault("fallbacks_on", {})[CAUSES[what]] = added

    def _expanded(self, names: tuple[str, ...], chain: Part) -> Iterator[Any]:
        """The targets of the names that a chain names."""
        taken: list[Any] = []
        for part in chain.each() if isinstance(chain.node.value, list) else [chain]:
            if part.is_mapping:
                self.report.lost(part, "a fallback with fields of its own", "give the target `set`")
                continue
            for target in self._targets(part, names):
                if target not in taken:
                    taken.append(target)
                    yield target

    def _targets(self, part: Part, names: tuple[str, ...]) -> list[Any]:
        other = part.text()
        aliased = self._aliases.get(other)
        other = aliased[0] if aliased is not None else other
        if other in names:
            return []
        head, slash, rest = other.partition("/")
        if other in self.groups and ANY not in other:
            return [one.written() for one in sorted(self.groups[other], key=lambda one: one.order)]
        by_id = [one for one in self.deployments if one.id == other]
        if by_id:
            return [by_id[0].written()]
        if slash and rest and head in self.names and f"{head}/{ANY}" in self.groups:
            return [literal(other)]
        self.report.lost(part, f"there is no model `{other}` to fall back to", "name one of `models`")
        return []

    def _catalogue(self, draft: Draft) -> None:
        facts: dict[str, Any] = {}
        for one in self.deployments:
            if not one.facts or ANY in one.model:
                continue
            if facts.setdefault(one.name, one.facts) != one.facts:
                self.report.lost(one.part, f"`{one.name}` is described twice; the first counts", "make them equal")
        if facts:
            draft.put("catalogue", {"models": facts}, "model_info and prices of model_list")

    def _timeouts(self) -> None:
        """How long to wait for every provider that says nothing else."""
        part = self.said("timeout") or self.said("request_timeout")
        seconds = self.variables.number(part) if part is not None else None
        for host in self.book.hosts if seconds else ():
            host.settings.setdefault("timeouts", timeouts(seconds))


def _weights(group: list[Deployment]) -> list[Any]:
    """Each one's share as `simple-shuffle` has it; None where all are equal."""
    for name in SHARES:
        said = [one.shares.get(name) for one in group]
        if any(isinstance(value, str) for value in said):
            return [value if value is not None else 0 for value in said] if name == "weight" else [None] * len(group)
        values = [max(value or 0, 0) for value in said]
        largest = max(values)
        if largest > 0:
            scaled = [round(value / largest, 6) for value in values] if largest > MOST_WEIGHT else values
            return scaled if len(set(values)) > 1 else [None] * len(group)
    return [None] * len(group)


def _short(entry: dict[str, Any]) -> Any:
    """One target that says nothing more needs no mapping."""
    only = entry["targets"][0]
    return only if len(entry) == 1 and len(entry["targets"]) == 1 and isinstance(only, str) else entry
