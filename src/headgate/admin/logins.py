"""Lets people in by what they know, and knows who comes with a session."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from headgate.admin.access import Who
from headgate.admin.problems import Problem, refused
from headgate.admin.throttle import Throttle
from headgate.admin.visit import SESSION, Visit
from headgate.config.identities import Grants, User
from headgate.config.load import Loaded
from headgate.config.login import Hashing
from headgate.config.login import Login as Settings
from headgate.config.secrets import hash_key
from headgate.core.caller import ADMIN_OPERATION, Belongs, Caller, Role
from headgate.core.errors import GatewayError, IdentityUnavailable, Unauthenticated
from headgate.core.limits.ledger import clock
from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Demand, Denied, Meter
from headgate.core.limits.window import Calendar
from headgate.core.ports import Upstream
from headgate.identity.ldap.directory import GROUPS, Directory, folded_groups
from headgate.identity.login import Login as OpenID
from headgate.identity.mapping import Rules
from headgate.identity.passwords import LONGEST, PACKAGE, Cost, Passwords
from headgate.identity.second_factor import step_of
from headgate.store.database import Database
from headgate.store.objects import Actor, Objects
from headgate.store.sessions import Bounds, Login, Session, Sessions, Way

log = logging.getLogger("headgate.admin")

LONGEST_NAME = 256
FAILURES = Meter("logins that failed", "requests", 120, Calendar("hour"), burst=60)
"""So many are put into the audit: a stranger can make as many as he likes."""
GATEWAY = Actor("the gateway")
FAILURES_KEPT = 90 * 86_400.0
"""Seconds."""
GRANTS = Grants(operations=[ADMIN_OPERATION])
"""Of a session."""


class Serving(Protocol):
    """The serving process, as far as logins need it."""

    loaded: Loaded

    @property
    def upstream(self) -> Upstream: ...


class Store(Protocol):
    """Where sessions are."""

    async def database(self) -> Database: ...

    def has_store(self) -> bool:
        """Whether there is a store at all."""


class Given(NamedTuple):
    """What somebody wants to be let in by."""

    name: str
    password: str
    code: str | None = None


class Logins:
    """Times are Unix seconds."""

    def __init__(self, running: Serving, store: Store) -> None:
        self._running = running
        self._store = store
        self._throttle = Throttle()
        self._passwords: tuple[Hashing, Passwords] | None = None
        self._openid: OpenID | None = None
        self._directory: Directory | None = None
        self._noted = MemoryCounters()
        self._swept = 0.0

    @property
    def settings(self) -> Settings:
        return self._running.loaded.config.login

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.settings.session, self.settings.idle)

    def ways(self) -> list[Way]:
        """In which people may log in now."""
        found: list[Way] = ["password"] if self.settings.password and find_spec(PACKAGE) is not None else []
        if self.settings.ldap is not None:
            found.append("ldap")
        return [*found, "oidc"] if self.settings.oidc is not None else found

    async def sessions(self) -> Sessions:
        return Sessions(await self._store.database())

    def user(self, name: str) -> User | None:
        return self._running.loaded.config.users.get(name)

    async def check(self, given: Given, address: str | None, now: float) -> Login:
        """Who it is. The same words and the same time for all that is wrong. Raises Problem."""
        if not {"password", "ldap"} & set(self.ways()):
            raise Problem(
                403, "login_off", "nobody logs in here with a password; `login` of the configuration says how"
            )
        if len(given.name) > LONGEST_NAME or len(given.password) > LONGEST:
            raise _wrong()
        hold = await self._throttle.admit(given.name, address, clock())
        login = await self._found(given.name, given.password)
        if login is None:
            raise _wrong()
        user = self.user(login.name)
        if user is not None and user.totp is not None:
            if not given.code:
                self._throttle.forgive(hold, clock())
                raise Problem(401, "code_needed", "the one-time code of the authenticator app is needed, too: `code`")
            code_hold = await self._throttle.admit_code(login.name, address, clock())
            if not await self.spend(login.name, user.totp.get_secret_value(), given.code, now):
                raise _wrong()
            self._throttle.forgive(code_hold, clock())
        self._throttle.right(hold, given.name, address, clock())
        return login

    async def openid(self) -> OpenID:
        """The provider at which people log in, with the keys it has published. Raises Problem."""
        if self.settings.oidc is None:
            raise Problem(
                403, "login_off", "nobody logs in here at an OpenID provider: `login.oidc` of the configuration"
            )
        settings, before = self.settings.oidc.settings, self._openid
        if before is None or before.settings != settings:
            self._openid = OpenID(settings, self._running.upstream)
            if before is not None:
                await before.close()
        assert self._openid is not None
        return self._openid

    def vouched(self, way: Way, rules: Rules, claims: Mapping[str, Any], email: str | None = None) -> Login:
        """Somebody for whom somebody else vouches; `email`: one that is known to be theirs. Raises Problem where they
        are nobody here."""
        config = self._running.loaded.config
        name = rules.read(claims).user
        if name not in config.users and email is not None:
            mails = {user.email.lower(): known for known, user in config.users.items() if user.email}
            name = mails.get(email.lower(), name)
        login = Login(name, way, self._proof(way, name), rules.held(claims))
        role, teams = self._role(login)
        if role is None:
            told = f"{name!r} has logged in there, but is none of the users here, and no claim gives a role"
            raise Problem(403, "not_a_user", told)
        if self._caller(name, teams).barred is not None:
            raise Problem(403, "disabled", f"{name!r} is let in no more, or nobody of the same team or organisation is")
        return login

    async def confirm(self, name: str, password: str, address: str | None) -> None:
        """That it is the user's own password, and he is asked for it again. Raises Problem."""
        hold = await self._throttle.admit(name, address, clock())
        login = await self._found(name, password)
        if login is None or login.name != name:
            raise Problem(403, "wrong_password", "`current` is not the password of today")
        self._throttle.right(hold, name, address, clock())

    async def hash(self, password: str) -> str:
        """What is kept of a password. Raises Problem."""
        try:
            return await self._hasher().hash(password)
        except GatewayError as error:
            raise refused(error) from None

    async def spend(self, name: str, secret: str, code: str, now: float) -> bool:
        """Whether it is a one-time code of now; it counts once, over all processes."""
        step = step_of(secret, code, now)
        return step is not None and await (await self.sessions()).spend(name, step)

    async def begin(self, login: Login, visit: Visit, now: float) -> tuple[str, Session]:
        """The secret of the session, and the session. One that the browser had before ends: nobody plants one."""
        sessions = await self.sessions()
        before = visit.cookie(SESSION)
        old = await sessions.find(before, now, self.bounds) if before else None
        if old is not None:
            await sessions.end(old.id)
        return await sessions.begin(login._replace(address=visit.address, agent=visit.agent), now, self.bounds)

    async def known(self, secret: str, visit: Visit, path: str) -> tuple[Who, Session] | None:
        """Who comes with a session; None where it is none, or over. Raises Problem where he may not from there."""
        if not self._store.has_store():
            return None
        session = await (await self.sessions()).find(secret, time.time(), self.bounds)
        if session is None or session.way not in self.ways():
            return None
        if self._proof(session.way, session.name) != session.proof:
            return None
        role, teams = self._role(session)
        if role is None:
            return None
        caller = self._caller(session.name, teams)
        if caller.barred is not None:
            return None
        if not caller.may_come_from(visit.address):
            raise Problem(403, "address_not_allowed", f"{session.name!r} may not ask from {visit.address}")
        if not caller.may_ask_at(path):
            raise Problem(403, "operation_not_allowed", f"{session.name!r} may not ask at {path[:200]}")
        return self.who(session), session

    def who(self, session: Session) -> Who:
        """Who has logged in, as the configuration of now has it."""
        role, teams = self._role(session)
        user = session.name if self.user(session.name) is not None else None
        return Who(f"{session.name} ({session.way})", role or "member", user, frozenset(teams))

    async def note(self, action: str, name: str, actor: Actor, **told: str) -> None:
        """Put into the audit who came and went."""
        await Objects(await self._store.database()).note(action, "sessions", name, actor, told)

    async def note_failure(self, name: str, why: str, actor: Actor) -> None:
        """That somebody was not let in; not under which name, where that is nobody's: it may be a password."""
        now = clock()
        outcome = await self._noted.reserve([Demand(FAILURES, "failures", 1)], now)
        if isinstance(outcome, Denied) or not self._store.has_store():
            return
        if now.steady - self._swept > 3600.0:
            self._swept = now.steady
            await Objects(await self._store.database()).forget(now.wall - FAILURES_KEPT, GATEWAY, action="login_failed")
        await self.note("login_failed", name if self.user(name) is not None else "", actor, why=why)

    async def close(self) -> None:
        if self._passwords is not None:
            self._passwords[1].close()
        if self._openid is not None:
            await self._openid.close()

    def _role(self, login: Login | Session) -> tuple[Role | None, list[str]]:
        """Which role somebody has, and which teams: what they were vouched for then, as the configuration of now
        understands it, beside what stands in `users`."""
        user, rules = self.user(login.name), self._rules(login.way)
        teams = list(user.teams) if user is not None else []
        claimed: Role | None = None
        if rules is not None:
            claimed = rules.role_of(login.claims)
            there = self._running.loaded.config.teams
            teams += [team for team in (rules.team.values(login.claims) if rules.team else ()) if team in there]
        return claimed or (user.role if user is not None else None), teams

    def _rules(self, way: Way) -> Rules | None:
        oidc, ldap = self.settings.oidc, self.settings.ldap
        if way == "ldap" and ldap is not None:
            return folded_groups(ldap.settings.rules)
        return oidc.claims.rules if way == "oidc" and oidc is not None else None

    async def _found(self, name: str, password: str) -> Login | None:
        """Who has this name and password: here, or where no password is kept here, in the directory. Raises Problem."""
        ways = self.ways()
        if "password" in ways and await self._right(name, password):
            return Login(name, "password", self._proof("password", name))
        if self._has_password(name) or "ldap" not in ways:
            return None
        directory = await self._asked()
        try:
            person = await directory.login(name, password)
        except IdentityUnavailable as error:
            raise refused(error) from None
        except Unauthenticated:
            return None
        if self._has_password(person.user):  # whatever was typed: ANN, or an address, finds ann there
            return None
        return self.vouched("ldap", directory.rules, {"user": person.user, GROUPS: list(person.groups)})

    def _has_password(self, name: str) -> bool:
        """Whether it is here that a user's password is asked for."""
        user = self.user(name)
        return "password" in self.ways() and user is not None and user.password_hash is not None

    def _proof(self, way: Way, name: str) -> str:
        """What a session goes by that began so: it changes with the user, when there comes to be one, and with who
        vouches. Another's groups would else count as this one's."""
        oidc, ldap, user = self.settings.oidc, self.settings.ldap, self.user(name)
        by: Sequence[object] = ()
        if way == "oidc" and oidc is not None:
            by = oidc.issuer, oidc.client_id, oidc.claims.rules.user
        elif way == "ldap" and ldap is not None:
            by = ldap.url, ldap.base, ldap.filter, ldap.dn, ldap.user
        return hash_key(repr([way, *by, proof(user) if user is not None else ""]))

    async def _asked(self) -> Directory:
        """The directory, as it is configured now. Raises Problem."""
        assert self.settings.ldap is not None
        settings = self.settings.ldap.settings
        if self._directory is None or self._directory.settings != settings:
            try:
                self._directory = await asyncio.to_thread(Directory, settings)  # it reads certificates
            except OSError as error:
                log.error("`login.ldap.ca_file` cannot be used: %s", error)  # noqa: TRY400
                told = "the directory cannot be asked: no certificates to trust; the gateway's log says why"
                raise Problem(503, "identity_unavailable", told) from None
        return self._directory

    async def _right(self, name: str, password: str) -> bool:
        """Whether this is the password of a user who may come in."""
        user = self.user(name)
        kept = user.password_hash.get_secret_value() if user is not None and user.password_hash is not None else None
        try:
            right = await self._hasher().check(kept, password)
        except GatewayError as error:
            raise refused(error) from None
        return right and user is not None and self._caller(name, user.teams).barred is None

    def _hasher(self) -> Passwords:
        hashing = self.settings.hashing
        if self._passwords is None or self._passwords[0] != hashing:
            if find_spec(PACKAGE) is None:
                told = f"passwords need the package {PACKAGE}-cffi, which is not there: install headgate[admin]"
                raise Problem(501, "not_here", told)
            if self._passwords is not None:
                self._passwords[1].close()
            self._passwords = hashing, Passwords(Cost(hashing.passes, hashing.memory))
        return self._passwords[1]

    def _caller(self, name: str, teams: Sequence[str]) -> Caller:
        user = name if self.user(name) is not None else None
        return self._running.loaded.config.people.caller(name, GRANTS, Belongs(team=next(iter(teams), None), user=user))


def proof(user: User) -> str:
    """Changes when a user's password, second factor or role does."""
    known = (user.password_hash, user.totp)
    return hash_key(repr([user.role, *(each.get_secret_value() if each is not None else "" for each in known)]))


def _wrong() -> Problem:
    return Problem(401, "wrong_credentials", "the name, the password or the one-time code is not right")
