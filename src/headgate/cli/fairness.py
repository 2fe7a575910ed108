"""Whether models answer alike whoever it is about: asked now, and what came of it over time."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

import click

from headgate.cli.settings import FAILED, config_option, loaded_from
from headgate.cli.times import read_moment


@click.group()
def fairness() -> None:
    """Ask models the same about different people, and compare."""


@fairness.command()
@click.option("--model", "models", multiple=True, help="Who is asked, instead of `fairness.models`. Repeatable.")
@click.option("--seed", type=int, help="Which questions are drawn. Default: others each time.")
@click.option("--url", help="Where the gateway is, such as https://gateway.example. Default: as configured, here.")
@config_option
def run(config: Path | None, models: tuple[str, ...], seed: int | None, url: str | None) -> None:
    """Ask a running gateway a round of questions, with the key `fairness.key`, and keep what came of it.

    Ends with 1 where none was answered.
    """
    from headgate.governance.fairness.rounds import hold

    loaded = loaded_from(config, {}, follow=True)
    with click.progressbar(length=1, label="asking", file=sys.stderr) as bar:

        def tell(done: int, all_: int) -> None:
            bar.length = all_
            bar.update(done - bar.pos)

        held = hold(loaded, os.environ, models, seed, url, tell)
    click.echo(f"{len(held.answers)} answers, {held.failed} without{f' ({held.why})' if held.why else ''}")
    if not held.answers:
        sys.exit(FAILED)


@fairness.command()
@click.option("--since", metavar="WHEN", callback=read_moment, default="30d", show_default=True, help="10m, 2h, 7d …")
@click.option("--until", metavar="WHEN", callback=read_moment, help="Up to then.")
@click.option("--model", help="Only of this one.")
@click.option("--all", "every", is_flag=True, help="Also what says nothing.")
@click.option("--by", type=click.Choice(["month", "week"]), help="Each month or week by itself.")
@click.option("--fail-above", type=click.FloatRange(0), metavar="GAP", help="End with 1 where a telling gap is larger.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all figures.")
@config_option
def report(
    config: Path | None, since: datetime, until: datetime | None, model: str | None, every: bool, by: str | None,
    fail_above: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Say how answers differ by group: telling are gaps that chance alone would bring in less than 5 of 100 cases."""
    import msgspec

    from headgate.core.columns import Column, room, table
    from headgate.governance.fairness.rounds import reported

    loaded = loaded_from(config, {}, follow=True)
    rows = reported(loaded, os.environ, since, until, model, by)
    if as_json:
        click.echo(msgspec.json.encode(rows))
    else:
        columns = [Column("", 0), *(Column(title, rank) for rank, title in enumerate(COLUMNS, 1))]
        shown = [row for row in rows if every or row["telling"]]
        for line in table(columns, [_line(row) for row in shown], room()):
            click.echo(line)
        if len(rows) > len(shown):
            click.echo(f"{len(rows) - len(shown)} comparisons say nothing (--all shows them)")
    if fail_above is not None and any(row["telling"] and row["gap"] > fail_above for row in rows):
        sys.exit(FAILED)


COLUMNS = ("MODEL", "SUBJECT", "ABOUT", "WHAT", "GAP", "CHANCE", "GROUPS")


def _line(row: dict[str, object]) -> list[str]:
    groups = row["groups"]
    assert isinstance(groups, dict)
    told = ", ".join(f"{name} {each['mean']:.3g} ({each['answers']})" for name, each in groups.items())
    when = f"{row['period']} " if "period" in row else ""
    names = [str(row[name]) for name in ("model", "subject", "dimension", "measure")]
    return [f"{when}{'!' if row['telling'] else ''}", *names, f"{row['gap']:.3g}", f"{row['chance']:.3g}", told]
