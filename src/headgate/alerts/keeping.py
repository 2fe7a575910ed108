"""Sums of the time before, over a restart: else what is usual would have to be learned anew."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from headgate.alerts.measures import Sums
from headgate.alerts.windows import Key, Spans, View

FILE = Path("run") / "alerts-windows.bin"
"""In the data directory."""


class _Spans(msgspec.Struct, array_like=True):
    fine: dict[int, list[Any]]
    whole: dict[int, list[Any]]
    left_out: list[int]


class _View(msgspec.Struct, array_like=True):
    key: str
    since: float | None
    groups: list[tuple[list[str], _Spans]]


class _Kept(msgspec.Struct, array_like=True):
    reached: dict[str, int]
    views: list[_View]


def save(data_dir: Path, reached: Mapping[str, int], views: Mapping[Key, View]) -> None:
    """Raises OSError."""
    kept = _Kept(dict(reached), [_View(_named(key), view.since, _groups(view)) for key, view in views.items()])
    path = data_dir / FILE
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.msgpack.encode(kept))
    new.replace(path)


def load(data_dir: Path, views: Mapping[Key, View]) -> dict[str, int]:
    """Fill views that there are; how far was read by then. Nothing where nothing is kept."""
    try:
        kept = msgspec.msgpack.decode((data_dir / FILE).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return {}
    named = {_named(key): view for key, view in views.items()}
    for each in kept.views:
        view = named.get(each.key)
        if view is not None:
            view.since = each.since
            for group, spans in each.groups:
                view.groups[tuple(group)] = found = Spans()
                found.fine = {place: Sums.again(sums) for place, sums in spans.fine.items()}
                found.whole = {place: Sums.again(sums) for place, sums in spans.whole.items()}
                found.left_out = set(spans.left_out)
    return kept.reached


def _named(key: Key) -> str:
    return repr((key.source, key.by, [(name, sorted(values)) for name, values in key.where], key.window, key.baseline))


def _groups(view: View) -> list[tuple[list[str], _Spans]]:
    return [(list(group), _Spans(_kept(each.fine), _kept(each.whole), sorted(each.left_out)))
            for group, each in view.groups.items()]  # fmt: skip


def _kept(spans: Mapping[int, Sums]) -> dict[int, list[Any]]:
    return {place: sums.kept() for place, sums in spans.items()}
