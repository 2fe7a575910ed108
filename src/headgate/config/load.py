"""Reads the configuration: file or discovery, variables, secrets, types, cross checks; all that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from headgate.config import checks, discover, identities, records, stored, surroundings
from headgate.config.admin_key import VARIABLE as ADMIN_VARIABLE
from headgate.config.document import MAX_BYTES, Node, made, parse
from headgate.config.explain import found
from headgate.config.guard_checks import makeable
from headgate.config.guards import GuardPolicy
from headgate.config.problems import ConfigError, Problem
from headgate.config.reading import Reading
from headgate.config.redaction import Redaction
from headgate.config.schema import Config
from headgate.config.sinks import searched
from headgate.config.warnings import ending, warnings
from headgate.records.clickhouse import ClickHouseSettings
from headgate.secrets.references import References
from headgate.store.sealing import KEEPERS

PROOFS = (
    "HEADGATE_SECRET_KEY", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET",
)  # fmt: skip
"""Variables that hold what proves to others who we are, and that no configuration need name."""


@dataclass(slots=True, frozen=True)
class Loaded:
    """A configuration that can be used, and where it came from."""

    config: Config
    path: Path | None
    """The file; None when nothing but the environment was read."""
    warnings: Sequence[str]
    reasons: Sequence[str]
    """Without a file: sentences that say what was found and taken."""
    sample: str | None
    """A model to try, for the line printed at the start."""
    files: frozenset[Path]
    """Every file that was read: a change of one is a reason to load again."""
    secrets: frozenset[str]
    """Strings that must not appear in a log."""
    overrides: Mapping[str, Any]
    held: stored.Held
    """What was in the store."""
    merged: stored.Merged
    """What of it is in force."""
    references: References | None
    """What asks for secrets elsewhere; None: nobody does, and the references stand in their place."""
    referred: frozenset[str]
    """The references to them."""

    def again(self, environ: Mapping[str, str], held: stored.Held | None = None) -> Loaded:
        """The same, read anew; with what is `held` in place of what is in the store. Raises ConfigError."""
        if self.path is None:
            return _discovered(environ, self.overrides, held=held, references=self.references)
        return load(self.path, environ, self.overrides, held=held, references=self.references)


def load(
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    *,
    here: bool = False,
    held: stored.Held | None = None,
    references: References | None = None,
) -> Loaded:
    """Read the file at `path`; without one $HEADGATE_CONFIG, ./headgate.yaml or ./headgate.yml, else discover.

    `overrides` are values of the command line by their dotted path (`server.port`). `here` looks, too, at whether this
    machine has what the configuration needs (surroundings.py), which may ask its name server. `held` takes the place of
    what is in the store. `references` asks for secrets elsewhere; without it, nobody does. Raises ConfigError.
    """
    path = path or discover.default_path(environ, Path.cwd())
    if path is None:
        return _discovered(environ, overrides or {}, here, held, references)
    path = path.absolute()
    reading = Reading(str(_shown(path)), path.parent, environ, overrides or {}, here, held, references)
    reading.root = _parsed(path, reading.file)
    reading.files.add(path)
    return _finish(reading, path)


def _discovered(
    environ: Mapping[str, str],
    overrides: Mapping[str, Any],
    here: bool = False,
    held: stored.Held | None = None,
    references: References | None = None,
) -> Loaded:
    found_there = discover.discover(environ)
    reading = Reading("environment", Path.cwd(), environ, overrides, here, held, references)
    reading.root = made(found_there.document)
    return _finish(reading, None, found_there.reasons, found_there.sample)


class Places(NamedTuple):
    """Where the data directory is, and the database of records (None: there is none); `search`: what is searched
    instead."""

    data_dir: Path
    records: str | None
    search: ClickHouseSettings | None = None


PLACES = ("data_dir", "records", "store", "reports")
"""Sections that say so."""
ELSEWHERE = ("secrets", "upstream")
"""Sections that say how secrets elsewhere are asked for."""


def places(path: Path | None, environ: Mapping[str, str], references: References | None = None) -> Places:
    """Where data are, whatever else is wrong with the configuration; see `placed`."""
    return places_of(placed(path, environ, references))


def placed(path: Path | None, environ: Mapping[str, str], references: References | None = None) -> Config:
    """A configuration of which only those sections are read that say where data are (for commands that need only this).

    Without `references`, a database whose URL is kept elsewhere is not known. Raises ConfigError where the file is not
    YAML or a section that matters cannot be read.
    """
    path = path or discover.default_path(environ, Path.cwd())
    if path is None:
        return Config(data_dir=Path.cwd() / Config().data_dir)
    path = path.absolute()
    reading = Reading(str(_shown(path)), path.parent, environ, {}, references=references)
    root = _parsed(path, reading.file)
    wanted = PLACES if references is None else (*PLACES, *ELSEWHERE)
    nodes = {name: node for name in wanted if (node := root.at((name,))) is not None}
    _without_sinks(nodes.get("records"))
    reading.root = Node(nodes, 1, 1, keys=root.keys) if nodes else made({})
    reading.fill()
    reading.ask_elsewhere()
    config = reading.config()
    records.check(config.records, reading.problem)
    reading.stop_if_wrong()
    return config


def guards(path: Path, environ: Mapping[str, str]) -> dict[str, GuardPolicy]:
    """The policies of a file, whatever else stands in it. Raises ConfigError."""
    path = path.absolute()
    reading = Reading(str(_shown(path)), path.parent, environ, {})
    root = _parsed(path, reading.file)
    node = root.at(("guards",))
    reading.root = Node({"guards": node}, 1, 1, keys=root.keys) if node is not None else made({})
    reading.fill()
    reading.plugins_beside()
    read = reading.config().guards
    for name, policy in read.items():
        makeable(("guards", name), policy, reading.problem)
    reading.stop_if_wrong()
    return read


def _without_sinks(node: Node | None) -> None:
    """But for the one that is searched in: what else is said of them is not needed."""
    if node is None or not isinstance(node.value, dict):
        return
    search, sinks = node.at(("search",)), node.at(("sinks",))
    if sinks is None or not isinstance(sinks.value, list):
        return
    wanted = search.value if search is not None else None
    sinks.value = [each for each in sinks.value if wanted in _names(each)]


def _names(sink: Node) -> list[Any]:
    return [found.value for name in ("name", "kind") if (found := sink.at((name,))) is not None]


def places_of(config: Config) -> Places:
    url = records.url(config.records, config.store.url, config.data_dir)
    return Places(config.data_dir, url, searched(config.records.sinks, config.records.search))


def places_in(data_dir: Path) -> Places:
    """Those of a data directory of which nothing else is said."""
    return places_of(Config(data_dir=data_dir))


def _parsed(path: Path, name: str) -> Node:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "check the path, or start without a file" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}", hint)]) from error
    try:
        return parse(data, name)
    except ConfigError as error:
        raise ConfigError(Redaction().problems(error.problems)) from None


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _finish(reading: Reading, path: Path | None, reasons: Sequence[str] = (), sample: str | None = None) -> Loaded:
    if not isinstance(reading.root.value, dict):
        reading.problem((), f"expected a mapping (`name: value`), found {found(reading.root)}")
        reading.stop_if_wrong()
    if path is not None:
        reading.fill()
        reading.plugins_beside()
    reading.override()
    reading.ask_elsewhere()
    reading.held, reading.merged = stored.combined(
        reading.root, reading.folder, reading.environ, reading.held, reading.references, reading.problem, reading.secret
    )
    if reading.merged.stored:
        reading.ask_elsewhere()
    for variable in (ADMIN_VARIABLE, *PROOFS):
        for value in reading.environ.get(variable, "").split():
            if value.partition(":")[0] not in KEEPERS:  # where a key is that nobody is given is told
                reading.secret(value)
    config = reading.config()
    identities.born(config.people, config.keys, reading.held.objects, reading.merged.stored)
    checks.check(config, reading.root, reading.problem, reading.kept, reading.merged.stored)
    if reading.here:
        surroundings.check(config, reading.environ, reading.problem)
    reading.stop_if_wrong()
    said = [reading.redaction.clean(warning) for warning in (*warnings(config), *ending(config, datetime.now(UTC)))]
    said += stored.warnings(reading.held, reading.merged)
    files, secrets = frozenset(reading.files), frozenset(reading.secrets)
    return Loaded(
        config, path, said, reasons, sample, files, secrets, reading.overrides, reading.held, reading.merged,
        reading.references, frozenset(reading.referred),
    )  # fmt: skip
