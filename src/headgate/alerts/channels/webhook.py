"""Any service, by a POST of JSON that is signed as Standard Webhooks says. https://www.standardwebhooks.com"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import Any

from pydantic import Field, SecretStr

from headgate.alerts.channels.channel import Channel, ChannelSettings, Message


class Settings(ChannelSettings):
    url: SecretStr = Field(description="Where it is sent, `https://…`; a secret, as many services go by it alone.")
    signing_secret: SecretStr | None = Field(
        None,
        description="Signs `webhook-id.webhook-timestamp.body` with HMAC-SHA256 into `webhook-signature: v1,…`: "
        "`whsec_` with the key in base64 behind it, or any text. Left out: it is not signed.",
    )
    token: SecretStr | None = Field(None, description="Sent as `authorization: Bearer …`.")


class Webhook(Channel):
    Settings = Settings

    async def send(self, message: Message) -> None:
        body = json.dumps(data(message), ensure_ascii=False).encode()
        headers = {"webhook-id": f"msg_{message.id}", "webhook-timestamp": str(int(time.time()))}
        if self.settings.signing_secret is not None:
            headers["webhook-signature"] = signature(self.settings.signing_secret.get_secret_value(), headers, body)
        if self.settings.token is not None:
            headers["authorization"] = f"Bearer {self.settings.token.get_secret_value()}"
        await self.post(self.settings.url.get_secret_value(), body, headers)


def data(message: Message) -> dict[str, Any]:
    return {
        "type": "alerts.resolved" if message.resolved else "alerts.firing",
        "rule": message.rule,
        "title": message.title,
        "url": message.url,
        "alerts": [{**item.data(), "event": item.what} for item in message.items],
    }


def signature(secret: str, headers: dict[str, str], body: bytes) -> str:
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = secret.encode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
