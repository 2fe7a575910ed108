"""Slack, by an incoming webhook. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from headgate.alerts.channels.channel import Channel, ChannelSettings, Message
from headgate.alerts.text import labels

SIGNS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
MOST = 10
"""Alerts that are told in full: a message has 50 blocks at most, and a section 3,000 characters."""


class Settings(ChannelSettings):
    url: SecretStr = Field(description="The webhook's address (`https://hooks.slack.com/services/…`), a secret.")


class Slack(Channel):
    Settings = Settings

    async def send(self, message: Message) -> None:
        await self.post(self.settings.url.get_secret_value(), body(message))


def body(message: Message) -> dict[str, Any]:
    sign = ":white_check_mark:" if message.resolved else SIGNS[message.items[0].alert.severity]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"{sign} *{escaped(message.title)}*"[:3000]}}
    ]
    lines = (escaped(line)[:3000] for line in message.lines()[:MOST])
    blocks += ({"type": "section", "text": {"type": "mrkdwn", "text": line}} for line in lines)
    more = len(message.items) - MOST
    told = ", ".join(f"{name}={value}" for name, value in labels(message.items[0].alert))
    about = [f"and {more} more" if more > 0 else "", escaped(told), f"<{message.url}>" if message.url else ""]
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": " · ".join(filter(None, about))[:3000]}]})
    return {"text": escaped(message.title)[:3000], "blocks": blocks}


def escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping: names may hold what would be a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
