"""Whether what was written is as it was, and with what that is proven."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.cli.settings import FILE, config_option, loaded_from


def _since(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and value != "latest" and not (value.isascii() and value.isdigit()):
        raise click.BadParameter(f"{value!r} is neither `latest` nor the number of a checkpoint")
    return value


def _key(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    from headgate.store.signing import identity

    try:
        for each in values:
            identity(each)
    except ValueError as error:
        raise click.BadParameter("a key is what `headgate audit key` prints: 32 bytes in base64") from error
    return list(values)


@click.command()
@click.option(
    "--since", metavar="CHECKPOINT", callback=_since, help="Only what came behind it: its number, or `latest`."
)
@click.option("--checkpoints", type=FILE, help="Checkpoints that were kept elsewhere: lines of JSON.")
@click.option("--key", "keys", multiple=True, callback=_key, help="A public key to trust, instead of the store's own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def verify(config: Path | None, since: str | None, checkpoints: Path | None, keys: list[str], as_json: bool) -> int:
    """Say whether anything in the audit or among the records was changed, removed, moved or put in.

    It needs no running gateway, and exits with code 1 if something was. What is wrong is named.
    """
    from headgate.governance.verifying import verify as verified

    loaded = loaded_from(config, {}, follow=True)
    return verified(loaded, since=since, elsewhere=checkpoints, keys=keys, as_json=as_json)


@click.command(name="key")
@config_option
def key(config: Path | None) -> None:
    """Print the public keys that checkpoints are signed with, the one in use first."""
    from headgate.governance.verifying import public_keys

    for each in public_keys(loaded_from(config, {}, follow=True)):
        click.echo(each)


audit_commands = (verify, key)
