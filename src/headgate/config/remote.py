"""Asks a running gateway, as commands do: with the admin key, and with one line for whatever goes wrong."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import click

from headgate.config.admin_key import VARIABLE
from headgate.config.schema import Config

WAIT = 30.0
"""Seconds for an answer."""
MOST = 64 << 20
"""Bytes of one."""
HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what is listened on is not what is asked


class Answer(NamedTuple):
    """`body` is {} where it is no JSON."""

    status: int
    body: Any


def address(config: Config) -> str:
    """Where a gateway of this configuration answers operators. Raises click.ClickException."""
    server = config.server
    host, port = (server.host, server.port) if server.admin is None else (server.admin.host, server.admin.port)
    if port == 0:
        raise click.ClickException("the configuration lets the system choose the port (server.port: 0): say --url")
    host = HERE.get(host, host)
    scheme = "https" if server.tls is not None and server.admin is None else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def admin_key(environ: Mapping[str, str]) -> str:
    """Raises click.ClickException where there is none."""
    key = environ.get(VARIABLE)
    if key is None:
        told = f"the gateway tells this for the admin key alone: put it into {VARIABLE}"
        raise click.ClickException(f"{told} (it was shown at the first start; headgate key admin --new makes another)")
    return key


def ask(
    url: str, key: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """What it answers. Redirects are not followed, so that the key goes nowhere else. Raises click.ClickException."""
    try:
        status, data = _fetched(url, key, method, path, body, headers or {})
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not the one of this name ({error.verify_message})"
        raise click.ClickException(f"{url}: {why}: ask for it by its name, with --url") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        told = f"no gateway answers at {url}: {reason}"
        raise click.ClickException(f"{told}. Is `headgate serve` running? --url says where") from error
    try:
        return Answer(status, json.loads(data) if data else {})
    except ValueError:
        return Answer(status, {})


def _fetched(url: str, key: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Raises OSError, HTTPException, ValueError (what is no URL, or no header)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("that is no URL such as http://127.0.0.1:4000")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=WAIT)
    sent = {"authorization": f"Bearer {key}", **headers}
    data = None
    if body is not None:
        data, sent["content-type"] = json.dumps(body).encode(), "application/json"
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return answer.status, answer.read(MOST)
    finally:
        connection.close()
