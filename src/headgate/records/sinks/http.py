"""Any HTTP server: each batch is a POST of JSON, signed if it is to be, with an id by which a repeated one is known."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import Literal

from pydantic import Field, SecretStr

from headgate.records import post
from headgate.records.post import Post
from headgate.records.sinks.sink import Batch, Sink

KEY = "whsec_"
"""How a secret begins whose rest is base64: https://www.standardwebhooks.com."""


class HTTPSettings(post.Settings):
    """What is said of a server."""

    format: Literal["json", "ndjson"] = Field("json", description="A JSON array, or a line for each record.")
    compress: Literal["none", "gzip"] = Field("none", description="How what is sent is compressed.")
    secret: SecretStr | None = Field(
        None,
        description="Signs each batch (HMAC-SHA256), as [Standard Webhooks](https://www.standardwebhooks.com) has it.",
    )


class HTTP(Sink):
    """`webhook-id` and `idempotency-key` are the batch's id."""

    Settings = HTTPSettings

    def __init__(self, settings: HTTPSettings) -> None:
        super().__init__(settings)
        self._post = Post(settings)

    def send(self, batch: Batch) -> None:
        settings, lines = self.settings, [item.line for item in batch.items]
        whole = settings.format == "json"
        body = b"[" + b",".join(lines) + b"]" if whole else b"\n".join(lines) + b"\n"
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        headers |= {
            "content-type": "application/json" if whole else "application/x-ndjson",
            "idempotency-key": batch.id,
        }
        if settings.secret is not None:
            headers |= signed(settings.secret.get_secret_value(), batch.id, int(time.time()), body)
        self._post.send(settings.url, headers, body, packed=settings.compress == "gzip")

    def close(self) -> None:
        self._post.close()


def signed(secret: str, id: str, now: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sends this; `body` is what it is before it is compressed."""
    key = secret.encode()
    if secret.startswith(KEY):
        try:
            key = base64.b64decode(secret.removeprefix(KEY), validate=True)
        except binascii.Error:
            key = secret.encode()
    proof = hmac.digest(key, f"{id}.{now}.".encode() + body, "sha256")
    return {
        "webhook-id": id,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(proof).decode()}",
    }
