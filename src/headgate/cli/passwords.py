"""What people log in with at a running gateway: their passwords and second factors, set with the admin key."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from headgate.cli.objects import asking, client


@click.command()
@click.argument("name")
@click.option("--print", "only_print", is_flag=True, help="Print the hash for a configuration file, and set nothing.")
@click.option("--none", "none", is_flag=True, help="Take the password away.")
@asking
def password(config: Path | None, url: str | None, as_json: bool, name: str, only_print: bool, none: bool) -> None:
    """Set the password of a user: it is asked for, or read from standard input. All sessions of the user end."""
    if only_print:
        click.echo(f"password_hash: '{_hashed(_asked())}'")
        return
    asked = client(config, url, as_json)
    asked.set_password(name, None if none else _asked())


@click.command()
@click.argument("name")
@click.option("--reset", is_flag=True, help="Take it away, of somebody who has lost it.")
@asking
def totp(config: Path | None, url: str | None, as_json: bool, name: str, reset: bool) -> None:
    """Set up the one-time codes of a user's authenticator app, without which its password lets nobody in."""
    asked = client(config, url, as_json)
    if reset:
        asked.take_second_factor(name)
        return
    begun = asked.begin_second_factor(name)
    click.echo("for the authenticator app, shown this once:", err=True)
    click.echo(begun["url"])
    code = click.prompt("The code it shows", err=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    asked.confirm_second_factor(name, begun["token"], code)


def _asked() -> str:
    if sys.stdin.isatty():
        given = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        assert isinstance(given, str)
        return given
    given = sys.stdin.readline().rstrip("\r\n")
    if not given:
        raise click.UsageError("there is no password on standard input")
    return given


def _hashed(password: str) -> str:
    import asyncio
    from importlib.util import find_spec

    from headgate.core.errors import InvalidRequest
    from headgate.identity.passwords import PACKAGE, Passwords

    if find_spec(PACKAGE) is None:
        raise click.ClickException(
            f"this needs the package {PACKAGE}-cffi, which is not there: install headgate[admin]"
        )
    try:
        return asyncio.run(Passwords().hash(password))
    except InvalidRequest as error:
        raise click.ClickException(error.message) from error


user_commands = [password, totp]
