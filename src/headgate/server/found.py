"""What is known of one request, by its id. All is called in a thread, and raises OSError."""

from __future__ import annotations

import logging
from functools import partial

from headgate.config.load import Places
from headgate.core.record import Record
from headgate.journal import explain
from headgate.journal.read import Filter
from headgate.records.reading import source

log = logging.getLogger("headgate.server")


def decision(places: Places, id: str) -> bytes | None:
    """Why it went where it went, as JSON."""
    with source(*places, partial(log.warning, "%s")) as found:
        return explain.decision(found, id)


def record(places: Places, id: str) -> Record | None:
    with source(*places, partial(log.warning, "%s")) as found:
        stored = found.find(Filter(id), 1)
    return stored[0].record if stored and stored[0].record.id == id else None
