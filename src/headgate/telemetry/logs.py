"""Logging: text for people at a terminal, JSON lines elsewhere; never waits, never tells a secret, one entry per line.

Records go into a queue; a thread writes them, so that the event loop does not stop because nobody reads the error
output. Everything logged is text somebody else may have written: what a terminal or a log reader would act upon is
spelt out, and secrets are replaced before anything leaves the process.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import logging
import logging.handlers
import queue
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from urllib.parse import quote

import click
import msgspec

from headgate.core.ids import named_task
from headgate.core.printable import json_safe, printable

Form = Literal["auto", "text", "json"]

HIDDEN = "[redacted]"
_SHORTEST = 6
_LONGEST_MESSAGE = 16_384
_LONGEST_FIELD = 2_048
_QUEUED = 10_000

# What is written around a key rather than the key: an authorization header, a field or query parameter of that name,
# and the forms of keys vendors document (OpenAI and Anthropic sk-, Google AIza, Groq gsk_, xAI xai-, AWS AKIA).
_MARKED = re.compile(
    r"""(?ix)
    (\b(?:bearer|basic)\s+) [a-z0-9._~+/=-]{6,}
    | ((?:x-api-key|api[-_]key|apikey|x-goog-api-key|authorization|client[-_]secret|password)
       (?:\\?["'])? \s* [:=,] \s* (?:b?\\?["'])? (?:bearer\s+|basic\s+)?) (?=[^\s"']*\d) [^\s"'\\,;&)}\]]{6,}
    | ([?&](?:key|token|access_token)=) [^\s"'&]+
    | (://[^/\s:@]*:) [^/\s@]+ (?=@)
    """
)
_SHAPED = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{8,}|gsk_[A-Za-z0-9]{16,}|xai-[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{12,})"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


class Redactor:
    """Replaces known secrets, in the forms they are usually written, and whatever looks like one, by [redacted]."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: re.Pattern[str] | None = None
        self.know(secrets)

    def know(self, secrets: Iterable[str]) -> None:
        """The secrets from now on. Any shorter than six characters is left alone: it would blank out common words."""
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST:
                forms |= _forms(secret)
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _SHAPED.sub(HIDDEN, _MARKED.sub(_keep_mark, text))


def _forms(secret: str) -> set[str]:
    plain = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(plain, safe=""), quote(plain), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return forms | {base64.b64encode(plain).decode().rstrip("=")}


def _keep_mark(match: re.Match[str]) -> str:
    return (match[1] or match[2] or match[3] or match[4] or "") + HIDDEN


class _Handler(logging.handlers.QueueHandler):
    """Puts records into the queue; when that is full they are dropped and counted, for waiting would stop the loop."""

    def __init__(self, records: queue.Queue[Any]) -> None:
        super().__init__(records)
        self.dropped = 0
        self._told = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """A copy whose text is settled now: arguments may change before it is written."""
        record = copy.copy(record)
        _tell_request(record)
        try:
            record.msg = record.getMessage()
        except (TypeError, ValueError, KeyError) as error:
            record.msg = f"{record.msg} [with arguments that do not fit: {error}]"
        record.args = None
        if record.exc_info:
            record.exc_text = record.exc_text or _PLAIN.formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
            if self._told != self.dropped:
                self.queue.put_nowait(self._notice())
                self._told = self.dropped
        except queue.Full:
            self.dropped += 1

    def _notice(self) -> logging.LogRecord:
        text = f"{self.dropped} log entries so far were dropped: the output was too slow"
        return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)


def _tell_request(record: logging.LogRecord) -> None:
    """Which request the entry is about, and its trace, where it is written while one is served."""
    found = named_task()
    if found is not None:
        request, trace = found
        record.__dict__.setdefault("request_id", request)
        if trace:
            record.__dict__.setdefault("trace_id", trace)


_PLAIN = logging.Formatter()


class Formatter(logging.Formatter):
    """A record as one entry, redacted and neutralised: a JSON line, or text whose further lines are indented."""

    def __init__(self, redact: Redactor, *, as_json: bool, colour: bool = False) -> None:
        super().__init__()
        self.redact = redact
        self.as_json = as_json
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        message = self._line(record.getMessage(), _LONGEST_MESSAGE)
        more = {
            self._line(name, 100): self._line(str(value), _LONGEST_FIELD)
            for name, value in vars(record).items()
            if name not in _STANDARD and value is not None
        }
        exception = record.exc_text or (_PLAIN.formatException(record.exc_info) if record.exc_info else "")
        trace = "\n".join(part for part in (exception, record.stack_info or "") if part)
        trace = printable(self.redact(trace), limit=4 * _LONGEST_MESSAGE, lines=True)
        moment = datetime.fromtimestamp(record.created, UTC)
        return (self._json if self.as_json else self._text)(record, moment, message, more, trace)

    def _line(self, text: str, limit: int) -> str:
        return printable(self.redact(text), limit=limit)

    def _json(self, record: logging.LogRecord, moment: datetime, message: str, more: dict[str, str], trace: str) -> str:
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": self._line(record.name, 200),
            "message": message,
        }
        fields = {**more, **fields} if not trace else {**more, **fields, "exception": trace}
        ordered = {**{name: fields[name] for name in ("time", "level", "logger", "message")}, **fields}
        return json_safe(msgspec.json.encode(ordered).decode())

    def _text(self, record: logging.LogRecord, moment: datetime, message: str, more: dict[str, str], trace: str) -> str:
        level = record.levelname
        if self.colour and level in _COLOURS:
            level = click.style(level, fg=_COLOURS[level])
        local = moment.astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]
        fields = "".join(f" {name}={value}" for name, value in more.items())
        lines = [f"{local} {level} {self._line(record.name, 200)}: {message}{fields}"]
        lines += [f"    | {line}" for line in trace.splitlines()]
        return "\n".join(lines)


class _Writer(logging.Handler):
    """Writes entries to a stream. A stream that is gone is no reason to fail."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = self.format(record) + "\n"
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            self._stream.write(entry.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except (OSError, ValueError):  # a closed pipe, a closed file
            return


class _Listener(logging.handlers.QueueListener):
    """The writing thread. Ends within seconds also when nobody reads the stream."""

    _thread: threading.Thread | None

    def end(self, records: queue.Queue[Any], seconds: float) -> None:
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            records.put(None, timeout=seconds)
        except queue.Full:  # nobody reads the stream: what is queued cannot be written
            with contextlib.suppress(queue.Empty):
                while True:
                    records.get_nowait()
            records.put_nowait(None)
        thread.join(seconds)


class Logs:
    """Logging as set up by `start`; `stop` writes what is queued and leaves logging as it was."""

    def __init__(self, level: str, stream: TextIO, redact: Redactor, *, as_json: bool, colour: bool) -> None:
        self.redact = redact
        self._records: queue.Queue[Any] = queue.Queue(_QUEUED)
        self._handler = _Handler(self._records)
        self._writer = _Writer(stream, Formatter(redact, as_json=as_json, colour=colour))
        self._listener = _Listener(self._records, self._writer)
        root = logging.getLogger()
        self._before = (root.handlers[:], root.level)
        root.handlers[:] = [self._handler]
        root.setLevel(level.upper())
        logging.captureWarnings(True)
        self._listener.start()

    @property
    def dropped(self) -> int:
        """Entries not written because they came faster than the stream took them."""
        return self._handler.dropped

    def stop(self, seconds: float = 2.0) -> None:
        """Write what is queued, within `seconds`. Idempotent."""
        root = logging.getLogger()
        if self._handler not in root.handlers:
            return
        root.handlers[:], level = self._before
        root.setLevel(level)
        logging.captureWarnings(False)
        self._listener.end(self._records, seconds)
        self._handler.close()


def start(
    level: str = "info", *, form: Form = "auto", secrets: Iterable[str] = (), stream: TextIO | None = None
) -> Logs:
    """Send all logging to `stream` (standard error).

    `form` "auto" is text on a terminal and JSON elsewhere. Give it the secrets of the configuration, and those of each
    later one by `logs.redact.know`. Fields given as `extra` (`request_id`) become fields of the entry. Call it in each
    process, after any fork. Raises ValueError for an unknown level.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"{level!r} is no log level: debug, info, warning, error or critical")
    as_json = form == "json" or (form == "auto" and not terminal)
    return Logs(level, stream, Redactor(secrets), as_json=as_json, colour=terminal and not as_json)
