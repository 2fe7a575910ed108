"""Who is let in beside the holders of keys: bearers of an issuer's tokens, and whoever a class of yours knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from headgate.config.document import Path
from headgate.config.identities import Grants
from headgate.config.limits import Own, own
from headgate.config.section import Section
from headgate.core.caller import Role
from headgate.core.plugin import suggestion
from headgate.identity.jwt import ALGORITHMS, Settings
from headgate.identity.mapping import Rule, Rules
from headgate.providers.settings import Seconds

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
PACKAGE = "joserfc"
ROLES = get_args(Role)


class Claim(Section):
    """Where something stands in a token; a text in place of the mapping is its `claim`."""

    claim: str = Field(
        min_length=1, max_length=200, description="The claim, or the way to it with dots: `realm_access.roles`."
    )
    table: dict[str, str] | None = Field(
        None, description="What its values are called here; the first that fits counts. Left out: as they are there."
    )
    default: str | None = Field(None, description="Where no value fits.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"claim": value} if isinstance(value, str) else value

    @property
    def rule(self) -> Rule:
        return Rule(self.claim, self.table, self.default)


class Claims(Section):
    """Which claims say what."""

    user: Claim = Field(
        default_factory=lambda: Claim(claim="sub"),
        description="Who it is: the name, or the `email`, of an entry of `users`, whose grants then hold; or anybody.",
    )
    team: Claim | None = Field(None, description="Its team; who is in none that there is here is not let in.")
    organisation: Claim | None = Field(None, description="Its organisation, as the team.")
    application: Claim | None = Field(None, description="Its application.")
    role: Claim | None = Field(
        None,
        description="Its role in the admin API, where `operations` has that. Left out: as its entry of `users` says.",
    )
    models: Claim | None = Field(None, description="The models it may ask for.")


class Issuer(Grants):
    """An OpenID provider or an OAuth 2.0 server whose signed tokens (JWT) are taken in place of a key."""

    name: str = Field(min_length=1, max_length=100, description="What its bearers' key is called in records.")
    issuer: str = Field(description="Its name, letter for letter as tokens have it: `https://login.example.com`.")
    audiences: list[str] = Field(min_length=1, description="What a token has to be meant for, one of them (`aud`).")
    algorithms: list[str] = Field(
        default_factory=lambda: ["RS256", "ES256", "EdDSA", "Ed25519"],
        min_length=1,
        description="How tokens may be signed; nothing else is taken, whatever a token says.",
    )
    keys_url: str | None = Field(
        None, description="Where its public keys are. Left out: where its discovery document says."
    )
    leeway: float = Field(60.0, ge=0, le=600, description="Seconds by which clocks may differ.")
    remember: Seconds = Field(60.0, description="Seconds for which a verified token is not verified again.")
    claims: Claims = Field(default_factory=Claims, description="Which claims say what.")
    known_users: bool = Field(False, description="Let in only who stands in `users`.")

    @property
    def settings(self) -> Settings:
        claims = self.claims
        rules = Rules(
            user=claims.user.rule,
            organisation=_rule(claims.organisation),
            team=_rule(claims.team),
            application=_rule(claims.application),
            role=_rule(claims.role),
            models=_rule(claims.models),
        )
        return Settings(
            self.issuer, self.audiences, self.algorithms, keys_url=self.keys_url, leeway=self.leeway,
            remember=self.remember, rules=rules,
        )  # fmt: skip


class Custom(Section):
    """A class of yours that knows callers by something else."""

    use: str = Field(min_length=1, description="Dotted path of the class: `package.module:Class`.")
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="with", description="Its settings, given to the class as keyword arguments."
    )
    name: str = Field(min_length=1, max_length=100, description="What its callers' key is called in records.")
    grants: Grants = Field(default_factory=Grants, description="What they may do.")


class Authentication(Section):
    """Who is let in beside the holders of keys."""

    issuers: list[Issuer] = Field(default_factory=list, description="Whose signed tokens are taken.")
    custom: list[Custom] = Field(default_factory=list, description="Classes of yours, asked in this order.")

    def names(self) -> Iterator[tuple[Path, str]]:
        """What records call their keys, and where they stand."""
        for index, issuer in enumerate(self.issuers):
            yield ("authentication", "issuers", index), issuer.name
        for index, custom in enumerate(self.custom):
            yield ("authentication", "custom", index), custom.name


def own_limits(authentication: Authentication) -> Iterator[Own]:
    """Limits of all who come by one door together; in records and limits, its name is their key's."""
    for index, issuer in enumerate(authentication.issuers):
        yield from own(("authentication", "issuers", index), "key", issuer.name, issuer.limits)
    for index, custom in enumerate(authentication.custom):
        yield from own(("authentication", "custom", index, "grants"), "key", custom.name, custom.grants.limits)


def _rule(claim: Claim | None) -> Rule | None:
    return claim.rule if claim is not None else None


def check(
    authentication: Authentication, keys: Sequence[str], sections: Mapping[str, Sequence[str]], tell: Tell
) -> None:
    """Tell what is wrong with it; `keys` are the names of keys, `sections` those of teams, organisations and so on."""
    if authentication.issuers and find_spec(PACKAGE) is None:
        tell(("authentication",), f"tokens need the package {PACKAGE}, which is not there", "install headgate[admin]")
    names = {*keys, "admin"}
    for place, name in authentication.names():
        if name in names:
            tell(
                (*place, "name"), "the name is taken by a key or another of these", "records could not tell them apart"
            )
        names.add(name)
    for index, issuer in enumerate(authentication.issuers):
        _issuer(("authentication", "issuers", index), issuer, sections, tell)


def _issuer(path: Path, issuer: Issuer, sections: Mapping[str, Sequence[str]], tell: Tell) -> None:
    for place, url in (("issuer", issuer.issuer), ("keys_url", issuer.keys_url)):
        parts = urlsplit(url or "https://x")
        if parts.scheme not in ("https", "http") or not parts.hostname:
            tell((*path, place), "not a URL", "write it like https://login.example.com")
    for number, name in enumerate(issuer.algorithms):
        if name not in ALGORITHMS:
            said = f"`{name}` is none of the algorithms of public keys"
            tell((*path, "algorithms", number), said, suggestion(name, sorted(ALGORITHMS)))
    for what, known in (*sections.items(), ("role", ROLES)):
        claim: Claim | None = getattr(issuer.claims, what)
        named = (
            [*(claim.table or {}).values(), *([claim.default] if claim.default else [])] if claim is not None else []
        )
        for each in named:
            if each not in known:
                tell((*path, "claims", what), f"there is no {what} `{each}`", suggestion(each, list(known)))
