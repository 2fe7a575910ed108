"""Sessions of people who have logged in, and which one-time codes have been used: for all processes alike."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from headgate.core.keys import digest
from headgate.store.database import Database, Row, Taken

Way = Literal["password", "ldap", "oidc"]

MOST = 50
"""Sessions of one person; with another the oldest ends."""
SEEN = 60.0
"""Seconds after which it is written down again that a session is used, or a tenth of what it may rest."""
LONGEST_AGENT = 200
COLUMNS = "id, name, way, proof, claims, created, seen, expires, address, agent"


class Bounds(NamedTuple):
    """Seconds: how long a session lasts at most, and how long without being used."""

    lasts: float
    rests: float


class Login(NamedTuple):
    """Somebody was let in."""

    name: str
    way: Way
    proof: str
    """What the session ends with when it changes: a digest of what its user is known by."""
    claims: Mapping[str, Sequence[str]] = {}
    """What somebody else vouched for, as far as it says which role and teams."""
    address: str | None = None
    agent: str = ""


class Session(NamedTuple):
    """Times are Unix seconds."""

    id: str
    """By which it is named; with it nobody gets in."""
    name: str
    way: Way
    proof: str
    claims: Mapping[str, Sequence[str]]
    created: float
    seen: float
    expires: float
    address: str | None
    agent: str

    def over(self, now: float, bounds: Bounds) -> bool:
        return now >= min(self.expires, self.created + bounds.lasts, self.seen + bounds.rests)


class Sessions:
    """What lets somebody in is kept as its SHA-256 alone: 256 random bits need nothing slower. Raises StoreAway."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, login: Login, now: float, bounds: Bounds) -> tuple[str, Session]:
        """The secret, told this once, and the session."""
        secret = secrets.token_urlsafe(32)
        made = Session(
            secrets.token_hex(8), login.name, login.way, login.proof, login.claims, now, now, now + bounds.lasts,
            login.address, login.agent[:LONGEST_AGENT],
        )  # fmt: skip
        await self._database.run(
            "DELETE FROM sessions WHERE expires <= ? OR created <= ? OR seen <= ?",
            now, now - bounds.lasts, now - bounds.rests,
        )  # fmt: skip
        await self._database.run(
            f"INSERT INTO sessions (digest, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # ours
            _kept(secret), *made._replace(claims=json.dumps(dict(made.claims))),  # type: ignore[arg-type]  # as text
        )  # fmt: skip
        await self._database.run(
            "DELETE FROM sessions WHERE name = ? AND created < (SELECT MIN(created) FROM "
            "(SELECT created FROM sessions WHERE name = ? ORDER BY created DESC LIMIT ?) AS latest)",
            login.name, login.name, MOST,
        )  # fmt: skip
        return secret, made

    async def find(self, secret: str, now: float, bounds: Bounds) -> Session | None:
        """The session of a secret, which is used now; None where there is none, or it is over."""
        kept = _kept(secret)
        rows = await self._database.rows(f"SELECT {COLUMNS} FROM sessions WHERE digest = ?", kept)  # noqa: S608  # ours
        found = _session(rows[0]) if rows else None
        if found is None or found.over(now, bounds):
            return None
        if now - found.seen >= min(SEEN, bounds.rests / 10):
            await self._database.run("UPDATE sessions SET seen = ? WHERE digest = ? AND seen < ?", now, kept, now)
        return found

    async def get(self, id: str, now: float, bounds: Bounds) -> Session | None:
        """By its public id."""
        rows = await self._database.rows(f"SELECT {COLUMNS} FROM sessions WHERE id = ?", id)  # noqa: S608  # ours
        found = _session(rows[0]) if rows else None
        return None if found is None or found.over(now, bounds) else found

    async def all(self, name: str | None, now: float, bounds: Bounds, limit: int) -> list[Session]:
        """Those that are not over, of one person or of all; the latest first."""
        where, values = ("name = ? AND ", [name]) if name is not None else ("", [])
        rows = await self._database.rows(
            f"SELECT {COLUMNS} FROM sessions WHERE {where}expires > ? AND created > ? AND seen > ? "  # noqa: S608  # ours
            f"ORDER BY created DESC, id LIMIT {int(limit)}",
            *values, now, now - bounds.lasts, now - bounds.rests,
        )  # fmt: skip
        return list(map(_session, rows))

    async def end(self, id: str) -> bool:
        return await self._database.run("DELETE FROM sessions WHERE id = ?", id) > 0

    async def end_of(self, name: str) -> int:
        """All of one person; how many there were."""
        return await self._database.run("DELETE FROM sessions WHERE name = ?", name)

    async def spend(self, name: str, step: int) -> bool:
        """Use the one-time code of a step; False where it, or a later one, has been used by anybody, anywhere."""
        if await self._database.run("UPDATE codes SET step = ? WHERE name = ? AND step < ?", step, name, step):
            return True
        try:
            await self._database.run("INSERT INTO codes (name, step) VALUES (?, ?)", name, step)
        except Taken:
            return False
        return True


def _kept(secret: str) -> str:
    return digest(secret.encode("utf-8", "replace")).hex()


def _session(row: Row) -> Session:
    id, name, way, proof, claims, *more = row
    return Session(id, name, way, proof, json.loads(claims), *more)
