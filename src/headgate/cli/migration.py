"""Come from another gateway: turn its configuration into one of ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.settings import FAILED, FILE, Refused

if TYPE_CHECKING:
    from headgate.config.problems import Problem
    from headgate.migrate.litellm.conversion import Made

THERE = click.Path(exists=True, dir_okay=False, path_type=Path)
STDOUT = Path("-")


@click.group(name="import")
def imported() -> None:
    """Turn the configuration of another gateway into one of ours."""


@imported.command()
@click.argument("file", type=THERE)
@click.option("--keys", type=THERE, help="Its database's tables, exported as JSON, or its keys as CSV.")
@click.option(
    "--output", "-o", type=FILE, default="headgate.yaml", show_default=True, help="What to write; - is standard output."
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option("--strict", is_flag=True, help="Exit with code 1 if anything has no counterpart.")
@click.option("--json", "as_json", is_flag=True, help="Print what is to be said of it as JSON.")
def litellm(file: Path, keys: Path | None, output: Path, force: bool, strict: bool, as_json: bool) -> int:
    """Turn the config.yaml of a LiteLLM proxy into a configuration, check it, and list what has no counterpart.

    Keys go on working, as both keep their SHA-256. Nobody is asked anything, and nothing but the output is written.
    """
    from tempfile import TemporaryDirectory

    from headgate.config.problems import ConfigError
    from headgate.migrate.litellm.conversion import checked, convert

    if output != STDOUT and not force and os.path.lexists(output):
        raise click.ClickException(f"{output} is there already; choose another --output, or --force to overwrite it")
    try:
        made = convert(file, keys)
    except ConfigError as error:
        raise Refused(error) from error
    if output == STDOUT:
        click.echo(made.text, nl=False)
        with TemporaryDirectory() as folder:
            place = Path(folder) / "headgate.yaml"
            place.write_text(made.text, "utf-8")
            problems, warnings = checked(place, made, os.environ)
    else:
        _write(output, made.text, force)
        problems, warnings = checked(output, made, os.environ)
    _tell(made, output, problems, warnings, as_json)
    return FAILED if problems or (strict and made.report.of("lost")) else 0


def _write(output: Path, text: str, force: bool) -> None:
    """For its owner alone, as it may hold secrets; in one step where it takes another's place."""
    place = output.with_name(f".{output.name}.new") if force else output
    place.unlink(missing_ok=True) if force else None
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    if force:
        place.replace(output)


def _tell(made: Made, output: Path, problems: Any, warnings: Any, as_json: bool) -> None:
    if as_json:
        _tell_json(made, output, problems, warnings)
        return
    for line in made.report.lines():
        click.echo(line, err=True)
    unset = [name for name in made.variables if name not in os.environ]
    if unset:
        click.echo(f"environment variables to set: {', '.join(unset)}", err=True)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in problems:
        click.echo(str(problem), err=True)
    count = len(made.report.of("lost"))
    what = "in order" if not problems else f"written, but with {len(problems)} problem{'s' * (len(problems) != 1)}"
    click.echo(f"{output}: {what}; {count} thing{'s' * (count != 1)} without a counterpart", err=True)


def _tell_json(made: Made, output: Path, problems: Any, warnings: Any) -> None:
    import json

    from headgate.migrate.litellm.report import TITLES

    def plain(problem: Problem) -> dict[str, Any]:
        names = ("file", "line", "column", "path", "message", "hint")
        return {name: getattr(problem, name) for name in names}

    told = {str(kind): [plain(problem) for problem in made.report.of(kind)] for kind in TITLES}
    answer: dict[str, Any] = {
        "ok": not problems,
        "output": str(output),
        **told,
        "variables": list(made.variables),
        "problems": [plain(problem) for problem in problems],
        "warnings": list(warnings),
    }
    click.echo(json.dumps(answer, indent=2), err=output == STDOUT)
