"""The configuration as plain YAML that another instance reads, or a person takes elsewhere: no secret stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, SecretStr

from headgate.config import discover
from headgate.config.document import parse, resolved
from headgate.config.following import NO_KEY
from headgate.config.interpolate import MARK
from headgate.config.load import Loaded
from headgate.config.schema import Config
from headgate.config.secrets import SECRET_NAME, hash_key, is_elsewhere, is_reference

_SIGNS = re.compile(r"[^A-Z0-9]+")
_UNSET = "\0"
"""For a variable without a default."""


def _text(dumper: Any, text: Any) -> yaml.Node:
    style = None if resolved(text) == text else "'"
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


class _Dumper(yaml.SafeDumper):
    """Puts into quotation marks what is a text and would be taken for another thing."""

    yaml_representers = {**yaml.SafeDumper.yaml_representers, str: _text}


class Secrets(NamedTuple):
    """How a secret is known."""

    values: frozenset[str]
    """Those that are long enough to be looked for in every text."""
    settings: frozenset[str]
    """What providers are told them as (`api_key`), however short they are."""


@dataclass(slots=True)
class Exported:
    """`document` is plain data. `variables` and `files` have to be there where it is read; those of the first that
    are `named` are new: a secret that stood in the file itself."""

    document: dict[str, Any]
    variables: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    taken: set[str] = field(init=False)
    """Names that would be mistaken for another variable."""

    def __post_init__(self) -> None:
        self.taken = set(_variables(json.dumps(self.document)))

    def variable(self, path: Iterable[str | int]) -> str:
        """A variable for the secret at a place, that no other has."""
        name = usual = _SIGNS.sub("_", "_".join(map(str, path)).upper()).strip("_")
        count = 1
        while name in self.taken:
            count += 1
            name = f"{usual}_{count}"
        self.taken.add(name)
        self.named.append(name)
        return name

    def yaml(self) -> str:
        """As YAML that reads the same; as JSON, which is YAML, where YAML's own words would be taken otherwise."""
        text: str = yaml.dump(self.document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        data = text.encode()
        return text if parse(data, "export", len(data)).plain() == self.document else self.json()

    def json(self) -> str:
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def export(loaded: Loaded, environ: Mapping[str, str], only: Collection[str] | None = None) -> Exported:
    """What was read of a configuration that is in order (or `only` these sections), its variables and references as
    they were written.

    A provider's secret that stands in it becomes a variable, a client's key its hash: the same clients get in.
    """
    if loaded.path is None:
        found = discover.discover(environ)
        exported = Exported(found.document, found.variables)
    else:
        exported = Exported(parse(loaded.path.read_bytes(), str(loaded.path)).plain() or {})
    if only is not None:
        exported = Exported({name: value for name, value in exported.document.items() if name in only})
    for entry in exported.document.get("keys") or []:
        key = entry.get("key")
        if isinstance(key, str) and not is_reference(key) and not _variables(key):
            entry["key_hash"] = f"sha256:{hash_key(_literal(entry.pop('key')))}"
    secrets = Secrets(loaded.secrets, _told(loaded.config))
    exported.document = _plain(exported.document, (), secrets, exported)
    return exported


def _told(config: Config) -> frozenset[str]:
    varied = [target.provider for target in config.targets()]
    entries = [*config.providers.values(), *(entry for entry in varied if entry is not None)]
    settings: list[BaseModel] = [
        *(entry.settings for entry in entries),
        *(entry.settings for entry in config.channels.values()),
        *(policy.read for policy in config.guards.values() if policy.read is not None),
    ]
    return frozenset(name for each in settings for name, value in each if isinstance(value, SecretStr))


def _plain(value: Any, path: tuple[str, ...], secrets: Secrets, exported: Exported) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner, (*path, str(name)), secrets, exported) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, (*path, str(index)), secrets, exported) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if is_elsewhere(value):
        return value
    if is_reference(value):
        _note(exported.files if value.startswith("file:") else exported.variables, value.partition(":")[2])
        return value
    variables = _variables(value)
    if _is_secret(value, path, secrets):
        name = variables[0] if len(variables) == 1 and not _literal(value, "") else exported.variable(path)
        _note(exported.variables, name)
        return f"${{{name}}}"
    for name in variables:
        _note(exported.variables, name)
    return value


def _is_secret(value: str, path: tuple[str, ...], secrets: Secrets) -> bool:
    """Whether a secret stands in the text itself, be it as a variable's default, and not a variable for one."""
    literal = _literal(value)
    if any(secret in literal for secret in secrets.values):
        return True
    if _UNSET in literal or literal.lower() in ("", NO_KEY):
        return False
    if path[0] == "keys":
        return path[-1] == "key"
    if path[0] not in ("providers", "channels") and "with" not in path:
        return False
    return path[-1] in secrets.settings or (path[-2] == "headers" and SECRET_NAME.search(path[-1]) is not None)


def _literal(value: str, default: str | None = None) -> str:
    """The text without its variables, but with their defaults (or `default` for each); `$$` as the sign it stands
    for."""

    def said(mark: re.Match[str]) -> str:
        return "$" if mark["name"] is None else (mark["default"] or _UNSET) if default is None else default

    return MARK.sub(said, value)


def _variables(value: str) -> list[str]:
    return [mark["name"] for mark in MARK.finditer(value) if mark["name"]]


def _note(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
