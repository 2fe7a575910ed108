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
FEW = 2000
"""Payloads that hold words up to which these are looked up first; of what more hold, requests are looked through."""
OPEN = "*"
"""Behind the beginning of a word."""
SHORTEST = 3
"""Letters of the beginning of a word: a shorter one is that of too many words."""
MATCH = {False: "payload_words MATCH ?", True: "payload_words.words @@ CAST(CAST(? AS TEXT) AS tsquery)"}
"""By whether it is a PostgreSQL."""


def keys(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Those that these payloads are encrypted with."""
    yield from {entry.row.key: entry.sealed for entry in entries if entry.row.key and entry.sealed}.items()


def query(text: str, *, postgres: bool) -> str:
    """The words of a text, all of which are to stand in a payload; one that ends in `*` is the beginning of a word.

    Raises ValueError where there is no word in it, or too short a beginning.
    """
    found = [(word, part.endswith(OPEN)) for part in text.split() for word in words(part)]
    if not found:
        raise ValueError("there is no word to look for in this text")
    for word, open in found:
        if open and len(word) < SHORTEST:
            raise ValueError(f"`{word}*` is the beginning of too many words: write {SHORTEST} letters of it or more")
    if postgres:
        return " & ".join(f"'{word}'{':*' if open else ''}" for word, open in found)
    return " ".join(f'"{word}"{OPEN if open else ""}' for word, open in found)


def held(asked: str, *, postgres: bool) -> Condition:
    """Gives numbers of payloads that hold what is asked for, of one more than a few at most."""
    found = f"SELECT rowid FROM payload_words WHERE {MATCH[postgres]}"  # noqa: S608 - ours
    if postgres:  # it takes any word for one that many hold, and would look through all payloads for so few
        return f"WITH found AS MATERIALIZED ({found}) SELECT rowid FROM found LIMIT ?", [asked, FEW + 1]  # noqa: S608 - ours
    return f"{found} LIMIT ?", [asked, FEW + 1]


def said(asked: str, *, few: bool, postgres: bool) -> Condition:
    """Requests whose payload holds it: these looked up, or each request looked at, for which FTS5 would collect all
    that has the beginning of a word anew."""
    joined = "payload_words JOIN payloads ON payloads.number = payload_words.rowid"
    if few or (not postgres and OPEN in asked):
        found = f"SELECT payloads.id FROM {joined} WHERE {MATCH[postgres]}"  # noqa: S608 - our names
        # PostgreSQL would look through requests by their time all the same, did it not have to look these up first
        return f"requests.id = ANY(ARRAY({found}))" if postgres else f"requests.id IN ({found})", [asked]
    each = f"SELECT 1 FROM {joined} WHERE payloads.id = requests.id AND {MATCH[postgres]}"  # noqa: S608 - our names
    return f"EXISTS ({each})", [asked]
