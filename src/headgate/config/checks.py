"""What only the whole configuration shows: names that stand for nothing, keys that are equal or easy to guess."""

from __future__ import annotations

import inspect
import ipaddress
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from headgate.catalog.catalogue import assemble
from headgate.catalog.shelf import kinds as bundled_kinds
from headgate.config import (
    alerts,
    authentication_checks,
    identities,
    limit_checks,
    login,
    matching,
    payloads,
    records,
    retention,
    state,
    traces,
)
from headgate.config.catalogue_settings import CatalogueRefresh
from headgate.config.document import Node, Path
from headgate.config.identities import Grants, Key
from headgate.config.redaction import shown
from headgate.config.rules import Rule
from headgate.config.schema import Config, is_loopback
from headgate.config.secrets import SHORT_KEY, well_known, well_known_hash
from headgate.config.targets import Model, ProviderEntry, Target
from headgate.config.targets import Policy as ConfiguredPolicy
from headgate.core.caller import EVERYTHING
from headgate.core.dialect import Dialect
from headgate.core.plugin import PluginNotFound, load, module, suggestion
from headgate.dialects.dialect import dialects
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings
from headgate.stages.policies.policy import Policy, settings_of
from headgate.stages.rules.expression import Wrong
from headgate.stages.stage import Stage

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
SERVED = frozenset(
    {"v1", "v1alpha", "v1beta", "v2", "v3", "api", "model", "models", "livez", "readyz", "metrics", "admin", "console"}
)
"""First segments of paths that are, or will be, the gateway's own."""
ADMIN = "admin"
MODEL_FORM = "write provider/model"
KEY_ADVICE = "make one with `headgate key new`"
NUMERIC = re.compile(r"[0-9.]+\Z|.*:.*", re.DOTALL)
"""What can only be meant as an IP address, as no host's name is all digits or holds a colon."""
ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/messages")
"""What the vendors' SDKs put behind their base_url, for a host that does not speak the one whose path was copied."""


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
    for index, stage in zip(kept.get("stages", ()), config.stages, strict=True):
        checks.stage(index, stage.use, stage.settings)
    for index, path in zip(kept.get("dialects", ()), config.dialects, strict=True):
        checks.dialect(("dialects", index), path)
    checks.catalogue()
    checks.listeners()
    state.check(config.state, tell)
    if config.cache.store == "state" and config.state.url is None:
        tell(("cache", "store"), "there is no `state.url` to keep answers at", "name a Redis or Valkey there")
    records.check(config.records, tell)
    if config.keeps:
        payloads.check(config.payloads, tell)
    traces.check(config.traces, tell)
    alerts.check(config, of_store, tell)
    retention.check(config.holds, tell)


def _has_key(settings: ProviderSettings) -> bool:
    return settings.api_key is not None or bool(settings.api_keys)


class _Checks:
    """One round of checks; names are told as they are written in the file, never as a variable's value."""

    def __init__(self, config: Config, root: Node, tell: Tell, kept: Mapping[str, Sequence[int]]) -> None:
        self.config = config
        self.root = root
        self.tell = tell
        self.kept = kept
        self.providers = _names(root, "providers")
        self.aliases = _names(root, "models")
        self.ruled = {name for rule in config.rules for name in rule.models}
        places: list[Path] = [("keys", index) for index in kept.get("keys", ())]
        self.keys = list(zip(places, config.keys, strict=True))

    def shown(self, path: Path, value: str) -> str:
        return shown(self.root.written(path, value))

    def plugin(self, path: Path, value: str, error: PluginNotFound) -> None:
        self.tell(path, *unloadable(error, value, self.shown(path, value)))

    def providers_(self) -> None:
        reserved = taken()
        for name in self.providers:
            if not PROVIDER_NAME.match(name):
                self.tell(("providers", name), "not a provider's name", "use letters, digits and . _ - (no slash)")
            elif name in reserved:
                message = f"`/{name}/…` is a path of the gateway's own, so no provider can be reached under this name"
                self.tell(("providers", name), message, "choose another name and say what it is with `kind`")
        for name, entry in self.config.providers.items():
            self.address(("providers", name), entry)
            self.settings(("providers", name), entry.settings)

    def settings(self, path: Path, settings: ProviderSettings) -> None:
        """Of a provider, or of it as one target has it."""
        self.headers((*path, "headers"), settings.headers)
        self.several((*path, "api_keys"), settings)
        for index, name in enumerate(settings.speaks or ()):
            if "." in name:
                self.dialect((*path, "speaks", index), name)
        for key, fields in (("set", settings.set), ("defaults", settings.defaults)):
            self.sayable((*path, key), fields)
        own = settings.catalogue
        known = [*bundled_kinds(), *(name.partition("/")[0] for name in self.config.catalogue.models)]
        if own and own not in known and self.config.catalogue.refresh is None:
            place = (*path, "catalogue")
            self.tell(place, f"the catalogue has no provider `{self.shown(place, own)}`", suggestion(own, known))

    def several(self, path: Path, settings: ProviderSettings) -> None:
        """A provider's keys, where it has more than one."""
        keys = settings.api_keys
        if keys and settings.api_key is not None:
            self.tell(path, "there are `api_key` and `api_keys`", "put all keys into `api_keys`")
        if keys and not any(key.enabled and key.weight for key in keys):
            self.tell(path, "none of the keys is used", "one needs `enabled: true` and a weight above 0")
        names = [key.name or f"key-{number}" for number, key in enumerate(keys, 1)]
        secrets = [key.api_key.get_secret_value() for key in keys]
        for index, (name, secret) in enumerate(zip(names, secrets, strict=True)):
            if name in names[:index] or secret in secrets[:index]:
                what = "name" if name in names[:index] else "key"
                self.tell(
                    (*path, index), f"there is another with the same {what}", "give each a name and key of its own"
                )

    def sayable(self, path: Path, value: Any) -> None:
        """What is put into requests can be said in JSON."""
        if isinstance(value, float) and not math.isfinite(value):
            self.tell(path, "JSON has no such number", "write a finite one, or `null`")
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, each in inner:
            self.sayable((*path, key), each)

    def address(self, path: Path, entry: ProviderEntry) -> None:
        settings = entry.settings
        if settings.base_url is not None:
            wrong = _url(settings.base_url)
            if wrong:
                self.tell((*path, "base_url"), wrong, "write it like https://host/v1")
            else:
                self.endpoint((*path, "base_url"), entry, settings.base_url)
        elif entry.type.send is Provider.send and self.missing(path, entry):
            return
        elif (
            settings.api_key is None
            and not settings.api_keys
            and entry.type.env_key is not None
            and entry.type.prove is Provider.prove
        ):
            self.tell(
                path,
                "`api_key` is missing",
                f"set it, or the environment variable {' or '.join(entry.type.env_keys())}",
            )

    def missing(self, path: Path, entry: ProviderEntry) -> bool:
        """Whether the provider has no address; told."""
        lacking = [name for name in entry.type.needed(entry.settings) if getattr(entry.settings, name, None) is None]
        for name in lacking:
            variable = entry.type.usual.get(name)
            hint = f"a provider of kind {self.shown((*path, 'kind'), entry.kind)} has no address without it"
            if variable:
                hint = f"set it, or the environment variable {variable}"
            self.tell(path, f"`{name}` is missing", hint)
        return bool(lacking)

    def endpoint(self, path: Path, entry: ProviderEntry, base_url: str) -> None:
        """An address that was copied with the request's path at its end would get it twice."""
        place = urlsplit(base_url).path.rstrip("/")
        own = [dialect.upstream_path for dialect in entry.type.dialects]
        found = next((end for end in (*own, *ENDPOINTS) if place.endswith(end)), None)
        if found is not None:
            better = base_url.partition("?")[0].rstrip("/").removesuffix(found)
            hint = f": {better}" if self.root.written(path, base_url) == base_url else ""
            self.tell(path, f"base_url ends before {found}, as in the vendor's SDK{hint}", f"take {found} off its end")

    def headers(self, path: Path, headers: Mapping[str, str]) -> None:
        for header, value in headers.items():
            if not HEADER_NAME.match(header) or header.lower() in FRAMING:
                self.tell((*path, header), "not a header that can be set", "the gateway sets the framing ones itself")
            elif not (value.isascii() and value.isprintable()):
                hint = "remove line breaks and the like"
                self.tell((*path, header), "a header's value must be printable ASCII", hint)

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

    def dialect(self, place: Path, path: str) -> None:
        name = self.shown(place, path)
        if "." not in path:
            self.tell(place, f"`{name}` is not the path of a module", "write `package.module`")
            return
        try:
            loaded = module("dialects", path)
        except PluginNotFound as error:
            self.plugin(place, path, error)
            return
        missing = sorted(name for name in vars(Dialect) if not name.startswith("_") and not hasattr(loaded, name))
        if missing:
            self.tell(place, f"`{name}` is not a dialect", f"it has no {', '.join(missing)}")

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
            wrong = _url(refresh.url)
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


def unloadable(error: PluginNotFound, value: str, name: str) -> tuple[str, str]:
    """What is said of a plug-in that cannot be loaded: all of it, or less where its `name` is not to be its `value`."""
    return (error.message if name == value else f"`{name}` cannot be loaded"), error.hint


def _names(root: Node, section: str) -> list[str]:
    node = root.at((section,))
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def taken() -> frozenset[str]:
    """First segments of the gateway's own paths, which no provider may be called."""
    return SERVED | {path.split("/")[1] for dialect in dialects() for path in dialect.paths}


def _url(text: str) -> str:
    """What is wrong with a provider's address; empty when nothing is."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return "not a URL"
    if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return "a URL holds printable ASCII without spaces only"
    if url.scheme not in ("http", "https"):
        return "the URL must begin with http:// or https://"
    if "@" in url.netloc:
        return "no user name or password in the URL: use api_key or headers"
    if not url.hostname or port == 0:
        return "the URL has no host" if not url.hostname else "the URL's port is 0"
    return "a URL's fragment (#…) is never sent" if url.fragment else ""
