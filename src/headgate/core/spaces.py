"""The vectors of example sentences: they outlive a configuration, as each costs a question to a model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

from headgate.core.errors import GatewayError

log = logging.getLogger("headgate.stages")

Vector = tuple[float, ...]
"""Of the length 1. A tuple, as `math.dist` takes its numbers from no other sequence without making one."""
Learning = Coroutine[Any, Any, GatewayError | None]


class Space:
    """What one embedding model has said, as the configuration had it."""

    def __init__(self, tasks: set[asyncio.Task[GatewayError | None]]) -> None:
        self._tasks = tasks
        self._under_way: dict[str, asyncio.Task[GatewayError | None]] = {}
        self._said: dict[str, dict[str, Vector]] = {}

    def of(self, who: str) -> dict[str, Vector]:
        """Vectors by text; those of two who answer cannot be compared."""
        return self._said.setdefault(who, {})

    def forget(self, who: str) -> None:
        """It gives others by now."""
        self._said.pop(who, None)

    def keep(self, texts: Collection[str]) -> None:
        """Only these are used any more."""
        for who, said in self._said.items():
            self._said[who] = {text: vector for text, vector in said.items() if text in texts}

    def learning(self, who: str) -> asyncio.Task[GatewayError | None] | None:
        """What is being asked at the moment."""
        task = self._under_way.get(who)
        return task if task is not None and not task.done() else None

    def learn(self, who: str, learning: Learning) -> asyncio.Task[GatewayError | None]:
        """Ask in the background; what stood in the way is the task's result."""
        task = self._under_way[who] = asyncio.get_running_loop().create_task(learning)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[GatewayError | None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("asking for the vectors of examples failed inside the gateway", exc_info=task.exception())


class Spaces:
    """Those of a process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[GatewayError | None]] = set()
        self._about = ""
        self._space = Space(self._tasks)

    def space(self, about: str) -> Space:
        """A new one where the configuration is `about` another model than the last was."""
        if about != self._about:
            self._about, self._space = about, Space(self._tasks)
        return self._space

    async def stop(self) -> None:
        """End what is under way; what it cost until now is recorded."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
