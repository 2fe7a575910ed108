"""The state of targets and of providers' keys, as metrics: of what the configuration names, so that clients cannot make
up series. Read in a thread, hence nothing here changes what it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from headgate.core.credential import Credential
from headgate.core.standing import Standing
from headgate.runtime.gateway import Gateway
from headgate.telemetry.metrics import Read

Series = dict[tuple[str, ...], float]


class Gateways(Protocol):
    @property
    def gateway(self) -> Gateway: ...


class Conditions:
    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways
        self._of: Gateway | None = None
        self._found: list[Standing] = []
        """Of `_of`: each target once."""

    def reads(self) -> dict[str, Read]:
        """By the metric's name."""
        return {
            "headgate_circuits": self._circuits,
            "headgate_circuit_openings": self._each(lambda standing: standing.breaker.opened),
            "headgate_target_running": self._each(lambda standing: standing.running),
            "headgate_target_waiting": self._each(lambda standing: standing.gate.waiting if standing.gate else 0),
            "headgate_target_turned_away": self._each(lambda each: each.gate.turned_away if each.gate else 0),
            "headgate_repetitions": self._each(lambda standing: standing.repeats),
            "headgate_repetitions_denied": self._each(lambda standing: standing.denied),
            "headgate_keys": self._keys,
        }

    def _each(self, value: Callable[[Standing], float]) -> Read:
        """Of those that something is known of: thousands may be configured, and each worker writes all its series every
        second."""
        return lambda: {(standing.target,): value(standing) for standing in filter(_known, self._standings())}

    def _circuits(self) -> Series:
        now = time.monotonic()
        return {(standing.target, standing.breaker.state(now)): 1 for standing in self._standings()}

    def _keys(self) -> Series:
        now = time.monotonic()
        return {(each.provider, each.name, each.state(now)): 1 for each in self._credentials()}

    def _standings(self) -> Sequence[Standing]:
        gateway = self.gateways.gateway
        if gateway is not self._of:
            found = {id(target.standing): target.standing for target in gateway.named}
            self._found, self._of = list(found.values()), gateway
        return self._found

    def _credentials(self) -> Iterator[Credential]:
        gateway = self.gateways.gateway
        providers = [*gateway.route.providers.values(), *(target.provider for target in gateway.named)]
        return iter({id(arm.credential): arm.credential for each in providers for arm in each.arms}.values())


def _known(standing: Standing) -> bool:
    gate = standing.gate
    return bool(standing.asked.own or standing.breaker.opened or (gate and (gate.waiting or gate.turned_away)))
