"""The contract of a place that secrets are kept in, and what all of them share: references, errors, fields."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from headgate.core.errors import NoCredentials, ProviderError
from headgate.core.ports import Upstream
from headgate.core.target import Timeouts
from headgate.providers.auth.auth import ask as send
from headgate.providers.auth.auth import read_object

KINDS = ("vault", "aws", "gcp", "azure")
"""Each is a module of this folder."""
LONGEST = 64 << 10
"""Characters of a secret."""
WAIT = Timeouts(connect=3.0, first_byte=10.0, idle=10.0, total=15.0)
"""For one answer; all together are bounded by `secrets.timeout`."""
CODE = re.compile(r"(?:[A-Za-z.]+#)?([A-Z][A-Za-z]{2,40}|[A-Z]{2,20}(?:_[A-Z]{2,20}){1,4})\Z")
"""What vendors call their errors; what else an answer says of one may repeat what it was sent."""


class Missed(Exception):
    """A secret could not be had. `message` and `hint` hold names, never values."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.hint = hint


class Reference(NamedTuple):
    """`KIND:NAME#FIELD`; without a field the secret is the whole of what is there."""

    kind: str
    name: str
    field: str | None


class Source(Protocol):
    """A place that secrets are kept in. Its methods raise Missed."""

    async def get(self, name: str, field: str | None, upstream: Upstream) -> str: ...

    async def encrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes:
        """By a key that never leaves the place."""

    async def decrypt(self, key: str, data: bytes, upstream: Upstream) -> bytes: ...


def read(text: str) -> Reference:
    """Raises Missed for what is no reference to one of these places."""
    kind, _, rest = text.partition(":")
    name, mark, field = rest.partition("#")
    if kind not in KINDS or not name or name != name.strip() or (mark and not field):
        raise Missed("the reference is not complete", "write SOURCE:NAME, with #FIELD behind it for one of its fields")
    return Reference(kind, name, field or None)


def field_of(text: str, field: str | None, whose: str) -> str:
    """The secret itself: all of a text, or a field of it, being a JSON object. Raises Missed."""
    if field is None:
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Missed(f"{whose} has no fields, as it is no JSON object", f"leave #{field} out")
    return picked(found, field, whose)


def picked(fields: Mapping[str, Any], field: str | None, whose: str) -> str:
    """Raises Missed."""
    if field is None and len(fields) == 1:
        [field] = fields
    if field is None:
        raise Missed(f"{whose} has {len(fields)} fields", "say which one is meant: #FIELD at the reference's end")
    if field not in fields:
        raise Missed(f"{whose} has no field {field!r}", "check the reference, and that the secret is complete")
    value = fields[field]
    if not isinstance(value, str):
        raise Missed(f"the field {field!r} of {whose} is no text", "keep it as a text there")
    return value


async def ask(
    upstream: Upstream, method: str, url: str, headers: Mapping[str, str], body: bytes, whose: str
) -> tuple[int, bytes]:
    """Status and body of an answer. Raises Missed where there is none, or too much of it."""
    if not url.startswith(("https://", "http://")):
        raise Missed(f"the address of {whose} is none", "write it like https://host:port")
    try:
        return await send(upstream, method, url, {"accept": "application/json", **headers}, body, WAIT)
    except ProviderError as error:
        told = error.message.replace("The provider", whose, 1)
        raise Missed(f"{whose} cannot be asked: {told}") from None


def answered(body: bytes, whose: str) -> dict[str, Any]:
    """A JSON object. Raises Missed."""
    try:
        return read_object(body, whose)
    except NoCredentials as error:
        raise Missed(error.message) from None


def decoded(text: object, name: str, whose: str) -> bytes:
    """Of base64. Raises Missed."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise Missed(f"{whose} gave nothing for {name} that is base64")


def code_of(found: object) -> str:
    """The vendor's name of an error, where it is one, in brackets."""
    match = CODE.match(found) if isinstance(found, str) else None
    return f" ({match[1]})" if match else ""
