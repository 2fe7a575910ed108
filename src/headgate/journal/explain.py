"""Why a request went where it went, from its record: in plain words, and as JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import reduce
from typing import Any

import click
import msgspec

from headgate.catalog.arithmetic import told
from headgate.core.decision import Candidate, Decided
from headgate.core.printable import json_safe, printable
from headgate.core.record import Cached, Record
from headgate.core.usage import Usage
from headgate.journal.read import Filter, Source
from headgate.journal.show import attempt_told
from headgate.journal.table import moment, offset, seconds

NAMES = (
    "id", "time", "key", "tags", "model", "stream", "target", "status", "ending", "error", "message", "decision",
    "attempts", "lost", "guards", "sources", "resumed", "shadow_of", "usage", "cost", "cost_parts", "unpriced",
    "saved", "cached", "data_class", "payload", "duration",
)  # fmt: skip
"""What of a record says why; left out where it is empty."""
WITHOUT = {"cache": "Without the provider's cache of prompts", "routing": "At the first target of its alias"}
"""In words, what of a record's `saved` is told against."""


def explain(source: Source, id: str, *, as_json: bool) -> None:
    """Print it to standard output. Raises click.ClickException where there is no such record."""
    try:
        found = source.find(Filter(id), 2)
    except OSError as error:
        raise click.ClickException(f"the records in {source.where} cannot be read: {error.strerror}") from error
    if len(found) != 1:
        told = "no request has this id" if not found else "several requests have this in their ids: give more of it"
        raise click.ClickException(f"{id!r}: {told} (records are in {source.where}; `headgate records` lists them)")
    [stored] = found
    if as_json:
        text = msgspec.json.format(reasons(stored.record), indent=2).decode()
        click.echo(json_safe(text) if sys.stdout.isatty() else text)
        return
    for line in lines(stored.record, datetime.now().astimezone().tzinfo or UTC):
        click.echo(line)


def decision(source: Source, id: str) -> bytes | None:
    """The JSON of the request whose id is this one; None where there is none. Raises OSError."""
    found = source.find(Filter(id), 1)
    return reasons(found[0].record) if found and found[0].record.id == id else None


def reasons(record: Record) -> bytes:
    """A JSON object of what says why, and `text`, the same in plain words."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    said = {name: fields[name] for name in NAMES if name in fields}
    return msgspec.json.encode({**said, "ending": record.ending, "text": list(lines(record, UTC))})


def lines(record: Record, zone: tzinfo) -> Iterator[str]:
    """In plain words, for somebody who wants to know why."""
    yield f"{record.id}, {moment(record.time, zone)} {offset(zone)}"
    yield printable(_asked(record))
    if record.shadow_of is not None:
        yield f"It is a copy of {record.shadow_of}, whose answer nobody was given."
    yield from map(printable, _guarded(record))
    decided = record.decision
    if decided is None:
        yield printable(f"It did not get as far as to be routed: {record.message or record.ending}")
        return
    yield printable(f"Why: {decided.why}")
    if record.cached is not None and record.cached.refused is not None:
        yield _refused(record.cached)
    if decided.candidates:
        yield f"Candidates{_unit(decided)}:"
        for place, each in enumerate(decided.candidates, 1):
            yield printable(f"  {_candidate(place, each)}")
    if record.attempts:
        yield "Attempts:"
        for place, attempt in enumerate(record.attempts, 1):
            yield printable(f"  {place}. {attempt_told(attempt)}")
    if record.resumed:
        times = "once" if record.resumed == 1 else f"{record.resumed} times"
        yield f"The stream broke off {times}, and another target went on."
    yield printable(_ended(record))
    used = _used(record)
    if used:
        yield used
    yield from map(printable, _cost(record))
    if record.payload is not None:
        yield _kept(record)


def _asked(record: Record) -> str:
    who = f"by the key {record.key}" if record.key is not None else "without a key"
    tags = f", tags {', '.join(record.tags)}" if record.tags else ""
    streamed = ", streamed" if record.stream else ""
    return f"Asked for {record.model or record.path} {who}{tags}{streamed}."


def _guarded(record: Record) -> Iterator[str]:
    """What guards found, each kind once."""
    count = Counter((each.policy, each.category, each.action, each.mode, each.side) for each in record.guards)
    for (policy, category, action, mode, side), times in count.items():
        often = f", {times} times" if times > 1 else ""
        would = "would be: " if mode == "monitor" else ""
        yield f"Policy {policy}: {category} in the {side}{often}: {would}{action}."
    if record.sources:
        yield f"It was given what stands in {', '.join(record.sources[:20])}."


def _unit(decided: Decided) -> str:
    return f", by {decided.unit}, less being better" if decided.unit else ""


def _candidate(place: int, candidate: Candidate) -> str:
    score = f"  {candidate.score:g}" if candidate.score is not None else ""
    if candidate.out is not None:
        return f"-  {candidate.target}{score}  left out ({candidate.by}): {candidate.out}"
    return f"{place}. {candidate.target}{score}"


def _ended(record: Record) -> str:
    whose = f" by {record.target}" if record.target is not None else ""
    took = f"after {seconds(record.duration)}"
    match record.ending:
        case "complete":
            return f"It was answered{whose} {took}."
        case "explained":
            return "It was only explained: nobody was asked."
        case "cancelled":
            return f"The client went away {took}."
        case "cut":
            return f"The answer{whose} broke off {took}: {record.message or record.error}"
    return f"It failed with {record.status} {record.error} {took}: {record.message}"


def _kept(record: Record) -> str:
    if record.payload == "dropped":
        return "What was said is not kept, as there was no room for it."
    how = "kept, without secrets and personal data" if record.payload == "redacted" else "kept in full"
    return f"What was said is {how}: headgate records --id {record.id} --payload"


def _refused(cached: Cached) -> str:
    """Of the answer to a similar question."""
    how = f"similarity {cached.similarity:.2f}" if cached.similarity is not None else "similar"
    if cached.refused == "verification":
        why = "the model that was asked found them different" if cached.verified == "different" else "no model said so"
    else:
        why = f"the two do not agree ({cached.refused})"
    return f"The answer to a similar question is kept ({how}), and was not given: {why}."


def _used(record: Record) -> str:
    """What it used, all attempts together; "" where nobody says."""
    said = [usage for usage in (record.usage, *(each.usage for each in record.attempts)) if usage is not None]
    if not said:
        return ""
    whole = reduce(Usage.plus, said)
    units = [f"{number:g} {unit}" for unit, number in whole.units.items()]
    cached = f" ({whole.cache_read:,} of them cached)" if whole.cache_read else ""
    thought = f" ({whole.reasoning:,} of them reasoning)" if whole.reasoning else ""
    plural = "" if whole.prompt == 1 else "s"
    tokens = f"{whole.prompt:,} token{plural} of prompt{cached} and {whole.completion:,} of answer{thought}"
    parts = [*([tokens] if whole.prompt or whole.completion else []), *units]
    beside = ", with an answer that was not taken" if len(said) > 1 else ""
    return f"It used {', '.join(parts)}{beside}." if parts else ""


def _cost(record: Record) -> Iterator[str]:
    """What it cost and why, with the answers that were not taken, and what was saved."""
    if record.cost is not None:
        arithmetic = f": {told(record.cost_parts)}" if record.cost_parts else ""
        yield f"It cost ${record.cost}{arithmetic}."
    elif record.unpriced is not None:
        known = f" (of it: {told(record.cost_parts)})" if record.cost_parts else ""
        yield f"What it cost is not known: {record.unpriced}{known}."
    for name, amount in record.saved.items():
        more = amount.startswith("-")
        against = "Had a provider been asked" if record.spared and name == "cache" else WITHOUT[name]
        yield f"{against}, it would have cost ${amount.removeprefix('-')} {'less' if more else 'more'}."
