"""Clauses tried out: on cases that somebody writes down, and on requests that have been."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from headgate.config.schema import Config
from headgate.core.effort import parted
from headgate.core.plugin import suggestion
from headgate.core.record import Record
from headgate.dialects.dialect import dialects
from headgate.stages.rules.clause import Clause, asked, compiled
from headgate.stages.rules.expression import DAYS, Undecided
from headgate.stages.rules.subject import Variable

EXAMPLES = 5
BLANKS: Mapping[Any, Any] = {str: "", int: 0, float: 0.0, bool: False}
"""What a variable is that a case says nothing of; lists and maps are empty."""
KINDS: Mapping[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", list[str]: "a list of texts",
    dict[str, str]: "texts by name",
}  # fmt: skip


class TryOut(BaseModel):
    """What should become of a request."""

    model_config = ConfigDict(extra="forbid")
    case: str = Field(min_length=1)
    given: dict[str, Any]
    """Variables by name; of a `target` of the configuration the `traits` need not be said."""
    denied_by: Annotated[list[str], Field(default_factory=list)]


class Result(BaseModel):
    """What came of a case: the clauses that deny it."""

    case: str
    denied_by: list[str]
    expected: list[str]

    @property
    def right(self) -> bool:
        return set(self.denied_by) == set(self.expected)


class Effect(BaseModel):
    """What a clause would have done to requests that have been."""

    clause: str
    mode: str
    denied: int = 0
    undecided: int = 0
    """It asks for what records do not say: the prompt, headers."""
    examples: list[str] = []
    """Ids of requests."""


def traits(config: Config, target: str) -> list[str]:
    """What is so of a target, as the configuration says."""
    provider = config.providers.get(target.partition("/")[0])
    found = set(provider.settings.traits if provider is not None else ())
    for each in config.targets():
        if each.model == target:
            found.update(each.traits, each.provider.settings.traits if each.provider is not None else ())
    return sorted(found)


def read(path: Path) -> list[TryOut]:
    """The cases of a file: a list in YAML. Raises ValueError, OSError."""
    try:
        return TypeAdapter(list[TryOut]).validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise ValueError(f"{path}: {place}: {first['msg']}") from None


def attempt(config: Config, cases: Sequence[TryOut]) -> Iterator[Result]:
    """Each case by the clauses of a configuration. Raises ValueError for what there is not, or is something else."""
    clauses, known = compiled(config.clauses, config.matching.lists), asked()
    for each in cases:
        _check(each, known, [clause.name for clause in clauses], config.providers)
        values = {name: BLANKS.get(of.kind, {} if of.kind == dict[str, str] else []) for name, of in known.items()}
        values |= each.given
        if "target" in each.given:
            own = {"provider": values["target"].partition("/")[0], "traits": traits(config, values["target"])}
            values |= {name: value for name, value in own.items() if name not in each.given}
        about = [clause for clause in clauses if "target" in each.given or not clause.served]
        denied = [clause.name for clause in about if clause.violated(values)]
        yield Result(case=each.case, denied_by=denied, expected=each.denied_by)


def _check(case: TryOut, known: Mapping[str, Variable], clauses: Sequence[str], providers: Mapping[str, Any]) -> None:
    for name, value in case.given.items():
        if name not in known:
            raise ValueError(f"the case {case.case!r} is given {name!r}, which no clause can ask about")
        if not _is(value, known[name].kind):
            kind = KINDS[known[name].kind]
            raise ValueError(f"the case {case.case!r} is given {name!r} as {value!r:.50}, which must be {kind}")
    target = str(case.given.get("target", ""))
    provider = target.partition("/")[0]
    if target and "traits" not in case.given and provider not in providers:
        hint = suggestion(provider, list(providers))
        raise ValueError(f"the case {case.case!r} is given the target {target!r:.50}, of no provider there is; {hint}")
    for name in case.denied_by:
        if name not in clauses:
            hint = suggestion(name, list(clauses))
            raise ValueError(f"the case {case.case!r} is to be denied by {name!r}, but there is no such clause; {hint}")


def _is(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def effects(config: Config, records: Iterable[Record]) -> tuple[int, list[Effect]]:
    """Of how many requests, and what each clause would have done to them."""
    clauses, zone = compiled(config.clauses, config.matching.lists), ZoneInfo(config.matching.time_zone)
    operations = {each.name: each.operation for each in dialects(config.dialects)}
    found, count = [Effect(clause=each.name, mode=each.mode) for each in clauses], 0
    for count, record in enumerate(records, 1):  # noqa: B007  # the last one counts
        known = _said(record, datetime.fromtimestamp(record.time, zone))
        if record.dialect in operations:
            known["operation"] = operations[record.dialect]
        targets = dict.fromkeys([each.target for each in record.attempts] + ([record.target] if record.target else []))
        for clause, effect in zip(clauses, found, strict=True):
            _look(clause, effect, record.id, known, [_of(config, each) for each in targets])
    return count, found


def _look(clause: Clause, effect: Effect, id: str, known: dict[str, Any], targets: Sequence[dict[str, Any]]) -> None:
    cases = [{**known, **each} for each in targets] if clause.served else [known]
    told = [_denies(clause, values) for values in cases]
    if any(told):
        effect.denied += 1
        if len(effect.examples) < EXAMPLES:
            effect.examples.append(id)
    elif None in told:
        effect.undecided += 1


def _denies(clause: Clause, values: Mapping[str, Any]) -> bool | None:
    """None: it asks for what is not known."""
    unknown = {name for name in clause.deny.names if name not in values}
    try:
        return clause.deny.holds(values, unknown)
    except Undecided:
        return None if unknown else True


def _of(config: Config, target: str) -> dict[str, Any]:
    return {"target": target, "provider": target.partition("/")[0], "traits": traits(config, target)}


def _said(record: Record, when: datetime) -> dict[str, Any]:
    """What a record says of what clauses ask."""
    said = {
        "key": record.key, "organisation": record.organisation, "team": record.team, "application": record.application,
        "person": record.user, "user": record.end_user, "model": parted(record.model or "")[0],
        "dialect": record.dialect, "data_class": record.data_class,
    }  # fmt: skip
    findings = dict.fromkeys(each.category for each in record.guards if each.side == "request")
    lists = {"tags": list(record.tags), "findings": list(findings), "stream": record.stream}
    times = {"hour": when.hour, "minute": when.minute, "weekday": DAYS[when.weekday()]}
    return {**{name: value or "" for name, value in said.items()}, **lists, **times}
