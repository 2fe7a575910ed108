"""What can be known of a gateway without asking people: its settings, what its audit tells, if its chains are whole."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headgate.config import caching, login
from headgate.config.audit.finding import Finding
from headgate.config.audit.security import audit as audited
from headgate.config.load import Loaded
from headgate.config.payloads import encrypted
from headgate.config.schema import Config
from headgate.governance.databases import Databases
from headgate.governance.verifying import verified
from headgate.store.objects import Audited, Objects
from headgate.store.verify import Verified

COUNTED = ("purge", "erase", "export", "login_failed")
"""Actions of the audit that are counted."""
PAGE = 500


@dataclass(slots=True)
class Facts:
    loaded: Loaded
    now: datetime
    encrypted: bool
    """What is kept of what is said."""
    sealed: bool
    """Answers that are kept to be given again."""
    findings: Sequence[Finding]
    """Of `headgate audit security`."""
    chains: Sequence[Verified]
    counts: Counter[str] = field(default_factory=Counter)
    """How often something was done, as the audit tells."""
    last: dict[str, Audited] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.loaded.config

    @property
    def whole(self) -> bool:
        return all(not each.problems for each in self.chains)

    @property
    def keys_for_ever(self) -> list[str]:
        """Names of keys that are taken and never expire."""
        return [key.name for key in self.config.keys if key.enabled and key.expires is None]

    @property
    def keys_of_nobody(self) -> list[str]:
        return [key.name for key in self.config.keys if key.enabled and key.user is None and key.application is None]

    @property
    def by_password_alone(self) -> list[str]:
        """Who rules with a password and no second factor."""
        return [name for name, user in self.config.users.items() if login.alone(self.config.login, user)]

    def found(self, *words: str) -> list[Finding]:
        """What the security audit says with one of these words in it, of high or medium severity."""
        bad = [each for each in self.findings if each.severity != "low"]
        return [each for each in bad if any(word in each.message for word in words)]


async def gather(loaded: Loaded, databases: Databases, now: float, *, since: str | None) -> Facts:
    """`since`: only what came behind a checkpoint is checked (`latest`); None: all. Raises StoreAway, Unsealable."""
    chains = await verified(databases, since=since)
    moment = datetime.fromtimestamp(now, UTC)
    said, cache = encrypted(loaded.config.payloads, os.environ), caching.encrypted(loaded.config.cache, os.environ)
    found = Facts(loaded, moment, said, cache, audited(loaded, moment), chains)
    if databases.has_store:
        objects = Objects(await databases.store())
        for action in COUNTED:
            await _count(objects, action, found)
    return found


async def _count(objects: Objects, action: str, found: Facts) -> None:
    before: tuple[int, int] | None = None
    while page := await objects.audit(action=action, before=before, limit=PAGE):
        found.last.setdefault(action, page[0])
        found.counts[action] += len(page)
        before = (page[-1].revision, page[-1].number)
