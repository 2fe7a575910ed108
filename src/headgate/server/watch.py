"""Notices changed files by looking at them, which also works for network mounts and swapped symbolic links."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from headgate.server.lifecycle import Reload

log = logging.getLogger("headgate.server")

Print = tuple[int, int, int] | None


def fingerprint(path: Path) -> Print:
    """What changes when a file does; links are followed, so a swapped link is a change. None where there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def reload_safely(reload: Reload) -> Sequence[Path] | None:
    """Reloads; what is wrong with the new configuration is logged and gives None. The old one then stays in force."""
    try:
        return await reload()
    except (ValueError, OSError) as error:
        told = str(error).splitlines() or [type(error).__name__]
        what = told[0] if len(told) == 1 else f"{len(told)} problems"
        log.error("the configuration was not reloaded, the old one stays in force: %s", what)  # noqa: TRY400
        for problem in told if len(told) > 1 else ():
            log.error("%s", problem)  # noqa: TRY400
        return None


class Watch:
    """Calls `reload` when one of the files has changed and then stayed the same for one `interval` (seconds)."""

    def __init__(self, files: Sequence[Path], reload: Reload, *, interval: float = 0.5) -> None:
        self.reload = reload
        self.interval = interval
        self.known = {path: fingerprint(path) for path in files}
        self.unsettled: dict[Path, Print] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.interval)
            await self.look()

    async def look(self) -> None:
        """One look at all files."""
        seen = {path: fingerprint(path) for path in self.known}
        if seen == self.known:
            self.unsettled = None
        elif seen != self.unsettled:
            self.unsettled = seen
        else:
            await self.take(seen)

    async def now(self) -> None:
        """Reloads at once, whatever has changed, and not once more for what has changed up to now."""
        await self.take({path: fingerprint(path) for path in self.known})

    async def take(self, seen: dict[Path, Print]) -> None:
        """Reloads, for files that looked like this before they are read."""
        self.unsettled = None
        self.known = seen
        self.follow(await reload_safely(self.reload))

    def follow(self, files: Sequence[Path] | None) -> None:
        """From now on these files (None: the same as before).

        A file that was known keeps its fingerprint: if it changed while the configuration was read, it is read again.
        """
        if files is not None:
            self.known = {path: self.known[path] if path in self.known else fingerprint(path) for path in files}
