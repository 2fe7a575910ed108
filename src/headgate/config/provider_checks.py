"""What is wrong with the providers of a configuration, each by itself: names, addresses, headers, keys, settings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from headgate.catalog.shelf import kinds as bundled_kinds
from headgate.config.document import Node, Path
from headgate.config.redaction import shown
from headgate.config.schema import Config
from headgate.config.targets import ProviderEntry
from headgate.core.dialect import Dialect
from headgate.core.plugin import PluginNotFound, module, suggestion
from headgate.dialects.dialect import dialects
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""

PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
SERVED = frozenset(
    {"v1", "v1alpha", "v1beta", "v2", "v3", "api", "model", "models", "livez", "readyz", "metrics", "admin", "console"}
)
"""First segments of paths that are, or will be, the gateway's own."""
ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/messages")
"""What the vendors' SDKs put behind their base_url, for a host that does not speak the one whose path was copied."""


class ProviderChecks:
    """Names are told as they are written in the file, never as a variable's value."""

    def __init__(self, config: Config, root: Node, tell: Tell) -> None:
        self.config = config
        self.root = root
        self.tell = tell
        self.providers = names_of(root, "providers")

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
            wrong = wrong_url(settings.base_url)
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


def unloadable(error: PluginNotFound, value: str, name: str) -> tuple[str, str]:
    """What is said of a plug-in that cannot be loaded: all of it, or less where its `name` is not to be its `value`."""
    return (error.message if name == value else f"`{name}` cannot be loaded"), error.hint


def names_of(root: Node, section: str) -> list[str]:
    node = root.at((section,))
    return list(node.value) if node is not None and isinstance(node.value, dict) else []


def taken() -> frozenset[str]:
    """First segments of the gateway's own paths, which no provider may be called."""
    return SERVED | {path.split("/")[1] for dialect in dialects() for path in dialect.paths}


def wrong_url(text: str) -> str:
    """What is wrong with an address; empty when nothing is."""
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
