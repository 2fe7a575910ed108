"""Signed checkpoints of a chain: which link was its last at some time, as nobody without the key can say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from headgate.core.chain import canonical
from headgate.store.database import Database, Taken
from headgate.store.signing import Signer, genuine


class Chained(NamedTuple):
    """A chain, and where it is kept."""

    name: str
    table: str
    checkpoints: str


AUDIT = Chained("audit", "audit_chain", "audit_checkpoints")
RECORDS = Chained("records", "record_chain", "record_checkpoints")


class Checkpoint(NamedTuple):
    """`number` and `hash` are the link's; time is microseconds since 1970."""

    chain: str
    sequence: int
    """From 1, one more with each of a chain."""
    number: int
    time: int
    hash: str
    key: str
    signature: str

    @property
    def message(self) -> bytes:
        """What is signed."""
        return canonical(["headgate checkpoint 1", self.chain, self.sequence, self.number, self.time, self.hash])

    def genuine(self, keys: Mapping[str, str]) -> bool:
        """Whether one of these public keys, by their ids, has signed it."""
        public = keys.get(self.key)
        return public is not None and genuine(public, self.message, self.signature)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Checkpoint:
        """Raises ValueError."""
        try:
            return cls(
                str(said["chain"]), int(said["sequence"]), int(said["number"]), int(said["time"]), str(said["hash"]),
                str(said["key"]), str(said["signature"]),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError("not a checkpoint") from error


COLUMNS = ", ".join(Checkpoint._fields[1:])


async def known(database: Database, of: Chained, limit: int | None = None) -> list[Checkpoint]:
    """In their order; the latest so many."""
    newest = "" if limit is None else f" LIMIT {int(limit)}"
    rows = await database.rows(f"SELECT {COLUMNS} FROM {of.checkpoints} ORDER BY sequence DESC{newest}")  # noqa: S608
    return [Checkpoint(of.name, *row) for row in reversed(rows)]


class Unsigned(NamedTuple):
    """The last link of a chain, and the number of the checkpoint that is to be of it."""

    sequence: int
    number: int
    hash: str


async def unsigned(database: Database, of: Chained) -> Unsigned | None:
    """None where nothing was linked since the last checkpoint."""
    rows = await database.rows(f"SELECT number, hash FROM {of.table} ORDER BY number DESC LIMIT 1")  # noqa: S608 - ours
    last = await known(database, of, 1)
    if not rows or (last and last[0].number == rows[0][0]):
        return None
    return Unsigned(last[0].sequence + 1 if last else 1, int(rows[0][0]), rows[0][1])


async def take(database: Database, of: Chained, signer: Signer, micros: int) -> Checkpoint | None:
    """One of what is the last link now; None where the last one was of it already."""
    new = await unsigned(database, of)
    if new is None:
        return None
    made = Checkpoint(of.name, new.sequence, new.number, micros, new.hash, signer.id, "")
    made = made._replace(signature=signer.sign(made.message))
    try:
        await database.run(
            f"INSERT INTO {of.checkpoints} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - our names
            *made[1:],
        )
    except Taken:
        return None  # another machine was faster
    return made
