"""`headgate report usage`: the report of a period, as a page or as JSON."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from headgate.catalog.catalogue import Catalogue
from headgate.core.money import Currency
from headgate.records.page import gathered, page
from headgate.records.reading import Records
from headgate.records.report import Asked
from headgate.records.usage import Moved, Span
from headgate.store.database import StoreAway


def state(
    data_dir: Path, url: str | None, span: Span, zone: tzinfo, currency: Currency | None, html: Path | None,
    catalogue: Catalogue | None,
) -> None:  # fmt: skip
    """Write it to `html`, or as JSON to standard output. Raises click.ClickException."""

    async def ask() -> dict[str, Any]:
        records = Records(data_dir, url)
        try:
            return await gathered(Asked(records, None, zone), span, datetime.now(UTC), catalogue)
        finally:
            await records.close()

    try:
        data = asyncio.run(ask())
        if html is not None:
            html.write_text(page(data, currency), "utf-8")
    except StoreAway as away:
        raise click.ClickException(f"the database of records is away: {away}") from away
    except Moved as moved:
        raise click.ClickException("the journal moved while it was read: try again") from moved
    except OSError as error:
        raise click.ClickException(f"{error.filename or data_dir}: {error.strerror}") from error
    if html is None:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
