"""What of a record is searched and summed: the columns of its row, read from its line in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

import msgspec

from headgate.core.money import in_nano

TEXTS = 200
"""Characters of a name that are kept in a column: an index takes a few thousand bytes at most. The line has all."""
COST_SIZES, DURATION_SIZES = 40, 24
"""The largest: 2^39 nanodollars (550 dollars) and 2^23 milliseconds (2.3 hours), and all that is more."""
BETWEEN = "\x1f"
"""Around each tag of the column of all."""
MOST = 2**56
"""Of a number in a column: some of them together still fit into one."""


Text = Annotated[str, msgspec.Meta(max_length=TEXTS)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=MOST / 1e6)]


class _Usage(msgspec.Struct):
    input: Number = 0
    cache_read: Number = 0
    cache_write: Number = 0
    cache_write_1h: Number = 0
    input_audio: Number = 0
    input_image: Number = 0
    input_video: Number = 0
    output: Number = 0
    reasoning: Number = 0
    output_audio: Number = 0
    output_image: Number = 0


class _Attempt(msgspec.Struct):
    usage: _Usage | None = None
    cost: str | None = None


class _Judgment(msgspec.Struct):
    of: str = ""


class _Trace(msgspec.Struct):
    id: Text = ""


class _Verdict(msgspec.Struct):
    policy: str = ""


class Line(msgspec.Struct):
    """A record (core.record), as far as its columns go, of what fits them."""

    id: Text
    time: float
    key: Text | None = None
    organisation: Text | None = None
    team: Text | None = None
    application: Text | None = None
    user: Text | None = None
    end_user: Text | None = None
    data_class: Text | None = None
    client: Text | None = None
    dialect: Text | None = None
    path: Text = ""
    model: Text | None = None
    effort: Text | None = None
    tags: list[Text] = []
    guards: list[_Verdict] = []
    target: Text | None = None
    attempts: list[_Attempt] = []
    stream: bool = False
    status: Number = 0
    ending: str = "complete"
    error: Text | None = None
    origin: str | None = None
    usage: _Usage | None = None
    cost: Text | None = None
    saved: dict[str, Text] = {}
    first_token: Seconds | None = None
    duration: Seconds = 0.0
    shadow_of: str | None = None
    judgment: _Judgment | None = None
    trace: _Trace | None = None
    fingerprint: Text | None = None
    prefix: Text | None = None


class Row(NamedTuple):
    """The columns of the table `requests`, but for its number. Durations are microseconds, costs nanodollars.

    Tokens and cost are those of the answer and of answers that were not taken, together; `cost` is None where none of
    it is known, `unpriced` 1 where some of it is not; `saved` is what caches have spared, `saved_routing` what the
    choice of a target has, `wasted` the cost of answers that were not taken. `kind` is "request", or "shadow" or
    "judgment" for what the gateway asked by itself; `tagged` has all tags, BETWEEN around each. `model` is without the
    effort that may stand behind it, which is a tag: it is the same name, whatever effort is asked for.
    """

    id: str
    time: float
    duration: int
    first_token: int | None
    kind: str
    organisation: str | None
    team: str | None
    application: str | None
    user: str | None
    end_user: str | None
    key: str | None
    client: str | None
    dialect: str | None
    path: str
    model: str | None
    target: str | None
    provider: str | None
    status: int
    ending: str
    error: str | None
    origin: str | None
    stream: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    cost: int | None
    unpriced: int
    saved: int
    cost_size: int | None
    duration_size: int
    trace: str | None
    saved_routing: int
    retries: int
    wasted: int
    fingerprint: str | None
    prefix: str | None
    data_class: str | None
    tagged: str | None


class Entry(NamedTuple):
    """A record on its way into the database."""

    row: Row
    line: str
    tags: Sequence[str]


COLUMNS = Row._fields
INDEXED = ("cost_size", "duration_size")
"""Columns that only an index of a database is for."""
_decode = msgspec.json.Decoder(Line).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode


def read(line: bytes) -> Entry | None:
    """The record of a line of the journal; None where the line is damaged."""
    line = line.lstrip(b"\0")  # zeros of a power cut, in front of a line that survived it
    try:
        # PostgreSQL keeps no null character; in the line it stays, as JSON spells it out
        clean = line.replace(b"\\u0000", b"\\ufffd") if b"\\u0000" in line else line
        try:
            found = _decode(clean)
        except msgspec.ValidationError:
            found = msgspec.convert(_fitting(_decode_any(clean)), Line)
        tags: Sequence[str] = sorted(set(found.tags)) if found.tags else ()
        if found.guards:
            tags = sorted({*tags, *(f"guard:{each.policy}"[:TEXTS] for each in found.guards)})
        if found.effort and found.model:
            found.model = found.model.removesuffix(f":{found.effort}")
            tags = sorted({*tags, f"effort:{found.effort}"})
        return Entry(_row(found, tags), line.decode(), tags)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _fitting(value: Any) -> Any:
    """The same with texts as long, and numbers as large, as columns take."""
    if isinstance(value, str):
        return value[:TEXTS]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(value, 0), type(value)(MOST / 1e6))
    if isinstance(value, dict):
        return {name: _fitting(inner) for name, inner in value.items()}
    return [_fitting(inner) for inner in value] if isinstance(value, list) else value


def _row(line: Line, tags: Sequence[str]) -> Row:
    spent, wasted, saved = in_nano(line.cost), 0, line.saved
    unpriced = line.usage is not None and spent is None
    inputs, reads, writes, outputs, reasoning = _tokens(line.usage) if line.usage is not None else (0, 0, 0, 0, 0)
    for attempt in line.attempts:
        if attempt.usage is not None:
            more = _tokens(attempt.usage)
            inputs, reads, writes = inputs + more[0], reads + more[1], writes + more[2]
            outputs, reasoning = outputs + more[3], reasoning + more[4]
            unpriced = unpriced or attempt.cost is None
        if attempt.cost is not None:
            cost = in_nano(attempt.cost)
            if cost is not None:
                spent, wasted = (spent or 0) + cost, wasted + cost
    micros, target = round(line.duration * 1e6), line.target
    return Row(
        line.id, line.time, micros, None if line.first_token is None else round(line.first_token * 1e6),
        "shadow" if line.shadow_of is not None else "judgment" if line.judgment is not None else "request",
        line.organisation, line.team, line.application, line.user, line.end_user, line.key, line.client, line.dialect,
        line.path, line.model, target, target.partition("/")[0] if target is not None else None,
        line.status, line.ending, line.error, line.origin, int(line.stream),
        inputs, reads, writes, outputs, reasoning, spent, int(unpriced),
        (in_nano(saved.get("cache")) or 0) if saved else 0,
        None if spent is None else cost_size(spent), duration_size(micros),
        line.trace.id if line.trace is not None else None,
        (in_nano(saved.get("routing")) or 0) if saved else 0, max(len(line.attempts) - 1, 0), wasted,
        line.fingerprint, line.prefix, line.data_class,
        f"{BETWEEN}{BETWEEN.join(tags)}{BETWEEN}" if tags else None,
    )  # fmt: skip


def _tokens(usage: _Usage) -> tuple[int, int, int, int, int]:
    return (
        usage.input + usage.input_audio + usage.input_image + usage.input_video,
        usage.cache_read,
        usage.cache_write + usage.cache_write_1h,
        usage.output + usage.output_audio + usage.output_image,
        usage.reasoning,
    )


def cost_size(nano: int) -> int:
    """The order of magnitude of an amount, by which large ones are found without looking at the small ones."""
    return min(nano.bit_length(), COST_SIZES)


def duration_size(micros: int) -> int:
    return min((micros // 1000).bit_length(), DURATION_SIZES)


def kinds() -> dict[str, tuple[type, bool]]:
    """Of each column the type of its values, and whether there may be none; for those who keep columns elsewhere."""
    found: dict[str, tuple[type, bool]] = {}
    for name, kind in get_type_hints(Row).items():
        parts = get_args(kind) or (kind,)
        if name not in INDEXED:
            found[name] = parts[0], len(parts) > 1
    return found
