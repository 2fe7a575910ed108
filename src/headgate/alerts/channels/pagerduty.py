"""PagerDuty, by its Events API v2: an incident for each alert, resolved when it is.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from headgate.alerts.channels.channel import Channel, ChannelSettings, Item, Message
from headgate.alerts.text import moment

US = "https://events.pagerduty.com/v2/enqueue"


class Settings(ChannelSettings):
    routing_key: SecretStr = Field(description="The integration key of a service, or of an orchestration.")
    url: str = Field(US, description="Of another region: `https://events.eu.pagerduty.com/v2/enqueue`.")


class PagerDuty(Channel):
    Settings = Settings

    async def send(self, message: Message) -> None:
        """One event after the other; of those that are sent again PagerDuty knows by `dedup_key`."""
        key = self.settings.routing_key.get_secret_value()
        for item in message.items:
            await self.post(self.settings.url, event(item, key, message.url))


def event(item: Item, key: str, url: str | None) -> dict[str, Any]:
    alert = item.alert
    found: dict[str, Any] = {
        "routing_key": key,
        "event_action": "resolve" if item.what == "resolved" else "trigger",
        "dedup_key": f"headgate-{alert.id}",
    }
    if item.what != "resolved":
        found["payload"] = {
            "summary": f"{alert.rule}: {alert.summary}"[:1024],
            "source": alert.labels.get("instance") or "headgate",
            "severity": alert.severity,
            "timestamp": moment(alert.fired),
            "component": alert.of.get("provider") or alert.of.get("target") or alert.rule,
            "class": alert.rule,
            "custom_details": item.data(),
        }
        found |= {"client": "Headgate"} | ({"client_url": url} if url else {})
    return found
