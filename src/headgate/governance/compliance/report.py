"""`headgate report compliance`: an evidence file of what can be shown, as Markdown, HTML or JSON."""

from __future__ import annotations

import asyncio
import html
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from headgate import __version__
from headgate.config.compliance import Law
from headgate.config.load import Loaded
from headgate.core.printable import printable
from headgate.governance.compliance.controls import CONTROLS, NAMES
from headgate.governance.compliance.facts import Facts, gather
from headgate.governance.databases import Databases
from headgate.store.database import StoreAway
from headgate.store.sealing import Unsealable

STATES = ("met", "partly", "not met", "not covered")
NOTE = (
    "Made from the settings in force and from what the gateway's databases tell. It is evidence, not advice: whether a "
    "law is complied with depends on much that no gateway sees. What it cannot show is marked `not covered`."
)
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.4rem .6rem;"
    "border-bottom:1px solid #8886}td:nth-child(3){white-space:nowrap;font-weight:600}"
    ".met{color:#2a7d46}.partly{color:#a86a00}.not-met{color:#c0392b}.not-covered{opacity:.7}"
)


def report(loaded: Loaded, laws: Sequence[Law], out: Path | None, *, since: str | None) -> None:
    """To a file, whose ending says how, or as Markdown to standard output. Raises click.ClickException."""
    wanted = laws or loaded.config.compliance
    if not wanted:
        raise click.UsageError(f"say of which law: {', '.join(NAMES)}, or set `compliance`")
    found = told(_facts(loaded, since), wanted)
    suffix = out.suffix if out is not None else ".md"
    form = {".md": _markdown, ".html": _html, ".json": _json}.get(suffix)
    if form is None:
        raise click.UsageError("the file ends in .md, .html or .json")
    text = "".join(f"{line}\n" for line in form(found))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}") from error


def _facts(loaded: Loaded, since: str | None) -> Facts:
    async def ask() -> Facts:
        databases = Databases(loaded.config, os.environ, loaded.references)
        try:
            return await gather(loaded, databases, time.time(), since=since)
        finally:
            await databases.close()

    try:
        return asyncio.run(ask())
    except (StoreAway, Unsealable) as error:
        raise click.ClickException(str(error)) from error


def told(facts: Facts, laws: Sequence[Law]) -> dict[str, Any]:
    """All of it, as JSON has it."""
    found: dict[str, Any] = {
        "made": facts.now.isoformat(timespec="seconds"), "headgate": __version__, "note": NOTE,
        "configuration": facts.loaded.path.name if facts.loaded.path is not None else None,
        "presets": list(facts.config.compliance), "laws": [],
    }  # fmt: skip
    for law in dict.fromkeys(laws):
        controls = [
            {"article": each.article, "asks": each.asks, **each.check(facts)._asdict()} for each in CONTROLS[law]
        ]
        counts = Counter(each["state"] for each in controls)
        found["laws"].append(
            {"law": law, "name": NAMES[law], "counts": {state: counts[state] for state in STATES}, "controls": controls}
        )
    return found


def _json(found: dict[str, Any]) -> Iterator[str]:
    yield json.dumps(found, indent=2, ensure_ascii=False)


def _markdown(found: dict[str, Any]) -> Iterator[str]:
    yield "# What this gateway can show"
    yield ""
    yield from _about(found)
    for law in found["laws"]:
        yield ""
        yield f"## {law['name']}"
        yield ""
        yield _counts(law)
        yield ""
        yield "| Article | Asks for | State | Evidence |"
        yield "|---|---|---|---|"
        for each in law["controls"]:
            cells = (each["article"], each["asks"], each["state"], each["evidence"])
            yield f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _about(found: dict[str, Any]) -> Iterator[str]:
    presets = ", ".join(found["presets"]) or "none"
    where = found["configuration"] or "the environment"
    yield f"Made {found['made']} by Headgate {found['headgate']} of {where}; presets in force: {presets}."
    yield ""
    yield found["note"]


def _counts(law: dict[str, Any]) -> str:
    return ", ".join(f"{count} {state}" for state, count in law["counts"].items())


def _cell(text: str) -> str:
    """In a table of Markdown."""
    return printable(text, limit=2000).replace("|", "\\|").replace("<", "&lt;")


def _html(found: dict[str, Any]) -> Iterator[str]:
    yield "<!doctype html>"
    yield f'<html lang="en"><meta charset="utf-8"><title>What this gateway can show</title><style>{STYLE}</style>'
    yield "<h1>What this gateway can show</h1>"
    yield from (f"<p>{html.escape(line)}</p>" for line in _about(found) if line)
    for law in found["laws"]:
        yield f"<h2>{html.escape(law['name'])}</h2><p>{_counts(law)}</p>"
        yield "<table><tr><th>Article<th>Asks for<th>State<th>Evidence"
        for each in law["controls"]:
            cells = (each["article"], each["asks"], each["state"], printable(each["evidence"], limit=2000))
            escaped = "<td>".join(html.escape(cell) for cell in cells)
            yield f'<tr class="{each["state"].replace(" ", "-")}"><td>{escaped}'
        yield "</table>"
    yield "</html>"
