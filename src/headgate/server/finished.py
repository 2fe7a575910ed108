"""The log's line about a finished request, for who sets `log.level` to debug."""

from __future__ import annotations

import logging

from headgate.core.record import Record

log = logging.getLogger("headgate.server")


def tell(record: Record) -> None:
    """One debug line; no prompt, no key, no words of anybody else's but the path and the model asked for.

    Only at debug, also for what failed: a provider that is down must not fill the log, and each failure is counted by
    the metrics and kept in the journal. Ask `log.isEnabledFor(logging.DEBUG)` first where time matters.
    """
    extra = {
        "request_id": record.id,
        "model": record.model,
        "target": record.target,
        "status": record.status,
        "ending": record.ending,
        "error": record.error,
        "origin": record.origin,
        "ms": round(1000 * record.duration, 1),
    }
    log.debug("%s: %d %s", record.path, record.status, record.ending, extra=extra)
