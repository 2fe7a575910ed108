"""A policy is asked without a trace, however it keeps its state."""

from collections import Counter, deque
from dataclasses import dataclass, field

import pytest

from headgate.stages.policies.policy import twin
from stages.policies.targets import asked, weighing


class Turning:
    def __init__(self):
        self.line = deque()

    def rank(self, exchange, targets):
        self.line = self.line or deque(targets)
        self.line.rotate()
        return list(self.line)


class Slotted(Turning):
    __slots__ = ("counts",)

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def rank(self, exchange, targets):
        first = min(targets, key=lambda each: self.counts[each.provider.name])
        self.counts[first.provider.name] += 1
        return [first, *(each for each in targets if each is not first)]


@dataclass(frozen=True)
class Frozen:
    said: list = field(default_factory=list)

    def rank(self, exchange, targets):
        self.said.append(exchange)
        return targets[len(self.said) % 2 :]


@pytest.mark.parametrize("kind", [Turning, Slotted, Frozen])
def test_a_twin_says_what_the_policy_would_and_changes_nothing(kind):
    policy, targets = kind(), weighing(1, 1, 1)
    orders = set()
    for _ in range(4):
        told = [twin(policy).rank(asked(), targets) for _ in range(3)]
        ranked = policy.rank(asked(), targets)
        assert told == [ranked] * 3
        orders.add(ranked[0])
    assert len(orders) > 1, "it has state"
