"""The configuration as plain YAML that another instance reads, or a person takes elsewhere: no secret stands in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
from pydantic import SecretStr

from headgate.config import discover
from headgate.config.document import parse
from headgate.config.interpolate import MARK
from headgate.config.load import NO_KEY, Loaded
from headgate.config.schema import Config
from headgate.config.secrets import SECRET_NAME, hash_key, is_reference

_SIGNS = re.compile(r"[^A-Z0-9]+")


class Secrets(NamedTuple):
    anywhere: frozenset[str]
    """Long enough to be looked for in every text."""
    settings: frozenset[str]
    """All that providers are told, however short."""


@dataclass(slots=True)
class Exported:
    """`document` is plain data. `variables` and `files` have to be there where it is read; those of the first that
    are `named` are new: a secret that stood in the file itself."""

    document: dict[str, Any]
    variables: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def yaml(self) -> str:
        """As YAML that reads the same; as JSON, which is YAML, where YAML's own words would be taken otherwise."""
        text = yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True, width=120)
        return text if parse(text.encode(), "export").plain() == self.document else self.json()

    def json(self) -> str:
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def export(loaded: Loaded, environ: Mapping[str, str]) -> Exported:
    """What was read of a configuration that is in order, its variables and references as they were written.

    A provider's secret that stands in it becomes a variable, a client's key its hash: the same clients get in.
    """
    if loaded.path is None:
        document = discover.discover(environ).document
        exported = Exported(document)
        exported.variables += [reason.split()[1] for reason in loaded.reasons if reason.endswith(" is set.")]
    else:
        document = parse(loaded.path.read_bytes(), str(loaded.path)).plain() or {}
        exported = Exported(document)
    for entry in document.get("keys") or []:
        key = entry.get("key")
        if isinstance(key, str) and not (MARK.search(key) or is_reference(key)):
            entry["key_hash"] = f"sha256:{hash_key(entry.pop('key'))}"
    exported.document = _plain(document, (), Secrets(loaded.secrets, _told(loaded.config)), exported)
    return exported


def _told(config: Config) -> frozenset[str]:
    varied = [target.provider for model in config.models.values() for target in (*model.targets, *model.fallbacks)]
    entries = [*config.providers.values(), *(entry for entry in varied if entry is not None)]
    said = {
        value.get_secret_value() for entry in entries for _, value in entry.settings if isinstance(value, SecretStr)
    }
    return frozenset(value for value in said if value.lower() not in ("", NO_KEY))


def _plain(value: Any, path: tuple[str, ...], secrets: Secrets, exported: Exported) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner, (*path, str(name)), secrets, exported) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, (*path, str(index)), secrets, exported) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    if is_reference(value):
        _note(exported.files if value.startswith("file:") else exported.variables, value.partition(":")[2])
        return value
    if _is_secret(value, path, secrets):
        name = _SIGNS.sub("_", "_".join(path).upper()).strip("_")
        _note(exported.variables, name)
        _note(exported.named, name)
        return f"${{{name}}}"
    for mark in MARK.finditer(value):
        if mark["name"]:
            _note(exported.variables, mark["name"])
    return value


def _is_secret(value: str, path: tuple[str, ...], secrets: Secrets) -> bool:
    """Whether a secret stands in the text itself, and not a variable for one."""
    literal = MARK.sub(lambda mark: mark["default"] or "", value)
    if any(secret in literal for secret in secrets.anywhere):
        return True
    if path[0] != "providers" and "with" not in path:
        return False
    in_header = "headers" in path and SECRET_NAME.search(path[-1]) is not None and literal == value
    return in_header or literal in secrets.settings


def _note(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
