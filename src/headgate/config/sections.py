"""Objects as sections of a configuration: read from one, made into one, written for `headgate apply`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headgate.config.discover import discover
from headgate.config.document import Node, made, parse
from headgate.config.export import Exported
from headgate.config.interpolate import fill
from headgate.config.load import Loaded
from headgate.config.secrets import hash_key, is_reference
from headgate.config.stored import KINDS, LISTS, MAPPINGS, SEALED
from headgate.core.printable import printable
from headgate.store.objects import Stored
from headgate.store.sealing import is_sealed

Body = dict[str, Any]
Path = tuple[str | int, ...]

LOGINS = ("password_hash", "totp")
"""Of users, what they log in with: neither exported nor applied."""
_MARK = re.compile(r"\$(?=[${])")
"""A dollar sign that would be taken for the beginning of a variable."""


@dataclass(slots=True)
class Parts:
    """What is exported: of the store, with the places of what is sealed there, and of the file, as it is written."""

    document: dict[str, Any]
    sealed: list[Path] = field(default_factory=list)
    file: dict[str, Any] = field(default_factory=dict)
    variables: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def bodies(kind: str, section: Any) -> dict[str, Body]:
    """The objects of a section by their names, in their long form. Raises ValueError."""
    if section is None:
        return {}
    if kind in MAPPINGS and isinstance(section, dict):
        return {str(name): _whole(kind, name, body) for name, body in section.items()}
    if (
        kind in LISTS
        and isinstance(section, list)
        and all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in section)
    ):
        return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in section}
    expected = "a mapping of names" if kind in MAPPINGS else "a list of mappings with a `name`"
    raise ValueError(f"{kind}: expected {expected}")


def _whole(kind: str, name: str, body: Any) -> Body:
    if body is None or isinstance(body, dict):
        return body or {}
    if kind == "models":
        return {"targets": body if isinstance(body, list) else [body]}
    raise ValueError(f"{kind}.{name}: expected a mapping")


def hashed(body: Body) -> Body:
    """A key's entry with its hash in place of the key, as one in the store has it."""
    key = body.get("key")
    if not isinstance(key, str) or is_reference(key):
        return body
    kept = {name: value for name, value in body.items() if name != "key"}
    return {**kept, "key_hash": f"sha256:{hash_key(key)}"}


def filled(loaded: Loaded, environ: Mapping[str, str]) -> dict[str, dict[str, Body]]:
    """The objects of the file with its variables filled in, of keys the hashes; secrets stand in it."""
    found = made(discover(environ).document) if loaded.path is None else parse(loaded.path.read_bytes(), "")
    for _, node in found.scalars() if loaded.path is not None else ():
        if isinstance(node.value, str):
            node.value = fill(node.value, environ).text
    there = {kind: bodies(kind, _plain(found, kind)) for kind in KINDS}
    return {
        **there,
        "keys": {name: hashed(body) for name, body in there["keys"].items()},
        "users": {name: _without_logins(body) for name, body in there["users"].items()},
    }


def _without_logins(body: Body) -> Body:
    return {name: value for name, value in body.items() if name not in LOGINS}


def _plain(root: Node, kind: str) -> Any:
    node = root.at((kind,))
    return node.plain() if node is not None else None


def section(kind: str, named: Mapping[str, Body]) -> Any:
    """Objects as a section has them, in the order of their names; rules as they come, as their order counts."""
    names = list(named) if kind == "rules" else sorted(named)
    if kind in MAPPINGS:
        return {name: named[name] for name in names}
    return [{"name": name, **named[name]} for name in names]


def parts(objects: Iterable[Stored], of_file: Exported, *, whole: bool = False) -> Parts:
    """Of objects of the store, those that are in force, as the file does not name them; `whole`: and of the file.

    Every section is there, also without objects, so that what it has not is deleted where it is applied with `prune`.
    """
    filed = {kind: bodies(kind, of_file.document.get(kind)) for kind in KINDS}
    named: dict[str, dict[str, Body]] = {kind: {} for kind in KINDS}
    found = Parts({})
    for each in sorted(objects, key=lambda each: each.place):
        if each.kind in filed and each.name not in filed[each.kind]:
            body = _without_logins(each.body) if each.kind == "users" else each.body
            named[each.kind][each.name] = _told(body, (each.kind, each.name), found.sealed)
    found.document = {kind: section(kind, there) for kind, there in named.items()}
    found.sealed.sort(key=str)
    if whole:
        users = {name: _without_logins(body) for name, body in filed["users"].items()}
        found.file = of_file.document | ({"users": users} if users else {})
        found.variables, found.files = of_file.variables, of_file.files
    return found


def _told(value: Any, path: Path, sealed: list[Path]) -> Any:
    """A value in an order that stays, with its sealed secrets marked as such and their places noted."""
    if isinstance(value, dict):
        return {name: _told(value[name], (*path, name), sealed) for name in sorted(value)}
    if isinstance(value, list):
        return [_told(inner, (*path, index), sealed) for index, inner in enumerate(value)]
    if isinstance(value, str) and is_sealed(value):
        sealed.append(path)
        return SEALED
    return value


def written(found: Parts) -> Exported:
    """As a document whose variables are filled in where it is applied: one for each sealed secret, which stays as it
    is without it."""
    exported = Exported(found.file, list(found.variables), list(found.files))
    sealed, document = {*found.sealed}, dict[str, Any]()
    for kind in KINDS:
        of_store = {
            name if kind in MAPPINGS else _literal(name): _varied(body, (kind, name), sealed, exported)
            for name, body in bodies(kind, found.document.get(kind)).items()
        }
        document[kind] = _beside(kind, found.file.get(kind), section(kind, of_store))
    exported.document = document
    exported.variables += exported.named
    return exported


def _varied(value: Any, path: Path, sealed: Collection[Path], exported: Exported) -> Any:
    if isinstance(value, dict):
        return {name: _varied(inner, (*path, name), sealed, exported) for name, inner in value.items()}
    if isinstance(value, list):
        return [_varied(inner, (*path, index), sealed, exported) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    return f"${{{exported.variable(path)}:-{SEALED}}}" if path in sealed else _literal(value)


def _literal(text: str) -> str:
    """So that no variable is seen in it. Names of mappings are not looked at for any."""
    return _MARK.sub("$$", text)


def _beside(kind: str, of_file: Any, of_store: Any) -> Any:
    """A section of both; what stands in the file comes first where the order counts."""
    if not of_file:
        return of_store
    if kind in MAPPINGS:
        return dict(sorted({**of_file, **of_store}.items()))
    entries = [*of_file, *of_store]
    return entries if kind == "rules" else sorted(entries, key=lambda each: str(each["name"]))


def above(exported: Exported) -> str:
    """What is to be given where it is applied, as a comment."""
    needed = [f"set {name}" for name in exported.variables] + [f"take along {name}" for name in exported.files]
    return "".join(f"# {printable(each)}\n" for each in needed)
