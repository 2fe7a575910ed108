"""The statements by which payloads come into the database, and are found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.records.payloads.payload import COLUMNS, Entry, words
from headgate.records.search import Condition

SOURCE = "/payloads"
"""Behind the name of a data directory: its segments of payloads."""
PAYLOAD = ("number", *COLUMNS)
LAST = "SELECT COALESCE(MAX(number), 0) FROM payloads"
KEY = "INSERT INTO payload_keys (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
ONE = (
    "SELECT payloads.time, kept, size, body, sealed FROM payloads "
    "LEFT JOIN payload_keys ON payload_keys.id = payloads.key WHERE payloads.id = ?"
)
_WITH = (
    "requests.id IN (SELECT payloads.id FROM payload_words "
    "JOIN payloads ON payloads.number = payload_words.rowid WHERE "
)


def keys(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Those that these payloads are encrypted with."""
    yield from {entry.row.key: entry.sealed for entry in entries if entry.row.key and entry.sealed}.items()


def said(text: str, *, postgres: bool) -> Condition:
    """Requests in whose payload all words of a text stand; one that ends in `*` is the beginning of a word.

    Raises ValueError where there is no word in it.
    """
    found = [(word, part.endswith("*")) for part in text.split() for word in words(part)]
    if not found:
        raise ValueError("there is no word to look for in this text")
    if postgres:
        query = " & ".join(f"'{word}'{':*' if open else ''}" for word, open in found)
        return f"{_WITH}payload_words.words @@ CAST(CAST(? AS TEXT) AS tsquery))", [query]
    query = " ".join(f'"{word}"{"*" if open else ""}' for word, open in found)
    return f"{_WITH}payload_words MATCH ?)", [query]
