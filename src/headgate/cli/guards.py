"""What guards know and find."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def guard() -> None:
    """What guards look for in requests and replies."""


@guard.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--to", "kept", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--add", is_flag=True, help="Keep what is in it, too.")
def register(paths: tuple[Path, ...], kept: Path, add: bool) -> None:
    """Register files, and those in folders: the guard `code` knows pieces of them again.

    What is written holds numbers made of words in a row, and nothing of the files themselves.
    """
    from headgate.redaction import fingerprints

    numbers: set[int] = set()
    count = left = 0
    try:
        if add and kept.exists():
            numbers |= fingerprints.Registry.load(kept).numbers
        for path in fingerprints.files(paths):
            data = fingerprints.text(path)
            if data is None:
                left += 1
                continue
            count += 1
            numbers |= fingerprints.numbers(data)
        fingerprints.Registry(numbers).save(kept)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    more = f"; {left} are no text, or too large" if left else ""
    click.echo(f"{count} files, {len(numbers)} numbers in {kept}{more}", err=True)
