"""Where sessions are kept in which guards hide something, and their metrics."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from headgate.config.schema import Config
from headgate.config.surrogates import check_surroundings
from headgate.core.cached import Which
from headgate.server.answer_keys import AnswerKeys
from headgate.state.file_vaults import FileVaults
from headgate.state.shared_vaults import SharedVaults
from headgate.state.vaults import MemoryVaults
from headgate.store.sealing import Seal
from headgate.telemetry.metrics import Read

FILE = "sessions.db"
"""In the data directory."""
EVERY = 30.0
"""Seconds between two looks at what is over."""
PLACE = "sessions"
"""To which the keys are bound that encrypt them."""


class Vaults:
    """One process's; `store` is None where the configuration wants none."""

    def __init__(self, config: Config, seal: Callable[[], Seal]) -> None:
        """Raises ValueError where what is to be encrypted could not be."""
        said = config.surrogates
        self.store = _store(config, AnswerKeys(seal, PLACE)) if said.per == "session" else None
        if not isinstance(self.store, FileVaults):
            _remove(config.data_dir / FILE)

    def configured(self, config: Config) -> None:
        """How much room there is from here on."""
        if isinstance(self.store, MemoryVaults | FileVaults):
            self.store.room = config.surrogates.max_bytes

    async def clear(self, which: Which) -> int:
        """Take these out; gives how many there were. Raises OSError."""
        return await self.store.clear(which) if self.store is not None else 0

    async def run(self) -> None:
        """Until cancelled."""
        while self.store is not None:
            await self.store.expire()
            await asyncio.sleep(EVERY)

    def watched(self) -> dict[str, Read]:
        store = self.store
        if store is None:
            return {}
        if isinstance(store, MemoryVaults):
            return {"headgate_sessions": lambda: len(store), "headgate_session_bytes": lambda: store.bytes}
        return {
            "headgate_sessions_away": lambda: float(store.why is not None),
            "headgate_session_failures": lambda: store.failures,
        }

    def close(self) -> None:
        if self.store is not None:
            self.store.close()


def _store(config: Config, keys: AnswerKeys) -> MemoryVaults | FileVaults | SharedVaults:
    said, state = config.surrogates, config.state
    check_surroundings(said, os.environ, _refuse)
    if said.store == "sqlite":
        return FileVaults(config.data_dir / FILE, said.max_bytes, said.ttl, keys)
    if said.store == "state" and state.url is not None:
        url = state.url.get_secret_value()
        return SharedVaults(url, state.prefix, state.ca_file, said.ttl, said.patience, keys)
    return MemoryVaults(said.max_bytes, said.ttl)


def _remove(path: Path) -> None:
    """A file that was in use before: nobody would see to it that what is over goes."""
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _refuse(path: tuple[str, ...], message: str, hint: str) -> None:
    raise ValueError(f"{'.'.join(path)}: {message}: {hint}")
