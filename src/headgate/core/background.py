"""What the gateway asks by itself, beside requests: how much is under way, and how much there was no room for."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("headgate.stages")


class Background:
    """Those of a process, by name and target; kept when the configuration changes."""

    def __init__(self) -> None:
        self.running: Counter[tuple[str, ...]] = Counter()
        self.dropped: Counter[tuple[str, ...]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, whose: tuple[str, ...], work: Coroutine[Any, Any, Any]) -> None:
        self.running[whose] += 1
        task = asyncio.get_running_loop().create_task(self._run(whose, work))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _run(self, whose: tuple[str, ...], work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        finally:
            self.running[whose] -= 1

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task beside requests failed inside the gateway", exc_info=task.exception())

    async def stop(self) -> None:
        """End them; what they cost until now is recorded."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
