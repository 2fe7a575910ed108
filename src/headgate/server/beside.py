"""Keeps a process running beside the gateway, which does what no request is to wait for."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

import msgspec

from headgate.records.beside import LAST, Said
from headgate.server.lifecycle import Lifecycle

log = logging.getLogger("headgate.records")

COMMAND = (sys.executable, "-P", "-m")
"""It finds what it imports where this process does, not in the folder in which the gateway happens to run."""
UNREADY = 0.1
SETTLED, LONGEST_PAUSE = 10.0, 30.0
"""One that lived so many seconds is started again at once, others after a pause that doubles."""


class Beside:
    """Started by one worker, once it serves; it sees to it by itself that there is one for a data directory."""

    def __init__(self, module: str, settings: msgspec.Struct, task: str, lifecycle: Lifecycle) -> None:
        """`settings` are the first line of its standard input; `task` is what it does, in words."""
        self._command = (*COMMAND, module)
        self._settings = msgspec.json.encode(settings) + b"\n"
        self._task = task
        self._lifecycle = lifecycle
        self._process: Process | None = None
        self._ending = False
        self.dismissed = False
        """It has nothing to do any more, and ends by itself."""

    async def run(self) -> None:
        """Until `end`, or cancelled."""
        while self._lifecycle.state == "starting":  # noqa: ASYNC110 - nobody tells of its end
            await asyncio.sleep(UNREADY)
        pause = 0.0
        while not self._ending:
            await self.wanted()
            began = time.monotonic()
            why = await self._live()
            if self._ending:
                return
            if self.dismissed:
                continue
            pause = UNREADY if time.monotonic() - began > SETTLED else min(max(2 * pause, UNREADY), LONGEST_PAUSE)
            log.error("the process that %s %s; another is started in %g s", self._task, why, pause)
            await asyncio.sleep(pause)

    async def wanted(self) -> None:
        """Wait until there is something for it to do."""

    def first(self) -> bytes:
        """The first line of its standard input."""
        return self._settings

    async def tell(self, stdin: asyncio.StreamWriter) -> None:
        """What else it is told while it lives: nothing."""

    async def end(self) -> None:
        """Let it finish, for some seconds at most."""
        self._ending = True
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(LAST + 1):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _live(self) -> str:
        """One life of it; how it ended."""
        try:
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE, env=environ)
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self.first())
        if self._ending:
            process.stdin.close()
        telling = asyncio.get_running_loop().create_task(self.tell(process.stdin))
        try:
            while line := await process.stdout.readline():
                _repeat(line)
        finally:
            telling.cancel()
        return f"ended with code {await process.wait()}"


def _repeat(line: bytes) -> None:
    """What it says, in the gateway's log."""
    with suppress(msgspec.DecodeError):
        said = msgspec.json.decode(line, type=Said)
        log.log(logging.getLevelNamesMapping()[said.level.upper()], "%s", said.message)
