"""Local passwords: argon2id in threads of their own, and no quicker for a user who is not there."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar, TypeVarTuple

from headgate.core.errors import InvalidRequest, Overloaded

PACKAGE = "argon2"
SHORTEST, LONGEST = 12, 1024
"""Characters, bytes."""
AT_ONCE = 2
"""Each takes a core for a tenth of a second, and `memory`."""
WAITING = 16
MOST_MEMORY = 1 << 20
"""KiB that a stored hash may ask for: one brought in from elsewhere does not stop the gateway."""
MOST_PASSES = 20
HASH = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")

T = TypeVar("T")
Given = TypeVarTuple("Given")

log = logging.getLogger("headgate.identity")


class Cost(NamedTuple):
    """What a hash costs; https://www.rfc-editor.org/rfc/rfc9106#section-4, the second choice."""

    passes: int = 3
    memory: int = 1 << 16
    """KiB."""
    lanes: int = 4


class Passwords:
    """`at_once`: passwords that are looked at together; `waiting`: how many more may wait for that."""

    def __init__(self, cost: Cost = Cost(), at_once: int = AT_ONCE, waiting: int = WAITING) -> None:  # noqa: B008
        from argon2 import PasswordHasher

        self._hasher = PasswordHasher(cost.passes, cost.memory, cost.lanes)
        # threads and no semaphore: who gives up frees no thread that goes on hashing
        self._threads = ThreadPoolExecutor(at_once, "headgate-passwords")
        self._room = at_once + waiting
        self._under_way = 0
        # takes as long to check as a real one, and no password fits it
        salt, found = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
        self._nobodys = f"$argon2id$v=19$m={cost.memory},t={cost.passes},p={cost.lanes}${salt}${found}"

    async def hash(self, password: str) -> str:
        """For keeping. Raises InvalidRequest for a password that is too short or too long, Overloaded."""
        if len(password) < SHORTEST:
            raise InvalidRequest(f"a password has at least {SHORTEST} characters", param="password")
        data = _bytes(password)
        if data is None:
            raise InvalidRequest(f"a password is text of at most {LONGEST} bytes", param="password")
        return await self._apart(self._hasher.hash, data)

    async def check(self, kept: str | None, password: str) -> bool:
        """Whether it is right. `kept`: the user's hash; None: there is no such user, or one without a password.

        Raises Overloaded.
        """
        data = _bytes(password)
        if data is None or not password:
            kept, data = None, b""  # no user has it; to find that out takes as long as ever
        return await self._apart(self._check, kept or self._nobodys, data) and kept is not None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, kept: str, data: bytes) -> bool:
        from argon2 import extract_parameters
        from argon2.exceptions import InvalidHashError, VerificationError

        try:
            asked = extract_parameters(kept)
            if asked.memory_cost > MOST_MEMORY or asked.time_cost > MOST_PASSES:
                log.error("a kept password hash costs more than may be spent on one; it counts for nothing")
                return False
            self._hasher.verify(kept, data)
        except VerificationError:
            return False
        except InvalidHashError:
            log.error("a kept password hash is none of argon2's; it counts for nothing")  # noqa: TRY400
            return False
        return True

    async def _apart(self, work: Callable[[*Given], T], *given: *Given) -> T:
        if self._under_way >= self._room:
            raise Overloaded("too many passwords are being checked; try again in a moment", retry_after=2.0)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)
        finally:
            self._under_way -= 1


def is_hash(text: str) -> bool:
    """Whether this is what is kept of a password."""
    return HASH.fullmatch(text) is not None


def _bytes(password: str) -> bytes | None:
    """As every keyboard writes it: https://www.rfc-editor.org/rfc/rfc8265#section-4.2. None: it can be nobody's."""
    if len(password) > LONGEST:
        return None
    try:
        data = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return data if len(data) <= LONGEST and b"\0" not in data else None
