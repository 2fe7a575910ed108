"""How processes agree about targets and providers' keys: what is found out here goes to the others, theirs comes here.

No request waits for it. What has changed is noted where it changes; `outgoing` and `heard` are called before and after
each exchange with the others (`core.ports.State`). The latest finding counts, whoever made it. While the others cannot
be reached each process goes by its own.

A target's probe is sent by one process at a time: whose the right to do so is. It is the one that has opened the
circuit, until another one has a request for the target and the first has none, or the first is gone. Who had
such a request keeps it for a while, longer each time: else requests that come to one and the other in turn would take
it from each other for ever.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from headgate.core.breaker import NEVER
from headgate.core.counted import Counted
from headgate.core.credential import Credential, Out
from headgate.core.ports import Fact, Heard, Order
from headgate.core.standing import Board, Standing

T = TypeVar("T")

HELD = 3.0
"""Seconds for which a process has the right to a target's probe, if it does not ask for more."""
TURN = 1.0
"""Seconds for which a process that has wanted a probe keeps the right to it, whoever wants it meanwhile: until its next
request. Doubled at each turn: requests that a balancer gives to each process in turn may be far apart."""
KEPT = 600.0
"""Seconds for which what is over is remembered, so that who was away does not bring back what was true before."""
MOST = 500
"""Facts, or targets whose probes are settled, in one exchange."""


class Circuit(msgspec.Struct, frozen=True):
    """What is told of a target; `id` is the finding's own."""

    id: str
    open: bool
    firm: bool = False
    why: str = ""
    probes: int = 0


class Key(msgspec.Struct, frozen=True):
    """What is told of a provider's key."""

    id: str
    out: Out | None = None
    why: str = ""


class Rest(msgspec.Struct, frozen=True):
    """That a key is not to be used for a model for a while, which was so many seconds."""

    id: str
    seconds: float


class Finding(NamedTuple):
    """A fact as this process remembers it: by its own clock."""

    at: float
    until: float
    told: bytes


class Agreement:
    """Of the targets and keys of a board with those of other processes."""

    def __init__(self, board: Board, me: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.board = board
        self.me = me
        self.clock = clock
        self.changed = asyncio.Event()
        """There is something to tell, or a right that is wanted at once."""
        self._counted = Counted(board, me)
        self._known: dict[str, Finding] = {}
        self._new: dict[str, float] = {}
        """What is to be told, and when it was found out."""
        self._telling: dict[str, float] = {}
        """What is being told."""
        self._lost: list[str] = []
        """What is known, but the others have lost."""
        self._held: set[str] = set()
        """The targets whose probes are ours to send, or that we mean to have."""
        self._wanted: set[str] = set()
        """Those for which a request has come, though its probe is another's."""
        self._given: dict[str, str] = {}
        """Those whose probe is no longer ours, and whose it is to be."""
        self._due: dict[str, float] = {}
        """All whose circuit is open, and when the right to their probe is to be asked for again."""
        self._turns: dict[str, tuple[float, float]] = {}
        """Until when we keep the right to a probe that a request of ours has wanted, and how long that turn is."""
        self._orders: list[Order] = []
        self._asked = 0.0
        self._count = 0
        self._swept = 0.0
        self._alone = True
        board.newcomers = self

    def standing(self, standing: Standing) -> None:
        """A target is new on the board."""
        standing.breaker.watcher = OfCircuit(self, standing)
        name = f"circuit {standing.target}"
        if name in self._known:
            self._adopt_circuit(standing, self._known[name])

    def credential(self, credential: Credential) -> None:
        """A key is new on the board."""
        credential.watcher = OfKey(self, credential)
        for name, finding in self._known.items():
            kind, *place = name.split(" ", 3)
            if kind in ("key", "rest") and place[:2] == [credential.provider, _short(credential)]:
                _adopt_key(credential, place[2:], finding)

    def note(self, name: str) -> None:
        """This has changed here."""
        self._new[name] = self.clock()
        self.changed.set()

    def moved(self, standing: Standing) -> None:
        """A circuit has opened or closed here."""
        if standing.breaker.until:
            self._hold(standing.target)
        self.note(f"circuit {standing.target}")

    def wanted(self, standing: Standing) -> None:
        """A request would be the probe of a target, were it ours."""
        if standing.target not in self._wanted:
            self._wanted.add(standing.target)
            self._due[standing.target] = 0.0
            self.changed.set()

    def outgoing(self) -> tuple[list[Fact], list[Order]]:
        """What the others are to be told now; `heard` or `away` follows."""
        now = self._asked = self.clock()
        if now - self._swept > KEPT / 10:
            self._sweep(now)
        facts = [self._fact(name, self._known[name], now) for name in self._lost if name in self._known]
        self._lost = []
        keys = {(key.provider, _short(key)): key for key in self.board.credentials()} if self._new else {}
        for name in list(self._new)[:MOST]:
            self._telling[name] = at = self._new.pop(name)
            finding = self._found(name, at, now, keys)
            if finding is not None:
                self._known[name] = finding
                facts.append(self._fact(name, finding, now))
        if self._new:
            self.changed.set()
        self._orders = self._order(now)
        return facts + self._counted.outgoing(now), self._orders

    def heard(self, heard: Heard) -> None:
        """What the others have answered."""
        now = self.clock()
        self._alone = False
        self._telling.clear()
        for order, holder in zip(self._orders, heard.holders, strict=True):
            if order.verb in ("hold", "want"):
                self._settle(order.target, holder, now)
        if heard.whole:
            there = {fact.name for fact in heard.facts}
            self._lost = [name for name in self._known if name not in there]
            self._counted.lost()
        for fact in heard.facts:
            if fact.name.startswith("count "):
                self._counted.heard(fact.name.removeprefix("count "), fact.told, now)
                continue
            known = self._known.get(fact.name)
            if fact.name in self._new or (known is not None and known.told == fact.told):
                continue  # what has changed here meanwhile is later; what is known is not new
            self._known[fact.name] = finding = Finding(now - fact.age, now + fact.left, fact.told)
            self._adopt(fact.name, finding)
        if self._lost or self._given:
            self.changed.set()

    def away(self) -> None:
        """The others cannot be reached: from now on every probe is ours. What was being told will be told again."""
        self._alone = True
        for name, at in self._telling.items():
            self._new.setdefault(name, at)
        self._telling.clear()
        self._wanted.clear()
        self._given.clear()
        self._counted.lost()
        for standing in self.board.all():
            if standing.breaker.until:
                standing.breaker.ours = math.inf
                self._hold(standing.target)

    def _fact(self, name: str, finding: Finding, now: float) -> Fact:
        return Fact(name, max(0.0, now - finding.at), max(0.0, finding.until - now), finding.told)

    def _found(self, name: str, at: float, now: float, keys: dict[tuple[str, str], Credential]) -> Finding | None:
        """What is true here by now of what has changed; None: it is not on the board any more."""
        self._count += 1
        id = f"{self.me} {self._count}"
        kind, _, place = name.partition(" ")
        if kind == "circuit":
            standing = self.board.known(place)
            if standing is None:
                return None
            breaker = standing.breaker
            circuit = Circuit(id, bool(breaker.until), breaker.firm, breaker.why, breaker.probes)
            return Finding(at, breaker.until or now, msgspec.json.encode(circuit))
        provider, digest, *model = place.split(" ", 2)
        key = keys.get((provider, digest))
        if key is None or key.out == "disabled":
            return None
        if model:
            until, seconds = key.rest(model[0])
            return Finding(at, until, msgspec.json.encode(Rest(id, seconds)))
        return Finding(at, key.until or now, msgspec.json.encode(Key(id, key.out, key.why)))

    def _sweep(self, now: float) -> None:
        """Forget what is over for long. A probe that nobody has wanted all the time is anybody's."""
        self._known = {name: known for name, known in self._known.items() if known.until + KEPT > now}
        for target in list(self._due):
            standing = self.board.known(target)
            if standing is not None and 0.0 < standing.breaker.until < now - KEPT:
                standing.breaker.ours = math.inf
                self._forget(target)
        self._swept = now

    def _order(self, now: float) -> list[Order]:
        orders = [Order("give", target, to) for target, to in self._given.items()]
        self._given = {}
        for target, at in list(self._due.items()):
            standing = self.board.known(target)
            if standing is None or not standing.breaker.until:
                if target in self._held:
                    orders.append(Order("drop", target))
                self._forget(target)
            elif now >= at and len(orders) < MOST:
                rests = standing.breaker.until - now
                if rests > 0.0:
                    self._wanted.discard(target)
                wanted = target in self._wanted
                del self._due[target]  # put at the end: where there are more than go into one exchange, all have a turn
                soon = wanted or (target in self._held and rests < HELD / 2)
                self._due[target] = now if soon else now + HELD / 2  # who else has a request for it is heard at once
                orders.append(Order("want" if wanted else "hold", target))
        return orders

    def _hold(self, target: str) -> None:
        """Have the right to a probe, or ask for it."""
        self._held.add(target)
        self._due[target] = 0.0

    def _forget(self, target: str) -> None:
        del self._due[target]
        self._held.discard(target)
        self._wanted.discard(target)
        self._turns.pop(target, None)

    def _settle(self, target: str, holder: str, now: float) -> None:
        """Whether a probe is ours; `holder` may be who wants it of us."""
        standing = self.board.known(target)
        if standing is None or not standing.breaker.until:
            if holder:
                self._hold(target)  # to be dropped
            return
        breaker = standing.breaker
        if not holder:
            self._held.discard(target)
            breaker.ours = 0.0
            return
        self._held.add(target)
        over, turn = self._turns.get(target, (0.0, TURN / 2))
        if target in self._wanted:
            self._wanted.discard(target)
            over = now + turn * 2
            self._turns[target] = over, turn * 2
        breaker.ours = self._asked + HELD
        if holder != self.me and now >= max(breaker.until, over) and not breaker.probing:
            breaker.ours = 0.0
            self._held.discard(target)
            self._given[target] = holder

    def _adopt(self, name: str, finding: Finding) -> None:
        kind, _, place = name.partition(" ")
        if kind == "circuit":
            standing = self.board.known(place)
            if standing is not None:
                self._adopt_circuit(standing, finding)
        elif kind in ("key", "rest"):
            provider, _, place = place.partition(" ")
            digest, *model = place.split(" ", 1)
            for key in self.board.credentials():
                if key.provider == provider and _short(key) == digest:
                    _adopt_key(key, model, finding)

    def _adopt_circuit(self, standing: Standing, finding: Finding) -> None:
        circuit, breaker = _read(finding.told, Circuit), standing.breaker
        if circuit is None or breaker.trip is NEVER:
            return
        if circuit.open:
            if self._alone:
                self._hold(standing.target)
            elif standing.target not in self._held:
                breaker.ours = 0.0
                self._due.setdefault(standing.target, finding.until)
            breaker.adopt(finding.until, circuit.why, firm=circuit.firm, probes=circuit.probes)
        elif breaker.until:
            breaker.close()
            standing.window.forget()


class OfCircuit:
    """Hears of one target's circuit."""

    __slots__ = ("agreement", "standing")

    def __init__(self, agreement: Agreement, standing: Standing) -> None:
        self.agreement = agreement
        self.standing = standing

    def moved(self) -> None:
        self.agreement.moved(self.standing)

    def wanted(self) -> None:
        self.agreement.wanted(self.standing)


class OfKey:
    """Hears of one key."""

    __slots__ = ("agreement", "name")

    def __init__(self, agreement: Agreement, credential: Credential) -> None:
        self.agreement = agreement
        self.name = f"{credential.provider} {_short(credential)}"

    def moved(self) -> None:
        self.agreement.note(f"key {self.name}")

    def cooled(self, model: str) -> None:
        self.agreement.note(f"rest {self.name} {model}")


def _short(credential: Credential) -> str:
    """Enough of a key's digest to tell it from the others."""
    return credential.digest[:16]


def _adopt_key(credential: Credential, model: list[str], finding: Finding) -> None:
    if model:
        rest = _read(finding.told, Rest)
        if rest is not None:
            credential.adopt_rest(model[0], finding.until, rest.seconds)
    else:
        key = _read(finding.told, Key)
        if key is not None:
            credential.adopt(key.out, key.why, finding.until)


def _read(told: bytes, kind: type[T]) -> T | None:
    """None where it is another version's, or nobody's."""
    try:
        return msgspec.json.decode(told, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
