"""Microsoft Teams, by a webhook of its Workflows app, as an adaptive card.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from headgate.alerts.channels.channel import Channel, ChannelSettings, Message
from headgate.alerts.text import labels

COLOURS = {"critical": "attention", "warning": "warning", "info": "accent"}
MOST = 20
"""Alerts that are told in full: a card has 28 KB at most."""


class Settings(ChannelSettings):
    url: SecretStr = Field(
        description="The address of a workflow `When a Teams webhook request is received`, a secret."
    )


class Teams(Channel):
    Settings = Settings

    async def send(self, message: Message) -> None:
        await self.post(self.settings.url.get_secret_value(), body(message))


def body(message: Message) -> dict[str, Any]:
    colour = "good" if message.resolved else COLOURS[message.items[0].alert.severity]
    facts = [{"title": name, "value": plain(value)} for name, value in labels(message.items[0].alert)]
    parts: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": plain(message.title), "weight": "bolder", "color": colour, "wrap": True},
        *({"type": "TextBlock", "text": plain(line), "wrap": True} for line in message.lines()[:MOST]),
        {"type": "FactSet", "facts": facts[:20]},
    ]
    if len(message.items) > MOST:
        parts.append({"type": "TextBlock", "text": f"and {len(message.items) - MOST} more", "isSubtle": True})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": parts,
    }  # fmt: skip
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Headgate", "url": message.url}]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def plain(text: str) -> str:
    """A card reads Markdown: names may hold what would be a link."""
    return text.replace("[", "\\[").replace("](", "]\\(")[:700]
