"""`headgate cache tune`: what thresholds come to on questions of one's own, and which to take."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from headgate.core.errors import GatewayError
from headgate.core.ports import Embedder
from headgate.records.payloads.questions import Asked, asked, pairs
from headgate.similarity.curve import Hits, Judged, Pair, Point, advised, curve, judged, refusals
from headgate.similarity.lexical import Lexical
from headgate.similarity.weights import NoModel, Weights

TOGETHER = 16
"""Pairs between two looks at the progress bar."""
NAMES = (("a", "b", "alike"), ("text_a", "text_b", "label"))
"""What the fields of a pair may be called."""


class _Lines(msgspec.Struct):
    pairs: list[Pair] = []
    asked: list[Asked] = []


def tune(file: Path, folder: Path | None, precision: float, answers_alike: float, *, as_json: bool) -> None:
    """`folder`: of a model's weights; None: the lexical embedder. Raises click.ClickException."""
    embedder = _embedder(folder)
    lines = _read(file)
    try:
        found = asyncio.run(_judged(lines, embedder, answers_alike))
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    if not any(each.alike for each in found) or all(each.alike for each in found):
        raise click.ClickException(f"{file}: there have to be pairs that are alike, and pairs that are not")
    best = advised(found, precision)
    told = _json(found, embedder, precision, best) if as_json else _table(found, embedder, precision, best)
    click.echo(told)


def _embedder(folder: Path | None) -> Embedder:
    try:
        return Lexical() if folder is None else Weights(folder)
    except NoModel as error:
        raise click.ClickException(str(error)) from error


def _read(file: Path) -> _Lines:
    found = _Lines()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = msgspec.json.decode(line)
                pair = _pair(value)
            except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
                hint = '{"a": "…", "b": "…", "alike": true}'
                message = (
                    f"{file}:{number}: neither a pair ({hint}) nor a line of `headgate records --export` ({error})"
                )
                raise click.ClickException(message) from None
            if pair is not None:
                found.pairs.append(pair)
            elif "payload" in value and (said := asked(value["payload"])) is not None:
                found.asked.append(said)
    return found


def _pair(value: Any) -> Pair | None:
    """None: a line of something else. Raises KeyError, TypeError, ValueError."""
    if not isinstance(value, dict):
        raise TypeError("it is no object")
    for a, b, alike in NAMES:
        if a in value and b in value:
            one, other, similarity = value[a], value[b], value.get("similarity")
            if not (isinstance(one, str) and isinstance(other, str)):
                raise TypeError("the questions are no texts")
            if value[alike] not in (0, 1):
                raise ValueError(f"`{alike}` is neither true nor false")
            return Pair(one, other, bool(value[alike]), None if similarity is None else float(similarity))
    if not value.keys() & {"payload", "record", "evidence", "end", "id"}:
        raise ValueError("a field is missing")
    return None


async def _judged(lines: _Lines, embedder: Embedder, answers_alike: float) -> list[Judged]:
    everything = lines.pairs + await pairs(lines.asked, embedder, answers_alike)
    found: list[Judged] = []
    with click.progressbar(
        length=len(everything), label="pairs", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for some in _slices(everything):
            found += await judged(some, embedder)
            bar.update(len(some))
    return found


def _slices(found: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    for at in range(0, len(found), TOGETHER):
        yield found[at : at + TOGETHER]


def _json(found: Sequence[Judged], embedder: Embedder, precision: float, best: Point | None) -> str:
    told = {
        "embedder": embedder.name,
        "pairs": len(found),
        "alike": sum(each.alike for each in found),
        "precision": precision,
        "recommended": None if best is None else _point(best),
        "usual": embedder.threshold,
        "curve": [_point(at) for at in curve(found)],
    }
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def _point(at: Point) -> dict[str, Any]:
    return {"threshold": at.threshold, "plain": _hits(at.plain), "guarded": _hits(at.guarded)}


def _hits(hits: Hits) -> dict[str, Any]:
    return {
        "precision": round(hits.precision, 4), "recall": round(hits.recall, 4), "right": hits.right, "wrong": hits.wrong
    }  # fmt: skip


def _table(found: Sequence[Judged], embedder: Embedder, precision: float, best: Point | None) -> str:
    alike = sum(each.alike for each in found)
    lines = [f"{len(found):,} pairs, {alike:,} of them alike; embedder {embedder.name}", ""]
    lines += [f"{'':9}  {'vectors alone':>27}  {'with guards':>27}"]
    lines += [f"{'threshold':9}" + f"  {'precision':>10} {'recall':>7} {'wrong':>8}" * 2]
    lines += [f"{at.threshold:9.2f}{_cells(at.plain)}{_cells(at.guarded)}" for at in curve(found)]
    lost, spared = refusals(found, embedder.threshold if best is None else best.threshold)
    for what, kinds in (("wrong answers", spared), ("right ones", lost)):
        said = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common())
        lines += ["", f"The guards keep back {kinds.total():,} {what}" + (f": {said}" if said else "")]
    if best is None:
        lines += [
            "",
            f"No threshold is right {precision:.1%} of the time here: have a model verify, or keep to the same.",
        ]
    else:
        lines += ["", f"Recommended for a precision of {precision:.1%}, with guards: threshold: {best.threshold:.2f}"]
    return "\n".join(lines)


def _cells(hits: Hits) -> str:
    return f"  {hits.precision:>10.1%} {hits.recall:>7.1%} {hits.wrong:>8,}"
