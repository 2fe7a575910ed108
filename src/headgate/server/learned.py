"""What was learned of models' tokens, over a restart: a file in the data directory, written now and then."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import msgspec

from headgate.core.ratios import Ratio, Ratios

log = logging.getLogger("headgate.server")

FILE = "token-ratios.json"
EVERY = 60.0
"""Seconds between two looks at whether something is to be written."""


class Learned:
    """Of one process. Several write one file, the last of them what the next start goes by: each learns the same."""

    def __init__(self, data_dir: Path, ratios: Ratios) -> None:
        self._path = data_dir / FILE
        self._ratios = ratios

    def load(self) -> None:
        """A file that cannot be read is as none: it is learned anew."""
        try:
            self._ratios.load(msgspec.json.decode(self._path.read_bytes(), type=dict[str, Ratio]))
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("%s is not read, and learned anew: %s", self._path.name, error)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            self.save()

    def save(self) -> None:
        """In one step, where there is something new."""
        if not self._ratios.changed:
            return
        known = self._ratios.dump()
        if not known:
            return
        new = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            new.write_bytes(msgspec.json.encode(known))
            new.replace(self._path)
        except OSError as error:
            log.warning("what was learned of models' tokens is not kept: %s", error.strerror)
