"""Secrets in what is written through the admin API: sealed on their way in, never on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from headgate.admin.problems import Problem
from headgate.config.redaction import masked
from headgate.config.secrets import SECRET_NAME, is_reference
from headgate.core.printable import printable
from headgate.providers.settings import ProviderSettings
from headgate.store.sealing import Seal, is_sealed

SHOWN = "(sealed)"
"""What stands for a secret that is there; written back, it leaves the secret as it is."""
HOLDING = frozenset({"providers", "models", "rules"})
"""Kinds whose bodies may hold secrets: of providers, and of settings that targets have for their own (`with`)."""
STAYING = frozenset(ProviderSettings.model_fields) - {"base_url"}
"""Settings of a provider that do not change where its key is sent; of those that only some have, each may."""
SECRET_QUERIES = frozenset({"code", "sig", "signature"})
"""Parameters that prove who asks, besides those whose names say so."""
UNSHOWN = frozenset({"key_hash", "password_hash", "totp"})
NAMES_NOT_SECRET = frozenset({"key_file", "auth", "catalogue", "token_url", "credentials_file"})


def sealed(kind: str, name: str, body: dict[str, Any], before: dict[str, Any] | None, seal: Seal) -> dict[str, Any]:
    """A body with its secrets sealed; those shown as `(sealed)` are as they were `before`. Raises Problem."""
    found = _walk(body, before, f"{kind}/{name}", seal, holding=kind == "providers", maybe=kind in HOLDING)
    assert isinstance(found, dict)
    moved = kind == "providers" and before is not None and _goes(found, name) != _goes(before, name)
    if moved and set(_seals(found)) & set(_seals(before)):
        told = "a secret goes only where it was given for: with another address or kind, give it anew"
        raise Problem(422, "secret_needed", told)
    return found


def _goes(provider: dict[str, Any], name: str) -> dict[str, Any]:
    """What says where a provider's key is sent; secrets apart. Who may not read it could else have it sent to him."""
    said = {"kind": name, **{setting: value for setting, value in provider.items() if setting not in STAYING}}
    return {setting: value for setting, value in said.items() if not (isinstance(value, str) and is_sealed(value))}


def _seals(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _seals(inner)
    elif isinstance(value, str) and is_sealed(value):
        yield value


def _walk(value: Any, before: Any, place: str, seal: Seal, *, holding: bool, maybe: bool) -> Any:
    if isinstance(value, dict):
        was = before if isinstance(before, dict) else {}
        return {
            key: _walk(
                inner, was.get(key), f"{place}/{key}", seal,
                holding=holding or (maybe and key == "with"), maybe=maybe,
            )
            for key, inner in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        old = before if isinstance(before, list) else []
        kept = [*old, *[None] * len(value)]
        return [
            _walk(inner, _like(inner, old, kept[index]), place, seal, holding=holding, maybe=maybe)
            for index, inner in enumerate(value)
        ]
    if not isinstance(value, str) or not holding:
        return value
    if value == SHOWN:
        return before if isinstance(before, str) and is_sealed(before) else value
    name = place.rpartition("/")[2]
    _no_secret_in_query(value, place)
    if SECRET_NAME.search(name) and name not in NAMES_NOT_SECRET and not is_reference(value) and not is_sealed(value):
        return seal.seal(value, place) if value and value.lower() != "none" else value
    return value


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
    """What an entry of a list was before: the one of its name, else the one at its place."""
    if isinstance(value, dict) and "name" in value:
        return next((old for old in before if isinstance(old, dict) and old.get("name") == value["name"]), same_place)
    return same_place


def shown(value: Any) -> Any:
    """Without what is sealed, and without what keys and people are known by."""
    if isinstance(value, dict):
        return {key: shown(inner) for key, inner in value.items() if key not in UNSHOWN}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return SHOWN if isinstance(value, str) and is_sealed(value) else value
