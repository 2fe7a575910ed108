"""Tell which requests are the same, and which begin in the same way, by keyed hashes of their bodies."""

from __future__ import annotations

from hashlib import sha256, sha512

HEAD = 4096
"""Bytes: about the thousand tokens that a prompt has at least for providers to cache its beginning."""
DIGITS = 16
LONG = HEAD + HEAD // 2
"""Bytes of a body of which more than its beginning is worth a look."""


class Fingerprints:
    """Without the key nobody can try out what somebody may have asked."""

    def __init__(self, secret: str) -> None:
        self._hash = sha256(sha512(b"fingerprints" + secret.encode()).digest())

    def __call__(self, body: bytes) -> tuple[str, str | None]:
        """Of a body, and of its beginning where it is long. Of a long one its beginning, end and length count, so that
        this takes microseconds however long it is."""
        found = self._hash.copy()
        if len(body) < LONG:
            found.update(body)
            return found.hexdigest()[:DIGITS], None
        found.update(body[:HEAD])
        prefix = found.hexdigest()[:DIGITS]
        found.update(b"%d" % len(body) + body[-HEAD:])
        return found.hexdigest()[:DIGITS], prefix
