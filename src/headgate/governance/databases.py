"""The two databases of a configuration, opened when they are first asked: what administrators change, and records."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from headgate.config import records, stored
from headgate.config.schema import Config
from headgate.records import statements as sql
from headgate.records.reading import Records
from headgate.secrets.references import References
from headgate.store.database import Database, Patience, connect
from headgate.store.migrations import migrate
from headgate.store.sealing import Keyring, Seal

PATIENCE = Patience(5.0, 60.0)


class Databases:
    """Whatever is asked raises StoreAway."""

    def __init__(self, config: Config, environ: Mapping[str, str], references: References | None = None) -> None:
        """`references` ask the services that keep a key to themselves."""
        self._data_dir = config.data_dir
        said = config.store.url
        self._store_url = said.get_secret_value() if said is not None else None
        self._records_url = records.url(config.records, said, config.data_dir)
        self._keyring = Keyring(config.data_dir, environ, references)
        self._opening = asyncio.Lock()
        self._store: Database | None = None
        self._records: Database | None = None
        self._searched: Records | None = None

    @property
    def has_store(self) -> bool:
        """Whether there is one: it is made when something is first written."""
        return stored.there(self._data_dir, self._store_url)

    @property
    def has_records(self) -> bool:
        url = self._records_url
        if url is None or not url.startswith("sqlite:///"):
            return url is not None
        return Path(unquote(url.removeprefix("sqlite:///"))).exists()

    async def store(self) -> Database:
        """Made where there is none yet."""
        async with self._opening:
            if self._store is None:
                self._store = await _opened(stored.url(self._data_dir, self._store_url))
            return self._store

    async def records(self) -> Database | None:
        """None: there is none, or not yet."""
        async with self._opening:
            if self._records is None and self.has_records and self._records_url is not None:
                self._records = await _opened(self._records_url, of_records=True)
            return self._records

    def searching(self) -> Records:
        """What finds records by what they are."""
        if self._searched is None:
            self._searched = Records(self._data_dir, self._records_url)
        return self._searched

    def seal(self) -> Seal:
        """What opens and seals what is secret in the store. Raises Unsealable."""
        return self._keyring.seal()

    async def close(self) -> None:
        for each in (self._store, self._records):
            if each is not None:
                await each.close()
        if self._searched is not None:
            await self._searched.close()
        self._store = self._records = self._searched = None


async def _opened(url: str, *, of_records: bool = False) -> Database:
    database = connect(url, PATIENCE)
    try:
        if of_records:
            words = sql.SQLITE_WORDS if url.startswith("sqlite:") else sql.POSTGRES_WORDS
            await migrate(database, sql.STEPS, words, sql.TALLY)
        else:
            await migrate(database)
    except BaseException:
        await database.close()
        raise
    return database
