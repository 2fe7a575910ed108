"""The fidelity page: each fixture of the dialects' laws is put through every crossing, and the outcome written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from headgate.core import plugin
from headgate.core.chat import Loss
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError

TESTS = Path(__file__).resolve().parent.parent / "tests" / "dialects"
HEAD = """# Fidelity

Made from the fixtures of the dialects' tests (`make docs`): each is put through every crossing, with this outcome.

Between a client and a provider of the same dialect everything passes: the request's bytes are forwarded with `model`
patched (and `stream_options`, see [decision 5](../decisions/0005-usage-in-streams.md)), the reply's bytes come back as
they were sent.

Crossing dialects, a request's field is *carried*, or *lost* (left out or changed; named in the header
`x-headgate-lost` and in the record), or the request is *refused* with an error naming the field, because leaving it out
would change what was asked for. Paths are those of the client's own request. What a reply cannot carry is named in the
record.
"""


def page() -> str:
    """The whole page."""
    found: list[Any] = [plugin.module("dialects", name) for name in plugin.names("dialects")]
    dialects: list[Dialect] = [module for module in found if hasattr(module, "paths")]
    lines = [HEAD]
    for client in dialects:
        for provider in dialects:
            if client is not provider:
                lines += _crossing(client, provider)
    return "".join(lines)


def _crossing(client: Dialect, provider: Dialect) -> Iterator[str]:
    yield f"\n## A client of `{client.name}`, a provider of `{provider.name}`\n\n### Requests\n\n"
    yield "| what the request uses | outcome |\n|---|---|\n"
    for path in sorted((TESTS / client.name / "fixtures" / "requests").glob("*.json")):
        yield f"| {_title(path)} | {_request(client, provider, msgspec.json.decode(path.read_bytes()))} |\n"
    yield "\n### Replies\n\n| what the reply holds | outcome |\n|---|---|\n"
    for path in sorted((TESTS / provider.name / "fixtures" / "whole").glob("*.json")):
        yield f"| {_title(path)} | {_reply(client, provider, path.read_bytes())} |\n"


def _request(client: Dialect, provider: Dialect, fields: dict[str, Any]) -> str:
    lost: list[Loss] = []
    try:
        provider.write_request(client.read_request(fields), lost)
    except GatewayError as error:
        return f"refused: `{error.param}`: {_cell(error.message)}"
    return _outcome(lost)


def _reply(client: Dialect, provider: Dialect, body: bytes) -> str:
    lost: list[Loss] = []
    reader = provider.reader(stream=False)
    try:
        writer = client.writer(False, {}, lost)
        writer.feed([*reader.feed(body), *reader.end()])
        writer.end()
    except GatewayError as error:
        return f"an error: {_cell(error.message)}"
    return _outcome(lost)


def _outcome(lost: list[Loss]) -> str:
    if not lost:
        return "carried"
    return "lost: " + "; ".join(f"`{loss.path}` ({_cell(loss.why)})" for loss in lost)


def _title(path: Path) -> str:
    return path.stem.replace("_", " ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
