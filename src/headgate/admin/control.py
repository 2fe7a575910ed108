"""What the admin API works on: the configuration in force, the store, and changes, tried before they are made."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from headgate.admin import access
from headgate.admin.access import Who
from headgate.admin.logins import Logins
from headgate.admin.problems import Problem, at, missing, wrong
from headgate.admin.secrets import TARGETING, follows, leads_elsewhere
from headgate.config import sections, stored
from headgate.config.export import Exported, export
from headgate.config.identities import People
from headgate.config.load import Loaded, places_of
from headgate.config.problems import ConfigError
from headgate.core.cached import Outcome, Raised, Verdict, Which
from headgate.core.caller import Caller
from headgate.core.limits.ledger import Ledger
from headgate.core.ports import Upstream
from headgate.core.record import Record
from headgate.governance.databases import Databases
from headgate.records.payloads.reading import reseal
from headgate.records.reading import Records
from headgate.runtime.gateway import Gateway
from headgate.store import signing
from headgate.store.database import Database, connect
from headgate.store.migrations import migrate
from headgate.store.objects import Action, Actor, Change, Conflict, Moved, Objects, Stored
from headgate.store.sealing import KeyAway, Keyring, Seal, Unsealable
from headgate.store.sessions import Sessions

TRIES = 10
"""How often a change is made anew that others have come before."""

Body = dict[str, Any]


class Verdicts(Protocol):
    """What is said of answers that were given from the cache. All raise OSError."""

    async def report(self, record: Record, verdict: Verdict, by: str) -> Outcome:
        """Raises NotGiven."""

    async def raised(self) -> Sequence[Raised]:
        """Thresholds, the latest first."""

    async def forget(self) -> None:
        """They are as they are configured again."""


class Answers(Protocol):
    """Those that are kept to be given again."""

    @property
    def verdicts(self) -> Verdicts: ...

    async def clear(self, which: Which) -> int:
        """Take these out; gives how many there were."""


class Vaults(Protocol):
    async def clear(self, which: Which) -> int:
        """Take these out; gives how many there were. Raises OSError."""


class Running(Protocol):
    """The serving process."""

    loaded: Loaded
    started_with: Loaded
    gateway: Gateway
    ledger: Ledger

    @property
    def upstream(self) -> Upstream: ...

    @property
    def answers(self) -> Answers: ...

    @property
    def vaults(self) -> Vaults: ...

    async def reload(self) -> object:
        """Put in force what file and store say. Raises ValueError."""

    def check(self, loaded: Loaded) -> None:
        """Whether a gateway can be made of it. Raises ValueError."""


class Entry(NamedTuple):
    """An object of the configuration, wherever it stands."""

    kind: str
    name: str
    body: Body
    stored: Stored | None
    """None: it stands in the file."""


class Wanted(NamedTuple):
    """What is to become of an object; `body` makes the new one of the old one (None: there is none)."""

    action: Action
    kind: str
    name: str
    body: Callable[[Body | None], Body] | None = None
    version: int | None = None
    called: str | None = None
    """In the audit, where `action` says less than is so."""
    last: bool = False
    """It goes behind all others."""


class Resealed(NamedTuple):
    """How many secrets were sealed anew, in how many objects."""

    secrets: int
    objects: int


class Control:
    def __init__(self, running: Running, environ: Mapping[str, str] = os.environ) -> None:
        self.running = running
        self._environ = environ
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self._keyring: Keyring | None = None
        self.logins = Logins(running, self)
        places = places_of(running.started_with.config)
        self.records = Records(*places)
        self.summed = Records(places.data_dir, places.records)
        """The same again: sums of many may take seconds, and no search waits for them."""
        self._file: OfFile | None = None
        self._databases: Databases | None = None

    async def database(self) -> Database:
        """The store, made where there is none yet. Raises StoreAway."""
        async with self._opening:
            if self._database is None:
                config = self.running.loaded.config
                url = config.store.url
                database = connect(stored.url(config.data_dir, url.get_secret_value() if url else None))
                try:
                    await migrate(database)
                except BaseException:
                    await database.close()
                    raise
                self._database = database
            return self._database

    def has_store(self) -> bool:
        """Whether there is a store: it is made when something is first written."""
        return stored.there(*self._where())

    def databases(self) -> Databases:
        """Both, to purge them and to prove what is there."""
        if self._databases is None:
            started = self.running.started_with
            self._databases = Databases(started.config, self._environ, started.references)
        return self._databases

    async def close(self) -> None:
        await self.logins.close()
        if self._databases is not None:
            await self._databases.close()
        await self.records.close()
        await self.summed.close()
        if self._database is not None:
            await self._database.close()

    def seal(self) -> Seal:
        if self._keyring is None:
            loaded = self.running.loaded
            self._keyring = Keyring(loaded.config.data_dir, self._environ, loaded.references)
        return self._keyring.seal()

    def who(self, caller: Caller) -> Who:
        """Somebody who has been let in. Raises Problem where the key has no role."""
        user = self.running.loaded.config.users.get(caller.belongs.user or "")
        if caller.role is None:
            raise Problem(403, "no_role", f"the key {caller.key!r} is no user's, so that it has no role here")
        name = caller.key if caller.belongs.user is None else f"{caller.belongs.user} ({caller.key})"
        return Who(name, caller.role, caller.belongs.user, frozenset(user.teams if user is not None else ()))

    async def everything(self) -> dict[str, dict[str, Entry]]:
        """All objects, of the file and of the store, by kind and name."""
        found = {
            kind: {name: Entry(kind, name, body, None) for name, body in self._filed(kind).items()}
            for kind in stored.KINDS
        }
        for each in await self._held():
            if each.kind in found:
                found[each.kind].setdefault(each.name, Entry(each.kind, each.name, each.body, each))
        return found

    async def entries(self, kind: str) -> list[Entry]:
        """All objects of a kind, in the order of their names."""
        found = (await self.everything())[kind]
        return [found[name] for name in sorted(found)]

    async def parts(self, *, whole: bool) -> sections.Parts:
        """What is exported of the store; `whole`: and of the file."""
        return sections.parts(await self._held(), self._of_file().exported, whole=whole)

    async def _held(self) -> Sequence[Stored]:
        if not self.has_store():
            return ()
        return (await Objects(await self.database()).all())[1]

    async def entry(self, who: Who, kind: str, name: str) -> Entry:
        """One that somebody may see. Raises Problem."""
        for each in await self.entries(kind):
            if each.name == name and access.may_see(who, self.people, kind, name, each.body):
                return each
        raise missing(kind, name)

    @property
    def people(self) -> People:
        return self.running.loaded.config.people

    async def change(self, who: Who, wanted: Sequence[Wanted], actor: Actor, *, dry: bool = False) -> list[Change]:
        """Make all changes or none, once they have been tried, and put them in force. Raises Problem, StoreAway."""
        objects = Objects(await self.database())
        for _ in range(TRIES):
            revision, held = await objects.all()
            # in a thread: a service that keeps the key of secrets may have to be asked
            changes = await asyncio.to_thread(self._plan, who, wanted, held)
            if not changes:
                return []
            await asyncio.to_thread(self._try, stored.Held(revision + 1, _applied(held, changes)), changes)
            if dry:
                return changes
            try:
                await objects.apply(changes, actor, at=revision)
            except Moved:
                continue
            except Conflict as conflict:
                raise _conflict(conflict.change, conflict.current) from None
            await self._put_in_force()
            await self._send_away(changes)
            return changes
        raise _busy()

    async def reseal(self, actor: Actor) -> Resealed:
        """Seal every secret of the store with the key in use: all, in one change, or none. Raises Problem, StoreAway.

        Also those of objects that are not in force, as the file has them, too: they may be some time.
        """
        if not self.has_store():
            return Resealed(await self._reseal_payloads(), 0)
        objects = Objects(await self.database())
        try:
            await signing.reseal(await self.database(), self.seal())
        except KeyAway:
            raise
        except Unsealable as error:
            raise Problem(409, "unsealable", f"the signing key cannot be opened: {error}") from None
        for _ in range(TRIES):
            revision, held = await objects.all()
            try:
                changes, count = await asyncio.to_thread(_resealed, held, self.seal())
            except KeyAway:
                raise
            except Unsealable as error:
                told = f"nothing was sealed anew, as one secret cannot be opened: {error}"
                raise Problem(409, "unsealable", told) from None
            if not changes:
                return Resealed(await self._reseal_payloads(), 0)
            try:
                await objects.apply(changes, actor, at=revision)
            except (Moved, Conflict):
                continue
            await self._put_in_force()
            return Resealed(count + await self._reseal_payloads(), len(changes))
        raise _busy()

    async def _reseal_payloads(self) -> int:
        return await reseal(self.records, self.seal) if self.records.there else 0

    async def _put_in_force(self) -> None:
        try:
            await self.running.reload()
        except (ValueError, OSError) as error:
            said = f"the change is kept, but could not be put in force: {error}"
            raise Problem(500, "not_in_force", said) from None

    async def _send_away(self, changes: Sequence[Change]) -> None:
        """Nobody stays logged in who is gone or disabled, also should he be there again."""
        sessions = Sessions(await self.database())
        for change in changes:
            if change.kind == "users" and (change.body is None or change.body.get("enabled") is False):
                await sessions.end_of(change.name)

    def writable(self, kind: str, name: str) -> None:
        """Raises Problem for what stands in the file."""
        if name in self._filed(kind):
            file = self.running.loaded.path
            there = file.name if file else "the environment"
            raise Problem(409, "read_only", f"{kind}/{name} stands in {there}; change it there")

    def _plan(self, who: Who, wanted: Sequence[Wanted], held: Sequence[Stored]) -> list[Change]:
        there = {(each.kind, each.name): each for each in held}
        changes = [self._planned(who, each, there) for each in wanted]
        for change in changes:
            before = there.get((change.kind, change.name))
            if change.kind == "providers" and change.body is not None and before is not None:
                self._check_targets(change.name, change.body, before.body, there, _applied(held, changes))
        return changes

    def _check_targets(
        self, provider: str, now: Body, before: Body, there: Mapping[tuple[str, str], Stored], after: Sequence[Stored]
    ) -> None:
        """Raises Problem where a provider would take secrets along that targets have for their own."""
        if not leads_elsewhere(provider, now, before):
            return
        bodies = {(kind, name): (body, body) for kind in TARGETING for name, body in self.filled(kind).items()}
        for each in after:
            was = there.get((each.kind, each.name))
            if each.kind in TARGETING and was is not None:
                bodies.setdefault((each.kind, each.name), (each.body, was.body))
        for (kind, name), (body, was_body) in bodies.items():
            if follows(provider, now, before, body, was_body):
                told = "a target's own secret goes only where it was given for"
                hint = "take it out of the target first, and give it anew afterwards"
                where = f"{kind}.{name}"
                raise Problem(422, "secret_needed", f"{where}: {told}; {hint}", [at(where, told, hint)])

    def _planned(self, who: Who, wanted: Wanted, there: Mapping[tuple[str, str], Stored]) -> Change:
        kind, name = wanted.kind, wanted.name
        if name in self._filed(kind):
            if wanted.action != "create" and not access.may_see(who, self.people, kind, name, self._filed(kind)[name]):
                raise missing(kind, name)
            self.writable(kind, name)
        before = there.get((kind, name))
        seen = before is not None and access.may_see(who, self.people, kind, name, before.body)
        if wanted.action == "create" and before is not None:
            raise Problem(409, "exists", f"there is {name!r} among {kind} already")
        if wanted.action != "create" and (before is None or not seen):
            raise missing(kind, name)
        if before is not None and wanted.version not in (None, before.version):
            raise _conflict(Change(wanted.action, kind, name, version=wanted.version), before)
        body = wanted.body(before.body if before is not None else None) if wanted.body is not None else None
        for each in (before.body if before is not None else None, body):
            reason = access.why_not(who, self.people, kind, name, each) if each is not None else None
            if reason is not None:
                raise Problem(403, "forbidden", reason)
        if body is not None:
            was = before.body if before is not None else None
            reason = access.why_not_class(who, self.people, kind, name, body, was)
            if reason is not None:
                raise Problem(403, "forbidden", reason)
        version = before.version if before is not None else None
        return Change(wanted.action, kind, name, body, version, called=wanted.called, last=wanted.last)

    def _try(self, held: stored.Held, changes: Sequence[Change]) -> None:
        try:
            self.running.check(self.running.loaded.again(self._environ, held))
        except ConfigError as error:
            gone = [f"{each.kind}/{each.name}" for each in changes if each.action == "delete"]
            raise wrong(error.problems, gone) from None
        except ValueError as error:
            raise Problem(422, "invalid", str(error)) from None

    def _where(self) -> tuple[Any, str | None]:
        config = self.running.loaded.config
        return config.data_dir, config.store.url.get_secret_value() if config.store.url else None

    async def levels(self, most: int) -> Body:
        """What is used of limits, the fullest first: of all processes, where they share a state that can be asked."""
        ledger = self.running.ledger
        return await ledger.told(ledger.clock(), most)

    def filled(self, kind: str) -> dict[str, Body]:
        """What stands in the file, its variables filled in: secrets are in it. Raises Problem."""
        return self._of_file().filled[kind]

    def _filed(self, kind: str) -> dict[str, Body]:
        """What stands in the file, as it is written there, without secrets. Raises Problem."""
        return self._of_file().bodies[kind]

    def _of_file(self) -> OfFile:
        loaded = self.running.loaded
        if self._file is None or self._file.loaded is not loaded:
            self._file = OfFile(loaded, self._environ)
        return self._file


class OfFile:
    """The objects of the file of a configuration, read when they are first asked for; all raise Problem."""

    def __init__(self, loaded: Loaded, environ: Mapping[str, str]) -> None:
        self.loaded = loaded
        self._environ = environ

    @cached_property
    def exported(self) -> Exported:
        """Variables and references as they are written, secrets left out."""
        try:
            return export(self.loaded, self._environ, stored.KINDS)
        except (ConfigError, OSError) as error:
            raise _broken(error) from None

    @cached_property
    def bodies(self) -> dict[str, dict[str, Body]]:
        found = {kind: sections.bodies(kind, self.exported.document.get(kind)) for kind in stored.KINDS}
        keys = {
            name: {field: value for field, value in body.items() if field != "key"}
            for name, body in found["keys"].items()
        }
        return {**found, "keys": keys}

    @cached_property
    def filled(self) -> dict[str, dict[str, Body]]:
        try:
            return sections.filled(self.loaded, self._environ)
        except (ConfigError, OSError) as error:
            raise _broken(error) from None


def _broken(error: Exception) -> Problem:
    return Problem(
        409, "file_changed", f"the configuration's file was changed, and cannot be read as it is now: {error}"
    )


def _applied(held: Sequence[Stored], changes: Sequence[Change]) -> list[Stored]:
    """What the store holds once the changes are made."""
    found = {(each.kind, each.name): each for each in held}
    first = max((each.place for each in held), default=0) + 1
    for last, change in enumerate(changes, first):
        place = (change.kind, change.name)
        if change.action == "delete":
            del found[place]
            continue
        before = found.get(place)
        number = before.place if before is not None and not change.last else last
        found[place] = Stored(*place, change.body or {}, 0, 0.0, 0.0, "", number)
    return list(found.values())


def _resealed(held: Sequence[Stored], seal: Seal) -> tuple[list[Change], int]:
    """The changes by which all secrets are sealed with the key in use, and of how many. Raises Unsealable."""
    changes, count = [], 0
    for each in held:
        body, anew = stored.resealed(each.body, each.kind, each.name, seal)
        if anew:
            changes.append(Change("replace", each.kind, each.name, body, each.version))
            count += anew
    return changes, count


def _busy() -> Problem:
    return Problem(409, "busy", "others change the store all the time; try again")


def _conflict(change: Change, current: Stored | None) -> Problem:
    now = f"it is now version {current.version}" if current is not None else "it is not there any more"
    return Problem(412, "changed_meanwhile", f"{change.kind}/{change.name} was changed meanwhile: {now}; read it again")
