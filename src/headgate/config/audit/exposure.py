"""What others reach, and what travels or lies where others can read it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from headgate.config import state
from headgate.config.audit.finding import Finding, Places
from headgate.config.load import Loaded
from headgate.config.problems import dotted
from headgate.config.schema import Config, is_loopback
from headgate.config.secrets import is_reference

OTHERS_READ, OTHERS_WRITE, OTHERS_ENTER = 0o004, 0o002, 0o001
WITH_PASSWORD = re.compile(r"://[^/?#@\s]*:[^/?#@\s]+@")
ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")


def findings(loaded: Loaded, places: Places) -> Iterator[Finding]:
    yield from _listeners(loaded.config, places)
    yield from _connections(loaded.config, places)
    plain = list(_plain_secrets(loaded, places))
    yield from plain
    if os.name == "posix":
        yield from _files(loaded, secret=bool(plain))


def _listeners(config: Config, places: Places) -> Iterator[Finding]:
    server = config.server
    if server.admin is not None and not is_loopback(server.admin.host):
        hint = "let it listen on 127.0.0.1, and put what encrypts in front"
        yield places.finding("high", ("server", "admin"), "admin keys travel unencrypted to this listener", hint)
    if server.loopback:
        return
    if server.tls is None:
        behind = bool(server.trusted_proxies)
        hint = "see that only the proxy reaches it" if behind else "set `server.tls`, or put a proxy with TLS in front"
        message = f"listens on {server.host} without TLS" + (", behind a proxy" if behind else "")
        yield places.finding("low" if behind else "high", ("server", "host"), message, hint)
    if server.admin is None:
        message = "the admin API is served on the port that clients reach"
        yield places.finding("medium", ("server", "admin"), message, "give it a listener of its own: `server.admin`")
    if server.metrics_access == "open":
        hint = "set `server.metrics` to `key` or `off`"
        yield places.finding("medium", ("server", "metrics"), "whoever reaches the port reads the metrics", hint)
    if not server.addresses.says:
        hint = "list in `server.addresses.allow` the networks that clients are in, where they are known"
        yield places.finding("low", ("server", "addresses"), "requests may come from any address", hint)


def _connections(config: Config, places: Places) -> Iterator[Finding]:
    for name, entry in config.providers.items():
        url = urlsplit(entry.settings.base_url or "")
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            message = "prompts, answers and the key travel unencrypted: its base_url begins with http://"
            yield places.entry("high", "providers", name, name, message, "use https://")
    if config.fetch.enabled and not config.fetch.hosts:
        hint = "list the hosts that pictures and files come from"
        yield places.finding("low", ("fetch", "hosts"), "requests have files fetched from any public host", hint)
    vault = urlsplit(config.secrets.vault.address or "")
    if vault.scheme == "http" and not is_loopback(vault.hostname or ""):
        message = "the token for Vault, and the secrets, travel unencrypted: its address begins with http://"
        yield places.finding("high", ("secrets", "vault", "address"), message, "use https://")
    where = state.place(config.state)
    if where is not None and not where.encrypted and not is_loopback(where.host):
        hint = "begin it with rediss://"
        yield places.finding("high", ("state", "url"), "the connection to the shared state is unencrypted", hint)
    for section, said in (("store", config.store.url), ("records", config.records.url)):
        url = urlsplit(said.get_secret_value() if said is not None else "")
        host, mode = url.hostname or "", parse_qs(url.query).get("sslmode", ["prefer"])[-1]
        if url.scheme.startswith("postgres") and host and not is_loopback(host) and mode not in ENCRYPTED_MODES:
            message = f"the connection to the database of `{section}` need not be encrypted"
            yield places.finding("high", (section, "url"), message, "end it with `?sslmode=verify-full`")


def _plain_secrets(loaded: Loaded, places: Places) -> Iterator[Finding]:
    """Secrets that stand in the file themselves."""
    for path, node in places.root.scalars():
        text = node.text
        if not text or "${" in text or is_reference(text) or path[-1] == "password_hash":
            continue
        if WITH_PASSWORD.search(text) or (text in loaded.secrets and "://" not in text):
            hint = "write `${NAME}` or `file:path` instead"
            if path[0] == "keys":
                hint += ", or its hash as `key_hash` (`headgate key new` prints one)"
            place = f"{places.file}:{node.line}"
            yield Finding("medium", place, dotted(path), "the secret itself stands in the file", hint)


def _files(loaded: Loaded, *, secret: bool) -> Iterator[Finding]:
    """What other users of the machine can read or change."""
    if loaded.path is not None:
        yield from _file(loaded.path, private=secret)
    folder = loaded.config.data_dir
    if not folder.is_dir() or not _mode(folder) & OTHERS_ENTER:
        return
    hint = f"chmod o= {folder}"
    yield Finding("medium", str(folder), "", "every user of the machine can look into the data directory", hint)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield from _file(path, private=True)


def _file(path: Path, *, private: bool) -> Iterator[Finding]:
    mode = _mode(path)
    if mode & OTHERS_WRITE:
        yield Finding("high", str(path), "", "every user of the machine can change the file", f"chmod o-w {path}")
    if mode & OTHERS_READ:
        what = "its secrets or data" if private else "it"
        message = f"every user of the machine can read {what}"
        yield Finding("high" if private else "low", str(path), "", message, f"chmod o-r {path}")


def _mode(path: Path) -> int:
    return path.stat().st_mode
