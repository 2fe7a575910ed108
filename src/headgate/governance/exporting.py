"""`headgate records --export`: writes records to a file, with their proof if asked, and says so in the audit."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import click

from headgate.config.load import Loaded
from headgate.config.schema import Config
from headgate.governance.databases import Databases
from headgate.governance.evidence import Asked, evidence, written
from headgate.journal.show import wanted
from headgate.records.payloads.payload import Damaged
from headgate.records.status import behind, load
from headgate.store.database import StoreAway
from headgate.store.objects import Actor, Objects
from headgate.store.sealing import Unsealable


def export(
    loaded: Loaded, data_dir: Path | None, out: Path, filters: Mapping[str, Any], *, proof: bool, payloads: bool
) -> None:
    """`data_dir`: that one, of which nothing else is known, in place of the configuration's.

    Raises click.ClickException.
    """
    config = loaded.config if data_dir is None else Config(data_dir=data_dir)
    try:
        databases = Databases(config, os.environ, loaded.references)
        count = asyncio.run(_export(databases, out, filters, proof, payloads))
    except (StoreAway, Unsealable, Damaged, OSError) as error:
        raise click.ClickException(f"the records cannot be exported: {error}") from error
    waiting, _ = behind(config.data_dir / "journal", load(config.data_dir).positions, time.time())
    click.echo(f"{count:,} records are in {out}", err=True)
    if waiting:
        click.echo(f"{waiting:,} bytes of the journal are not in the database yet, and not in the file", err=True)


async def _export(databases: Databases, out: Path, filters: Mapping[str, Any], proof: bool, payloads: bool) -> int:
    said = {name: _told(value) for name, value in filters.items() if value is not None}
    count = 0
    try:
        with os.fdopen(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            asked = Asked(wanted(**filters), said, payloads)
            async for line in evidence(databases, asked, time.time(), proof=proof):
                count += "record" in line
                if proof or "payload" in line:
                    file.write(written(line))
                elif "record" in line:
                    file.write(line["record"] + "\n")
        if databases.has_store:
            actor = Actor(f"{getuser()} (command line)")
            told = {"asked": said, "records": count, "proof": proof, "payloads": payloads}
            await Objects(await databases.store()).note("export", "records", "", actor, told)
    finally:
        await databases.close()
    return count


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
