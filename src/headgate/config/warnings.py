"""What of a configuration works, but should not stay so."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from headgate.config import matching, state
from headgate.config.guard_checks import idle
from headgate.config.identities import Key
from headgate.config.schema import Config, is_loopback
from headgate.config.secrets import SHORT_KEY, is_nearly_reference


def warnings(config: Config) -> list[str]:
    """What works, but should not stay so."""
    said = [
        f"the key of `{key.name}` has fewer than {SHORT_KEY} characters: it will be refused when the gateway listens "
        "on more than loopback; make one with `headgate key new`"
        for key in config.keys
        if key.key is not None and len(key.key.get_secret_value()) < SHORT_KEY
    ]
    if not config.providers:
        said.append("there are no `providers`: every request will be refused; add one, or start without a file")
    for name, entry in config.providers.items():
        url = urlsplit(entry.settings.base_url or "")
        key = entry.settings.api_key
        if url.scheme == "http" and key and key.get_secret_value() != "none" and not is_loopback(url.hostname or ""):
            said.append(f"the key of provider `{name}` travels unencrypted: its base_url begins with http://")
        if key and is_nearly_reference(key.get_secret_value()):
            said.append(f"the key of provider `{name}` is sent as it stands: a reference begins in lower case")
    where = state.place(config.state)
    if where is not None and where.password and not where.encrypted and not is_loopback(where.host):
        said.append("the password in `state.url` travels unencrypted: begin it with rediss:// if the server can")
    return [*said, *idle(config), *matching.idle(config)]


def ending(config: Config, now: datetime) -> list[str]:
    """Which keys will soon be taken no more, the next one first."""
    ends = sorted((key.expires, key.name) for key in soon(config, now) if key.expires is not None)
    return [f"the key `{name}` expires on {end:%Y-%m-%d at %H:%M %Z}: rotate it before" for end, name in ends]


def soon(config: Config, now: datetime) -> list[Key]:
    """Keys that are taken, and in `warn_days` will be no more."""
    until = now + timedelta(days=config.key_policy.warn_days)
    return [key for key in config.keys if key.enabled and key.expires is not None and now < key.expires < until]
