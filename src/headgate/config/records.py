"""Where the records of requests are searched and summed: whether they are brought into a database, and into which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from pydantic import Field, SecretStr

from headgate.config.secrets import is_elsewhere
from headgate.config.section import Section
from headgate.config.sinks import Entry, check_search
from headgate.config.sinks import check as check_sinks
from headgate.store.database import POSTGRES, connect

FILE = "records.db"
"""In the data directory: the database where no other is configured."""
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


class Records(Section):
    """The records of requests in a database, where they are searched and summed."""

    store: bool = Field(
        True,
        description="Bring records from the journal into a database. A process beside the gateway does it, so that no "
        "request waits for it; what is there is deleted from the journal.",
    )
    url: SecretStr | None = Field(
        None,
        description="`postgresql://user:password@host/database`, which several machines can share, or "
        "`sqlite:///path`. Left out: that of `store.url` where it is a PostgreSQL, else `records.db` in `data_dir`.",
    )
    sinks: list[Entry] = Field(
        default_factory=list,
        description="Where records are sent, too: [how](../how-to/send-records-elsewhere.md). Each is a mapping with "
        "its `kind`, one of those [below](#sinks) or the dotted path of a class of yours.",
    )
    search: str | None = Field(
        None,
        min_length=1,
        description="The name of a sink of the kind `clickhouse`: records are searched there, not in the database.",
    )
    fingerprints: bool = Field(
        True,
        description="Keep in each record a hash of the request's body, by a key of this installation's own, so that "
        "reports can say which requests were made more than once and which begin alike. It takes 1 µs a request, some "
        "where the body is long.",
    )


def url(records: Records, store: SecretStr | None, data_dir: Path) -> str | None:
    """Of the database; None where records are only in the journal."""
    if not records.store:
        return None
    if records.url is not None:
        return records.url.get_secret_value()
    shared = store.get_secret_value() if store is not None else ""
    return shared if shared.partition(":")[0] in POSTGRES else f"sqlite:///{quote(str(data_dir / FILE))}"


def check(records: Records, tell: Tell) -> None:
    """Tell what is wrong with it."""
    check_sinks(records.sinks, tell)
    check_search(records.sinks, records.search, tell)
    if records.url is None or is_elsewhere(records.url.get_secret_value()):
        return
    try:
        connect(records.url.get_secret_value())
    except ValueError as error:
        tell(("records", "url"), str(error), "write it like postgresql://user:password@host/database")
