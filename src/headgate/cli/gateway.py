"""The gateway itself: start it, check its configuration, print or describe that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.settings import BAD_USE, FOLDER, Refused, config_option, loaded_from, tell_needed

if TYPE_CHECKING:
    from headgate.config.load import Loaded


@click.command()
@config_option
@click.option("--host", help="Address to listen on, instead of the configuration's.")
@click.option("--port", type=int, help="Port to listen on, instead of the configuration's.")
@click.option("--workers", type=int, help="Processes that serve requests, instead of the configuration's.")
@click.option("--data-dir", type=FOLDER, help="Data directory, instead of the configuration's.")
def serve(
    config: Path | None, host: str | None, port: int | None, workers: int | None, data_dir: Path | None
) -> int | None:
    """Start the gateway."""
    folder = str(data_dir.absolute()) if data_dir else None
    given = {"server.host": host, "server.port": port, "server.workers": workers, "data_dir": folder}
    loaded = loaded_from(config, {path: value for path, value in given.items() if value is not None}, follow=True)
    from headgate.admin.mount import Mount
    from headgate.config.problems import ConfigError
    from headgate.server.main import serve as run

    try:
        return run(loaded, Mount)
    except ConfigError as error:
        raise Refused(error) from error


@click.command()
@config_option
@click.option("--follow", is_flag=True, help="Also ask for the secrets that are kept elsewhere (vault:, aws: …).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(config: Path | None, follow: bool, as_json: bool) -> int:
    """Say what is wrong with the configuration, and with this machine for it; exit code 2 if anything is.

    A warning (as of a file without providers, with which every request is refused) leaves the exit code 0.
    """
    if as_json:
        return _check_json(config, follow)
    loaded = loaded_from(config, {}, here=True, follow=follow)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    for reason in loaded.reasons:
        click.echo(reason)
    for reference in _unfollowed(loaded):
        click.echo(f"not followed (--follow does): {reference}", err=True)
    found = loaded.config
    parts = (("provider", found.providers), ("model", found.models), ("key", found.keys))
    counts = ", ".join(f"{len(part)} {name}{'s' * (len(part) != 1)}" for name, part in parts)
    count = len(loaded.warnings)
    warned = f", but with {count} warning{'s' * (count != 1)}" if count else ""
    click.echo(f"{loaded.path or 'no file'}: in order{warned} ({counts})")
    return 0


def _unfollowed(loaded: Loaded) -> list[str]:
    """References to secrets and keys elsewhere that nobody has asked for."""
    from headgate.store.sealing import KEEPERS, VARIABLE

    if loaded.references is not None:
        return []
    keys = (key for key in os.environ.get(VARIABLE, "").split() if key.partition(":")[0] in KEEPERS)
    return sorted({*loaded.referred, *keys})


def _check_json(config: Path | None, follow: bool) -> int:
    import json

    from headgate.config.load import load
    from headgate.config.problems import ConfigError
    from headgate.secrets.references import References

    lists = ("problems", "warnings", "reasons", "not_followed")
    answer: dict[str, Any] = {"ok": True, "file": None, **{name: [] for name in lists}}
    try:
        loaded = load(config, os.environ, here=True, references=References(os.environ) if follow else None)
    except ConfigError as error:
        names = ("file", "line", "column", "path", "message", "hint")
        answer["problems"] = [{name: getattr(problem, name) for name in names} for problem in error.problems]
        answer["ok"] = False
    else:
        answer["file"] = str(loaded.path) if loaded.path else None
        answer["warnings"], answer["reasons"] = list(loaded.warnings), list(loaded.reasons)
        answer["not_followed"] = _unfollowed(loaded)
    click.echo(json.dumps(answer, indent=2))
    return 0 if answer["ok"] else BAD_USE


@click.group(name="config")
def configuration() -> None:
    """Describe the configuration."""


@configuration.command()
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors."""
    from headgate.config.reference import json_schema

    click.echo(json_schema(), nl=False)


@configuration.command()
def reference() -> None:
    """Print the reference page of every key."""
    from headgate.config.reference import page

    click.echo(page(), nl=False)


@configuration.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def export(config: Path | None, as_json: bool) -> None:
    """Print the configuration file as plain YAML that another instance reads, without a secret.

    What has to be there besides (variables, files) is said on standard error.
    """
    from headgate.config.export import export as exported

    found = exported(loaded_from(config, {}), os.environ)
    click.echo(found.json() if as_json else found.yaml(), nl=False)
    tell_needed(found, "a secret that stands in the configuration itself")
