"""Records in a table of ClickHouse: its columns, and searches in it, over the HTTP interface.

https://clickhouse.com/docs/interfaces/http, https://clickhouse.com/docs/engines/table-engines/mergetree-family/replacingmergetree
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pydantic import Field, SecretStr, field_validator

from headgate.records import post, progress
from headgate.records.post import Post, address, check
from headgate.records.row import TEXTS, kinds
from headgate.records.search import Condition, Search, conditions
from headgate.records.sinks.sink import Away, Unfit
from headgate.store.database import StoreAway

TYPES = {str: "String", int: "Int64", float: "Float64"}
FEW = (
    "kind", "organisation", "team", "application", "key", "dialect", "path", "model", "target", "provider", "ending",
    "error", "origin",
)  # fmt: skip
"""Columns with few values, which are kept as numbers of a dictionary."""
READING = {"readonly": "2"}
LONGEST = 256 << 20
"""Bytes of a page of records."""
NO_TABLE = b"Code: 60."
"""UNKNOWN_TABLE: nothing has been sent there yet."""


class ClickHouseSettings(post.Connecting):
    """What is said of a server."""

    url: str = Field(description="Its HTTP interface: `https://clickhouse.example.com:8443`.")
    database: str = Field("default", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", description="The database.")
    table: str = Field("requests", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$", description="The table.")
    user: str = Field("default", pattern=r"^[!-~]{1,100}$", description="The user.")
    password: SecretStr | None = Field(None, description="The user's password.")
    create: bool = Field(True, description="Make the table, and columns of it that are missing.")
    batch_bytes: int = Field(
        4 << 20, ge=4096, le=256 << 20, description="Most bytes of records that are inserted at once."
    )

    _address = field_validator("url")(address)

    @property
    def place(self) -> str:
        """The table, as SQL has it."""
        return f'"{self.database}"."{self.table}"'


def creating(settings: ClickHouseSettings) -> Iterator[str]:
    """Makes the table, and what columns of it are new. Of what is inserted twice, one is kept: the key is the same."""
    columns = [f'"{name}" {_type(name, kind, optional)}' for name, (kind, optional) in kinds().items()]
    columns += ['"tags" Array(LowCardinality(String))', '"line" String CODEC(ZSTD(3))']
    yield (
        f"CREATE TABLE IF NOT EXISTS {settings.place} ({', '.join(columns)}, "
        "moment DateTime64(3, 'UTC') ALIAS fromUnixTimestamp64Milli(toInt64(time * 1000), 'UTC'), "
        "INDEX by_id id TYPE bloom_filter GRANULARITY 1, INDEX by_end_user end_user TYPE bloom_filter GRANULARITY 1) "
        "ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(toDateTime(time, 'UTC')) ORDER BY (time, id)"
    )
    yield f"ALTER TABLE {settings.place} {', '.join(f'ADD COLUMN IF NOT EXISTS {column}' for column in columns)}"


def _type(name: str, kind: type, optional: bool) -> str:
    found = f"Nullable({TYPES[kind]})" if optional else TYPES[kind]
    return f"LowCardinality({found})" if name in FEW else found


def proof(settings: ClickHouseSettings) -> dict[str, str]:
    """The headers that say who asks."""
    password = settings.password.get_secret_value() if settings.password is not None else ""
    return {"x-clickhouse-user": settings.user, "x-clickhouse-key": password}


def url_of(settings: ClickHouseSettings, told: Mapping[str, str]) -> str:
    return f"{settings.url.rstrip('/')}/?{urlencode({'database': settings.database, **told})}"


class Engine:
    """Searches there. Belongs to the event loop it is first used on."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._post = Post(settings)

    async def lines(self, search: Search, whole: Sequence[Condition]) -> list[str]:
        """Records of a page, in order; `whole` are further conditions. Raises StoreAway."""
        way = "DESC" if search.newest_first else "ASC"
        conditions = [*_conditions(search), *whole]
        where = " AND ".join(text for text, _ in conditions) or "TRUE"
        order = f"ORDER BY requests.time {way}, requests.id {way} LIMIT 1 BY requests.id LIMIT ?"
        values = [value for _, some in conditions for value in some]
        text = f"SELECT requests.line FROM {self._settings.place} AS requests WHERE {where} {order} FORMAT TSVRaw"  # noqa: S608 - our names
        return (await self._asked(text, [*values, search.limit])).decode().split("\n")[:-1]

    def positions(self, data_dir: Path) -> dict[str, int]:
        """How far each segment of the journal has been sent there."""
        return progress.load(data_dir, self._settings.known_as).positions

    def ways(self, id: str) -> list[Condition]:
        """Ways to find a request by its id or a part of it, of which the first that finds one counts."""
        return [("requests.id = ?", [id]), ("position(requests.id, ?) > 0", [id])]

    async def close(self) -> None:
        await self._post.end()

    async def _asked(self, text: str, values: Sequence[Any]) -> bytes:
        told: dict[str, str] = {}
        parts = text.split("?")
        for number, value in enumerate(values):
            parts[number] += f"{{p{number}:{TYPES[type(value)]}}}"
            told[f"param_p{number}"] = _escaped(value) if isinstance(value, str) else repr(value)
        url = url_of(self._settings, READING | told)
        try:
            status, answer = await self._post.asked(
                "POST", url, proof(self._settings), "".join(parts).encode(), LONGEST
            )
            if status != 200 and answer.startswith(NO_TABLE):
                return b""
            check(status, answer)
        except (Away, Unfit) as error:
            raise StoreAway(str(error)) from None
        return answer


def _escaped(text: str) -> str:
    """As a value of a query's parameter: https://clickhouse.com/docs/interfaces/http#tabs-in-url-parameters."""
    for sign, spelt in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\0", "\\0")):
        text = text.replace(sign, spelt)
    return text


def _conditions(search: Search) -> Iterator[Condition]:
    want = search.want
    yield from conditions(search)
    if want.tag is not None:
        yield "has(requests.tags, ?)", [want.tag[:TEXTS]]
    if want.target is not None:
        yield "(requests.target = ? OR startsWith(requests.target, ?))", [want.target[:TEXTS], f"{want.target}/"]
    for sign, moment in ((">=", want.since), ("<", want.until)):
        if moment is not None:
            yield f"requests.time {sign} ?", [float(moment)]
    if search.behind is not None:
        sign = "<" if search.newest_first else ">"
        yield f"(requests.time, requests.id) {sign} (?, ?)", list(search.behind)
