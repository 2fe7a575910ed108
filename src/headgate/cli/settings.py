"""What commands share: where the configuration and the data are, and how they are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from headgate.config.export import Exported
    from headgate.config.load import Loaded, Places
    from headgate.config.problems import ConfigError

FAILED, BAD_USE, INTERRUPTED = 1, 2, 130

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)

config_option = click.option(
    "--config", "-c", type=FILE, help="Configuration file. Default: $HEADGATE_CONFIG, ./headgate.yaml, else discovery."
)
data_dir_option = click.option("--data-dir", type=FOLDER, help="Data directory. Default: the configuration's.")


class Refused(click.ClickException):
    """The configuration cannot be used: every problem on a line of its own."""

    exit_code = BAD_USE

    def __init__(self, error: ConfigError) -> None:
        super().__init__(str(error))
        self.count = len(error.problems)

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)
        problems = "1 problem" if self.count == 1 else f"{self.count} problems"
        click.echo(f"headgate: {problems} in the configuration", err=True)


def loaded_from(path: Path | None, overrides: dict[str, Any], *, here: bool = False, follow: bool = False) -> Loaded:
    """`follow`: also ask for secrets that are kept elsewhere, which takes a network."""
    from headgate.config.load import load
    from headgate.config.problems import ConfigError
    from headgate.secrets.references import References

    try:
        return load(path, os.environ, overrides, here=here, references=References(os.environ) if follow else None)
    except ConfigError as error:
        raise Refused(error) from error


def places_of(config: Path | None, data_dir: Path | None, *, follow: bool = False) -> Places:
    """Where data are: as configured, or in a data directory. `follow`: also where a secret kept elsewhere says it."""
    from headgate.config.load import places, places_in
    from headgate.config.problems import ConfigError
    from headgate.secrets.references import References

    if data_dir is not None:
        return places_in(data_dir)
    try:
        return places(config, os.environ, References(os.environ) if follow else None)
    except ConfigError as error:
        raise Refused(error) from error


def tell_needed(exported: Exported, named: str) -> None:
    """What has to be there where it is read, on standard error; why variables are new that stand in no file, `named`
    says."""
    for name in exported.variables:
        click.echo(f"set there: {name}{f' ({named})' if name in exported.named else ''}", err=True)
    for name in exported.files:
        click.echo(f"take along: {name}", err=True)


class ListByDefault(click.Group):
    """`headgate models --json` is `headgate models list --json`; the same of providers."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        plain = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if plain else args)


def warn(message: str) -> None:
    click.echo(f"warning: {message}", err=True)
