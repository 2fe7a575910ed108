"""The fidelity page: each feature of the dialects' fixtures is put through every crossing, with its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from headgate.core import plugin
from headgate.core.chat import Loss
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.usage import Usage
from headgate.dialects.dialect import crossed

TESTS = Path(__file__).resolve().parent.parent / "tests" / "dialects"
HEAD = """# Fidelity

What becomes of a request, and of its reply, when the client speaks one dialect and the provider another. Made by
putting each row through the gateway's own code (`make docs`); the rows are the fixtures in
`tests/dialects/*/fixtures/features`.

Between a client and a provider of the same dialect everything passes: the request's bytes are forwarded with `model`
patched (and `stream_options`, see [decision 5](../decisions/0005-usage-in-streams.md)), the reply's bytes come back as
they were sent.

Crossing dialects, each feature of a request is

- **carried**: said in the provider's dialect (*as* names the fields, where they are others), or
- **lost**: left out or changed, and the request goes on without it. The paths, those of the client's own request, are
  in the reply's header `x-headgate-lost`, and with the reasons in the record; or
- **refused** with an error (status 400, code `unsupported_field`) that names the field, because leaving it out would
  change what was asked for. No provider is asked.

What a reply cannot carry is named in the record, under paths that begin with `reply.`.
"""

CLASSES = tuple(name for name in Usage.__struct_fields__ if name not in ("reported", "server_tools", "units"))


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
    yield f"\n## A client of `{client.name}`, a provider of `{provider.name}`\n"
    requests = features(client, "requests")
    plain = next(iter(next(iter(requests.values())).values()))
    base = _written(client, provider, plain, [])
    if any(fields["model"] != plain["model"] for rows in requests.values() for fields in rows.values()):
        yield f"\nWhere a row names no model, the provider's model is `{plain['model']}`.\n"
    for group, rows in requests.items():
        yield f"\n### Request: {group.lower()}\n\n| feature | outcome |\n|---|---|\n"
        for name, fields in rows.items():
            yield f"| {_cell(name)} | {_request(client, provider, fields, base)} |\n"
    for group, rows in features(provider, "replies").items():
        yield f"\n### Reply: {group.lower()}\n\n| feature | outcome |\n|---|---|\n"
        for name, fields in rows.items():
            yield f"| {_cell(name)} | {_reply(client, provider, fields, group)} |\n"


def features(dialect: Dialect, kind: str) -> dict[str, dict[str, dict[str, Any]]]:
    """`requests` or `replies` of a dialect: group → feature → a body with it; the first request has no feature."""
    path = TESTS / dialect.name / "fixtures" / "features" / f"{kind}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, dict[str, Any]]])


def _written(client: Dialect, provider: Dialect, fields: dict[str, Any], lost: list[Loss]) -> dict[str, Any]:
    body = crossed(provider, client.read_request(fields), lost)
    return msgspec.json.decode(body, type=dict[str, Any])


def _request(client: Dialect, provider: Dialect, fields: dict[str, Any], base: dict[str, Any]) -> str:
    lost: list[Loss] = []
    try:
        written = _written(client, provider, fields, lost)
    except GatewayError as error:
        return f"**refused**: `{error.param}`: {_cell(error.message)}"
    new = [f"`{key}`" for key, value in written.items() if key not in fields and value != base.get(key)]
    return _outcome(lost, "carried" + (f" as {', '.join(new)}" if new else ""))


def _reply(client: Dialect, provider: Dialect, fields: dict[str, Any], group: str) -> str:
    lost: list[Loss] = []
    body = msgspec.json.encode(fields)
    before, after = provider.relay(False, {}), client.relay(False, {})
    reader = provider.reader(stream=False)
    try:
        writer = client.writer(False, {}, lost)
        writer.feed([*reader.feed(body), *reader.end()])
        before.feed(body)
        after.feed(writer.end())
    except GatewayError as error:
        return f"an error: {_cell(error.message)}"
    if group == "Why it ended":
        return _outcome(lost, f"carried as `{after.finish}`", ends=f"said as `{after.finish}`; ")
    return _outcome(lost, _counted(before.usage, after.usage) if group == "Usage" else "carried")


def _counted(before: Usage | None, after: Usage | None) -> str:
    """Whether the client can tell the same classes of tokens apart."""
    if before is None or after is None:
        return "carried" if before is after else "carried as counts of 0"
    mixed = [name for name in CLASSES if getattr(before, name) != getattr(after, name)]
    if before.server_tools != after.server_tools:
        mixed.append("server_tools")
    if not mixed:
        return "carried"
    gone = [name for name in mixed if not getattr(after, name)]
    told = ", ".join(f"`{name}`" for name in gone)
    return f"the sums are carried; only the record has {told}"


def _outcome(lost: list[Loss], carried: str, ends: str = "") -> str:
    if not lost:
        return carried
    return f"{ends}**lost**: " + "; ".join(f"`{loss.path}` ({_cell(loss.why)})" for loss in lost)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
