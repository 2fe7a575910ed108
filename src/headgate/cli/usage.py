"""What was used and spent: sums, and the report of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.settings import FILE, Refused, config_option, data_dir_option, loaded_from, places_of
from headgate.cli.times import read_moment

if TYPE_CHECKING:
    from headgate.catalog.catalogue import Catalogue
    from headgate.config.reports import Reports
    from headgate.records.usage import Span


def _dimensions(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    from headgate.records.asking import dimensions

    return tuple(_read(dimensions, value))


def _zone(context: click.Context, parameter: click.Parameter, value: str | None) -> tzinfo | None:
    from headgate.records.asking import zone

    return None if value is None else _read(zone, value)


def _where(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    from headgate.records.asking import dimension
    from headgate.records.usage import PERIODS, TAG

    found = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not sign or name in PERIODS or name.startswith(TAG):
            raise click.BadParameter(f"{text!r} is not like team=research")
        found[_read(dimension, name)] = value
    return found


def _read(reads: Callable[[str], Any], text: str) -> Any:
    try:
        return reads(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _settings(config: Path | None, data_dir: Path | None) -> Reports:
    """How amounts and days are told; of a data directory alone nothing is said of that."""
    from headgate.config.load import placed
    from headgate.config.problems import ConfigError
    from headgate.config.reports import Reports

    try:
        return placed(config, os.environ).reports if config is not None or data_dir is None else Reports()
    except ConfigError as error:
        raise Refused(error) from error


def _period(said: Reports, zone: tzinfo | None, times: dict[str, Any]) -> tuple[tzinfo, Span]:
    """Whose days count, and what is asked of them."""
    from headgate.records import asking

    zone = zone or asking.zone(said.time_zone)
    try:
        return zone, asking.span(datetime.now(UTC), zone, **times)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


month_option = click.option("--month", metavar="YYYY-MM", help="Of this month. Default: the current one, until now.")
zone_option = click.option(
    "--zone", callback=_zone, metavar="NAME", help="Whose days count: Europe/Berlin. Default: as configured, else UTC."
)


@click.command()
@click.option(
    "--by",
    default="team",
    show_default=True,
    callback=_dimensions,
    metavar="WHAT[,WHAT]",
    help="organisation, team, application, user, end_user, key, model, target, provider, dialect, status, client, "
    "ending, error, origin, data_class, tag, tag:NAME (the value of tags NAME=value), hour, day, week or month; "
    "'' for one sum.",
)
@month_option
@click.option("--since", metavar="TIME", callback=read_moment, help="From this hour on; as of `headgate records`.")
@click.option("--until", metavar="TIME", callback=read_moment, help="Up to the end of this hour.")
@click.option(
    "--where", multiple=True, metavar="WHAT=VALUE", callback=_where, help="Only of these: team=research. Repeatable."
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first so many.")
@click.option(
    "--order",
    type=click.Choice(["cost", "requests", "output", "input", "errors_provider", "errors_gateway", "saved", "wasted"]),
    default="cost",
    show_default=True,
    help="What the first have most of.",
)
@zone_option
@click.option("--json", "how", flag_value="json", help="Print JSON.")
@click.option("--csv", "how", flag_value="csv", help="Print CSV.")
@config_option
@data_dir_option
def usage(
    config: Path | None, data_dir: Path | None, by: tuple[str, ...], where: dict[str, str], zone: tzinfo | None,
    order: str, top: int | None, how: str | None, **times: Any,
) -> None:  # fmt: skip
    """Print what was used and spent, by whom and of what."""
    from headgate.records.bill import bill
    from headgate.records.usage import Question

    said = _settings(config, data_dir)
    zone, span = _period(said, zone, times)
    question = Question(by, span, where, None, zone, order)
    places = places_of(config, data_dir, follow=True)
    bill(places.data_dir, places.records, question, top, how, said.money)


@click.group()
def report() -> None:
    """Write reports."""


@report.command(name="usage")
@month_option
@click.option("--since", metavar="TIME", callback=read_moment, help="From this hour on; as of `headgate records`.")
@click.option("--until", metavar="TIME", callback=read_moment, help="Up to the end of this hour.")
@zone_option
@click.option("--html", type=FILE, metavar="FILE", help="Write a page with charts, which needs nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@config_option
@data_dir_option
def report_usage(
    config: Path | None, data_dir: Path | None, zone: tzinfo | None, html: Path | None, as_json: bool, **times: Any
) -> None:
    """Write what a period came to: figures, trends, who used most, a forecast, and what need not have been spent."""
    from headgate.records.stating import state

    if html is None and not as_json:
        raise click.UsageError("give --html FILE, or --json")
    said = _settings(config, data_dir)
    zone, span = _period(said, zone, times)
    places = places_of(config, data_dir, follow=True)
    state(places.data_dir, places.records, span, zone, said.money, html, _catalogue(config, data_dir))


def _catalogue(config: Path | None, data_dir: Path | None) -> Catalogue | None:
    """What models cost, which smaller ones are found by; None where the configuration says nothing of them."""
    from headgate.runtime.build import catalogue

    if config is None and data_dir is not None:
        return None
    return catalogue(loaded_from(config, {}).config)
