"""Lets any worker answer for all: each writes what it has counted to a file, and what dead ones had counted is kept.

With one worker nothing of this runs. A worker is alive as long as it holds the lock beside its file, which the
kernel takes from it however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from headgate.telemetry.families import FAMILIES, Labels
from headgate.telemetry.metrics import Metrics, Series, State, merged

_RETIRED = "metrics-retired.json"
_LOCK = "metrics.lock"
_LOG = "headgate.metrics"
_T = TypeVar("_T")


class Retired(msgspec.Struct):
    """What workers that are gone had counted. `folded` names the runs in it whose files may still be there."""

    folded: list[str] = []
    series: dict[str, list[Series]] = {}


class Workers:
    """This worker's file in `folder` (data_dir/run), written each `beat` seconds by a thread, and everybody else's."""

    def __init__(self, folder: Path, metrics: Metrics, *, beat: float = 1.0) -> None:
        """Raises OSError where the folder cannot be written."""
        self.folder = folder
        self.metrics = metrics
        metrics.pid = metrics.pid or os.getpid()
        self._path = folder / f"metrics-{metrics.worker}-{metrics.pid}.json"
        self._writing = threading.Lock()
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        with _locked(folder):
            _fold(folder)
            self._alive = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._alive, fcntl.LOCK_EX)
            self._write()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, args=(beat,), name="metrics", daemon=True)
        self._thread.start()

    def states(self) -> tuple[list[State], dict[str, list[Series]]]:
        """Every live worker's state, this one's as of now, and the sum of what workers that are gone had counted.

        What is given of this worker is written first, so that no later answer of another worker can be less.
        """
        with _locked(self.folder):
            own = self._write()
            retired = _fold(self.folder)
            others = [_load(path, State) for path in self.folder.glob("metrics-*-*.json") if path != self._path]
        return [own, *(state for state in others if state)], retired.series

    def sum(self, name: str) -> Counter[Labels]:
        """A gauge, of all live workers together. Raises OSError where the files of others cannot be read."""
        found: Counter[Labels] = Counter()
        for state in self.states()[0]:
            for line in state.series.get(name, ()):
                found[line.labels] += int(line.value)
        return found

    def close(self) -> None:
        """Write a last time. The next worker that is asked counts this one among those that are gone. Idempotent."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._write()
        os.close(self._alive)

    def _keep(self, beat: float) -> None:
        well = True
        while not self._stop.wait(beat):
            try:
                self._write()
            except OSError as error:
                if well:
                    logging.getLogger(_LOG).warning("metrics cannot be written to %s: %s", self._path, error.strerror)
                well = False
            else:
                well = True

    def _write(self) -> State:
        with self._writing:
            state = self.metrics.state()
            _save(self._path, state)
        return state


def clear(folder: Path) -> None:
    """Forget what earlier servers' workers had counted: for the parent, before it starts workers."""
    with contextlib.suppress(FileNotFoundError), _locked(folder):
        _fold(folder)
        (folder / _RETIRED).unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    fd = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _fold(folder: Path) -> Retired:
    """Move the files of dead workers into the one of those that are gone. Killed half-way, it counts nothing twice."""
    retired = _load(folder / _RETIRED, Retired) or Retired()
    dead = [path for path in folder.glob("metrics-*-*.json") if not _lives(path.with_suffix(".lock"))]
    if not dead:
        return retired
    states = [state for state in (_load(path, State) for path in dead) if state]
    new = [state for state in states if state.run not in retired.folded]
    series = {name: lines for name, lines in merged(new, retired.series).items() if FAMILIES[name].kind != "gauge"}
    retired = Retired([state.run for state in states], series)
    _save(folder / _RETIRED, retired)
    for path in dead:
        path.unlink(missing_ok=True)
        for beside in (".new", ".lock"):
            path.with_suffix(beside).unlink(missing_ok=True)
    return retired


def _lives(lock: Path) -> bool:
    try:
        fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _load(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def _save(path: Path, value: State | Retired) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(value))
    new.replace(path)
