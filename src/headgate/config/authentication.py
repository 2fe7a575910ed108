"""Who is let in beside the holders of keys: bearers of an issuer's tokens, and whoever a class of yours knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, SecretStr, model_validator

from headgate.config.document import Path
from headgate.config.identities import Grants
from headgate.config.limits import Own, own
from headgate.config.section import Section
from headgate.identity.asking import Method
from headgate.identity.introspection import Settings as Asking
from headgate.identity.jwt import Settings
from headgate.identity.mapping import Rule, Rules
from headgate.identity.proxy import Form
from headgate.identity.proxy import Settings as Proxy
from headgate.providers.settings import Seconds


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

    @property
    def rules(self) -> Rules:
        return Rules(
            user=self.user.rule,
            organisation=_rule(self.organisation),
            team=_rule(self.team),
            application=_rule(self.application),
            role=_rule(self.role),
            models=_rule(self.models),
        )


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
        return Settings(
            self.issuer, self.audiences, self.algorithms, keys_url=self.keys_url, leeway=self.leeway,
            remember=self.remember, rules=self.claims.rules,
        )  # fmt: skip


class Introspected(Grants):
    """An OAuth 2.0 server that is asked about tokens which say nothing by themselves (RFC 7662)."""

    name: str = Field(min_length=1, max_length=100, description="What its bearers' key is called in records.")
    url: str = Field(description="Its introspection endpoint.")
    client_id: str = Field(min_length=1, description="Who asks: the gateway's own client there.")
    client_secret: SecretStr = Field(description="Its secret.")
    method: Method = Field("client_secret_basic", description="How the secret is sent.")
    audiences: list[str] = Field(default_factory=list, description="What a token has to be meant for, one of them.")
    scopes: list[str] = Field(default_factory=list, description="What a token has to have, all of them.")
    remember: Seconds = Field(
        60.0, description="Seconds for which an answer counts; also how long a token that is taken back is still good."
    )
    wait: float = Field(3.0, gt=0, le=30, description="Seconds that an answer may take; then 503.")
    claims: Claims = Field(default_factory=Claims, description="Which claims of its answer say what.")
    known_users: bool = Field(False, description="Let in only who stands in `users`.")

    @property
    def settings(self) -> Asking:
        return Asking(
            self.url, self.client_id, self.client_secret.get_secret_value(), self.method, self.audiences, self.scopes,
            remember=self.remember, wait=self.wait, rules=self.claims.rules,
        )  # fmt: skip


class Certificates(Grants):
    """Clients by their certificates, which a proxy in front has checked; its address has to be among
    `server.trusted_proxies`."""

    name: str = Field(min_length=1, max_length=100, description="What their key is called in records.")
    header: str = Field(
        "x-forwarded-client-cert", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", description="Where the proxy tells of it."
    )
    form: Form = Field(
        "xfcc", description="What is in it: Envoy's form, the subject's distinguished name, or a fingerprint."
    )
    hops: int = Field(1, ge=1, le=20, description="Which proxy's client counts, from here: 1 is that of the nearest.")
    checked: str | None = Field(
        None,
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+: *\S.*$",
        description="A header and its value that say that the certificate has been checked: `x-ssl-verify: SUCCESS`.",
    )
    claims: Claims = Field(
        default_factory=lambda: Claims(user=Claim(claim="cn")),
        description="Of the subject's parts (`cn`, `o`, `ou` …), `subject`, `uri`, `dns` and `hash`, which says what.",
    )
    known_users: bool = Field(False, description="Let in only who stands in `users`.")

    @property
    def settings(self) -> Proxy:
        name, _, value = (self.checked or "").partition(":")
        return Proxy(self.header, self.form, self.hops, (name, value.strip()) if name else None, self.claims.rules)


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
    introspection: list[Introspected] = Field(
        default_factory=list, description="OAuth 2.0 servers that are asked about tokens, in this order."
    )
    certificates: list[Certificates] = Field(
        default_factory=list, description="Clients by certificates that a proxy has checked."
    )
    custom: list[Custom] = Field(default_factory=list, description="Classes of yours, asked in this order.")

    def names(self) -> Iterator[tuple[Path, str]]:
        """What records call their keys, and where they stand."""
        for kind, index, name, _ in self._each():
            yield ("authentication", kind, index), name

    def doors(self) -> Iterator[tuple[Path, str, Grants]]:
        """What they may do, with what records call their keys, and where it stands."""
        for kind, index, name, grants in self._each():
            place: Path = ("authentication", kind, index)
            yield (*place, "grants") if kind == "custom" else place, name, grants

    def _each(self) -> Iterator[tuple[str, int, str, Grants]]:
        yield from (("issuers", index, each.name, each) for index, each in enumerate(self.issuers))
        yield from (("introspection", index, each.name, each) for index, each in enumerate(self.introspection))
        yield from (("certificates", index, each.name, each) for index, each in enumerate(self.certificates))
        for index, custom in enumerate(self.custom):
            yield "custom", index, custom.name, custom.grants


def own_limits(authentication: Authentication) -> Iterator[Own]:
    """Limits of all who come by one door together; in records and limits, its name is their key's."""
    for path, name, grants in authentication.doors():
        yield from own(path, "key", name, grants.limits)


def _rule(claim: Claim | None) -> Rule | None:
    return claim.rule if claim is not None else None
