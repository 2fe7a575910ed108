"""Names, once a day, the keys that will soon be taken no more; a start and a reload do so with all other warnings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from headgate.config.schema import Config
from headgate.config.warnings import ending

log = logging.getLogger("headgate.server")

DAY = 86_400.0


class Reminder:
    """`config` gives the configuration in force."""

    def __init__(self, config: Callable[[], Config], every: float = DAY) -> None:
        self._config = config
        self._every = every

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            for warning in ending(self._config(), datetime.now(UTC)):
                log.warning("%s", warning)
