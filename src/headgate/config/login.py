"""How people log in at the admin API, and what is wrong with how they would."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from headgate.config.authentication import Claims
from headgate.config.identities import User
from headgate.config.secrets import is_reference
from headgate.config.section import Section
from headgate.core.caller import Role
from headgate.identity.asking import Method
from headgate.identity.ldap.directory import GROUPS
from headgate.identity.ldap.directory import Settings as Asked
from headgate.identity.login import Settings as Provider
from headgate.identity.mapping import Rule, Rules
from headgate.identity.passwords import MOST_MEMORY, MOST_PASSES, PACKAGE, is_hash
from headgate.identity.second_factor import code_of
from headgate.providers.settings import Seconds

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
Urls = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
CALLBACK = "/admin/api/login/oidc/callback"
RULERS: frozenset[Role] = frozenset({"owner", "admin"})


class Hashing(Section):
    """What it costs to check a password (argon2id), here and for whoever has got hold of what is kept of it."""

    memory: int = Field(1 << 16, ge=7168, le=MOST_MEMORY, description="KiB.")
    passes: int = Field(3, ge=1, le=MOST_PASSES, description="Over the memory.")


class OpenID(Section):
    """An OpenID provider at which people log in."""

    issuer: str = Field(description="Its name: `https://login.example.com`.")
    client_id: str = Field(min_length=1, description="What this gateway is called there.")
    client_secret: SecretStr | None = Field(
        None, description="Its secret there. Left out: a public client, which proves nothing but PKCE."
    )
    redirect_url: str = Field(
        description="Where people come back to, as it is registered there: the gateway's address, and "
        "`/admin/api/login/oidc/callback`."
    )
    method: Method = Field("client_secret_basic", description="How the secret is sent.")
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "profile", "email"], description="What it is asked to tell."
    )
    algorithms: list[str] = Field(
        default_factory=lambda: ["RS256", "ES256", "EdDSA", "Ed25519"],
        min_length=1,
        description="How its tokens may be signed; nothing else is taken, whatever a token says.",
    )
    leeway: float = Field(60.0, ge=0, le=600, description="Seconds by which clocks may differ.")
    userinfo: bool = Field(False, description="Ask it for more claims than its token holds, such as groups.")
    claims: Claims = Field(
        default_factory=Claims,
        description="Which claims say what. Who is none of `users` is let in where `role` says which role that is.",
    )

    @property
    def settings(self) -> Provider:
        secret = self.client_secret.get_secret_value() if self.client_secret is not None else None
        return Provider(
            self.issuer, self.client_id, self.redirect_url, secret, self.method, self.scopes, self.algorithms,
            self.leeway, self.userinfo, self.claims.rules,
        )  # fmt: skip


class Directory(Section):
    """A directory (LDAP), by whose passwords people log in."""

    url: Urls = Field(min_length=1, description="`ldaps://host` or `ldap://host`; of a list the first that answers.")
    base: str = Field("", description="Below which entry people are looked for: `ou=people,dc=example,dc=com`.")
    filter: str = Field("(uid={user})", description="Which of them it is; `{user}` is what somebody typed.")
    dn: str | None = Field(
        None, description="Instead of looking for them: how their names are made, `uid={user},ou=people,dc=example`."
    )
    account: str | None = Field(None, description="The name of who looks for people. Left out: anybody may.")
    password: SecretStr | None = Field(None, description="Its password.")
    user: str = Field("uid", description="The attribute that says who somebody is: the name of one of `users`.")
    groups: str = Field("memberOf", description="The attribute of people that names their groups.")
    groups_base: str | None = Field(None, description="Below which entry groups are whose short names count, too.")
    groups_filter: str | None = Field(
        None, description="Where people's entries name none: which groups are theirs, by `{dn}` and `{user}`."
    )
    start_tls: bool = Field(True, description="Over `ldap://`. `false`: passwords cross the network in clear.")
    ca_file: Path | None = Field(
        None, description="PEM file of the certificate authorities to trust. Left out: the system's."
    )
    wait: float = Field(10.0, gt=0, le=60, description="Seconds that a login may take; then 503.")
    roles: dict[str, Role] = Field(
        default_factory=dict,
        description="Which groups (`cn=ops,ou=groups,dc=example`, or `ops`) give which role; the first that fits. "
        "Who is none of `users` is let in by that alone.",
    )
    teams: dict[str, str] = Field(default_factory=dict, description="Which groups are which of `teams`.")

    @property
    def settings(self) -> Asked:
        """Raises ValueError for what cannot be, or protects nothing."""
        rules = Rules(user=Rule("user"), team=Rule(GROUPS, self.teams), role=Rule(GROUPS, self.roles))
        return Asked(
            self.url, self.base, self.filter, self.dn, self.account,
            self.password.get_secret_value() if self.password is not None else None,
            user=self.user, groups=self.groups, groups_base=self.groups_base, groups_filter=self.groups_filter,
            start_tls=self.start_tls, ca_file=str(self.ca_file) if self.ca_file is not None else None, wait=self.wait,
            rules=rules,
        )  # fmt: skip


class Login(Section):
    """How people log in at the admin API, in place of bringing a key."""

    password: bool = Field(
        True, description="By the passwords of `users`. Nobody has one before somebody with the admin key sets it."
    )
    oidc: OpenID | None = Field(None, description="At an OpenID provider. Left out: at none.")
    ldap: Directory | None = Field(None, description="By a directory. Left out: by none.")
    hashing: Hashing = Field(default_factory=Hashing, description="What it costs to check a password.")
    session: Seconds = Field(43_200.0, description="Seconds for which somebody is logged in at most.")
    idle: Seconds = Field(3600.0, description="Seconds without a call after which a session ends.")


def check(login: Login, users: dict[str, User], tell: Tell) -> None:
    """Tell what makes no sense; a secret that is elsewhere may not have been asked for."""
    for name, user in users.items():
        kept = user.password_hash.get_secret_value() if user.password_hash is not None else None
        if kept is not None and not (is_hash(kept) or is_reference(kept)):
            hint = "make one with `headgate user password NAME --print`"
            tell(("users", name, "password_hash"), "not a hash that argon2id makes", hint)
        if user.totp is not None and not is_reference(user.totp.get_secret_value()):
            _secret(name, user.totp.get_secret_value(), tell)
    known = any(user.password_hash is not None for user in users.values())
    if login.password and known and find_spec(PACKAGE) is None:
        message = f"passwords need the package {PACKAGE}-cffi, which is not there"
        tell(("login", "password"), message, "install headgate[admin], or set it to false")


def _secret(name: str, secret: str, tell: Tell) -> None:
    try:
        code_of(secret, 0)
    except ValueError as error:
        tell(("users", name, "totp"), str(error), "write what the app was given, letters and digits without spaces")


def alone(login: Login, user: User) -> bool:
    """Whether nothing but a password, kept here or in a directory, keeps others from ruling here as this user."""
    by_password = login.ldap is not None or (login.password and user.password_hash is not None)
    return user.role in RULERS and user.enabled and user.totp is None and by_password
