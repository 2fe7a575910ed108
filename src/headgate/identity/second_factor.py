"""What proves a login beside the password: one-time codes by the clock (TOTP), and recovery codes for who lost those.

https://www.rfc-editor.org/rfc/rfc6238 with what all apps understand: SHA-1, 30 seconds, six digits.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import struct
from base64 import b32decode, b32encode
from collections.abc import Sequence
from urllib.parse import quote, urlencode

STEP = 30
"""Seconds."""
DIGITS = 6
RECOVERY_CODES = 10
RECOVERY_BYTES = 10


def new_secret() -> str:
    """For an authenticator app, in base32."""
    return b32encode(secrets.token_bytes(20)).decode()


def address(secret: str, user: str, gateway: str) -> str:
    """What the app reads from a QR code: https://github.com/google/google-authenticator/wiki/Key-Uri-Format"""
    label = f"{quote(gateway, safe='')}:{quote(user, safe='')}"
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': gateway}, quote_via=quote)}"


def step_of(secret: str, code: str, now: float, after: int = -1) -> int | None:
    """The step that a code is of: this one, or one beside it; None: it is wrong, or not of one later than `after`.

    Whoever lets somebody in by it keeps the step, and gives it as `after` from then on: a code counts once. `now` is
    in Unix seconds. Raises ValueError for a secret that is none.
    """
    code = code.replace(" ", "")
    found = None
    current = int(now) // STEP
    for step in (current - 1, current, current + 1):
        right = code.isascii() and hmac.compare_digest(code, code_of(secret, step))
        if right and step > after:
            found = step
    return found


def code_of(secret: str, step: int) -> str:
    """https://www.rfc-editor.org/rfc/rfc4226#section-5.3. Raises ValueError for a secret that is none."""
    try:
        key = b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    except binascii.Error:
        raise ValueError("the secret of one-time codes is no base32") from None
    found = hmac.digest(key, struct.pack(">Q", max(step, 0)), "sha1")
    (number,) = struct.unpack_from(">I", found, found[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}}"


def new_recovery_codes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """To be shown once, and to be kept: their digests. They are long and random, so a plain SHA-256 does."""
    shown = tuple(_grouped(b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES))
    return shown, tuple(_kept(code) for code in shown)


def spend(kept: Sequence[str], code: str) -> tuple[str, ...] | None:
    """What is to be kept once a recovery code has been used; None: it is none of them."""
    digest = _kept(code)
    left = tuple(each for each in kept if not hmac.compare_digest(each, digest))
    return left if len(left) < len(kept) else None


def _grouped(text: str) -> str:
    return "-".join(text[start : start + 4].lower() for start in range(0, len(text), 4))


def _kept(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter not in " -")
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()
