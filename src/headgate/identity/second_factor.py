"""What proves a login beside the password: one-time codes by the clock (TOTP).

https://www.rfc-editor.org/rfc/rfc6238 with what all apps understand: SHA-1, 30 seconds, six digits.
"""

from __future__ import annotations

import binascii
import hmac
import secrets
import struct
from base64 import b32decode, b32encode
from urllib.parse import quote, urlencode

STEP = 30
"""Seconds."""
DIGITS = 6


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
