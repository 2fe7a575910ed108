"""The key that checkpoints are signed with (Ed25519, RFC 8032): sealed in the store, its public half for everybody."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from headgate.store.database import Database, Taken
from headgate.store.sealing import KeyAway, Seal, Unsealable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger("headgate.store")
KEYS = "SELECT id, public, sealed FROM signing_keys ORDER BY created DESC, id"


class Signer(NamedTuple):
    id: str
    """The first 16 hex digits of the SHA-256 of the public key."""
    public: str
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> str:
        return base64.b64encode(self.private.sign(message)).decode()


def able() -> bool:
    """Whether what signs is installed."""
    return find_spec("cryptography") is not None


def identity(public: str) -> str:
    """Of a public key, as it is written: 32 bytes in base64. Raises ValueError."""
    raw = base64.b64decode(public, validate=True)
    if len(raw) != 32:
        raise ValueError("a public key is 32 bytes in base64")
    return hashlib.sha256(raw).hexdigest()[:16]


def genuine(public: str, message: bytes, signature: str) -> bool:
    """Whether a signature is of this key and of this message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (ValueError, InvalidSignature):
        return False
    return True


async def signer(database: Database, seal: Seal) -> Signer:
    """The newest key that can be opened; one is made where there is none. Raises KeyAway, StoreAway."""
    for id, public, sealed in await database.rows(KEYS):
        try:
            found = await asyncio.to_thread(_opened, id, public, sealed, seal)  # a service may have to be asked
        except KeyAway:
            raise
        except Unsealable as error:
            log.warning("the signing key %s is not used: %s", id, error)
            continue
        if not seal.current(sealed):
            await reseal(database, seal)
        return found
    return await _made(database, seal)


async def own(database: Database, seal: Seal) -> dict[str, str]:
    """The public keys that are ours beyond doubt, by their ids: their private halves are sealed with our key."""
    found = {}
    for id, public, sealed in await database.rows(KEYS):
        try:
            found[id] = (await asyncio.to_thread(_opened, id, public, sealed, seal)).public
        except KeyAway:
            raise
        except Unsealable:
            continue
    return found


async def reseal(database: Database, seal: Seal) -> int:
    """Seal each with the key in use; how many were not. Raises Unsealable."""
    count = 0
    for id, _, sealed in await database.rows(KEYS):
        if not seal.current(sealed):
            anew = await asyncio.to_thread(_anew, id, sealed, seal)
            count += await database.run("UPDATE signing_keys SET sealed = ? WHERE id = ?", anew, id)
    return count


def _anew(id: str, sealed: str, seal: Seal) -> str:
    return seal.seal(seal.open(sealed, _place(id)), _place(id))


def _opened(id: str, public: str, sealed: str, seal: Seal) -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seal.open(sealed, _place(id))))
    if _public(private) != public or identity(public) != id:
        raise Unsealable("its public half is another's")
    return Signer(id, public, private)


async def _made(database: Database, seal: Seal) -> Signer:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    public = _public(private)
    id = identity(public)
    secret = base64.b64encode(private.private_bytes_raw()).decode()
    sealed = await asyncio.to_thread(seal.seal, secret, _place(id))
    try:
        await database.run(
            "INSERT INTO signing_keys (id, public, sealed, created) VALUES (?, ?, ?, ?)",
            id, public, sealed, time.time(),
        )  # fmt: skip
    except Taken:
        return await signer(database, seal)
    return Signer(id, public, private)


def _public(private: Ed25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def _place(id: str) -> str:
    return f"signing_keys/{id}"
