"""Policy as code, tried out before it is in force."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from headgate.cli.settings import FAILED, FILE, config_option, data_dir_option, loaded_from, places_of, warn
from headgate.cli.times import read_moment


@click.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def test(config: Path | None, file: Path, as_json: bool) -> None:
    """Whether cases are denied as they should be. FILE is a list in YAML: `case` is its name, `given` variables by name
    (`{team: clinic, data_class: health, target: openai/gpt-4o}`), `denied_by` names of clauses (left out: none).

    Ends with 1 where a case comes out otherwise.
    """
    import msgspec

    from headgate.governance.clauses import attempt, read

    try:
        results = list(attempt(loaded_from(config, {}, follow=True).config, read(file)))
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode([{**each.model_dump(), "right": each.right} for each in results]))
    else:
        for each in results:
            denied = ", ".join(each.denied_by) or "allowed"
            expected = "" if each.right else f", not {', '.join(each.expected) or 'allowed'}"
            click.echo(f"{'ok  ' if each.right else 'WRONG'}  {each.case}: {denied}{expected}")
    if not all(each.right for each in results):
        sys.exit(FAILED)


@click.command()
@click.option("--since", metavar="WHEN", callback=read_moment, default="7d", show_default=True, help="10m, 2h, 7d …")
@click.option("--until", metavar="WHEN", callback=read_moment, help="Up to then.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
@data_dir_option
def report(config: Path | None, data_dir: Path | None, since: datetime, until: datetime | None, as_json: bool) -> None:
    """What the clauses of the configuration would have forbidden of requests that have been."""
    import msgspec

    from headgate.core.columns import Column, table
    from headgate.governance.clauses import effects
    from headgate.journal.show import wanted
    from headgate.records.reading import source

    settings = loaded_from(config, {}, follow=True).config
    with source(*places_of(config, data_dir, follow=True), warn) as found:
        count, told = effects(settings, (each.record for each in found.read(wanted(since=since, until=until))))
    if as_json:
        click.echo(msgspec.json.encode({"requests": count, "clauses": [each.model_dump() for each in told]}))
        return
    click.echo(f"{count} requests")
    columns = [Column(title, 0) for title in ("CLAUSE", "MODE", "DENIED", "UNDECIDED", "SUCH AS")]
    rows = [[each.clause, each.mode, str(each.denied), str(each.undecided), " ".join(each.examples)] for each in told]
    for line in table(columns, rows, None):
        click.echo(line)


commands = (test, report)
"""Of the group `clause`."""
