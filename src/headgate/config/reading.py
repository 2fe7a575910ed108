"""One reading of one document: variables, secrets, types; what is wrong is collected on the way."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pydantic
from pydantic import SecretStr

from headgate.alerts.channels.channel import Channel
from headgate.config import compliance, preset_guards, provider_checks, state, stored
from headgate.config.alerts import AlertRule, ChannelEntry, ChannelTerms, Silence
from headgate.config.clauses import Clause
from headgate.config.document import Node, made
from headgate.config.explain import found
from headgate.config.following import Following
from headgate.config.guards import GuardPolicy
from headgate.config.identities import Application, Key, Organisation, Team, User
from headgate.config.interpolate import fill
from headgate.config.limits import Limit
from headgate.config.redaction import shown
from headgate.config.retention import Hold
from headgate.config.rules import Rule
from headgate.config.schema import Config, Stage
from headgate.config.secrets import SECRET_NAME
from headgate.config.section import Section
from headgate.config.targets import Model, ProviderEntry, Target, in_full
from headgate.core.plugin import BARE, PluginNotFound, names, suggestion
from headgate.core.plugin import load as load_plugin
from headgate.core.target import Terms, merged
from headgate.providers.provider import Provider
from headgate.secrets.references import References
from headgate.stages.guards.guard import Guard
from headgate.stages.policies.policy import Policy, settings_of

T = TypeVar("T", bound=pydantic.BaseModel)

SECTIONS: Mapping[str, type[Section]] = {
    "organisations": Organisation,
    "teams": Team,
    "applications": Application,
    "users": User,
    "holds": Hold,
}
NAMED: Mapping[str, type[pydantic.BaseModel]] = {"alert_rules": AlertRule, "silences": Silence, "guards": GuardPolicy}
LISTED: Mapping[str, type[pydantic.BaseModel]] = {
    "keys": Key, "stages": Stage, "rules": Rule, "limits": Limit, "clauses": Clause,
}  # fmt: skip
"""Sections whose entries are read as their type says."""
CERTIFICATES = ("ca_file", "cert", "key")
"""Settings that name a file which must be there."""


class Reading(Following):
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
        super().__init__(file, folder, environ, overrides, references)
        self.held = held
        self.here = here
        self.kept: dict[str, list[int]] = {}
        """Where in the file's lists the entries stand that could be read."""

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
        preset_guards.add(config)
        self.guards(config)
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
            kind = load_plugin("alerts.channels", terms.kind, Channel)  # type: ignore[type-abstract]  # python/mypy#4717
        except PluginNotFound as error:
            written = shown(self.root.written((*path, "kind"), terms.kind))
            self.problem((*path, "kind"), *provider_checks.unloadable(error, terms.kind, written))
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

    def guards(self, config: Config) -> None:
        """The settings of guards, whose files are those beside the configuration; a policy whose guard is not there, or
        cannot be told that, is left out."""
        for name, policy in list(config.guards.items()):
            path = ("guards", name)
            try:
                policy._type = load_plugin("stages.guards", policy.use, Guard)  # type: ignore[type-abstract]
            except PluginNotFound as error:
                written = shown(self.root.written((*path, "use"), policy.use))
                self.problem((*path, "use"), *provider_checks.unloadable(error, policy.use, written))
                policy._type = Guard  # type: ignore[type-abstract]
            policy._read = self.validate(policy.type.Settings, policy.settings, (*path, "with"))
            if policy._read is None or policy.type is Guard:
                del config.guards[name]
                continue
            for field, value in policy._read:
                if isinstance(value, Path):
                    setattr(policy._read, field, self.absolute(value, (*path, "with", field)))

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
            self.problem(place, *provider_checks.unloadable(error, kind, written))

    def sinks(self, config: Config) -> None:
        """Files of theirs are those beside the configuration; certificates are read."""
        for index, entry in enumerate(config.records.sinks):
            path = ("records", "sinks", index)
            for name, value in entry:
                if isinstance(value, Path) and name in CERTIFICATES:
                    self.readable(entry, name, path)
                elif isinstance(value, Path):
                    setattr(entry, name, self.absolute(value, (*path, name)))
