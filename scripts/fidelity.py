"""The fidelity page: each feature of the dialects' fixtures is put through every crossing, with its outcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.usage import Usage
from headgate.dialects.dialect import crossed, dialects

TESTS = Path(__file__).resolve().parent.parent / "tests" / "dialects"
HEAD = """# Fidelity

What becomes of a request, and of its reply, when the client speaks one dialect and the provider another. Made by
putting each row through the gateway's own code (`make docs`); the rows are the fixtures in
`tests/dialects/*/fixtures/features`.

Between a client and a provider of the same dialect everything passes: the request's bytes are forwarded with `model`
patched (and `stream_options`, see [decision 5](../../decisions/0005-usage-in-streams.md)), the reply's bytes come back
as they were sent.

Crossing dialects, each feature of a request is

- **carried**: said in the provider's dialect (*as* names the fields, where they are others), or
- **lost**: left out or changed, and the request goes on without it. The paths are in the reply's header
  `x-headgate-lost`, and with the reasons in the record; or
- **refused** with an error (status 400, code `unsupported_field`) that names the field, because leaving it out would
  change what was asked for. No provider is asked.

Paths name what several APIs have as OpenAI's Chat Completions do (`n` also where the client wrote `candidateCount`;
`messages[0]` is a system prompt, wherever it stood, and the turns follow it), and what only the client's API has as
the client did.

What a reply cannot carry is named in the record, under paths that begin with `reply.`.

One page for each dialect that clients speak:

"""

CLASSES = tuple(name for name in Usage.__struct_fields__ if name not in ("reported", "server_tools", "units"))


def pages() -> dict[str, str]:
    """Every page: its name in the folder → its text."""
    found = [dialect for dialect in dialects() if _folder(dialect).is_dir()]
    crossing = {client.name: [other for other in found if _cross(client, other)] for client in found}
    lines = [f"- [`{name}`]({name}.md) ({len(others)} others)\n" for name, others in crossing.items() if others]
    made = {client.name: "".join(_page(client, crossing[client.name])) for client in found if crossing[client.name]}
    return {"README.md": HEAD + "".join(lines), **{f"{name}.md": text for name, text in made.items()}}


def _cross(client: Dialect, other: Dialect) -> bool:
    return client is not other and client.operation == other.operation


def _page(client: Dialect, providers: list[Dialect]) -> Iterator[str]:
    yield f"# A client of `{client.name}`\n\nWhat the words mean: [README.md](README.md).\n"
    notes: dict[str, int] = {}
    names = " | ".join(f"`{provider.name}`" for provider in providers)
    requests = features(client, "requests")
    plain = next(iter(next(iter(requests.values())).values()))
    base = {provider.name: _tried(client, provider, plain) for provider in providers}
    for group, rows in requests.items():
        yield f"\n## Request: {group.lower()}\n\n| feature | {names} |\n|---|{'---|' * len(providers)}\n"
        for name, fields in rows.items():
            said = (_request(client, provider, fields, base[provider.name]) for provider in providers)
            yield f"| {_cell(name)} | {' | '.join(_noted(*outcome, notes) for outcome in said)} |\n"
    yield "\n## Notes\n\n"
    for note, number in notes.items():
        yield f"{number}. {note}\n"
    for provider in providers:
        yield f"\n## Replies of `{provider.name}`\n\n| feature | outcome |\n|---|---|\n"
        for group, rows in features(provider, "replies").items():
            for name, fields in rows.items():
                yield f"| {group.lower()}: {_cell(name)} | {_reply(client, provider, fields, group)} |\n"


def _noted(word: str, note: str, notes: dict[str, int]) -> str:
    """A cell: the outcome in a word, and the number of what there is to say of it."""
    return f"{word} ({notes.setdefault(note, len(notes) + 1)})" if note else word


def _folder(dialect: Dialect) -> Path:
    return TESTS / dialect.name / "fixtures" / "features"


def features(dialect: Dialect, kind: str) -> dict[str, dict[str, dict[str, Any]]]:
    """`requests` or `replies` of a dialect: group → feature → a body with it; the first request has no feature."""
    path = _folder(dialect) / f"{kind}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, dict[str, Any]]])


def _written(client: Dialect, provider: Dialect, fields: dict[str, Any], lost: list[Loss]) -> dict[str, Any]:
    body = crossed(provider, client.read_request(fields), lost)
    assert isinstance(body, bytes)
    return msgspec.json.decode(body, type=dict[str, Any])


def _tried(client: Dialect, provider: Dialect, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        return _written(client, provider, fields, [])
    except GatewayError:
        return {}


def _request(client: Dialect, provider: Dialect, fields: dict[str, Any], base: dict[str, Any]) -> tuple[str, str]:
    """The outcome in a word, and what there is to say of it."""
    lost: list[Loss] = []
    try:
        written = _written(client, provider, fields, lost)
    except GatewayError as error:
        return "**refused**", f"`{error.param}`: {_cell(error.message)}"
    if lost:
        return "**lost**", "; ".join(f"`{loss.path}` ({_cell(loss.why)})" for loss in lost)
    new = [f"`{key}`" for key, value in written.items() if key not in fields and value != base.get(key)]
    return "carried" + (f" as {', '.join(new)}" if new else ""), ""


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
