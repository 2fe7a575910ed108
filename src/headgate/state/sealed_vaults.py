"""How pieces of sessions are written where others than this process can read: so that nobody can without the key.

As answers are (`sealed_answers.py`); each piece is bound to the one before it, so that none can be put elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from headgate.core.cached import Which
from headgate.core.kept_vault import MARK, Piece
from headgate.core.ports import VaultAway

NONCE = 12
NAME = 24
DAMAGED = "what is kept of the session is damaged, or another key's"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Piece).decode


class Seals:
    """AES-256-GCM with a key of each name's own. What is written begins with the piece's mark."""

    def __init__(self, key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._naming = blake2b(b"names", key=key, digest_size=32).digest()
        self._sealing = blake2b(b"sessions", key=key, digest_size=32).digest()
        self._cipher, self._invalid = AESGCM, InvalidTag

    def name(self, name: bytes) -> bytes:
        return blake2b(name, key=self._naming, digest_size=NAME).digest()

    def write(self, name: bytes, after: bytes, piece: Piece) -> bytes:
        """`name` as it is written."""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._cipher(self._key(name)).encrypt(nonce, _encode(piece), name + after + piece.mark)
        return piece.mark + nonce + sealed

    def read(self, name: bytes, written: Sequence[bytes]) -> list[Piece]:
        """Raises VaultAway."""
        if not written:
            return []
        cipher, after, pieces = self._cipher(self._key(name)), b"", []
        try:
            for data in written:
                mark, nonce, sealed = data[:MARK], data[MARK : MARK + NONCE], data[MARK + NONCE :]
                pieces.append(_decode(cipher.decrypt(nonce, sealed, name + after + mark)))
                after = mark
        except (self._invalid, ValueError):  # msgspec.DecodeError is one
            raise VaultAway(DAMAGED) from None
        return pieces

    def has(self, which: Which, name: bytes, first: bytes) -> bool:
        """Whether the session is meant, of which that is the first piece; not where another key has written it."""
        try:
            return which.has(name, self.read(name, [first])[0].whose)
        except VaultAway:
            return False

    def _key(self, name: bytes) -> bytes:
        return blake2b(name, key=self._sealing, digest_size=32).digest()
