"""The command line: parses arguments, nothing else; what a command needs is imported inside it."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

import click

from headgate.cli import (
    alerts,
    cache,
    clauses,
    fairness,
    gateway,
    governance,
    guards,
    keys,
    known,
    migration,
    objects,
    passwords,
    requests,
    security,
    usage,
)
from headgate.cli.settings import FAILED, INTERRUPTED


def main() -> None:
    """Run the command line; exit codes are those of docs/reference/cli.md."""
    sys.excepthook = _one_line
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("headgate: interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has had enough (`headgate records | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An unhandled failure as one line. Its text may hold a secret, so only an OSError's is shown."""
    if "--debug" in sys.argv[1:]:
        traceback.print_exception(kind, error, trace)
        return
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"headgate: {where}{error.strerror}", err=True)
        return
    frames = traceback.extract_tb(trace)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    click.echo(f"headgate: internal error ({kind.__name__}{place}); `headgate --debug …` shows all of it", err=True)


def _version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.invoke(version)
        context.exit()


class Commands(click.Group):
    """Says which command was meant, also where it was called as its objects are (`organization`: `org`)."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        said = args[0]
        if ctx.resilient_parsing or said.startswith("-") or said in self.commands:
            return super().resolve_command(ctx, args)
        names = {**objects.CALLED, **{name: name for name in self.commands}}
        near = difflib.get_close_matches(said, names, n=1)
        told = f"did you mean `headgate {names[near[0]]}`?" if near else "`headgate --help` lists all"
        raise click.UsageError(f"there is no command {said!r}: {told}", ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.option("--debug", is_flag=True, help="Show the whole traceback of an internal error.")
def cli(debug: bool) -> None:
    """Headgate: one server between applications and every model provider."""


@click.command()
def version() -> None:
    """Print the version."""
    from headgate import __version__

    click.echo(f"headgate {__version__}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for your shell: eval "$(headgate completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "headgate", "_HEADGATE_COMPLETE").source())


for each in (
    gateway.serve, gateway.check, version, requests.records, usage.usage, usage.report, requests.explain,
    requests.targets, requests.sinks, known.models, known.providers, keys.key, gateway.configuration,
    migration.imported, security.audit, security.other, governance.data, governance.purge,
    governance.compliance, completion,
):  # fmt: skip
    cli.add_command(each)
for each in (
    *objects.groups,
    alerts.alerts,
    cache.cache,
    fairness.fairness,
    guards.guard,
    objects.export,
    objects.apply,
    objects.diff,
    objects.levels,
    objects.changes,
    objects.secrets,
):
    cli.add_command(each)
for each in governance.audit_commands:
    security.audit.add_command(each)
for each in objects.key_commands:
    keys.key.add_command(each)
for group in objects.groups:
    for each in {"user": passwords.user_commands, "clause": clauses.commands}.get(group.name or "", ()):
        group.add_command(each)
