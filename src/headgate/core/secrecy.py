"""What must not be told: taken out of whatever a host that repeats what it was sent answers."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.errors import GatewayError, ProviderRefused

HIDDEN = b"[redacted]"
SHORTEST = 4
"""Bytes: what is shorter would be found everywhere."""
LONG = 16
"""Bytes: what is shorter may stand by chance in a file that passes."""


class Secrecy:
    """Knows a provider's secrets: its key, headers that hold some, and the last proofs obtained while serving."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._lasting = [secret.encode("latin-1", "replace") for secret in secrets if len(secret) >= SHORTEST]
        self._passing: list[bytes] = []

    def learn(self, proof: bytes) -> None:
        """A token that will be another one some time; those just before are remembered, too."""
        if proof not in self._passing:
            self._passing = [*self._passing[-3:], proof]

    def scrub(self, text: bytes) -> bytes:
        """The text without secrets."""
        for secret in (*self._lasting, *self._passing):
            text = text.replace(secret, HIDDEN)
        return text

    def veil(self) -> Veil:
        """For bytes of any kind on their way."""
        return Veil([secret for secret in (*self._lasting, *self._passing) if len(secret) >= LONG])

    def clean(self, error: GatewayError) -> None:
        """`scrub` for all an error says."""
        error.message = self._scrubbed(error.message)
        error.param = self._scrubbed(error.param) if error.param else error.param
        if isinstance(error, ProviderRefused):
            error.body = self.scrub(error.body)
            error.content_type = self.scrub(error.content_type)
            error.kind = self._scrubbed(error.kind) if error.kind else error.kind
            error.vendor_code = self._scrubbed(error.vendor_code) if error.vendor_code else error.vendor_code

    def _scrubbed(self, text: str) -> str:
        return self.scrub(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


class Veil:
    """Bytes split anywhere → as many bytes, with asterisks where a secret stood."""

    __slots__ = ("_held", "_secrets")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be given of it: all but an end that may be the beginning of a secret."""
        if self._held:
            data = self._held + data
        begun = 0
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
            begun = max(begun, _begun(data, secret))
        self._held = data[len(data) - begun :]
        return data[: len(data) - begun]

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _begun(data: bytes, secret: bytes) -> int:
    """How much of a secret the data ends in."""
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(secret[:1], at + 1)
    return len(data) - at if at >= 0 else 0
