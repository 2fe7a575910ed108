"""`headgate report usage`: the report of a period, as a page or as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from headgate.catalog.catalogue import Catalogue
from headgate.core.money import Currency
from headgate.records.bill import answer
from headgate.records.page import gathered, page
from headgate.records.report import Asked
from headgate.records.usage import Span


def state(
    data_dir: Path, url: str | None, span: Span, zone: tzinfo, currency: Currency | None, html: Path | None,
    catalogue: Catalogue | None,
) -> None:  # fmt: skip
    """Write it to `html`, or as JSON to standard output. Raises click.ClickException."""
    data = answer(
        data_dir, url, lambda records: gathered(Asked(records, None, zone), span, datetime.now(UTC), catalogue)
    )
    if html is not None:
        try:
            html.write_text(page(data, currency), "utf-8")
        except OSError as error:
            raise click.ClickException(f"{html}: {error.strerror}") from error
    if html is None:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
