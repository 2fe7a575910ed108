"""Searches in the table of requests, as statements: the newest first, a page at a time, each by an index.

What is asked for may fit several indexed values (amounts of several sizes, requests of several teams). Each is then a
search of its own that ends after a page, and the newest of all are taken; so none of them looks at more than it gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from headgate.core.ids import SHORT, beginnings
from headgate.core.record import Record
from headgate.journal.read import EQUAL, Filter
from headgate.records.row import COST_SIZES, DURATION_SIZES, TEXTS, cost_size, duration_size
from headgate.records.statements import quoted

Condition = tuple[str, Sequence[Any]]
"""SQL with `?`, and the values."""
SHORT_LENGTH = SHORT.stop - SHORT.start
MOST_TEAMS, MOST_PARTS = 30, 120
"""Searches that are merged; SQLite takes 500. Beyond that there is one for all teams, or for all sizes."""


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


class Search(NamedTuple):
    """What is looked for; `scope` None: everybody's. `behind` is the last record of the page before."""

    want: Filter
    limit: int
    scope: Scope | None = None
    behind: Place | None = None
    newest_first: bool = True


def statement(search: Search, *whole: Condition) -> Condition:
    """Gives time, id and line of each record; `whole` are further conditions."""
    way = "DESC" if search.newest_first else "ASC"
    conditions = [*_conditions(search.want), *_behind(search), *whole]
    parts, values = list[str](), list[Any]()
    for alternative in _alternatives(search):
        each = [*conditions, *alternative]
        where = " AND ".join(text for text, _ in each) or "TRUE"
        parts.append(
            f"SELECT * FROM (SELECT requests.number, requests.time, requests.id FROM {_tables(search.want)} "  # noqa: S608 - our names
            f"WHERE {where} ORDER BY {_table(search.want)}.time {way}, requests.id {way} LIMIT ?) AS part"
        )
        values += [value for _, some in each for value in some] + [search.limit]
    if not parts:
        return "SELECT time, id, path FROM requests WHERE FALSE", ()
    order = f"ORDER BY found.time {way}, found.id {way}"
    found = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS found {order} LIMIT ?"  # noqa: S608 - our names
    return (
        f"SELECT found.time, found.id, lines.line FROM ({found}) AS found, lines "  # noqa: S608 - our names
        f"WHERE lines.number = found.number {order}",
        [*values, search.limit],
    )


def named(id: str, since: float, until: float) -> Iterator[Condition]:
    """Ways to find a request by its id or a part of it, of which the first that finds one counts: quick ones first."""
    yield "requests.id = ?", [id]
    if id.startswith("req_"):
        yield "requests.id >= ? AND requests.id < ?", [id, f"{id}~"]
    elif len(id) == SHORT_LENGTH:
        starts = beginnings(id, since, until)
        either = " OR ".join(["(requests.id >= ? AND requests.id < ?)"] * len(starts))
        yield f"({either})", [value for start in starts for value in (start, f"{start}~")]
    escaped = id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    yield "requests.id LIKE ? ESCAPE '\\'", [f"%{escaped}%"]


def _table(want: Filter) -> str:
    return "requests" if want.tag is None else "tags"


def _tables(want: Filter) -> str:
    return "requests" if want.tag is None else "tags JOIN requests ON requests.number = tags.number"


def _conditions(want: Filter) -> Iterator[Condition]:
    for column, value in _equal(want).items():
        if value is not None:
            yield f"{column} = ?", [value[:TEXTS]]
    if want.target is not None:
        yield "requests.provider = ?", [want.target.partition("/")[0][:TEXTS]]
        if "/" in want.target:
            yield "(requests.target = ? OR requests.target LIKE ? ESCAPE '\\')", _below(want.target)
    if want.statuses is not None:
        low, high = want.statuses
        if low // 100 == high // 100:
            yield "requests.status / 100 = ?", [low // 100]
        yield "requests.status BETWEEN ? AND ?", [low, high]
    for sign, moment in ((">=", want.since), ("<", want.until)):
        if moment is not None:
            yield f"{_table(want)}.time {sign} ?", [moment]
    if want.min_cost is not None:
        yield "COALESCE(requests.cost, 0) >= ?", [want.min_cost]
    if want.min_seconds is not None:
        yield "requests.duration >= ?", [round(want.min_seconds * 1e6)]


def _equal(want: Filter) -> dict[str, str | None]:
    named = {f"requests.{quoted([name])}": getattr(want, name) for name in EQUAL}
    return {**named, "tags.tag": want.tag, "requests.trace": want.trace}


def _below(target: str) -> list[str]:
    escaped = target.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [target[:TEXTS], f"{escaped}/%"]


def _behind(search: Search) -> Iterator[Condition]:
    if search.behind is not None:
        sign, table = ("<" if search.newest_first else ">"), _table(search.want)
        time, id = search.behind
        yield f"{table}.time {sign}= ?", [time]
        yield f"({table}.time {sign} ? OR requests.id {sign} ?)", [time, id]


def _alternatives(search: Search) -> list[list[Condition]]:
    """Of each record exactly one holds. None at all: nobody's records may be seen."""
    sizes: list[list[Condition]] = [[]]
    want = search.want
    if want.min_cost is not None and want.min_cost > 0:
        first = cost_size(want.min_cost)
        sizes = [[("requests.cost_size = ?", [size])] for size in range(first, COST_SIZES + 1)]
    elif want.min_seconds is not None and want.min_seconds > 0:
        first = duration_size(round(want.min_seconds * 1e6))
        sizes = [[("requests.duration_size = ?", [size])] for size in range(first, DURATION_SIZES + 1)]
    if search.scope is None:
        return sizes
    teams, user = sorted(search.scope.teams), search.scope.user
    if len(teams) > MOST_TEAMS:
        marks = ", ".join("?" * len(teams))
        return [[(f'(requests.team IN ({marks}) OR requests."user" = ?)', [*teams, user])]]
    whose: list[list[Condition]] = [[("requests.team = ?", [team])] for team in teams]
    if user is not None:
        own: list[Condition] = [('requests."user" = ?', [user])]
        if teams:
            marks = ", ".join("?" * len(teams))
            own.append((f"(requests.team IS NULL OR requests.team NOT IN ({marks}))", teams))
        whose.append(own)
    if len(whose) * len(sizes) > MOST_PARTS:
        sizes = [[]]
    return [[*one, *other] for one in whose for other in sizes]
