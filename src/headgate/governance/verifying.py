"""`headgate audit verify`: whether anything that was written was changed since, and what."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from headgate.config.load import Loaded
from headgate.core.printable import printable
from headgate.governance.databases import Databases
from headgate.governance.evidence_check import Reader
from headgate.records.verify import verify_records
from headgate.store import checkpoints as signed
from headgate.store.checkpoints import AUDIT, RECORDS, Chained, Checkpoint
from headgate.store.database import Database, StoreAway
from headgate.store.sealing import Unsealable
from headgate.store.signing import able, identity, own
from headgate.store.verify import Verified, verify_audit

TAMPERED = 1
ROWS = {"audit": "entries", "records": "records"}


def verify(loaded: Loaded, *, since: str | None, elsewhere: Path | None, keys: Sequence[str], as_json: bool) -> int:
    """Print it; the exit code. Raises click.ClickException where it cannot be found out."""
    try:
        found = asyncio.run(_verified(loaded, since, read_checkpoints(elsewhere), keys))
    except (StoreAway, Unsealable) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([told(each) for each in found], indent=2, ensure_ascii=False))
    else:
        for each in found:
            for line in _lines(each):
                click.echo(printable(line, limit=1000))
        if not found:
            click.echo("nothing was written yet", err=True)
    return TAMPERED if any(each.problems for each in found) else 0


async def _verified(
    loaded: Loaded, since: str | None, elsewhere: Sequence[Checkpoint], keys: Sequence[str]
) -> list[Verified]:
    databases = Databases(loaded.config, os.environ, loaded.references)
    try:
        return await verified(databases, keys, elsewhere, since)
    finally:
        await databases.close()


async def verified(
    databases: Databases, keys: Sequence[str] = (), elsewhere: Sequence[Checkpoint] = (), since: str | None = None
) -> list[Verified]:
    """What of the two chains there is; `since`: `latest`, or the number of a checkpoint."""
    known = {identity(key): key for key in keys}
    store = await databases.store() if databases.has_store else None
    if store is not None and not known and able() and await store.rows("SELECT id FROM signing_keys"):
        known = await own(store, databases.seal())
    found = []
    if store is not None:
        begin = await _begin(store, AUDIT, since, known)
        found.append(await verify_audit(store, known, begin, elsewhere))
    records = await databases.records()
    if records is not None:
        begin = await _begin(records, RECORDS, since, known)
        found.append(await verify_records(records, known, begin, elsewhere))
    return found


async def _begin(database: Database, of: Chained, since: str | None, keys: Mapping[str, str]) -> Checkpoint | None:
    """The checkpoint behind which is looked; only one that is genuine vouches for what is before it."""
    if since is None:
        return None
    there = [each for each in await signed.known(database, of) if each.genuine(keys)]
    wanted = [each for each in there if since == "latest" or each.sequence == int(since)]
    if not wanted and since != "latest":
        raise click.ClickException(f"there is no genuine checkpoint {since} of the {of.name}")
    return wanted[-1] if wanted else None


def read_checkpoints(path: Path | None) -> list[Checkpoint]:
    """Of a file of lines of JSON, as `audit.checkpoint_file` has them. Raises click.ClickException."""
    if path is None:
        return []
    try:
        return [Checkpoint.read(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path}: no checkpoints can be read there: {error}") from error


def told(found: Verified) -> dict[str, Any]:
    last = found.signed
    return {
        "chain": found.chain,
        "whole": not found.problems,
        "links": found.links,
        ROWS[found.chain]: found.rows,
        "purged": found.purged,
        "unchained": found.unchained,
        "since_link": found.since or None,
        "checkpoints": found.checkpoints,
        "head": None if found.head is None else {"number": found.head.number, "hash": found.head.hash},
        "signed": None if last is None else {**last._asdict(), "time": _moment(last.time)},
        "problems": [each._asdict() for each in found.problems],
    }


def _lines(found: Verified) -> list[str]:
    rows = ROWS[found.chain]
    parts = [f"{found.rows:,} {rows}", f"{found.links:,} links"]
    parts += [f"{found.purged:,} purged"] if found.purged else []
    parts += [f"{found.unchained:,} from before there was a chain"] if found.unchained else []
    since = f" behind link {found.since}" if found.since else ""
    state = "whole" if not found.problems else f"{len(found.problems)} problems"
    lines = [f"{found.chain}{since}: {state}; {', '.join(parts)}"]
    if found.signed is not None:
        lines.append(
            f"  signed up to link {found.signed.number} at {_moment(found.signed.time)} (key {found.signed.key}; "
            f"{found.checkpoints} checkpoints)"
        )
    elif found.links:
        lines.append("  no checkpoint vouches for it: who could write to the database could have made it anew")
    return lines + [f"  {each.what:<8} {each.where}: {each.message}" for each in found.problems]


def _moment(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify_file(path: Path, keys: Sequence[str], *, as_json: bool) -> int:
    """The same of a file of evidence. Raises click.ClickException where it is none."""
    try:
        with path.open(encoding="utf-8") as lines:
            found = Reader({identity(key): key for key in keys}).read(lines)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    if as_json:
        said = {**asdict(found), "problems": [each._asdict() for each in found.problems]}
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        state = "whole" if not found.problems else f"{len(found.problems)} problems"
        click.echo(f"{state}; {found.records:,} records, {found.signed:,} of them signed; made {found.made}")
        for each in found.problems:
            click.echo(printable(f"  {each.what:<8} {each.where}: {each.message}", limit=1000))
        if found.own_keys:
            click.echo("checked with the keys that the file itself brings: say --key with one you trust", err=True)
    return TAMPERED if found.problems else 0


def public_keys(loaded: Loaded) -> list[str]:
    """What checkpoints are signed with, the newest first; made where there is none. Raises click.ClickException."""
    return asyncio.run(_public_keys(loaded))


async def _public_keys(loaded: Loaded) -> list[str]:
    from headgate.store.signing import signer

    databases = Databases(loaded.config, os.environ, loaded.references)
    try:
        store, seal = await databases.store(), databases.seal()
        first = (await signer(store, seal)).public
        return [first, *(public for public in (await own(store, seal)).values() if public != first)]
    except (StoreAway, Unsealable) as error:
        raise click.ClickException(str(error)) from error
    finally:
        await databases.close()
