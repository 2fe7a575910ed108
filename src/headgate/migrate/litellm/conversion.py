"""The whole way from LiteLLM's configuration to one of ours that has been checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from headgate.catalog.shelf import kinds as listed
from headgate.config.load import load
from headgate.config.problems import ConfigError, Problem
from headgate.config.stored import Held
from headgate.migrate.litellm import resilience, source, tables, tokens
from headgate.migrate.litellm.deployments import Deployment, Reader
from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.gathered import Gathered
from headgate.migrate.litellm.people import People
from headgate.migrate.litellm.providers import Book, kinds, known
from headgate.migrate.litellm.report import Report, named
from headgate.migrate.litellm.routing import Routing
from headgate.migrate.litellm.settings import Settings
from headgate.migrate.litellm.source import Variables

RESERVED = ("admin", "jwt")
"""Names that no key may have: the admin key's, and the issuer's that tokens.py makes."""


@dataclass(slots=True, frozen=True)
class Made:
    """A configuration, and what is to be said of it."""

    text: str
    report: Report
    variables: Mapping[str, str]
    """The environment variables that have to be set, and what may stand for each while it is checked."""


def convert(path: Path, keys: Path | None = None) -> Made:
    """Raises ConfigError where a file cannot be read at all."""
    read, report, variables, draft = source.read(path), Report(), Variables(), Draft()
    exported = tables.read(keys) if keys is not None else None
    aliases = [name.text() for part in read.entries("model_list") if (name := part.at("model_name")) is not None]
    book = Book(report, variables, aliases)
    reader = Reader(read, report, variables, book)
    deployments = list(reader.read())
    book.name()
    routing = Routing(read, report, variables, book, deployments)
    routing.write(draft)
    _providers(draft, book, deployments)
    for limit in reader.limits:
        draft.append("limits", limit, "default_api_key_… of litellm_params")
    resilience.write(draft, routing, report, variables)
    settings = Settings(read, report, variables, draft, keys is not None)
    settings.write()
    gathered = Gathered(report)
    names: tokens.Names = {}
    if exported is not None:
        people = People(exported, gathered, routing.served, _groups(deployments, routing), RESERVED)
        people.write(draft)
        names = people.names
    tokens.write(read, draft, report, variables, names)
    settings.environment()
    gathered.tell()
    _distinct(draft)
    return Made(draft.yaml(_head(path, variables)), report, dict(sorted(variables.samples.items())))


def checked(path: Path, made: Made, environ: Mapping[str, str]) -> tuple[Sequence[Problem], Sequence[str]]:
    """What `headgate check` finds wrong with it where it was written, and warns of; variables that are not set have a
    value there, and what is in a store counts for nothing."""
    try:
        loaded = load(path, {**made.variables, **environ}, held=Held())
    except ConfigError as error:
        return error.problems, []
    return [], loaded.warnings


def _providers(draft: Draft, book: Book, deployments: Sequence[Deployment]) -> None:
    for host in book.hosts:
        own = [one.model for one in deployments if one.host is host]
        settings = {**({"kind": host.kind} if host.kind != host.name else {}), **host.settings}
        # a proxy in front of OpenAI has OpenAI's models, with their prices and limits
        vendor = host.kind.partition("_")[0]
        if vendor != host.kind and vendor in kinds() and vendor in listed() and any(known(vendor, id) for id in own):
            settings["catalogue"] = vendor
        draft.put("providers", {host.name: settings}, f"for {named(list(dict.fromkeys(host.used)))}")


def _groups(deployments: Sequence[Deployment], routing: Routing) -> dict[str, list[str]]:
    """LiteLLM's access groups: the names in each."""
    found: dict[str, list[str]] = {}
    for one in deployments:
        for group in one.access:
            names = found.setdefault(group, [])
            if one.group in routing.served and one.group not in names:
                names.append(one.group)
    return found


def _distinct(draft: Draft) -> None:
    """Limits of the list need names that differ."""
    used: set[str] = set()
    for limit in draft.document.get("limits", ()):
        name = limit["name"]
        number = 2
        while limit["name"] in used:
            limit["name"] = f"{name[:90]} {number}"
            number += 1
        used.add(limit["name"])


def _head(path: Path, variables: Variables) -> list[str]:
    lines = [f"Made of {path.name} by `headgate import litellm`, which says what has no counterpart here."]
    if variables.samples:
        lines.append("These environment variables have to be set:")
        lines += wrap(", ".join(sorted(variables.samples)), 110, break_on_hyphens=False)
    return lines
