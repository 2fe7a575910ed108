"""What was answered to calls with an idempotency key, so that one made twice is done once."""

from __future__ import annotations

from typing import NamedTuple

from headgate.store.database import Database, Taken

KEPT = 86_400.0
"""Seconds for which an answer is known."""
STUCK = 60.0
"""Seconds after which a call that has no answer is taken for one whose process died."""


class Answered(NamedTuple):
    """`status` 0: the call is still running."""

    digest: str
    status: int
    body: str


async def begin(database: Database, actor: str, key: str, digest: str, now: float) -> Answered | None:
    """None: the call is ours to make. `now`: Unix seconds."""
    while True:
        await database.run("DELETE FROM answers WHERE expires < ?", now)
        try:
            await database.run(
                "INSERT INTO answers (actor, key, digest, status, body, expires) VALUES (?, ?, ?, 0, '', ?)",
                actor, key, digest, now + STUCK,
            )  # fmt: skip
        except Taken:
            rows = await database.rows(
                "SELECT digest, status, body FROM answers WHERE actor = ? AND key = ?", actor, key
            )
            if rows:
                return Answered(*rows[0])
            continue  # it failed meanwhile, and was forgotten
        return None


async def finish(database: Database, actor: str, key: str, status: int, body: str) -> None:
    """`body` is sealed by the caller: it may hold a new key."""
    await database.run(
        "UPDATE answers SET status = ?, body = ?, expires = expires + ? WHERE actor = ? AND key = ?",
        status, body, KEPT, actor, key,
    )  # fmt: skip


async def forget(database: Database, actor: str, key: str) -> None:
    """The call failed: it may be made again."""
    await database.run("DELETE FROM answers WHERE actor = ? AND key = ?", actor, key)
