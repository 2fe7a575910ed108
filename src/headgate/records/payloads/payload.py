"""What is kept of what was said: as a line on its way, as a row of the database, as somebody reads it."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
import zstandard

from headgate.core.kept import SIDES

if TYPE_CHECKING:  # nobody who keeps payloads asks for keys
    from headgate.store.sealing import Seal

PLACE = "payloads"
"""To which the keys of payloads are bound."""
NONCE = 12
LEVEL = 3
MOST_WORDS, LONGEST_WORD = 5_000, 48
"""Of one payload that are searched by."""
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
"""Of scripts that put nothing between words, each sign."""


Level = Literal["redacted", "full"]


class Content(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What was said, by whom; text, mostly JSON."""

    dialect: str
    """In which the client asked and was answered."""
    request: str | None = None
    spoken: str = ""
    """In which the provider was asked."""
    sent: str | None = None
    """What the provider was asked, where it is more than `request` with another model's name."""
    answer: str | None = None
    """What the client was given; a stream as the whole answer that it comes to."""
    stream: bool = False
    broke_off: bool = False
    """The stream came to no end; `answer` is put together as if it had been too long for its limit."""
    frames: bool = False
    """`answer` is a stream as it was, which could not be put together."""
    truncated: list[str] = []
    """Sides that were too long."""
    left_out: dict[str, str] = {}
    """Sides that are not kept, and why."""
    redacted: dict[str, int] = {}
    """How often what was taken out."""


class Payload(msgspec.Struct, omit_defaults=True):
    """A line of a segment in `data_dir/payloads`."""

    id: str
    time: float
    kept: Level
    size: int
    """Bytes of the content, before it was compressed."""
    body: bytes
    team: str | None = None
    data_class: str | None = None
    sealed: str | None = None
    """The key that `body` is encrypted with, sealed; None: it is not encrypted."""
    words: list[str] = []
    """By which it is found; none where it is encrypted."""


class Row(NamedTuple):
    """The columns of the table `payloads`, but for its number."""

    id: str
    time: float
    team: str | None
    data_class: str | None
    kept: str
    size: int
    key: str | None
    body: bytes


class Entry(NamedTuple):
    """A payload on its way into the database."""

    row: Row
    sealed: str | None
    words: str


COLUMNS = Row._fields
_decode = msgspec.json.Decoder(Payload).decode
_content = msgspec.json.Decoder(Content).decode


class Cipher:
    """Encrypts what is kept with a key of this process's, which goes with it, sealed with the gateway's."""

    def __init__(self, key: bytes, sealed: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.sealed = sealed
        self._cipher = AESGCM(key)

    def encrypt(self, body: bytes, id: str) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._cipher.encrypt(nonce, body, id.encode())

    def decrypt(self, body: bytes, id: str) -> bytes:
        """Raises Damaged."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(body[:NONCE], body[NONCE:], id.encode())
        except (InvalidTag, ValueError):
            raise Damaged("it is not what was written, or not of this request") from None


class Damaged(Exception):
    """A payload cannot be read."""


def new_key(seal: Seal) -> tuple[bytes, str]:
    """A key for payloads, and the same, sealed. Raises Unsealable."""
    key = secrets.token_bytes(32)
    return key, seal.seal(base64.b64encode(key).decode(), PLACE)


def cipher_of(sealed: str, seal: Seal) -> Cipher:
    """Raises Unsealable."""
    return Cipher(base64.b64decode(seal.open(sealed, PLACE)), sealed)


def packed(content: Content, cipher: Cipher | None, id: str) -> tuple[int, bytes]:
    """How long it is, and the body."""
    data = msgspec.json.encode(content)
    body = zstandard.ZstdCompressor(LEVEL).compress(data)
    return len(data), cipher.encrypt(body, id) if cipher is not None else body


def unpacked(body: bytes, size: int, cipher: Cipher | None, id: str) -> Content:
    """Raises Damaged."""
    if cipher is not None:
        body = cipher.decrypt(body, id)
    try:
        return _content(zstandard.ZstdDecompressor().decompress(body, max_output_size=size))
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise Damaged(f"it is damaged: {error}") from None


def read(line: bytes) -> Entry | None:
    """The payload of a line; None where the line is damaged."""
    try:
        found = _decode(line.lstrip(b"\0"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    key = None if found.sealed is None else hashlib.sha256(found.sealed.encode()).hexdigest()[:32]
    row = Row(found.id, found.time, found.team, found.data_class, found.kept, found.size, key, found.body)
    return Entry(row, found.sealed, " ".join(found.words))


def words(text: str) -> list[str]:
    """Each once; without accents and capitals."""
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text)
        accents = {ord(sign): None for sign in set(plain) if unicodedata.combining(sign)}
        plain = plain.translate(accents)
    found = dict.fromkeys(match[:LONGEST_WORD] for match in WORD.findall(plain.casefold()))
    return list(found)[:MOST_WORDS]


def texts(content: Content) -> Iterator[str]:
    """What was said in words, without the names of JSON's fields."""
    for side in (SIDES[0], SIDES[2]):
        said = getattr(content, side)
        if said is None:
            continue
        try:
            yield from _strings(msgspec.json.decode(said))
        except (msgspec.DecodeError, RecursionError):
            yield said


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
    elif isinstance(value, int | float):
        yield str(value)
