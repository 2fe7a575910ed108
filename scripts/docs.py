"""Writes the pages of docs/ that are made from the code; with --check, says which are out of date (exit code 1)."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import dashboards
import features
import fidelity
import kinds
import openapi
import pages

from headgate.cli import cli
from headgate.config import reference

ROOT = Path(__file__).resolve().parent.parent
CLI_HEAD = """# Command line reference

Made from the code (`make docs`). `headgate COMMAND --help` says the same; `python -m headgate` is `headgate`.

## Exit codes

| Code | Meaning |
|---|---|
| 0 | It worked. `serve`: stopped (Ctrl-C, SIGTERM), all under way finished. `check`: no problem, maybe warnings. |
| 1 | It failed; one line on standard error says why. `headgate --debug COMMAND` shows an internal error's traceback. |
| 2 | Bad usage, or a configuration with problems: each is a line `file:line: key: what is wrong; how to mend it`. |
| 130 | Interrupted (Ctrl-C); not `serve`, which stops cleanly on it, nor `records`, whose `--follow` ends so. |

Results go to standard output, everything else to standard error. `--json` prints for programs.

## Environment

| Variable | Meaning |
|---|---|
| `HEADGATE_CONFIG` | The configuration file, where `--config` is not given. |
| `HEADGATE_ADMIN_KEY` | The admin key, instead of the one made at the first start (16 characters or more). |
| `HEADGATE_SECRET_KEY` | The keys that [seal the store's secrets](../how-to/administer.md#secrets), the first in use. |
| `OLLAMA_HOST` | Where discovery looks for an Ollama, as Ollama's own client reads it. |

Without a configuration file, providers whose key stands in its usual variable are used; the
[configuration reference](configuration.md#providers) names them. Shell completion:
`eval "$(headgate completion bash)"` (or `zsh`; for fish: `headgate completion fish | source`).

## Commands
"""


def cli_page() -> str:
    """Every command with its options, from click's own description."""
    return CLI_HEAD + "".join(_command(cli, "headgate"))


def _command(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        for part in command.commands.values():
            yield from _command(part, f"{name} {part.name}")
        return
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n### {name}\n\n`{name} {usage}`\n\n{inspect.cleandoc(command.help or '')}\n"
    records = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
    if records:
        yield "\n| Option | Meaning |\n|---|---|\n"
        yield from (f"| `{_cell(record[0])}` | {_cell(record[1])} |\n" for record in records if record)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: list[tuple[str, Callable[[], str]]] = [
    ("docs/reference/configuration.md", reference.page),
    ("docs/reference/headgate.schema.json", reference.json_schema),
    ("docs/reference/openapi.json", openapi.page),
    ("docs/reference/cli.md", cli_page),
    ("docs/reference/providers.md", pages.providers_page),
    ("docs/reference/stages.md", pages.stages_page),
    ("docs/reference/dialects.md", pages.dialects_page),
    ("docs/reference/errors.md", pages.errors_page),
    ("docs/reference/features.md", features.page),
    ("docs/reference/redaction.md", kinds.page),
]
"""Where a page stands, and what makes it."""


FIDELITY, DASHBOARDS = "docs/reference/fidelity", "deploy/grafana"


def written() -> dict[str, str]:
    """Every page with its text; an empty text is a page that is no more."""
    gone = {str(path.relative_to(ROOT)): "" for path in (ROOT / FIDELITY).glob("*.md")}
    made = {f"{FIDELITY}/{name}": text for name, text in fidelity.pages().items()}
    boards = {f"{DASHBOARDS}/{name}": text for name, text in dashboards.pages().items()}
    return {**gone, **{place: make() for place, make in PAGES}, **made, **boards}


def main(check: bool) -> int:
    stale = 0
    for place, wanted in written().items():
        path = ROOT / place
        there = path.read_text("utf-8") if path.exists() else ""
        if there == wanted:
            continue
        stale += 1
        if not check and not wanted:
            path.unlink()
            print(f"gone: {place}")
            continue
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, "utf-8")
            print(f"written: {place}")
            continue
        print(f"{place} is out of date; `make docs` writes it")
        lines = there.splitlines(), wanted.splitlines()
        changes = difflib.unified_diff(*lines, place, "as it should be", lineterm="", n=0)
        print("\n".join(list(changes)[:20]))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
