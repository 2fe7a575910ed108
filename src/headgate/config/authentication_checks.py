"""What is wrong with who is let in beside the holders of keys, that only the whole configuration shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import get_args
from urllib.parse import urlsplit

from headgate.config.authentication import Claim, Claims, Issuer
from headgate.config.document import Path
from headgate.config.identities import NAMES
from headgate.config.login import CALLBACK, Directory, OpenID
from headgate.config.schema import Config
from headgate.core.caller import Role
from headgate.core.limits.rule import Dimension
from headgate.core.plugin import suggestion
from headgate.identity import names
from headgate.identity.jwt import ALGORITHMS

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
ADMIN = "admin"
PACKAGE = "joserfc"
ROLES = get_args(Role)
TOLD: tuple[Dimension, ...] = ("team", "organisation", "application")
"""What claims say that has to be there."""


def check(config: Config, tell: Tell) -> None:
    """Tell what makes no sense."""
    authentication = config.authentication
    sections: dict[str, list[str]] = {what: list(getattr(config, NAMES[what])) for what in TOLD}
    if authentication.issuers and find_spec(PACKAGE) is None:
        tell(("authentication",), f"tokens need the package {PACKAGE}, which is not there", "install headgate[admin]")
    taken = {*(key.name for key in config.keys), ADMIN}
    for place, name in authentication.names():
        if name in taken:
            tell(
                (*place, "name"), "the name is taken by a key or another of these", "records could not tell them apart"
            )
        taken.add(name)
    for index, issuer in enumerate(authentication.issuers):
        path: Path = ("authentication", "issuers", index)
        _urls(path, {"issuer": issuer.issuer, "keys_url": issuer.keys_url}, tell)
        _algorithms(path, issuer, tell)
        _named(path, issuer.claims, sections, tell)
    for index, asked in enumerate(authentication.introspection):
        path = ("authentication", "introspection", index)
        _urls(path, {"url": asked.url}, tell)
        _named(path, asked.claims, sections, tell)
    for index, certificates in enumerate(authentication.certificates):
        path = ("authentication", "certificates", index)
        if not config.server.trusted_proxies:
            tell(path, "no proxy is believed", "name its address in `server.trusted_proxies`")
        _named(path, certificates.claims, sections, tell)
    if config.login.oidc is not None:
        _openid(config.login.oidc, sections, tell)
    if config.login.ldap is not None:
        _directory(config.login.ldap, sections["team"], tell)


def _openid(openid: OpenID, sections: Mapping[str, Sequence[str]], tell: Tell) -> None:
    path: Path = ("login", "oidc")
    if find_spec(PACKAGE) is None:
        tell(path, f"tokens need the package {PACKAGE}, which is not there", "install headgate[admin]")
    _urls(path, {"issuer": openid.issuer, "redirect_url": openid.redirect_url}, tell)
    _algorithms(path, openid, tell)
    _named(path, openid.claims, sections, tell)
    if urlsplit(openid.redirect_url).path != CALLBACK:
        tell((*path, "redirect_url"), "people would come back to where nobody waits", f"end it with {CALLBACK}")


def _directory(directory: Directory, teams: Sequence[str], tell: Tell) -> None:
    path: Path = ("login", "ldap")
    try:
        _ = directory.settings
    except ValueError as error:
        tell(path, str(error), "")
    for place, groups in (("roles", directory.roles), ("teams", directory.teams)):
        for group in groups:
            _group((*path, place, group), group, directory.groups_base, tell)
    for group, team in directory.teams.items():
        if team not in teams:
            tell((*path, "teams", group), f"there is no team `{team}`", suggestion(team, list(teams)))


def _group(path: Path, group: str, base: str | None, tell: Tell) -> None:
    if "=" not in group:
        if base is None:
            tell(path, "no group is known by a short name", "set `groups_base`, or write its whole name")
        return
    try:
        names.parse(group)
    except ValueError as error:
        tell(path, str(error), "write the name of a group as the directory does")


def _urls(path: Path, urls: Mapping[str, str | None], tell: Tell) -> None:
    for place, url in urls.items():
        parts = urlsplit(url or "https://x")
        if parts.scheme not in ("https", "http") or not parts.hostname:
            tell((*path, place), "not a URL", "write it like https://login.example.com")


def _algorithms(path: Path, issuer: Issuer | OpenID, tell: Tell) -> None:
    for number, name in enumerate(issuer.algorithms):
        if name not in ALGORITHMS:
            said = f"`{name}` is none of the algorithms of public keys"
            tell((*path, "algorithms", number), said, suggestion(name, sorted(ALGORITHMS)))


def _named(path: Path, claims: Claims, sections: Mapping[str, Sequence[str]], tell: Tell) -> None:
    """What tables make of claims is there."""
    for what, known in (*sections.items(), ("role", ROLES)):
        claim: Claim | None = getattr(claims, what)
        if claim is None:
            continue
        for each in (*(claim.table or {}).values(), *filter(None, [claim.default])):
            if each not in known:
                tell((*path, "claims", what), f"there is no {what} `{each}`", suggestion(each, list(known)))
