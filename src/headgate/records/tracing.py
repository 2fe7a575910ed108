"""Sends the spans of requests to an OpenTelemetry collector, in a process of its own beside the gateway.

`python -m headgate.records.tracing` is kept as the drain is (drain.py). It follows the journal, makes spans of the
records whose trace is kept, and remembers in a file how far it has come. While the collector is away the journal is the
queue: what is older than a minute is dropped and counted, so that it never falls behind for longer.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

import headgate
from headgate.core.record import Record
from headgate.journal.segments import segments, sound_end
from headgate.records.beside import alone, begun, say
from headgate.records.drain import EVERY, Tell, lines
from headgate.records.status import undrained

FILE = Path("run") / "traces.json"
"""In the data directory."""
BATCH = 256 << 10
"""Bytes of the journal whose spans are sent together."""
LATE = 60.0
"""Seconds after which the spans of a request are not sent any more."""
PATIENCE = 5.0
"""Seconds that the collector has to take a batch, again where it says that it is busy."""
LONGEST_PAUSE = 15.0
KEPT = b'"kept":true'
"""In the line of every record that spans are made of."""

_decode = msgspec.json.Decoder(Record).decode


class Settings(msgspec.Struct):
    """Where the journal is, the collector, and what is said of this gateway. `kinds`: see `telemetry.spans`."""

    data_dir: str
    address: str
    headers: dict[str, str] = {}
    ca_file: str | None = None
    service: str = "headgate"
    attributes: dict[str, str] = {}
    kinds: dict[str, str] = {}


class Status(msgspec.Struct):
    """How far each segment has been read, and what has become of traces since this file was begun."""

    positions: dict[str, int] = {}
    sent: int = 0
    dropped: int = 0
    failures: int = 0
    """Times that the collector did not take what it was sent."""
    away: bool = False


class Send(Protocol):
    """Makes spans of records and sends them; False where the collector does not take them."""

    def __call__(self, records: list[Record]) -> bool: ...


class Tracing:
    """Of one data directory."""

    def __init__(self, data_dir: Path, send: Send, tell: Tell) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / "journal"
        self.send = send
        self.tell = tell
        self.status = load(data_dir) or Status(_ends(self.folder))
        self._saved = b""

    def turn(self, now: float) -> bool:
        """Send a batch; whether there is more. Raises OSError."""
        there = {segment.path.name for segment in segments(self.folder)}
        for gone in self.status.positions.keys() - there:
            del self.status.positions[gone]
        for path, start, end in undrained(self.folder, self.status.positions):
            data = lines(path, start, BATCH)
            if not data:
                continue
            if not self._sent(data, now):
                return False
            self.status.positions[path.name] = start + len(data)
            return start + len(data) < end or path.name != max(there)
        return False

    def _sent(self, data: bytes, now: float) -> bool:
        status = self.status
        found = _kept(data) if KEPT in data else []
        timely = [record for record in found if now - record.time - record.duration < LATE]
        if timely and not self.send(timely):
            status.failures += 1
            if not status.away:
                self.tell("warning", "the collector takes no traces; those of the last minute wait for it")
            status.away = True
            return False
        if timely and status.away:
            self.tell("info", "the collector takes traces again")
            status.away = False
        status.sent += len(timely)
        status.dropped += len(found) - len(timely)
        return True

    def save(self) -> None:
        """Raises OSError."""
        told = msgspec.json.encode(self.status)
        if told != self._saved:
            _save(self.data_dir, told)
            self._saved = told


def begin(data_dir: Path) -> None:
    """What is in the journal already, before anybody has sent traces, is left alone. Raises OSError."""
    if load(data_dir) is None:
        _save(data_dir, msgspec.json.encode(Status(_ends(data_dir / "journal"))))


def _save(data_dir: Path, told: bytes) -> None:
    path = data_dir / FILE
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(told)
    new.replace(path)


def load(data_dir: Path) -> Status | None:
    """None where there is none yet."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return None


def _ends(folder: Path) -> dict[str, int]:
    found = {}
    for segment in segments(folder):
        with suppress(FileNotFoundError), segment.path.open("rb") as file:
            found[segment.path.name] = sound_end(file.fileno(), os.fstat(file.fileno()).st_size)
    return found


def _kept(data: bytes) -> list[Record]:
    found = []
    for line in data.split(b"\n"):
        if KEPT in line:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # the drain tells of damaged lines
                record = _decode(line.lstrip(b"\0"))
                if record.trace is not None and record.trace.kept:
                    found.append(record)
    return found


def sender(settings: Settings) -> Send:
    """By OpenTelemetry's SDK."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    from headgate.telemetry.spans import Spans

    exporter = OTLPSpanExporter(
        settings.address,
        settings.ca_file,
        headers=settings.headers or None,
        timeout=PATIENCE,
        compression=Compression.Gzip,
    )
    spans = Spans(settings.service, settings.attributes, headgate.__version__, settings.kinds)

    def send(records: list[Record]) -> bool:
        for record in records:
            spans.make(record)
        return exporter.export(spans.take()) is SpanExportResult.SUCCESS

    return send


def work(tracing: Tracing, ending: threading.Event) -> None:
    """Until the gateway is gone and what it has left is sent, or the collector takes nothing."""
    pause = EVERY
    while True:
        last, failures, more = ending.is_set(), tracing.status.failures, False
        with suppress(OSError):  # of a disk that fails the journal tells
            more = tracing.turn(time.time())
            tracing.save()
        if last and not more:
            return
        pause = EVERY if tracing.status.failures == failures else min(2 * pause, LONGEST_PAUSE)
        if not more:
            ending.wait(pause)


def main() -> None:
    logging.disable()  # of what goes wrong `say` tells, without addresses
    settings, ending = begun(Settings)
    data_dir = Path(settings.data_dir)
    if alone(data_dir / FILE.with_suffix(".lock"), ending):
        work(Tracing(data_dir, sender(settings), say), ending)


if __name__ == "__main__":
    main()
