"""The statements that both engines are told when records come in; `?` stands for values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any, Protocol, TypeVar

from headgate.records.row import COLUMNS
from headgate.records.sums import COUNTS, GROUPS, SPREAD, SUMS
from headgate.store import append_only
from headgate.store.stepping import Tally

SOURCE = "drain.id"
"""In a data directory: the name under which its segments are known in the database, which several may share."""
LOCK = "SELECT pg_advisory_xact_lock(7204)"
"""PostgreSQL's. Who writes records waits for who writes some: no gaps in numbers, no sums waited for crosswise."""


class Named(Protocol):
    """A row's id."""

    @property
    def id(self) -> str: ...


class Entry(Protocol):
    """What comes into a table of rows that have ids."""

    @property
    def row(self) -> Named: ...


Kept = TypeVar("Kept", bound=Entry)


class Away(Exception):
    """The database cannot take records now; the message says why, without a password."""


class Unfit(Exception):
    """The database takes no such record, now or later."""


def quoted(names: Sequence[str]) -> str:
    """Columns as SQL has them: two of the names are words of its own."""
    return ", ".join(f'"{name}"' if name in ("user", "key") else name for name in names)


def inserting(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({quoted(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - our names


REQUEST = ("number", *COLUMNS)
LINE = ("number", "line")
TAG = ("tag", "time", "number")
MARK = ("mark", "newest", "first", "last", "oldest")
LAST = "SELECT COALESCE(MAX(number), 0) FROM requests"


def adding(table: str, groups: Sequence[str], sums: Sequence[str], source: str | None = None) -> str:
    """Adds sums of a group to those that are there; `source` is where they come from, instead of values."""
    into = f"{table} ({quoted((*groups, *sums))})"
    values = source or f"VALUES ({', '.join('?' * (len(groups) + len(sums)))})"
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    return f"INSERT INTO {into} {values} ON CONFLICT ({quoted(groups)}) DO UPDATE SET {added}"


ADDED = (("sums", ("hour", *GROUPS), SUMS), ("spreads", SPREAD, COUNTS))
"""Tables that are added to."""
REACHED = (
    f"{inserting('drained', ('source', 'segment', 'position'))} ON CONFLICT (source, segment) "
    "DO UPDATE SET position = excluded.position"
)
POSITIONS = "SELECT segment, position FROM drained WHERE source = ?"
FORGET = "DELETE FROM drained WHERE source = ? AND segment = ?"
STEPS = Path(__file__).parent / "steps"
TALLY = Tally("record_steps", "requests")
DOOR = "record_purging"
APPEND_ONLY = ("lines", "record_chain", "record_checkpoints")
"""Tables whose rows stay as they are."""
SQLITE_WORDS = {
    "NUMBER": "INTEGER", "CLUSTERED": "WITHOUT ROWID", "ASCII": "TEXT", "BYTES": "BLOB",
    "TAGS": "char(31) || group_concat(tag, char(31)) || char(31)",
    "PAYLOAD_WORDS": "CREATE VIRTUAL TABLE payload_words USING fts5(words, detail=none, tokenize=ascii)",
    **{f"{table.upper()}_KEPT": append_only.sqlite(table, DOOR) for table in APPEND_ONLY},
}  # fmt: skip
POSTGRES_WORDS = {
    "NUMBER": "BIGINT", "CLUSTERED": "", "ASCII": 'TEXT COLLATE "C"', "BYTES": "BYTEA",
    "TAGS": "chr(31) || string_agg(tag, chr(31) ORDER BY tag COLLATE \"C\") || chr(31)",
    "PAYLOAD_WORDS": "CREATE TABLE payload_words (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);\n"
    "CREATE INDEX payload_words_by_word ON payload_words USING GIN (words)",
    **{f"{table.upper()}_KEPT": append_only.postgres(table, DOOR) for table in APPEND_ONLY},
}  # fmt: skip


def together(conditions: Iterable[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """All of them as one, with the values."""
    found = list(conditions)
    return " AND ".join(text for text, _ in found) or "TRUE", [value for _, some in found for value in some]


def escaped(text: str) -> str:
    """For LIKE, with a backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def once(entries: Iterable[Kept], known: Set[str]) -> list[Kept]:
    """One of each id, of those that are not known."""
    found: dict[str, Kept] = {}
    for entry in entries:
        if entry.row.id not in known:
            found.setdefault(entry.row.id, entry)
    return list(found.values())
