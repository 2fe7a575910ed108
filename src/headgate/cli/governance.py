"""Whether what was written is as it was, and with what that is proven."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headgate.config.compliance import Law

from headgate.cli.objects import asking, client
from headgate.cli.settings import FAILED, FILE, config_option, loaded_from
from headgate.cli.usage import report


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
@click.argument("file", type=FILE, required=False)
@click.option(
    "--since", metavar="CHECKPOINT", callback=_since, help="Only what came behind it: its number, or `latest`."
)
@click.option("--checkpoints", type=FILE, help="Checkpoints that were kept elsewhere: lines of JSON.")
@click.option("--key", "keys", multiple=True, callback=_key, help="A public key to trust, instead of the store's own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def verify(
    config: Path | None, file: Path | None, since: str | None, checkpoints: Path | None, keys: list[str], as_json: bool
) -> int:
    """Say whether anything in the audit or among the records was changed, removed, moved or put in.

    Of a FILE of evidence, whether its records are as they were written. It needs no running gateway, and exits with
    code 1 if something was tampered with, which it names.
    """
    if file is not None:
        from headgate.governance.verifying import verify_file

        if since is not None or checkpoints is not None:
            raise click.UsageError("a FILE brings its own checkpoints: leave --since and --checkpoints out")

        return verify_file(file, keys, as_json=as_json)
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


def _whose(user: str | None, end_user: str | None) -> dict[str, str]:
    if (user is None) == (end_user is None):
        raise click.UsageError("say whose data: either --user or --end-user")
    return {"user": user} if user is not None else {"end_user": end_user or ""}


user_option = click.option("--user", metavar="NAME", help="Of the user whose keys have asked.")
end_user_option = click.option("--end-user", metavar="NAME", help="Of whom requests name as their end user.")


@click.group()
def data() -> None:
    """What is kept about one person."""


@data.command("export")
@user_option
@end_user_option
@click.option("--out", type=FILE, help="Where to write it. Default: standard output.")
@asking
def export_data(
    config: Path | None, url: str | None, as_json: bool, user: str | None, end_user: str | None, out: Path | None
) -> None:
    """Give out all that is kept about one person, with the proof that it is as it was written (lines of JSON)."""
    from headgate.governance.evidence import written

    text = "".join(map(written, client(config, url, as_json).export_data(_whose(user, end_user))))
    if out is None:
        click.echo(text, nl=False)
    else:
        with os.fdopen(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)


@data.command("delete")
@user_option
@end_user_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@asking
def delete_data(
    config: Path | None, url: str | None, as_json: bool, user: str | None, end_user: str | None, yes: bool
) -> None:
    """Delete all that is kept about one person, for good; nothing where a hold holds some of it."""
    whose, asked = _whose(user, end_user), client(config, url, as_json)
    if not yes:
        click.confirm("Delete it for good?", abort=True, err=True)
    asked.delete_data(whose)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only count what would go.")
@asking
def purge(config: Path | None, url: str | None, as_json: bool, dry_run: bool) -> None:
    """Purge what is older than `retention` keeps it, at once; a gateway does so every hour by itself."""
    client(config, url, as_json).purge(dry_run=dry_run)


law_argument = click.argument("laws", nargs=-1, type=click.Choice(["gdpr", "hipaa", "ccpa"]), metavar="[LAW]...")


@click.group()
def compliance() -> None:
    """What laws ask of settings (`compliance: [gdpr]` sets it)."""


@compliance.command("show")
@law_argument
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def show_compliance(config: Path | None, laws: tuple[Law, ...], as_json: bool) -> int:
    """Show what the presets of LAWs (gdpr, hipaa, ccpa) ask of each setting, and what they would change.

    Exit code 1 if a setting says less than is asked, with which a gateway would not start.
    """
    from headgate.governance.compliance.showing import show

    loaded = loaded_from(config, {})
    wanted = laws or tuple(loaded.config.compliance)
    if not wanted:
        raise click.UsageError("say of which law: gdpr, hipaa, ccpa")
    return 0 if show(loaded.config, wanted, as_json=as_json) else FAILED


@report.command("compliance")
@law_argument
@click.option("--out", type=FILE, help="Where to write it: .md, .html or .json. Default: Markdown on standard output.")
@click.option("--since", metavar="CHECKPOINT", callback=_since, help="Check the chains only from there on: `latest`.")
@config_option
def report_compliance(config: Path | None, laws: tuple[Law, ...], out: Path | None, since: str | None) -> None:
    """Write what can be shown of LAWs (gdpr, hipaa, ccpa), article by article, with the evidence.

    It needs no running gateway: it reads the configuration with the store, and checks the chains of hashes.
    """
    from headgate.governance.compliance.report import report as written

    written(loaded_from(config, {}, follow=True), laws, out, since=since)


audit_commands = (verify, key)
