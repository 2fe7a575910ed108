"""The targets of a running gateway on a terminal: it is asked for them with the admin key, and they are printed as a
table, or as JSON."""

from __future__ import annotations

import http.client
import json
import ssl
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from headgate.config.admin_key import VARIABLE
from headgate.config.schema import Config
from headgate.core.columns import Column, room, table
from headgate.core.printable import json_safe, printable
from headgate.server.operator import TARGETS

WAIT = 10.0
MOST = 64 << 20
"""Bytes of an answer."""
HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what is listened on is not what is asked
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


def address(config: Config) -> str:
    """Where a gateway of this configuration answers operators. Raises click.ClickException."""
    server = config.server
    host, port = (server.host, server.port) if server.admin is None else (server.admin.host, server.admin.port)
    if port == 0:
        raise click.ClickException("the configuration lets the system choose the port (server.port: 0): say --url")
    host = HERE.get(host, host)
    scheme = "https" if server.tls is not None and server.admin is None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def show(url: str, environ: Mapping[str, str], *, as_json: bool) -> None:
    """Print them to standard output. Raises click.ClickException where the gateway does not tell them."""
    key = environ.get(VARIABLE)
    if key is None:
        told = f"the gateway tells this for the admin key alone: put it into {VARIABLE}"
        raise click.ClickException(f"{told} (it was shown at the first start; headgate key admin --new makes another)")
    answer = _asked(url, key)
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
    """What it answers. Redirects are not followed, so that the key goes nowhere else."""
    try:
        status, body = _fetched(url, key)
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not the one of this name ({error.verify_message})"
        raise click.ClickException(f"{url}: {why}: ask for it by its name, with --url") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        told = f"no gateway answers at {url}: {reason}"
        raise click.ClickException(f"{told}. Is `headgate serve` running? --url says where") from error
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if status == 200 and isinstance(answer, dict) and "targets" in answer:
        return answer
    said = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(said, dict) and status in (401, 403):
        raise click.ClickException(f"the key in {VARIABLE} is not the admin key of the gateway at {url}")
    raise click.ClickException(f"what answers at {url} is no gateway for operators (status {status}): say --url")


def _fetched(url: str, key: str) -> tuple[int, bytes]:
    """Raises OSError, HTTPException, ValueError (what is no URL, or no header)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("that is no URL such as http://127.0.0.1:4000")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=WAIT)
    try:
        connection.request("GET", TARGETS.decode(), headers={"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        return answer.status, answer.read(MOST)
    finally:
        connection.close()


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
