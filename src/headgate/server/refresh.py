"""Keeps the catalogue newer than the one that came along: from the file or URL that the operator names."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from headgate.catalog.refreshed import MAX_BYTES, BadCatalogue, Refreshed, parse
from headgate.config.catalogue_settings import CatalogueRefresh
from headgate.config.schema import Config
from headgate.core.errors import GatewayError
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint, Origin, Timeouts

log = logging.getLogger("headgate.server")

KEPT = "catalogue.json"
"""In the data directory: what the URL gave last, for the next start."""
FIRST = 2.0
"""Seconds after the start, at most, until the URL is asked: workers do not ask at once."""
WAIT = Timeouts(connect=10.0, first_byte=60.0, idle=30.0, total=120.0)

Take = Callable[[Refreshed], Awaitable[None]]


class Refresh:
    """One configuration's `catalogue.refresh`. Bad data is told and changes nothing."""

    def __init__(self, config: Config, upstream: Upstream) -> None:
        self.config = config
        self.settings = config.catalogue.refresh or CatalogueRefresh()
        self.origin = str(self.settings.file or self.settings.url)
        self.kept = config.data_dir / KEPT
        self.upstream = upstream
        self.now: Refreshed | None = None

    def load(self, before: Refreshed | None = None) -> Refreshed | None:
        """What counts at the start or after a reload: the file's data, or what the URL gave last; `before` where that
        is bad."""
        if self.config.catalogue.refresh is None:
            return None
        if before is not None and before.origin != self.origin:
            before = None
        try:
            self.now = stored(self.config) or before
        except (BadCatalogue, OSError) as error:
            self.now = before
            old = "the old one stays" if before else "the one that came along is used"
            log.error("the catalogue of %s is not taken, %s: %s", self.origin, old, error)  # noqa: TRY400
        return self.now

    async def run(self, take: Take) -> None:
        """Asks the URL again and again until cancelled; `take` is given what is new."""
        if self.settings.url is None:
            return
        await asyncio.sleep(random.uniform(0, FIRST))  # noqa: S311  # spreads workers, no secret
        while True:
            found = await self.look(self.settings.url)
            if found is not None:
                await take(found)
            await asyncio.sleep(self.settings.every * random.uniform(0.95, 1.0))  # noqa: S311

    async def look(self, url: str) -> Refreshed | None:
        """What the URL has, where it is good and new."""
        try:
            data = await self._fetch(url)
            found = await asyncio.to_thread(parse, data, url, self.settings.sha256)
        except (BadCatalogue, GatewayError) as error:
            log.error("the catalogue at %s is not taken, the old one stays: %s", url, error)  # noqa: TRY400
            return None
        if self.now is not None and self.now.sha256 == found.sha256:
            return None
        self.now = found
        try:
            await asyncio.to_thread(_keep, self.kept, data)
        except OSError as error:
            log.warning("the catalogue of %s is not kept for the next start: %s", url, error)
        log.info("the catalogue is now that of %s: %d models, read on %s", url, found.models, found.read or "?")
        return found

    async def _fetch(self, url: str) -> bytes:
        response = await self.upstream.post(_endpoint(url), b"")
        try:
            if response.status != 200:
                raise BadCatalogue(f"the answer is {response.status} (redirects are not followed)")
            return await response.read(MAX_BYTES)
        finally:
            response.close()


def stored(config: Config) -> Refreshed | None:
    """What a gateway of this configuration has over the catalogue that came along. Raises BadCatalogue, OSError."""
    settings = config.catalogue.refresh
    if settings is None:
        return None
    path = settings.file or config.data_dir / KEPT
    if settings.url is not None and not path.exists():
        return None
    return parse(_read(path), str(settings.file or settings.url), settings.sha256)


def _endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json\r\nuser-agent: headgate\r\n"
    return Endpoint(Origin(parts.scheme, parts.hostname or "", port), head.encode("ascii"), WAIT)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _keep(path: Path, data: bytes) -> None:
    """In one step: several workers may do so at the same time."""
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
