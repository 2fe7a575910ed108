"""Keeps the drain running beside the gateway: the process that brings records from the journal into their database."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.journal.segments import Positions
from headgate.records import status
from headgate.records.drain import LAST, Said, Settings
from headgate.server.lifecycle import Lifecycle
from headgate.telemetry.metrics import Read

log = logging.getLogger("headgate.records")

COMMAND = (sys.executable, "-P", "-m", "headgate.records.drain")
"""It finds what it imports where this process does, not in the folder in which the gateway happens to run."""
UNREADY = 0.1
SETTLED, LONGEST_PAUSE = 10.0, 30.0
"""A drain that lived so many seconds is started again at once, others after a pause that doubles."""


class Drain:
    """Started by one worker, once it serves; the drain itself sees to it that there is one for a data directory."""

    def __init__(self, data_dir: Path, url: str, lifecycle: Lifecycle) -> None:
        self._data_dir = data_dir
        self._settings = msgspec.json.encode(Settings(str(data_dir), url)) + b"\n"
        self._lifecycle = lifecycle
        self._process: Process | None = None
        self._ending = False

    async def run(self) -> None:
        """Until `end`, or cancelled."""
        while self._lifecycle.state == "starting":  # noqa: ASYNC110 - nobody tells of its end
            await asyncio.sleep(UNREADY)
        pause = 0.0
        while not self._ending:
            began = time.monotonic()
            why = await self._live()
            if self._ending:
                return
            pause = UNREADY if time.monotonic() - began > SETTLED else min(max(2 * pause, UNREADY), LONGEST_PAUSE)
            log.error("the process that brings records into the database %s; another is started in %g s", why, pause)
            await asyncio.sleep(pause)

    async def end(self) -> None:
        """Let it bring over what is there, for some seconds at most."""
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
            process = await asyncio.create_subprocess_exec(*COMMAND, stdin=PIPE, stdout=PIPE, env=environ)
        except OSError as error:
            return f"cannot be started ({error.strerror})"
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._settings)
        if self._ending:
            process.stdin.close()
        while line := await process.stdout.readline():
            _repeat(line)
        return f"ended with code {await process.wait()}"


def _repeat(line: bytes) -> None:
    """What it says, in the gateway's log."""
    with suppress(msgspec.DecodeError):
        said = msgspec.json.decode(line, type=Said)
        log.log(logging.getLevelNamesMapping()[said.level.upper()], "%s", said.message)


def elsewhere(data_dir: Path) -> Callable[[], Positions]:
    """What gives up to where each segment is in the database."""
    return lambda: status.load(data_dir).positions


def watched(data_dir: Path) -> dict[str, Read]:
    """By the metric's name."""
    folder = data_dir / "journal"

    def behind() -> tuple[int, float]:
        return status.behind(folder, status.load(data_dir).positions, time.time())

    return {
        "headgate_records_behind_bytes": lambda: behind()[0],
        "headgate_records_behind_seconds": lambda: behind()[1],
        "headgate_records_drained": lambda: status.load(data_dir).drained,
        "headgate_records_failures": lambda: status.load(data_dir).failures,
        "headgate_records_unfit": lambda: status.load(data_dir).unfit,
        "headgate_records_away": lambda: float(status.load(data_dir).away is not None),
    }
