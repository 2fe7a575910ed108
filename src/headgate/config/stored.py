"""Objects of the store become part of the configuration, as if they stood in its file: one model, one validation.

What stands in the file counts; the store adds what the file does not name.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, SecretStr

from headgate.config.document import Node, made
from headgate.config.secrets import SecretError, follow, is_elsewhere, is_reference
from headgate.config.section import Section
from headgate.secrets.references import References
from headgate.store.database import StoreAway, connect
from headgate.store.migrations import migrate
from headgate.store.objects import Objects, Stored
from headgate.store.sealing import Keyring, NotAsked, Seal, Unsealable, is_sealed

MAPPINGS = (
    "providers", "models", "organisations", "teams", "applications", "users", "alert_rules", "channels", "silences",
    "holds",
)  # fmt: skip
LISTS = ("keys", "limits", "rules", "clauses")
"""Sections whose entries may stand in the store; of the second kind, each has its `name` inside."""
KINDS = (*MAPPINGS, *LISTS)
DATA_DIR = ".headgate"
"""Where no other is said."""
FILE, COPY = "headgate.db", "store.json"
"""In the data directory: the store where no other is configured, and what was in it when it was last read."""
SEALED = "(sealed)"
"""What stands for a secret that is there; written back, it leaves the secret as it is."""
PLUGINS = frozenset({"kind", "use", "speaks"})
"""Keys whose values may name a module: in the store, only one of ours."""

Tell = Callable[[Sequence[str | int], str, str], None]


class Store(Section):
    """Where objects are kept that are changed while the gateway runs, through the admin API or the command line."""

    url: SecretStr | None = Field(
        None,
        description="`postgresql://user:password@host/database`, which several machines can share, or "
        "`sqlite:///path`. Left out: `headgate.db` in `data_dir`.",
    )


class Held(NamedTuple):
    """What was in the store."""

    revision: int = 0
    objects: Sequence[Stored] = ()
    away: str | None = None
    """Why it could not be read, and this is what was in it before."""


NOTHING = Held()


def url(data_dir: Path, configured: str | None) -> str:
    return configured or f"sqlite:///{data_dir / FILE}"


def there(data_dir: Path, configured: str | None) -> bool:
    """Whether there is a store at all: a file is made when something is written."""
    return configured is not None or os.path.exists(data_dir / FILE)  # raises nothing


def read(data_dir: Path, configured: str | None) -> Held:
    """What is in the store; what was in it, where it cannot be reached. Raises ValueError, StoreAway.

    It runs a loop of its own, so that it is for where none runs.
    """
    if not there(data_dir, configured):
        return NOTHING
    try:
        held = asyncio.run(_read(url(data_dir, configured)))
    except StoreAway as away:
        before = _copy(data_dir / COPY)
        if before is None:
            raise
        return before._replace(away=str(away))
    _keep(data_dir / COPY, held)
    return held


async def _read(where: str) -> Held:
    database = connect(where)
    try:
        await migrate(database)
        return Held(*await Objects(database).all())
    finally:
        await database.close()


def _keep(path: Path, held: Held) -> None:
    """Secrets are sealed in it as they are in the store."""
    text = json.dumps({"revision": held.revision, "objects": held.objects})
    with suppress(OSError):  # it is for an outage; the data directory's other files tell of a full disk
        if path.exists() and path.read_text("utf-8") == text:
            return
        new = path.with_suffix(f".{os.getpid()}.new")
        with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)


def _copy(path: Path) -> Held | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        return Held(found["revision"], [Stored(*each) for each in found["objects"]])
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Merged(NamedTuple):
    """`stored`: which objects of the store are in force. `shadowed`: which are not, as the file names them, too."""

    stored: frozenset[tuple[str, str]] = frozenset()
    shadowed: frozenset[tuple[str, str]] = frozenset()


def merge(root: Node, held: Held, opener: Opener, tell: Tell, secret: Callable[[str], None]) -> Merged:
    """Put the objects into a document. `secret` is told of each that was opened."""
    stored, shadowed = set(), set()
    for each in sorted(held.objects, key=lambda each: each.place):
        if each.kind not in KINDS:
            continue
        place = (each.kind, each.name)
        section = _section(root, each.kind)
        if section is None:
            continue  # the file's own section is wrong, which is told
        if _named(section, each.name):
            shadowed.add(place)
            continue
        for key in _plugins(each.body):
            tell(place, f"`{key}` in the store must be one of Headgate's own, not a path to code", "say it in the file")
        body = _opened(each.body, place, opener, tell, secret)
        if isinstance(section.value, dict):
            section.value[each.name] = made(body)
            if section.keys is not None:
                section.keys[each.name] = (0, 0)
        else:
            section.value.append(made({**body, "name": each.name}))
        stored.add(place)
    return Merged(frozenset(stored), frozenset(shadowed))


def _section(root: Node, kind: str) -> Node | None:
    """The section, made where it is not there; None where it is not what it should be."""
    section: Node | None = root.value.get(kind)
    if section is None or section.value is None:
        section = root.value[kind] = made({} if kind in MAPPINGS else [])
        if root.keys is not None:
            root.keys[kind] = (0, 0)
    return section if isinstance(section.value, dict if kind in MAPPINGS else list) else None


def _named(section: Node, name: str) -> bool:
    if isinstance(section.value, dict):
        return name in section.value
    names = (entry.value.get("name") for entry in section.value if isinstance(entry.value, dict))
    return any(node is not None and node.value == name for node in names)


def _plugins(value: Any) -> Iterator[str]:
    """Keys inside a body that name somebody else's code."""
    if isinstance(value, dict):
        for key, inner in value.items():
            named = inner if isinstance(inner, list) else [inner]
            if key in PLUGINS and any(isinstance(each, str) and ("." in each or ":" in each) for each in named):
                yield key
            if key == "policy" and isinstance(inner, str) and ("." in inner or ":" in inner):
                yield key
            yield from _plugins(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _plugins(inner)


def combined(
    root: Node,
    base: Path,
    environ: Mapping[str, str],
    held: Held | None,
    references: References | None,
    tell: Tell,
    secret: Callable[[str], None],
) -> tuple[Held, Merged]:
    """What is in the store that a document (whose paths are relative to `base`) names, put into the document.

    Where the store itself is said elsewhere, and nobody asks (no `references`), it is left out.
    """
    said, where = root.at(("data_dir",)), root.at(("store", "url"))
    configured = where.value if where is not None and isinstance(where.value, str) else None
    try:
        data_dir = (
            base / Path(said.value if said is not None and isinstance(said.value, str) else ".headgate").expanduser()
        )
        if held is None:
            if configured is not None and is_elsewhere(configured) and references is None:
                return NOTHING, Merged()
            if configured is not None and is_reference(configured):
                configured = follow(configured, environ, base, references)[0]
            held = read(data_dir, configured)
    except RuntimeError:  # a home directory that there is not, which is told of `data_dir` itself
        return NOTHING, Merged()
    except (StoreAway, ValueError, SecretError) as error:
        tell(("store", "url") if configured else ("data_dir",), f"the store cannot be read: {error}", "")
        return NOTHING, Merged()
    return held, merge(root, held, Opener(Keyring(data_dir, environ, references)), tell, secret)


def warnings(held: Held, merged: Merged) -> Iterator[str]:
    """What is so, and should not stay so."""
    for kind, name in sorted(merged.shadowed):
        yield f"{kind}/{name} of the store is not in force, as the file has it, too"
    if held.away is not None:
        yield f"the store is away, and what was in it before is used: {held.away}"


class Opener:
    """Finds the key when the first secret needs it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._seal: Seal | None = None

    def open(self, sealed: str, place: str) -> str:
        if self._seal is None:
            self._seal = self._keyring.seal()
        return self._seal.open(sealed, place)


def resealed(body: dict[str, Any], kind: str, name: str, seal: Seal) -> tuple[dict[str, Any], int]:
    """A body with its secrets sealed with the key in use, and how many were not. Raises Unsealable."""
    count = 0

    def anew(sealed: str, place: str) -> str:
        nonlocal count
        if seal.current(sealed):
            return sealed
        try:
            secret = seal.open(sealed, place)
        except Unsealable as error:
            raise Unsealable(f"{place}: {error}") from None
        count += 1
        return seal.seal(secret, place)

    found = _with_secrets(body, f"{kind}/{name}", anew)
    return found, count


def _opened(
    body: dict[str, Any], at: tuple[str, str], opener: Opener, tell: Tell, secret: Callable[[str], None]
) -> Any:
    """A body with its secrets in clear."""

    def clear(sealed: str, place: str) -> str:
        try:
            found = opener.open(sealed, place)
        except NotAsked:
            return sealed
        except Unsealable as error:
            tell(at, str(error), "")
            return sealed
        secret(found)
        return found

    return _with_secrets(body, "/".join(at), clear)


def _with_secrets(value: Any, place: str, change: Callable[[str, str], str]) -> Any:
    """With what `change` makes of each sealed secret at its place, which all entries of a list share."""
    if isinstance(value, dict):
        return {key: _with_secrets(inner, f"{place}/{key}", change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_secrets(inner, place, change) for inner in value]
    return change(value, place) if isinstance(value, str) and is_sealed(value) else value
