"""How a client's key is remembered: by its SHA-256, never in clear (keys are long and random, so no salt is needed)."""

from __future__ import annotations

import hashlib


def digest(key: bytes) -> bytes:
    """The 32 bytes a key is known by."""
    return hashlib.sha256(key).digest()
