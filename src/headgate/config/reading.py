"""One reading of one document: variables, secrets, types; what is wrong is collected on the way."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic import SecretStr

from headgate.alerts.channels.channel import Channel
from headgate.config import checks, compliance, state, stored
from headgate.config.alerts import AlertRule, ChannelEntry, ChannelTerms, Silence
from headgate.config.document import Node, made
from headgate.config.explain import explain, found
from headgate.config.identities import Application, Key, Organisation, Team, User
from headgate.config.interpolate import fill
from headgate.config.limits import Limit
from headgate.config.problems import ConfigError, Problem, dotted
from headgate.config.redaction import Redaction, masked, shown
from headgate.config.retention import Hold
from headgate.config.rules import Rule
from headgate.config.schema import Config, Stage
from headgate.config.secrets import SECRET_NAME, SecretError, follow, is_elsewhere, is_reference
from headgate.config.section import Section
from headgate.config.targets import Model, ProviderEntry, Target, in_full
from headgate.core.plugin import BARE, PACKAGE, PluginNotFound, names, suggestion
from headgate.core.plugin import load as load_plugin
from headgate.core.target import Terms, merged
from headgate.providers.provider import Provider
from headgate.secrets.references import Places, References
from headgate.secrets.settings import Sources
from headgate.secrets.source import Missed, read
from headgate.stages.policies.policy import Policy, settings_of

T = TypeVar("T", bound=pydantic.BaseModel)

SCRUBBED = 8
"""Characters a secret needs to be searched for in logs: shorter ones would hit ordinary words."""
NO_KEY = "none"
SECTIONS: Mapping[str, type[Section]] = {
    "organisations": Organisation,
    "teams": Team,
    "applications": Application,
    "users": User,
    "holds": Hold,
}
NAMED: Mapping[str, type[pydantic.BaseModel]] = {"alert_rules": AlertRule, "silences": Silence}
LISTED: Mapping[str, type[pydantic.BaseModel]] = {"keys": Key, "stages": Stage, "rules": Rule, "limits": Limit}
"""Sections whose entries are read as their type says."""
COMMAND_LINE = "command line"
CERTIFICATES = ("ca_file", "cert", "key")
"""Settings that name a file which must be there."""


def without(value: Any, unknown: Sequence[tuple[str | int, ...]]) -> Any:
    """`value`, a tree that is ours to change, less what stands at these places."""
    for *parents, last in unknown:
        place = value
        for part in parents:
            place = place[part]
        del place[last]
    return value


class Reading:
    """One reading of one document; collects what is wrong on the way."""

    def __init__(
        self,
        file: str,
        folder: Path,
        environ: Mapping[str, str],
        overrides: Mapping[str, Any],
        here: bool = False,
        held: stored.Held | None = None,
        references: References | None = None,
    ) -> None:
        self.held = held
        self.references = references
        """None: what is elsewhere is not asked for, and its reference stands in the secret's place."""
        self.referred: set[str] = set()
        """Those to secrets elsewhere that were met."""
        self._sources: Sources | None = None
        self.merged = stored.Merged()
        self.file = file
        self.here = here
        self.overrides = dict(overrides)
        self.folder = folder
        self.environ = environ
        self.root = made({})
        self.problems: list[Problem] = []
        self.followed_from = 0
        """Problems not told, as each only follows from one that is."""
        self.unfilled: set[int] = set()
        """The nodes (their ids) whose variables could not be put in."""
        self.kept: dict[str, list[int]] = {}
        """Where in the file's lists the entries stand that could be read."""
        self.files: set[Path] = set()
        self.secrets: set[str] = set()
        public = (*names("providers"), *names("stages.policies"), *Config.model_fields, PACKAGE)
        self.redaction = Redaction(public)

    def problem(self, path: Sequence[str | int], message: str, hint: str = "") -> None:
        path = self.root.located(path)
        if self.unfilled and any(id(self.root.at(path[:length])) in self.unfilled for length in range(len(path) + 1)):
            self.followed_from += 1
            return
        self.tell(path, message, hint)

    def tell(self, path: Sequence[str | int], message: str, hint: str) -> None:
        line, column = self.root.place(path)
        file = COMMAND_LINE if dotted(path) in self.overrides else self.file
        if not line and self.merged.stored:
            file, path = "store", self.by_name(path)
        place = dotted([masked(part) if isinstance(part, str) else part for part in path])
        self.problems.append(Problem(file, line, column, place, message, hint))

    def by_name(self, path: Sequence[str | int]) -> Sequence[str | int]:
        """A path into a list of the store's entries, which nobody has counted."""
        if len(path) > 1 and isinstance(path[1], int):
            name = self.root.at((*path[:2], "name"))
            if name is not None and isinstance(name.value, str):
                return (path[0], name.value, *path[2:])
        return path

    def wrong(self) -> int:
        """How much is wrong up to now."""
        return len(self.problems) + self.followed_from

    def stop_if_wrong(self) -> None:
        if self.problems:
            raise ConfigError(self.redaction.problems(self.problems))

    def fill(self) -> None:
        """Put the environment's variables into every text of the document (once where an alias repeats it)."""
        done: set[int] = set()
        for path, node in self.root.scalars():
            if id(node) in done or not isinstance(node.value, str):
                continue
            done.add(id(node))
            filled = fill(node.value, self.environ)
            node.value = filled.text
            for message, hint in filled.wrong:
                self.tell(path, message, hint)
                self.unfilled.add(id(node))
            for name in filled.names:
                self.redaction.know(self.environ[name], f"${{{name}}}")
                if SECRET_NAME.search(name):
                    self.secret(self.environ[name])

    def secret(self, value: str) -> None:
        self.redaction.know(value)
        if len(value) >= SCRUBBED:
            self.secrets.add(value)

    def override(self) -> None:
        for path, value in self.overrides.items():
            node = self.root
            *parents, last = path.split(".")
            for part in parents:
                below = node.value.get(part)
                if below is None or not isinstance(below.value, dict):
                    below = made({})
                    self.set(node, part, below)
                node = below
            self.set(node, last, made(value))

    def sources(self) -> Sources:
        """Where secrets are that are elsewhere; read before all else."""
        if self._sources is None:
            node, found = self.root.value.get("secrets"), None
            if node is not None and node.value is not None:
                found = self.read(Sources, node, ("secrets",))
            self._sources = found or Sources()
            self.readable(self._sources.vault, "ca_file", ("secrets", "vault"))
        return self._sources

    def ask_elsewhere(self) -> None:
        """For all that the document refers to, together: one that is not found here is asked for when it is met."""
        if self.references is None:
            return
        if self._sources is None:
            node = self.root.at(("upstream", "ca_file"))
            said = node.value if node is not None and isinstance(node.value, str) else None
            file = self.absolute(Path(said), ("upstream", "ca_file")) if said else None
            self.references.begin(Places(self.sources(), file))
        wanted = {
            node.value
            for path, node in self.root.scalars()
            if isinstance(node.value, str)
            and is_elsewhere(node.value)
            and any(part == "url" or SECRET_NAME.search(str(part)) for part in path)
        }
        self.references.ask(wanted)

    def set(self, node: Node, key: str, value: Node) -> None:
        assert node.keys is not None
        node.value[key] = value
        node.keys[key] = (value.line, value.column)

    def plugins_beside(self) -> None:
        """A plug-in may stand beside the configuration file; last in the path, so that it shadows nothing."""
        if str(self.folder) not in sys.path:
            sys.path.append(str(self.folder))

    def config(self) -> Config:
        """The parts that can be read; what cannot has become a problem and is left out."""
        parts: dict[str, Any] = {}
        for name, node in self.root.value.items():
            if name not in Config.model_fields:
                self.problem((name,), f"unknown key `{shown(name)}`", suggestion(name, list(Config.model_fields)))
            elif node.value is not None:
                part = self.section(name, node)
                if part is not None:
                    parts[name] = part
        config = Config.model_construct(**parts)
        self.targets(config)
        self.policies(config)
        config.data_dir = self.absolute(config.data_dir, ("data_dir",))
        if config.audit.checkpoint_file is not None:
            config.audit.checkpoint_file = self.absolute(config.audit.checkpoint_file, ("audit", "checkpoint_file"))
        self.readable(config.upstream, "ca_file", ("upstream",))
        self.readable(config.state, "ca_file", ("state",))
        self.readable(config.traces, "ca_file", ("traces",))
        if config.login.ldap is not None:
            self.readable(config.login.ldap, "ca_file", ("login", "ldap"))
        where = state.place(config.state)
        self.secret((where and where.password) or "")
        if config.catalogue.refresh is not None:
            self.readable(config.catalogue.refresh, "file", ("catalogue", "refresh"))
        self.sinks(config)
        if config.server.tls is not None:
            self.readable(config.server.tls, "cert", ("server", "tls"))
            self.readable(config.server.tls, "key", ("server", "tls"))
        compliance.apply(config, self.problem)
        return config

    def section(self, name: str, node: Node) -> Any:
        if name in LISTED:
            return self.sequence(node, name, LISTED[name])
        if name in NAMED:
            return self.mapping(node, name, lambda key, value: self.read(NAMED[name], value, (name, key)))
        match name:
            case "providers":
                return self.mapping(node, name, self.provider)
            case "models":
                return self.mapping(
                    node, name, lambda key, value: self.validate(Model, in_full(value.plain()), (name, key))
                )
            case "organisations" | "teams" | "applications" | "users" | "holds":
                return self.mapping(node, name, partial(self.person, name))
            case "channels":
                return self.mapping(node, name, self.channel)
            case "secrets":
                return self.sources()
            case "data_dir":
                if isinstance(node.value, str) and node.value and "\0" not in node.value:
                    return Path(node.value)
                self.problem((name,), f"expected a path, found {found(node)}")
                return None
            case "dialects" | "compliance":
                return self.paths(node, name)
        kind: Any = Config.model_fields[name].annotation
        return self.read(kind, node, (name,))

    def person(self, section: str, name: str, node: Node) -> Any:
        """An organisation, a team, an application, a user, a hold; without more than its name, too."""
        return self.validate(SECTIONS[section], {} if node.value is None else node.plain(), (section, name))

    def paths(self, node: Node, name: str) -> list[str] | None:
        if not isinstance(node.value, list):
            self.problem((name,), f"expected a list, found {found(node)}")
            return None
        self.kept[name] = [index for index, entry in enumerate(node.value) if isinstance(entry.value, str)]
        for index, entry in enumerate(node.value):
            if index not in self.kept[name]:
                self.problem((name, index), f"expected text, found {found(entry)}")
        return [node.value[index].value for index in self.kept[name]]

    def mapping(self, node: Node, name: str, read: Any) -> dict[str, Any] | None:
        if not isinstance(node.value, dict):
            self.problem((name,), f"expected a mapping (`name: value`), found {found(node)}")
            return None
        read_in = {key: read(key, value) for key, value in node.value.items()}
        return {key: value for key, value in read_in.items() if value is not None}

    def sequence(self, node: Node, name: str, kind: type[T]) -> list[T] | None:
        if not isinstance(node.value, list):
            self.problem((name,), f"expected a list, found {found(node)}")
            return None
        read_in = [(index, self.read(kind, value, (name, index))) for index, value in enumerate(node.value)]
        self.kept[name] = [index for index, value in read_in if value is not None]
        return [value for _, value in read_in if value is not None]

    def read(self, kind: type[T], node: Node, path: tuple[str | int, ...]) -> T | None:
        """A part of the document as its type says, its secrets followed; None when it is wrong."""
        return self.validate(kind, node.plain(), path)

    def validate(self, kind: type[T], value: Any, path: tuple[str | int, ...]) -> T | None:
        before = self.wrong()
        try:
            part = kind.model_validate(value)
        except pydantic.ValidationError as errors:
            told = errors.errors(include_url=False, include_input=False)
            for error in told:
                place = (*path, *error["loc"])
                self.problem(place, *explain(error, kind, self.root.at(self.root.located(place))))
            unknown = [error["loc"] for error in told if error["type"] == "extra_forbidden"]
            if len(unknown) < len(told):
                return None
            # without its unknown keys the part can be read, and what else is wrong with it told in the same run
            return self.validate(kind, without(value, unknown), path)
        self.follow(part, path)
        return part if self.wrong() == before else None

    def follow(self, part: pydantic.BaseModel, path: tuple[str | int, ...]) -> None:
        """Resolve every secret inside a part that was read."""
        for name, field in type(part).model_fields.items():
            value, place = getattr(part, name), (*path, field.alias or name)
            if isinstance(value, SecretStr):
                setattr(part, name, SecretStr(self.followed(value.get_secret_value(), place)))
            elif isinstance(value, pydantic.BaseModel):
                self.follow(value, place)
            elif isinstance(value, list):
                for index, inner in enumerate(value):
                    if isinstance(inner, pydantic.BaseModel):
                        self.follow(inner, (*place, index))
            elif name == "headers" and isinstance(value, dict):
                for header, text in value.items():
                    if isinstance(text, SecretStr):
                        value[header] = self.header(text, (*place, header))
                    elif SECRET_NAME.search(header):
                        self.secret(text)

    def header(self, value: SecretStr, path: tuple[str | int, ...]) -> SecretStr:
        """One that may be a secret."""
        text = value.get_secret_value()
        secret = is_reference(text) or SECRET_NAME.search(str(path[-1]))
        return SecretStr(self.followed(text, path)) if secret else value

    def followed(self, text: str, path: tuple[str | int, ...]) -> str:
        elsewhere = self.references if path[0] != "secrets" else None
        if is_elsewhere(text) and path[0] != "secrets":
            self.referred.add(text)
            if elsewhere is None:
                return self.unfollowed(text, path)
        if is_reference(text):
            try:
                text, file = follow(text, self.environ, self.folder, elsewhere)
            except SecretError as error:
                self.problem(path, error.message, error.hint)
                return ""
            if file is not None:
                self.files.add(file.absolute())
            self.redaction.know(text)
        node = self.root.at(path)
        source = f" (from {node.text})" if node and ("${" in node.text or is_reference(node.text)) else ""
        if not text:
            none = f", or write `{NO_KEY}` where the host wants none" if path[-1] == "api_key" else ""
            self.problem(path, f"`{path[-1]}` is empty{source}", f"give the secret{none}")
        elif path[-1] != "password" and (
            not (text.isascii() and text.isprintable()) or (" " in text and path[-2] != "headers")
        ):
            hint = "a line break, a space or a letter outside ASCII came with it"
            what = "is not a URL" if path[-1] == "url" else "cannot be sent in a header"
            self.problem(path, f"`{path[-1]}` {what}{source}", hint)
        elif text != NO_KEY:
            self.secret(text)
        return text

    def unfollowed(self, reference: str, path: tuple[str | int, ...]) -> str:
        """A reference in its secret's place, if it is one."""
        try:
            read(reference)
        except Missed as missed:
            self.problem(path, missed.message, missed.hint)
        return reference

    def provider(self, name: str, node: Node) -> ProviderEntry | None:
        path = ("providers", name)
        value = {} if node.value is None else node.plain()
        if not isinstance(value, dict):
            self.problem(path, f"expected a mapping (`name: value`), found {found(node, secret=True)}")
            return None
        kind = value.pop("kind", None)
        if kind is not None and not isinstance(kind, str):
            self.problem((*path, "kind"), f"expected text, found {found(node.at(('kind',)))}")
            return None
        if id(node.at(("kind",))) in self.unfilled:
            return None
        try:
            loaded: type[Provider] = load_plugin("providers", kind or name, Provider)
        except PluginNotFound as error:
            self.unknown_kind(path, kind, error)
            return None
        own = value.get("base_url") is None
        if own:
            usual = {name: self.environ.get(variable) for name, variable in loaded.usual.items()}
            value = {**{name: said for name, said in usual.items() if said}, **value}
        settings = self.validate(loaded.Settings, value, path)
        if settings is None:
            return None
        key = next(filter(None, map(self.environ.get, loaded.env_keys())), None)
        if settings.api_key is None and not settings.api_keys and own and key:
            settings.api_key = SecretStr(key)
            self.follow(settings, path)
        return ProviderEntry(kind=kind or name, type=loaded, settings=settings)

    def channel(self, name: str, node: Node) -> ChannelEntry | None:
        """Its terms, and the settings of its kind, which stand beside them."""
        path = ("channels", name)
        value = {} if node.value is None else node.plain()
        if not isinstance(value, dict):
            self.problem(path, f"expected a mapping (`name: value`), found {found(node, secret=True)}")
            return None
        known = {field.alias or own for own, field in ChannelTerms.model_fields.items()}
        said = {"kind": name, **{key: value.pop(key) for key in known & value.keys()}}
        terms = self.validate(ChannelTerms, said, path)
        if terms is None:
            return None
        try:
            kind = load_plugin("alerts.channels", terms.kind, Channel)
        except PluginNotFound as error:
            written = shown(self.root.written((*path, "kind"), terms.kind))
            self.problem((*path, "kind"), *checks.unloadable(error, terms.kind, written))
            return None
        settings = self.validate(kind.Settings, value, path)
        return None if settings is None else ChannelEntry(terms=terms, type=kind, settings=settings)

    def targets(self, config: Config) -> None:
        """Targets with settings of their own get a provider of their own."""
        for name, model in config.models.items():
            for place, target in model.places():
                self.vary(config, ("models", name, *place), target)
        for index, rule in zip(self.kept.get("rules", ()), config.rules, strict=True):
            for number, target in enumerate(rule.targets or ()):
                self.vary(config, ("rules", index, "targets", number), target)

    def vary(self, config: Config, path: tuple[str | int, ...], target: Target) -> None:
        entry = config.providers.get(target.model.partition("/")[0])
        if target.settings and entry is not None:
            target._provider = self.varied(entry, target.settings, (*path, "with"))

    def varied(self, entry: ProviderEntry, settings: dict[str, Any], place: tuple[str | int, ...]) -> ProviderEntry:
        given = merged(entry.settings.model_dump(exclude_unset=True, by_alias=True), settings)
        found = self.validate(type(entry.settings), given, place)
        return entry if found is None else entry.model_copy(update={"settings": found})

    def policies(self, config: Config) -> None:
        """The settings of policies that have a class for them; what else may be wrong is told by the checks."""
        for name, model in config.models.items():
            self.policy(("models", name, "policy"), model)
        for index, rule in zip(self.kept.get("rules", ()), config.rules, strict=True):
            given = config.given(rule, rule.models[0])
            if rule.policy is not None and given is not None:
                self.policy(("rules", index, "policy"), given)

    def policy(self, path: tuple[str | int, ...], model: Model) -> None:
        try:
            own = settings_of(load_plugin("stages.policies", model.policy.use, Policy))  # type: ignore[type-abstract]
        except PluginNotFound:
            return
        settings = self.validate(own, model.policy.settings, (*path, "with")) if own is not None else None
        if settings is not None:
            wrong = settings.objection([Terms(target.weight, target.quality) for target in model.targets])
            if wrong:
                self.problem(path, f"the policy {model.policy.use} makes no sense here: {wrong}")

    def unknown_kind(self, path: tuple[str, str], kind: str | None, error: PluginNotFound) -> None:
        name = kind or path[1]
        place = (*path, "kind")
        written = shown(self.root.written(place, name))
        hint = suggestion(name, names("providers"))
        if not kind:
            end = "" if hint.endswith("?") else "."
            self.problem(
                path, f"there is no kind of provider `{written}`", f"{hint}{end} Or say what it is with `kind:`"
            )
        elif BARE.match(kind):
            self.problem(place, f"there is no kind of provider `{written}`", hint)
        else:
            self.problem(place, *checks.unloadable(error, kind, written))

    def sinks(self, config: Config) -> None:
        """Files of theirs are those beside the configuration; certificates are read."""
        for index, entry in enumerate(config.records.sinks):
            path = ("records", "sinks", index)
            for name, value in entry:
                if isinstance(value, Path) and name in CERTIFICATES:
                    self.readable(entry, name, path)
                elif isinstance(value, Path):
                    setattr(entry, name, self.absolute(value, (*path, name)))

    def readable(self, part: pydantic.BaseModel, name: str, path: tuple[str | int, ...]) -> None:
        """Make a file's path absolute, and see that the file can be read."""
        given = getattr(part, name)
        if given is None:
            return
        place = (*path, name)
        file = self.absolute(given, place)
        setattr(part, name, file)
        written = self.root.written(place, str(given))
        where = file if written == str(given) else written
        try:
            with file.open("rb"):
                self.files.add(file.absolute())
        except OSError as error:
            self.problem(place, f"{where} cannot be read: {error.strerror}", "check the path")
        except ValueError:
            self.problem(place, "not a path: there is a null character in it", "remove it")

    def absolute(self, given: Path, path: Sequence[str | int]) -> Path:
        """A path of the file, which is relative to its folder; `~` is the home directory."""
        try:
            return self.folder / given.expanduser()
        except RuntimeError:
            self.problem(path, "`~` stands for a user without a home directory", "write the path in full")
            return self.folder / given
