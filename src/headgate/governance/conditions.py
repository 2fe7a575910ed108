"""Which rows are meant, as conditions of SQL over the columns of `requests`: whose they are, how old, whether held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from headgate.config.identities import Team
from headgate.config.retention import Hold, Retention
from headgate.config.schema import Config
from headgate.core.record import Record
from headgate.records.row import TEXTS
from headgate.records.statements import quoted

DAY = 86_400.0
Kind = Literal["records", "payloads"]
SELECTORS = ("user", "end_user", "team", "application", "key")


class Condition(NamedTuple):
    """SQL with `?`, and the values."""

    text: str
    values: Sequence[Any] = ()


class Rule(NamedTuple):
    """Of a kind of data, what is old; why, as people have said it."""

    why: str
    days: int
    condition: Condition


def joined(conditions: Iterable[Condition]) -> Condition:
    """All of them; TRUE where there is none."""
    parts = list(conditions)
    return Condition(
        " AND ".join(each.text for each in parts) or "TRUE", [value for each in parts for value in each.values]
    )


def equal(column: str, value: str) -> Condition:
    return Condition(f"requests.{quoted([column])} = ?", [value[:TEXTS]])


def held(hold: Hold) -> Condition:
    """What fits a hold."""
    parts = [equal(name, said) for name in SELECTORS if (said := getattr(hold, name)) is not None]
    if hold.requests is not None:
        parts.append(Condition(f"requests.id IN ({', '.join('?' * len(hold.requests))})", hold.requests))
    parts += [
        Condition(f"requests.time {sign} ?", [moment.timestamp()])
        for sign, moment in ((">=", hold.since), ("<", hold.until))
        if moment is not None
    ]
    return joined(parts)


def free(holds: Mapping[str, Hold]) -> Condition:
    """What no hold holds. A column without a value fits no hold that names one."""
    return joined(Condition(f"NOT COALESCE(({text}), FALSE)", values) for text, values in map(held, holds.values()))


def rules(config: Config, kind: Kind, now: float, columns: Iterable[str]) -> Iterator[Rule]:
    """What retention says is old of a kind: by team, by class of data where there is such a column, and all others."""
    name = f"{kind}_days"
    of_teams = {team: days for team, said in config.teams.items() if (days := getattr(said.retention, name))}
    classes = config.retention.data_classes if "data_class" in columns else {}
    of_classes = {each: days for each, said in classes.items() if (days := getattr(said, name))}
    for column, numbers in (("team", of_teams), ("data_class", of_classes)):
        for value, days in numbers.items():
            yield Rule(f"{column} {value}", days, joined([equal(column, value), _older(now, days)]))
    general: int | None = getattr(config.retention, name)
    if general is not None:
        others = [_none_of("team", of_teams), *([_none_of("data_class", of_classes)] if of_classes else [])]
        yield Rule("general", general, joined([_older(now, general), *others]))


def _older(now: float, days: int) -> Condition:
    return Condition("requests.time < ?", [now - days * DAY])


def _none_of(column: str, names: Iterable[str]) -> Condition:
    values = [name[:TEXTS] for name in names]
    if not values:
        return Condition("TRUE")
    column = f"requests.{column}"
    return Condition(f"({column} IS NULL OR {column} NOT IN ({', '.join('?' * len(values))}))", values)


def keeps(retention: Retention, config: Config) -> bool:
    """Whether anything is ever purged."""
    said = [retention, *retention.data_classes.values(), *(team.retention for team in config.teams.values())]
    return any(value is not None for each in said for name, value in each if name.endswith("_days"))


def days_of(config: Config, team: str | None, data_class: str | None, kind: Kind) -> int | None:
    """How long data of a team and of a class are kept; None: for ever."""
    name = f"{kind}_days"
    said = [config.teams.get(team or ""), config.retention.data_classes.get(data_class or "")]
    own = [getattr(each.retention if isinstance(each, Team) else each, name) for each in said if each is not None]
    days: list[int] = [each for each in own if each is not None]
    general: int | None = getattr(config.retention, name)
    return min(days) if days else general


def old(config: Config, now: float) -> Callable[[Record], bool]:
    """Whether a record's time is over, and no hold holds it."""

    def is_old(record: Record) -> bool:
        days = days_of(config, record.team, getattr(record, "data_class", None), "records")
        over = days is not None and record.time < now - days * DAY
        return over and not any(holds(hold, record) for hold in config.holds.values())

    return is_old


def holds(hold: Hold, record: Record) -> bool:
    said = {name: getattr(hold, name) for name in SELECTORS}
    return (
        all(value is None or getattr(record, name) == value for name, value in said.items())
        and (hold.requests is None or record.id in hold.requests)
        and (hold.since is None or record.time >= hold.since.timestamp())
        and (hold.until is None or record.time < hold.until.timestamp())
    )
