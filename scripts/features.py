"""The page of features: each is asked of every provider by the gateway's own code, with what becomes of it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent / "tests"
HEAD = """# Features

What of each feature reaches each provider, and comes back. Made by asking the gateway's own code for every cell
(`make docs`); the requests and what must be true of them are the table in `tests/feature_table.py`. They are in
OpenAI's dialect, or in the one that is usual for the operation.

The page is about APIs and hosts. What a single model can (whether it sees pictures, calls tools, reasons) is the
catalogue's business: `headgate models`, [models.md](../how-to/models.md). A request for what a model is known not to
serve is refused before it is sent.

- **yes**: said in the provider's API without loss, and its answer comes back whole.
- **lossy**: it is carried; something beside it is lost, and named in the reply's header `x-headgate-lost` and in the
  record. The note says what.
- **without**: the request goes on without it, which is named in the same places.
- **no**: refused with status 400 and an error that names the field, before anything is sent. Without a note: the
  provider serves nothing of the kind through the gateway.
- **here**: the gateway answers it itself; nobody is asked.
- **✓**: tested. `tests/walks/test_features.py` asks for just this, over sockets, from a gateway that has all providers
  configured: what reaches the provider holds it, and what the client gets back is right.

A host that speaks OpenAI's API is sent what the client said; whether it heeds a field that it does not know is up to
it. What it is known to refuse is in [its peculiarities](providers.md). How each field crosses between two APIs is told
in full by [fidelity/](fidelity/README.md). Which APIs a provider is asked in stands in [providers.md](providers.md); it
is here more than once where that depends on the model. The simulator answers whatever it is asked, and is left out; so
is, of a table, who serves nothing in it.
"""


def page() -> str:
    """A table for each group of features: a row for each provider."""
    sys.path.append(str(TESTS))
    found = importlib.import_module("feature_outcomes")
    outcomes = found.outcomes()
    notes: dict[str, int] = {}
    groups = list(dict.fromkeys(feature.group for feature in found.FEATURES))
    tables = ["".join(_table(group, found, outcomes, notes)) for group in groups]
    listed = [f"{number}. {note}\n" for note, number in notes.items()]
    return "".join([HEAD, *tables, "\n## Notes\n\n", *listed])


def _table(group: str, found: Any, outcomes: Any, notes: dict[str, int]) -> Iterator[str]:
    features = [feature for feature in found.FEATURES if feature.group == group]
    yield f"\n## {group}\n\n"
    for feature in features:
        if feature.needs:
            yield f"{feature.name.capitalize()}: {feature.needs}.\n\n"
    names = " | ".join(feature.name for feature in features)
    yield f"| provider | {names} |\n|---|{'---|' * len(features)}\n"
    asked = {found.CLIENTS[feature.client].operation for feature in features}
    for row in found.rows():
        if asked.isdisjoint(_served(row)):
            continue
        cells = " | ".join(_cell(row, feature, outcomes[row, feature.name], found, notes) for feature in features)
        yield f"| {_title(row)} | {cells} |\n"


def _title(row: Any) -> str:
    return f"`{row.provider}`" if row.alone else f"`{row.provider}` asked for `{row.model}`, in `{row.spoken}`"


def _served(row: Any) -> set[str]:
    """The operations that the provider is asked for; everything can be forwarded."""
    return {dialect.operation for dialect in row.kind.dialects} | {"opaque"}


def _cell(row: Any, feature: Any, outcome: Any, found: Any, notes: dict[str, int]) -> str:
    word = outcome.word if outcome.word == "yes" else f"**{outcome.word}**"
    tested = " ✓" if outcome.answered else ""
    if not outcome.told or found.CLIENTS[feature.client].operation not in _served(row):
        return word + tested
    note = "; ".join(f"`{place}`: {_plain(why, place)}" for place, why in outcome.told)
    return f"{word} ({notes.setdefault(note, len(notes) + 1)}){tested}"


def _plain(why: str, place: str) -> str:
    """The reason without the place that is told before it."""
    return why.removesuffix(f" (`{place}`)").replace("|", "\\|").replace("\n", " ")
