"""Who there is: organisations, teams, applications, users and their keys, and what each may do."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import reduce
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr
from pydantic_core import PydanticCustomError

from headgate.config.caching import Narrower
from headgate.config.document import Path
from headgate.config.instructions import SystemPrompt
from headgate.config.limits import Amount, Own, own
from headgate.config.moments import Moment
from headgate.config.payloads import SAID, DataClass
from headgate.config.retention import Kept
from headgate.config.secrets import hash_key
from headgate.config.section import Section
from headgate.core.cached import Narrowed
from headgate.core.caller import ADMIN_OPERATION, NOBODYS, Belongs, Born, Caller, Instructions, Models, Networks, Role
from headgate.core.kept import Keep, strictest
from headgate.core.limits.rule import Dimension
from headgate.core.plugin import suggestion
from headgate.core.request import Operation
from headgate.providers.settings import Traits
from headgate.store.objects import Stored

Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
HASH = r"^sha256:[0-9a-f]{64}$"
NAMES: Mapping[Dimension, str] = {
    "organisation": "organisations",
    "team": "teams",
    "application": "applications",
    "user": "users",
}
"""Whose something is, and the sections these stand in."""


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise PydanticCustomError("network", "not an IP address or network") from None
    return value


Network = Annotated[str, AfterValidator(_network)]


def networks(listed: list[Network]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(each, strict=False) for each in listed)


def _path(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or "*" in value[:-1]:
        raise PydanticCustomError("path", "not a path")
    return value


UrlPath = Annotated[str, AfterValidator(_path)]


class Addresses(Section):
    """From where requests may come."""

    allow: list[Network] | None = Field(
        None,
        min_length=1,
        description="Addresses or networks (`10.0.0.0/8`) from which requests may come. Left out: all.",
    )
    deny: list[Network] = Field(default_factory=list, description="Those from which none may, also of `allow`.")

    @property
    def made(self) -> Networks:
        return Networks(networks(self.allow) if self.allow is not None else None, networks(self.deny))

    @property
    def says(self) -> bool:
        """Whether anybody is kept out."""
        return self.allow is not None or bool(self.deny)


class Grants(Section):
    """What somebody may do; it holds for all who belong to them, too."""

    models: list[str] | None = Field(
        None,
        description="Models that may be asked for: names of `models`, `provider/model`, `provider/*`, or `*` for all. "
        "Left out: all that its owners may use. Holds for every model that a request names (fallbacks, advisers).",
    )
    operations: list[Literal[Operation, "admin"]] | None = Field(
        None,
        description="What may be asked for: `chat`, `embeddings`, `images` …; `opaque` is what is forwarded unread, "
        "`admin` the admin API. Left out: all but `admin`.",
    )
    paths: list[UrlPath] | None = Field(
        None,
        description="Paths that may be asked: `/v1/chat/completions`, or a beginning with a `*`: `/openai/*`. "
        "Left out: all.",
    )
    addresses: Addresses = Field(default_factory=Addresses, description="From where requests may come.")
    requires: Traits = Field(
        default_factory=list,
        description="What must be so of every target that its requests are given to: "
        "[`traits`](../how-to/keep-data-where-it-may-be.md).",
    )
    tags: list[str] = Field(default_factory=list, description="Tags that all its requests get.")
    limits: list[Amount] = Field(
        default_factory=list,
        description="How much all that belong to it may use together; see [limits](../how-to/limit-use.md).",
    )
    payloads: Keep | None = Field(None, description=f"{SAID} Left out: no word in it.")
    data_class: DataClass | None = Field(
        None, description="The class of what its requests say: `health`, `public`. The nearest to the key counts."
    )
    cache: bool | Narrower = Field(
        True,
        description="`false`: its requests are given no answers that are kept, and theirs are not kept. A mapping: "
        "only on narrower terms than those of the name that is asked for.",
    )
    system_prompt: SystemPrompt | None = Field(
        None,
        description="What stands before every conversation of its requests, in all APIs, behind that of those above it "
        "(the organisation's first). No client can leave it out.",
    )
    enabled: bool = Field(True, description="`false`: nobody of it is let in.")
    _made: str = PrivateAttr("")

    @property
    def made(self) -> str:
        """When, of what is in the store: what has this name afterwards is another."""
        return self._made

    @made.setter
    def made(self, when: str) -> None:
        self._made = when


class Organisation(Grants):
    """A tenant: teams, applications, users and keys that belong together."""

    description: str = Field("", max_length=1000, description="For people.")


class Team(Grants):
    """Part of an organisation."""

    organisation: str | None = Field(None, description="The organisation it belongs to.")
    retention: Kept = Field(
        default_factory=Kept, description="How long data of its requests are kept, in place of `retention`."
    )
    description: str = Field("", max_length=1000, description="For people.")


class Application(Grants):
    """A program that asks."""

    organisation: str | None = Field(None, description="The organisation it belongs to, where no team.")
    team: str | None = Field(None, description="The team it belongs to.")
    description: str = Field("", max_length=1000, description="For people.")


class User(Grants):
    """A person."""

    organisation: str | None = Field(None, description="The organisation it belongs to, where no team.")
    teams: list[str] = Field(
        default_factory=list, description="The teams it belongs to; the first is that of keys that name none."
    )
    role: Role = Field(
        "member",
        description="What it may do in the admin API: `owner` and `admin` everything, `team_admin` what belongs to its "
        "teams, `auditor` read everything, `billing` read what was spent, `member` make keys of its own.",
    )
    email: str | None = Field(None, max_length=320, description="Who it is at an OpenID provider, or for messages.")
    password_hash: SecretStr | None = Field(
        None, description="What its password is known by (argon2id), as `headgate user password NAME --print` says it."
    )
    totp: SecretStr | None = Field(
        None, description="The secret of its one-time codes (base32), without which its password lets nobody in."
    )
    description: str = Field("", max_length=1000, description="For people.")


class OldKey(Section):
    """A key that was replaced, and is still taken for a while."""

    key_hash: str = Field(pattern=HASH, description="Its SHA-256: `sha256:` and 64 hex digits.")
    expires: Moment = Field(description="Until when it is taken.")


class Key(Grants):
    """A client's key."""

    name: str = Field(min_length=1, max_length=100, description="Name in records and metrics.")
    key: SecretStr | None = Field(
        None, description="The key: `${NAME}`, a reference (`env:`, `file:`, `vault:` …), or itself."
    )
    key_hash: str | None = Field(
        None,
        pattern=HASH,
        description="Instead of `key`, its SHA-256: `sha256:` and 64 hex digits, as `headgate key new` prints it.",
    )
    prefix: str | None = Field(
        None, max_length=16, pattern=r"^[!-~]+$", description="How the key begins, for people to know it by."
    )
    organisation: str | None = Field(None, description="The organisation whose it is, where nobody's below.")
    team: str | None = Field(None, description="The team whose it is; of a user's or an application's key, that team.")
    application: str | None = Field(None, description="The application whose it is.")
    user: str | None = Field(None, description="The user whose it is.")
    expires: Moment | None = Field(
        None, description="From when it is not taken any more: `2027-01-31`, `2027-01-31T12:00Z`. Left out: never."
    )
    previous: list[OldKey] = Field(default_factory=list, description="Keys before it that are still taken.")

    @property
    def digest(self) -> str:
        """SHA-256 of the key, hex."""
        if self.key_hash is not None:
            return self.key_hash.removeprefix("sha256:")
        return hash_key(self.key.get_secret_value()) if self.key else ""


class People(NamedTuple):
    """The sections of a configuration in which those stand whose keys are."""

    organisations: Mapping[str, Organisation]
    teams: Mapping[str, Team]
    applications: Mapping[str, Application]
    users: Mapping[str, User]

    def belongs(self, said: Belongs) -> Belongs:
        """Whose something is that says so much of it; what is not there leads nowhere."""
        application = self.applications.get(said.application or "")
        user = self.users.get(said.user or "")
        team = said.team or (application.team if application is not None else None)
        if team is None and user is not None and user.teams:
            team = user.teams[0]
        above = self.teams.get(team or "")
        organisation = said.organisation or (above.organisation if above is not None else None)
        for each in (application, user):
            if organisation is None and each is not None:
                organisation = each.organisation
        return Belongs(organisation, team, said.application, said.user)

    def above(self, belongs: Belongs) -> Iterator[tuple[str, str, Grants]]:
        """Whose it is, from the organisation down: what, its name, what it may do."""
        for what, section, name in zip(NAMES, self, belongs, strict=True):
            found = section.get(name or "")
            if name is not None and found is not None:
                yield what, name, found

    def caller(self, name: str, grants: Grants, said: Belongs = NOBODYS, **more: Any) -> Caller:
        """Who comes with this key (or a token that says so much), by what all allow whose it is."""
        belongs = self.belongs(said)
        above = list(self.above(belongs))
        every = [*(each for _, _, each in above), grants]
        models: Models | None = None
        for each in every:
            listed = Models.of(each.models) if each.models is not None else None
            models = listed if models is None else models if listed is None else models.within(listed)
        user = self.users.get(belongs.user or "")
        narrowed = [each.cache.terms for each in every if isinstance(each.cache, Narrower)]
        return Caller(
            name,
            models.names if models is not None else None,
            models.families if models is not None else (),
            frozenset(trait for each in every for trait in each.requires),
            belongs,
            _operations(every, grants),
            tuple(tuple(each.paths) for each in every if each.paths is not None),
            tuple(each.addresses.made for each in every if each.addresses.says),
            barred=_barred(above, grants),
            tags=tuple(dict.fromkeys(tag for each in every for tag in each.tags)),
            role=user.role if user is not None else None,
            born=_born(belongs, above, grants),
            instructions=_instructions(
                [*((f"{what} {of}", each) for what, of, each in above), (f"key {name}", grants)]
            ),
            cache=all(each.cache.enabled if isinstance(each.cache, Narrower) else each.cache for each in every),
            narrowed=reduce(Narrowed.and_also, narrowed) if narrowed else None,
            keep=strictest(*(each.payloads for each in every)),
            data_class=next((each.data_class for each in reversed(every) if each.data_class is not None), None),
            **more,
        )


def _operations(every: Sequence[Grants], own: Grants) -> frozenset[str] | None:
    """What all allow. That a key is for the admin API only the key says; what it may do there, its user's role."""
    allowed: frozenset[str] | None = None
    for each in every:
        if each.operations is not None:
            listed = frozenset(each.operations) - {ADMIN_OPERATION}
            allowed = listed if allowed is None else allowed & listed
    if allowed is not None and ADMIN_OPERATION in (own.operations or ()):
        allowed |= {ADMIN_OPERATION}
    return allowed


def _born(belongs: Belongs, above: Sequence[tuple[str, str, Grants]], grants: Grants) -> Born:
    when = {what: each.made for what, _, each in above}
    own = grants.made or (grants.digest if isinstance(grants, Key) else "")
    return Born(**{what: when.get(what, "") for what in NAMES}, key=own)


def _instructions(every: Sequence[tuple[str, Grants]]) -> Instructions | None:
    found = [(whose, each.system_prompt) for whose, each in every if each.system_prompt is not None]
    if not found:
        return None
    text = "\n\n".join(said.text for _, said in found)
    return Instructions(text, tuple(whose for whose, _ in found), any(said.own == "refuse" for _, said in found))


def _barred(above: Sequence[tuple[str, str, Grants]], grants: Grants) -> str | None:
    for what, name, each in above:
        if not each.enabled:
            return f"belongs to the {what} {name!r}, which is disabled"
    return None if grants.enabled else "is disabled"


def own_limits(people: People, keys: Sequence[tuple[Path, Key]]) -> Iterator[Own]:
    """Limits that stand with whom they concern."""
    for (what, section), found in zip(NAMES.items(), people, strict=True):
        for name, grants in found.items():
            yield from own((section, name), what, name, grants.limits)
    for path, key in keys:
        yield from own(path, "key", key.name, key.limits)


def born(people: People, keys: Sequence[Key], objects: Sequence[Stored], stored: Container[tuple[str, str]]) -> None:
    """Note of those that come out of the store when they were made."""
    sections: dict[str, Mapping[str, Grants]] = dict(zip(NAMES.values(), people, strict=True))
    sections["keys"] = {key.name: key for key in keys}
    for each in objects:
        found = sections.get(each.kind, {}).get(each.name)
        if found is not None and (each.kind, each.name) in stored:
            found.made = repr(each.created)


def callers(keys: list[Key], people: People) -> Iterator[tuple[bytes, Caller]]:
    """Each key by its digest, and each that came before it and is still taken."""
    for key in keys:
        said = Belongs(key.organisation, key.team, key.application, key.user)
        until = key.expires.timestamp() if key.expires is not None else float("inf")
        yield bytes.fromhex(key.digest), people.caller(key.name, key, said, expires=until)
        for old in key.previous:
            expires = min(until, old.expires.timestamp())
            digest = bytes.fromhex(old.key_hash.removeprefix("sha256:"))
            yield digest, people.caller(key.name, key, said, expires=expires)


def check(people: People, keys: Sequence[tuple[Path, Key]], tell: Tell) -> None:
    """Tell whose names stand for nobody, and where one says otherwise than another."""
    for section, found in zip(NAMES.values(), people, strict=True):
        for name, grants in found.items():
            if not name or name != name.strip() or not name.isprintable() or len(name) > 100:
                tell((section, name), "not a name", "use up to 100 printable characters")
            _known(people, (section, name), grants, tell)
    for path, key in keys:
        if _known(people, path, key, tell):
            _agreed(people, path, key, tell)


def _known(people: People, path: Path, grants: Grants, tell: Tell) -> bool:
    """Whether all it belongs to is there; told where not."""
    said = [((*path, what), what, getattr(grants, what, None)) for what in NAMES]
    said += [((*path, "teams", index), "team", name) for index, name in enumerate(getattr(grants, "teams", ()))]
    known = True
    for place, what, name in said:
        section = NAMES[what]
        there = getattr(people, section)
        if name is not None and name not in there:
            tell(place, f"there is no {what} of this name in `{section}`", suggestion(name, list(there)))
            known = False
    return known


def _agreed(people: People, path: Path, key: Key, tell: Tell) -> None:
    """What a key says of its owner is what its owner says."""
    application, user = people.applications.get(key.application or ""), people.users.get(key.user or "")
    if key.team is not None and application is not None and application.team not in (None, key.team):
        tell((*path, "team"), f"the application belongs to the team {application.team}", "leave `team` out")
    if key.team is not None and user is not None and key.team not in user.teams:
        tell((*path, "team"), "the user is not in this team", "add it to the user's `teams`, or leave it out")
    belongs = people.belongs(Belongs(None, key.team, key.application, key.user))
    if key.organisation is not None and belongs.organisation not in (None, key.organisation):
        hint = "leave `organisation` out"
        tell((*path, "organisation"), f"its owner belongs to the organisation {belongs.organisation}", hint)
    if ADMIN_OPERATION in (key.operations or ()) and key.user is None:
        tell((*path, "operations"), "a key for the admin API needs a `user`, whose role it has", "set `user`")
