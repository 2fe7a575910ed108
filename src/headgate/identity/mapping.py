"""What the claims about somebody mean here: which user, team and organisation of ours, which role, which models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from headgate.core.caller import Role
from headgate.core.errors import Unauthenticated

LONGEST_NAME = 256
MOST_VALUES = 1000
"""Of one claim: more groups than that nobody is in."""
ROLES = frozenset(get_args(Role))
SPACED = frozenset({"scope", "scp"})
"""Claims that hold several values with spaces between them: https://www.rfc-editor.org/rfc/rfc8693#section-4.2"""


@dataclass(slots=True, frozen=True)
class Rule:
    """Where something stands in the claims, and what its values are called here."""

    claim: str
    """The claim's name, or the way to it with dots: `realm_access.roles`. Names may hold dots themselves."""
    table: Mapping[str, str] | None = None
    """Claim's value → our name, the first that fits first; None: values count as they are."""
    default: str | None = None
    """Where no value fits."""

    def values(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """Our names, best first. Raises Unauthenticated for a value that can be no name."""
        found = _values(claims, self.claim)
        if self.table is not None:
            held = frozenset(found)
            found = tuple(dict.fromkeys(name for value, name in self.table.items() if value in held))
        else:
            for value in found:
                _check(self.claim, value)
        return found or (() if self.default is None else (self.default,))

    def held(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """What of the claim counts here, as it stands there."""
        return tuple(value for value in _values(claims, self.claim) if self.table is None or value in self.table)

    def value(self, claims: Mapping[str, Any]) -> str | None:
        found = self.values(claims)
        return found[0] if found else None


@dataclass(slots=True, frozen=True)
class Mapped:
    """Who somebody is here, as far as the claims say."""

    user: str
    email: str | None = None
    name: str | None = None
    organisation: str | None = None
    teams: tuple[str, ...] = ()
    """The first is the one that counts where there can be one."""
    application: str | None = None
    role: Role | None = None
    models: tuple[str, ...] | None = None
    """None: no rule says which; (): the rule found none."""

    @property
    def team(self) -> str | None:
        return self.teams[0] if self.teams else None


@dataclass(slots=True, frozen=True)
class Rules:
    """Which claims say what."""

    user: Rule = Rule("sub")
    email: Rule | None = Rule("email")
    name: Rule | None = Rule("name")
    organisation: Rule | None = None
    team: Rule | None = None
    application: Rule | None = None
    role: Rule | None = None
    models: Rule | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a role that there is not."""
        if self.role is not None:
            named = {*(self.role.table or {}).values(), *filter(None, [self.role.default])}
            if unknown := sorted(named - ROLES):
                raise ValueError(f"there is no role {unknown[0]!r}; there are {', '.join(sorted(ROLES))}")

    def read(self, claims: Mapping[str, Any]) -> Mapped:
        """Raises Unauthenticated where the claims do not say who it is."""
        user = self.user.value(claims)
        if user is None:
            raise Unauthenticated(f"nothing says who this is: there is no usable claim {self.user.claim!r}")
        return Mapped(
            user,
            self.email.value(claims) if self.email else None,
            self.name.value(claims) if self.name else None,
            self.organisation.value(claims) if self.organisation else None,
            self.team.values(claims) if self.team else (),
            self.application.value(claims) if self.application else None,
            self.role_of(claims),
            self.models.values(claims) if self.models else None,
        )

    def held(self, claims: Mapping[str, Any]) -> dict[str, list[str]]:
        """As much of the claims as says which teams and role somebody has: claims themselves, to be read again."""
        found: dict[str, dict[str, None]] = {}
        for rule in (self.team, self.role):
            if rule is not None:
                found.setdefault(rule.claim, {}).update(dict.fromkeys(rule.held(claims)))
        return {claim: list(values) for claim, values in found.items()}

    def role_of(self, claims: Mapping[str, Any]) -> Role | None:
        role = self.role.value(claims) if self.role else None
        return cast(Role, role) if role in ROLES else None


def _values(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The texts that a claim holds: one, a list of them, or some with spaces between."""
    if path == "email" and claims.get("email_verified") in (False, "false"):
        return ()  # anybody may have written it into their profile
    found = look_up(claims, path)
    if isinstance(found, str):
        return tuple(found.split()) if path.rpartition(".")[2] in SPACED else (found,) if found else ()
    if isinstance(found, list):
        return tuple(each for each in found[:MOST_VALUES] if isinstance(each, str) and each)
    if isinstance(found, int) and not isinstance(found, bool):
        return (str(found),)
    return ()


def look_up(claims: Mapping[str, Any], path: str) -> Any:
    """What stands at a path; a name that holds dots itself counts before one that leads into an object."""
    if path in claims:
        return claims[path]
    dot = path.find(".")
    while dot >= 0:
        inner = claims.get(path[:dot])
        if isinstance(inner, dict):
            found = look_up(inner, path[dot + 1 :])
            if found is not None:
                return found
        dot = path.find(".", dot + 1)
    return None


def _check(claim: str, value: str) -> None:
    """Invisible characters make two names look alike, line breaks forge lines of a log."""
    if len(value) > LONGEST_NAME or not value.isprintable() or value != value.strip():
        raise Unauthenticated(
            f"the claim {claim!r} holds what can be no name: over {LONGEST_NAME} characters, an invisible one, or a "
            "space at an end"
        )
