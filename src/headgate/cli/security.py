"""Look at a configuration with an attacker's eyes."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.cli.settings import FAILED, config_option, loaded_from


@click.command(name="security")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--fail-on",
    type=click.Choice(["high", "medium", "low"]),
    default="high",
    show_default=True,
    help="Exit with code 1 if anything so bad, or worse, is found.",
)
def security(config: Path | None, as_json: bool, fail_on: str) -> int:
    """Say what is less safe than it could be: listeners, connections, keys, secrets, files, versions.

    It needs no running gateway, reads the configuration and the store, asks nobody and changes nothing.
    """
    import json
    from dataclasses import asdict
    from datetime import UTC, datetime

    from headgate.config.audit.finding import SEVERITIES
    from headgate.config.audit.security import audit as audited

    found = audited(loaded_from(config, {}), datetime.now(UTC))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        for each in found:
            click.echo(str(each))
        click.echo(f"{len(found)} finding{'s' * (len(found) != 1)}", err=True)
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return FAILED if any(each.severity in bad for each in found) else 0


@click.group()
def audit() -> None:
    """Look for what is less safe than it could be, and whether what was written is as it was."""


@click.group(name="security")
def other() -> None:
    """The same as `headgate audit security`."""


audit.add_command(security)
other.add_command(security, name="audit")
