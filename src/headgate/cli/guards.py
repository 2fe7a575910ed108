"""What guards know and find, and policies tried out: on a text, and on what was said in requests."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.objects import THERE, asking, client, json_option
from headgate.cli.settings import FOLDER, Refused, config_option, loaded_from
from headgate.cli.times import read_span

if TYPE_CHECKING:
    from headgate.governance.rehearsal import Tried


@click.group()
def guard() -> None:
    """What guards look for in requests and replies."""


@guard.command()
@click.argument("text")
@click.option("--reply", is_flag=True, help="It is what a model answers, not what it is asked.")
@click.option("--role", type=click.Choice(["user", "system", "assistant", "tool"]), default="user", help="Who says it.")
@click.option("--model", default="", metavar="NAME", help="The name that is asked for.")
@click.option("--key", metavar="NAME", help="The key that asks, by its name.")
@click.option("--policy", "names", multiple=True, metavar="NAME", help="Only this policy; may be said again.")
@config_option
@json_option
def test(
    text: str, reply: bool, role: str, model: str, key: str | None, names: tuple[str, ...], config: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Say what the policies of a configuration find in TEXT (-: standard input), and how it would go on."""
    import asyncio

    from headgate.config.identities import callers
    from headgate.core.caller import Caller
    from headgate.governance.rehearsal import on_text, policies

    found = loaded_from(config, {}).config
    known = {each.key: each for _, each in callers(found.keys, found.people)}
    if key is not None and key not in known:
        raise click.BadParameter(f"there is no key {key!r}", param_hint="--key")
    unknown = set(names) - found.guards.keys()
    if unknown:
        raise click.BadParameter(f"there is no policy {min(unknown)!r}", param_hint="--policy")
    wanted = policies({name: each for name, each in found.guards.items() if not names or name in names})
    said = sys.stdin.read() if text == "-" else text
    caller = known[key] if key is not None else Caller("")
    side = "reply" if reply else "request"
    _show(asyncio.run(on_text(wanted, said, side=side, role=role, model=model, caller=caller)), said, as_json)


def _show(tried: Tried, said: str, as_json: bool) -> None:
    import msgspec

    from headgate.core.columns import Column, table
    from headgate.core.printable import json_safe, printable

    if as_json:
        text = msgspec.json.format(msgspec.json.encode(tried), indent=2).decode()
        click.echo(json_safe(text) if sys.stdout.isatty() else text)
        return
    columns = [Column(name, 0) for name in ("POLICY", "CATEGORY", "ACTION", "PLACE", "FOUND")]
    rows = [
        [
            each.policy,
            each.category,
            each.action if each.mode == "enforce" else f"{each.action} (monitored)",
            f"{each.start}-{each.end}",
            printable(said[each.start : each.end], limit=60),
        ]
        for each in tried.verdicts
    ]
    for line in table(columns, rows, None) if rows else ["nothing is found"]:
        click.echo(line)
    if tried.model is not None:
        click.echo(f"asked instead: {tried.model}")
    click.echo(f"\n{printable(tried.error or '')}" if tried.text is None else f"\n{tried.text}")


@guard.command()
@click.option("--since", callback=read_span, default="7d", show_default=True, metavar="SPAN", help="30m, 4h, 2d.")
@click.option(
    "--policy",
    "file",
    type=THERE,
    metavar="FILE",
    help="The policies (`guards`) of this file, not the configuration's.",
)
@click.option(
    "--limit", "-n", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="The latest requests."
)
@click.option("--data-dir", type=FOLDER, help="Where the data are, instead of the configuration's.")
@config_option
@json_option
def report(
    since: timedelta, file: Path | None, limit: int, data_dir: Path | None, config: Path | None, as_json: bool
) -> None:
    """Say what policies would have done with the requests of a time, of which it is kept what was said.

    That it was read is in the audit.
    """
    import asyncio
    import time

    import msgspec

    from headgate.config.load import guards
    from headgate.config.problems import ConfigError
    from headgate.config.said import Said
    from headgate.governance.rehearsal import Summary, on_record, policies
    from headgate.journal.read import Filter

    try:
        said_of = guards(file, os.environ) if file is not None else loaded_from(config, {}).config.guards
        asking = [name for name, each in said_of.items() if each.type.outside]
        if asking:
            _warn(f"left out, as their guards ask others, and nobody is asked here: {', '.join(asking)}")
        wanted = policies({name: each for name, each in said_of.items() if name not in asking})
        summary = Summary()
        want = Filter(since=time.time() - since.total_seconds())
        told = {"policies": [each.name for each in wanted], "since": want.since}
        with Said(config, data_dir, os.environ, _warn) as said, asyncio.Runner() as runner:
            for record, content in said.requests(want, limit, told):
                summary.add(record.id, runner.run(on_record(wanted, record, content)))
    except ConfigError as error:
        raise Refused(error) from error
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        return
    for line in summary.lines():
        click.echo(line)


@guard.command()
@click.option("--key", metavar="NAME", help="Only those that this key has begun, by its name.")
@click.option("--team", metavar="NAME", help="Only this team's.")
@click.option("--organisation", metavar="NAME", help="Only this organisation's.")
@click.option("--user", metavar="NAME", help="Only those of this user's keys.")
@click.option("--end-user", metavar="NAME", help="Only those of requests that name this end user.")
@click.option("--older-than", callback=read_span, default="0s", metavar="SPAN", help="Only older ones: 30m, 4h, 2d.")
@asking
def forget(config: Path | None, url: str | None, as_json: bool, older_than: timedelta, **named: str | None) -> None:
    """Forget sessions in which something was hidden (`surrogates`), so that it comes back no more; all, where nothing
    is said."""
    said = {name: value for name, value in named.items() if value is not None}
    client(config, url, as_json).forget_sessions({**said, "older_than": older_than.total_seconds()})


@guard.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--to", "kept", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--add", is_flag=True, help="Keep what is in it, too.")
def register(paths: tuple[Path, ...], kept: Path, add: bool) -> None:
    """Register files, and those in folders: the guard `code` knows pieces of them again.

    What is written holds numbers made of words in a row, and nothing of the files themselves.
    """
    from headgate.redaction import fingerprints

    numbers: set[int] = set()
    count = left = 0
    try:
        if add and kept.exists():
            numbers |= fingerprints.Registry.load(kept).numbers
        for path in fingerprints.files(paths):
            data = fingerprints.text(path)
            if data is None:
                left += 1
                continue
            count += 1
            numbers |= fingerprints.numbers(data)
        fingerprints.Registry(numbers).save(kept)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    more = f"; {left} are no text, or too large" if left else ""
    click.echo(f"{count} files, {len(numbers)} numbers in {kept}{more}", err=True)


def _warn(text: str) -> None:
    click.echo(f"headgate: {text}", err=True)
