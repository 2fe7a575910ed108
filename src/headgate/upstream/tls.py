"""TLS to providers: always verified, TLS 1.2 or later, sessions taken up again."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

SESSIONS = 1024
"""Server names whose last session is kept."""


class SessionContext(ssl.SSLContext):
    """A client context that offers each server the session of the last connection to it.

    Neither asyncio's nor uvloop's `start_tls` takes a session, but both make their TLS object with
    `context.wrap_bio(incoming, outgoing, server_side=..., server_hostname=...)`, so the session is added here: this
    works with both. In TLS 1.3 the ticket comes after the handshake, hence `keep` is called when a reply has come.
    """

    sessions: dict[str, ssl.SSLSession]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        self.sessions = {}
        return self

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        if session is None and isinstance(server_hostname, str):
            session = self.sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def keep(self, server_hostname: str, connection: ssl.SSLObject) -> None:
        """Remember the connection's session for the next connection to this server."""
        session = connection.session
        if session is not None and session.has_ticket:
            if len(self.sessions) >= SESSIONS and server_hostname not in self.sessions:
                del self.sessions[next(iter(self.sessions))]
            self.sessions[server_hostname] = session


Certificate = tuple[str, str]
"""PEM files: of a client's own certificate, and of its key."""


def context(
    ca_file: str | None, environment: Mapping[str, str] = os.environ, certificate: Certificate | None = None
) -> SessionContext:
    """A verifying context: the CA bundle is `ca_file`, else $SSL_CERT_FILE, else the system's.

    Raises OSError or ssl.SSLError when a file cannot be read, at the start and not at the first request.
    """
    made = SessionContext()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    bundle = ca_file or environment.get("SSL_CERT_FILE")
    if bundle:
        made.load_verify_locations(cafile=bundle)
    else:
        made.load_default_certs()
    if certificate is not None:
        made.load_cert_chain(*certificate)
    return made
