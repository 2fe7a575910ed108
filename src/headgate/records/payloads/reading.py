"""What was said, out of the database, or of what waits on disk for it; keys that payloads are encrypted with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from headgate.core.kept import SIDES
from headgate.journal.segments import segments
from headgate.records.payloads import payload
from headgate.records.payloads.keeper import FOLDER
from headgate.records.payloads.payload import Content, cipher_of, unpacked
from headgate.records.payloads.statements import ONE
from headgate.records.reading import Records
from headgate.store.sealing import Seal

KEYS = "SELECT id, sealed FROM payload_keys"
ENCRYPTED = "SELECT id FROM payload_keys LIMIT 1"
RESEAL = "UPDATE payload_keys SET sealed = ? WHERE id = ?"


class Found(NamedTuple):
    """What was said of one request."""

    id: str
    time: float
    kept: str
    encrypted: bool
    content: Content


class _Row(NamedTuple):
    time: float
    kept: str
    size: int
    body: bytes
    sealed: str | None


async def one(records: Records, id: str, seal: Callable[[], Seal]) -> Found | None:
    """Of the request of this id; None where nothing is kept of it, or not yet. Raises StoreAway, OSError, Unsealable,
    payload.Damaged."""
    rows = await records.rows(ONE, id)
    row = _Row(*rows[0]) if rows else await asyncio.to_thread(_waiting, records.data_dir / FOLDER, id)
    return await asyncio.to_thread(_opened, id, row, seal) if row is not None else None


def _opened(id: str, row: _Row, seal: Callable[[], Seal]) -> Found:
    """In a thread: a service that keeps the key of secrets may have to be asked."""
    cipher = cipher_of(row.sealed, seal()) if row.sealed is not None else None
    return Found(id, row.time, row.kept, cipher is not None, unpacked(row.body, row.size, cipher, id))


def _waiting(folder: Path, id: str) -> _Row | None:
    needle = f'"id":"{id}"'.encode()
    for segment in reversed(segments(folder)):
        try:
            data = segment.path.read_bytes()
        except FileNotFoundError:
            continue
        at = data.find(needle)
        if at >= 0:
            found = payload.read(data[data.rfind(b"\n", 0, at) + 1 : data.find(b"\n", at)])
            if found is not None:
                return _Row(found.row.time, found.row.kept, found.row.size, found.row.body, found.sealed)
    return None


def told(found: Found) -> dict[str, Any]:
    """As JSON: sides that are JSON as such, others as texts."""
    content: dict[str, Any] = msgspec.to_builtins(found.content)
    for side in SIDES:
        if side in content:
            content[side] = _value(content[side])
    return {"id": found.id, "time": found.time, "kept": found.kept, "encrypted": found.encrypted, **content}


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text


async def reseal(records: Records, seal: Callable[[], Seal]) -> int:
    """Seal the keys of payloads with the key in use; how many were not. Raises StoreAway, Unsealable."""
    keys = {str(id): str(sealed) for id, sealed in await records.rows(KEYS)}
    anew = await asyncio.to_thread(_anew, keys, seal()) if keys else {}
    for id, sealed in anew.items():
        await records.run(RESEAL, sealed, id)
    return len(anew)


def _anew(keys: Mapping[str, str], seal: Seal) -> dict[str, str]:
    """In a thread, as `_opened`."""
    stale = {id: sealed for id, sealed in keys.items() if not seal.current(sealed)}
    return {id: seal.seal(seal.open(sealed, payload.PLACE), payload.PLACE) for id, sealed in stale.items()}
