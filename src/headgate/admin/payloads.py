"""What was said in requests, for those who may read it; each reading is in the audit before anything is told."""

from __future__ import annotations

from headgate.admin.access import READ_PAYLOADS
from headgate.admin.call import Body, Call
from headgate.admin.problems import Problem, away_told, missing
from headgate.records.payloads import reading
from headgate.records.payloads.payload import Damaged
from headgate.store.database import StoreAway
from headgate.store.objects import Objects

KIND = "payloads"
"""What the audit calls it."""


async def allow(call: Call, action: str, name: str, told: Body) -> None:
    """See that somebody may, and write it into the audit. Raises Problem, or StoreAway of the audit."""
    if call.who.role not in READ_PAYLOADS:
        raise Problem(403, "forbidden", f"the role {call.who.role} may not read what was said")
    await Objects(await call.control.database()).note(action, KIND, name, call.actor, told)


async def read(call: Call, id: str) -> Body:
    """Of a request that the caller may see."""
    try:
        found = await reading.one(call.control.records, id, call.control.seal)
    except StoreAway as away:
        raise away_told(away) from None
    except Damaged as damaged:
        raise Problem(500, "payload_damaged", f"what was said cannot be read: {damaged}") from None
    if found is None:
        raise missing(KIND, id)
    await allow(call, "read", id, {"kept": found.kept})
    return reading.told(found)
