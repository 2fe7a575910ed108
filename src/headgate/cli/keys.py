"""Keys that stand in the configuration file, and the admin key."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from headgate.cli.settings import Refused, config_option, data_dir_option, places_of

PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")


@click.group()
def key() -> None:
    """Make keys for the file (`new`), and those of a running gateway's store."""


def _key_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (value == value.strip() and value.isprintable() and 0 < len(value) <= 100):
        raise click.BadParameter("a key's name is 1 to 100 printable characters, without spaces around them")
    if value == "admin":
        raise click.BadParameter("the name `admin` is the admin key's; choose another")
    return value


@key.command()
@click.option("--name", callback=_key_name, help="Print the entry for `keys` in the configuration too, by this name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def new(name: str | None, as_json: bool) -> None:
    """Make a key for a client: print it, and the hash to put into the configuration instead of it."""
    import json

    from headgate.config.secrets import hash_key, new_key

    made = new_key()
    hashed = f"sha256:{hash_key(made)}"
    if as_json:
        click.echo(json.dumps({"key": made, "key_hash": hashed, **({"name": name} if name else {})}))
        return
    click.echo(f"key:      {made}")
    click.echo(f"key_hash: {hashed}")
    if name:
        from headgate.config.document import resolved

        plain = PLAIN_NAME.match(name) and isinstance(resolved(name), str)
        written = name if plain else json.dumps(name, ensure_ascii=False).replace("$", "$$")
        click.echo(f'- {{name: {written}, key_hash: "{hashed}"}}')


@key.command()
@click.option("--new", "replace", is_flag=True, help="Make a new key in place of the old one, and print it.")
@config_option
@data_dir_option
def admin(config: Path | None, data_dir: Path | None, replace: bool) -> None:
    """Replace the admin key. It is printed once: only its hash is kept.

    Refused where HEADGATE_ADMIN_KEY is set: the key there is the admin key, and the new one would be in force nowhere.
    """
    if not replace:
        raise click.UsageError("the admin key cannot be shown again; --new makes another in its place")
    from headgate.config import admin_key
    from headgate.config.problems import ConfigError

    if admin_key.VARIABLE in os.environ:
        message = f"{admin_key.VARIABLE} is set, so its key is the admin key and a new one would not be in force"
        raise click.ClickException(f"{message}; put another key into the variable (headgate key new), or unset it")
    try:
        click.echo(admin_key.replace(places_of(config, data_dir).data_dir))
    except ConfigError as error:
        raise Refused(error) from error
