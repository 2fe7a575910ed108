"""What must not be told: taken out of whatever a host that repeats what it was sent answers."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.errors import GatewayError, ProviderRefused

HIDDEN = b"[redacted]"
SHORTEST = 4
"""Bytes: what is shorter would be found everywhere."""


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
