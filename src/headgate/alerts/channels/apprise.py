"""A hundred services more, each by a URL of Apprise's. https://github.com/caronc/apprise/wiki"""

from __future__ import annotations

from importlib.util import find_spec

from pydantic import Field, SecretStr

from headgate.alerts.channels.channel import Channel, ChannelSettings, Message, Undelivered

TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class Settings(ChannelSettings):
    url: SecretStr = Field(
        description="The service, as Apprise writes it: `tgram://TOKEN/CHAT`, `matrixs://…`; a secret."
    )


class OfApprise(Channel):
    """Where its URL leads is for the library to say: only the file may have such a channel."""

    Settings = Settings
    package = "apprise"

    async def send(self, message: Message) -> None:
        if find_spec(self.package) is None:
            raise Undelivered("it needs the package apprise: install headgate[apprise]", again=False)
        from apprise import Apprise

        service = Apprise()
        if not service.add(self.settings.url.get_secret_value()):
            raise Undelivered("Apprise does not know such a URL", again=False)
        kind = "success" if message.resolved else TYPES[message.items[0].alert.severity]
        done = await service.async_notify("\n".join(message.lines()), title=message.title, notify_type=kind)
        if not done:
            raise Undelivered("Apprise could not send it")
