"""What only the whole configuration shows: names that stand for nothing, keys that are equal or easy to guess."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from headgate.config.document import Node
from headgate.config.schema import Config, Key, Model, ProviderEntry, is_loopback
from headgate.config.secrets import SHORT_KEY, well_known, well_known_hash
from headgate.core.dialect import Dialect
from headgate.core.plugin import PluginNotFound, load, module, suggestion
from headgate.providers.provider import Provider
from headgate.stages.policies.policy import Policy
from headgate.stages.stage import Stage

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
ADMIN = "admin"
MODEL_FORM = "write provider/model"


def check(config: Config, root: Node, tell: Tell) -> None:
    """Tell everything that is wrong across the parts that could be read; `root` names those that could not."""
    providers, aliases = _names(root, "providers"), _names(root, "models")
    for name in providers:
        if not PROVIDER_NAME.match(name):
            tell(("providers", name), "not a provider's name", "use letters, digits and . _ - (no slash)")
    for name, entry in config.providers.items():
        _provider(name, entry, tell)
    for alias in aliases:
        _alias(alias, providers, tell)
    for name, model in config.models.items():
        _model(name, model, providers, aliases, tell)
    _keys(config, providers, aliases, tell)
    for index, stage in enumerate(config.stages):
        _stage(index, stage.use, stage.settings, tell)
    for index, path in enumerate(config.dialects):
        _dialect(index, path, tell)
    _listeners(config, tell)


def warnings(config: Config) -> list[str]:
    """What works, but should not stay so."""
    said = [
        f"the key of `{key.name}` has fewer than {SHORT_KEY} characters: it will be refused when the gateway listens "
        "on more than loopback; make one with `headgate key new`"
        for key in config.keys
        if key.key is not None and len(key.key.get_secret_value()) < SHORT_KEY
    ]
    if not config.providers:
        said.append("there are no `providers`: every request will be refused")
    for name, entry in config.providers.items():
        url = urlsplit(entry.settings.base_url or "")
        key = entry.settings.api_key
        if url.scheme == "http" and key and key.get_secret_value() != "none" and not is_loopback(url.hostname or ""):
            said.append(f"the key of provider `{name}` travels unencrypted: its base_url begins with http://")
    return said


def _names(root: Node, section: str) -> list[str]:
    node = root.at((section,))
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def _provider(name: str, entry: ProviderEntry, tell: Tell) -> None:
    path = ("providers", name)
    settings = entry.settings
    if settings.base_url is not None:
        wrong = _url(settings.base_url)
        if wrong:
            tell((*path, "base_url"), wrong, "write it like https://host/v1")
    elif getattr(entry.type, "base_url", None) is None and entry.type.send is Provider.send:
        tell(path, "`base_url` is missing", f"a provider of kind {entry.kind} has no address of its own")
    elif settings.api_key is None and entry.type.env_key is not None:
        tell(path, "`api_key` is missing", f"set it, or the environment variable {entry.type.env_key}")
    for header, value in settings.headers.items():
        if not HEADER_NAME.match(header) or header.lower() in FRAMING:
            tell((*path, "headers", header), "not a header that can be set", "the gateway sets the framing ones itself")
        elif not (value.isascii() and value.isprintable()):
            tell(
                (*path, "headers", header),
                "a header's value must be printable ASCII",
                "remove line breaks and the like",
            )


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


def _alias(alias: str, providers: Sequence[str], tell: Tell) -> None:
    if not alias or alias != alias.strip() or not alias.isprintable() or len(alias) > 200:
        tell(("models", alias), "not a model's name", "use up to 200 printable characters")
    elif alias.partition("/")[0] in providers and "/" in alias:
        hint = "that provider's models can be asked for so without an entry; choose another name"
        tell(("models", alias), f"this name means a model of the provider `{alias.partition('/')[0]}`", hint)


def _model(name: str, model: Model, providers: Sequence[str], aliases: Sequence[str], tell: Tell) -> None:
    path = ("models", name)
    for section in ("targets", "fallbacks"):
        for index, target in enumerate(getattr(model, section)):
            _target((*path, section, index), target.model, providers, aliases, tell)
    try:
        load("stages.policies", model.policy, Policy)  # type: ignore[type-abstract]  # python/mypy#4717
    except PluginNotFound as error:
        tell((*path, "policy"), error.message, error.hint)


def _target(path: tuple[Any, ...], target: str, providers: Sequence[str], aliases: Sequence[str], tell: Tell) -> None:
    provider, slash, model = target.partition("/")
    if provider in providers and model:
        return
    if target in aliases:
        tell(path, f"`{target}` is itself a name of `models`", MODEL_FORM)
    elif not slash or not model:
        tell(path, f"`{_short(target)}` is not a target", MODEL_FORM)
    else:
        tell(path, f"there is no provider `{_short(provider)}` in `providers`", suggestion(provider, providers))


def _keys(config: Config, providers: Sequence[str], aliases: Sequence[str], tell: Tell) -> None:
    names: dict[str, int] = {}
    digests: dict[str, str] = {}
    for index, key in enumerate(config.keys):
        path = ("keys", index)
        if key.name == ADMIN:
            tell((*path, "name"), f"the name `{ADMIN}` is the admin key's", "choose another")
        elif key.name in names:
            tell((*path, "name"), f"the name `{_short(key.name)}` is taken by another key", "names must differ")
        if not key.name.isprintable() or key.name != key.name.strip():
            tell((*path, "name"), "not a key's name", "use printable characters")
        names.setdefault(key.name, index)
        if (key.key is None) == (key.key_hash is None):
            tell(path, "a key needs `key` or `key_hash`, one of them", "make one with `headgate key new`")
            continue
        other = digests.setdefault(key.digest, key.name)
        if other != key.name:
            tell(
                path,
                f"the keys `{_short(other)}` and `{_short(key.name)}` are the same",
                "records could not tell them apart",
            )
        _strength(path, key, config.server.loopback, tell)
        for position, model in enumerate(key.models or ()):
            _allowed((*path, "models", position), model, providers, aliases, tell)


def _strength(path: tuple[Any, ...], key: Key, loopback: bool, tell: Tell) -> None:
    advice = "make one with `headgate key new`"
    if key.key is None:
        if well_known_hash(key.digest):
            tell((*path, "key_hash"), "this is the hash of a key that everybody knows", advice)
        return
    text = key.key.get_secret_value()
    if well_known(text):
        tell((*path, "key"), "this is a key that everybody knows", advice)
    elif len(text) < SHORT_KEY and not loopback:
        message = f"the key has fewer than {SHORT_KEY} characters, and the gateway listens on more than loopback"
        tell((*path, "key"), message, advice)


def _allowed(path: tuple[Any, ...], model: str, providers: Sequence[str], aliases: Sequence[str], tell: Tell) -> None:
    provider, slash, rest = model.partition("/")
    if model in aliases or (provider in providers and rest):
        return
    if slash and rest:
        tell(path, f"there is no provider `{_short(provider)}` in `providers`", suggestion(provider, providers))
    else:
        tell(path, f"there is no model `{_short(model)}` in `models`", suggestion(model, aliases) or MODEL_FORM)


def _stage(index: int, use: str, settings: Mapping[str, Any], tell: Tell) -> None:
    path = ("stages", index)
    if "." not in use and ":" not in use:
        tell((*path, "use"), f"`{_short(use)}` is not the path of a class", "write `package.module:Class`")
        return
    try:
        loaded = load("stages", use, Stage)  # type: ignore[type-abstract]  # python/mypy#4717
    except PluginNotFound as error:
        tell((*path, "use"), error.message, error.hint)
        return
    try:
        inspect.signature(loaded).bind(**settings)
    except TypeError as error:
        tell((*path, "with"), f"{use} does not take these settings: {error}", f"it takes {inspect.signature(loaded)}")
    except ValueError:
        return  # a class without a signature, written in C: it will say itself what is wrong


def _dialect(index: int, path: str, tell: Tell) -> None:
    if "." not in path:
        tell(("dialects", index), f"`{_short(path)}` is not the path of a module", "write `package.module`")
        return
    try:
        loaded = module("dialects", path)
    except PluginNotFound as error:
        tell(("dialects", index), error.message, error.hint)
        return
    missing = sorted(name for name in vars(Dialect) if not name.startswith("_") and not hasattr(loaded, name))
    if missing:
        tell(("dialects", index), f"`{path}` is not a dialect", f"it has no {', '.join(missing)}")


def _listeners(config: Config, tell: Tell) -> None:
    server, admin = config.server, config.server.admin
    if admin is not None and admin.port == server.port != 0 and admin.host == server.host:
        tell(("server", "admin", "port"), f"port {admin.port} is the server's own", "give it another one")
    if not server.host.isprintable() or "/" in server.host or " " in server.host:
        tell(("server", "host"), "not an address to listen on", "write an IP address or a host name")


def _short(text: str) -> str:
    return text if len(text) <= 60 and text.isprintable() else ascii(text[:60])[1:-1] + "…"
