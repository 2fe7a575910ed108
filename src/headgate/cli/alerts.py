"""Alerts of a running gateway: which there are and were, what became of them, silences, tests of channels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from headgate.cli.objects import asking, client
from headgate.cli.settings import ListByDefault
from headgate.cli.times import read_moment, read_span

STATES = ("pending", "firing", "resolved")
SEVERITIES = ("info", "warning", "critical")


@click.group(cls=ListByDefault)
def alerts() -> None:
    """Alerts of a running gateway. Without a command: list those there are."""


def _since(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    found = read_moment(context, parameter, value)
    return None if found is None else found.astimezone(UTC).isoformat()


def _match(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in values:
        name, sign, text = each.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{each!r} is not LABEL=VALUE")
        found.setdefault(name, []).append(text)
    return found


@alerts.command("list")
@click.option("--rule", help="Only of this rule.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only of this severity.")
@asking
def list_(config: Path | None, url: str | None, as_json: bool, **wanted: Any) -> None:
    """List the alerts that are pending or firing."""
    client(config, url, as_json).alerts({name: value for name, value in wanted.items() if value is not None})


@alerts.command()
@click.option("--rule", help="Only of this rule.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only of this severity.")
@click.option("--since", callback=_since, metavar="TIME", help="Only those that began since; as of `headgate records`.")
@click.option("--until", callback=_since, metavar="TIME", help="Only those that began before.")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=100, show_default=True, help="Only the latest.")
@asking
def history(config: Path | None, url: str | None, as_json: bool, **wanted: Any) -> None:
    """List the alerts that there are and were, the latest first."""
    given = {name: str(value) for name, value in wanted.items() if value is not None}
    client(config, url, as_json).alerts({"state": "all", **given})


@alerts.command()
@click.argument("id_", metavar="ALERT")
@asking
def show(config: Path | None, url: str | None, as_json: bool, id_: str) -> None:
    """Show one alert, and what became of it: when it fired, who was told, by whom it was silenced."""
    client(config, url, as_json).alert(id_)


@alerts.command()
@click.argument("id_", metavar="[ALERT]", required=False)
@click.option("--match", "-m", multiple=True, callback=_match, metavar="LABEL=VALUE", help="Which; * is any text.")
@click.option("--for", "span", default="4h", show_default=True, callback=read_span, metavar="SPAN", help="30m, 4h, 2d.")
@click.option("--reason", default="", help="Why.")
@asking
def silence(
    config: Path | None,
    url: str | None,
    as_json: bool,
    id_: str | None,
    match: dict[str, list[str]],
    span: timedelta,
    reason: str,
) -> None:
    """Tell nobody of an alert for a while, or of all whose labels fit. `headgate silence delete NAME` ends it."""
    if (id_ is None) == (not match):
        raise click.UsageError("name an alert, or say which: --match rule=provider-slow --match provider=openai")
    asked = client(config, url, as_json)
    if id_ is not None:
        asked.silence(id_, {"seconds": int(span.total_seconds()), "reason": reason})
        return
    now = datetime.now(UTC)
    until = (now + span).isoformat(timespec="seconds").replace("+00:00", "Z")
    asked.create("silences", f"silence-{now:%Y%m%d-%H%M%S}", {"match": match, "until": until, "reason": reason})


@alerts.command()
@click.argument("channel")
@asking
def test(config: Path | None, url: str | None, as_json: bool, channel: str) -> None:
    """Send a message by a channel now, as of an alert that fires and is resolved."""
    client(config, url, as_json).test_channel(channel)
