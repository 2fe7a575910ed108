"""What was said in requests, for whoever is at the machine itself; each reading is in the audit before it is shown."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import click
import msgspec

from headgate.config import stored
from headgate.config.load import placed, places_of
from headgate.config.schema import Config
from headgate.core.printable import json_safe, printable
from headgate.core.record import Record
from headgate.journal.read import Filter
from headgate.records.payloads import reading
from headgate.records.payloads.payload import Content, Damaged
from headgate.records.payloads.reading import Found
from headgate.records.payloads.statements import query
from headgate.records.reading import Records, place, source
from headgate.records.search import Search
from headgate.secrets.references import References
from headgate.store.database import StoreAway, connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Objects
from headgate.store.sealing import Keyring, Unsealable

T = TypeVar("T")
KIND = "payloads"
PAGE = 200
TITLES = {"request": "The client asked", "sent": "The provider was asked", "answer": "The client was given"}


class Said:
    """Of a configuration, or of a data directory. What goes wrong is a click.ClickException."""

    def __init__(
        self, config: Path | None, data_dir: Path | None, environ: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        """Raises ConfigError."""
        references = References(environ)
        self._config = Config(data_dir=data_dir) if data_dir is not None else placed(config, environ, references)
        self._places = places_of(self._config)
        self._keyring = Keyring(self._config.data_dir, environ, references)
        self._tell = tell
        self._records = Records(*self._places)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._records.close())
        self._runner.close()

    def show(self, id: str, *, as_json: bool) -> None:
        """Print it to standard output: of an id or a part of one."""
        with source(*self._places, self._tell) as found:
            records = found.find(Filter(id), 2)
        if len(records) != 1:
            whose = "no request has" if not records else "several requests have"
            raise click.ClickException(f"{id!r}: {whose} this id")
        id = records[0].record.id
        kept = self._run(reading.one(self._records, id, self._keyring.seal))
        if kept is None:
            raise click.ClickException(f"nothing is kept of what was said in {id}, or not yet")
        self._run(self._note("read", id, {"kept": kept.kept}))
        text = msgspec.json.format(msgspec.json.encode(reading.told(kept)), indent=2).decode()
        if as_json:
            click.echo(json_safe(text) if sys.stdout.isatty() else text)
            return
        for line in lines(kept):
            click.echo(line)

    def requests(self, want: Filter, most: int, told: dict[str, Any]) -> Iterator[tuple[Record, Content]]:
        """The newest of those of which something is kept, at most so many, with what was said in them."""
        self._run(self._note("rehearse", "*", told))
        seen, before = 0, None
        while seen < most:
            page = self._run(self._records.page(Search(want, PAGE, behind=before)))
            for each in page.items:
                kept = self._run(reading.one(self._records, each.record.id, self._keyring.seal))
                if kept is not None:
                    yield each.record, kept.content
                    seen += 1
                    if seen == most:
                        return
            before = place(page.items[-1]) if len(page.items) == PAGE else None
            if before is None:
                return

    def search(self, text: str, *, follow: bool) -> None:
        """That somebody looks for words."""
        if follow or self._places.records is None:
            raise click.BadParameter("what was said is searched in the database: not with --follow, nor without one")
        try:
            query(text, postgres=False)
        except ValueError as error:
            raise click.BadParameter(f"--text: {error}") from error
        if self._run(self._records.rows(reading.ENCRYPTED)):
            self._tell("some of what was said is encrypted, which is not searched")
        self._run(self._note("search", "*", {"text": text}))

    async def _note(self, action: str, name: str, told: dict[str, Any]) -> None:
        url = self._config.store.url
        database = connect(stored.url(self._config.data_dir, url.get_secret_value() if url is not None else None))
        try:
            await migrate(database)
            await Objects(database).note(action, KIND, name, Actor(f"{_user()} (command line)"), told)
        finally:
            await database.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except StoreAway as away:
            raise click.ClickException(f"a database is away, so that nothing is shown: {away}") from away
        except (Unsealable, Damaged) as error:
            raise click.ClickException(f"what was said cannot be read: {error}") from error


def lines(found: Found) -> list[str]:
    """For people."""
    content = found.content
    told = [f"{found.id}, kept {found.kept}{', encrypted' if found.encrypted else ''}, {content.dialect}"]
    if content.redacted:
        told.append(f"Taken out: {', '.join(f'{kind} ({count})' for kind, count in content.redacted.items())}.")
    for side, title in TITLES.items():
        text = getattr(content, side)
        if text is None and side not in content.left_out:
            continue
        why = content.left_out.get(side) or ("cut off" if side in content.truncated else "")
        told.append(f"\n{title}{f' ({why})' if why else ''}:")
        if text is not None:
            told += [printable(line) for line in _pretty(text).split("\n")]
    return told


def _pretty(text: str) -> str:
    with suppress(msgspec.DecodeError):
        return msgspec.json.format(text, indent=2)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return "somebody"
