"""Secrets at rest: each encrypted with a key of its own, which is encrypted with the gateway's (envelope encryption).

AES-256-GCM (NIST SP 800-38D), random nonces of 96 bits. A sealed secret is bound to the place it stands at, so that it
cannot be moved to another: `sealed:v1:KEY:WRAPPED:DATA`, base64url.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from headgate.secrets.references import References
from headgate.secrets.source import Missed

VARIABLE = "HEADGATE_SECRET_KEY"
FILE = "secret_key"
PREFIX = "sealed:v1:"
KEEPERS = {"vault-transit": "vault", "aws-kms": "aws", "gcp-kms": "gcp", "azure-key": "azure"}
"""How a key begins that a service keeps to itself, and where that is."""
NONCE = 12
LENGTH = 2
"""Bytes that say how long a key of ours is as a service has encrypted it."""
SHORTEST = 32
"""Characters of a passphrase."""
SALT = b"headgate secret key"


class Unsealable(Exception):
    """A sealed secret cannot be opened; the message says how to mend it, and nothing of the secret."""


class KeyAway(Unsealable):
    """The service that keeps the key does not do its part; it may, later."""


class NotAsked(Unsealable):
    """The service that keeps the key would have to be asked, which is not wanted here; the message names the key."""


class KeyEncryption(Protocol):
    """What encrypts the keys of secrets: a key of the gateway's, or a service that has one and gives it to nobody."""

    id: str
    """Which key it is, in a few characters."""

    def wrap(self, key: bytes, place: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        """Raises Unsealable."""


class OwnKey:
    """A key that the gateway has itself, 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self.id = hashlib.sha256(b"id" + key).hexdigest()[:8]
        self._key = key

    def wrap(self, key: bytes, place: bytes) -> bytes:
        return _encrypt(self._key, key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        return _decrypt(self._key, wrapped, place)


class KeptKey:
    """A key that a service keeps to itself.

    It encrypts one key of ours, and that those of secrets: the service is asked once for all that a process seals and
    opens, and by reloads not at all.
    """

    def __init__(self, said: str, references: References | None) -> None:
        word, _, name = said.partition(":")
        self.id = hashlib.sha256(b"id" + said.encode()).hexdigest()[:8]
        self._said = said
        self._master = f"{KEEPERS[word]}:{name}"
        self._references = references

    def wrap(self, key: bytes, place: bytes) -> bytes:
        """Raises KeyAway."""
        try:
            own, encrypted = self._asked().data_key(self._master)
        except Missed as missed:
            raise KeyAway(f"the key of sealed secrets, {self._said}, cannot be used: {missed}") from None
        return len(encrypted).to_bytes(LENGTH) + encrypted + _encrypt(own, key, place)

    def unwrap(self, wrapped: bytes, place: bytes) -> bytes:
        end = LENGTH + int.from_bytes(wrapped[:LENGTH])
        try:
            own = self._asked().opened_key(self._master, wrapped[LENGTH:end])
        except Missed as missed:
            raise KeyAway(f"the key of sealed secrets, {self._said}, cannot be used: {missed}") from None
        return _decrypt(own, wrapped[end:], place)

    def _asked(self) -> References:
        if self._references is None:
            raise NotAsked(self._said)
        return self._references


class Seal:
    """The first key seals, all open: to change the key, put the new one in front, and seal everything anew."""

    def __init__(self, keys: Sequence[KeyEncryption]) -> None:
        self._keys = keys

    def ready(self) -> None:
        """See that it can seal: afterwards nobody need be asked. Raises KeyAway."""
        self._keys[0].wrap(bytes(32), b"")

    def current(self, sealed: str) -> bool:
        """Whether it is sealed with the key in use."""
        return sealed.removeprefix(PREFIX).partition(":")[0] == self._keys[0].id

    def seal(self, secret: str, place: str) -> str:
        key, bound = secrets.token_bytes(32), place.encode()
        parts = (self._keys[0].wrap(key, bound), _encrypt(key, secret.encode(), bound))
        return PREFIX + ":".join((self._keys[0].id, *(base64.urlsafe_b64encode(part).decode() for part in parts)))

    def open(self, sealed: str, place: str) -> str:
        """Raises Unsealable."""
        id, *parts = sealed.removeprefix(PREFIX).split(":")
        key = next((key for key in self._keys if key.id == id), None)
        if key is None:
            raise Unsealable(
                f"the secret was sealed with the key {id[:8]}, which is not there; put it into {VARIABLE} beside the "
                "one in use (separated by a space), or give the secret anew"
            )
        try:
            wrapped, data = (base64.b64decode(part, b"-_", validate=True) for part in parts)
        except (ValueError, binascii.Error):
            raise Unsealable("the sealed secret is damaged; give it anew") from None
        return _decrypt(key.unwrap(wrapped, place.encode()), data, place.encode()).decode()


def is_sealed(text: str) -> bool:
    return text.startswith(PREFIX)


class Keyring:
    """The gateway's keys: those of HEADGATE_SECRET_KEY (several are separated by spaces), else those in the data
    directory, where one is made at its first use. `references` asks the services that keep one to themselves."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str], references: References | None) -> None:
        self._path = data_dir / FILE
        self._references = references
        self._said = environ.get(VARIABLE, "").split()
        self._made: dict[str, KeyEncryption] = {}

    def seal(self) -> Seal:
        """With the keys as they are said now; each is made once, as a passphrase takes its time. Raises Unsealable."""
        said = self._said or self._filed()
        if not said:
            raise Unsealable(f"the file {self._path} holds no key; put the one back that was in it, or set {VARIABLE}")
        self._made = {each: self._made.get(each) or self._key(each) for each in said}
        return Seal(list(self._made.values()))

    def _key(self, said: str) -> KeyEncryption:
        word = said.partition(":")[0]
        if word in KEEPERS:
            return KeptKey(said, self._references)
        if word.partition("-")[0] in KEEPERS.values() and ":" in said:
            raise Unsealable(f"`{word[:20]}:` is no key's beginning; it may be {', '.join(KEEPERS)}")
        return OwnKey(_key(said))

    def _filed(self) -> list[str]:
        try:
            if not self._path.exists():
                _make(self._path)
            return self._path.read_text("ascii").split()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            told = f"the key of sealed secrets, {self._path}, cannot be read: {why}; set {VARIABLE}"
            raise Unsealable(told) from error


def _make(path: Path) -> None:
    """In one step: several processes may do so at the same time, and all take the one that came first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(new, path)
    except FileExistsError:
        return
    finally:
        new.unlink()


def _key(text: str) -> bytes:
    """32 bytes in base64, or a passphrase, from which a key is derived (scrypt, RFC 7914)."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) == 32:
        return key
    if len(text) < SHORTEST:
        raise Unsealable(
            f"{VARIABLE} is too short: give 32 random bytes in base64 (`openssl rand -base64 32`), or a passphrase of "
            f"at least {SHORTEST} characters without spaces"
        )
    return hashlib.scrypt(text.encode(), salt=SALT, n=2**14, r=8, p=1, maxmem=2**26, dklen=32)


def _encrypt(key: bytes, data: bytes, place: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, place)


def _decrypt(key: bytes, data: bytes, place: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(data[:NONCE], data[NONCE:], place)
    except (InvalidTag, ValueError):
        raise Unsealable("the sealed secret does not belong here, or was changed; give it anew") from None
