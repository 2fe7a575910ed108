"""With whom a caller shares what is kept."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from headgate.core.cached import Per
from headgate.core.caller import Caller

_encode = msgspec.json.Encoder().encode


def tenant(caller: Caller | None, per: Per, end_user: str) -> bytes:
    """Who is given what is kept for each other, as 32 bytes."""
    if caller is None:
        return bytes(32)
    organisation, team, application, user = caller.belongs
    named = {"organisation": organisation, "team": team, "user": user}.get(per)
    born = caller.born
    if named is not None:
        whose: tuple[str | None, ...] = (per, organisation, named, born.organisation, getattr(born, per))
    else:
        ended = end_user if per == "end_user" else None
        whose = ("key", organisation, team, application, user, caller.key, ended, *born)
    return blake2b(_encode(whose), digest_size=32).digest()
