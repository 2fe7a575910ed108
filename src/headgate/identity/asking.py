"""Asks a service that vouches for callers, over HTTP: bounded in size and time, no redirect followed."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from headgate.core.errors import GatewayError, IdentityUnavailable
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint, Origin, Timeouts

LONGEST = 1 << 19
"""Bytes of an answer."""
SOON = 5.0
"""Seconds after which a client may try again when the service does not answer."""


Method = Literal["client_secret_basic", "client_secret_post", "none"]
"""How this gateway proves to a service who it is."""


class BadJSON(ValueError):
    """What came is no JSON object, or one that two readers could understand differently."""


def endpoint(method: str, url: str, headers: Mapping[str, str], wait: float) -> Endpoint:
    """Where a request goes, whose answer may take `wait` seconds in all. Raises ValueError for what cannot be sent."""
    where = urlsplit(url)
    if where.scheme not in ("https", "http") or not where.hostname:
        raise ValueError(f"{url[:200]!a} is not the address of a web server")
    port = where.port or (443 if where.scheme == "https" else 80)
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"host: {where.netloc.rpartition('@')[2]}", "user-agent: headgate"]
    lines += [f"{name}: {value}" for name, value in {"accept": "application/json", **headers}.items()]
    if not all(line.isascii() and line.isprintable() for line in lines) or " " in path:
        raise ValueError("an address or a header holds a space, a line break or a letter beyond ASCII")
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    timeouts = Timeouts(connect=min(3.0, wait), first_byte=wait, idle=wait, total=wait)
    return Endpoint(Origin(where.scheme, where.hostname, port), head, timeouts)


async def ask(upstream: Upstream, to: Endpoint, body: bytes, whose: str) -> tuple[int, bytes]:
    """Status and body of an answer. Raises IdentityUnavailable where there is none, or too much of it."""
    try:
        response = await upstream.post(to, body)
        try:
            return response.status, await response.read(LONGEST)
        finally:
            response.close()
    except GatewayError as error:
        raise IdentityUnavailable(f"{whose} does not answer: {error.message}", retry_after=SOON) from error


def client_headers(client: str, secret: str | None, method: Method) -> dict[str, str]:
    """https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1: each part encoded as in a form first."""
    if method != "client_secret_basic" or secret is None:
        return {}
    pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def client_fields(client: str, secret: str | None, method: Method) -> dict[str, str]:
    if method == "client_secret_post" and secret is not None:
        return {"client_id": client, "client_secret": secret}
    return {"client_id": client} if method == "none" or secret is None else {}


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object without a key twice, NaN or Infinity. Raises BadJSON."""
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise BadJSON("it is nested too deeply") from None
    except BadJSON:
        raise
    except ValueError:
        raise BadJSON("it is no JSON") from None
    if not isinstance(found, dict):
        raise BadJSON("it is no JSON object")
    return found


def secure(url: str, than: str) -> bool:
    """Whether an address that `than` led to is at least as well protected: of TLS nothing leads to plain HTTP."""
    where = urlsplit(url)
    if not where.hostname:
        return False
    return where.scheme == "https" or (where.scheme == "http" and urlsplit(than).scheme == "http")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJSON("a key stands twice in one object")
    return found


def _no_number(constant: str) -> float:
    raise BadJSON(f"{constant} is no number of JSON")
