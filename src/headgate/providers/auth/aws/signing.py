"""Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

Header = tuple[bytes, bytes]

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(slots=True, frozen=True)
class Keys:
    """What a request is signed with; `token` comes with keys that end."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"Keys({self.access_key[:4]}…)"


class Signer:
    """Signs for one service in one region. The key of a day is derived once."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def sign(
        self, keys: Keys, method: str, target: str, headers: Sequence[Header], body: bytes, now: float
    ) -> list[Header]:
        """The headers to add. `target` is the path and query as they stand in the request line; `headers` are those to
        be signed, with lower-case names, the `host` among them; `now` is in Unix seconds."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        added = [(b"x-amz-date", stamp.encode())]
        if keys.token:
            added.append((b"x-amz-security-token", keys.token.encode()))
        signed = _joined([*headers, *added])
        names = ";".join(name for name, _ in signed)
        path, _, query = target.partition("?")
        canonical = "\n".join(
            (
                method,
                path if self._service == "s3" else canonical_path(path),
                canonical_query(query),
                *(f"{name}:{value}" for name, value in signed),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        signature = hmac.digest(self._key(keys.secret_key, stamp[:8]), text.encode(), "sha256").hex()
        proof = f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        added.append((b"authorization", proof.encode()))
        return added

    def _key(self, secret: str, day: str) -> bytes:
        if self._derived[:2] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (secret, day, key)
        return self._derived[2]


def canonical_path(path: str) -> str:
    """The path without dot segments and empty ones, encoded once more: that of `%3A` is `%253A`.

    All services but S3 want it so, of the path as it is sent.
    """
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + end, safe="/~")


def canonical_query(query: str) -> str:
    """The parameters, encoded as they came, in the order of their names and values."""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    return "&".join(f"{name}={value}" for name, value in pairs)


def _joined(headers: Sequence[Header]) -> list[tuple[str, str]]:
    """Names in order, the values of one name joined, white space reduced to single spaces."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.decode("latin-1"), []).append(" ".join(value.decode("latin-1").split()))
    return sorted((name, ",".join(values)) for name, values in found.items())
