"""What became of requests, and how the targets are that they go to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, get_args

import click

from headgate.cli.settings import FILE, Refused, config_option, data_dir_option, loaded_from, places_of, warn
from headgate.cli.times import read_moment
from headgate.core.errors import Origin
from headgate.core.record import Ending

STATUS = re.compile(r"[1-5](\d\d|[xX]{2})\Z", re.ASCII)


def _status(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not STATUS.match(value):
        raise click.BadParameter(f"{value!r} is neither a status (100 to 599) nor a class of them (1xx to 5xx)")
    return value


def _amount(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    from headgate.core.money import in_nano

    amount = in_nano(None if value is None else value.removeprefix("$"))
    if value is not None and (amount is None or amount < 0):
        raise click.BadParameter(f"{value!r} is no amount of US dollars: 0.05")
    return amount


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Print new records as they come.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one record per line.")
@click.option("--id", "id_", help="Only the request of this id.")
@click.option("--key", help="Only requests of the key of this name.")
@click.option("--model", help="Only requests for this model.")
@click.option(
    "--target",
    "--provider",
    help="Only requests answered by this target, or given up at it: provider/model, or a provider's name.",
)
@click.option("--status", callback=_status, help="Only replies of this HTTP status: 429, or 5xx.")
@click.option("--ending", type=click.Choice(get_args(Ending)), help="Only requests that ended so.")
@click.option(
    "--error",
    metavar="CODE",
    help="Only requests that ended with this error: provider_timeout, or provider:provider_timeout.",
)
@click.option(
    "--origin", type=click.Choice(get_args(Origin)), help="Only requests whose error is the gateway's, or a provider's."
)
@click.option("--client", metavar="ADDRESS", help="Only requests from this IP address.")
@click.option("--organisation", help="Only requests with keys of this organisation.")
@click.option("--team", help="Only requests with keys of this team.")
@click.option("--application", help="Only requests with keys of this application.")
@click.option("--user", help="Only requests with keys of this user.")
@click.option("--end-user", help="Only requests that name this end user.")
@click.option("--data-class", help="Only requests with data of this class.")
@click.option("--tag", help="Only requests that carry this tag.")
@click.option("--trace", metavar="ID", help="Only requests that are part of this trace (W3C, 32 hexadecimal digits).")
@click.option("--min-cost", metavar="DOLLARS", callback=_amount, help="Only requests that cost so much at least.")
@click.option(
    "--min-seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Only requests that took so long at least."
)
@click.option(
    "--since",
    metavar="TIME",
    callback=read_moment,
    help="Only requests that came in at this time or later: 10m ago (s, m, h, d, w), or 2026-01-01T12:00, which is "
    "local time; 2026-01-01T12:00Z is UTC.",
)
@click.option("--until", metavar="TIME", callback=read_moment, help="Only requests that came in before; as in --since.")
@click.option(
    "--text",
    metavar="WORDS",
    help="Only requests in which all these words were said, as far as that is kept and not encrypted; word* is how one "
    "begins. That it was asked for is in the audit.",
)
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Only the latest so many.")
@click.option(
    "--payload", is_flag=True, help="With --id, or --export: also what was said. That it was read is in the audit."
)
@click.option("--export", "out", type=FILE, help="Write them to this file, all there are in the database.")
@click.option("--proof", is_flag=True, help="With --export: with the proof that each is as it was written.")
@config_option
@data_dir_option
def records(
    config: Path | None,
    data_dir: Path | None,
    id_: str | None,
    payload: bool,
    out: Path | None,
    proof: bool,
    **wanted: Any,
) -> None:
    """Print the records of requests."""
    if proof and out is None:
        raise click.UsageError("--proof is for a file: say --export FILE")
    if out is not None:
        _export(config, data_dir, out, {"id": id_, **wanted}, proof=proof, payloads=payload)
        return
    from headgate.journal.show import show
    from headgate.records.reading import source

    if payload and id_ is None:
        raise click.UsageError("--payload shows what was said in one request: give its --id")
    if payload or wanted["text"] is not None:
        _said(config, data_dir, id_ if payload else None, wanted)
        if payload:
            return
    places = places_of(config, data_dir, follow=True)
    with source(*places, warn) as found:
        show(places.data_dir, id=id_, source=found, **wanted)


def _export(
    config: Path | None, data_dir: Path | None, out: Path, wanted: dict[str, Any], *, proof: bool, payloads: bool
) -> None:
    from headgate.governance.exporting import export

    for name in ("follow", "as_json", "limit"):
        if wanted.pop(name):
            raise click.UsageError(f"--export writes all, as lines of JSON: leave --{name.removeprefix('as_')} out")
    export(loaded_from(config, {}, follow=True), data_dir, out, wanted, proof=proof, payloads=payloads)


def _said(config: Path | None, data_dir: Path | None, id_: str | None, wanted: dict[str, Any]) -> None:
    """What was said in a request, or, without an id, that it is looked for, into the audit."""
    from headgate.config.problems import ConfigError
    from headgate.config.said import Said

    try:
        with Said(config, data_dir, os.environ, warn) as said:
            if id_ is not None:
                said.show(id_, as_json=wanted["as_json"])
            else:
                said.search(wanted["text"], follow=wanted["follow"])
    except ConfigError as error:
        raise Refused(error) from error


@click.command()
@click.argument("id_", metavar="REQUEST-ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
@data_dir_option
def explain(config: Path | None, data_dir: Path | None, id_: str, as_json: bool) -> None:
    """Say why a request went where it went: rule, policy, candidates, what was left out and why, attempts."""
    from headgate.journal.explain import explain as told
    from headgate.records.reading import source

    with source(*places_of(config, data_dir, follow=True), warn) as found:
        told(found, id_, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that the gateway tells.")
@click.option("--url", help="Where the gateway is, such as https://gateway.example. Default: as configured, here.")
@config_option
def targets(config: Path | None, as_json: bool, url: str | None) -> None:
    """Show how the targets of a running gateway are: circuits, load, times, limits, keys; and what is wrong with them.

    It is asked with the admin key, which has to be in HEADGATE_ADMIN_KEY.
    """
    from headgate.config.remote import address
    from headgate.server.targets import show

    show(url if url is not None else address(loaded_from(config, {}).config), os.environ, as_json=as_json)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
@data_dir_option
def sinks(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show how far records have been sent to each sink, and what is wrong with it."""
    from headgate.records.sent import show

    show(places_of(config, data_dir).data_dir, as_json=as_json)
