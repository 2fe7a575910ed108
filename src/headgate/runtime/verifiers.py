"""Makes callers of whoever is vouched for by somebody else: by a signed token, or by a class of the operator's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from headgate.config.authentication import Custom, Issuer
from headgate.config.identities import Grants, People, User
from headgate.config.schema import Config
from headgate.core import plugin
from headgate.core.caller import Belongs, Caller
from headgate.core.errors import Unauthenticated
from headgate.core.limits.rule import Rule, prepared
from headgate.core.ports import Upstream
from headgate.identity.jwt import Issuer as Tokens
from headgate.identity.jwt import issuer_of
from headgate.identity.mapping import Mapped
from headgate.runtime.maker import instance
from headgate.stages.authenticate import Asked, Verifier, bearer

MOST = 10_000
"""Callers that are remembered."""

Known = dict[str, Tokens]
"""Issuers by their settings: what they have published is kept when the configuration changes."""


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
        return replace(caller, limits=prepared(self._limits, caller))


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
        tokens = made[place] = known.get(place) or Tokens(settings, upstream)
        callers = Callers(each.name, each, people, limits, known=each.known_users)
        found.append(OfIssuer(each, tokens, callers))
    known.clear()
    known.update(made)
    found += (_custom(each, people, limits) for each in config.authentication.custom)
    return found


def _custom(settings: Custom, people: People, limits: Sequence[Rule]) -> Verifier:
    kind: Any = plugin.load("authenticators", settings.use, object)
    ask = instance(f"the authenticator {settings.use}", kind, **settings.settings)
    return OfClass(ask, settings.use, Callers(settings.name, settings.grants, people, limits, known=False))
