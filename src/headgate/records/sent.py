"""`headgate sinks`: how far records have been sent to each sink, as a table or as JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from headgate.core.columns import Column, room, table
from headgate.core.printable import printable
from headgate.records import progress, status

COLUMNS = (
    Column("SINK", 0), Column("KIND", 4), Column("SENT", 1, right=True), Column("LEFT OUT", 5, right=True),
    Column("REFUSED", 3, right=True), Column("WAITING", 0, right=True), Column("SINCE", 2, right=True),
    Column("LOST", 2, right=True), Column("STATE", 0),
)  # fmt: skip


def show(data_dir: Path, *, as_json: bool) -> None:
    """Print it to standard output."""
    now = time.time()
    found = {name: (each, *_behind(data_dir, each, now)) for name, each in progress.every(data_dir).items()}
    if as_json:
        click.echo(json.dumps([_told(name, *each) for name, each in found.items()], indent=1))
        return
    head, *lines = table(COLUMNS, [_row(name, *each) for name, each in found.items()], room())
    click.echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for line in lines:
        click.echo(line)
    click.echo(f"{len(found)} sink{'' if len(found) == 1 else 's'}", err=True)


def _behind(data_dir: Path, found: progress.Progress, now: float) -> tuple[int, float]:
    return status.behind(data_dir / "journal", found.positions, now)


def _told(name: str, found: progress.Progress, waiting: int, seconds: float) -> dict[str, Any]:
    return {
        "name": name, "kind": found.kind, "sent": found.delivered, "left_out": found.skipped, "refused": found.unfit,
        "failures": found.failures, "lost_bytes": found.lost_bytes, "waiting_bytes": waiting,
        "waiting_seconds": round(seconds, 3), "away": found.away,
        "away_since": None if found.since is None else datetime.fromtimestamp(found.since, UTC).isoformat(),
    }  # fmt: skip


def _row(name: str, found: progress.Progress, waiting: int, seconds: float) -> list[str]:
    state = "in order" if found.away is None else f"takes nothing: {printable(found.away)}"
    return [
        name, found.kind, str(found.delivered), str(found.skipped), str(found.unfit), _size(waiting),
        f"{seconds:.0f} s" if waiting else "-", _size(found.lost_bytes), state,
    ]  # fmt: skip


def _size(count: int) -> str:
    if not count:
        return "-"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
