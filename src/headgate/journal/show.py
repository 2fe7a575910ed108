"""Records on a terminal: a table, one record in full, or the lines as they are for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO, cast, get_args

import click
import msgspec

from headgate.catalog.arithmetic import told
from headgate.core.columns import block
from headgate.core.errors import Origin
from headgate.core.printable import json_safe, printable
from headgate.core.record import Attempt, Ending, Record
from headgate.core.trace import Trace
from headgate.journal.read import Files, Filter, Source, Stored, statuses
from headgate.journal.table import Table, moment, offset, seconds

_FOLLOWED = 10
_LOOKED_AT = 100
"""Records read before a table's first line, to fit its columns to them."""
_SAME_NAMES = 10
_UNUSABLE = frozenset({"provider_bad_reply", "provider_cut"})


def show(
    data_dir: Path,
    *,
    follow: bool = False,
    as_json: bool = False,
    limit: int | None = None,
    source: Source | None = None,
    **filters: Any,
) -> None:
    """Print the records of `data_dir` that pass every filter given (see `wanted`), oldest first, to standard output.

    They are read from `source`, or from the journal alone. `limit` takes the latest so many (None: all; when following,
    the latest 10 come first). Raises click.BadParameter for a filter that can never match or an `id` that is part of
    several, click.ClickException where the journal cannot be read.
    """
    _show(source or Files(data_dir / "journal"), wanted(**filters), follow, as_json, limit)


def wanted(
    *,
    id: str | None = None,
    key: str | None = None,
    model: str | None = None,
    target: str | None = None,
    status: str | int | None = None,
    ending: str | None = None,
    error: str | None = None,
    origin: str | None = None,
    client: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **equal: Any,
) -> Filter:
    """What is looked for; `equal` are further fields of `Filter`.

    `id` is a part of one, as long as no other record's has it; `status` 429 or 5xx; `target` provider/model or a
    provider; `error` a code, as it is or as the table shows it (origin:code); `client` the caller's address. Requests
    that came in from `since` on and before `until`, local times where they have no zone. Raises click.BadParameter.
    """
    times, fault = _span(since, until), _fault(error, origin)
    return Filter(id, key, model, target, _statuses(status), _ending(ending), *times, *fault, client, **equal)


def _show(source: Source, want: Filter, following: bool, as_json: bool, limit: int | None) -> None:
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")
    try:
        chosen = _chosen(source, want, following, limit)
        count = _print(chosen, out, as_json=as_json, full=want.id is not None, live=following)
        out.flush()
    except BrokenPipeError:
        _close_quietly()
        return
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise click.ClickException(f"the records in {source.where} cannot be read: {error.strerror}") from error
    if not count:
        click.echo(_nothing(source, filtered=want != Filter()), err=True)


def _chosen(source: Source, want: Filter, following: bool, limit: int | None) -> Iterable[Stored]:
    if want.id is not None and not following:
        return _only(source.find(want, _SAME_NAMES + 1), want.id)
    if following:
        return source.follow(want, _FOLLOWED if limit is None else limit)
    return source.read(want) if limit is None else source.latest(limit, want)


def _only(found: list[Stored], part: str) -> list[Stored]:
    if len(found) > 1:
        names = ", ".join(printable(stored.record.id) for stored in found[:_SAME_NAMES])
        more = " and of others" if len(found) > _SAME_NAMES else ""
        raise click.BadParameter(f"{part!r} is part of the ids {names}{more}: give more of the one you mean")
    return found


def _print(stored: Iterable[Stored], out: TextIO, *, as_json: bool, full: bool, live: bool) -> int:
    terminal = out.isatty()
    colour = terminal and "NO_COLOR" not in os.environ
    zone = datetime.now().astimezone().tzinfo or UTC
    flow, table = iter(stored), None
    if not (as_json or full):
        width = shutil.get_terminal_size().columns if terminal else None
        flow, known = (flow, None) if live or width is None else _looked_at(flow)
        table = Table(width, colour=colour, zone=zone, known=known)
    count = 0
    for one in flow:
        if table is not None:
            out.write(table.line(one.record) if count else table.head() + table.line(one.record))
        elif as_json:
            text = one.raw.decode("utf-8", "replace")
            out.write(f"{json_safe(text) if terminal else text}\n")
        else:
            out.write(_in_full(one.record, zone, colour))
        count += 1
        if live:
            out.flush()
    return count


def _looked_at(flow: Iterator[Stored]) -> tuple[Iterator[Stored], list[Record] | None]:
    """The same flow, and its records if they are few."""
    first = list(islice(flow, _LOOKED_AT + 1))
    known = [stored.record for stored in first] if len(first) <= _LOOKED_AT else None
    return chain(first, flow), known


def _in_full(record: Record, zone: tzinfo, colour: bool) -> str:
    fields = cast("dict[str, Any]", msgspec.to_builtins(record))
    time = f"{moment(record.time, zone)} {offset(zone)}"
    fields = {"time": time, **{k: v for k, v in fields.items() if k != "time"}, "ending": record.ending}
    for name in ("first_token", "duration"):
        if name in fields:
            fields[name] = seconds(fields[name])
    if record.status:
        fields["status"] = f"{record.status} to the client"
    if record.attempts:
        fields["attempts"] = [attempt_told(attempt) for attempt in record.attempts]
    if record.trace is not None:
        fields["trace"] = trace_told(record.trace)
    if fields.pop("cost_parts", None):
        fields["cost"] = f"${record.cost or '?'} = {told(record.cost_parts)}"
    lines = block(fields)
    return "".join(f"{click.style(label, bold=True) if colour else label}{text}\n" for label, text in lines)


def trace_told(trace: Trace) -> str:
    """Its id, and when each stage began."""
    if not trace.kept:
        return f"{trace.id}, of the client's; no spans were made"
    begun = ", ".join(f"{name} after {seconds(after)}" for name, after in trace.stages)
    return f"{trace.id}: {begun}" if begun else trace.id


def attempt_told(attempt: Attempt) -> str:
    """Where, with which of several keys, for how long, and what came of it in words: a status only where the provider
    gave one."""
    if attempt.status is not None:
        outcome = f"answered {attempt.status}"
    else:
        outcome = "no usable answer" if attempt.error in _UNUSABLE else "no answer"
    where = f"{attempt.target} with the key {attempt.credential}" if attempt.credential else attempt.target
    parts = [where, seconds(attempt.seconds), f"{outcome}: {attempt.error}" if attempt.error else outcome]
    if attempt.message:
        parts.append(f"({attempt.message})")
    if attempt.cost is not None:
        parts.append(f"cost ${attempt.cost} = {told(attempt.cost_parts)}")
    return "  ".join(parts)


def _statuses(status: str | int | None) -> tuple[int, int] | None:
    try:
        return statuses(None if status is None else str(status))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _ending(ending: str | None) -> Ending | None:
    if ending is not None and ending not in get_args(Ending):
        raise click.BadParameter(f"{ending!r} is no ending: {', '.join(get_args(Ending))}")
    return cast("Ending | None", ending)


def _fault(error: str | None, origin: str | None) -> tuple[str | None, Origin | None]:
    """The error's code and whose it was, out of both options: the first may say both, as the table does."""
    whose, _, code = (error or "").rpartition(":")
    for said in (origin, whose):
        if said and said not in get_args(Origin):
            raise click.BadParameter(f"{said!r} is no origin of an error: {', '.join(get_args(Origin))}")
    if origin and whose and origin != whose:
        raise click.BadParameter(f"no error has the origin {origin} and is one of the {whose}")
    return None if error is None else code, cast("Origin | None", origin or whose or None)


def _span(since: datetime | None, until: datetime | None) -> tuple[float | None, float | None]:
    start, end = (when.timestamp() if when else None for when in (since, until))
    if start is not None and end is not None and start >= end:
        raise click.BadParameter(f"no request comes in since {since} and before {until}: `until` has to be later")
    return start, end


def _nothing(source: Source, *, filtered: bool) -> str:
    if isinstance(source, Files) and not source.folder.is_dir():
        return f"there is no journal in {source.where} yet: `headgate serve` with this data_dir writes it"
    return "no record matches" if filtered else f"no record yet in {source.where}"


def _close_quietly() -> None:
    """What reads the output has gone (`| head`): nothing more is written, and Python's own last flush says nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
