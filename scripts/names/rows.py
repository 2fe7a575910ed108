"""Reads the labelled sets, and says which rows belong together: none is tested where one of them was learned from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

KINDS = {
    "PERSON": "person",
    "LOCATION": "location",
    "ORG": "organisation",
    "ORGANIZATION": "organisation",
    "ADDRESS": "address",
    "ZIP": "address",
}
SETS = (
    "presidio_synth_v2", "presidio_generated_large", "nannigalaxy_india", "meddocan_es_clinical", "wikigold_names",
    "wnut17_names", "btc_twitter_names",
)  # fmt: skip
TITLE = re.compile(r"(?:(?:Mr|Mrs|Ms|Miss|Dr|Prof|Dra|Sr|Sra|Colonel|Sir)\b\.?\s*)+")


class Row(NamedTuple):
    text: str
    spans: list[tuple[int, int, str]]
    """What our recogniser labels."""
    group: str
    """Rows made by the same template, or the row itself."""
    whole: list[tuple[int, int, str]]
    """All that the set labels, as it labels it."""


def read(folder: Path, name: str) -> list[Row]:
    rows = []
    for line in (folder / "pii" / f"{name}.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        text = row["text"]
        spans = [each for span in row["spans"] for each in _span(text, span)]
        whole = [(span["start"], span["end"], span["label"]) for span in row["spans"]]
        group = _template(text, row["spans"]) if name.startswith("presidio") else row["id"]
        rows.append(Row(text, sorted(spans), group, whole))
    return rows


def _span(text: str, span: dict[str, object]) -> Iterator[tuple[int, int, str]]:
    """Without titles, and without what no name is: the sign before the name of a user of Twitter."""
    kind = KINDS.get(str(span["label"]))
    start, end = int(str(span["start"])), int(str(span["end"]))
    if kind is None or text[start:end] == "@":
        return
    if kind == "person":
        title = TITLE.match(text, start, end)
        start = title.end() if title is not None else start
    if start < end:
        yield start, end, kind


def _template(text: str, spans: list[dict[str, object]]) -> str:
    """What is left of a text without what was filled in, without digits, spaces and case."""
    for span in sorted(spans, key=lambda each: -int(str(each["start"]))):
        text = text[: int(str(span["start"]))] + "{}" + text[int(str(span["end"])) :]
    return re.sub(r"(\{\})+", "{}", re.sub(r"[\W\d_]+", "", text.replace("{}", "§")).replace("§", "{}").lower())[:60]


def fold(group: str, folds: int) -> int:
    """On which side a row is, the same each time."""
    return sum(group.encode()) % folds
