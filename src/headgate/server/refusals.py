"""What the HTTP server itself says no to, before an application sees the request, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from headgate.core.errors import HeadersTooLarge, InvalidRequest, Overloaded, SlowRequest

Headers = Sequence[tuple[bytes, bytes]]

Refuse = Callable[[int, str, str, str | None, str], tuple[Headers, bytes]]
"""(status, code, message, path or None where it is not known, id) → the headers that name the request, and a JSON
body, both in the caller's dialect."""

OnRefused = Callable[[str | None, str | None, int, str, str], None]
"""(path, client address, status, code, id): told of every refusal, for the record."""


@dataclass(slots=True, frozen=True)
class Limits:
    """What a client may cost. Seconds, bytes, counts."""

    header_timeout: float = 10.0
    """From connecting, or from a request's first byte, to the end of its head."""
    body_idle_timeout: float = 10.0
    """The span over which `min_body_rate` is measured."""
    min_body_rate: int = 1024
    """Bytes a second a body has to arrive with."""
    write_timeout: float = 30.0
    """How long a client may take nothing of what is waiting for it."""
    keep_alive: float = 75.0
    """How long a connection may be idle between two requests."""
    max_header_bytes: int = 65_536
    max_url_bytes: int = 16_384
    max_headers: int = 128
    max_connections: int = 20_000
    max_requests: int = 2_000
    """Running at the same time."""
    max_body_bytes: int = 67_108_864
    """On the wire, before any content encoding is undone."""


class Refusal(Exception):
    """A request that is turned away unseen by the application; the connection is closed after the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def bad_request(message: str) -> Refusal:
    """400 with the code of `InvalidRequest`; `message` says what to mend."""
    return Refusal(400, InvalidRequest.code, message)


def too_much(message: str, status: int = HeadersTooLarge.status) -> Refusal:
    """431 (or 414): the head is larger than the limits allow."""
    return Refusal(status, HeadersTooLarge.code, message)


def too_slow(message: str) -> Refusal:
    """408."""
    return Refusal(SlowRequest.status, SlowRequest.code, message)


def too_busy(message: str) -> Refusal:
    """503; `retry-after` goes with it."""
    return Refusal(Overloaded.status, Overloaded.code, message)


def answer_headers(status: int, code: str, named: Headers, body: bytes) -> list[tuple[bytes, bytes]]:
    """What goes with the body of every refusal."""
    headers = [*named, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(b"x-headgate-error-code", code.encode()), (b"x-headgate-error-origin", b"gateway")]
    if status == Overloaded.status:
        headers.append((b"retry-after", b"1"))
    return headers


def refuse_plainly(status: int, code: str, message: str, path: str | None, id: str) -> tuple[Headers, bytes]:
    """The default, in the shape of OpenAI's errors (https://platform.openai.com/docs/guides/error-codes)."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    return [(b"x-request-id", id.encode())], msgspec.json.encode({"error": error})


def ignore_refusal(path: str | None, client: str | None, status: int, code: str, id: str) -> None:
    """The default for OnRefused."""
