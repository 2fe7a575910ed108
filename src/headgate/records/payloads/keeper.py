"""The keeper: makes of what was said what is kept of it, and brings that into the database, beside the gateway.

`python -m headgate.records.payloads.keeper` is kept running and spoken to like the drain (records/drain.py). One thread
takes what waits in memory, and appends what it makes of it to segments in `data_dir/payloads`; the other brings these
into the database, as the drain does with records. A piece that is taken twice counts once, by its id.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import msgspec

from headgate.core.errors import Overloaded
from headgate.core.unforeseen import unforeseen
from headgate.journal.journal import Journal
from headgate.journal.segments import Positions, repair
from headgate.records import status
from headgate.records.beside import alone, begun, say
from headgate.records.drain import EVERY, Database, Drain, Tell, work
from headgate.records.payloads import payload
from headgate.records.payloads.making import Maker
from headgate.records.payloads.payload import Cipher
from headgate.records.payloads.statements import SOURCE
from headgate.records.payloads.waiting import Piece, Reader

FOLDER = "payloads"
STATUS = Path("run") / "payloads.json"
SOON = 0.05
"""Seconds between two looks at what waits in memory."""
SPARE = 64 << 20
"""Bytes of the disk that are left to records: nothing is kept where fewer are free."""
BUFFER, SEGMENT = 1 << 16, 4 << 20
LONGEST = 600.0
"""Seconds after which a segment is left for another, so that it can be deleted: what is purged stands nowhere else."""


class Settings(msgspec.Struct):
    """`key` is that of encryption, in base64, and `sealed` the same as it is written down; "": nothing is encrypted."""

    data_dir: str
    memory: str
    url: str | None
    max_bytes: int
    backlog_bytes: int
    dialects: list[str] = []
    """Dotted paths of own ones."""
    names: list[str] = []
    """Kinds of names that are taken out, too."""
    key: str = ""
    sealed: str = ""


class PayloadDrain(Drain):
    """Brings payloads over; nobody reckons from their segments."""

    folder_name, named, kept = FOLDER, SOURCE, 0.0
    what, waiting, file = "payload", "data directory", STATUS

    entry = staticmethod(payload.read)

    def others(self) -> list[Mapping[str, int]]:
        return []


class Scribe:
    """Takes what waits, and appends what is kept of it."""

    def __init__(self, settings: Settings, told: status.Status, tell: Tell) -> None:
        self._told = told
        self._tell = tell
        self._folder = Path(settings.data_dir) / FOLDER
        cipher = Cipher(base64.b64decode(settings.key), settings.sealed) if settings.key else None
        self._maker = Maker(settings.dialects, settings.max_bytes, cipher, settings.names)
        self._reader = Reader(Path(settings.memory))
        self._most = settings.backlog_bytes
        self._lost = 0
        for mended in repair(self._folder):
            tell("warning", f"payloads: {mended}")
        self._journal = self._begun()

    def turn(self) -> bool:
        """Take all there is; whether there was anything. Raises OSError of the folder in memory."""
        found = False
        if self._journal.written and time.monotonic() - self._since > LONGEST:
            self.close()
            self._journal = self._begun()
        for piece in self._reader.pieces():
            found = True
            self._keep(piece)
        self._told.lost = self._lost + self._journal.deleted_records
        return found

    def close(self) -> None:
        self._journal.close()
        self._lost += self._journal.deleted_records

    def _begun(self) -> Journal:
        self._since = time.monotonic()
        return Journal(
            self._folder,
            segment_bytes=SEGMENT,
            max_bytes=self._most,
            buffer_bytes=BUFFER,
            on_trouble=self._trouble,
            elsewhere=self._elsewhere,
        )

    def _keep(self, piece: Piece) -> None:
        try:
            made = self._maker.payload(piece)
        except Exception as error:  # noqa: BLE001 - the one place where what nobody foresaw costs one payload, not all
            self._lost += 1
            self._tell("error", f"what was said of {piece.head.id} is not kept: {unforeseen(error)} while it was read")
            return
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < SPARE or self._journal.full:
            self._lost += 1
            return
        try:
            self._journal.append(made)
        except Overloaded:
            self._lost += 1

    def _trouble(self, level: int, message: str) -> None:
        self._tell("warning", f"payloads: {message}")

    def _elsewhere(self) -> Positions:
        return dict(self._told.positions)


def opened(url: str) -> Database:
    """Nothing is connected to yet."""
    if url.startswith("sqlite:///"):
        from headgate.records.payloads.sqlite import SQLite

        return SQLite(Path(unquote(url.removeprefix("sqlite:///"))))
    from headgate.records.payloads.postgres import Postgres

    return Postgres(url)


def take(scribe: Scribe, ending: threading.Event, tell: Tell) -> None:
    """Until the gateway is gone and nothing waits any more."""
    troubled = False
    while True:
        last = ending.is_set()
        try:
            more = scribe.turn()
            troubled = False
        except OSError as error:
            more = False
            if not troubled:
                tell("error", f"payloads that wait in memory cannot be read: {error.strerror}: {error.filename}")
            troubled = True
        if last and not more:
            return
        if not more:
            ending.wait(SOON)


def main() -> None:
    settings, ending = begun(Settings)
    data_dir, taken = Path(settings.data_dir), threading.Event()
    if not alone(data_dir / STATUS.with_suffix(".lock"), ending):
        return
    bringing = None if settings.url is None else PayloadDrain(data_dir, opened(settings.url), say, now=time.time())
    told = bringing.status if bringing is not None else status.Status()
    scribe = Scribe(settings, told, say)

    def taking() -> None:
        take(scribe, ending, say)
        scribe.close()
        taken.set()

    threading.Thread(target=taking, daemon=True).start()
    if bringing is not None:
        work(bringing, taken)
        bringing.database.close()
    while not taken.wait(EVERY):
        with suppress(OSError):
            status.save(data_dir, told, STATUS)
    with suppress(OSError):  # there is something in it that could not be taken
        Path(settings.memory).rmdir()


if __name__ == "__main__":
    main()
