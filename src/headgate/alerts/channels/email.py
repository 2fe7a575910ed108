"""E-mail, by an SMTP server: with TLS from the beginning, by STARTTLS, or within one's own network without."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from headgate.alerts.channels.channel import Channel, ChannelSettings, Message, Undelivered
from headgate.alerts.text import labels

WAIT = 10.0
"""Seconds for each step."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _address(value: str) -> str:
    _, address = parseaddr(value)
    if "@" not in address or not value.isprintable() or any(sign in value for sign in "\r\n"):
        raise PydanticCustomError("address", "not an address: write `ops@example.com`")
    return value


Address = Annotated[str, AfterValidator(_address)]


class Settings(ChannelSettings):
    host: str = Field(min_length=1, description="The SMTP server.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port. Left out: 587 of `starttls`, 465 of `tls`, 25 of `none`."
    )
    tls: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is protected; without it, neither name nor password is sent."
    )
    username: str | None = Field(None, min_length=1, description="Who logs in. Left out: nobody has to.")
    password: SecretStr | None = Field(None, description="With which password.")
    sender: Address = Field(alias="from", description="Whose mail it is: `Headgate <alerts@example.com>`.")
    to: Annotated[
        list[Address], BeforeValidator(lambda value: [value] if isinstance(value, str) else value), Field(min_length=1)
    ] = Field(description="Who gets it; a single one needs no list.")


class Email(Channel):
    Settings = Settings

    async def send(self, message: Message) -> None:
        settings = self.settings
        port = settings.port or PORTS[settings.tls]
        address = await self.way.address(settings.host, port)
        await asyncio.to_thread(self._send, written(message, settings), port, address)

    def _send(self, mail: EmailMessage, port: int, address: str | None) -> None:
        settings = self.settings
        try:
            with self._connected(port, address) as server:
                if settings.username is not None and settings.password is not None:
                    server.login(settings.username, settings.password.get_secret_value())
                refused = server.send_message(mail)
            if refused:
                raise Undelivered(f"the server took it for all but {len(refused)} of its readers", again=False)
        except smtplib.SMTPAuthenticationError as error:
            raise Undelivered(f"the SMTP server does not take the password ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"the SMTP server answered with {error.smtp_code}", again=error.smtp_code < 500) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            raise Undelivered("the SMTP server takes mail for none of its readers", again=min(codes) < 500) from None
        except (smtplib.SMTPException, OSError) as error:
            told = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise Undelivered(f"the SMTP server {settings.host}:{port} cannot be used: {told}") from None

    def _connected(self, port: int, address: str | None) -> smtplib.SMTP:
        settings, context = self.settings, ssl.create_default_context(cafile=self.way.ca_file)
        if settings.tls == "tls":
            return _OverTLS(address, settings.host, port, timeout=WAIT, context=context)
        server = _Plain(address, settings.host, port, timeout=WAIT)
        if settings.tls == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


class _Plain(smtplib.SMTP):
    """Connects to the address that was checked, while certificates are for the host's name."""

    def __init__(self, address: str | None, *arguments: Any, **options: Any) -> None:
        self._checked = address
        super().__init__(*arguments, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return super()._get_socket(self._checked or host, port, timeout)  # type: ignore[misc,no-any-return]


class _OverTLS(smtplib.SMTP_SSL):
    """The same with TLS from the beginning."""

    def __init__(self, address: str | None, *arguments: Any, **options: Any) -> None:
        self._checked = address
        super().__init__(*arguments, **options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return super()._get_socket(self._checked or host, port, timeout)  # type: ignore[misc,no-any-return]


def written(message: Message, settings: Settings) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.title[:200]
    mail["From"], mail["To"] = settings.sender, ", ".join(settings.to)
    mail["Date"] = formatdate(usegmt=True)
    mail["Message-ID"] = f"<{message.id}@headgate>"  # the same where it is sent again
    first = message.items[0].alert
    mail["References"] = f"<{first.id}@headgate>"  # readers show all mail about an alert together
    lines = [f"  {name}: {value}" for name, value in labels(first)]
    parts = [*message.lines(), "", "Labels of the first:", *lines, *(["", message.url] if message.url else [])]
    mail.set_content("\n".join(parts))
    mail["Auto-Submitted"] = "auto-generated"
    return mail
