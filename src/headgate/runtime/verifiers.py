"""Makes callers of whoever is vouched for by somebody else: by a signed token, or by a class of the operator's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from headgate.config.authentication import Certificates, Custom, Introspected, Issuer
from headgate.config.identities import Grants, People, User
from headgate.config.schema import Config
from headgate.config.secrets import hash_key
from headgate.core import plugin
from headgate.core.caller import Belongs, Caller
from headgate.core.errors import Unauthenticated
from headgate.core.limits.rule import Rule, limited
from headgate.core.ports import Upstream
from headgate.identity.introspection import Introspection
from headgate.identity.jwt import Issuer as Tokens
from headgate.identity.jwt import issuer_of
from headgate.identity.mapping import Mapped
from headgate.identity.proxy import Proxied
from headgate.runtime.maker import instance
from headgate.stages.authenticate import Asked, Verifier, bearer

MOST = 10_000
"""Callers that are remembered."""

OURS = b"hg-"
"""How keys begin that are made here."""
Known = dict[str, Tokens | Introspection]
"""Issuers and servers by their settings: what they have published is kept when the configuration changes."""


class Callers:
    """What those may do who come by one door."""

    def __init__(self, name: str, grants: Grants, people: People, limits: Sequence[Rule], *, known: bool) -> None:
        """`known`: only those who stand in `users` are let in."""
        self._name = name
        self._grants = grants
        self._people = people
        self._limits = limits
        self._only_known = known
        self._emails = {user.email.lower(): name for name, user in people.users.items() if user.email}
        self._made: dict[Mapped, Caller] = {}

    def of(self, mapped: Mapped, *, teams: bool, organisations: bool) -> Caller:
        """Raises Unauthenticated. `teams`, `organisations`: one that there is here has to be among those said."""
        found = self._made.get(mapped)
        if found is None:
            if len(self._made) >= MOST:
                self._made.clear()
            found = self._made[mapped] = self._make(mapped, teams=teams, organisations=organisations)
        return found

    def _make(self, mapped: Mapped, *, teams: bool, organisations: bool) -> Caller:
        people = self._people
        name = mapped.user
        if name not in people.users and mapped.email is not None:
            name = self._emails.get(mapped.email.lower(), name)
        user = people.users.get(name)
        if user is None and self._only_known:
            raise Unauthenticated(f"{mapped.user!r} is none of the users of this gateway")
        team = next((each for each in mapped.teams if each in people.teams), None)
        if teams and team is None:
            raise Unauthenticated(f"{mapped.user!r} is in no team of this gateway")
        if organisations and mapped.organisation not in people.organisations:
            raise Unauthenticated(f"{mapped.user!r} belongs to no organisation of this gateway")
        application = mapped.application if mapped.application in people.applications else None
        grants = self._grants
        if mapped.models is not None:
            own = [model for model in mapped.models if _within(model, grants.models)]
            grants = grants.model_copy(update={"models": own})
        said = Belongs(mapped.organisation if organisations else None, team, application, name)
        caller = people.caller(self._name, grants, said)
        role = mapped.role or (user.role if isinstance(user, User) else None)
        caller = replace(caller, role=role)
        return limited(caller, self._limits)


def _within(model: str, allowed: Sequence[str] | None) -> bool:
    return allowed is None or "*" in allowed or model in allowed or f"{model.partition('/')[0]}/*" in allowed


class OfIssuer:
    """Bearers of one issuer's tokens (`stages.authenticate.Verifier`)."""

    def __init__(self, settings: Issuer, tokens: Tokens, callers: Callers) -> None:
        self.issuer = settings.issuer
        self._settings = settings
        self._tokens = tokens
        self._callers = callers

    async def __call__(self, asked: Asked) -> Caller | None:
        token = bearer(asked.headers)
        if token is None or token.count(b".") != 2 or issuer_of(token) != self.issuer:
            return None
        verified = await self._tokens.verify(token, asked.now)
        claims = self._settings.claims
        return self._callers.of(
            verified.mapped, teams=claims.team is not None, organisations=claims.organisation is not None
        )


class OfServer:
    """Bearers of tokens that a server is asked about."""

    def __init__(self, settings: Introspected, server: Introspection, callers: Callers) -> None:
        self._claims = settings.claims
        self._server = server
        self._callers = callers

    async def __call__(self, asked: Asked) -> Caller | None:
        token = bearer(asked.headers)
        if token is None or token.startswith(OURS):  # a key of ours is known to nobody else
            return None
        verified = await self._server.verify(token, asked.now)
        return self._callers.of(
            verified.mapped, teams=self._claims.team is not None, organisations=self._claims.organisation is not None
        )


class OfProxy:
    """Clients by their certificates."""

    def __init__(self, settings: Certificates, callers: Callers) -> None:
        self._claims = settings.claims
        self._proxied = Proxied(settings.settings)
        self._callers = callers

    async def __call__(self, asked: Asked) -> Caller | None:
        found = self._proxied.identify(asked.headers, trusted=asked.proxied)
        if found is None:
            return None
        return self._callers.of(
            found, teams=self._claims.team is not None, organisations=self._claims.organisation is not None
        )


class OfClass:
    """Whoever a class of somebody else's knows."""

    def __init__(self, ask: Callable[[Asked], Any], use: str, callers: Callers) -> None:
        self._ask = ask
        self._use = use
        self._callers = callers

    async def __call__(self, asked: Asked) -> Caller | None:
        found = await self._ask(asked)
        if found is None:
            return None
        if not isinstance(found, Mapped):
            raise TypeError(f"{self._use} gave back {type(found).__name__}, not a Mapped or None")
        return self._callers.of(found, teams=bool(found.teams), organisations=found.organisation is not None)


def verifiers(config: Config, upstream: Upstream, known: Known, limits: Sequence[Rule]) -> list[Verifier]:
    """Those of a configuration, in its order. Raises PluginNotFound, ValueError."""
    people, found = config.people, list[Verifier]()
    made: Known = {}
    for each in config.authentication.issuers:
        settings = each.settings
        place = repr(settings)
        tokens = known.get(place)
        made[place] = tokens = tokens if isinstance(tokens, Tokens) else Tokens(settings, upstream)
        callers = Callers(each.name, each, people, limits, known=each.known_users)
        found.append(OfIssuer(each, tokens, callers))
    for proxy in config.authentication.certificates:
        found.append(OfProxy(proxy, Callers(proxy.name, proxy, people, limits, known=proxy.known_users)))
    found += (_custom(each, people, limits) for each in config.authentication.custom)
    for asking in config.authentication.introspection:  # last: it is asked over the network about all else
        place = hash_key(repr((asking.settings, asking.settings.client_secret)))
        server = known.get(place)
        made[place] = server = server if isinstance(server, Introspection) else Introspection(asking.settings, upstream)
        found.append(OfServer(asking, server, Callers(asking.name, asking, people, limits, known=asking.known_users)))
    known.clear()
    known.update(made)
    return found


def _custom(settings: Custom, people: People, limits: Sequence[Rule]) -> Verifier:
    kind: Any = plugin.load("authenticators", settings.use, object)
    ask = instance(f"the authenticator {settings.use}", kind, **settings.settings)
    return OfClass(ask, settings.use, Callers(settings.name, settings.grants, people, limits, known=False))
