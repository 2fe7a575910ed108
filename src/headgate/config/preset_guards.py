"""Guards that laws ask for: where nobody has a policy that does as much, there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from headgate.config.compliance import Law
from headgate.config.guards import GuardPolicy
from headgate.core.guard import CHANGES, EVERY, Action


class Wanted(NamedTuple):
    """A guard that some laws ask for."""

    use: str
    also: frozenset[str]
    """Kinds that are found only where they are asked for."""
    by: Sequence[str]
    """Laws and articles."""

    @property
    def name(self) -> str:
        return f"compliance-{self.use}"

    @property
    def policy(self) -> GuardPolicy:
        """What goes to providers that are not one's own goes without what is found."""
        told = {"with": {"also": sorted(self.also)}} if self.also else {}
        said = {"use": self.use, "at": "before", "external_only": True, "then": "redact", **told}
        return GuardPolicy.model_validate(said)

    def done_by(self, policy: GuardPolicy) -> bool:
        """Whether a policy does as much, for whoever asks."""
        said: Mapping[str, Any] = policy.settings
        narrowed = policy.match or policy.parts is not None or policy.roles is not None or policy.min_score > LEAST
        chosen = {"kinds", "packs", "without"} & said.keys() or said.get("threshold", LEAST) > LEAST
        actions: set[Action] = {policy.then.get(EVERY, "redact"), *policy.then.values()}
        return (
            policy.use == self.use
            and policy.mode == "enforce"
            and policy.on_error == "closed"
            and not narrowed
            and not chosen
            and "before" in (policy.at or ("before",))
            and actions <= {*CHANGES, "block"}
            and self.also <= set(said.get("also") or ())
        )


LEAST = 0.5
"""How sure a guard is by itself of what it finds."""
ASKED: Mapping[Law, Sequence[tuple[str, frozenset[str], str]]] = {
    "gdpr": (("personal", frozenset(), "Art. 5(1)(c), 28"), ("secrets", frozenset(), "Art. 32(1)(b)")),
    "hipaa": (
        ("personal", frozenset({"age", "date", "url", "username"}), "45 CFR 164.514(b)(2)"),
        ("secrets", frozenset(), "45 CFR 164.312(d)"),
    ),
    "ccpa": (("personal", frozenset(), "Cal. Civ. Code 1798.100(c)"), ("secrets", frozenset(), "1798.150(a)(1)")),
}
"""By law: a guard, what it finds beside what is usual, and the article."""


def wanted(laws: Sequence[Law]) -> Iterator[Wanted]:
    """What some laws ask, together."""
    for use in ("personal", "secrets"):
        every = [(law, *each) for law in dict.fromkeys(laws) for each in ASKED[law]]
        asked = [(law, also, article) for law, name, also, article in every if name == use]
        if asked:
            also: frozenset[str] = frozenset().union(*(also for _, also, _ in asked))
            yield Wanted(use, also, [f"{law} {article}" for law, _, article in asked])


def add(config: Any) -> None:
    """The policies that are not there, before guards are made; none, where all providers are one's own."""
    internal = [entry.settings.internal for entry in config.providers.values()]
    if internal and all(internal):
        return
    for each in wanted([law for law in config.compliance if law in ASKED]):
        if not any(each.done_by(policy) for policy in config.guards.values()):
            name = each.name
            while name in config.guards:
                name += "-more"
            config.guards[name] = each.policy
