"""How answers are written where others than this process can read: plainly, or so that nobody can without the key.

What encrypts them is one key for all who share the place. It stands there itself, sealed with the key of the gateway's
secrets. Of an encrypted answer nothing is to be read: what it is kept under is hashed with that key, and whose it is,
its tags and all else are inside.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from headgate.core.cached import Entry

if TYPE_CHECKING:  # not everybody has the package
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12
NAME = 24
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Chosen(NamedTuple):
    """The key of a place."""

    key: bytes
    id: str
    """Of the key of the gateway's that it is sealed with."""
    sealed: str | None
    """To be put there; None: it is there."""


Choose = Callable[[Mapping[str, str]], Chosen]
"""Of the sealed keys of a place, by the ids of those that sealed them. May take a while; raises OSError."""


class Form(Protocol):
    def name(self, key: bytes) -> bytes: ...

    def write(self, name: bytes, entry: Entry) -> bytes: ...

    def read(self, name: bytes, data: bytes) -> Entry | None:
        """None: it is another version's, somebody else's, or not that name's."""


class Plain:
    def name(self, key: bytes) -> bytes:
        return key

    def write(self, name: bytes, entry: Entry) -> bytes:
        return _encode(entry)

    def read(self, name: bytes, data: bytes) -> Entry | None:
        return _read(data)


class Sealed:
    """AES-256-GCM with a key of each name's own, so that chance never gives two answers the same key and nonce."""

    def __init__(self, key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._naming = blake2b(b"names", key=key, digest_size=32).digest()
        self._sealing = blake2b(b"answers", key=key, digest_size=32).digest()
        self._cipher, self._invalid = AESGCM, InvalidTag

    def name(self, key: bytes) -> bytes:
        return blake2b(key, key=self._naming, digest_size=NAME).digest()

    def write(self, name: bytes, entry: Entry) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._of(name).encrypt(nonce, _encode(entry), name)

    def read(self, name: bytes, data: bytes) -> Entry | None:
        try:
            return _read(self._of(name).decrypt(data[:NONCE], data[NONCE:], name))
        except (self._invalid, ValueError):
            return None

    def _of(self, name: bytes) -> AESGCM:
        return self._cipher(blake2b(name, key=self._sealing, digest_size=32).digest())


def _read(data: bytes) -> Entry | None:
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None
