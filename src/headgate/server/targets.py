"""The targets of a running gateway on a terminal: it is asked for them with the admin key, and they are printed as a
table, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from headgate.config.admin_key import VARIABLE
from headgate.config.remote import admin_key, ask
from headgate.core.columns import Column, room, table
from headgate.core.printable import json_safe, printable
from headgate.server.operator import TARGETS

LIMITED = ("requests", "tokens")
COLUMNS = (
    Column("TARGET", 0),
    Column("CIRCUIT", 0),
    Column("RUNNING", 2, right=True),
    Column("WAITING", 5, right=True),
    Column("OK", 1, right=True),
    Column("FAILED", 1, right=True),
    Column("TTFT P50/P95", 4, right=True),
    Column("ANSWER P50/P95", 3, right=True),
    Column("LIMITS", 6),
    Column("KEYS", 3),
)


def show(url: str, environ: Mapping[str, str], *, as_json: bool) -> None:
    """Print them to standard output. Raises click.ClickException where the gateway does not tell them."""
    answer = _asked(url, admin_key(environ))
    if as_json:
        text = json.dumps(answer, indent=2)
        click.echo(json_safe(text) if sys.stdout.isatty() else text)
        return
    targets = answer["targets"]
    head, *lines = table(COLUMNS, [_row(each) for each in targets], room())
    click.echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for line in lines:
        click.echo(line)
    for line in _troubles(targets):
        click.echo(printable(line))
    count = f"{len(targets)} target{'' if len(targets) == 1 else 's'}"
    click.echo(f"{count}, as worker {answer['worker']} sees them; OK and FAILED are of the last 30 seconds", err=True)


def _asked(url: str, key: str) -> Any:
    answer = ask(url, key, "GET", TARGETS.decode())
    if answer.status == 200 and isinstance(answer.body, dict) and "targets" in answer.body:
        return answer.body
    said = answer.body.get("error") if isinstance(answer.body, dict) else None
    if isinstance(said, dict) and answer.status in (401, 403):
        raise click.ClickException(f"the key in {VARIABLE} is not the admin key of the gateway at {url}")
    raise click.ClickException(f"what answers at {url} is no gateway for operators (status {answer.status}): say --url")


def _row(target: Mapping[str, Any]) -> list[str]:
    circuit, limits, seconds = target["circuit"], target["limits"], target["seconds"]
    state = circuit["state"].replace("_", "-")
    if state != "closed":
        state += f" {circuit['asked_again_in']:g} s" if circuit.get("asked_again_in") else ""
    most = f"/{limits['concurrency']}" if "concurrency" in limits else ""
    used = [f"{limits[name]['of_this_minute']:g}/{limits[name]['most']:g} {name}" for name in LIMITED if name in limits]
    states = [key["state"] if key.get("for_this_model") != "active" else "active" for key in target["keys"]]
    keys = [f"{key['name']}: {state}" for key, state in zip(target["keys"], states, strict=True)]
    heard = target["last_30_seconds"]
    cells = [
        target["target"],
        state,
        f"{target['running']}{most}",
        str(limits.get("waiting", "")),
        str(heard["answered"]),
        str(heard["failed"]),
        _both(seconds, "first_token"),
        _both(seconds, "answer"),
        ", ".join(used),
        ", ".join(keys) if len(keys) > 1 or "active" not in states else "",
    ]
    return [printable(cell) for cell in cells]


def _both(seconds: Mapping[str, float], what: str) -> str:
    """Median and 95th percentile: `0.21/1.4s`."""
    known = [seconds.get(f"{what}_{share}") for share in ("p50", "p95")]
    return "/".join("?" if each is None else f"{each:.3g}" for each in known) + "s" if any(known) else ""


def _troubles(targets: list[dict[str, Any]]) -> Iterator[str]:
    """Why targets and keys are left alone, each once."""
    keys: dict[str, None] = {}
    for target in targets:
        circuit = target["circuit"]
        if circuit.get("why"):
            yield f"{target['target']}: its circuit is {circuit['state'].replace('_', '-')}: {circuit['why']}"
        workers = circuit.get("in_workers", {})
        if len(workers) > 1:
            told = ", ".join(f"{state.replace('_', '-')} in {count}" for state, count in workers.items())
            yield f"{target['target']}: of {sum(workers.values())} workers its circuit is {told}"
        provider = target["target"].partition("/")[0]
        for key in target["keys"]:
            why = key.get("for_this_model")
            if why is not None and why != "active" and key["state"] != "disabled":
                whole = key["state"] in ("exhausted", "invalid")
                keys[f"{provider if whole else target['target']}, key {key['name']}: {why}"] = None
    yield from keys
