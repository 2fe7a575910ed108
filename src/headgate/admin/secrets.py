"""Secrets in what is written through the admin API: sealed on their way in, never on their way out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from headgate.admin.problems import Problem, at
from headgate.config.following import NO_KEY
from headgate.config.redaction import masked
from headgate.config.secrets import SECRET_NAME, is_reference
from headgate.config.stored import SEALED
from headgate.core.printable import printable
from headgate.core.target import merged
from headgate.providers.settings import ProviderSettings
from headgate.store.sealing import Seal, Unsealable, is_sealed

Body = dict[str, Any]
TARGETING = ("models", "rules")
"""Kinds whose bodies hold targets, which may have settings of their own (`with`)."""
HOLDING = frozenset({"providers", "channels", *TARGETING})
"""Kinds whose bodies may hold secrets."""
STAYING = frozenset(ProviderSettings.model_fields) - {"base_url"}
"""Settings of a provider that do not change where its key is sent; of those that only some have, each may."""
LEADING = ("kind", "url", "host", "port", "tls")
"""Settings of a channel that say where its secrets are sent; its `url` is one, too."""
WORD = re.compile(r"[0-9A-Za-z_-]*\Z")
"""What is no address: a region, a version, a project."""
SECRET_QUERIES = frozenset({"code", "sig", "signature"})
"""Parameters that prove who asks, besides those whose names say so."""
UNSHOWN = frozenset({"key_hash", "password_hash", "totp"})
NAMES_NOT_SECRET = frozenset({"key_file", "auth", "catalogue", "token_url", "credentials_file"})


def sealed(kind: str, name: str, body: Body, before: Body | None, seal: Seal) -> Body:
    """A body with its secrets sealed; those shown as `(sealed)` are as they were `before`. Raises Problem."""
    found, problem = into_store(kind, name, body, before, seal)
    if problem is not None:
        raise problem
    return found


def into_store(
    kind: str, name: str, body: Body, before: Body | None, seal: Seal, *, left_out_stay: bool = False
) -> tuple[Body, Problem | None]:
    """The same, with what is wrong, where it is only to be told. A secret that is as it was keeps its seal;
    `left_out_stay`: one that the body does not have is as it was, too. Raises Problem for what could not be kept."""
    sealing = _Sealing(kind, seal, left_out_stay=left_out_stay, equal_stay=True)
    found = sealing.body(name, body, before)
    if before is not None and _strayed(kind, name, found, before):
        sealing = _Sealing(kind, seal, left_out_stay=left_out_stay, equal_stay=False)
        found = sealing.body(name, body, before)
        if _strayed(kind, name, found, before):
            told = "a secret goes only where it was given for: with another address or kind, give it anew"
            return found, Problem(422, "secret_needed", f"{kind}.{name}: {told}", [at(f"{kind}.{name}", told)])
    if sealing.lacking:
        told = f"`{SEALED}` stands for a secret that is here, and there is none: give the secret"
        errors = [at(place, told) for place in sealing.lacking]
        return found, Problem(422, "secret_needed", f"{sealing.lacking[0]}: {told}", errors)
    return found, None


def leads_elsewhere(provider: str, now: Body, before: Body) -> bool:
    """Whether what is sent to a provider goes elsewhere now."""
    return _goes({"kind": provider, **now}) != _goes({"kind": provider, **before})


def follows(provider: str, now: Body, before: Body, body: Body, was: Body | None) -> bool:
    """Whether a secret that a target has for its own would follow its provider to where that goes now. `body` may have
    targets, and `was` so before, as far as secrets of it stay."""
    goes, went, kept = _goes({"kind": provider, **now}), _goes({"kind": provider, **before}), set(_secrets(was))
    for target in _targets(body):
        own = _goes(target["with"])
        moved = _provider(target) == provider and merged(goes, own) != merged(went, own)
        if moved and not kept.isdisjoint(_secrets(target["with"])):
            return True
    return False


def address_of_target(body: Any) -> str | None:
    """A setting by which a target may have its provider's secrets sent elsewhere than these were given for."""
    for target in _targets(body):
        for setting, value in _goes(target["with"]).items():
            if not _word(value):
                return setting
    return None


def address_of_provider(body: Mapping[str, Any]) -> str | None:
    """A setting that only some providers have, and that is an address."""
    return next((name for name, value in _goes(body).items() if isinstance(value, str) and "://" in value), None)


def _word(value: Any) -> bool:
    if isinstance(value, Mapping | list):
        return all(map(_word, value.values() if isinstance(value, Mapping) else value))
    return not isinstance(value, str) or WORD.match(value) is not None


def _strayed(kind: str, name: str, now: Body, before: Body) -> bool:
    """Whether a secret that stays would go elsewhere."""
    went = dict(_ways(kind, name, before))
    return any(seal in went and went[seal] != goes for seal, goes in _ways(kind, name, now))


def _ways(kind: str, name: str, body: Body) -> Iterator[tuple[str, Body]]:
    """Sealed secrets, each with what says where it is sent."""
    if kind == "channels":
        leads = {"kind": name, **{what: body[what] for what in LEADING if what in body}}
        yield from ((seal, leads) for what, seal in body.items() if what not in leads and is_sealed(str(seal)))
        return
    targets = ({"kind": _provider(target), **target["with"]} for target in _targets(body))
    for holder in [{"kind": name, **body}] if kind == "providers" else targets:
        yield from ((seal, _goes(holder)) for seal in _seals(holder))


def _targets(value: Any) -> Iterator[Mapping[str, Any]]:
    """Those with settings of their own, wherever a model or a rule has them."""
    if isinstance(value, Mapping) and isinstance(value.get("model"), str) and isinstance(value.get("with"), Mapping):
        yield value
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _targets(inner)


def _provider(target: Mapping[str, Any]) -> str:
    provider: str = target["model"].partition("/")[0]
    return provider


def _goes(settings: Mapping[str, Any]) -> Body:
    """What says where a secret is sent; secrets apart. Who may not read it could else have it sent to him."""
    return {
        setting: value
        for setting, value in settings.items()
        if setting not in STAYING and not (isinstance(value, str) and (is_sealed(value) or _is_secret(setting)))
    }


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    """Sealed, referred to or written, as the file may have them."""
    if isinstance(value, Mapping):
        for setting, inner in value.items():
            yield from _secrets(inner, setting)
    elif isinstance(value, list):
        for inner in value:
            yield from _secrets(inner, name)
    elif isinstance(value, str) and (is_sealed(value) or (_is_secret(name) and value.lower() not in ("", NO_KEY))):
        yield value


def _seals(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _seals(inner)
    elif isinstance(value, str) and is_sealed(value):
        yield value


class _Sealing:
    """A body on its way into the store."""

    def __init__(self, kind: str, seal: Seal, *, left_out_stay: bool, equal_stay: bool) -> None:
        self.lacking: list[str] = []
        """Where `(sealed)` stands, and no secret is."""
        self._kind = kind
        self._seal = seal
        self._left_out_stay = left_out_stay
        self._equal_stay = equal_stay

    def body(self, name: str, body: Body, before: Body | None) -> Body:
        found = self._walk(body, before, f"{self._kind}/{name}", holding=self._kind in ("providers", "channels"))
        assert isinstance(found, dict)
        return found

    def _walk(self, value: Any, before: Any, place: str, *, holding: bool) -> Any:
        if isinstance(value, dict):
            was = before if isinstance(before, dict) else {}
            stay = {name: _only_seals(was[name]) for name in was.keys() - value.keys()} if self._left_out_stay else {}
            return {
                name: self._walk(inner, was.get(name), f"{place}/{name}", holding=holding or self._holds(name))
                for name, inner in value.items()
            } | {name: inner for name, inner in stay.items() if inner is not None}
        if isinstance(value, list):
            old = before if isinstance(before, list) else []
            kept = [*old, *[None] * len(value)]
            return [
                self._walk(inner, _like(inner, old, kept[index]), place, holding=holding)
                for index, inner in enumerate(value)
            ]
        return self._text(value, before, place) if isinstance(value, str) and holding else value

    def _holds(self, name: str) -> bool:
        return name == "with" and self._kind in HOLDING

    def _text(self, value: str, before: Any, place: str) -> str:
        was = before if isinstance(before, str) and is_sealed(before) else None
        name = place.rpartition("/")[2]
        if value == SEALED:
            if was is None and (_is_secret(name) or self._kind == "channels"):
                self.lacking.append(place.replace("/", "."))
            return was or value
        hidden = _is_secret(name) or (self._kind == "channels" and name == "url")
        if not hidden or self._kind != "channels":
            _no_secret_in_query(value, place)
        if not hidden or is_reference(value) or is_sealed(value) or value.lower() in ("", NO_KEY):
            return value
        if was is not None and self._equal_stay and self._is(was, value, place):
            return was
        return self._seal.seal(value, place)

    def _is(self, was: str, value: str, place: str) -> bool:
        """Whether a value is sealed already, with the key in use."""
        try:
            return self._seal.current(was) and self._seal.open(was, place) == value
        except Unsealable:
            return False


def _is_secret(name: str) -> bool:
    return SECRET_NAME.search(name) is not None and name not in NAMES_NOT_SECRET


def _only_seals(value: Any) -> Any:
    """What of a value are sealed secrets; None where none is."""
    if isinstance(value, dict):
        found = {name: _only_seals(inner) for name, inner in value.items()}
        return {name: inner for name, inner in found.items() if inner is not None} or None
    if isinstance(value, list):
        return value if next(_seals(value), None) is not None else None
    return value if isinstance(value, str) and is_sealed(value) else None


def _no_secret_in_query(url: str, place: str) -> None:
    """An address is kept and shown as it is, and what is secret in it would be, too. Raises Problem."""
    if not url.startswith(("https://", "http://")):
        return
    for name, value in parse_qsl(url.partition("#")[0].partition("?")[2]):
        if SECRET_NAME.search(name) or name.lower() in SECRET_QUERIES or masked(value) != value:
            hint = "give it as `api_key`, or as one of `headers`, where it is sealed"
            told = f"`{printable(name)[:40]}` in the query of the address would stand there in clear; {hint}"
            raise Problem(422, "secret_in_url", f"{place.replace('/', '.')}: {told}")


def _like(value: Any, before: list[Any], same_place: Any) -> Any:
    """What an entry of a list was before: one of its name, else the one at its place; a target only one of its model,
    as its secret would else go to another."""
    if not isinstance(value, dict) or not value.keys() & {"name", "model"}:
        return same_place
    mark = "model" if "model" in value else "name"
    for old in (same_place, *before):
        if isinstance(old, dict) and old.get(mark) == value[mark]:
            return old
    return same_place if mark == "name" else None


def shown(value: Any) -> Any:
    """Without what is sealed, and without what keys and people are known by."""
    if isinstance(value, dict):
        return {key: shown(inner) for key, inner in value.items() if key not in UNSHOWN}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return SEALED if isinstance(value, str) and is_sealed(value) else value
