"""A syslog server, over UDP, TCP or TLS: each record is a message (RFC 5424) whose text is its JSON."""

from __future__ import annotations

import array
import fcntl
import os
import socket
import ssl
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.printable import json_safe
from headgate.records import post
from headgate.records.sinks.sink import Away, Batch, Item, Sink

PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
"""RFC 5426, RFC 6587 and RFC 5425 have them."""
FACILITIES = {
    "user": 1, "daemon": 3, "auth": 4, "authpriv": 10, **{f"local{number}": 16 + number for number in range(8)},
}  # fmt: skip
INFO, WARNING, ERROR = 6, 4, 3
DATAGRAM = 65_000
"""Bytes that fit into a datagram of UDP, of which there may be 65,507."""
SIOCOUTQ = 0x5411
"""Of Linux (tcp(7)): bytes that the other side has not acknowledged."""
LOOK = 0.005
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Ended(msgspec.Struct):
    status: int = 0


_ended = msgspec.json.Decoder(_Ended).decode


class SyslogSettings(post.Connecting):
    """What is said of a server."""

    address: str = Field(
        description="`udp://host`, `tcp://host` or `tls://host`, with `:port` where it is another one."
    )
    facility: Literal[
        "user", "daemon", "auth", "authpriv",
        "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
    ] = Field("local0", description="The facility of the messages.")  # fmt: skip
    app_name: str = Field("headgate", pattern=r"^[!-~]{1,48}$", description="The messages' APP-NAME.")
    hostname: str | None = Field(
        None, pattern=r"^[!-~]{1,255}$", description="The messages' HOSTNAME. Left out: this machine's."
    )
    max_bytes: int = Field(
        8192,
        ge=480,
        le=1 << 20,
        description="Most bytes of a message; the largest fields are left out of one that would be longer, and named "
        "in `cut`. RFC 5426 wants no more than 2048 over UDP.",
    )

    @model_validator(mode="after")
    def _fits(self) -> SyslogSettings:
        if self.address.startswith("udp:") and self.max_bytes > DATAGRAM:
            told = {"most": DATAGRAM}
            raise PydanticCustomError("datagram", "over UDP `max_bytes` is {most} at most: take tcp:// or less", told)
        return self

    @field_validator("address")
    @classmethod
    def _place(cls, text: str) -> str:
        try:
            url = urlsplit(text)
            sound = url.scheme in PORTS and bool(url.hostname) and url.port != 0 and url.path in ("", "/")
        except ValueError:
            sound = False
        if not sound or "@" in text:
            raise PydanticCustomError("address", "not a place to send to: write it like tls://logs.example.com:6514")
        return text


class Syslog(Sink):
    """Over TCP and TLS a batch is there when the other machine has acknowledged all of it. UDP tells nothing."""

    Settings = SyslogSettings

    def __init__(self, settings: SyslogSettings) -> None:
        super().__init__(settings)
        url = urlsplit(settings.address)
        self._scheme = url.scheme
        self._place = url.hostname or "", url.port or PORTS[url.scheme]
        self._head = f"{settings.hostname or socket.gethostname() or '-'} {settings.app_name} {os.getpid()} request"
        self._priority = FACILITIES[settings.facility] * 8
        self._socket: socket.socket | None = None

    def send(self, batch: Batch) -> None:
        messages = [self._message(item) for item in batch.items]
        try:
            if self._socket is None or not _open(self._socket, self.settings.timeout):
                self.close()
                self._socket = self._connected()
            if self._scheme == "udp":
                for message in messages:
                    self._socket.send(message)
                return
            self._socket.sendall(b"".join(b"%d %b" % (len(message), message) for message in messages))
            self._acknowledged(self._socket)
        except OSError as error:
            self.close()
            why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.strerror
            raise Away(f"{self._place[0]} port {self._place[1]}: {why or type(error).__name__}") from None

    def close(self) -> None:
        found, self._socket = self._socket, None
        if found is not None:
            found.close()

    def _connected(self) -> socket.socket:
        settings = self.settings
        if self._scheme == "udp":
            family, kind, number, _, place = socket.getaddrinfo(*self._place, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, kind, number)
            made.connect(place)
            return made
        made = socket.create_connection(self._place, settings.timeout)
        return made if self._scheme == "tcp" else _secured(made, self._place[0], settings)

    def _acknowledged(self, sock: socket.socket) -> None:
        """Wait for it; else what is in this machine's buffers when the connection breaks would be taken for sent."""
        if sys.platform != "linux":
            return
        until, left = time.monotonic() + self.settings.timeout, array.array("i", [0])
        while True:
            fcntl.ioctl(sock.fileno(), SIOCOUTQ, left)
            if not left[0]:
                return
            if time.monotonic() > until:
                raise TimeoutError
            time.sleep(LOOK)

    def _message(self, item: Item) -> bytes:
        """HEADER SP STRUCTURED-DATA SP MSG, on one line: what is no printable character is spelt out."""
        status = _ended(item.line).status
        severity = ERROR if status >= 500 else WARNING if status >= 400 else INFO
        moment = datetime.fromtimestamp(item.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        head = f"<{self._priority + severity}>1 {moment} {self._head} - ".encode()
        return head + _fitting(item.line, self.settings.max_bytes - len(head))


def _fitting(line: bytes, most: int) -> bytes:
    """The record without its largest fields, where it would be too long."""
    text = json_safe(line.decode()).encode()
    if len(text) <= most:
        return text
    parts: dict[str, Any] = dict(_parts(text))
    cut: list[str] = []
    while len(text) > most and len(parts) > 2:
        largest = max((name for name in parts if name not in ("id", "time", "cut")), key=lambda name: len(parts[name]))
        del parts[largest]
        cut.append(largest)
        text = msgspec.json.encode({**parts, "cut": cut})
    return text


def _open(sock: socket.socket, timeout: float) -> bool:
    """Whether the other side has not closed the connection, as far as is known."""
    if sock.type == socket.SOCK_DGRAM:
        return True
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        sock.settimeout(timeout)


def _secured(sock: socket.socket, host: str, settings: SyslogSettings) -> socket.socket:
    own: Path | None = settings.cert
    context = ssl.create_default_context(cafile=settings.ca_file or os.environ.get("SSL_CERT_FILE"))
    if own is not None:
        context.load_cert_chain(own, settings.key)
    return context.wrap_socket(sock, server_hostname=host)
