"""Logs somebody in by a directory: finds who it is, has the directory check the password, and reads their groups."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, NoReturn
from urllib.parse import urlsplit

from headgate.core.errors import IdentityUnavailable, Unauthenticated
from headgate.identity import names
from headgate.identity.ldap.connection import Away, Connection, Server
from headgate.identity.ldap.filters import parse
from headgate.identity.ldap.messages import (
    ENTRY_ALONE,
    SIZE_EXCEEDED,
    SUBTREE,
    SUCCESS,
    Entry,
    Search,
)
from headgate.identity.mapping import Mapped, Rule, Rules

WRONG = frozenset({19, 32, 34, 48, 49, 53})
"""Results of a bind that are about who wanted in: https://www.rfc-editor.org/rfc/rfc4511#appendix-A. 19 and 53
are told of accounts that are locked. With all others something is wrong with the directory, or what it is asked."""
MOST_GROUPS = 1000
LONGEST_NAME = 256
LONGEST_PASSWORD = 1024
GROUPS = "groups"
"""The claim that a person's groups are under, for rules."""
AT_ONCE = 10
USER = frozenset({"user"})
PORTS = {"ldap": 389, "ldaps": 636}

log = logging.getLogger("headgate.identity")


@dataclass(slots=True, frozen=True)
class Settings:
    """Where the directory is and what it looks like. Raises ValueError for what cannot be, or protects nothing."""

    urls: Sequence[str]
    """`ldaps://host` or `ldap://host`, the first that answers is asked."""
    base: str = ""
    """Below which people are looked for."""
    filter: str = "(uid={user})"
    dn: str | None = None
    """Instead of looking for them: how the name of somebody's entry is made, `uid={user},ou=people,dc=acme`."""
    account: str | None = None
    """The DN of who looks for people; None: anybody may."""
    password: str | None = field(default=None, repr=False)
    user: str = "uid"
    """The attribute that says who somebody is, whatever they typed."""
    email: str = "mail"
    name: str = "cn"
    groups: str = "memberOf"
    """The attribute of a person that names their groups."""
    groups_base: str | None = None
    """Below which the groups are whose short names count."""
    groups_filter: str | None = None
    """Where people's entries do not name their groups: how those are found, with {dn} and {user}."""
    start_tls: bool = True
    """Over `ldap://`; without, passwords cross the network in clear."""
    ca_file: str | None = None
    wait: float = 10.0
    """Seconds that a login may take."""
    rules: Rules = field(default_factory=lambda: Rules(user=Rule("user")))

    def __post_init__(self) -> None:
        if not self.urls or isinstance(self.urls, str):
            raise ValueError("there is a list of one or more addresses of the directory")
        for url in self.urls:
            where = urlsplit(url)
            if where.scheme not in PORTS or not where.hostname or where.path.strip("/") or where.query:
                raise ValueError(f"{url!a} is no address of a directory: ldaps://HOST or ldap://HOST")
        parse(self.filter, USER)
        if self.groups_filter is not None:
            parse(self.groups_filter, USER | {"dn"})
            if self.groups_base is None:
                raise ValueError("groups are looked for below `groups_base`")
        for name in (self.base, self.groups_base or "", (self.dn or "").replace("{user}", "x"), self.account or ""):
            names.parse(name)
        if self.dn is not None and "{user}" not in self.dn:
            raise ValueError("the name of an entry is made with {user} in it")
        if self.dn is None and "{user}" not in self.filter:
            raise ValueError("the filter finds somebody by {user}")
        if self.account is not None and not self.password:
            raise ValueError("the account that looks for people has a password: without one it would be nobody")


class Person(NamedTuple):
    """Who logged in."""

    dn: str
    user: str
    email: str | None
    name: str | None
    groups: tuple[str, ...]
    """By their whole names in small letters, those below `groups_base` also by their short ones."""
    mapped: Mapped


class Directory:
    """Makes a connection for each login."""

    def __init__(self, settings: Settings) -> None:
        """Reads certificates: not on the loop. Raises OSError, ssl.SSLError for a file of them that is none."""
        self.settings = settings
        self._servers = tuple(_server(url, settings) for url in settings.urls)
        self._filter = parse(settings.filter, USER)
        self._groups_filter = parse(settings.groups_filter, USER | {"dn"}) if settings.groups_filter else None
        self._groups_base = None if settings.groups_base is None else names.parse(settings.groups_base)
        self.rules = folded_groups(settings.rules)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def login(self, user: str, password: str) -> Person:
        """Raises Unauthenticated, or IdentityUnavailable where the directory does not answer, or not this question."""
        secret = _checked(user, password)
        try:
            async with asyncio.timeout(self.settings.wait), self._free:
                connection = await self._open()
                try:
                    return await self._login(connection, user, secret)
                finally:
                    await connection.close()
        except TimeoutError:
            raise self._unavailable(f"it has not answered within {self.settings.wait:g} seconds") from None
        except Away as error:
            raise self._unavailable(str(error)) from error

    async def _open(self) -> Connection:
        share = self.settings.wait / (len(self._servers) + 1)
        told = []
        for server in self._servers:
            try:
                async with asyncio.timeout(share):
                    return await Connection.open(server)
            except TimeoutError:
                told.append(f"no connection to {server} within {share:.1f} seconds")
            except Away as error:
                told.append(str(error))
        raise Away("; ".join(told))

    async def _login(self, connection: Connection, user: str, secret: bytes) -> Person:
        if self.settings.dn is None:
            await self._as_account(connection)
            entry = await self._find(connection, user)
            dn = entry.dn
        else:
            entry, dn = None, self.settings.dn.replace("{user}", names.escaped(user))
        result = await connection.bind(dn, secret)
        if result.code in WRONG:
            refuse()
        if result.code != SUCCESS:
            raise Away(f"it answered a login with {result.code}")
        if entry is None:
            entry = await self._read(connection, dn)
        known = entry.first(self.settings.user)
        if not known:
            raise Away(f"the entry of who logged in has no {self.settings.user}")
        groups = await self._groups(connection, entry, known)
        email, name = entry.first(self.settings.email), entry.first(self.settings.name)
        claims = {"user": known, "sub": known, "dn": entry.dn, "email": email, "name": name, GROUPS: list(groups)}
        return Person(entry.dn, known, email, name, groups, self.rules.read(claims))

    async def _as_account(self, connection: Connection) -> None:
        if self.settings.account is None:
            return
        result = await connection.bind(self.settings.account, (self.settings.password or "").encode())
        if result.code != SUCCESS:
            raise Away(f"it does not let in the account that looks for people ({result.code})")

    async def _find(self, connection: Connection, user: str) -> Entry:
        found = await self._search(connection, self.settings.base, self._filter.bytes({"user": user}), 2)
        if len(found) > 1:
            log.warning("the filter of the directory finds several people by one name; none of them is let in")
        if len(found) != 1 or not found[0].dn:  # a bind without a name would let in anybody
            refuse()
        return found[0]

    async def _read(self, connection: Connection, dn: str) -> Entry:
        found = await self._search(connection, dn, parse("(objectClass=*)").bytes({}), 1, scope=ENTRY_ALONE)
        if not found:
            raise Away("who logged in may not read their own entry")
        return found[0]

    async def _groups(self, connection: Connection, entry: Entry, user: str) -> tuple[str, ...]:
        listed = list(entry.attributes.get(self.settings.groups.lower(), ()))
        if self._groups_filter is not None:
            await self._as_account(connection)
            wanted = self._groups_filter.bytes({"user": user, "dn": entry.dn})
            found = await self._search(connection, self.settings.groups_base or "", wanted, MOST_GROUPS)
            listed += [each.dn for each in found]
        groups: dict[str, None] = {}
        for dn in listed[:MOST_GROUPS]:
            try:
                name = names.parse(dn)
            except ValueError:
                continue  # the value of an attribute that names no group
            groups[names.plain(name)] = None
            if name and self._groups_base is not None and names.under(name, self._groups_base):
                groups |= dict.fromkeys(value for _, value in sorted(name[0]))
        return tuple(groups)

    async def _search(
        self, connection: Connection, base: str, wanted: bytes, most: int, scope: int = SUBTREE
    ) -> list[Entry]:
        """Raises Away where it is not answered; who may be missing among too many is."""
        settings = self.settings
        attributes = (settings.user, settings.email, settings.name, settings.groups)
        seconds = max(int(settings.wait), 1)
        found, result = await connection.search(Search(base, wanted, attributes, most, seconds, scope))
        if result.code not in (SUCCESS, SIZE_EXCEEDED):
            raise Away(f"it answered a search with {result.code}")
        if result.code == SIZE_EXCEEDED and len(found) < 2:
            raise Away("it gave less than it has found")
        return found

    def _unavailable(self, why: str) -> IdentityUnavailable:
        log.warning("the directory cannot say who logs in: %s", why)
        return IdentityUnavailable(f"the directory cannot be asked: {why}", retry_after=5.0)


def refuse() -> NoReturn:
    """The same for everybody: nobody learns which names there are."""
    raise Unauthenticated("the name or the password is not right")


def _checked(user: str, password: str) -> bytes:
    """The password's bytes. One that is empty would let in anybody: to a directory that is a bind of nobody's
    (https://www.rfc-editor.org/rfc/rfc4513#section-5.1.2)."""
    if not user.strip() or len(user) > LONGEST_NAME or not user.isprintable():
        refuse()
    if not password or len(password) > LONGEST_PASSWORD or "\0" in password:
        refuse()
    try:
        return password.encode()
    except UnicodeEncodeError:
        refuse()


def _server(url: str, settings: Settings) -> Server:
    where = urlsplit(url)
    start = where.scheme == "ldap" and settings.start_tls
    tls = ssl.create_default_context(cafile=settings.ca_file) if start or where.scheme == "ldaps" else None
    return Server(where.hostname or "", where.port or PORTS[where.scheme], tls, start)


def folded_groups(rules: Rules) -> Rules:
    """Groups are named in whatever way, and compared as the directory does."""
    changed: dict[str, Rule] = {}
    for kind in ("organisation", "team", "application", "role", "models"):
        rule: Rule | None = getattr(rules, kind)
        if rule is not None and rule.claim == GROUPS and rule.table is not None:
            changed[kind] = replace(rule, table=_folded(rule.table))
    return replace(rules, **changed)


def _folded(table: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for group, ours in table.items():
        found.setdefault(names.plain(names.parse(group)) if "=" in group else names.folded(group), ours)
    return found
