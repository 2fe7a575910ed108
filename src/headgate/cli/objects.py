"""Objects that are changed while the gateway runs: teams, users, keys, limits …, and whole documents of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.settings import BAD_USE, FAILED, config_option, loaded_from, tell_needed

if TYPE_CHECKING:
    from headgate.admin.client import Client
    from headgate.config.sections import Parts

GROUPS = {
    "org": ("organisations", "organisation"),
    "team": ("teams", "team"),
    "app": ("applications", "application"),
    "user": ("users", "user"),
    "limit": ("limits", "limit"),
    "budget": ("limits", "budget"),
    "model": ("models", "model"),
    "rule": ("rules", "rule"),
    "clause": ("clauses", "clause"),
    "provider": ("providers", "provider"),
    "alert-rule": ("alert_rules", "alert rule"),
    "channel": ("channels", "channel"),
    "silence": ("silences", "silence"),
    "hold": ("holds", "hold"),
}
"""A group of commands: the kind of its objects, and what one is called."""

CALLED = {"keys": "key", **{name: group for group, names in reversed(GROUPS.items()) for name in names}}
"""What somebody may call a group who knows its objects by other names (`limits` are of `limit`, not of `budget`)."""

THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Unable(click.ClickException):
    """Neither equal nor different: it could not be found out."""

    exit_code = BAD_USE


url_option = click.option(
    "--url", help="Where the gateway is, such as https://gateway.example. Default: as configured."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that asks a running gateway."""
    return config_option(url_option(json_option(command)))


def client(config: Path | None, url: str | None, as_json: bool) -> Client:
    from headgate.admin.client import Client
    from headgate.config.remote import address, admin_key

    key = admin_key(os.environ)
    return Client(url if url is not None else address(loaded_from(config, {}).config), key, as_json=as_json)


def _fields(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, Any]:
    """`models=[small, large] expires=2027-01-31`: values are YAML."""
    import yaml

    found: dict[str, Any] = {}
    for each in values:
        name, sign, text = each.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"the value of {name} is not YAML: put it in quotes") from error
        found[name] = value if isinstance(value, str | int | float | list | dict | None) else text
    return found


def _filters(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in values]
    if any(not sign for _, sign, _ in pairs):
        raise click.BadParameter("a filter is NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _group(name: str, kind: str, one: str) -> click.Group:
    group = click.Group(name, help=f"The {kind} of a running gateway, those of its file and those of its store.")
    for each in _commands(kind, one):
        group.add_command(each)
    return group


def _commands(kind: str, one: str) -> list[click.Command]:
    """What can be done with objects of a kind."""

    @click.command("list", help=f"List {kind}; FILTERS are NAME=VALUE, of what stands in them (team=research).")
    @click.argument("filters", nargs=-1, callback=_filters)
    @asking
    def list_(config: Path | None, url: str | None, as_json: bool, filters: dict[str, str]) -> None:
        client(config, url, as_json).list(kind, filters, having="money" if one == "budget" else None)

    @click.command(help=f"Show one {one}: whence it is, and every field.")
    @click.argument("name")
    @asking
    def show(config: Path | None, url: str | None, as_json: bool, name: str) -> None:
        client(config, url, as_json).show(kind, name)

    @click.command(
        help=f"Make {'an' if one[0] in 'aeiou' else 'a'} {one} in the store; FIELDS are NAME=VALUE, in YAML."
    )
    @click.argument("name")
    @click.argument("fields", nargs=-1, callback=_fields)
    @asking
    def create(config: Path | None, url: str | None, as_json: bool, name: str, fields: dict[str, Any]) -> None:
        client(config, url, as_json).create(kind, name, fields)

    @click.command("set", help=f"Change fields of one {one}: NAME=VALUE, in YAML; NAME= takes one away.")
    @click.argument("name")
    @click.argument("fields", nargs=-1, required=True, callback=_fields)
    @click.option("--if-version", type=int, help="Only if it is this version still.")
    @asking
    def set_(
        config: Path | None, url: str | None, as_json: bool, name: str, fields: dict[str, Any], if_version: int | None
    ) -> None:
        client(config, url, as_json).change(kind, name, fields, if_version)

    @click.command("release" if one == "hold" else "delete", help=f"Delete one {one}.")
    @click.argument("name")
    @asking
    def delete(config: Path | None, url: str | None, as_json: bool, name: str) -> None:
        client(config, url, as_json).delete(kind, name)

    return [list_, show, create, set_, delete]


@click.command()
@click.argument("name")
@click.option("--overlap", type=int, default=86_400, show_default=True, help="Seconds that the old key is still taken.")
@asking
def rotate(config: Path | None, url: str | None, as_json: bool, name: str, overlap: int) -> None:
    """Put another key in the place of one, and print it, this once."""
    client(config, url, as_json).rotate(name, {"overlap_seconds": overlap})


@click.command()
@click.argument("name")
@asking
def revoke(config: Path | None, url: str | None, as_json: bool, name: str) -> None:
    """Let a key in no more, from the next second on."""
    client(config, url, as_json).revoke(name)


@click.command()
@click.option("--all", "whole", is_flag=True, help="What stands in the file of the gateway, too.")
@click.option("--offline", is_flag=True, help="Read the store of the configuration here; no gateway is asked.")
@asking
def export(config: Path | None, url: str | None, as_json: bool, whole: bool, offline: bool) -> None:
    """Print what is in the store, as a file that `headgate apply` takes: for git, or for another gateway.

    Of keys it has the hashes; for every sealed secret a variable, which can be left out on the gateway that has it.
    What has to be given is said on standard error, too.
    """
    if offline and url is not None:
        raise click.UsageError("--offline asks no gateway: leave --url out")
    from headgate.config.sections import above, written

    found = written(_parts_here(config, whole=whole) if offline else client(config, url, as_json).parts(whole=whole))
    click.echo(found.json() if as_json else above(found) + found.yaml(), nl=False)
    tell_needed(found, "a secret sealed in the store, which stays as it is where it is already")


def _parts_here(config: Path | None, *, whole: bool) -> Parts:
    from headgate.config.export import export as of_file
    from headgate.config.sections import parts
    from headgate.config.stored import KINDS

    loaded = loaded_from(config, {})
    if loaded.held.away is not None:
        raise click.ClickException(f"the store cannot be read: {loaded.held.away}")
    return parts(loaded.held.objects, of_file(loaded, os.environ, KINDS), whole=whole)


@click.command()
@click.argument("file", type=THERE)
@click.option("--prune", is_flag=True, help="Delete what the store has of these sections and the file has not.")
@click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@asking
def apply(
    config: Path | None, url: str | None, as_json: bool, file: Path, prune: bool, dry_run: bool, yes: bool
) -> None:
    """Make the store be as a file says, in one step: all of it, or nothing.

    The file has sections of a configuration (teams, keys, limits …); ${NAME} is filled in from here.
    """
    document, asked = _document(file), client(config, url, as_json)
    if prune and not dry_run and not yes and not (sys.stdin.isatty() and not as_json):
        raise click.UsageError("nobody can be asked here whether to delete: say --yes, or leave --prune out")
    if not dry_run and not yes and sys.stdin.isatty() and not as_json:
        if not asked.apply(document, prune=prune, dry_run=True):
            return
        click.confirm("Apply it?", abort=True, err=True)
    asked.apply(document, prune=prune, dry_run=dry_run)


@click.command()
@click.argument("file", type=THERE)
@asking
def diff(config: Path | None, url: str | None, as_json: bool, file: Path) -> int:
    """Show how the store differs from a file, also by what the file's sections have not.

    Exit code 1 if it does, 2 if that cannot be told.
    """
    try:
        asked = client(config, url, as_json)
        return FAILED if asked.apply(_document(file), prune=True, dry_run=True, compare=True) else 0
    except click.ClickException as error:
        raise Unable(error.message) from error


def _document(file: Path) -> dict[str, Any]:
    """The sections of a file, with its variables filled in."""
    from headgate.config.document import LONGEST, parse
    from headgate.config.interpolate import fill
    from headgate.config.problems import ConfigError

    try:
        root = parse(file.read_bytes(), str(file), LONGEST)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    wrong = []
    for _, node in root.scalars():
        if isinstance(node.value, str):
            filled = fill(node.value, os.environ)
            node.value = filled.text
            wrong += [f"{file}:{node.line}: {message}; {hint}" for message, hint in filled.wrong]
    if wrong:
        raise click.UsageError("\n".join(wrong))
    document = root.plain()
    if not isinstance(document, dict):
        raise click.UsageError(f"{file}: expected sections, such as `teams:`")
    return document


@click.group()
def secrets() -> None:
    """The sealed secrets of a running gateway's store."""


@secrets.command()
@asking
def reseal(config: Path | None, url: str | None, as_json: bool) -> None:
    """Seal every secret with the key in use (the first of HEADGATE_SECRET_KEY): afterwards the others can go."""
    client(config, url, as_json).reseal()


@click.command()
@asking
def levels(config: Path | None, url: str | None, as_json: bool) -> None:
    """Show what is used of limits: by all processes that share a state, else by the one that answers."""
    client(config, url, as_json).levels()


@click.command("changes")
@click.argument("filters", nargs=-1, callback=_filters)
@asking
def changes(config: Path | None, url: str | None, as_json: bool, filters: dict[str, str]) -> None:
    """Show who changed what, the latest first; FILTERS: kind=, name=, actor=, since=, until=, limit=."""
    client(config, url, as_json).changes(filters)


groups = [_group(name, kind, one) for name, (kind, one) in GROUPS.items()]
key_commands = [*_commands("keys", "key"), rotate, revoke]
