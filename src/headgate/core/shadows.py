"""The copies of requests that are under way in the background: how many, and how many there was no room for."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("headgate.stages")


class Shadows:
    """Those of a process, by name and target; kept when the configuration changes."""

    def __init__(self) -> None:
        self.running: Counter[tuple[str, ...]] = Counter()
        self.dropped: Counter[tuple[str, ...]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, whose: tuple[str, ...], copy: Coroutine[Any, Any, None]) -> None:
        self.running[whose] += 1
        task = asyncio.get_running_loop().create_task(self._run(whose, copy))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _run(self, whose: tuple[str, ...], copy: Coroutine[Any, Any, None]) -> None:
        try:
            await copy
        finally:
            self.running[whose] -= 1

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a shadow failed inside the gateway", exc_info=task.exception())

    async def stop(self) -> None:
        """End them; what they cost until now is recorded."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
