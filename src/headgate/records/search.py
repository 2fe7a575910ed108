"""Searches in the table of requests, as statements: the newest first, a page at a time.

What few requests have is found by the marks of blocks (marks.py): the newest blocks that have a mark of each kind that
is asked for are looked through, some at a time, until no other block can hold anything newer than what was found. Where
nothing is asked for that is marked, an index leads: that of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from headgate.core.ids import SHORT, beginnings
from headgate.core.record import Record
from headgate.journal.read import EQUAL, Filter
from headgate.records.marks import NAMES
from headgate.records.row import COST_SIZES, DURATION_SIZES, TEXTS, cost_size, duration_size
from headgate.records.statements import escaped, quoted, together

Condition = tuple[str, Sequence[Any]]
"""SQL with `?`, and the values."""
SHORT_LENGTH = SHORT.stop - SHORT.start
FOUND = "requests.number, requests.time, requests.id"
AT_ONCE = (4, 16, 64)
"""Blocks that are looked through in the first step, the next, and in each that follows."""
MOST_PARTS = 60
"""Marks that are searched one by one, so that each gives only its newest."""


class Place(NamedTuple):
    """Of a record in the order in which requests came in; a page goes on behind one."""

    time: float
    id: str


class Scope(NamedTuple):
    """Whose requests somebody may see: those of teams, and a user's own."""

    teams: frozenset[str]
    user: str | None

    def holds(self, record: Record) -> bool:
        return record.team in self.teams or (self.user is not None and record.user == self.user)

    @property
    def condition(self) -> Condition:
        teams = sorted(self.teams)
        parts = [f"requests.team IN ({', '.join('?' * len(teams))})"] if teams else []
        parts += ['requests."user" = ?'] if self.user is not None else []
        return f"({' OR '.join(parts) or 'FALSE'})", [*teams, *([self.user] if self.user is not None else [])]

    @property
    def marks(self) -> list[str]:
        return [*(f"team={team}" for team in sorted(self.teams)), *([f"user={self.user}"] if self.user else [])]


class Search(NamedTuple):
    """What is looked for; `scope` None: everybody's. `behind` is the last record of the page before."""

    want: Filter
    limit: int
    scope: Scope | None = None
    behind: Place | None = None
    newest_first: bool = True


class Block(NamedTuple):
    """Numbers from one to another, and the time up to (backwards: down to) which it has requests."""

    first: int
    last: int
    reach: float


def direct(search: Search, *whole: Condition) -> Condition:
    """Gives number, time and id of each record, led by an index; `whole` are further conditions."""
    way = "DESC" if search.newest_first else "ASC"
    text, values = together([*_conditions(search), *_times(search, "requests.time"), *whole])
    order = f"ORDER BY requests.time {way}, requests.id {way} LIMIT ?"
    return f"SELECT {FOUND} FROM requests WHERE {text} {order}", [*values, search.limit]  # noqa: S608 - our names


def candidates(search: Search, groups: Sequence[Sequence[str]], after: Block | None, count: int) -> Condition:
    """Gives the next blocks that have a mark of each group."""
    reach, way, sign = ("newest", "DESC", "<") if search.newest_first else ("oldest", "ASC", ">")
    lead, *others = groups
    marks = [[mark] for mark in lead] if len(lead) <= MOST_PARTS else [lead]
    conditions: list[Condition] = [(f"mark IN ({', '.join('?' * len(marks[0]))})", [])]
    since, until = _span(search)
    if since is not None:
        conditions.append(("newest >= ?", [since]))
    if until is not None:
        conditions.append(("oldest <= ?", [until]))
    if after is not None:
        conditions.append(
            (f"({reach} {sign} ? OR ({reach} = ? AND first {sign} ?))", [after.reach] * 2 + [after.first])
        )
        conditions.append((f"{reach} {sign}= ?", [after.reach]))
    for group in others:
        marked = f"other.mark IN ({', '.join('?' * len(group))}) AND other.newest = marks.newest"
        inside = f"EXISTS (SELECT 1 FROM marks AS other WHERE {marked} AND other.first = marks.first)"  # noqa: S608
        conditions.append((inside, group))
    text, values = together(conditions)
    order = f"ORDER BY {reach} {way}, first {way} LIMIT ?"
    one = f"SELECT * FROM (SELECT DISTINCT first, last, {reach} FROM marks WHERE {text} {order}) AS part"  # noqa: S608
    each = [value for some in marks for value in (*some, *values, count)]
    return f"SELECT * FROM ({' UNION '.join([one] * len(marks))}) AS found {order}", [*each, count]  # noqa: S608


def within(search: Search, blocks: Sequence[Block]) -> Condition:
    """Gives number, time and id of the records of these blocks, in any order."""
    # the plus keeps an index over the time from being used, which would find all that came in at that time
    text, values = together([*_conditions(search), *_times(search, "+requests.time")])
    one = f"SELECT {FOUND} FROM requests WHERE requests.number BETWEEN ? AND ? AND {text}"  # noqa: S608 - our names
    each = [value for block in blocks for value in (block.first, block.last, *values)]
    return " UNION ALL ".join([one] * len(blocks)), each


def groups(search: Search) -> list[list[str]]:
    """Marks, of each of which a block must have one at least; none: all blocks may hold what is looked for."""
    want = search.want
    if want.trace is not None:  # there are a few requests of it, and an index
        return []
    found = [[f"{name}={getattr(want, name)[:TEXTS]}"] for name in NAMES if name in EQUAL and getattr(want, name)]
    if want.tag is not None:
        found.append([f"tag={want.tag[:TEXTS]}"])
    if want.target is not None:
        found.append([f"provider={want.target.partition('/')[0][:TEXTS]}"])
    if want.min_cost is not None and want.min_cost > 0:
        found.append([f"cost_size={size}" for size in range(cost_size(want.min_cost), COST_SIZES + 1)])
    if want.min_seconds is not None and want.min_seconds > 0:
        first = duration_size(round(want.min_seconds * 1e6))
        found.append([f"duration_size={size}" for size in range(first, DURATION_SIZES + 1)])
    if want.statuses is not None:
        low, high = want.statuses
        found.append([f"status={hundred}" for hundred in range(low // 100, high // 100 + 1)])
    if search.scope is not None:
        found.append(search.scope.marks)
    return sorted(found, key=len)


def named(id: str, since: float, until: float) -> Iterator[Condition]:
    """Ways to find a request by its id or a part of it, of which the first that finds one counts: quick ones first."""
    yield "requests.id = ?", [id]
    if id.startswith("req_"):
        yield "requests.id >= ? AND requests.id < ?", [id, f"{id}~"]
    elif len(id) == SHORT_LENGTH:
        starts = beginnings(id, since, until)
        either = " OR ".join(["(requests.id >= ? AND requests.id < ?)"] * len(starts))
        yield f"({either})", [value for start in starts for value in (start, f"{start}~")]
    yield "requests.id LIKE ? ESCAPE '\\'", [f"%{escaped(id)}%"]


def conditions(search: Search) -> Iterator[Condition]:
    """Those that all engines are told in the same words."""
    want = search.want
    for name in (*EQUAL, "trace"):
        value = getattr(want, name)
        if value is not None:
            yield f"requests.{quoted([name])} = ?", [value[:TEXTS]]
    if want.statuses is not None:
        yield "requests.status BETWEEN ? AND ?", list(want.statuses)
    if want.min_cost is not None:
        yield "COALESCE(requests.cost, 0) >= ?", [want.min_cost]
    if want.min_seconds is not None:
        yield "requests.duration >= ?", [round(want.min_seconds * 1e6)]
    if search.scope is not None:
        yield search.scope.condition


def _conditions(search: Search) -> Iterator[Condition]:
    want = search.want
    yield from conditions(search)
    if want.tag is not None:
        tagged = "tags.tag = ? AND tags.time = requests.time AND tags.number = requests.number"
        yield f"EXISTS (SELECT 1 FROM tags WHERE {tagged})", [want.tag[:TEXTS]]  # noqa: S608 - our names
    if want.target is not None:
        yield "requests.provider = ?", [want.target.partition("/")[0][:TEXTS]]
        if "/" in want.target:
            yield "(requests.target = ? OR requests.target LIKE ? ESCAPE '\\')", _below(want.target)


def _below(target: str) -> list[str]:
    return [target[:TEXTS], f"{escaped(target)}/%"]


def _times(search: Search, column: str) -> Iterator[Condition]:
    for sign, moment in ((">=", search.want.since), ("<", search.want.until)):
        if moment is not None:
            yield f"{column} {sign} ?", [moment]
    if search.behind is not None:
        sign = "<" if search.newest_first else ">"
        time, id = search.behind
        yield f"{column} {sign}= ?", [time]
        yield f"({column} {sign} ? OR requests.id {sign} ?)", [time, id]


def _span(search: Search) -> tuple[float | None, float | None]:
    """The times, both included, outside of which nothing is wanted."""
    since, until = search.want.since, search.want.until
    if search.behind is not None:
        edge = search.behind.time
        if search.newest_first:
            until = edge if until is None else min(until, edge)
        else:
            since = edge if since is None else max(since, edge)
    return since, until
