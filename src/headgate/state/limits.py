"""Limits that several processes keep together, in Redis or Valkey: one round trip for all of a request's."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import Any

from headgate.core.limits.memory import Counter, MemoryCounters, denial, level, refusal, worst
from headgate.core.limits.meter import Demand, Denied, Hold, Level, Meter, Now, Overview, Settled, Waiting
from headgate.state.address import address
from headgate.state.connection import Connection, Refused, connect
from headgate.state.limits_mirror import MICRO, TURN, Answer, Mirror, Row, kind_of
from headgate.state.limits_script import SCRIPT
from headgate.state.limits_standing import standing
from headgate.state.limits_turns import NOWHERE, Standing, Turns
from headgate.state.redis import context, told

log = logging.getLogger("headgate.state")

BEAT = 0.5
"""Seconds between two looks whether it is there, and still the same."""
PATIENCE = 1.0
"""Seconds to connect, and for each answer until then."""
STALE = 0.4
"""Seconds after which the script leaves a reservation alone, as nobody waits for it any more: less than BEAT, so that
what is told after an outage finds all holds that there will be."""
LEASE = 600.0
"""Seconds that a hold outlives its process. Those of requests that take longer are renewed in time."""
TOGETHER = 200
"""Counters told of in one call."""
MOST_PENDING = 2000
"""Calls without an answer from which on what is to be told waits for the next beat."""
TRIES = 4
"""Until the clocks are agreed on, which takes a second one where they are not."""
DENIED, AGAIN = 0, 2
MANY = 10_000
"""Counters from which on those at rest are looked for, whenever there are twice as many as were left."""


@dataclass(slots=True)
class Lease(Hold):
    """A hold that others know of, or will know of when the state is back."""

    rows: Sequence[Row] = ()
    inner: Hold | None = None
    """Where it was given without the others."""
    lender: MemoryCounters | None = None
    announced: bool = True
    """The others may know of it."""

    @property
    def id(self) -> str:
        return self.rows[0].hold


class SharedCounters:
    """`core.limits.meter.Counters`, as long as `run` runs; alone with a `share` of each limit while the state is away.

    What a process has used of a counter is told as a sum, which only grows within a window: so it does not matter what
    was told twice, or not at all.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        ca_file: Path | None = None,
        *,
        clock: Callable[[], Now],
        patience: float = 0.05,
        share: float = 0.5,
        lease: float = LEASE,
        script: str = SCRIPT,
    ) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.me = secrets.token_hex(8)
        self.why: str | None = "it was not asked yet"
        """Why it is away; None: it is there."""
        self.failures = 0
        self.tried = asyncio.Event()
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._prefix = f"{prefix}:{{limits}}:"
        self._clock = clock
        self._patience = patience
        self._share = share
        self._lease = round(lease * MICRO)
        self._script = script
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._connection: Connection | None = None
        self._offset = 0.0
        """What the server's clock is ahead of ours."""
        self._era = b""
        self._remembered: list[tuple[str, Row, int]] = []
        """What was used of counters, and in which era, by what was read at the start."""
        self._mirrors: dict[tuple[str, str], Mirror] = {}
        self._sweep_at = MANY
        self._serial = 0
        self._live: dict[str, Lease] = {}
        self._renewed = 0.0
        self._owed: dict[tuple[Mirror, str], Row] = {}
        """What is still to be told."""
        self._alone = MemoryCounters()
        self._portions: dict[Meter, Meter] = {}
        self._woken = asyncio.Event()
        self._turns = Turns(self._prefix, self.me)

    @property
    def era(self) -> str:
        return self._era.decode("utf-8", "replace")

    async def reserve(self, demands: Sequence[Demand], now: Now, waiting: Waiting | None = None) -> Hold | Denied:
        for _ in range(TRIES):
            connection = self._connection
            if connection is None:
                break
            hold = self._next_id()
            rows = self._rows(demands, hold, now)
            wanted = (row.wanted(firm=demand.firm) for demand, row in zip(demands, rows, strict=True))
            try:
                place = self._turns.stand(connection, demands, waiting) if waiting is not None else NOWHERE
                answer = await self._evaluate(connection, "reserve", rows, wanted, now, hold, place)
            except asyncio.CancelledError:  # it may be held there, or will be in a moment
                self._tell(_over(rows))
                raise
            except (Refused, OSError) as error:
                self._owe(_over(rows))
                self._lost(connection, error)
                break
            self._heard(answer, now)
            if answer[2] != AGAIN:
                return self._verdict(demands, rows, answer, now)
        return await self._by_itself(demands, now)

    def leave(self, demand: Demand, now: Now) -> None:
        connection = self._connection
        if connection is not None:
            rows = self._rows([demand], "", now)
            reply = self._evaluate(connection, "leave", rows, (), now)
            reply.add_done_callback(partial(self._left, connection))

    def _left(self, connection: Connection, reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is not None:
            self._lost(connection, reply.exception())

    def listen(self, freed: Callable[[str], None]) -> None:
        self._turns.freed = freed

    def short(self, demands: Sequence[Demand], now: Now) -> Denied | None:
        """By what was used of each counter when it was last heard of, which only grows; what is held is not known."""
        if self._connection is None:
            return None
        there = Now(now.wall + self._offset, now.steady)
        known = []
        for demand in demands:
            mirror = self._mirrors.get((kind_of(demand.meter), demand.counter))
            if mirror is None or demand.meter.what == "concurrency":
                continue
            heard, seen = mirror.counter, Counter(demand.counter)
            seen.due = heard.due
            if there.wall < heard.end:
                seen.start, seen.end, seen.used = heard.start, heard.end, heard.used
            known.append((demand, seen))
        return refusal([demand for demand, _ in known], [seen for _, seen in known], there) if known else None

    def dump(self) -> Iterator[Settled]:
        """What was used, by all, in windows that are longer than a restart takes, as far as was heard."""
        for mirror in self._mirrors.values():
            row = mirror.row
            if row is not None and row.meter.lasting and (used := mirror.others + mirror.used(row.start)):
                yield Settled(mirror.counter.name, row.start, used)

    def add(self, meter: Meter, name: str, start: float, used: int, now: Now, era: str = "") -> None:
        """What was used before this process was there, as a dump of some `era` or a record says: it is told if the
        state has lost it, and is gone by while there is none."""
        if meter.window is None or meter.window.at(now.wall)[0] != start:
            return
        mirror, end = self._mirror(meter, name, now), meter.window.at(now.wall)[1]
        counter = mirror.counter
        counter.start, counter.end, counter.used = start, end, max(counter.used, used)
        self._remembered.append((era, Row(mirror, meter, start, end), used))

    def settle(self, hold: Hold, amounts: Sequence[int], now: Now) -> None:
        if not hold.held or not isinstance(hold, Lease):
            return
        hold.held = ()
        if hold.inner is not None and hold.lender is not None:
            hold.lender.settle(hold.inner, amounts, now)
        self._live.pop(hold.id, None)
        rows = [self._came_to(hold, row, true) for row, true in zip(hold.rows, amounts, strict=True)]
        self._tell([row for row in rows if row is not None])

    def _came_to(self, lease: Lease, row: Row, true: int) -> Row | None:
        """What there is to tell of it."""
        row.mirror.holds -= 1
        hold = lease.id if lease.announced else ""
        if row.meter.burst is not None:
            known = row.amount if lease.inner is None else 0
            more = (true - known) * row.meter.each
            return row._replace(amount=0, hold=hold, more=more) if true != known else None
        if row.meter.window is None:
            return row._replace(amount=0, hold=hold) if lease.announced else None
        row.mirror.add(row, true)
        return row._replace(amount=0, hold=hold, own=row.mirror.used(row.start))

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        try:
            while True:
                await self._come_back()
                self.tried.set()
                while (connection := self._connection) is not None:
                    self._beat(connection)
                    await self._rest()
                await asyncio.sleep(BEAT * random.uniform(1.0, 1.5))  # noqa: S311  # spreads processes, no secret
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    async def first(self) -> None:
        """Wait until it is known whether it is there; that takes some seconds at most."""
        await self.tried.wait()

    async def part(self) -> None:
        """Before the process ends: what it owes is told, if that can be."""
        connection = self._connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._send(connection, self._some_owed())
                while self._owed:
                    await self._send(connection, self._some_owed())
        except (Refused, OSError):
            return

    async def standing(self, now: Now) -> Overview:
        """On a connection of its own, so that no request waits behind it; alone, as far as this process counts now."""
        if self._connection is not None:
            try:
                return await standing(self._address, self._context, self._prefix)
            except (Refused, OSError, UnicodeError) as error:
                log.warning("the shared state does not tell how limits stand: %s", told(error))
        return await self._alone.standing(now)

    def _next_id(self) -> str:
        self._serial += 1
        return f"{self.me}:{self._serial}"

    def _rows(self, demands: Sequence[Demand], hold: str, now: Now) -> list[Row]:
        rows = []
        wall = now.wall + self._offset
        for meter, counter, amount, _ in demands:
            start, end = meter.window.at(wall) if meter.window is not None else (0.0, 0.0)
            mirror = self._mirror(meter, counter, now)
            rows.append(Row(mirror, meter, start, end, hold, amount, own=mirror.used(start)))
        return rows

    def _mirror(self, meter: Meter, counter: str, now: Now) -> Mirror:
        kind = kind_of(meter)
        found = self._mirrors.get((kind, counter))
        if found is None:
            if len(self._mirrors) >= self._sweep_at:
                self._sweep(now)
            key = f"{self._prefix}{kind} {counter}".encode("utf-8", "replace")
            found = self._mirrors[kind, counter] = Mirror(counter, key)
        return found

    def _sweep(self, now: Now) -> None:
        """Forget those of which nothing is to be known or told any more."""
        there = Now(now.wall + self._offset, now.steady)
        owed = {mirror for mirror, _ in self._owed}
        self._mirrors = {
            name: mirror for name, mirror in self._mirrors.items() if mirror in owed or not mirror.idle(there)
        }
        self._sweep_at = max(MANY, 2 * len(self._mirrors))

    def _evaluate(
        self,
        connection: Connection,
        verb: str,
        rows: Sequence[Row],
        arguments: Iterable[tuple[str | int, ...]],
        now: Now,
        hold: str = "",
        place: Standing = NOWHERE,
        *,
        whole: bool = False,
    ) -> asyncio.Future[Any]:
        """Have the script run; `whole`: by its text, as the server may not know it yet."""
        until = round((now.wall + self._offset + STALE) * MICRO)
        return connection.send(
            *(("EVAL", self._script) if whole else ("EVALSHA", self._sha)),
            len(rows) + 1,
            f"{self._prefix}era",
            *[row.mirror.key for row in rows],
            *(verb, self.me, until, hold, self._lease, self._era, *(place.told() if place.at else (0, 0))),
            *chain.from_iterable(arguments),
        )

    def _verdict(self, demands: Sequence[Demand], asked: list[Row], answer: Sequence[Any], now: Now) -> Hold | Denied:
        there = Now(answer[0] / MICRO, now.steady)
        told = [Answer(*answer[at : at + 4]) for at in range(3, len(answer), 4)]
        rows = [row.stands(each, there) for row, each in zip(asked, told, strict=True)]
        levels = [level(row.meter, row.mirror.counter, there) for row in rows]
        if answer[2] == DENIED:
            short = [
                denial(demand, row.mirror.counter, there)
                if each.flag < TURN
                else Denied(demand, demand.amount, inf, turn=each.flag - TURN)
                for demand, row, each in zip(demands, rows, told, strict=True)
                if each.flag
            ]
            return worst(short, levels)
        warned = [stands for stands, each in zip(levels, told, strict=True) if each.flag]
        return self._lend(Lease(levels, warned, _held(rows), rows))

    def _lend(self, lease: Lease) -> Lease:
        for row in lease.rows:
            row.mirror.holds += 1
        self._live[lease.id] = lease
        return lease

    async def _by_itself(self, demands: Sequence[Demand], now: Now) -> Hold | Denied:
        """As much as this process may give out while it hears nothing of the others."""
        alone, there = self._alone, Now(now.wall + self._offset, now.steady)
        parts = [demand._replace(meter=self._portion(demand.meter)) for demand in demands]
        rows = self._rows(demands, self._next_id(), now)
        for row, part in zip(rows, parts, strict=True):
            if row.mirror.seeded is not alone:
                row.mirror.seeded = alone
                self._seed(row, part, there)
        outcome = await alone.reserve(parts, there)
        levels = [Level(row.meter, *stands[1:]) for row, stands in zip(rows, outcome.levels, strict=True)]
        if isinstance(outcome, Denied):
            demand = demands[parts.index(outcome.demand)]
            return replace(outcome, demand=demand, never=demand.amount > demand.meter.most, levels=levels)
        warned = [levels[outcome.levels.index(each)] for each in outcome.warned]
        return self._lend(Lease(levels, warned, _held(rows), rows, outcome, alone, announced=False))

    def _portion(self, meter: Meter) -> Meter:
        found = self._portions.get(meter)
        if found is None:
            amount = max(1, int(meter.amount * self._share)) if meter.amount else 0
            burst = None if meter.burst is None else max(1, int(meter.burst * self._share))
            found = self._portions[meter] = replace(meter, amount=amount, burst=burst)
        return found

    def _seed(self, row: Row, part: Demand, there: Now) -> None:
        """Of what is left as far as is known, the same share may be given out as of the whole."""
        counter, known = self._alone.counter(part, there), row.mirror.counter
        if row.meter.burst is not None:
            counter.due = known.due
        elif row.meter.window is not None and known.start == counter.start:
            left = max(row.meter.amount - known.used, 0)
            counter.used = max(part.meter.amount - int(left * self._share), 0)

    def _tell(self, rows: Sequence[Row]) -> None:
        """Nobody waits for it."""
        connection = self._connection
        if connection is None or connection.pending >= MOST_PENDING:
            self._owe(rows)
        elif rows:
            self._send(connection, rows)

    def _send(self, connection: Connection, rows: Sequence[Row]) -> asyncio.Future[Any]:
        for row in rows:
            self._owed.pop((row.mirror, row.hold), None)
        rows = [row.now() for row in rows]
        reply = self._evaluate(connection, "tell", rows, (row.told() for row in rows), self._clock())
        reply.add_done_callback(partial(self._told, connection, rows))
        return reply

    def _told(self, connection: Connection, rows: Sequence[Row], reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is None:
            self._heard(reply.result(), self._clock())
            for row in rows:
                row.mirror.known(row)
            if self._owed:
                self._woken.set()
            return
        self._owe(rows)
        if not reply.cancelled():
            self._lost(connection, reply.exception())

    def _owe(self, rows: Iterable[Row]) -> None:
        """It is told when that can be. What a rate was used less or more is not: it would not be true by then."""
        for row in rows:
            if row.meter.burst is None and (not row.amount or row.hold in self._live):
                self._owed[row.mirror, row.hold] = row

    def _owe_holds(self) -> None:
        self._renewed = self._clock().steady
        for lease in self._live.values():
            lease.announced = True
            self._owe(row for row in lease.rows if row.amount)

    def _heard(self, answer: Sequence[Any], now: Now) -> None:
        self._offset = answer[0] / MICRO - now.wall
        if answer[1] != self._era:  # it has lost what it knew, or is another one
            before, self._era = self._era, answer[1]
            self._recollect()
            for mirror in self._mirrors.values() if before else ():
                mirror.lose()
            self._owe(row for mirror in self._mirrors.values() if (row := mirror.news()) is not None)
            self._owe_holds()
            if self._connection is not None:  # before anything else is asked of it
                self._send_owed(self._connection)

    async def _come_back(self) -> None:
        try:
            connection = await self._connected()
        except (Refused, OSError, UnicodeError) as error:
            self._away(error)
            return
        if self.why is not None and self.tried.is_set():
            log.info("limits are counted together with the other processes again")
        connection.patience = self._patience
        self._connection, self.why = connection, None

    async def _connected(self) -> Connection:
        """A connection to a server that knows what this process knows, but for a few things."""
        async with asyncio.timeout(PATIENCE):
            connection = await connect(self._address, self._context)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._evaluate(connection, "tell", (), (), self._clock(), whole=True)
            self._heard(answer, self._clock())
            self._owe_holds()
            while len(self._owed) > TOGETHER:
                async with asyncio.timeout(PATIENCE):
                    await self._send(connection, self._some_owed())
        except BaseException:
            connection.close()
            raise
        return connection

    def _beat(self, connection: Connection) -> None:
        if self._clock().steady - self._renewed > self._lease / MICRO / 3:
            self._owe_holds()
        self._send(connection, self._some_owed())

    def _recollect(self) -> None:
        """What was used before this process was there."""
        remembered, self._remembered = self._remembered, []
        for era, row, used in remembered:
            row.mirror.remember(row, used, lost=era != self.era)

    def _send_owed(self, connection: Connection) -> None:
        while self._owed:
            self._send(connection, self._some_owed())

    def _some_owed(self) -> list[Row]:
        return list(islice(self._owed.values(), TOGETHER))

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(BEAT):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    def _lost(self, connection: Connection, error: BaseException | None) -> None:
        connection.close()
        if self._connection is connection:
            self._connection = None
            self._woken.set()
            self._away(error)

    def _away(self, error: BaseException | None) -> None:
        self.failures += 1
        where = f"{self._address.host}:{self._address.port}"
        late = isinstance(error, TimeoutError)
        why = f"{where} did not answer in time" if late or error is None else f"{where}: {told(error)}"
        if self.why is None or not self.tried.is_set():
            log.warning("limits are counted without the other processes: %s", why)
            self._alone, self._portions = MemoryCounters(), {}
        self.why = why


def _over(rows: Sequence[Row]) -> list[Row]:
    """That it is not held, or no more."""
    return [row._replace(amount=0) for row in rows if row.meter.burst is None]


def _held(rows: Sequence[Row]) -> list[tuple[object, float, int]]:
    return [(row.mirror, row.start, row.amount) for row in rows]
