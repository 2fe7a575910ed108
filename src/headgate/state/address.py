"""Where a shared state is, as a URL says it: `redis://user:password@host:6379/0`."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

ENCRYPTED = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
PORT = 6379


class Address(NamedTuple):
    host: str
    port: int
    user: str | None
    password: str | None
    database: int
    encrypted: bool


def address(url: str) -> Address:
    """Raises ValueError, whose text holds nothing of the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ENCRYPTED:
        raise ValueError(f"the URL must begin with {', '.join(f'{scheme}://' for scheme in ENCRYPTED)}")
    if not parts.hostname or port == 0:
        raise ValueError("the URL has no host" if not parts.hostname else "the URL's port is 0")
    database = parts.path.strip("/")
    if database and not (database.isascii() and database.isdigit() and len(database) < 6):
        raise ValueError("the URL's path is not a database's number")
    if parts.query or parts.fragment:
        raise ValueError("the URL holds more than host, port and database")
    user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
    return Address(parts.hostname, port or PORT, user, password, int(database or 0), ENCRYPTED[parts.scheme])
