"""What only the whole configuration shows: names that stand for nothing, keys that are equal or easy to guess."""

from __future__ import annotations

import inspect
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from headgate.catalog.catalogue import assemble
from headgate.catalog.shelf import kinds as bundled_kinds
from headgate.config import (
    alerts,
    authentication_checks,
    caching,
    fairness,
    guard_checks,
    identities,
    limit_checks,
    login,
    matching,
    payloads,
    records,
    retention,
    semantic,
    state,
    surrogates,
    traces,
)
from headgate.config.catalogue_settings import CatalogueRefresh
from headgate.config.document import Node, Path
from headgate.config.identities import Grants, Key
from headgate.config.provider_checks import ProviderChecks, Tell, names_of, wrong_url
from headgate.config.redaction import shown
from headgate.config.rules import Rule
from headgate.config.schema import Config, is_loopback
from headgate.config.secrets import SHORT_KEY, well_known, well_known_hash
from headgate.config.targets import Model, Target
from headgate.config.targets import Policy as ConfiguredPolicy
from headgate.core.caller import EVERYTHING
from headgate.core.plugin import PluginNotFound, load, suggestion
from headgate.stages.policies.policy import Policy, settings_of
from headgate.stages.rules.expression import Wrong
from headgate.stages.stage import Stage

ADMIN = "admin"
MODEL_FORM = "write provider/model"
KEY_ADVICE = "make one with `headgate key new`"
NUMERIC = re.compile(r"[0-9.]+\Z|.*:.*", re.DOTALL)
"""What can only be meant as an IP address, as no host's name is all digits or holds a colon."""


def check(
    config: Config,
    root: Node,
    tell: Tell,
    kept: Mapping[str, Sequence[int]],
    of_store: frozenset[tuple[str, str]] = frozenset(),
) -> None:
    """Tell everything that is wrong across the parts that could be read; `root` names those that could not.

    `kept` says for every list of `config` where its entries stand in the file, `of_store` which objects do not.
    """
    checks = _Checks(config, root, tell, kept)
    checks.providers_()
    checks.models_()
    checks.rules_()
    checks.keys_()
    identities.check(config.people, checks.keys, tell)
    authentication_checks.check(config, tell)
    login.check(config.login, config.users, tell)
    places: list[Path] = [("limits", index) for index in kept.get("limits", ())]
    limit_checks.check(config, list(zip(places, config.limits, strict=True)), checks.keys, tell, checks.allowed)
    guard_checks.check(config, tell, checks.allowed)
    for index, stage in zip(kept.get("stages", ()), config.stages, strict=True):
        checks.stage(index, stage.use, stage.settings)
    for index, path in zip(kept.get("dialects", ()), config.dialects, strict=True):
        checks.dialect(("dialects", index), path)
    checks.catalogue()
    checks.listeners()
    state.check(config.state, tell)
    semantic.check(config, tell, checks.embeds, checks.allowed)
    caching.check(config.cache, tell, state=config.state.url is not None)
    surrogates.check(config.surrogates, tell, state=config.state.url is not None, workers=config.server.workers)
    records.check(config.records, tell)
    fairness.check(config, tell, checks.allowed, checks.ruled)
    if config.keeps:
        payloads.check(config.payloads, tell)
    traces.check(config.traces, tell)
    alerts.check(config, of_store, tell)
    retention.check(config.holds, tell)


class _Checks(ProviderChecks):
    """One round of checks."""

    def __init__(self, config: Config, root: Node, tell: Tell, kept: Mapping[str, Sequence[int]]) -> None:
        super().__init__(config, root, tell)
        self.kept = kept
        self.aliases = names_of(root, "models")
        self.ruled = {name for rule in config.rules for name in rule.models}
        places: list[Path] = [("keys", index) for index in kept.get("keys", ())]
        self.keys = list(zip(places, config.keys, strict=True))

    def models_(self) -> None:
        for alias in self.aliases:
            self.alias(alias)
        for name, model in self.config.models.items():
            self.model(("models", name), model)

    def alias(self, alias: str) -> None:
        provider, slash, _ = alias.partition("/")
        if not alias or alias != alias.strip() or not alias.isprintable() or len(alias) > 200:
            self.tell(("models", alias), "not a model's name", "use up to 200 printable characters")
        elif slash and provider in self.providers:
            hint = "that provider's models can be asked for so without an entry; choose another name"
            self.tell(("models", alias), f"this name means a model of the provider `{provider}`", hint)

    def model(self, path: Path, model: Model) -> None:
        for place, target in model.places():
            self.placed((*path, *place), target)
        self.policy((*path, "policy"), model.policy)

    def placed(self, place: Path, target: Target) -> None:
        node = self.root.at(self.root.located(place))
        self.target((*place, "model") if node and isinstance(node.value, dict) else place, target.model)
        self.sayable((*place, "set"), target.set)
        self.sayable((*place, "defaults"), target.defaults)
        if target.provider is not None:
            self.address((*place, "with"), target.provider)
            self.settings((*place, "with"), target.provider.settings)

    def policy(self, path: Path, policy: ConfiguredPolicy) -> None:
        node = self.root.at(self.root.located(path))
        place = (*path, "use") if node and isinstance(node.value, dict) else path
        try:
            loaded = load("stages.policies", policy.use, Policy)  # type: ignore[type-abstract]  # python/mypy#4717
        except PluginNotFound as error:
            self.plugin(place, policy.use, error)
            return
        if settings_of(loaded) is None:  # else they have been read by load.py
            self.takes((*path, "with"), self.shown(place, policy.use), loaded, policy.settings)

    def target(self, path: Path, target: str) -> None:
        provider, slash, model = target.partition("/")
        if provider in self.providers and model:
            return
        name = self.shown(path, target)
        if target in self.aliases:
            self.tell(path, f"`{name}` is itself a name of `models`", MODEL_FORM)
        elif not slash or not model:
            self.tell(path, f"`{name}` is not a target", MODEL_FORM)
        else:
            self.no_provider(path, target)

    def no_provider(self, path: Path, target: str) -> None:
        provider, written = target.partition("/")[0], self.root.written(path, target)
        name = shown(provider if written == target else written)
        self.tell(path, f"there is no provider `{name}` in `providers`", suggestion(provider, self.providers))

    def rules_(self) -> None:
        taken: set[str] = set()
        compiler = matching.compiler(self.config, self.root, self.tell)
        if matching.check(self.config, self.tell, self.shown):
            self.allowed(matching.MODEL, self.config.matching.embedding_model or "")
        for index, rule in zip(self.kept.get("rules", ()), self.config.rules, strict=True):
            path: Path = ("rules", index)
            if not rule.name.isprintable() or rule.name != rule.name.strip():
                self.tell((*path, "name"), "not a rule's name", "use printable characters")
            elif rule.name in taken:
                name = self.shown((*path, "name"), rule.name)
                self.tell((*path, "name"), f"the name `{name}` is taken by another rule", "names must differ")
            taken.add(rule.name)
            self.given(path, rule)
            if rule.when is not None and compiler is not None:
                try:
                    compiler.compile(rule.when)
                except Wrong as wrong:
                    self.tell((*path, "when"), wrong.message, wrong.hint)

        matching.clauses(self.config, self.kept.get("clauses", ()), self.root, self.tell, self.shown)

    def embeds(self, path: Path, model: str) -> None:
        """A model that is to give vectors."""
        if matching.embeds(self.config, self.tell, self.shown, path, model):
            self.allowed(path, model)

    def given(self, path: Path, rule: Rule) -> None:
        """What a rule gives."""
        for position, name in enumerate(rule.models):
            place = (*path, "models", position)
            if not name or name != name.strip() or not name.isprintable() or len(name) > 200:
                self.tell(place, "not a model's name", "use up to 200 printable characters")
            elif rule.use is None and rule.targets is None and rule.policy is not None and name not in self.aliases:
                said = f"`{self.shown(place, name)}` is no name of `models`, so it has no targets"
                self.tell(place, said, "set `use` or `targets`, too")
        if rule.use is not None and rule.targets is not None:
            self.tell(path, "a rule gives `use` or `targets`, one of them", "leave the other out")
        elif rule.use is None and rule.targets is None and rule.policy is None:
            self.tell(path, "the rule gives nothing", "set `use` to a name of `models`, or `targets`, or `policy`")
        elif rule.use is not None:
            self.allowed((*path, "use"), rule.use)
            if rule.policy is not None and rule.use not in self.aliases:
                self.tell((*path, "policy"), "there is one target, and nothing to put in order", "leave it out")
        for number, target in enumerate(rule.targets or ()):
            self.placed((*path, "targets", number), target)
        if rule.policy is not None:
            self.policy((*path, "policy"), rule.policy)

    def keys_(self) -> None:
        self.key_names()
        for section, found in zip(identities.NAMES.values(), self.config.people, strict=True):
            for name, grants in found.items():
                self.granted((section, name), grants)
        for path, key in self.keys:
            self.granted(path, key)
        digests: dict[str, tuple[str | int, str]] = {}
        for path, key in self.keys:
            index = path[1]
            if not key.name.isprintable() or key.name != key.name.strip():
                self.tell((*path, "name"), "not a key's name", "use printable characters")
            if (key.key is None) == (key.key_hash is None):
                self.tell(path, "a key needs `key` or `key_hash`, one of them", KEY_ADVICE)
                continue
            name = self.shown((*path, "name"), key.name)
            first, other = digests.setdefault(key.digest, (index, name))
            if first != index:
                same = f"the keys `{other}` and `{name}` are the same"
                self.tell(path, same, "records could not tell them apart")
            self.strength(path, key)

    def granted(self, path: Path, grants: Grants) -> None:
        for position, model in enumerate(grants.models or ()):
            if model not in self.ruled and model != EVERYTHING:
                self.allowed((*path, "models", position), model)

    def key_names(self) -> None:
        """Over the file's own list: a name is taken by an entry that is wrong in another way, too."""
        node, names = self.root.at(("keys",)), set()
        for index in range(len(node.value) if node is not None and isinstance(node.value, list) else 0):
            path = ("keys", index, "name")
            found = self.root.at(path)
            name = found.value if found is not None else None
            if not isinstance(name, str):
                continue
            if name == ADMIN:
                self.tell(path, f"the name `{ADMIN}` is the admin key's", "choose another")
            elif name in names:
                self.tell(path, f"the name `{self.shown(path, name)}` is taken by another key", "names must differ")
            names.add(name)

    def strength(self, path: Path, key: Key) -> None:
        if key.key is None:
            if well_known_hash(key.digest):
                self.tell((*path, "key_hash"), "this is the hash of a key that everybody knows", KEY_ADVICE)
            return
        text = key.key.get_secret_value()
        if well_known(text):
            self.tell((*path, "key"), "this is a key that everybody knows", KEY_ADVICE)
        elif len(text) < SHORT_KEY and not self.config.server.loopback:
            message = f"the key has fewer than {SHORT_KEY} characters, and the gateway listens on more than loopback"
            self.tell((*path, "key"), message, KEY_ADVICE)

    def allowed(self, path: Path, model: str) -> None:
        provider, slash, rest = model.partition("/")
        if model in self.aliases or (provider in self.providers and rest):
            return
        if slash and rest:
            self.no_provider(path, model)
        else:
            hint = suggestion(model, self.aliases) or MODEL_FORM
            self.tell(path, f"there is no model `{self.shown(path, model)}` in `models`", hint)

    def stage(self, index: int, use: str, settings: Mapping[str, Any]) -> None:
        path: Path = ("stages", index)
        place, name = (*path, "use"), self.shown((*path, "use"), use)
        if "." not in use and ":" not in use:
            self.tell(place, f"`{name}` is not the path of a class", "write `package.module:Class`")
            return
        try:
            loaded = load("stages", use, Stage)  # type: ignore[type-abstract]  # python/mypy#4717
        except PluginNotFound as error:
            self.plugin(place, use, error)
            return
        self.takes((*path, "with"), name, loaded, settings)

    def takes(self, path: Path, name: str, loaded: type, settings: Mapping[str, Any]) -> None:
        """A class takes these settings as keyword arguments."""
        try:
            inspect.signature(loaded).bind(**settings)
        except TypeError as error:
            takes = f"it takes {inspect.signature(loaded)}"
            self.tell(path, f"{name} does not take these settings: {error}", takes)
        except ValueError:
            return  # a class without a signature, written in C: it will say itself what is wrong

    def catalogue(self) -> None:
        settings = self.config.catalogue
        if settings.refresh is not None:
            self.refresh(("catalogue", "refresh"), settings.refresh)
        kinds = {name: entry.catalogue for name, entry in self.config.providers.items()}
        known = {*self.providers, *kinds.values(), *bundled_kinds()}
        for name in settings.price_factors:
            if name.partition("/")[0] not in known:
                self.no_provider(("catalogue", "price_factors", name), name)
        for name, model in settings.models.items():
            path = ("catalogue", "models", name)
            provider, _, rest = name.partition("/")
            if not rest:
                self.tell(path, f"`{self.shown(path, name)}` is not a model of a provider", MODEL_FORM)
            elif provider not in known:
                self.no_provider(path, name)
            elif model.base_model is not None and settings.refresh is None:
                kind = kinds.get(provider, provider)
                if assemble({provider: kind}, {name: {"base_model": model.base_model}}).missing:
                    place = (*path, "base_model")
                    written = self.shown(place, model.base_model)
                    self.tell(place, f"the catalogue has no model `{written}`", "`headgate models` lists what it has")

    def refresh(self, path: Path, refresh: CatalogueRefresh) -> None:
        if (refresh.url is None) == (refresh.file is None):
            self.tell(path, "`refresh` needs `url` or `file`, one of them", "leave `refresh` out for none")
        elif refresh.url is not None:
            wrong = wrong_url(refresh.url)
            url = urlsplit(refresh.url) if not wrong else None
            if url is None:
                self.tell((*path, "url"), wrong, "write it like https://host/catalogue.json")
            elif url.scheme == "http" and refresh.sha256 is None and not is_loopback(url.hostname or ""):
                hint = "use https, or give `sha256`"
                self.tell((*path, "url"), "anybody on the way could change what comes over http", hint)

    def listeners(self) -> None:
        server, admin = self.config.server, self.config.server.admin
        self.host(("server", "host"), server.host)
        if admin is None:
            return
        self.host(("server", "admin", "host"), admin.host)
        if admin.port == server.port != 0 and admin.host == server.host:
            self.tell(("server", "admin", "port"), f"port {admin.port} is the server's own", "give it another one")

    def host(self, path: Path, host: str) -> None:
        if not host.isprintable() or "/" in host or " " in host:
            self.tell(path, "not an address to listen on", "write an IP address or a host name")
        elif NUMERIC.match(host):
            try:
                ipaddress.ip_address(host)
            except ValueError:
                hint = "write an IP address, such as 127.0.0.1 or ::1 (no brackets, no port), or a host name"
                self.tell(path, "not an IP address to listen on", hint)
